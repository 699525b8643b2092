//! A job: many series at once, each in its turn, within the provider's limits.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::ask::Told;
use super::committer::Committer;
use super::events::{Event, Observer, Outcome, SeriesResult, Summary};
use super::number::Number;
use super::order::{self, Candidate, Turn};
use super::plan::Plan;
use super::refused::stop_of;
use super::series::{Course, Shared, Stop, Target};
use super::survey::{Survey, Surveyor};
use crate::archive::raw::RawTrail;
use crate::archive::{ArchiveError, PartitionRecord, Writer};
use crate::model::Day;
use crate::observe::logging::JOB;
use crate::observe::messages;
use crate::provider::{Limits, Provider};

/// Series that may be read, merged and written beside those whose requests are in flight.
const BESIDE_REQUESTS: usize = 4;
/// Answers that may be read, or encoded, at once.
pub(super) const WORK_AT_ONCE: usize = 2;

/// One request to bring a set of series up to date.
pub struct Job {
    /// Its number in the ledger; who asked noted it there, and notes how it ended.
    pub number: i64,
    /// Where the bars come from.
    pub provider: Arc<dyn Provider>,
    /// Which series, in the order in which results are told.
    pub targets: Vec<Target>,
    /// The raw audit trail.
    pub raw: RawTrail,
    /// Write Parquet twins.
    pub parquet: bool,
    /// Write the Parquet twin also where nothing is new.
    pub force_parquet: bool,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
    /// The clock, in seconds since the epoch.
    pub now: super::Clock,
    /// Becomes true when the job is to end at the next commit boundary.
    pub cancelled: watch::Receiver<bool>,
}

/// The threads a job runs in: few, because each keeps memory that it freed. They end with it.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(WORK_AT_ONCE)
        .enable_all()
        .build()
}

/// Runs a job to its end. The writer's lock is held as long as this runs. Errors are those of the
/// catalogue before the first request; later ones end in the summary.
pub async fn run(writer: Writer, job: Job) -> Result<Summary, ArchiveError> {
    let archive = writer.archive().clone();
    let writer = Arc::new(writer);
    let counts = archive.session_counts(job.provider.archive_name())?;
    let committer = Committer::start(Arc::clone(&writer)).map_err(|source| ArchiveError::Io {
        what: "start a thread for",
        path: archive.root().to_owned(),
        source,
    })?;
    let shared = Arc::new(Shared {
        provider: Arc::clone(&job.provider),
        archive,
        committer,
        raw: job.raw.clone(),
        counts,
        requests: Semaphore::new(job.provider.concurrency()),
        work: Semaphore::new(WORK_AT_ONCE),
        closed: OnceLock::new(),
        alike: job.provider.allowance((job.now)()).map(|_| Mutex::default()),
        observer: Arc::clone(&job.observer),
        local: Arc::clone(&job.now),
        parquet: job.parquet,
        bytes_fetched: AtomicU64::new(0),
        files: AtomicU64::new(0),
        correlations: AtomicU64::new(1),
        cancelled: job.cancelled.clone(),
        job: job.number,
        told: Told::default(),
    });
    let mut board = Board::new(&shared, job.targets.len());
    board.survey(&job)?;
    tokio::select! {
        () = board.work(&job) => {}
        () = tell_waits(&job) => {}
    }
    job.provider.finish().await;
    let summary = board.summary(&job);
    // Answers lie under the date of this machine's clock; by whichever clock is behind none of this job's is old.
    if let Err(error) = job.raw.sweep(shared.now().min((shared.local)())) {
        tracing::warn!("old answers of the raw trail could not be removed: {error}");
    }
    if let Some(shared) = Arc::into_inner(shared) {
        shared.committer.finish();
    }
    let (result, tally) = (summary.result().word(), summary.tally());
    let (series, added) =
        (summary.results.len(), summary.results.iter().map(|result| result.added).sum::<u64>());
    // Who interrupted it knows whether it goes on.
    let word = if summary.interrupted { "interrupted" } else { result };
    tracing::info!(
        name: messages::JOB_FINISHED, target: JOB, job = job.number, series, result,
        "job {} {word}: {series} series{}, {added} bars added", job.number, tally.words()
    );
    Ok(summary)
}

