//! A provider's object.

use std::sync::Arc;
use std::time::{Duration, Instant};

use zbus::message::Header;
use zbus::{Connection, interface};

use crate::bus::Error;
use crate::request::source;
use crate::service::access::{self, Door};
use crate::service::engine::Engine;
use crate::service::state::ProviderView;

/// A test that takes longer than this has failed; D-Bus callers give up at 25 seconds.
const TEST_TIME: Duration = Duration::from_secs(20);

/// One provider.
pub(in crate::service) struct ProviderObject {
    pub(in crate::service) engine: Arc<Engine>,
    pub(in crate::service) door: Door,
    pub(in crate::service) name: &'static str,
}

impl ProviderObject {
    fn view<T: Default>(&self, look: impl FnOnce(&ProviderView) -> T) -> T {
        self.engine.look(|state| state.providers.get(self.name).map(look)).unwrap_or_default()
    }
}

#[interface(interface = "org.vortexdata.Vortex1.Provider")]
impl ProviderObject {
    #[zbus(out_args("ok", "message", "milliseconds"))]
    async fn test(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(bool, String, u32), Error> {
        access::check(self.door, connection, &header).await?;
        let began = Instant::now();
        let said = match source::provider(&self.engine.config(), self.name) {
            Ok(provider) => match tokio::time::timeout(TEST_TIME, provider.test()).await {
                Ok(said) => said,
                Err(_) => Err(format!("no answer within {} seconds", TEST_TIME.as_secs())),
            },
            Err(refused) => Err(refused.to_string()),
        };
        let took = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
        self.engine.refresh().await;
        let ok = said.is_ok();
        let (Ok(message) | Err(message)) = said;
        Ok((ok, message, took))
    }

    async fn reset(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), Error> {
        access::check(self.door, connection, &header).await?;
        self.engine.reset_provider(self.name).await
    }

    #[zbus(property(emits_changed_signal = "const"))]
    async fn name(&self) -> String {
        self.name.to_owned()
    }

    #[zbus(property)]
    async fn state(&self) -> String {
        self.view(|provider| provider.state.to_owned())
    }

    #[zbus(property)]
    async fn quota_limit(&self) -> u32 {
        self.view(|provider| provider.quota_limit)
    }

    #[zbus(property)]
    async fn quota_used(&self) -> u32 {
        self.view(|provider| provider.quota_used)
    }

    #[zbus(property, name = "QuotaResetsUSec")]
    async fn quota_resets(&self) -> u64 {
        self.view(|provider| provider.quota_resets)
    }

    #[zbus(property, name = "RetryAfterUSec")]
    async fn retry_after(&self) -> u64 {
        self.view(|provider| provider.retry_after)
    }

    #[zbus(property)]
    async fn last_error(&self) -> String {
        self.view(|provider| provider.last_error.clone())
    }

    #[zbus(property, name = "LastSuccessUSec")]
    async fn last_success(&self) -> u64 {
        self.view(|provider| provider.last_success)
    }
}
