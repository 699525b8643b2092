//! Works the queue off, one job after the other, each in threads of its own: what a job does can neither
//! hold up the bus nor leave memory behind.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::engine::{Engine, HOLDER, blocking};
use super::state::{JobView, StopReason};
use super::{foresee, network};
use crate::archive::raw::RawTrail;
use crate::archive::{ArchiveError, Writer};
use crate::config::Config;
use crate::download::{self, Event, Job, Observer, Summary, Target};
use crate::import::{self, How, Sorted, Wish};
use crate::observe::messages;
use crate::provider::Provider;
use crate::request::source;

/// How often a taken lock is tried again.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// Told to answer, the threads of a job prove that they are alive.
pub(super) type Pulse = oneshot::Sender<()>;

/// Works until the service stops. `pulses` are for the job at work.
pub(super) async fn work(engine: Arc<Engine>, pulses: watch::Sender<Option<mpsc::UnboundedSender<Pulse>>>) {
    while let Some((job, stop)) = engine.next_job().await {
        tracing::info!(name: messages::JOB_BEGINS, job = job.id, origin = job.origin, client = job.client, "job {} begins", job.id);
        job.log_run();
        let ended = one(&engine, &job, stop.clone(), &pulses).await;
        pulses.send_replace(None);
        let asked = *stop.borrow();
        match ended {
            Ended::Stopped if asked == Some(StopReason::Later) => engine.put_back(job.id).await,
            Ended::GivesWay => engine.put_back(job.id).await,
            Ended::Foreseen => engine.finished(job.id, "done", "{}", String::new()).await,
            Ended::Stopped => engine.finished(job.id, "cancelled", "{}", String::new()).await,
            Ended::Done(summary) if summary.interrupted && asked == Some(StopReason::Later) => {
                engine.put_back(job.id).await;
            }
            Ended::Done(summary) => {
                // What somebody cancelled does not come back by itself.
                let cancelled = asked == Some(StopReason::Cancelled);
                let left = if cancelled { None } else { engine.left(&job, &summary) };
                engine.leave(&job.request, left).await;
                engine.finished(job.id, summary.result().word(), &summary.detail(), summary.error()).await;
            }
            Ended::Failed(why) => {
                tracing::error!(name: messages::JOB_FAILED, job = job.id, "job {} failed: {why}", job.id);
                let detail = serde_json::json!({ "error": why }).to_string();
                engine.finished(job.id, "failed", &detail, why).await;
            }
        }
    }
}

/// How the work on a job came to an end.
enum Ended {
    /// It was told to stop before anything was asked.
    Stopped,
    /// It waits for the network, and an import waits for it.
    GivesWay,
    /// It was a dry run.
    Foreseen,
    Done(Summary),
    Failed(String),
}

async fn one(
    engine: &Arc<Engine>,
    job: &JobView,
    mut stop: watch::Receiver<Option<StopReason>>,
    pulses: &watch::Sender<Option<mpsc::UnboundedSender<Pulse>>>,
) -> Ended {
    let config = engine.config();
    let wanted = match Wanted::of(job, &config) {
        Ok(wanted) => wanted,
        Err(refused) => return Ended::Failed(refused),
    };
    if job.request.dry_run
        && let Wanted::Fetch(provider, targets) = wanted
    {
        let (engine, id) = (Arc::clone(engine), job.id);
        let told = blocking(move || foresee::tell(&engine, id, provider.as_ref(), &targets)).await;
        return match told.map(|told| told.map_err(|error| error.to_string())) {
            Ok(Ok(())) => Ended::Foreseen,
            Ok(Err(error)) => Ended::Failed(error),
            Err(error) => Ended::Failed(error.to_string()),
        };
    }
    engine.change(|state| {
        if let (Some(job), Some(series)) = (state.jobs.get_mut(&job.id), wanted.series()) {
            job.series = series;
        }
    });
    let ready = async {
        if let Some(host) = wanted.endpoint() {
            network::wait(engine, &host).await;
        }
        lock(engine).await
    };
    let locked = tokio::select! {
        locked = ready => locked,
        () = told(&mut stop) => return Ended::Stopped,
        () = import_queued(engine), if matches!(wanted, Wanted::Fetch(..)) => return Ended::GivesWay,
    };
    engine.change(|state| (state.waits_for, state.offline) = (None, false));
    let writer = match locked {
        Ok(writer) => writer,
        Err(error) => return Ended::Failed(error.to_string()),
    };
    if let Err(error) = engine.archive().begin_job(job.id.into(), &wanted.detail()) {
        return Ended::Failed(error.to_string());
    }
    let (tell, cancelled) = watch::channel(false);
    let observer: Arc<dyn Observer> = Arc::new(Progress { engine: Arc::clone(engine), id: job.id });
    let work = wanted.into_work(job, &config, observer, cancelled);
    let (answer_to, answers) = mpsc::unbounded_channel();
    pulses.send_replace(Some(answer_to));
    let mut done = match in_threads(Arc::clone(engine), writer, work, answers) {
        Ok(done) => done,
        Err(error) => return Ended::Failed(format!("no thread for the job: {error}")),
    };
    let ended = tokio::select! {
        ended = &mut done => ended,
        () = told(&mut stop) => {
            tell.send_replace(true);
            done.await
        }
    };
    match ended {
        Ok(Ok(summary)) => Ended::Done(summary),
        Ok(Err(error)) => Ended::Failed(error.to_string()),
        Err(_) => Ended::Failed("it ended abnormally; the journal has more".to_owned()),
    }
}

