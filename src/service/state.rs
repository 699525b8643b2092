//! What the service knows of itself, as plain values: what the bus shows and STATUS says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::sync::watch;

use super::engine::in_micros;
use super::leftover::Leftover;
use super::series::SeriesIndex;
use crate::download::{Event, Outcome, Tally};
use crate::observe::logging::SCHEDULED;
use crate::provider::Allowance;
use crate::request::Request;

/// A finished job keeps its object until so many newer ones exist.
pub(super) const KEPT_JOBS: usize = 100;

/// A reason of so many characters is cut in the status line.
const LONG_REASON: usize = 160;

/// One job, as its object shows it. Instants are in µs since the epoch, 0 = never.
#[derive(Clone, Debug, Default)]
pub(super) struct JobView {
    pub(super) id: u32,
    /// `request`, `timer`, `schedule`, `startup` or `import`.
    pub(super) origin: String,
    /// Who asked, in words.
    pub(super) client: String,
    pub(super) request: Request,
    pub(super) phase: JobPhase,
    /// It goes on with what was left for later; after so many repeats in vain, this one among them.
    pub(super) repeats: u32,
    /// It began before, and was cut off.
    pub(super) resumed: bool,
    /// The word it ended with; empty before.
    pub(super) result: String,
    pub(super) series: u32,
    /// How those came out that had their turn.
    pub(super) tally: Tally,
    /// Of the updated ones, those of a run that was cut off which this run has not met yet.
    pub(super) updated_before: u32,
    /// Bars that were not there, and bytes; what a run that was cut off brought is among them.
    pub(super) rows_added: u64,
    pub(super) bytes_fetched: u64,
    /// The series asked for last, in words.
    pub(super) now_at: String,
    /// What the provider waits for, in words; empty while it does not.
    pub(super) waits: String,
    pub(super) started: u64,
    pub(super) finished: u64,
    pub(super) error: String,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum JobPhase {
    #[default]
    Queued,
    Running,
    Finished,
}

impl JobPhase {
    pub(super) const fn word(self) -> &'static str {
        match self {
            JobPhase::Queued => "queued",
            JobPhase::Running => "running",
            JobPhase::Finished => "finished",
        }
    }
}

impl JobView {
    /// Takes in what a job tells.
    pub(super) fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Planned { series, .. } => self.series = *series as u32,
            Event::Asking(key) => self.now_at = format!("{} {}", key.name(), key.period),
            Event::Waiting { said } => self.waits = said.unwrap_or_default().to_owned(),
            Event::Fetched { bytes, .. } => self.bytes_fetched += *bytes as u64,
            Event::Stored { added, .. } => self.rows_added += added,
            // It is counted already, as updated.
            Event::Finished(result) if result.outcome == Outcome::Current && self.updated_before > 0 => {
                self.updated_before -= 1;
            }
            Event::Finished(result) => self.tally.take(&result.outcome),
            Event::Limited { said } => self.error = (*said).to_owned(),
        }
    }

    /// What it is at: what is waited for, else the series asked for last.
    pub(super) fn current(&self) -> &str {
        if self.waits.is_empty() { &self.now_at } else { &self.waits }
    }

    /// A line in the log of runs by a schedule; nothing where somebody asked for it.
    pub(super) fn log_run(&self) {
        let JobView { id, origin, client, result, .. } = self;
        if origin == "request" {
            return;
        }
        if self.phase != JobPhase::Finished {
            let begins = if self.resumed { "goes on" } else { "begins" };
            tracing::info!(target: SCHEDULED, "job {id} ({origin}: {client}) {begins}");
            return;
        }
        if self.started == 0 {
            let end = match result.as_str() {
                "failed" => format!("refused: {}", self.error),
                result => format!("{result} before it began"),
            };
            tracing::info!(target: SCHEDULED, "job {id} ({origin}: {client}) {end}");
            return;
        }
        let seconds = self.finished.saturating_sub(self.started) as f64 / 1e6;
        let why = if self.error.is_empty() { String::new() } else { format!("; {}", self.error) };
        tracing::info!(
            target: SCHEDULED,
            "job {id} ({origin}: {client}) {result} after {seconds:.1} s: {}{why}", self.words()
        );
    }

    /// The same of a run that was cut off; `when` it goes on.
    pub(super) fn log_interrupted(&self, when: &str) {
        let JobView { id, origin, client, series, .. } = self;
        if origin == "request" {
            return;
        }
        let at = match self.done() {
            0 => "before its first series".to_owned(),
            done => format!("at a commit after {done} of {series} series"),
        };
        tracing::info!(target: SCHEDULED, "job {id} ({origin}: {client}) interrupted {at}; goes on {when}");
    }

    /// Series that need no other turn, those not met again yet among them.
    pub(super) fn done(&self) -> u32 {
        self.tally.settled() - self.updated_before
    }

    /// What it did, in words.
    pub(super) fn words(&self) -> String {
        let of = match self.phase {
            JobPhase::Running => format!("{} of ", self.done()),
            _ => String::new(),
        };
        let JobView { series, tally, rows_added, .. } = self;
        format!("{of}{series} series{}, {rows_added} bars added", tally.words())
    }

    /// A job that was cut off begins again: what is stored needs no second request, and stays counted.
    pub(super) fn queue_again(&mut self) {
        let updated = self.tally.updated;
        self.tally = Tally { updated, ..Tally::default() };
        self.updated_before = updated;
        self.phase = JobPhase::Queued;
        self.now_at.clear();
        self.waits.clear();
        self.error.clear();
    }
}

