//! The heart of the service: the queue of jobs and what can be done to it. It knows nothing of D-Bus; every
//! change of its state is announced through one channel, and whoever shows the state reads it then.

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::UNIX_EPOCH;

use tokio::sync::{Notify, watch};

use super::history;
use super::inbox::Dealt;
use super::leftover;
use super::refresh::Refreshes;
use super::state::{JobPhase, JobView, Phase, Running, State, StopReason};
use crate::archive::{Archive, ArchiveError};
use crate::bus::Error;
use crate::config::{Config, ConfigError, Loaded, Overrides, Sources};
use crate::observe::logging::SCHEDULED;
use crate::observe::messages;
use crate::provider::limits::{Throttle, ThrottleError};
use crate::request::{Lists, Refused, Request};
use crate::schedule::{self, Entry};

/// Under which name a pause is noted in the catalogue.
const PAUSED: &str = "paused";
/// More waiting jobs than this are refused: nobody will read their results.
const MOST_QUEUED: usize = 1000;

/// Reads the request for the whole list out of a configuration, as `schedule.download_args` have it.
pub type WholeList = fn(&Config) -> Result<Request, String>;

/// Checks what a configuration that is right in itself would have runs of the service do.
pub type Check = fn(&Loaded) -> Result<(), ConfigError>;

/// The service's state, and what can be done.
#[derive(Debug)]
pub struct Engine {
    sources: Sources,
    overrides: Overrides,
    config: RwLock<Arc<Config>>,
    archive: Archive,
    pub(super) throttle: Throttle,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
    pub(super) refreshes: Refreshes,
    /// What a scheduled run of the whole list asks for, by the configuration.
    whole: WholeList,
    /// What a configuration that is read again has to pass.
    check: Check,
    /// The configuration was read again, or what is left for later changed.
    schedule_changed: Notify,
    /// The worker looks at the queue again.
    pub(super) work: Notify,
    /// Files that import jobs dealt with, until the watched folder has looked at them.
    pub(super) dealt_with: Mutex<HashMap<PathBuf, Dealt>>,
    /// When the service started, in µs since the epoch.
    pub(super) started: u64,
}

impl Engine {
    /// Opens archive and limits, and finds the jobs that were not finished. Makes what is missing.
    pub fn open(
        sources: Sources,
        overrides: Overrides,
        loaded: Loaded,
        (whole, check): (WholeList, Check),
    ) -> Result<Arc<Engine>, OpenError> {
        let changed = newest(&loaded.files);
        let config = loaded.config;
        let archive = Archive::open(&config.archive, &config.state_directory)?;
        for notice in archive.notices() {
            tracing::warn!("{notice}");
        }
        let throttle = Throttle::open(&config.state_directory)?;
        let mut state =
            State { paused: archive.note(PAUSED)?.is_some_and(|it| it == "yes"), ..State::default() };
        state.configuration_changed = changed;
        history::take_over(&archive, &mut state)?;
        state.leftovers = leftover::noted(&archive)?;
        let engine = Engine {
            sources,
            overrides,
            config: RwLock::new(Arc::new(config)),
            archive,
            throttle,
            state: Mutex::new(state),
            changes: watch::Sender::new(0),
            refreshes: Refreshes::default(),
            whole,
            check,
            schedule_changed: Notify::new(),
            work: Notify::new(),
            dealt_with: Mutex::default(),
            started: micros(),
        };
        Ok(Arc::new(engine))
    }

    /// The configuration in force.
    pub(super) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The archive.
    pub(super) fn archive(&self) -> &Archive {
        &self.archive
    }

    /// Becomes new with every change of the state.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Looks at the state.
    pub(super) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the state and announces it.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let value = change(&mut self.lock());
        self.changes.send_modify(|number| *number = number.wrapping_add(1));
        value
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a job; its number. The same request that waits already is not queued again, nor that of a schedule
    /// which is at work.
    pub(super) async fn update(
        self: &Arc<Self>,
        request: Request,
        origin: &str,
        client: &str,
    ) -> Result<u32, Error> {
        self.look(may_queue)?;
        if let Some(id) = self.look(|state| state.job_for(&request, origin)) {
            tracing::info!(job = id, "{client} asks for what job {id} does");
            return Ok(id);
        }
        let (engine, origin, client) = (Arc::clone(self), origin.to_owned(), client.to_owned());
        let id = blocking(move || engine.queue(&request, &origin, &client)).await??;
        self.work.notify_one();
        Ok(id)
    }

