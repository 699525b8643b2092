//! Answers that came as files meet what is stored: the files of a series are compared and merged in memory, the
//! oldest first, and make one commit. Nobody is asked.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::absorb;
use super::ask::Told;
use super::committer::Committer;
use super::compare::{Difference, compare};
use super::events::{Event, Observer, Outcome, SeriesResult, Summary};
use super::plan::Plan;
use super::run::{NO_LIMITS, WORK_AT_ONCE};
use super::series::{Course, Shared, Stop, Stored, Target};
use crate::archive::raw::RawTrail;
use crate::archive::{ArchiveError, PartitionRecord, SeriesState, SessionCounts, Writer};
use crate::model::{Bars, Class, Days, Mark, Period, SeriesKey};
use crate::provider::{Answer, Aside, Fetching, Limits, Provider, RawAnswer, Refusal, Request, Testing};

/// Series that are read, merged or written at once.
const AT_ONCE: usize = 4;
/// A single bar whose prices moved by no more than this share was corrected: no split is that small.
const LITTLE: f64 = 0.04;

/// One file, read.
#[derive(Debug)]
pub struct Piece {
    /// What it answers.
    pub request: Request,
    /// The dates of which it has every bar there is.
    pub covered: Days,
    /// Its bars; its clock is when the provider gave them.
    pub answer: Answer,
    /// What the raw trail is to keep, where its provider could read it again.
    pub raw: Option<RawAnswer>,
}

/// A file of the intake, by its place in the person's list, and what reading it gave.
pub type ReadFile = (usize, Result<Piece, String>);

/// The files of one series.
pub struct Delivery {
    /// The series.
    pub target: Target,
    /// Reads its files; called when it is their turn.
    pub read: Box<dyn FnOnce() -> Vec<ReadFile> + Send>,
}

/// Files to take into the archive.
pub struct Intake {
    /// The job's number in the ledger; who asked noted it there, and notes how it ended.
    pub number: i64,
    /// One a series.
    pub deliveries: Vec<Delivery>,
    /// The raw audit trail.
    pub raw: RawTrail,
    /// Write Parquet twins.
    pub parquet: bool,
    /// Take a file's values also where most of them differ from what is stored.
    pub force: bool,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
    /// The clock, in seconds since the epoch.
    pub now: super::Clock,
    /// Becomes true when the job is to end at the next commit boundary.
    pub cancelled: watch::Receiver<bool>,
}

/// What became of one file's bars.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// The file's place in the person's list.
    pub file: usize,
    /// Bars that were not stored, or with other values.
    pub taken: u64,
    /// Of those: stored before with other values.
    pub changed: u64,
    /// Bars that were stored already.
    pub already: u64,
    /// Bars that differ from stored ones which are newer: those stay.
    pub older: u64,
    /// Why nothing of it was taken.
    pub refused: Option<String>,
    /// That is for the archive's sake: once it is mended the same file is taken.
    pub again: bool,
}