/// What a job is to do, before the archive is its own.
enum Wanted {
    Fetch(Arc<dyn Provider>, Vec<Target>),
    Import(Sorted),
}

/// What its threads do.
enum Work {
    Fetch(Job),
    Import(Sorted, How),
}

impl Wanted {
    fn of(job: &JobView, config: &Config) -> Result<Wanted, String> {
        if job.request.import.is_empty() {
            let resolved = job.request.resolve(config).map_err(|refused| refused.to_string());
            return resolved.map(|(provider, targets)| Wanted::Fetch(provider, targets));
        }
        let wish = Wish { paths: job.request.import.clone(), ..Wish::default() };
        let sorted = import::sort_out(&wish, config, (source::clock())());
        sorted.map(Wanted::Import).map_err(|error| error.to_string())
    }

    fn endpoint(&self) -> Option<(String, u16)> {
        match self {
            Wanted::Fetch(provider, _) => provider.endpoint(),
            Wanted::Import(_) => None,
        }
    }

    /// How many series it asks for, where that is known before.
    fn series(&self) -> Option<u32> {
        match self {
            Wanted::Fetch(_, targets) => Some(targets.len() as u32),
            Wanted::Import(_) => None,
        }
    }

    fn detail(&self) -> String {
        match self {
            Wanted::Fetch(_, targets) => format!("{} series", targets.len()),
            Wanted::Import(sorted) => format!("import of {} files", sorted.files.len()),
        }
    }

    fn into_work(
        self,
        job: &JobView,
        config: &Config,
        observer: Arc<dyn Observer>,
        cancelled: watch::Receiver<bool>,
    ) -> Work {
        let (number, raw, now) = (job.id.into(), RawTrail::new(&config.raw), source::clock());
        let parquet = job.request.parquet.unwrap_or(config.parquet);
        match self {
            Wanted::Fetch(provider, targets) => Work::Fetch(Job {
                number,
                provider,
                targets,
                raw,
                parquet,
                force_parquet: config.force_parquet || job.request.force_parquet,
                observer,
                now,
                cancelled,
            }),
            Wanted::Import(sorted) => {
                Work::Import(sorted, How { number, raw, parquet, force: false, observer, now, cancelled })
            }
        }
    }
}

impl Work {
    async fn run(self, engine: Arc<Engine>, writer: Writer) -> Result<Summary, ArchiveError> {
        match self {
            Work::Fetch(job) => download::run(writer, job).await,
            Work::Import(sorted, how) => {
                let (summary, files) = import::import(writer, sorted, how).await?;
                engine.note_imported(&files);
                for file in files.iter().filter(|file| file.outcome.reason().is_none()) {
                    tracing::info!("{} imported: {} of {} rows taken", file.shown(), file.taken, file.rows);
                }
                for refused in &summary.refused {
                    tracing::error!(name: messages::IMPORT_REFUSED, "a file is not imported: {refused}");
                }
                Ok(summary)
            }
        }
    }
}

/// Returns when the job is to stop.
async fn told(stop: &mut watch::Receiver<Option<StopReason>>) {
    if stop.wait_for(Option::is_some).await.is_err() {
        // Nobody can tell any more.
        std::future::pending::<()>().await;
    }
}

/// Returns when an import is in the queue.
async fn import_queued(engine: &Arc<Engine>) {
    let mut changes = engine.changes();
    while !engine.look(|state| state.import_in_queue().is_some()) {
        if changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Takes the archive's lock, waiting for who has it.
async fn lock(engine: &Arc<Engine>) -> Result<Writer, ArchiveError> {
    loop {
        let archive = engine.archive().clone();
        let taken = blocking(move || archive.write(HOLDER)).await;
        match taken {
            Ok(Err(ArchiveError::Locked { holder })) => {
                let why = format!("the archive is in use by {holder}");
                if engine.look(|state| state.waits_for.as_ref() != Some(&why)) {
                    tracing::info!(name: messages::ARCHIVE_BUSY, "{why}; waiting");
                    engine.change(|state| state.waits_for = Some(why));
                }
                tokio::time::sleep(TRY_EVERY).await;
            }
            Ok(taken) => return taken,
            Err(error) => return Err(ArchiveError::Refused(error.to_string())),
        }
    }
}

type Ending = oneshot::Receiver<Result<Summary, ArchiveError>>;

/// Runs a job in threads that end with it, and that answer pulses meanwhile.
fn in_threads(
    engine: Arc<Engine>,
    writer: Writer,
    work: Work,
    mut pulses: mpsc::UnboundedReceiver<Pulse>,
) -> std::io::Result<Ending> {
    let (tell, ending) = oneshot::channel();
    let runtime = download::runtime()?;
    std::thread::Builder::new().name("job".to_owned()).spawn(move || {
        let worked = runtime.block_on(async {
            let answering = async {
                while let Some(pulse) = pulses.recv().await {
                    // From the thread of the series too; who asked may be gone.
                    let _ = tokio::spawn(async move { pulse.send(()) }).await;
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                worked = work.run(engine, writer) => worked,
                () = answering => Err(ArchiveError::Refused("the job stopped answering".to_owned())),
            }
        });
        drop(runtime);
        // The service waits for it, or is gone.
        let _ = tell.send(worked);
    })?;
    Ok(ending)
}

/// Takes a job's progress into the state.
struct Progress {
    engine: Arc<Engine>,
    id: u32,
}

impl Observer for Progress {
    fn event(&self, event: &Event<'_>) {
        self.engine.change(|state| {
            if let Some(job) = state.jobs.get_mut(&self.id) {
                job.take(event);
            }
        });
    }
}
