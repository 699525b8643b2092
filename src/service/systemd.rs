//! What the service manager is told (sd_notify(3)): ready, status, reload, stop, and that we are alive.
//! Where there is no service manager nothing is told.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use super::engine::Engine;
use super::worker::Pulse;

/// STATUS= is told at most this often.
const STATUS_EVERY: Duration = Duration::from_secs(1);
/// A stop that finishes a commit may take this much longer, each time it says so.
const MORE_TIME: Duration = Duration::from_secs(10);

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("the service manager was not told: {error}");
    }
}

/// The service can be used.
pub(super) fn ready(engine: &Engine) {
    notify(&[NotifyState::Ready, NotifyState::Status(&engine.look(|state| state.status()))]);
}

/// The service cannot start yet.
pub(super) fn waits(why: &str) {
    notify(&[NotifyState::Status(why)]);
}

/// The configuration is being read again.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!("the service manager was not told of the reload: {error}"),
    }
}

/// The service stops, and asks for the time that a commit may take.
pub(super) fn stopping() {
    let more = u32::try_from(MORE_TIME.as_micros()).unwrap_or(u32::MAX);
    notify(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(more)]);
}

/// Keeps STATUS= true.
pub(super) async fn keep_status(engine: Arc<Engine>) {
    let mut changes = engine.changes();
    let mut told = String::new();
    loop {
        let status = engine.look(|state| state.status());
        if status != told {
            notify(&[NotifyState::Status(&status)]);
            told = status;
        }
        tokio::time::sleep(STATUS_EVERY).await;
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Tells the watchdog that we are alive: this loop runs among those of the bus, and the threads of the job
/// at work have to answer first. A slow provider does not keep them from answering; a wedged one does.
pub(super) async fn watch_over(
    engine: Arc<Engine>,
    pulses: watch::Receiver<Option<mpsc::UnboundedSender<Pulse>>>,
) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = tokio::time::interval(limit / 2);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let job = pulses.borrow().clone();
        if let Some(job) = job {
            let (tell, answer) = oneshot::channel();
            // A job that is over drops its end, which is an answer too.
            if job.send(tell).is_ok() {
                let _ = answer.await;
            }
        }
        notify(&[NotifyState::Watchdog]);
        // Series become late by themselves, and others write the archive; this wake-up is there already. The sign of life
        // does not wait for a slow disk.
        engine.refresh_apart();
    }
}