/// Takes files into the archive. Files that nothing is told of had no turn.
pub async fn take(writer: Writer, intake: Intake) -> Result<(Summary, Vec<Taken>), ArchiveError> {
    let archive = writer.archive().clone();
    let committer = Committer::start(Arc::new(writer)).map_err(|source| ArchiveError::Io {
        what: "start a thread for",
        path: archive.root().to_owned(),
        source,
    })?;
    let shared = Arc::new(Shared {
        provider: Arc::new(Nobody),
        archive,
        committer,
        raw: intake.raw,
        counts: SessionCounts::default(),
        requests: Semaphore::new(0),
        work: Semaphore::new(WORK_AT_ONCE),
        closed: OnceLock::new(),
        alike: None,
        observer: Arc::clone(&intake.observer),
        local: intake.now,
        parquet: intake.parquet,
        bytes_fetched: AtomicU64::new(0),
        files: AtomicU64::new(0),
        correlations: AtomicU64::new(1),
        cancelled: intake.cancelled.clone(),
        job: intake.number,
        told: Told::default(),
    });
    let series = intake.deliveries.len();
    intake.observer.event(&Event::Planned { series, to_fetch: series, pace: None });
    let mut summary = Summary { job: intake.number, ..Summary::default() };
    let (mut waiting, mut flying, mut told) = (intake.deliveries.into_iter(), JoinSet::new(), Vec::new());
    let mut place = 0;
    loop {
        let stopped = summary.fatal.is_some() || *intake.cancelled.borrow();
        if flying.len() < AT_ONCE
            && !stopped
            && let Some(delivery) = waiting.next()
        {
            flying.spawn(of_series(Arc::clone(&shared), place, delivery, intake.force));
            place += 1;
            continue;
        }
        match flying.join_next().await {
            None => break,
            Some(Ok((result, taken, fatal))) => {
                intake.observer.event(&Event::Finished(&result));
                summary.results.push(result);
                summary.fatal = summary.fatal.or(fatal);
                told.extend(taken);
            }
            Some(Err(error)) => summary.fatal = Some(format!("a series ended abnormally: {error}")),
        }
    }
    summary.interrupted = *intake.cancelled.borrow();
    summary.files = shared.files.load(Ordering::Relaxed);
    summary.bytes_fetched = shared.bytes_fetched.load(Ordering::Relaxed);
    if let Some(shared) = Arc::into_inner(shared) {
        shared.committer.finish();
    }
    Ok((summary, told))
}

async fn of_series(
    shared: Arc<Shared>,
    place: usize,
    delivery: Delivery,
    force: bool,
) -> (SeriesResult, Vec<Taken>, Option<String>) {
    let mut course = Course::new(place, delivery.target, NO_LIMITS, Plan::default());
    let mut taken = Vec::new();
    let ended = shared.take_in(&mut course, delivery.read, force, &mut taken).await;
    course.coming = None;
    let mut fatal = None;
    let outcome = match ended {
        Ok(()) => match taken.iter().find_map(|file| file.refused.clone()) {
            Some(why) if taken.iter().all(|file| file.refused.is_some()) => Outcome::Failed(why),
            _ if course.added + course.changed > 0 => Outcome::Done,
            _ => Outcome::Current,
        },
        // What ends the whole job is nothing against its files: they wait.
        Err(Stop::Fatal(why)) => {
            taken.clear();
            fatal = Some(why.clone());
            Outcome::Failed(why)
        }
        Err(stop) => {
            let why = match stop {
                Stop::Outcome(outcome) => {
                    let why = outcome.reason().unwrap_or("it was left out");
                    format!("{why}; then the file can be imported")
                }
                Stop::Interrupted | Stop::NotAsked => "interrupted".to_owned(),
                Stop::Limited(why) | Stop::Denied(why) | Stop::Fatal(why) => why,
            };
            for file in &mut taken {
                let refused = Some(why.clone());
                *file = Taken { file: file.file, refused, again: true, ..Taken::default() };
            }
            Outcome::Failed(why)
        }
    };
    (course.result(outcome), taken, fatal)
}

/// The files of a series and what is stored of it, merged.
struct Merged {
    stored: Stored,
    state: SeriesState,
    news: Bars,
    restated: Option<String>,
    newest: i64,
    bytes: u64,
}

impl Shared {
    async fn take_in(
        self: &Arc<Self>,
        course: &mut Course,
        read: Box<dyn FnOnce() -> Vec<ReadFile> + Send>,
        force: bool,
        taken: &mut Vec<Taken>,
    ) -> Result<(), Stop> {
        course.coming = Some(self.committer.announce());
        self.observer.event(&Event::Asking(&course.target.key));
        let stored = self.stored(course)?;
        let (shared, target) = (Arc::clone(self), course.target.clone());
        let work = move || {
            let files = read();
            let mut taken: Vec<Taken> =
                files.iter().map(|(file, _)| Taken { file: *file, ..Taken::default() }).collect();
            let merged = shared.merge(&target, stored, files, force, &mut taken);
            (merged, taken)
        };
        let (merged, files) = self.in_turn(work).await;
        *taken = files;
        let Merged { stored, state, news, restated, newest, bytes } = merged?;
        self.bytes_fetched.fetch_add(bytes, Ordering::Relaxed);
        self.observer.event(&Event::Fetched { key: &course.target.key, bytes: bytes as usize });
        course.fetched_at = Some(newest.min(self.now()));
        self.store(course, &stored, state, news, restated).await
    }

