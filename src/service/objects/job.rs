//! A job's object.

use std::sync::Arc;

use zbus::message::Header;
use zbus::{Connection, interface};

use crate::bus::Error;
use crate::service::access::{self, Door};
use crate::service::engine::{Engine, no_such_job};
use crate::service::state::JobView;

/// One job, as long as the engine knows it.
pub(in crate::service) struct JobObject {
    pub(in crate::service) engine: Arc<Engine>,
    pub(in crate::service) door: Door,
    pub(in crate::service) id: u32,
}

impl JobObject {
    fn view<T>(&self, look: impl FnOnce(&JobView) -> T) -> zbus::fdo::Result<T> {
        let found = self.engine.look(|state| state.jobs.get(&self.id).map(look));
        found.ok_or_else(|| zbus::fdo::Error::UnknownObject(no_such_job(self.id).to_string()))
    }
}

#[interface(interface = "org.vortexdata.Vortex1.Job")]
impl JobObject {
    async fn cancel(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        access::check(self.door, connection, &header).await?;
        self.engine.cancel(self.id).await
    }

    #[zbus(property(emits_changed_signal = "const"))]
    async fn id(&self) -> u32 {
        self.id
    }

    #[zbus(property(emits_changed_signal = "const"))]
    async fn origin(&self) -> zbus::fdo::Result<String> {
        self.view(|job| job.origin.clone())
    }

    #[zbus(property)]
    async fn state(&self) -> zbus::fdo::Result<String> {
        self.view(|job| job.phase.word().to_owned())
    }

    #[zbus(property)]
    async fn result(&self) -> zbus::fdo::Result<String> {
        self.view(|job| job.result.clone())
    }

    #[zbus(property)]
    async fn series_total(&self) -> zbus::fdo::Result<u32> {
        self.view(|job| job.series)
    }

    #[zbus(property)]
    async fn series_done(&self) -> zbus::fdo::Result<u32> {
        self.view(|job| job.done)
    }

    #[zbus(property)]
    async fn series_failed(&self) -> zbus::fdo::Result<u32> {
        self.view(|job| job.failed)
    }

    #[zbus(property)]
    async fn series_current(&self) -> zbus::fdo::Result<u32> {
        self.view(|job| job.current)
    }

    #[zbus(property)]
    async fn rows_added(&self) -> zbus::fdo::Result<u64> {
        self.view(|job| job.rows_added)
    }

    #[zbus(property)]
    async fn bytes_fetched(&self) -> zbus::fdo::Result<u64> {
        self.view(|job| job.bytes_fetched)
    }

    #[zbus(property)]
    async fn current(&self) -> zbus::fdo::Result<String> {
        self.view(|job| job.current().to_owned())
    }

    #[zbus(property(emits_changed_signal = "const"))]
    async fn client(&self) -> zbus::fdo::Result<String> {
        self.view(|job| job.client.clone())
    }

    #[zbus(property, name = "StartedUSec")]
    async fn started(&self) -> zbus::fdo::Result<u64> {
        self.view(|job| job.started)
    }

    #[zbus(property, name = "FinishedUSec")]
    async fn finished(&self) -> zbus::fdo::Result<u64> {
        self.view(|job| job.finished)
    }

    #[zbus(property)]
    async fn error(&self) -> zbus::fdo::Result<String> {
        self.view(|job| job.error.clone())
    }
}
