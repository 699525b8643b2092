//! Building an archive from the raw trail: the answers of earlier runs, read again in their order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Semaphore, watch};

use super::absorb::{self, Verdict};
use super::committer::Committer;
use super::events::{Event, Observer, Outcome, SeriesResult, Summary};
use super::plan::Wanted;
use super::restate::{Cause, restate};
use super::series::{BESIDE, Course, Shared, Stop, Target};
use crate::archive::raw::{RawEntry, RawTrail};
use crate::archive::{ArchiveError, SessionCounts, Writer};
use crate::model::SeriesKey;
use crate::provider::{Limits, Provider, Refusal, Request};

/// A replay of one provider's answers.
pub struct Replay {
    /// Reads the answers; it is never asked for one.
    pub provider: Arc<dyn Provider>,
    /// Its part of the raw trail, oldest first.
    pub entries: Vec<RawEntry>,
    /// Write Parquet twins.
    pub parquet: bool,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
    /// The clock, in seconds since the epoch.
    pub now: super::Clock,
    /// Becomes true when the replay is to end at the next commit boundary.
    pub cancelled: watch::Receiver<bool>,
}

/// The answers of one series, oldest first.
type Recorded = Vec<(Request, RawEntry)>;

/// Stores what the answers hold. An answer that cannot be read is named in its series' notes and left out.
pub async fn replay(writer: Writer, replay: Replay) -> Result<Summary, ArchiveError> {
    let (series, unreadable) = by_series(&replay);
    let archive = writer.archive().clone();
    let writer = Arc::new(writer);
    let job = writer.start_job("replay", &format!("{} answers", replay.entries.len()))?;
    let committer = Committer::start(Arc::clone(&writer)).map_err(|source| ArchiveError::Io {
        what: "start a thread for",
        path: archive.root().to_owned(),
        source,
    })?;
    let shared = Shared {
        provider: Arc::clone(&replay.provider),
        places: Semaphore::new(replay.provider.concurrency()),
        archive,
        committer,
        raw: RawTrail::off(),
        counts: SessionCounts::default(),
        observer: Arc::clone(&replay.observer),
        now: Arc::clone(&replay.now),
        parquet: replay.parquet,
        bytes_fetched: AtomicU64::new(0),
        files: AtomicU64::new(0),
        correlations: AtomicU64::new(1),
        cancelled: replay.cancelled.clone(),
        job,
    };
    replay.observer.event(&Event::Planned { series: series.len(), to_fetch: series.len() });
    let mut summary = Summary { job, ..Summary::default() };
    for (place, (key, recorded)) in series.into_iter().enumerate() {
        let result = of_series(&shared, place, key, recorded).await;
        replay.observer.event(&Event::Finished(&result));
        summary.results.push(result);
    }
    if let (Some(first), false) = (summary.results.first_mut(), unreadable.is_empty()) {
        first.notes.extend(unreadable);
    }
    summary.files = shared.files.into_inner();
    summary.interrupted = *replay.cancelled.borrow();
    shared.committer.finish();
    writer.finish_job(job, summary.result().word(), "{}")?;
    Ok(summary)
}

fn by_series(replay: &Replay) -> (BTreeMap<SeriesKey, Recorded>, Vec<String>) {
    let (mut series, mut unreadable) = (BTreeMap::<SeriesKey, Recorded>::new(), Vec::new());
    for entry in &replay.entries {
        match entry.request() {
            Ok(request) => {
                let key = SeriesKey {
                    provider: replay.provider.archive_name().to_owned(),
                    class: request.instrument.class,
                    symbol: request.instrument.name.clone(),
                    contract: request.contract,
                    period: request.period,
                };
                series.entry(key).or_default().push((request, entry.clone()));
            }
            Err(why) => unreadable.push(format!("{}: {why}", entry.about.body)),
        }
    }
    // An answer about splits beside an intraday series makes no daily series of its own.
    series.retain(|_, recorded| recorded.iter().any(|(request, _)| !request.correlation.ends_with(BESIDE)));
    (series, unreadable)
}

async fn of_series(shared: &Shared, place: usize, key: SeriesKey, recorded: Recorded) -> SeriesResult {
    let instrument = recorded.first().map(|(request, _)| request.instrument.clone());
    let from = recorded.iter().map(|(request, _)| request.days.first).min();
    let (Some(instrument), Some(from)) = (instrument, from) else {
        let outcome = Outcome::Current;
        return SeriesResult { key, outcome, added: 0, changed: 0, requests: 0, notes: Vec::new() };
    };
    let wanted = Wanted { from, to: None, force: true, backfill: true, chunk: None };
    let contract = key.contract;
    let target = Target { instrument, contract, key: key.clone(), wanted };
    let limits = Limits { reach_days: None, request_days: None };
    let mut course = Course::new(place, target, limits, Default::default());
    let mut outcome = Outcome::Done;
    for (request, entry) in recorded {
        if *shared.cancelled.borrow() {
            outcome = Outcome::Interrupted;
            break;
        }
        match shared.absorb_recorded(&mut course, &request, &entry).await {
            Ok(()) => {}
            Err(Stop::Outcome(Outcome::Failed(why))) => course.notes.push(why),
            Err(Stop::Outcome(other)) => outcome = other,
            Err(Stop::Limited(why) | Stop::Fatal(why)) => {
                outcome = Outcome::Failed(why);
                break;
            }
            Err(Stop::Interrupted) => outcome = Outcome::Interrupted,
        }
    }
    course.result(outcome)
}

impl Shared {
    /// Stores an answer of the raw trail. History is put on a new scale as far as this answer confirms
    /// it; what was fetched again at the time follows as an answer of its own.
    async fn absorb_recorded(
        &self,
        course: &mut Course,
        request: &Request,
        entry: &RawEntry,
    ) -> Result<(), Stop> {
        let failed = |why: String| Stop::Outcome(Outcome::Failed(format!("{}: {why}", entry.about.body)));
        let raw = entry.answer().map_err(|error| failed(error.to_string()))?;
        self.bytes_fetched.fetch_add(raw.body.len() as u64, Ordering::Relaxed);
        let answer = match self.provider.read(request, &raw) {
            Ok(answer) => answer,
            Err(Refusal::EmptyWindow { .. }) => return Ok(()),
            Err(refusal) => return Err(failed(refusal.to_string())),
        };
        let stored = self.stored(course)?;
        let key = course.target.key.clone();
        let all = self.bars(&key, &stored.parts, None)?;
        let state = self.learnt(course, &stored.state, request.days, &answer);
        let cause = match absorb::judge(&all, stored.last, &answer) {
            Verdict::Merge(_) => None,
            Verdict::Refetch(cause) => Some(cause),
        };
        let restated = restate(&all, &answer.bars, &answer.splits, cause.unwrap_or(Cause::Rewritten));
        let news = absorb::news(&all, &restated.map_err(failed)?);
        self.store(course, &stored, state, &news, cause.map(|cause| cause.words().to_owned())).await
    }
}
