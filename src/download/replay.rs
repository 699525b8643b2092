//! Building an archive from the raw trail: the answers of earlier runs, read again in their order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::{Semaphore, watch};

use super::absorb::{self, Verdict};
use super::ask::{BESIDE, Told};
use super::committer::Committer;
use super::events::{Event, Observer, Outcome, SeriesResult, Summary};
use super::plan::Wanted;
use super::restate::{Cause, restate};
use super::series::{Course, Shared, Stop, Target};
use crate::archive::raw::{RawEntry, RawTrail};
use crate::archive::{ArchiveError, SessionCounts, Writer};
use crate::model::{Period, SeriesKey};
use crate::provider::{Limits, Provider, RawAnswer, Request};

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

/// Stores what the answers hold. A series with answers that fit no scale is told as suspect.
pub async fn replay(writer: Writer, replay: Replay) -> Result<Summary, ArchiveError> {
    let (series, unreadable) = by_series(&replay);
    let archive = writer.archive().clone();
    let writer = Arc::new(writer);
    let job = archive.start_job("replay", &format!("{} answers", replay.entries.len()))?;
    let committer = Committer::start(Arc::clone(&writer)).map_err(|source| ArchiveError::Io {
        what: "start a thread for",
        path: archive.root().to_owned(),
        source,
    })?;
    let shared = Shared {
        provider: Arc::clone(&replay.provider),
        archive,
        committer,
        raw: RawTrail::off(),
        counts: SessionCounts::default(),
        requests: Semaphore::new(0),
        work: Semaphore::new(super::run::WORK_AT_ONCE),
        closed: OnceLock::new(),
        alike: None,
        observer: Arc::clone(&replay.observer),
        local: Arc::clone(&replay.now),
        parquet: replay.parquet,
        bytes_fetched: AtomicU64::new(0),
        files: AtomicU64::new(0),
        correlations: AtomicU64::new(1),
        cancelled: replay.cancelled.clone(),
        job,
        told: Told::default(),
    };
    replay.observer.event(&Event::Planned { series: series.len(), to_fetch: series.len(), pace: None });
    let mut summary = Summary { job, refused: unreadable, ..Summary::default() };
    for (place, (key, recorded)) in series.into_iter().enumerate() {
        let (result, broken) = of_series(&shared, place, key, recorded).await;
        summary.refused.extend(broken);
        replay.observer.event(&Event::Finished(&result));
        summary.results.push(result);
    }
    summary.files = shared.files.into_inner();
    summary.bytes_fetched = shared.bytes_fetched.into_inner();
    summary.interrupted = *replay.cancelled.borrow();
    shared.committer.finish();
    shared.archive.finish_job(job, summary.result().word(), &summary.detail())?;
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
                    period: series_period(entry),
                };
                series.entry(key).or_default().push((request, entry.clone()));
            }
            Err(why) => unreadable.push(left_out(format!("{}: {why}", entry.file().display()))),
        }
    }
    (series, unreadable)
}

/// The period of the series beside which a daily answer was asked for splits, by its correlation id.
fn asked_beside(correlation: &str) -> Option<Period> {
    let (_, period) = correlation.split_once(BESIDE)?;
    period.parse().ok()
}

/// The period of the series an answer belongs to.
pub fn series_period(entry: &RawEntry) -> Period {
    asked_beside(&entry.about.correlation).unwrap_or(entry.about.period)
}

