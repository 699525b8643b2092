//! The manager's object.

use std::collections::HashMap;
use std::sync::Arc;

use zbus::message::Header;
use zbus::{Connection, OwnedObjectPath, OwnedVariant, Variant, interface};

use super::options::{self, Filter, Options};
use crate::bus::{self, Error};
use crate::service::access::{self, Door};
use crate::service::engine::{Engine, in_micros, no_such_job};
use crate::service::link::Link;
use crate::service::series::{SeriesRow, fits};

/// The manager, at the root.
pub(in crate::service) struct Manager {
    pub(in crate::service) engine: Arc<Engine>,
    pub(in crate::service) door: Door,
    pub(in crate::service) link: Arc<Link>,
}

type ListedJob = (u32, OwnedObjectPath, String, String, String);

#[interface(interface = "org.vortexdata.Vortex1.Manager")]
impl Manager {
    #[zbus(out_args("id", "job"))]
    async fn update(
        &self,
        options: Options,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(u32, OwnedObjectPath), Error> {
        access::check(self.door, connection, &header).await?;
        let request = options::request(options)?;
        let caller = access::caller(self.door, connection, &header).await;
        let id = self.engine.update(request, caller.origin(), &caller.words()).await?;
        // Who asked may look at the job's object as soon as it knows the path.
        self.link.show(connection, &self.engine, self.door).await?;
        Ok((id, path(id)?))
    }

    #[zbus(out_args("jobs"))]
    async fn list_jobs(&self) -> Result<Vec<ListedJob>, Error> {
        let jobs: Vec<_> = self.engine.look(|state| {
            let all = state.jobs.values();
            all.map(|job| (job.id, job.origin.clone(), state.job_word(job), job.result.clone())).collect()
        });
        let listed = |(id, origin, state, result): (u32, String, &str, String)| {
            Ok((id, path(id)?, origin, state.to_owned(), result))
        };
        jobs.into_iter().map(listed).collect()
    }

    #[zbus(out_args("job"))]
    async fn get_job(&self, id: u32) -> Result<OwnedObjectPath, Error> {
        match self.engine.look(|state| state.jobs.contains_key(&id)) {
            true => path(id),
            false => Err(no_such_job(id)),
        }
    }

    async fn cancel_job(
        &self,
        id: u32,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        access::check(self.door, connection, &header).await?;
        self.engine.cancel(id).await
    }

    async fn pause(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        access::check(self.door, connection, &header).await?;
        self.engine.pause().await
    }

    async fn resume(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        access::check(self.door, connection, &header).await?;
        self.engine.resume().await
    }

    async fn reload(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        access::check(self.door, connection, &header).await?;
        self.engine.reload().await
    }

    #[zbus(out_args("series"))]
    async fn list_series(&self, filter: Options) -> Result<Vec<HashMap<String, OwnedVariant>>, Error> {
        let filter = options::filter(filter)?;
        self.engine.refresh().await;
        let index = self.engine.look(|state| Arc::clone(&state.series));
        index.rows.iter().filter(|row| wanted(&filter, row)).map(listed).collect()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    async fn version(&self) -> String {
        env!("CARGO_PKG_VERSION").to_owned()
    }

    #[zbus(property)]
    async fn state(&self) -> String {
        self.engine.look(|state| state.word().to_owned())
    }

    /// The words of `systemctl status`.
    #[zbus(property)]
    async fn status(&self) -> String {
        self.engine.look(|state| state.status())
    }

    #[zbus(property)]
    async fn paused(&self) -> bool {
        self.engine.look(|state| state.paused)
    }

    /// Whether a job waits for the network.
    #[zbus(property)]
    async fn offline(&self) -> bool {
        self.engine.look(|state| state.offline)
    }

    #[zbus(property(emits_changed_signal = "const"))]
    async fn archive_path(&self) -> String {
        self.engine.archive().root().display().to_string()
    }

    #[zbus(property)]
    async fn archive_bytes(&self) -> u64 {
        self.engine.look(|state| state.series.bytes)
    }

    #[zbus(property)]
    async fn series_count(&self) -> u64 {
        self.engine.look(|state| state.series.counts().all)
    }

    #[zbus(property)]
    async fn series_late(&self) -> u64 {
        self.engine.look(|state| state.series.counts().late)
    }

    #[zbus(property)]
    async fn series_failed(&self) -> u64 {
        self.engine.look(|state| state.series.counts().failed)
    }

    #[zbus(property)]
    async fn series_suspect(&self) -> u64 {
        self.engine.look(|state| state.series.counts().suspect)
    }

    #[zbus(property)]
    async fn series_held(&self) -> u64 {
        self.engine.look(|state| state.series.counts().held)
    }

    #[zbus(property)]
    async fn active_jobs(&self) -> u32 {
        self.engine.look(|state| u32::from(state.running.is_some()))
    }

    #[zbus(property)]
    async fn queued_jobs(&self) -> u32 {
        self.engine.look(|state| u32::try_from(state.queue.len()).unwrap_or(u32::MAX))
    }

    #[zbus(property)]
    async fn last_result(&self) -> String {
        self.engine.look(|state| state.last_result.clone())
    }

    #[zbus(property, name = "LastFinishedUSec")]
    async fn last_finished(&self) -> u64 {
        self.engine.look(|state| state.last_finished)
    }

    #[zbus(property, name = "NextRunUSec")]
    async fn next_run(&self) -> u64 {
        self.engine.look(|state| state.next_run)
    }

    #[zbus(property(emits_changed_signal = "const"), name = "StartedUSec")]
    async fn started(&self) -> u64 {
        self.engine.started
    }

    /// When the newest of the configuration's files was changed, of those that were read.
    #[zbus(property, name = "ConfigurationChangedUSec")]
    async fn configuration_changed(&self) -> u64 {
        self.engine.configuration_changed()
    }

    #[zbus(signal)]
    pub(in crate::service) async fn job_new(
        emitter: &zbus::object_server::SignalEmitter<'_>,
        id: u32,
        job: OwnedObjectPath,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    pub(in crate::service) async fn job_removed(
        emitter: &zbus::object_server::SignalEmitter<'_>,
        id: u32,
        job: OwnedObjectPath,
        result: String,
    ) -> zbus::Result<()>;
}

fn path(id: u32) -> Result<OwnedObjectPath, Error> {
    OwnedObjectPath::try_from(bus::job_path(id)).map_err(Error::ZBus)
}

fn wanted(filter: &Filter, row: &SeriesRow) -> bool {
    let key = &row.key;
    let is = |filter: &Option<String>, value: &str| filter.as_ref().is_none_or(|wanted| wanted == value);
    is(&filter.provider, &key.provider)
        && filter.symbol.as_ref().is_none_or(|pattern| fits(pattern, &key.symbol))
        && is(&filter.class, key.class.name())
        && is(&filter.contract, &contract(row))
        && is(&filter.period, key.period.name())
        && (filter.states.is_empty() || filter.states.iter().any(|state| state == row.status.word()))
}

/// The stored name of a dated contract; empty for other series.
fn contract(row: &SeriesRow) -> String {
    row.key.contract.map_or_else(String::new, |_| row.key.name())
}

/// A row as it goes over the bus; instants in µs since the epoch, none and before it are 0.
fn listed(row: &SeriesRow) -> Result<HashMap<String, OwnedVariant>, Error> {
    let (key, stamp) = (&row.key, |stamp: Option<i64>| in_micros(stamp.unwrap_or(0)));
    let values: [(&str, Variant<'_>); 10] = [
        ("provider", key.provider.as_str().into()),
        ("symbol", key.symbol.as_str().into()),
        ("class", key.class.name().into()),
        ("contract", contract(row).into()),
        ("period", key.period.name().into()),
        ("first", stamp(row.first).into()),
        ("last", stamp(row.last).into()),
        ("bars", row.bars.into()),
        ("state", row.status.word().into()),
        ("reason", row.reason.as_str().into()),
    ];
    let owned = |(name, value): (&str, Variant<'_>)| {
        let value = OwnedVariant::try_from(value).map_err(Error::ZBus)?;
        Ok((name.to_owned(), value))
    };
    values.into_iter().map(owned).collect()
}
