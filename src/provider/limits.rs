//! A provider's limits, kept across restarts, processes and archives: they belong to the account and
//! the address, so the ledger is one small SQLite file in the state folder. Rate slots are reserved
//! in it, a refusal opens the provider's circuit in it.

mod allowance;
mod ledger;
pub mod pacing;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::ErrorCode;
use thiserror::Error;

pub use self::allowance::{Allowance, Quota, RESET_MARGIN, Spent};
pub use self::ledger::Standing;
use self::ledger::{Ledger, Slots};
use super::http::HttpError;
use super::{RawAnswer, Refusal};
use crate::disk;

/// What can go wrong with the ledger. Each message tells its cause, which is therefore no
/// [`source`](std::error::Error::source), to be told again: `r#source` is a field like any other.
#[derive(Debug, Error)]
pub enum ThrottleError {
    /// The folder or file cannot be made.
    #[error("{}: {source}{}", path.display(), writable(source.kind()))]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        r#source: std::io::Error,
    },
    /// SQLite refuses.
    #[error("{}: {source}{}", path.display(), remedy(path, source))]
    Database {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        r#source: rusqlite::Error,
    },
    /// Something else stands in the place of the file or of its journal.
    #[error("{} is a {kind}, and a file is to be here; move it away: only rate limits, cool-downs and what was counted today are lost", path.display())]
    InTheWay {
        /// The place.
        path: PathBuf,
        /// What stands there, in a word.
        kind: &'static str,
    },
    /// Made by a newer version.
    #[error("{} was written by a newer Vortex (schema {found}, this one knows {known}): install that version or delete the file", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema version found.
        found: i64,
        /// The newest schema version known.
        known: i64,
    },
}

impl ThrottleError {
    /// Whether there was no room on the disk.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Io { source, .. } => disk::is_full(source),
            Self::Database { path, source } => disk::make_room(path, source).is_some(),
            Self::Newer { .. } | Self::InTheWay { .. } => false,
        }
    }
}

/// What to do about what SQLite refused.
fn remedy(path: &Path, refused: &rusqlite::Error) -> &'static str {
    match refused.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "; delete it: only rate limits, cool-downs and what was counted today are lost"
        }
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            disk::make_room(path, refused).unwrap_or(MAKE_WRITABLE)
        }
        _ => disk::make_room(path, refused).unwrap_or_default(),
    }
}

/// What to do where the state folder cannot be written.
const MAKE_WRITABLE: &str = "; what providers may be asked is counted there: let this user write to that folder, or name another state folder by XDG_STATE_HOME";

fn writable(refused: ErrorKind) -> &'static str {
    let closed = matches!(refused, ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem);
    if closed { MAKE_WRITABLE } else { "" }
}

/// Whether a provider may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It may.
    Ready,
    /// It asked to be left alone until then, in seconds since the epoch.
    Limited {
        /// When the cool-down ends.
        until: i64,
    },
    /// It failed again and again; it is tried once more then.
    Broken {
        /// When it is tried again, in seconds since the epoch.
        until: i64,
    },
}

impl State {
    /// `ready`, `limited` or `broken`, as in tables and on D-Bus.
    pub const fn name(self) -> &'static str {
        match self {
            State::Ready => "ready",
            State::Limited { .. } => "limited",
            State::Broken { .. } => "broken",
        }
    }
}

/// Rate limits and circuits of all providers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Throttle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    ledger: Mutex<Ledger>,
    /// Slots reserved but not yet used, and what is known of each provider without asking the file.
    known: Mutex<HashMap<String, Known>>,
}

#[derive(Debug, Default)]
struct Known {
    slots: Slots,
    /// Slots used since they were last counted in the file.
    used: i64,
    state: Option<State>,
    /// When a success was last written, in seconds since the epoch.
    success_written: i64,
}

/// The file in the state folder.
pub const FILE: &str = "limits.db";

impl Drop for Shared {
    /// Counts the requests since the last reservation.
    fn drop(&mut self) {
        let (Ok(ledger), Ok(known)) = (self.ledger.get_mut(), self.known.get_mut()) else { return };
        for (provider, known) in known.iter().filter(|(_, known)| known.used > 0) {
            if let Err(error) = ledger.count(provider, known.used, micros() / MICROS) {
                tracing::warn!("requests to {provider} could not be counted: {error}");
            }
        }
    }
}

