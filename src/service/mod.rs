//! The service: a queue of jobs over the archive, on a bus, under systemd or any other supervisor.
//!
//! In reading order: `state` (what it knows), [`engine`] (what can be done), `history` (what
//! earlier runs left), `room` (a disk that is full), `worker` (runs jobs), `scheduler` and `leftover` (start them), `network` and `series` (what it waits for, what it lists),
//! `refresh` (when that is read again), `inbox` (files that a person puts into a folder); `objects`, `link`, `access` and `socket` are the bus; `systemd` tells the
//! service manager, and `reaper` is for containers.

mod access;
pub mod engine;
mod foresee;
mod history;
mod inbox;
mod leftover;
mod link;
mod network;
mod objects;
mod reaper;
mod refresh;
mod room;
mod scheduler;
mod series;
mod socket;
mod state;
mod systemd;
mod worker;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use zbus::Connection;
use zbus::connection::Builder;
use zbus::fdo::{DBusProxy, RequestNameFlags};
use zbus::names::BusName;

use self::access::Door;
pub use self::engine::Engine;
use self::engine::OpenError;
use self::socket::PrivateSocket;
use self::state::Phase;
use crate::bus;
use crate::observe::messages;

/// What a stop may take until the job at work is left to the next start: it loses nothing by that.
const STOP_TIME: Duration = Duration::from_secs(8);
/// A bus that went away is tried again after this long, and after twice as long each time up to the most.
const BUS_AGAIN: Duration = Duration::from_secs(1);
const BUS_SELDOM: Duration = Duration::from_secs(30);

/// Where the service can be spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bus {
    /// The session bus.
    User,
    /// The system bus.
    System,
    /// A socket of its own.
    Private,
    /// Nowhere.
    None,
}

/// What ended the service before it was told to stop.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// Archive or limits cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// No bus.
    #[error("{0}")]
    Bus(String),
    /// Another service is there.
    #[error("{0}")]
    Taken(String),
    /// The private socket cannot be made.
    #[error("the private socket cannot be made: {0}")]
    Socket(io::Error),
    /// Signals cannot be received, or threads not be started.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Serves what `open` opens until SIGTERM, SIGINT or SIGQUIT, which as the first process of a container it would
/// not notice. `bus` is where; with none given the session bus where it answers, else a private socket.
/// `starts_runs`: scheduled runs are started here, not by timers of systemd.
pub async fn serve(
    open: impl Fn() -> Result<Arc<Engine>, OpenError>,
    bus: Option<Bus>,
    starts_runs: bool,
) -> Result<(), ServiceError> {
    let mut told = Told::listen()?;
    let reaper = tokio::spawn(reaper::reap(signal(SignalKind::child())?));
    let Some(engine) = room::open(open, &mut told).await? else { return Ok(()) };
    engine.refresh().await;
    let (pulses, watched) = watch::channel(None);
    let mut worker = tokio::spawn(worker::work(Arc::clone(&engine), pulses));
    engine.change(|state| state.phase = Phase::Serving);
    let doors = open_doors(&engine, bus).await?;
    engine.work.notify_one();
    systemd::ready(&engine);
    tracing::info!(name: messages::STARTED, "serving {}", engine.archive().root().display());
    let helpers = [
        reaper,
        tokio::spawn(scheduler::keep(Arc::clone(&engine), starts_runs)),
        tokio::spawn(inbox::keep(Arc::clone(&engine))),
        tokio::spawn(systemd::keep_status(Arc::clone(&engine))),
        tokio::spawn(systemd::watch_over(Arc::clone(&engine), watched)),
    ];
    engine.start_up().await;
    while told.next().await == Asked::Reload {
        systemd::reloading();
        // What is refused is said in the journal and in STATUS.
        let _ = engine.reload().await;
        systemd::ready(&engine);
    }
    tracing::info!(name: messages::STOPPING, "stopping at the next commit");
    systemd::stopping();
    engine.stop();
    if tokio::time::timeout(STOP_TIME, &mut worker).await.is_err() {
        tracing::warn!("the job at work does not come to a commit; the next start goes on with it");
    }
    drop(doors);
    for helper in helpers {
        helper.abort();
    }
    Ok(())
}