    /// Queues a run that nobody waits for; its number. One that is refused is told, and where that says something
    /// of the request it is a job that failed, so that a schedule that can never run is seen.
    pub(super) async fn run(
        self: &Arc<Self>,
        request: Request,
        origin: &'static str,
        client: &str,
    ) -> Option<u32> {
        let error = match self.update(request.clone(), origin, client).await {
            Ok(id) => return Some(id),
            Err(error) => error,
        };
        let said = error.said();
        if matches!(error, Error::Paused(_) | Error::ShuttingDown(_) | Error::ArchiveBusy(_)) {
            tracing::warn!("{client} could not start a run: {said}");
            tracing::info!(target: SCHEDULED, "{origin}: {client} refused: {said}");
        } else if let Err(error) = self.note_refused(request, origin, client, said).await {
            tracing::warn!("the refused run of {client} could not be noted: {}", error.said());
        }
        None
    }

    /// Notes a run that was refused as a job that failed.
    async fn note_refused(
        self: &Arc<Self>,
        request: Request,
        origin: &'static str,
        client: &str,
        said: String,
    ) -> Result<(), Error> {
        let (engine, of) = (Arc::clone(self), client.to_owned());
        let id = blocking(move || engine.note_job(&request, origin, &of)).await??;
        tracing::error!(name: messages::JOB_FAILED, job = id, "job {id} of {client} is refused: {said}");
        let detail = serde_json::json!({ "error": said }).to_string();
        self.finished(id, "failed", &detail, said).await;
        Ok(())
    }

    /// Checks a request, notes it in the catalogue and puts it into the queue.
    fn queue(&self, request: &Request, origin: &str, client: &str) -> Result<u32, Error> {
        request.check_dates(("start", "end")).map_err(refused)?;
        if request.import.is_empty() {
            request.resolve(&self.config()).map_err(refused)?;
        }
        let id = self.note_job(request, origin, client)?;
        self.change(|state| state.queue.push_back(id));
        Ok(id)
    }

    /// Notes a job in the catalogue and among the jobs; its number.
    fn note_job(&self, request: &Request, origin: &str, client: &str) -> Result<u32, Error> {
        let text =
            serde_json::to_string(request).map_err(|error| Error::InvalidRequest(error.to_string()))?;
        let id = self.archive.queue_job(origin, client, &text).map_err(archive_busy)?;
        let id = number(id)?;
        let job = JobView {
            id,
            origin: origin.to_owned(),
            client: client.to_owned(),
            request: request.clone(),
            ..JobView::default()
        };
        self.change(|state| {
            state.jobs.insert(id, job);
            state.forget_old_jobs();
        });
        Ok(id)
    }

    /// Takes a job out of the queue, or has it stop at the next commit. A finished one stays as it is.
    pub(super) async fn cancel(self: &Arc<Self>, id: u32) -> Result<(), Error> {
        let was = self.look(|state| state.jobs.get(&id).map(|job| job.phase));
        match was {
            None => Err(no_such_job(id)),
            Some(JobPhase::Finished) => Ok(()),
            Some(JobPhase::Running) => {
                self.stop_job(StopReason::Cancelled);
                Ok(())
            }
            Some(JobPhase::Queued) => {
                self.change(|state| state.queue.retain(|queued| *queued != id));
                self.finished(id, "cancelled", "{}", String::new()).await;
                Ok(())
            }
        }
    }

    fn stop_job(&self, reason: StopReason) {
        self.change(|state| {
            if let Some(running) = &state.running {
                // A job that was cancelled stays so, whatever else happens.
                running.stop.send_if_modified(|stop| {
                    let first = stop.is_none() || reason == StopReason::Cancelled;
                    if first {
                        *stop = Some(reason);
                    }
                    first
                });
            }
        });
    }

    /// Stops work at the next commit, and starts none until [`Engine::resume`], over restarts too.
    pub(super) async fn pause(self: &Arc<Self>) -> Result<(), Error> {
        self.note_pause("yes").await?;
        self.change(|state| state.paused = true);
        self.stop_job(StopReason::Later);
        Ok(())
    }

    /// Goes on.
    pub(super) async fn resume(self: &Arc<Self>) -> Result<(), Error> {
        self.note_pause("no").await?;
        self.change(|state| state.paused = false);
        self.work.notify_one();
        Ok(())
    }

    async fn note_pause(self: &Arc<Self>, value: &'static str) -> Result<(), Error> {
        let engine = Arc::clone(self);
        blocking(move || engine.archive.set_note(PAUSED, value)).await?.map_err(archive_busy)
    }

