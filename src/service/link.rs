//! One connection, to a bus or to a peer: its objects, and the signals of what changed. Each connection is
//! shown the same state by its own comparison with what it was shown before; a peer that reads nothing holds
//! up itself alone.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use zbus::connection::Builder;
use zbus::object_server::{Interface, SignalEmitter};
use zbus::{Connection, OwnedObjectPath, OwnedVariant, fdo};

use super::access::Door;
use super::engine::Engine;
use super::objects::{JobObject, LogControl, Manager, ProviderObject};
use super::state::JobPhase;
use crate::bus::{self, Error};
use crate::request::source::ASKED;

/// Changes are told at most this often.
const TELL_EVERY: Duration = Duration::from_millis(250);
/// Where `systemctl service-log-level` looks (org.freedesktop.LogControl1(5)).
const LOG_CONTROL_PATH: &str = "/org/freedesktop/LogControl1";

type Properties = HashMap<String, OwnedVariant>;

/// What a connection was shown.
#[derive(Debug, Default)]
pub(super) struct Link {
    shown: Mutex<Shown>,
}

#[derive(Debug, Default)]
struct Shown {
    manager: Properties,
    providers: BTreeMap<&'static str, Properties>,
    jobs: BTreeMap<u32, ShownJob>,
}

#[derive(Debug, Default)]
struct ShownJob {
    properties: Properties,
    /// Its `JobRemoved` is out: nothing of it changes any more.
    over: bool,
}

/// Puts the objects on a connection that is being made, and follows the engine until it closes.
pub(super) async fn serve(
    builder: Builder<'static>,
    engine: &Arc<Engine>,
    door: Door,
) -> Result<Connection, Error> {
    let link = Arc::new(Link::default());
    let manager = Manager { engine: Arc::clone(engine), door, link: Arc::clone(&link) };
    let mut builder = builder
        .serve_at(bus::ROOT, fdo::ObjectManager)
        .serve_at(bus::ROOT, manager)
        .serve_at(LOG_CONTROL_PATH, LogControl { door });
    for name in ASKED {
        let provider = ProviderObject { engine: Arc::clone(engine), door, name };
        builder = builder.serve_at(bus::provider_path(name), provider);
    }
    let connection = builder.build().await?;
    link.begin(&connection, engine, door).await?;
    let (followed, engine) = (connection.clone(), Arc::clone(engine));
    tokio::spawn(async move { follow(&link, followed, &engine, door).await });
    Ok(connection)
}

/// Tells a connection of changes until it closes.
async fn follow(link: &Link, connection: Connection, engine: &Arc<Engine>, door: Door) {
    let mut changes = engine.changes();
    let closing = connection.clone();
    let telling = async {
        loop {
            if let Err(error) = link.show(&connection, engine, door).await {
                tracing::debug!("a connection could not be told of a change: {error}");
            }
            tokio::time::sleep(TELL_EVERY).await;
            if changes.changed().await.is_err() {
                return;
            }
        }
    };
    tokio::select! { () = telling => {} () = closing.closed() => {} }
}

impl Link {
    /// The first look: what is there already is no news.
    async fn begin(&self, connection: &Connection, engine: &Arc<Engine>, door: Door) -> Result<(), Error> {
        let mut shown = self.shown.lock().await;
        shown.manager = properties::<Manager>(connection, bus::ROOT).await?;
        for name in ASKED {
            let now = properties::<ProviderObject>(connection, &bus::provider_path(name)).await?;
            shown.providers.insert(name, now);
        }
        let jobs: Vec<_> = engine.look(|state| state.jobs.values().map(|job| (job.id, job.phase)).collect());
        for (id, phase) in jobs {
            let properties = add_job(connection, engine, door, id).await?;
            shown.jobs.insert(id, ShownJob { properties, over: phase == JobPhase::Finished });
        }
        Ok(())
    }

    /// Shows what changed since the last time, in the order: jobs, providers, manager.
    pub(super) async fn show(
        &self,
        connection: &Connection,
        engine: &Arc<Engine>,
        door: Door,
    ) -> Result<(), Error> {
        let mut shown = self.shown.lock().await;
        let jobs: BTreeMap<u32, (JobPhase, String)> = engine.look(|state| {
            let all = state.jobs.values();
            all.map(|job| (job.id, (job.phase, job.result.clone()))).collect()
        });
        for (id, (phase, result)) in &jobs {
            let new = !shown.jobs.contains_key(id);
            if new {
                let properties = add_job(connection, engine, door, *id).await?;
                shown.jobs.insert(*id, ShownJob { properties, over: false });
                Manager::job_new(&emitter(connection, bus::ROOT)?, *id, job_path(*id)?).await?;
            }
            let Some(job) = shown.jobs.get_mut(id).filter(|job| !job.over) else { continue };
            let path = bus::job_path(*id);
            tell::<JobObject>(connection, &path, &mut job.properties).await?;
            if *phase == JobPhase::Finished {
                job.over = true;
                let emitter = emitter(connection, bus::ROOT)?;
                Manager::job_removed(&emitter, *id, job_path(*id)?, result.clone()).await?;
            }
        }
        let gone: Vec<u32> = shown.jobs.keys().filter(|id| !jobs.contains_key(id)).copied().collect();
        for id in gone {
            connection.object_server().remove::<JobObject, _>(bus::job_path(id)).await?;
            shown.jobs.remove(&id);
        }
        for (name, properties) in &mut shown.providers {
            tell::<ProviderObject>(connection, &bus::provider_path(name), properties).await?;
        }
        tell::<Manager>(connection, bus::ROOT, &mut shown.manager).await
    }
}

async fn add_job(
    connection: &Connection,
    engine: &Arc<Engine>,
    door: Door,
    id: u32,
) -> Result<Properties, Error> {
    let job = JobObject { engine: Arc::clone(engine), door, id };
    let path = bus::job_path(id);
    connection.object_server().at(path.as_str(), job).await?;
    properties::<JobObject>(connection, &path).await
}

/// Signals the properties of an object that are not as they were shown.
async fn tell<I: Interface>(
    connection: &Connection,
    path: &str,
    shown: &mut Properties,
) -> Result<(), Error> {
    let now = properties::<I>(connection, path).await?;
    let changed: HashMap<&str, &OwnedVariant> = now
        .iter()
        .filter(|(name, value)| shown.get(*name) != Some(value))
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    if !changed.is_empty() {
        let none: [&str; 0] = [];
        let body = (I::name(), changed, none.as_slice());
        let interface = "org.freedesktop.DBus.Properties";
        connection.emit_signal(None::<&str>, path, interface, "PropertiesChanged", &body).await?;
    }
    *shown = now;
    Ok(())
}

/// What the object answers to `GetAll`.
async fn properties<I: Interface>(connection: &Connection, path: &str) -> Result<Properties, Error> {
    let server = connection.object_server();
    let object = server.interface::<_, I>(path).await?;
    let emitter = emitter(connection, path)?;
    let all = object.get().await.get_all(server, connection, None, &emitter).await;
    all.map_err(|error| Error::ZBus(error.into()))
}

fn emitter(connection: &Connection, path: &str) -> Result<SignalEmitter<'static>, Error> {
    Ok(SignalEmitter::new(connection, path.to_owned())?)
}

fn job_path(id: u32) -> Result<OwnedObjectPath, Error> {
    OwnedObjectPath::try_from(bus::job_path(id)).map_err(Error::ZBus)
}
