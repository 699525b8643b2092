//! One request of a series: asked in its turn, read, kept in the raw trail, counted.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::spawn_blocking;

use super::events::Event;
use super::series::{Course, Shared};
use crate::archive::raw::RawTrail;
use crate::model::{Days, Period};
use crate::observe::logging::JOB;
use crate::provider::{Answer, RawAnswer, Refusal, Request, counting};

/// In the correlation id of a daily request beside an intraday series, before its period.
pub(super) const BESIDE: &str = "-splits-";

/// Why a request brought no answer.
pub(super) enum NoAnswer {
    Refused(Refusal),
    /// The provider refused all series meanwhile.
    NotAsked,
    Interrupted,
}

impl From<Refusal> for NoAnswer {
    fn from(refusal: Refusal) -> NoAnswer {
        NoAnswer::Refused(refusal)
    }
}

/// What is said once a job, however many series it concerns.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// This machine's clock is wrong.
    pub(super) clock: AtomicBool,
    /// The raw trail cannot keep what comes.
    raw: AtomicBool,
}

impl Told {
    /// Says where the raw trail could not keep an answer; its bars are stored all the same.
    pub(super) fn kept(&self, kept: io::Result<()>, trail: &RawTrail) {
        let Err(error) = kept else { return };
        if !self.raw.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "raw answers cannot be kept in {}: {error}; make room or let this user write there, name another folder (general.raw_directory, --raw-dir), or set general.raw.enabled to false. Bars are stored all the same",
                trail.directory().display()
            );
        }
    }
}

impl Shared {
    /// Makes one request and reads its answer; once more where the provider does not know a number that was kept.
    pub(super) async fn ask(
        &self,
        course: &mut Course,
        period: Period,
        days: Days,
    ) -> Result<Answer, NoAnswer> {
        match self.ask_once(course, period, days).await {
            Err(NoAnswer::Refused(Refusal::Unknown { .. } | Refusal::Unlisted { .. }))
                if course.forgets_number() =>
            {
                self.ask_once(course, period, days).await
            }
            asked => asked,
        }
    }

    /// Makes one request and reads its answer; the raw trail keeps what came.
    async fn ask_once(&self, course: &mut Course, period: Period, days: Days) -> Result<Answer, NoAnswer> {
        // Nobody waits for a change that waits for the network.
        course.coming = None;
        let number = self.correlations.fetch_add(1, Ordering::Relaxed);
        let correlation = match period == course.target.key.period {
            true => format!("{}-{number}", self.job),
            false => format!("{}-{number}{BESIDE}{}", self.job, course.target.key.period),
        };
        let request = Request { period, correlation, ..course.target.request(days) };
        let key = &course.target.key;
        let mut cancelled = self.cancelled.clone();
        // Held until the answer is read: a refusal is known before the next request begins.
        let _permit = tokio::select! {
            permit = self.requests.acquire() => permit,
            _ = cancelled.wait_for(|cancelled| *cancelled) => return Err(NoAnswer::Interrupted),
        };
        if self.closed.get().is_some() {
            return Err(NoAnswer::NotAsked);
        }
        self.observer.event(&Event::Asking(key));
        tracing::debug!(
            target: JOB, job = self.job, provider = key.provider, symbol = key.name(), period = key.period.name(),
            correlation_id = request.correlation, "asking for {days}"
        );
        let aside = |raw: &RawAnswer| {
            let kept = self.raw.keep(self.provider.archive_name(), &request, raw);
            self.told.kept(kept.map(drop), &self.raw);
        };
        let (raw, sent) = tokio::select! {
            counted = counting(self.provider.fetch(&request, &aside)) => counted,
            _ = cancelled.wait_for(|cancelled| *cancelled) => return Err(NoAnswer::Interrupted),
        };
        course.requests += sent;
        let raw = raw.map_err(|refusal| self.note_refusal(refusal))?;
        course.coming = Some(self.committer.announce());
        self.bytes_fetched.fetch_add(raw.body.len() as u64, Ordering::Relaxed);
        self.observer.event(&Event::Fetched { key, bytes: raw.body.len() });
        let (provider, trail) = (Arc::clone(&self.provider), self.raw.clone());
        let correlation = request.correlation.clone();
        let read =
            move || (trail.keep(provider.archive_name(), &request, &raw), provider.read(&request, &raw));
        let (kept, answer) = self.in_turn(read).await;
        self.told.kept(kept.map(drop), &self.raw);
        let answer = answer.map_err(|refusal| self.note_refusal(refusal))?;
        self.came_in_a_row("");
        for dropped in &answer.dropped {
            tracing::debug!(correlation_id = correlation, "{key}: {dropped}");
        }
        for note in &answer.notes {
            if !course.notes.contains(note) {
                course.notes.push(note.clone());
            }
        }
        Ok(answer)
    }

    /// Work that holds a whole answer several times over, of a few series at once: more would need more
    /// memory and be no faster.
    pub(super) async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        // It is never closed.
        let _turn = self.work.acquire().await;
        // Not `block_in_place`: that has more and more threads take part, and each keeps what it freed.
        match spawn_blocking(work).await {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}