    fn merge(
        &self,
        target: &Target,
        mut stored: Stored,
        mut files: Vec<ReadFile>,
        force: bool,
        taken: &mut [Taken],
    ) -> Result<Merged, Stop> {
        let key = &target.key;
        let refused = |why: &str| Stop::Outcome(Outcome::Failed(format!("{key}: {why}")));
        // Files that were lost or damaged are what an import may bring again.
        let suspect = stored.state.suspect.as_ref().filter(|_| !stored.state.coverage.has(Mark::Suspect));
        if let Some(why) = stored.state.held.as_ref().or(suspect) {
            return Err(refused(&format!("{why}; `vortex download --force` lets it go on")));
        }
        let clock = |file: &ReadFile| file.1.as_ref().map_or(0, |piece| piece.answer.clock);
        files.sort_by_key(clock);
        // An older catalogue knows only when the files were written.
        let given_at = match stored.state.given_at {
            0 => stored.parts.iter().map(|part| part.written).max().unwrap_or(0),
            known => known,
        };
        let pieces = || files.iter().filter_map(|(_, piece)| piece.as_ref().ok());
        let span = pieces()
            .map(|piece| piece.request.days)
            .reduce(|a, b| Days { first: a.first.min(b.first), last: a.last.max(b.last) });
        let before = match span {
            Some(_) => self.bars(key, &stored.parts, span)?,
            None => Bars::new(key.columns()),
        };
        if stored.takes_new_code()
            && let Some(piece) =
                pieces().find(|piece| !absorb::is_same_instrument(&before, &piece.answer.bars))
        {
            let why = format!(
                "its code is {} now and other bars are stored under that name: give it another name",
                piece.request.instrument.code
            );
            return Err(refused(&why));
        }
        let newest = files.iter().map(clock).max().unwrap_or(0).max(given_at);
        // Their bars agree.
        stored.confirm_code();
        let mut merge = Merge {
            key,
            before: &before,
            all: before.clone(),
            state: stored.state.clone(),
            bounds: parts_bounds(&stored.parts),
            restated: None,
            force,
        };
        let mut bytes = 0;
        for (file, piece) in files {
            let Some(told) = taken.iter_mut().find(|told| told.file == file) else { continue };
            match piece.and_then(|piece| merge.add(target, piece, given_at, told)) {
                Ok(Some((request, raw))) => {
                    bytes += raw.body.len() as u64;
                    self.told.kept(self.raw.keep(&key.provider, &request, &raw).map(drop), &self.raw);
                }
                Ok(None) => {}
                Err(why) => told.refused = Some(why),
            }
        }
        let news = absorb::news(&before, merge.all);
        let (state, restated) = (merge.state, merge.restated);
        Ok(Merged { stored, state, news, restated, newest, bytes })
    }
}

/// A series while its files come in.
struct Merge<'a> {
    key: &'a SeriesKey,
    /// What is stored.
    before: &'a Bars,
    /// That, with what the files brought.
    all: Bars,
    state: SeriesState,
    /// The first and the last stored stamp.
    bounds: Option<(i64, i64)>,
    restated: Option<String>,
    force: bool,
}

