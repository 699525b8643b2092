//! The service's own scheduler, where no timers of systemd start runs: it sleeps by the clock on the wall,
//! so that a machine that slept, or a clock that was set, loses no run.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use nix::sys::time::{TimeSpec, TimeValLike};
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::net::unix::pipe;

use super::engine::{Engine, blocking, in_micros, micros};
use crate::model::calendar::due;
use crate::provider::limits::jitter;
use crate::schedule::{Entry, JITTER};

/// A schedule with what it needs to be kept.
struct Kept {
    entry: Entry,
    /// When it last fired, or when it was first seen.
    fired: i64,
}

/// Starts scheduled runs until the service ends, and goes on with what was left for later. With systemd's
/// timers it only tells when the next scheduled one is due.
pub(super) async fn keep(engine: Arc<Engine>, starts_runs: bool) {
    loop {
        let changes = engine.schedule_changes();
        let zone = TimeZone::system();
        let mut kept = Vec::new();
        for entry in engine.schedules() {
            let fired = last_fired(&engine, &entry.name, starts_runs).await;
            kept.push(Kept { entry, fired });
        }
        let round = round(&engine, &mut kept, &zone, starts_runs);
        tokio::select! {
            result = round => if let Err(error) = result {
                tracing::error!("the schedule cannot be kept: {error}");
                tokio::time::sleep(Duration::from_secs(60)).await;
            },
            () = changes => {}
        }
    }
}

/// Waits for what is due next, and starts it; for ever, unless nothing is scheduled.
async fn round(
    engine: &Arc<Engine>,
    kept: &mut [Kept],
    zone: &TimeZone,
    starts_runs: bool,
) -> io::Result<()> {
    loop {
        let now = seconds();
        let next = kept.iter().enumerate().filter_map(|(at, kept)| {
            let calendar = &kept.entry.calendar;
            due::due(calendar, if starts_runs { kept.fired } else { now }, now, zone).map(|due| (due, at))
        });
        let scheduled = next.min();
        let left = engine.next_leftover();
        let next = scheduled.map(|(due, _)| due).into_iter().chain(left.as_ref().map(|left| left.at));
        let Some(due) = next.min() else {
            engine.change(|state| state.next_run = 0);
            return std::future::pending().await;
        };
        engine.change(|state| state.next_run = in_micros(due.max(now)));
        if due > now {
            sleep_until(due).await?;
            // Woken by the clock being set, or at the instant: look again.
            continue;
        }
        if let Some(left) = left.filter(|left| left.at <= now) {
            engine.go_on(left, now).await;
        } else if let Some((due, kept)) =
            scheduled.and_then(|(due, at)| Some((due, kept.get_mut(at)?))).filter(|_| starts_runs)
        {
            start(engine, kept, due, zone).await;
        }
    }
}

/// Asks for the run, and only then notes that it fired: whatever ends the service in between costs no run.
async fn start(engine: &Arc<Engine>, kept: &mut Kept, due: i64, zone: &TimeZone) {
    tokio::time::sleep(Duration::from_millis(jitter(longest_delay(kept, due, zone)))).await;
    let client = format!("schedule {}", kept.entry.name);
    let asked = engine.run(kept.entry.request.clone(), "schedule", &client).await;
    kept.fired = due::fired(due, seconds());
    // Where this one is refused the next one comes all the same.
    if let Some(id) = asked {
        tracing::info!(job = id, due, until = kept.fired, "{client} asks for job {id}");
    }
    note(engine, &kept.entry.name, kept.fired).await;
}

/// By how many milliseconds a run may be put off: never so long that the next one is due meanwhile, and one
/// that was missed not at all.
fn longest_delay(kept: &Kept, due: i64, zone: &TimeZone) -> u64 {
    if seconds().abs_diff(due) > JITTER {
        return 0;
    }
    let next = kept.entry.calendar.next_after(due, zone);
    let apart = next.map_or(u64::MAX, |next| next.abs_diff(due).saturating_mul(1000));
    (apart / 2).min(JITTER * 1000)
}

fn note_name(name: &str) -> String {
    format!("fired {name}")
}

/// When a schedule last fired; one that was never seen counts from now.
async fn last_fired(engine: &Arc<Engine>, name: &str, starts_runs: bool) -> i64 {
    let now = seconds();
    if !starts_runs {
        return now;
    }
    let (reader, note_name) = (Arc::clone(engine), note_name(name));
    let noted = blocking(move || reader.archive().note(&note_name)).await;
    match noted.map(|noted| noted.map(|text| text.and_then(|text| text.parse().ok()))) {
        Ok(Ok(Some(fired))) => fired,
        _ => {
            note(engine, name, now).await;
            now
        }
    }
}

async fn note(engine: &Arc<Engine>, name: &str, fired: i64) {
    let (writer, note_name) = (Arc::clone(engine), note_name(name));
    let noted = blocking(move || writer.archive().set_note(&note_name, &fired.to_string())).await;
    if let Ok(Err(error)) = noted {
        tracing::warn!("when {name} ran cannot be noted: {error}");
    }
}

/// Sleeps until an instant by the clock on the wall, through suspends, or until that clock is set.
async fn sleep_until(at: i64) -> io::Result<()> {
    let timer = TimerFd::new(ClockId::CLOCK_REALTIME, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
    let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
    timer.set(Expiration::OneShot(TimeSpec::seconds(at)), flags)?;
    // Only looked at, never read: for the runtime any descriptor that becomes readable is like a pipe.
    pipe::Receiver::from_owned_fd_unchecked(timer.as_fd().try_clone_to_owned()?)?.readable().await
}

fn seconds() -> i64 {
    (micros() / 1_000_000) as i64
}