/// A provider, as its object shows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ProviderView {
    /// `ready`, `limited`, `broken`, or why it is not asked: `off`, `no-account`, `unused`.
    pub(super) state: &'static str,
    /// Downloads a day; 0 = without end.
    pub(super) quota_limit: u32,
    /// Of those used today; where there is no limit, requests of this day of UTC.
    pub(super) quota_used: u32,
    /// When the next day's downloads are there, in µs since the epoch; 0 = never.
    pub(super) quota_resets: u64,
    pub(super) retry_after: u64,
    pub(super) last_error: String,
    pub(super) last_success: u64,
}

impl ProviderView {
    /// Shows the account's allowance; one that is used up limits the provider.
    pub(super) fn show(&mut self, allowance: &Allowance) {
        self.quota_limit = allowance.limit;
        self.quota_used = allowance.used;
        self.quota_resets = in_micros(allowance.resets);
        if let Some(until) = allowance.waits_until() {
            self.state = "limited";
            self.retry_after = self.retry_after.max(in_micros(until));
        }
    }
}

/// Why a running job is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopReason {
    /// Somebody cancelled it: it is over.
    Cancelled,
    /// The service pauses or stops: it goes on later.
    Later,
}

/// The job at work.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) id: u32,
    /// Why it was told to stop, if it was.
    pub(super) stop: watch::Sender<Option<StopReason>>,
}

impl Running {
    /// Whether nobody cancelled it.
    fn goes_on(&self) -> bool {
        *self.stop.borrow() != Some(StopReason::Cancelled)
    }
}

/// What the service does as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    Starting,
    Serving,
    Stopping,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) phase: Phase,
    pub(super) paused: bool,
    pub(super) jobs: BTreeMap<u32, JobView>,
    pub(super) queue: VecDeque<u32>,
    pub(super) running: Option<Running>,
    /// Why the job at work does not go on, such as having no network.
    pub(super) waits_for: Option<String>,
    pub(super) offline: bool,
    pub(super) last_result: String,
    /// Why not all of it was done.
    pub(super) last_error: String,
    pub(super) last_finished: u64,
    /// When the next run begins: a scheduled one, or what was left for later.
    pub(super) next_run: u64,
    pub(super) leftovers: Vec<Leftover>,
    pub(super) series: Arc<SeriesIndex>,
    pub(super) providers: BTreeMap<&'static str, ProviderView>,
    /// When the newest of the configuration's files in force was changed.
    pub(super) configuration_changed: u64,
    /// What waits in the watched folder, and what of it is refused, in words.
    pub(super) inbox: String,
    /// What is wrong with the configuration that a reload refused.
    pub(super) refused_configuration: Option<String>,
}

impl State {
    /// The place in the queue of the first import.
    pub(super) fn import_in_queue(&self) -> Option<usize> {
        let is_import = |id: &u32| self.jobs.get(id).is_some_and(|job| !job.request.import.is_empty());
        self.queue.iter().position(is_import)
    }

