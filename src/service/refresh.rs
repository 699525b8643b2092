//! What the service shows of the archive and of the limits, read again where it may have changed.

use std::collections::{BTreeMap, HashSet};
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use tokio::sync::Mutex;

use super::engine::{Engine, archive_busy, blocking, in_micros, micros};
use super::series::{Awaited, SeriesIndex};
use super::state::ProviderView;
use crate::archive::ArchiveError;
use crate::bus::Error;
use crate::config::Config;
use crate::download::Target;
use crate::model::Day;
use crate::provider::limits;
use crate::provider::limits::ThrottleError;
use crate::request::Request;
use crate::request::source::{self, Readiness};

/// An index of the series is read anew after so many seconds, because series become late by themselves.
const INDEX_AGE: i64 = 3600;

/// The readings there were, and whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Refreshes {
    begun: AtomicU64,
    turn: Mutex<()>,
    /// The lists may be others than when the series were read.
    relisted: AtomicBool,
    /// What runs bring up to date by themselves, as of a date.
    awaited: std::sync::Mutex<Option<(Day, Arc<Vec<Awaited>>)>>,
}

impl Refreshes {
    /// The next reading looks at the series anew.
    pub(super) fn relist(&self) {
        self.relisted.store(true, Ordering::SeqCst);
    }

    /// Has a reading look at the series anew where that is due; after one that failed it still is.
    fn relisting<T, E>(&self, read: impl FnOnce(bool) -> Result<T, E>) -> Result<T, E> {
        let relisted = self.relisted.swap(false, Ordering::SeqCst);
        let read = read(relisted);
        if relisted && read.is_err() {
            self.relist();
        }
        read
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

    /// The same without waiting for it; where a reading is at work, that will do.
    pub(super) fn refresh_apart(self: &Arc<Self>) {
        if self.refreshes.turn.try_lock().is_ok() {
            let engine = Arc::clone(self);
            tokio::spawn(async move { engine.refresh().await });
        }
    }

    fn read_again(&self) -> Result<(), Error> {
        self.refreshes.relisting(|relisted| self.read_series(relisted)).map_err(archive_busy)?;
        let providers = self.providers().map_err(|error| Error::ArchiveBusy(error.to_string()))?;
        if self.look(|state| state.providers != providers) {
            self.change(|state| state.providers = providers);
        }
        Ok(())
    }

    fn read_series(&self, relisted: bool) -> Result<(), ArchiveError> {
        let now = (micros() / 1_000_000) as i64;
        let known = self.look(|state| Arc::clone(&state.series));
        let version = self.archive().version()?;
        let awaited = self.awaited(relisted);
        if relisted || known.version != version || !(0..INDEX_AGE).contains(&(now - known.made)) {
            let index = SeriesIndex::read(self.archive(), &self.lists(), &awaited, now)?;
            self.change(|state| state.series = Arc::new(index));
        }
        Ok(())
    }

    /// The series that runs bring up to date by themselves, of the day; `anew` where the lists may be others.
    fn awaited(&self, anew: bool) -> Arc<Vec<Awaited>> {
        let today = Day::of_utc((source::clock())());
        let mut known = self.refreshes.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((day, awaited)) = known.as_ref().filter(|_| !anew)
            && *day == today
        {
            return Arc::clone(awaited);
        }
        let awaited = Arc::new(awaited(&self.config(), &self.requests()));
        *known = Some((today, Arc::clone(&awaited)));
        awaited
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
            let readiness = source::readiness(&config, name);
            let asked = view.quota_used > 0 || view.last_success > 0;
            if let Some(why) = readiness.why().filter(|_| readiness != Readiness::Unused || !asked) {
                (view.state, view.last_error) = (readiness.word(), why.to_owned());
            }
            Ok((name, view))
        };
        source::ASKED.iter().copied().map(view).collect()
    }
}

/// The series of some requests, each once. Those of a request that is refused are not known; its job says why.
fn awaited(config: &Config, requests: &[Request]) -> Vec<Awaited> {
    let (mut awaited, mut seen) = (Vec::new(), HashSet::new());
    for (at, request) in requests.iter().enumerate() {
        // A list that can be read only once is left to the run.
        let once = request.assets.as_ref().is_some_and(|file| !file.is_file());
        if requests[..at].contains(request) || request.dry_run || once {
            continue;
        }
        let Ok((provider, targets)) = request.resolve(config) else { continue };
        for Target { instrument, key, .. } in targets {
            if seen.insert(key.clone()) {
                let unserved = provider.limits(instrument.class, key.period).err();
                awaited.push(Awaited { key, unserved });
            }
        }
    }
    awaited
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_that_failed_is_still_due() {
        let refreshes = Refreshes::default();
        refreshes.relist();
        assert_eq!(refreshes.relisting(Err::<(), _>), Err(true));
        assert_eq!(refreshes.relisting(Ok::<_, ()>), Ok(true));
        assert_eq!(refreshes.relisting(Err::<(), _>), Err(false));
        assert_eq!(refreshes.relisting(Ok::<_, ()>), Ok(false));
    }

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