/// Tells what the provider waits for, as that changes; never ends.
async fn tell_waits(job: &Job) {
    if let Some(mut waits) = job.provider.waits() {
        while waits.changed().await.is_ok() {
            let said = waits.borrow_and_update().clone();
            job.observer.event(&Event::Waiting { said: said.as_deref() });
        }
    }
    std::future::pending().await
}

/// Series wait here for a free place, in the order of their turns.
struct Board<'a> {
    shared: &'a Arc<Shared>,
    waiting: BinaryHeap<(Reverse<Turn>, Box<Waiting>)>,
    /// Their turn came when the provider had refused already.
    not_asked: Vec<Course>,
    results: Vec<Option<SeriesResult>>,
    /// What becomes of the series that have no turn any more, once a provider refuses.
    closed: Option<Outcome>,
    fatal: Option<String>,
}

/// A course in the heap; its order is that of the fields before it.
struct Waiting(Course);

impl PartialEq for Waiting {
    fn eq(&self, _: &Waiting) -> bool {
        true
    }
}
impl Eq for Waiting {}
impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Waiting) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Waiting {
    fn cmp(&self, _: &Waiting) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

fn waiting(turn: Turn, course: Course) -> (Reverse<Turn>, Box<Waiting>) {
    (Reverse(turn), Box::new(Waiting(course)))
}

impl<'a> Board<'a> {
    fn new(shared: &'a Arc<Shared>, series: usize) -> Board<'a> {
        let results = std::iter::repeat_with(|| None).take(series).collect();
        Board {
            shared,
            waiting: BinaryHeap::new(),
            not_asked: Vec::new(),
            results,
            closed: None,
            fatal: None,
        }
    }

    /// Sorts out which series need a request.
    fn survey(&mut self, job: &Job) -> Result<(), ArchiveError> {
        let now = (job.now)();
        let (mut courses, mut current) = (Vec::new(), Vec::new());
        let name = job.provider.archive_name();
        let surveyor = Surveyor::new(Some(&self.shared.archive), &self.shared.counts, name, now)?;
        for (place, target) in job.targets.iter().enumerate() {
            let limits = match job.provider.limits(target.instrument.class, target.key.period) {
                Ok(limits) => limits,
                Err(why) => {
                    self.settle(
                        Course::new(place, target.clone(), NO_LIMITS, Plan::default()),
                        Outcome::Failed(why),
                    );
                    continue;
                }
            };
            let survey = surveyor.look(target, limits)?;
            if survey == Survey::Settled(Outcome::Current) {
                current.push(target);
            }
            match survey {
                Survey::Settled(Outcome::Current) if job.force_parquet => {
                    courses.push(Course::new(place, target.clone(), limits, Plan::default()));
                }
                Survey::TwinsGone(twins) => {
                    let course = Course::new(place, target.clone(), limits, Plan::default());
                    courses.push(Course { twins, ..course });
                }
                Survey::Settled(outcome) => {
                    self.settle(Course::new(place, target.clone(), limits, Plan::default()), outcome);
                }
                Survey::Missing { plan, asked_at, twins } => {
                    let course = Course::new(place, target.clone(), limits, plan);
                    courses.push(Course { asked_at, twins, ..course });
                }
            }
        }
        let complete: Vec<_> = current.into_iter().filter_map(|target| surveyor.completes(target)).collect();
        self.shared.archive.note_complete(&complete)?;
        let (series, to_fetch) = (job.targets.len(), courses.len());
        let candidates: Vec<_> = courses.iter().map(|course| course.candidate(now)).collect();
        let turns = order::turns(&candidates, Day::of_utc(now));
        self.waiting.extend(turns.into_iter().zip(courses).map(|(turn, course)| waiting(turn, course)));
        let pace = job.provider.pace();
        self.shared.observer.event(&Event::Planned { series, to_fetch, pace });
        Ok(())
    }

    /// A series that has more to ask for waits again.
    fn queue(&mut self, course: Course) {
        let now = self.shared.now();
        let turn = course.candidate(now).turn(Day::of_utc(now));
        self.waiting.push(waiting(turn, course));
    }

    /// Works the board off, several series in flight.
    async fn work(&mut self, job: &Job) {
        let places = job.provider.concurrency() + BESIDE_REQUESTS;
        let mut flying: JoinSet<(Course, Result<(), Stop>)> = JoinSet::new();
        let mut names = HashMap::new();
        loop {
            while flying.len() < places && !self.is_stopped() {
                let Some((_, waiting)) = self.waiting.pop() else { break };
                let shared = Arc::clone(self.shared);
                let mut course = waiting.0;
                let name = (course.place, course.target.clone());
                let task = flying.spawn(async move {
                    let result = shared.step(&mut course).await;
                    course.coming = None;
                    (course, result)
                });
                names.insert(task.id(), name);
            }
            match flying.join_next_with_id().await {
                None => break,
                Some(Ok((task, (course, result)))) => {
                    names.remove(&task);
                    self.landed(job, course, result).await;
                }
                Some(Err(error)) => {
                    let Some((place, target)) = names.remove(&error.id()) else { continue };
                    let course = Course::new(place, target, NO_LIMITS, Plan::default());
                    self.settle(course, Outcome::Failed(format!("it ended abnormally: {error}")));
                }
            }
        }
        self.leave();
    }

    fn is_stopped(&self) -> bool {
        self.closed.is_some() || self.fatal.is_some() || *self.shared.cancelled.borrow()
    }

    async fn landed(&mut self, job: &Job, course: Course, result: Result<(), Stop>) {
        match result {
            Ok(()) if !course.windows.is_empty() => self.queue(course),
            Ok(()) => self.complete(job, course).await,
            Err(Stop::Outcome(outcome)) => self.settle(course, outcome),
            Err(Stop::Limited(said)) => self.close(course, Outcome::Later(said)),
            Err(Stop::Denied(said)) => self.close(course, Outcome::Failed(said)),
            Err(Stop::NotAsked) => self.not_asked.push(course),
            Err(Stop::Interrupted) => self.settle(course, Outcome::Interrupted),
            Err(Stop::Fatal(why)) => {
                self.fatal = Some(why.clone());
                self.settle(course, Outcome::Failed(why));
            }
        }
    }

    /// The provider refuses: it is asked for no other series.
    fn close(&mut self, course: Course, outcome: Outcome) {
        if let Some(said) = outcome.reason() {
            self.shared.observer.event(&Event::Limited { said });
            let provider = self.shared.provider.name();
            tracing::warn!(name: messages::PROVIDER_LIMITED, target: JOB, job = self.shared.job, provider, "{said}");
        }
        // Said once: the others were not asked.
        self.closed = Some(match &outcome {
            Outcome::Failed(_) => {
                Outcome::Failed(format!("not asked after what came for {}", course.target.key.name()))
            }
            other => other.clone(),
        });
        self.settle(course, outcome);
    }

    async fn complete(&mut self, job: &Job, mut course: Course) {
        let twins = std::mem::take(&mut course.twins);
        let archive = self.shared.archive.clone();
        // Some may have been made again with what came.
        let gone = |part: &PartitionRecord| twins.contains(&part.name) && !archive.is_twin_sound(part);
        let wanted = |part: &PartitionRecord| job.force_parquet || (job.parquet && gone(part));
        let again = job.force_parquet || !twins.is_empty();
        let rewritten = if again { self.shared.rewrite(&mut course, &wanted).await } else { Ok(0) };
        match rewritten {
            Ok(0) if course.added + course.changed == 0 => self.settle(course, Outcome::Current),
            Ok(_) => self.settle(course, Outcome::Done),
            Err(Stop::Fatal(why)) => {
                self.fatal = Some(why.clone());
                self.settle(course, Outcome::Failed(why));
            }
            Err(Stop::Outcome(outcome)) => self.settle(course, outcome),
            Err(Stop::Limited(why) | Stop::Denied(why)) => self.settle(course, Outcome::Failed(why)),
            Err(Stop::NotAsked) => self.not_asked.push(course),
            Err(Stop::Interrupted) => self.settle(course, Outcome::Interrupted),
        }
    }

    /// Notes how a series came out.
    fn settle(&mut self, course: Course, outcome: Outcome) {
        let place = course.place;
        let result = course.result(outcome);
        log(self.shared.job, &result);
        self.shared.observer.event(&Event::Finished(&result));
        if let Some(slot) = self.results.get_mut(place) {
            *slot = Some(result);
        }
    }

    /// Tells what becomes of the series that had no turn.
    fn leave(&mut self) {
        let refused = self.shared.closed.get().map(|refusal| match stop_of(refusal) {
            Stop::Limited(said) => Outcome::Later(said),
            Stop::Denied(said) => Outcome::Failed(said),
            Stop::Outcome(outcome) => outcome,
            _ => Outcome::Interrupted,
        });
        let closed = self.closed.clone().or(refused);
        let outcome = match (&self.fatal, closed) {
            (Some(why), _) => Outcome::Failed(why.clone()),
            (None, Some(outcome)) => outcome,
            (None, None) => Outcome::Interrupted,
        };
        let waiting = std::mem::take(&mut self.waiting).into_sorted_vec().into_iter().rev();
        let waiting: Vec<Course> = waiting.map(|(_, waiting)| waiting.0).collect();
        for course in std::mem::take(&mut self.not_asked).into_iter().chain(waiting) {
            self.settle(course, outcome.clone());
        }
    }

    fn summary(self, job: &Job) -> Summary {
        let results: Vec<SeriesResult> = self.results.into_iter().flatten().collect();
        let later = results.iter().any(|result| matches!(result.outcome, Outcome::Later(_)));
        let allowance = job.provider.allowance((job.now)()).filter(|_| later);
        Summary {
            job: job.number,
            resumes: allowance.and_then(|allowance| allowance.waits_until()),
            results,
            bytes_fetched: self.shared.bytes_fetched.load(Ordering::Relaxed),
            files: self.shared.files.load(Ordering::Relaxed),
            fatal: self.fatal,
            interrupted: *self.shared.cancelled.borrow(),
            refused: Vec::new(),
        }
    }
}

/// One line a series that was asked for.
fn log(job: i64, result: &SeriesResult) {
    let (key, word, reason) = (&result.key, result.outcome.word(), result.outcome.reason().unwrap_or(""));
    let name = format!("{} {} {}", key.provider, key.name(), key.period);
    match &result.outcome {
        Outcome::Current => {}
        outcome if outcome.is_bad() => tracing::warn!(
            name: messages::SERIES_REFUSED,
            target: JOB, job, provider = key.provider, symbol = key.name(), period = key.period.name(),
            result = word, requests = result.requests, reason,
            "{name} {word}: {reason}"
        ),
        outcome => {
            let (added, changed) = (result.added, result.changed);
            let came = match outcome {
                Outcome::Later(why) | Outcome::Unlisted(why) => format!(": {why}"),
                _ => format!(": {added} bars added, {changed} changed"),
            };
            tracing::info!(
                target: JOB, job, provider = key.provider, symbol = key.name(), period = key.period.name(),
                result = word, added, changed, requests = result.requests, reason,
                "{name} {word}{came}"
            );
        }
    }
}

pub(super) const NO_LIMITS: Limits = Limits { reach_days: None, request_days: None };

impl Course {
    /// A series with its plan.
    pub(super) fn new(place: usize, target: Target, limits: Limits, plan: Plan) -> Course {
        Course {
            place,
            target,
            limits,
            windows: VecDeque::from(plan.windows),
            out_of_reach: plan.out_of_reach,
            asked_at: 0,
            planned_by: (0, 0),
            number: Number::default(),
            bridged: false,
            twins: Vec::new(),
            added: 0,
            changed: 0,
            requests: 0,
            coming: None,
            fetched_at: None,
            notes: Vec::new(),
        }
    }

    /// What decides whose turn it is.
    fn candidate(&self, now: i64) -> Candidate<'_> {
        let window = self.windows.front().copied();
        let candidate = Candidate::new(&self.target, self.limits, window, now);
        Candidate { asked_at: self.asked_at, place: self.place, ..candidate }
    }

    /// What came of it.
    pub(super) fn result(self, outcome: Outcome) -> SeriesResult {
        let Course { target, added, changed, requests, notes, .. } = self;
        SeriesResult { key: target.key, outcome, added, changed, requests, notes }
    }
}