    /// The word of the `State` property.
    pub(super) fn word(&self) -> &'static str {
        match self.phase {
            Phase::Starting => "starting",
            Phase::Stopping => "stopping",
            Phase::Serving if self.paused => "paused",
            Phase::Serving if self.running.is_some() => "working",
            Phase::Serving => "idle",
        }
    }

    /// Where a job stands, in a word: one at work that cannot go on waits, as does its provider.
    pub(super) fn job_word(&self, job: &JobView) -> &'static str {
        match job.phase {
            JobPhase::Running if self.waits_for.is_some() || !job.waits.is_empty() => "waiting",
            phase => phase.word(),
        }
    }

    /// What a job waits for, else the series that it asked for last.
    pub(super) fn job_at(&self, job: &JobView) -> String {
        match (job.phase, &self.waits_for, &self.running) {
            (JobPhase::Running, Some(why), _) => why.clone(),
            (JobPhase::Queued, ..) if self.paused => "the service is paused".to_owned(),
            (JobPhase::Queued, _, Some(running)) => format!("job {} comes first", running.id),
            _ => job.current().to_owned(),
        }
    }

    /// The job that will do what is asked for as well: the same that waits, and where nobody asks in person the
    /// same at work. A restart of the service, as by an upgrade, lets its timer or its start ask once more.
    pub(super) fn job_for(&self, request: &Request, origin: &str) -> Option<u32> {
        let by_itself = |origin: &str| ["timer", "schedule", "startup"].contains(&origin);
        let at_work = self.running.as_ref().filter(|running| running.goes_on() && by_itself(origin));
        let at_work =
            at_work.and_then(|running| self.jobs.get(&running.id)).filter(|job| by_itself(&job.origin));
        let queued = self.queue.iter().filter_map(|id| self.jobs.get(id));
        at_work.into_iter().chain(queued).find(|job| job.request == *request).map(|job| job.id)
    }

    /// Forgets finished jobs beyond the newest hundred.
    pub(super) fn forget_old_jobs(&mut self) {
        while self.jobs.len() > KEPT_JOBS {
            let oldest = self.jobs.values().find(|job| job.phase == JobPhase::Finished).map(|job| job.id);
            let Some(oldest) = oldest else { return };
            self.jobs.remove(&oldest);
        }
    }

    /// The words of STATUS= and of the `Status` property.
    pub(super) fn status(&self) -> String {
        let mut said = match self.word() {
            "starting" => "Opening the archive".to_owned(),
            "stopping" => "Stopping at the next commit".to_owned(),
            "paused" if self.queue.is_empty() => "Paused".to_owned(),
            "paused" => format!("Paused; {} waiting", many(self.queue.len(), "job")),
            "working" => self.work_words(),
            _ => self.idle_words(),
        };
        if !self.inbox.is_empty() {
            said = format!("{said}; {}", self.inbox);
        }
        if let Some(why) = &self.refused_configuration {
            said = format!("{said}; the changed configuration is refused: {why}");
        }
        said
    }

    fn work_words(&self) -> String {
        let job = self.running.as_ref().and_then(|running| self.jobs.get(&running.id));
        let Some(job) = job else { return "Working".to_owned() };
        if let Some(why) = &self.waits_for {
            return format!("Job {} waits: {why}", job.id);
        }
        let at = if job.current().is_empty() { String::new() } else { format!("; {}", job.current()) };
        format!("Job {}: {}{at}", job.id, job.words())
    }

    fn idle_words(&self) -> String {
        let counts = self.series.counts();
        let mut said = format!("Idle; {} of {} series current", counts.current, counts.all);
        let parts = [
            (counts.late, "late"),
            (counts.unlisted, "unlisted"),
            (counts.failed, "failed"),
            (counts.suspect, "suspect"),
            (counts.held, "held"),
        ];
        for (number, word) in parts.iter().filter(|(number, _)| *number > 0) {
            said.push_str(&format!(", {number} {word}"));
            if *word == "late" && counts.never > 0 {
                said.push_str(&format!(" ({} never fetched)", counts.never));
            }
        }
        if self.last_finished > 0 {
            let why = shortly(&self.last_error);
            said.push_str(&format!("; checked {} ({}{why})", local(self.last_finished), self.last_result));
        }
        if let Some(left) = self.leftovers.iter().map(|left| left.at).min() {
            said.push_str(&format!("; what is left goes on {}", local(in_micros(left))));
        }
        if self.next_run > 0 {
            said.push_str(&format!("; next run {}", local(self.next_run)));
        }
        said
    }
}

/// A reason behind a colon, cut where it is long: the job has it whole.
fn shortly(why: &str) -> String {
    match why.char_indices().nth(LONG_REASON) {
        _ if why.is_empty() => String::new(),
        Some((end, _)) => format!(": {}…", &why[..end]),
        None => format!(": {why}"),
    }
}

pub(super) fn many(number: usize, thing: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{end}")
}

/// An instant for people, by the machine's time zone: `Mon 08:00`, with the date when it is days off.
fn local(micros: u64) -> String {
    let zone = jiff::tz::TimeZone::system();
    let now = jiff::Timestamp::now();
    let Ok(at) = jiff::Timestamp::from_microsecond(micros as i64) else { return String::new() };
    let near = (at.as_second() - now.as_second()).abs() < 6 * 24 * 3600;
    let shape = if near { "%a %H:%M" } else { "%a %Y-%m-%d %H:%M" };
    at.to_zoned_datetime(zone).strftime(shape).to_string()
}
