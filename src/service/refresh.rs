//! What the service shows of the archive and of the limits, read again where it may have changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use super::engine::{Engine, archive_busy, blocking, in_micros, micros};
use super::series::SeriesIndex;
use super::state::ProviderView;
use crate::bus::Error;
use crate::provider::limits::ThrottleError;
use crate::provider::{limits, sample, yahoo};

/// An index of the series is read anew after so many seconds, because series become late by themselves.
const INDEX_AGE: i64 = 3600;

/// The readings there were, and whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Refreshes {
    begun: AtomicU64,
    turn: Mutex<()>,
}

impl Engine {
    /// Reads again, where the last time is long ago.
    pub(super) async fn refresh_if_old(self: &Arc<Self>) {
        let age = (micros() / 1_000_000) as i64 - self.look(|state| state.series.made);
        if !(0..INDEX_AGE).contains(&age) {
            self.refresh().await;
        }
    }

    /// Reads again what the catalogue and the ledger of limits say, where that may have changed. Many who ask
    /// at once share a reading: one that began after they asked.
    pub(super) async fn refresh(self: &Arc<Self>) {
        let asked = self.refreshes.begun.load(Ordering::SeqCst);
        let _turn = self.refreshes.turn.lock().await;
        if self.refreshes.begun.load(Ordering::SeqCst) > asked {
            return;
        }
        self.refreshes.begun.fetch_add(1, Ordering::SeqCst);
        let engine = Arc::clone(self);
        let read = blocking(move || engine.read_again()).await;
        if let Err(error) | Ok(Err(error)) = read {
            tracing::warn!("the state of the archive cannot be read: {error}");
        }
    }

    fn read_again(&self) -> Result<(), Error> {
        let now = (micros() / 1_000_000) as i64;
        let known = self.look(|state| Arc::clone(&state.series));
        let version = self.archive().version().map_err(archive_busy)?;
        if known.version != version || !(0..INDEX_AGE).contains(&(now - known.made)) {
            let index = SeriesIndex::read(self.archive(), now).map_err(archive_busy)?;
            self.change(|state| state.series = Arc::new(index));
        }
        let providers = self.providers().map_err(|error| Error::ArchiveBusy(error.to_string()))?;
        if self.look(|state| state.providers != providers) {
            self.change(|state| state.providers = providers);
        }
        Ok(())
    }

    fn providers(&self) -> Result<BTreeMap<&'static str, ProviderView>, ThrottleError> {
        let config = self.config();
        let standings = self.throttle.snapshot()?;
        let view = |name: &'static str| {
            let mut view = ProviderView { state: "ready", ..ProviderView::default() };
            if let Some(of) = standings.iter().find(|standing| standing.provider == name) {
                view.state = of.state.name();
                view.quota_used = u32::try_from(of.requests_today).unwrap_or(u32::MAX);
                view.retry_after = match of.state {
                    limits::State::Ready => 0,
                    limits::State::Limited { until } | limits::State::Broken { until } => in_micros(until),
                };
                view.last_error = of.last_error.clone();
                view.last_success = in_micros(of.last_success);
            }
            if name == yahoo::NAME && !config.yahoo.enabled {
                view.state = "off";
            }
            (name, view)
        };
        Ok([yahoo::NAME, sample::NAME].into_iter().map(view).collect())
    }
}