impl Merge<'_> {
    /// Adds one file, or says why nothing of it may be taken. `given_at` is when what is stored was given.
    fn add(
        &mut self,
        target: &Target,
        piece: Piece,
        given_at: i64,
        told: &mut Taken,
    ) -> Result<Option<(Request, RawAnswer)>, String> {
        let Piece { request, covered, mut answer, raw } = piece;
        match compare(&self.all, &answer.bars) {
            Difference::Scale { ratio, .. } if self.is_other_scale(&answer.bars, ratio) => {
                return Err(format!(
                    "its prices are those stored times {}: two price scales may not stand in one series; with --force a file is taken that has every bar stored so far",
                    1.0 / ratio
                ));
            }
            Difference::Adjustment => {
                return Err("its adjusted closes are of another day than those stored".to_owned());
            }
            Difference::Rewritten if !self.force => {
                return Err("most of its bars that are stored already have other values there: is it of another contract? --force takes them all the same".to_owned());
            }
            _ => {}
        }
        if answer.clock < given_at {
            told.older = self.keep_newer(&mut answer.bars);
        }
        let news = absorb::news(&self.all, answer.bars.clone());
        told.taken = news.len() as u64;
        told.changed = absorb::changed(self.before, &news);
        told.already = (answer.bars.len() - news.len()) as u64;
        if told.changed > 0 {
            self.restated = Some(format!("an imported file corrects {}", absorb::bars_text(told.changed)));
        }
        self.all = Bars::merge(&self.all, &news);
        let (asked_at, pending_asked_at) = (self.state.asked_at, self.state.pending_asked_at);
        self.state = absorb::learn(&self.state, self.key, covered, target.wanted.from, &answer);
        // A file may be older than what was asked since.
        self.state.asked_at = self.state.asked_at.max(asked_at);
        self.state.pending_asked_at = self.state.pending_asked_at.max(pending_asked_at);
        Ok(raw.filter(|_| told.taken > 0).map(|raw| (request, raw)))
    }

    /// Whether prices that moved by one ratio are of another scale. A single bar that moved a little was corrected.
    fn is_other_scale(&self, bars: &Bars, ratio: f64) -> bool {
        let (one, little) = (absorb::changed(&self.all, bars) == 1, (ratio - 1.0).abs() <= LITTLE);
        let replaced = self.bounds.zip(bars.bounds()).is_some_and(|(old, new)| {
            new.0 <= old.0
                && new.1 >= old.1
                && self.all.times.iter().all(|time| bars.times.binary_search(time).is_ok())
        });
        !((one && little) || (self.force && replaced))
    }

    /// Takes out the bars that are stored with other values; how many.
    fn keep_newer(&self, bars: &mut Bars) -> u64 {
        let news = absorb::news(self.before, bars.clone());
        let differs = |time: &i64| {
            self.before.times.binary_search(time).is_ok() && news.times.binary_search(time).is_ok()
        };
        let mut kept = Bars::new(bars.columns());
        for at in 0..bars.len() {
            if !differs(&bars.times[at]) {
                kept.extend_from(bars, at..at + 1);
            }
        }
        let left_out = bars.len() - kept.len();
        *bars = kept;
        left_out as u64
    }
}

/// The first and the last stamp of what is stored.
fn parts_bounds(parts: &[PartitionRecord]) -> Option<(i64, i64)> {
    let first = parts.iter().map(|part| part.first).min()?;
    Some((first, parts.iter().map(|part| part.last).max()?))
}

/// The provider of a job that asks nobody.
struct Nobody;

impl Nobody {
    fn no<T>() -> Result<T, Refusal> {
        Err(Refusal::Invalid { provider: "import", said: "files are taken, nobody is asked".to_owned() })
    }
}

impl Provider for Nobody {
    fn name(&self) -> &'static str {
        "import"
    }

    fn limits(&self, _class: Class, _period: Period) -> Result<Limits, String> {
        Ok(NO_LIMITS)
    }

    fn concurrency(&self) -> usize {
        1
    }

    fn test(&self) -> Testing<'_> {
        Box::pin(std::future::ready(Ok(String::new())))
    }

    fn fetch<'a>(&'a self, _request: &'a Request, _aside: Aside<'a>) -> Fetching<'a> {
        Box::pin(std::future::ready(Nobody::no()))
    }

    fn read(&self, _request: &Request, _raw: &RawAnswer) -> Result<Answer, Refusal> {
        Nobody::no()
    }
}