    /// Reads the configuration again. What is wrong leaves the one before in force, and is said.
    pub(super) async fn reload(self: &Arc<Self>) -> Result<(), Error> {
        let engine = Arc::clone(self);
        let loaded = blocking(move || engine.load()).await?;
        let said = loaded.as_ref().err().cloned();
        if let Some(said) = &said {
            tracing::error!(name: messages::CONFIGURATION_REFUSED, "the changed configuration is refused, the one before stays in force: {said}");
        } else {
            tracing::info!("the configuration was read again");
        }
        self.change(|state| state.refused_configuration = said.clone());
        self.refresh().await;
        said.map_or(Ok(()), |said| Err(Error::ConfigurationInvalid(said)))
    }

    fn load(&self) -> Result<(), String> {
        let loaded = Config::load(&self.sources, &self.overrides).map_err(|error| error.to_string())?;
        let before = self.config();
        if loaded.config.archive != before.archive || loaded.config.state_directory != before.state_directory
        {
            return Err(format!(
                "general.output_directory is now {} and was {}: that takes a restart of the service",
                loaded.config.archive.display(),
                before.archive.display()
            ));
        }
        (self.check)(&loaded).map_err(|error| error.to_string())?;
        let changed = newest(&loaded.files);
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded.config);
        self.change(|state| state.configuration_changed = changed);
        self.refreshes.relist();
        self.schedule_changed();
        Ok(())
    }

    /// The lists in force.
    pub(super) fn lists(&self) -> Lists {
        let config = self.config();
        // It was checked when it was read.
        Lists::of(&config, &(self.whole)(&config).unwrap_or_default())
    }

    /// Returns when what is due next may have changed.
    pub(super) fn schedule_changes(&self) -> impl Future<Output = ()> {
        self.schedule_changed.notified()
    }

    /// What is due next may have changed.
    pub(super) fn schedule_changed(&self) {
        self.schedule_changed.notify_waiters();
    }

    /// The schedules in force.
    pub(super) fn schedules(&self) -> Vec<Entry> {
        let config = self.config();
        // It was checked when it was read.
        let whole = (self.whole)(&config).unwrap_or_default();
        schedule::in_force(&config, &whole)
    }

    /// Asks for what `run_on_startup` wants.
    pub(super) async fn start_up(self: &Arc<Self>) {
        let config = self.config();
        let lists = config.watchlists.iter().filter(|(_, list)| list.schedule.run_on_startup);
        let of_list = |name: &String| Request { watchlist: Some(name.clone()), ..Request::default() };
        let mut wanted: Vec<Request> = lists.map(|(name, _)| of_list(name)).collect();
        if config.schedule.run_on_startup {
            wanted.insert(0, (self.whole)(&config).unwrap_or_default());
        }
        for request in wanted {
            // What is refused was told.
            let _ = self.run(request, "startup", "start of the service").await;
        }
    }

    /// Takes no more work, and has the job at work stop at the next commit.
    pub(super) fn stop(&self) {
        self.change(|state| state.phase = Phase::Stopping);
        self.stop_job(StopReason::Later);
        self.work.notify_one();
    }

    /// The next job, made the one at work; `None` once the service stops.
    pub(super) async fn next_job(&self) -> Option<(JobView, watch::Receiver<Option<StopReason>>)> {
        loop {
            let next = self.look(|state| match state.phase {
                Phase::Stopping => Err(()),
                Phase::Serving if !state.paused => Ok(!state.queue.is_empty()),
                _ => Ok(false),
            });
            match next {
                Err(()) => return None,
                Ok(true) => {}
                Ok(false) => {
                    self.work.notified().await;
                    continue;
                }
            }
            let (stop, told) = watch::channel(None);
            let job = self.change(|state| {
                // An import asks nobody and is over soon; what is before it may wait for the network for days.
                let place = state.import_in_queue().unwrap_or(0);
                let id = state.queue.remove(place)?;
                let job = state.jobs.get_mut(&id)?;
                job.phase = JobPhase::Running;
                job.resumed = job.started > 0;
                job.started = micros();
                state.running = Some(Running { id, stop });
                Some(job.clone())
            });
            if let Some(job) = job {
                return Some((job, told));
            }
        }
    }

    /// The job at work was cut off and goes on later: it is the first of the queue again.
    pub(super) fn put_back(&self, id: u32) {
        self.change(|state| {
            state.running = None;
            state.waits_for = None;
            state.offline = false;
            let when = match state.phase {
                Phase::Stopping => "at the next start",
                _ if state.paused => "when the pause ends",
                _ => "after an import",
            };
            if let Some(job) = state.jobs.get_mut(&id) {
                job.log_interrupted(when);
                job.queue_again();
                state.queue.push_front(id);
            }
        });
    }

    /// A job is over.
    pub(super) async fn finished(
        self: &Arc<Self>,
        id: u32,
        result: &'static str,
        detail: &str,
        error: String,
    ) {
        let (engine, text) = (Arc::clone(self), detail.to_owned());
        let noted = blocking(move || engine.archive.finish_job(id.into(), result, &text)).await;
        if let Err(error) | Ok(Err(error)) = noted.map(|noted| noted.map_err(archive_busy)) {
            tracing::warn!("how job {id} ended could not be noted: {error}");
        }
        self.refresh().await;
        self.change(|state| {
            if state.running.as_ref().is_some_and(|running| running.id == id) {
                state.running = None;
                state.waits_for = None;
                state.offline = false;
            }
            let now = micros();
            if let Some(job) = state.jobs.get_mut(&id) {
                job.phase = JobPhase::Finished;
                job.result = result.to_owned();
                job.finished = now;
                job.now_at.clear();
                job.waits.clear();
                if !error.is_empty() {
                    job.error = error;
                }
                job.log_run();
            }
            state.last_result = result.to_owned();
            state.last_finished = now;
            state.forget_old_jobs();
        });
    }

    /// When the newest of the configuration's files was changed, in µs since the epoch.
    pub(super) fn configuration_changed(&self) -> u64 {
        self.look(|state| state.configuration_changed)
    }

    /// Forgets a provider's cool-down.
    pub(super) async fn reset_provider(self: &Arc<Self>, name: &'static str) -> Result<(), Error> {
        let engine = Arc::clone(self);
        let reset = blocking(move || engine.throttle.reset(name)).await?;
        reset.map_err(|error| Error::ArchiveBusy(error.to_string()))?;
        self.refresh().await;
        Ok(())
    }
}