/// A success is written at most this often while all is well, in seconds.
const SUCCESS_EVERY: i64 = 10;

impl Throttle {
    /// Opens `limits.db` in the state folder, making both where they are missing.
    pub fn open(state_directory: &Path) -> Result<Throttle, ThrottleError> {
        Ok(Throttle::with(Ledger::open(&state_directory.join(FILE))?))
    }

    /// Opens `limits.db` to look at it, making and migrating nothing; where it is missing nothing is known.
    pub fn open_to_read(state_directory: &Path) -> Result<Throttle, ThrottleError> {
        let path = state_directory.join(FILE);
        if path.exists() { Ok(Throttle::with(Ledger::open_to_read(&path)?)) } else { Throttle::in_memory() }
    }

    /// One that is kept nowhere, for who asks nothing.
    pub fn in_memory() -> Result<Throttle, ThrottleError> {
        Ok(Throttle::with(Ledger::in_memory()?))
    }

    fn with(ledger: Ledger) -> Throttle {
        Throttle { shared: Arc::new(Shared { ledger: Mutex::new(ledger), known: Mutex::default() }) }
    }

    /// Waits for the next free slot of a provider. Refuses at once where its circuit is open, and
    /// after the wait where it was opened meanwhile. Dropped while waiting, it costs one slot.
    pub async fn admit(&self, provider: &'static str, per_minute: u32) -> Result<(), Refusal> {
        let slot = match self.reserved(provider, micros()) {
            Some(slot) => slot,
            None => {
                let throttle = self.clone();
                tokio::task::spawn_blocking(move || throttle.slot(provider, per_minute, micros()))
                    .await
                    .map_err(|error| unavailable(provider, &error))??
            }
        };
        let wait = slot.saturating_sub(micros());
        if let Some(wait) = u64::try_from(wait).ok().filter(|wait| *wait > 0) {
            tokio::time::sleep(Duration::from_micros(wait)).await;
        }
        let state = self.known().get(provider).and_then(|known| known.state);
        refusal(provider, state.unwrap_or(State::Ready), micros() / MICROS)
    }

    /// The next of the slots reserved already, without a look at the file.
    fn reserved(&self, provider: &'static str, now: i64) -> Option<i64> {
        // Somebody who waits for the file may hold it: then this one waits there too.
        let mut known = self.shared.known.try_lock().ok()?;
        let known = known.get_mut(provider)?;
        let slot = known.slots.take(now)?;
        known.used += 1;
        Some(slot)
    }

    /// The instant of the next free slot at `now`, both in µs since the epoch.
    fn slot(&self, provider: &'static str, per_minute: u32, now: i64) -> Result<i64, Refusal> {
        let mut known = self.known();
        let known = known.entry(provider.to_owned()).or_default();
        if let Some(slot) = known.slots.take(now) {
            known.used += 1;
            return Ok(slot);
        }
        let mut ledger = self.ledger();
        let state = ledger.state(provider, now / MICROS).map_err(|error| unavailable(provider, &error))?;
        known.state = Some(state);
        refusal(provider, state, now / MICROS)?;
        known.slots = ledger
            .reserve(provider, per_minute, now, known.used)
            .map_err(|error| unavailable(provider, &error))?;
        known.used = 1;
        Ok(known.slots.take(now).unwrap_or(now))
    }

    /// The provider refused for its rate limit: opens its circuit, at least a quarter of an hour and
    /// longer each time in a row, or as long as it asked (`retry_after`, in seconds). Tells until
    /// when, in seconds since the epoch.
    pub fn limited(
        &self,
        provider: &str,
        retry_after: Option<i64>,
        said: &str,
    ) -> Result<i64, ThrottleError> {
        self.limited_at(provider, retry_after, said, micros() / MICROS)
    }

    fn limited_at(
        &self,
        provider: &str,
        retry_after: Option<i64>,
        said: &str,
        now: i64,
    ) -> Result<i64, ThrottleError> {
        let until = self.ledger().limited(provider, retry_after, said, now)?;
        let mut known = self.known();
        let known = known.entry(provider.to_owned()).or_default();
        known.state = Some(State::Limited { until });
        known.slots = Slots::default();
        known.success_written = 0;
        Ok(until)
    }

