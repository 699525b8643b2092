//! What the service shows of the archive and of the limits, read again where it may have changed.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Mutex;

use super::engine::{Engine, archive_busy, blocking, in_micros, micros};
use super::series::SeriesIndex;
use super::state::ProviderView;
use crate::bus::Error;
use crate::provider::limits::ThrottleError;
use crate::provider::{limits, yahoo};
use crate::request::source;

/// An index of the series is read anew after so many seconds, because series become late by themselves.
const INDEX_AGE: i64 = 3600;

/// The readings there were, and whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Refreshes {
    begun: AtomicU64,
    turn: Mutex<()>,
    /// The lists may be others than when the series were read.
    relisted: AtomicBool,
}

impl Refreshes {
    /// The next reading looks at the series anew.
    pub(super) fn relist(&self) {
        self.relisted.store(true, Ordering::SeqCst);
    }

    /// Reads, unless a reading was made that began after this was asked for: many who ask at once share one.
    async fn share(&self, reading: impl Future<Output = ()>) {
        let asked = self.begun.load(Ordering::SeqCst);
        let _turn = self.turn.lock().await;
        if self.begun.load(Ordering::SeqCst) == asked {
            self.begun.fetch_add(1, Ordering::SeqCst);
            reading.await;
        }
    }
}

impl Engine {
    /// Reads again, where the last time is long ago.
    pub(super) async fn refresh_if_old(self: &Arc<Self>) {
        let age = (micros() / 1_000_000) as i64 - self.look(|state| state.series.made);
        if !(0..INDEX_AGE).contains(&age) {
            self.refresh().await;
        }
    }

    /// Reads again what the catalogue and the ledger of limits say, where that may have changed.
    pub(super) async fn refresh(self: &Arc<Self>) {
        let reading = async {
            let engine = Arc::clone(self);
            let read = blocking(move || engine.read_again()).await;
            if let Err(error) | Ok(Err(error)) = read {
                tracing::warn!("the state of the archive cannot be read: {error}");
            }
        };
        self.refreshes.share(reading).await;
    }

    fn read_again(&self) -> Result<(), Error> {
        let now = (micros() / 1_000_000) as i64;
        let known = self.look(|state| Arc::clone(&state.series));
        let version = self.archive().version().map_err(archive_busy)?;
        let relisted = self.refreshes.relisted.swap(false, Ordering::SeqCst);
        if relisted || known.version != version || !(0..INDEX_AGE).contains(&(now - known.made)) {
            let index = SeriesIndex::read(self.archive(), &self.lists(), now).map_err(archive_busy)?;
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
        let now = (micros() / 1_000_000) as i64;
        let view = |name: &'static str| -> Result<_, ThrottleError> {
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
            if let Some(quota) = source::quota(&config, name) {
                view.show(&self.throttle.allowance(&quota, now)?);
            }
            if let Some(until) = source::window(&self.throttle, name, now)?.and_then(|window| window.until) {
                (view.state, view.retry_after) = ("limited", in_micros(until));
            }
            if name == yahoo::NAME && !config.yahoo.enabled {
                view.state = "off";
            }
            Ok((name, view))
        };
        source::ASKED.iter().copied().map(view).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_asks_at_once_shares_a_reading_that_began_after_he_asked() {
        let (refreshes, read) = (Refreshes::default(), AtomicU64::new(0));
        let ask = || {
            refreshes.share(async {
                read.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
            })
        };
        futures_util::future::join_all((0..50).map(|_| ask())).await;
        // The second began after all the others had asked.
        assert_eq!(read.load(Ordering::SeqCst), 2);
        // What begins before somebody asks may be too old for him.
        let (early, late) = (ask(), async {
            tokio::task::yield_now().await;
            ask().await;
        });
        tokio::join!(early, late);
        assert_eq!(read.load(Ordering::SeqCst), 4);
    }
}