async fn of_series(
    shared: &Shared,
    place: usize,
    key: SeriesKey,
    recorded: Recorded,
) -> (SeriesResult, Vec<String>) {
    let instrument = recorded.first().map(|(request, _)| request.instrument.clone());
    let from = recorded.iter().map(|(request, _)| request.days.first).min();
    let (Some(instrument), Some(from)) = (instrument, from) else {
        let outcome = Outcome::Current;
        let nothing = SeriesResult { key, outcome, added: 0, changed: 0, requests: 0, notes: Vec::new() };
        return (nothing, Vec::new());
    };
    let wanted = Wanted { from, to: None, force: true, backfill: true, chunk: None };
    let contract = key.contract;
    let target = Target { instrument, contract, key: key.clone(), wanted };
    let limits = Limits { reach_days: None, request_days: None };
    let mut course = Course::new(place, target, limits, Default::default());
    let (answers, mut broken) = (recorded.len(), Vec::new());
    let outcome = match shared.absorb_all(&mut course, recorded, &mut broken).await {
        Ok(()) if broken.len() == answers => Outcome::Failed("none of its answers can be read".to_owned()),
        Ok(()) => Outcome::Done,
        Err(Stop::Outcome(outcome)) => outcome,
        Err(Stop::Interrupted | Stop::NotAsked) => Outcome::Interrupted,
        Err(Stop::Limited(why) | Stop::Denied(why) | Stop::Fatal(why)) => Outcome::Failed(why),
    };
    (course.result(outcome), broken)
}

/// Says that an answer is left out of the replay, and why.
fn left_out(why: String) -> String {
    tracing::warn!("{why}; this answer is left out");
    why
}

impl Shared {
    /// Stores answers in their order. One whose scale cannot be confirmed yet waits for what was
    /// fetched again at the time and comes later; one that never fits is named in the notes. One that cannot
    /// be read is left out, and told as `broken`.
    async fn absorb_all(
        &self,
        course: &mut Course,
        mut recorded: Recorded,
        broken: &mut Vec<String>,
    ) -> Result<(), Stop> {
        loop {
            let answers = recorded.len();
            let (mut left, mut why) = (Recorded::new(), Vec::new());
            for (request, entry) in recorded {
                if *self.cancelled.borrow() {
                    return Err(Stop::Interrupted);
                }
                let raw = match entry.answer() {
                    Ok(raw) => raw,
                    Err(error) => {
                        broken.push(left_out(error.to_string()));
                        continue;
                    }
                };
                match self.absorb_recorded(course, &request, &entry, raw).await {
                    Ok(()) => {}
                    Err(Stop::Outcome(Outcome::Failed(said) | Outcome::Suspect(said))) => {
                        why.push(said);
                        left.push((request, entry));
                    }
                    Err(stop) => return Err(stop),
                }
            }
            if left.is_empty() {
                return Ok(());
            }
            if left.len() == answers {
                return Err(Stop::Outcome(Outcome::Suspect(why.join("; "))));
            }
            recorded = left;
        }
    }

    /// Stores one answer, on the scale that it confirms.
    async fn absorb_recorded(
        &self,
        course: &mut Course,
        request: &Request,
        entry: &RawEntry,
        raw: RawAnswer,
    ) -> Result<(), Stop> {
        let failed = |why: String| Stop::Outcome(Outcome::Failed(format!("{}: {why}", entry.about.body)));
        self.bytes_fetched.fetch_add(raw.body.len() as u64, Ordering::Relaxed);
        let answer = match self.provider.read(request, &raw) {
            Ok(answer) => answer,
            // It brought nothing then, and it brings nothing now.
            Err(refusal) => {
                tracing::debug!("{}: {refusal}", entry.about.body);
                return Ok(());
            }
        };
        let stored = self.stored(course)?;
        if asked_beside(&request.correlation).is_some() {
            let Some(last) = stored.last else { return Ok(()) };
            course.bridged = true;
            let last_day = stored.state.meta.trading_days()(last);
            return self.bridge_with(course, stored, last_day, &answer).await;
        }
        let key = course.target.key.clone();
        let all = self.bars(&key, &stored.parts, None)?;
        let state = self.learnt(course, &stored.state, request.days, &answer);
        let cause = match absorb::judge(&key, &all, stored.last.filter(|_| !course.bridged), &answer) {
            Verdict::Merge(_) => None,
            Verdict::Refetch(cause) => Some(cause),
        };
        let restated = restate(&all, &answer.bars, &answer.splits, cause.unwrap_or(Cause::Rewritten));
        let news = absorb::news(&all, restated.map_err(failed)?);
        self.store(course, &stored, state, news, cause.map(|cause| cause.words().to_owned())).await
    }
}