/// When the newest of some files was changed, in µs since the epoch; names that are no file are passed over.
fn newest(files: &[String]) -> u64 {
    let changed = |file: &String| std::fs::metadata(file).ok()?.modified().ok();
    let since = files.iter().filter_map(changed).max().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    since.and_then(|since| u64::try_from(since.as_micros()).ok()).unwrap_or(0)
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The archive cannot be opened.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The ledger of limits cannot be opened.
    #[error(transparent)]
    Limits(#[from] ThrottleError),
}

impl OpenError {
    /// Whether there was no room on the disk.
    pub(super) fn is_full(&self) -> bool {
        match self {
            OpenError::Archive(error) => error.is_full(),
            OpenError::Limits(error) => error.is_full(),
        }
    }
}

fn may_queue(state: &State) -> Result<(), Error> {
    if state.phase == Phase::Stopping {
        return Err(Error::ShuttingDown("the service is stopping; ask again when it runs".to_owned()));
    }
    if state.paused {
        return Err(Error::Paused("the service is paused; `vortexctl resume` lets it go on".to_owned()));
    }
    if state.queue.len() >= MOST_QUEUED {
        return Err(Error::ArchiveBusy(format!(
            "{MOST_QUEUED} jobs wait already; cancel some, or ask later"
        )));
    }
    Ok(())
}

/// Runs what may wait for a disk where it holds nobody up.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::ArchiveBusy(format!("it ended abnormally: {error}")))
}

fn refused(why: Refused) -> Error {
    match why {
        Refused::Provider(said) => Error::UnknownProvider(said),
        Refused::Instrument(said) => Error::UnknownInstrument(said),
        Refused::Invalid(said) => Error::InvalidRequest(said),
        Refused::Configuration(error) => Error::ConfigurationInvalid(error.to_string()),
        Refused::Limits(error) => Error::ArchiveBusy(error.to_string()),
    }
}

pub(super) fn archive_busy(error: ArchiveError) -> Error {
    Error::ArchiveBusy(error.to_string())
}

/// What is said of a number that no job has.
pub(super) fn no_such_job(id: u32) -> Error {
    Error::NoSuchJob(format!("there is no job {id}; `vortexctl jobs` lists those of late"))
}

fn number(id: i64) -> Result<u32, Error> {
    u32::try_from(id).map_err(|_| Error::ArchiveBusy(format!("job number {id} is too large for the bus")))
}

/// Seconds since the epoch as µs; 0 and before is never.
pub(super) fn in_micros(seconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000_000)
}

/// This machine's clock, in µs since the epoch.
pub(super) fn micros() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap_or(0)
}