    /// It answered 429: opens its circuit for as long as it asked, and tells the refusal.
    pub(super) fn too_many_requests(&self, provider: &'static str, raw: &RawAnswer) -> Refusal {
        let said = "it answered 429, too many requests";
        match self.limited(provider, raw.retry_after(), said) {
            Ok(until) => Refusal::Limited { provider, until, said: said.to_owned() },
            Err(error) => unavailable(provider, &error),
        }
    }

    /// A request got no answer: counts against the provider, and tells the refusal.
    pub(super) fn no_answer(&self, provider: &'static str, error: HttpError) -> Refusal {
        self.failed(provider, &error.to_string());
        error.into_refusal(provider)
    }

    /// The provider could not be reached or failed. Several times in a row break its circuit.
    pub fn failed(&self, provider: &str, said: &str) {
        note(provider, self.fail(provider, said));
    }

    /// The provider answered: closes its circuit.
    pub fn succeeded(&self, provider: &str) {
        note(provider, self.succeed(provider));
    }

    fn fail(&self, provider: &str, said: &str) -> Result<(), ThrottleError> {
        let now = micros() / MICROS;
        let state = self.ledger().failed(provider, said, now)?;
        let mut known = self.known();
        let known = known.entry(provider.to_owned()).or_default();
        known.state = Some(state);
        known.success_written = 0;
        Ok(())
    }

    fn succeed(&self, provider: &str) -> Result<(), ThrottleError> {
        let now = micros() / MICROS;
        let mut known = self.known();
        let known = known.entry(provider.to_owned()).or_default();
        if now - known.success_written >= SUCCESS_EVERY {
            let mut ledger = self.ledger();
            ledger.succeeded(provider, now)?;
            known.success_written = now;
            known.state = Some(ledger.state(provider, now)?);
        }
        Ok(())
    }

    /// Whether the provider may be asked now.
    pub fn state(&self, provider: &str) -> Result<State, ThrottleError> {
        self.ledger().state(provider, micros() / MICROS)
    }

    /// Forgets a provider's circuit and waiting time. The day's count stays.
    pub fn reset(&self, provider: &str) -> Result<(), ThrottleError> {
        self.ledger().reset(provider)?;
        if let Some(known) = self.known().get_mut(provider) {
            *known = Known { used: known.used, ..Known::default() };
        }
        Ok(())
    }

    /// What is known of every provider that was ever asked, by name.
    pub fn snapshot(&self) -> Result<Vec<Standing>, ThrottleError> {
        self.snapshot_at(micros() / MICROS)
    }

    fn snapshot_at(&self, now: i64) -> Result<Vec<Standing>, ThrottleError> {
        let mut known = self.known();
        let mut ledger = self.ledger();
        for (provider, known) in known.iter_mut().filter(|(_, known)| known.used > 0) {
            ledger.count(provider, std::mem::take(&mut known.used), now)?;
        }
        ledger.snapshot(now)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        let ledger = self.shared.ledger.lock();
        ledger.unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        let known = self.shared.known.lock();
        known.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Microseconds in a second.
const MICROS: i64 = 1_000_000;

/// This machine's clock, in µs since the epoch.
fn micros() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
}

/// A random number from 0 up to `below`, for spreading retries.
pub(crate) fn jitter(below: u64) -> u64 {
    RandomState::new().hash_one(0u8) % below.max(1)
}

fn refusal(provider: &'static str, state: State, now: i64) -> Result<(), Refusal> {
    match state {
        State::Limited { until } if until > now => Err(Refusal::Limited {
            provider,
            until,
            said: "it refused earlier requests; `vortex resilience` shows why".to_owned(),
        }),
        State::Broken { until } if until > now => Err(Refusal::Unavailable {
            provider,
            said: format!(
                "it failed several times in a row and is left alone until {}; `vortex resilience` shows why",
                crate::model::day::instant(until)
            ),
        }),
        _ => Ok(()),
    }
}

/// The ledger may not have taken something in: that is told, and the answer at hand is good all the same.
pub(super) fn note(provider: &str, noted: Result<(), ThrottleError>) {
    if let Err(error) = noted {
        tracing::warn!("the limits of {provider} could not be noted: {error}");
    }
}

/// Without its ledger nothing is asked: nobody would know what is left.
pub(super) fn unavailable(provider: &'static str, error: &dyn std::error::Error) -> Refusal {
    Refusal::Unavailable { provider, said: format!("its limits cannot be kept: {error}") }
}