/// What signals ask for.
#[derive(PartialEq, Eq)]
enum Asked {
    Reload,
    Stop,
}

struct Told {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hangup: Signal,
}

impl Told {
    fn listen() -> io::Result<Told> {
        Ok(Told {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.quit.recv() => Asked::Stop,
            _ = self.hangup.recv() => Asked::Reload,
        }
    }
}

/// The tasks behind an open door; they end when this is dropped.
struct Doors(Vec<JoinHandle<()>>);

impl Drop for Doors {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

async fn open_doors(engine: &Arc<Engine>, bus: Option<Bus>) -> Result<Doors, ServiceError> {
    let task = match bus {
        Some(Bus::None) => return Ok(Doors(Vec::new())),
        Some(Bus::User) => on_bus(engine, Door::Session).await?,
        Some(Bus::System) => on_bus(engine, Door::System).await?,
        Some(Bus::Private) => private(engine)?,
        None if session_answers().await => on_bus(engine, Door::Session).await?,
        None => private(engine)?,
    };
    Ok(Doors(vec![task]))
}

/// Whether there is a session bus.
async fn session_answers() -> bool {
    std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some() && Connection::session().await.is_ok()
}

fn private(engine: &Arc<Engine>) -> Result<JoinHandle<()>, ServiceError> {
    let socket = PrivateSocket::open().map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => ServiceError::Taken(error.to_string()),
        _ => ServiceError::Socket(error),
    })?;
    tracing::info!("listening at {}", socket.address());
    Ok(tokio::spawn(socket.serve(Arc::clone(engine))))
}

/// Takes the name on a bus, and takes it again whenever the bus comes back after it went away: jobs go on
/// meanwhile.
async fn on_bus(engine: &Arc<Engine>, door: Door) -> Result<JoinHandle<()>, ServiceError> {
    let mut connection = connect(engine, door).await?;
    let engine = Arc::clone(engine);
    Ok(tokio::spawn(async move {
        loop {
            connection.closed().await;
            tracing::warn!("the bus went away; waiting for it");
            let (mut pause, mut said) = (BUS_AGAIN, String::new());
            connection = loop {
                tokio::time::sleep(pause).await;
                match connect(&engine, door).await {
                    Ok(connection) => break connection,
                    Err(error) if error.to_string() != said => {
                        said = error.to_string();
                        tracing::warn!("not on the bus yet: {said}");
                    }
                    Err(_) => {}
                }
                pause = (pause * 2).min(BUS_SELDOM);
            };
            tracing::info!("on the bus again");
        }
    }))
}

async fn connect(engine: &Arc<Engine>, door: Door) -> Result<Connection, ServiceError> {
    let which = if door == Door::System { "system" } else { "session" };
    let no_bus = |error: bus::Error| {
        ServiceError::Bus(format!("the {which} bus cannot be used: {error}; --bus private needs none"))
    };
    let builder = if door == Door::System { Builder::system() } else { Builder::session() };
    let connection = link::serve(builder, engine, door).await.map_err(no_bus)?;
    // Last: who sees the name can use it. Nobody may take it from us, nor we from another.
    let refused = match connection.request_name_with_flags(bus::NAME, RequestNameFlags::DO_NOT_QUEUE).await {
        Ok(_) => return Ok(connection),
        Err(zbus::Error::NameTaken) => {
            let owner = owner(&connection).await.map_or_else(String::new, |id| format!(" (process {id})"));
            ServiceError::Taken(format!(
                "{} is taken on the {which} bus: another service runs there{owner}; `vortexctl status` shows it",
                bus::NAME
            ))
        }
        Err(error) => no_bus(error.into()),
    };
    // Its task ends with it. A bus that went away again has closed it already.
    let _ = connection.close().await;
    Err(refused)
}

/// The process that has the name on a bus.
async fn owner(connection: &Connection) -> Option<u32> {
    let bus = DBusProxy::new(connection).await.ok()?;
    let name = BusName::try_from(bus::NAME).ok()?;
    bus.get_connection_unix_process_id(name).await.ok()
}
