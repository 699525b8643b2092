//! The limits of a provider that counts what was asked lately: requests in a time, the same one again, many of
//! one thing. What was asked stands in the ledger, so that all processes of a user count together.
//!
//! A request is counted from its answer on, and while it is open as if it were asked now: the provider counts
//! when it gets it, which is before. One that a process left open when it died was answered when that is seen.
//! Ages are told by the time since the machine was started, which nobody sets; by the calendar only those from
//! before that.

mod ahead;
mod owner;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rusqlite::{Connection, params};

use self::owner::Owner;
use super::{MICROS, Throttle, ThrottleError, micros, unavailable};
use crate::provider::Refusal;

/// What time it is, and how it is waited for.
pub trait Time: Send + Sync {
    /// µs since the machine was started, those in which it slept too.
    fn since_boot(&self) -> i64;

    /// µs since the epoch, as somebody may set them.
    fn calendar(&self) -> i64;

    /// Waits so many µs.
    fn sleep(&self, micros: i64) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// This machine's time.
#[derive(Clone, Copy, Debug)]
pub struct MachineTime;

impl Time for MachineTime {
    fn since_boot(&self) -> i64 {
        owner::uptime().unwrap_or_else(micros)
    }

    fn calendar(&self) -> i64 {
        micros()
    }

    fn sleep(&self, micros: i64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(Duration::from_micros(micros.unsigned_abs())))
    }
}

/// What may be asked. Times in µs; each is kept a second longer, for clocks that differ.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// No request may be repeated within this time.
    pub identical: i64,
    /// Fewer than so much of one thing within this time, by the weight of requests.
    pub of_one: (i64, i64),
    /// At most so much within this time, by the weight of requests.
    pub all: (i64, i64),
    /// At most so many open at once.
    pub open: usize,
}

const MARGIN: i64 = MICROS;
/// A request is taken to be open for so long at most, in µs: longer than any is waited for.
const OPEN_FOR: i64 = 3600 * MICROS;
/// How often is looked again where only an answer can help, in µs.
const LOOK_EVERY: i64 = MICROS / 4;
/// What is waited for altogether before it is told, in µs.
const LONG: i64 = 5 * MICROS;
/// It is told again after so long, in µs.
const TOLD_EVERY: i64 = 600 * MICROS;

/// A request, as it is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Everything that makes it the same as another.
    pub identity: String,
    /// The thing it is of.
    pub of: String,
    /// How much it counts.
    pub weight: u32,
}

/// Keeps the rules of one provider.
#[derive(Clone)]
pub struct Pacing {
    throttle: Throttle,
    time: Arc<dyn Time>,
    provider: &'static str,
    rules: Rules,
    owner: Owner,
    /// When a wait was last told, for all who wait here.
    told: Arc<AtomicI64>,
}

impl fmt::Debug for Pacing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pacing").field("provider", &self.provider).field("rules", &self.rules).finish()
    }
}

/// A request that is open, until it is dropped.
#[derive(Debug)]
pub struct Open {
    pacing: Pacing,
    id: i64,
}

/// A request in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Counted {
    identity: String,
    of: String,
    weight: i64,
    /// How long ago it was answered, in µs; 0 while it is open.
    age: i64,
    open: bool,
}

impl Pacing {
    /// The rules of a provider, on a clock.
    pub fn new(throttle: Throttle, time: Arc<dyn Time>, provider: &'static str, rules: Rules) -> Pacing {
        let told = Arc::new(AtomicI64::new(i64::MIN));
        Pacing { throttle, time, provider, rules, owner: Owner::this(), told }
    }

    /// Waits until a request may be made.
    pub async fn enter(&self, ask: &Ask) -> Result<Open, Refusal> {
        let mut waited = 0;
        loop {
            match self.enter_now(ask).await? {
                Ok(open) => return Ok(open),
                Err(wait) => {
                    waited += wait;
                    if waited >= LONG {
                        self.tell(wait);
                    }
                    self.time.sleep(wait).await;
                }
            }
        }
    }

    /// A request that may be made now, or how long it has to wait, in µs.
    pub async fn enter_now(&self, ask: &Ask) -> Result<Result<Open, i64>, Refusal> {
        let (pacing, asked) = (self.clone(), ask.clone());
        let entered = tokio::task::spawn_blocking(move || pacing.try_enter(&asked))
            .await
            .map_err(|error| unavailable(self.provider, &error))?
            .map_err(|error| unavailable(self.provider, &error))?;
        Ok(entered.map(|id| Open { pacing: self.clone(), id }))
    }

    /// Says once for all who wait that there is a wait.
    fn tell(&self, wait: i64) {
        let now = self.time.since_boot();
        let before = self.told.load(Ordering::Relaxed);
        let due = before == i64::MIN || now - before >= TOLD_EVERY;
        if due && self.told.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let until = crate::model::day::instant((self.time.calendar() + wait) / MICROS);
            tracing::info!(
                "waiting until {until} or longer, as the limits of {} want it; `vortex resilience` shows how full they are",
                self.provider
            );
        }
    }

    /// The provider says that a limit was broken all the same: nothing more for as long as it counts back. Tells
    /// how long that is, in seconds.
    pub fn violated(&self) -> Result<i64, ThrottleError> {
        self.throttle.ledger().transaction(|ledger| {
            prepare(ledger)?;
            let id = self.insert(ledger, ("", ""), self.rules.all.0)?;
            self.answered(ledger, id)
        })?;
        Ok((self.rules.all.1 + MARGIN) / MICROS)
    }

    /// Notes a request and tells its number, or how long to wait before it may be tried, in µs.
    fn try_enter(&self, ask: &Ask) -> Result<Result<i64, i64>, ThrottleError> {
        self.throttle.ledger().transaction(|ledger| {
            prepare(ledger)?;
            self.sort_out(ledger)?;
            let wait = self.wait(&self.counted(ledger)?, ask);
            if wait > 0 {
                return Ok(Err(wait));
            }
            self.insert(ledger, (&ask.identity, &ask.of), i64::from(ask.weight)).map(Ok)
        })
    }

    /// Closes what the dead left open, and forgets what counts no more.
    fn sort_out(&self, ledger: &Connection) -> rusqlite::Result<()> {
        let mut open = ledger.prepare_cached(
            "SELECT id, owner FROM asked WHERE provider = ?1 AND answered_since_boot IS NULL",
        )?;
        let open: Vec<(i64, String)> = open
            .query_map([self.provider], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (id, owner) in open {
            if !self.owner.is_same(&owner) && !owner::is_alive(&owner) {
                self.answered(ledger, id)?;
            }
        }
        let longest = self.rules.all.1.max(self.rules.identical) + MARGIN;
        for (id, counted) in self.rows(ledger)? {
            if !counted.open && counted.age > longest {
                ledger.execute("DELETE FROM asked WHERE id = ?1", [id])?;
            }
        }
        Ok(())
    }

    /// How long a request has to wait, by those counted, in µs.
    fn wait(&self, counted: &[Counted], ask: &Ask) -> i64 {
        let rules = &self.rules;
        if counted.iter().filter(|one| one.open).count() >= rules.open {
            return LOOK_EVERY;
        }
        let weight = i64::from(ask.weight);
        let same = |one: &&Counted| !one.identity.is_empty() && one.identity == ask.identity;
        let of_one = |one: &&Counted| one.of == ask.of;
        let identical = until_room(counted.iter().filter(same), 0, rules.identical);
        // With this one they must still be fewer.
        let line = until_room(counted.iter().filter(of_one), rules.of_one.0 - 1 - weight, rules.of_one.1);
        let all = until_room(counted.iter(), rules.all.0 - weight, rules.all.1);
        identical.max(line).max(all)
    }

    fn leave(&self, id: i64) -> Result<(), ThrottleError> {
        self.throttle.ledger().transaction(|ledger| self.answered(ledger, id))
    }

    fn insert(
        &self,
        ledger: &Connection,
        (identity, of): (&str, &str),
        weight: i64,
    ) -> rusqlite::Result<i64> {
        ledger.execute(
            "INSERT INTO asked (provider, identity, of, weight, owner, boot, asked_since_boot, asked_calendar)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                self.provider,
                identity,
                of,
                weight,
                self.owner.text(),
                self.owner.boot(),
                self.time.since_boot(),
                self.time.calendar()
            ],
        )?;
        Ok(ledger.last_insert_rowid())
    }

    fn answered(&self, ledger: &Connection, id: i64) -> rusqlite::Result<()> {
        ledger
            .execute(
                "UPDATE asked SET boot = ?2, answered_since_boot = ?3, answered_calendar = ?4 WHERE id = ?1",
                params![id, self.owner.boot(), self.time.since_boot(), self.time.calendar()],
            )
            .map(drop)
    }

    fn counted(&self, ledger: &Connection) -> rusqlite::Result<Vec<Counted>> {
        Ok(self.rows(ledger)?.into_iter().map(|(_, counted)| counted).collect())
    }

    fn rows(&self, ledger: &Connection) -> rusqlite::Result<Vec<(i64, Counted)>> {
        let mut rows = ledger.prepare_cached(
            "SELECT id, identity, of, weight, answered_since_boot IS NULL, boot,
                 coalesce(answered_since_boot, asked_since_boot), coalesce(answered_calendar, asked_calendar)
                 FROM asked WHERE provider = ?1",
        )?;
        rows.query_map([self.provider], |row| {
            let unanswered: bool = row.get(4)?;
            let boot: String = row.get(5)?;
            let age = self.age(&boot, row.get(6)?, row.get(7)?);
            let open = unanswered && age < OPEN_FOR;
            let counted = Counted {
                identity: row.get(1)?,
                of: row.get(2)?,
                weight: row.get(3)?,
                age: if open { 0 } else { age },
                open,
            };
            Ok((row.get(0)?, counted))
        })?
        .collect()
    }

    /// How long ago something was, in µs; what seems to come from the time ahead was just now.
    fn age(&self, boot: &str, since_boot: i64, calendar: i64) -> i64 {
        let here = self.time.since_boot();
        let age = match boot == self.owner.boot() {
            true => here - since_boot,
            // Before the machine was started it was in any case.
            false => (self.time.calendar() - calendar).max(here),
        };
        age.max(0)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Err(error) = self.pacing.leave(self.id) {
            tracing::warn!("an answer of {} could not be noted: {error}", self.pacing.provider);
        }
    }
}

/// How long until no more than `most` of these, by weight, lie within `span` before now, in µs.
fn until_room<'a>(counted: impl Iterator<Item = &'a Counted>, most: i64, span: i64) -> i64 {
    let mut within: Vec<&Counted> = counted.filter(|one| one.age < span + MARGIN).collect();
    within.sort_by_key(|one| (one.open, std::cmp::Reverse(one.age)));
    let mut all: i64 = within.iter().map(|one| one.weight).sum();
    let mut wait = 0;
    for one in within {
        if all <= most {
            break;
        }
        all -= one.weight;
        wait = if one.open { LOOK_EVERY } else { span + MARGIN - one.age };
    }
    wait
}

/// The table is of this module alone, made where it is missing; an older form of it counted by the calendar alone.
fn prepare(ledger: &Connection) -> rusqlite::Result<()> {
    ledger.execute_batch(
        "DROP TABLE IF EXISTS pacing;
         CREATE TABLE IF NOT EXISTS asked (
            id INTEGER PRIMARY KEY,
            provider TEXT NOT NULL,
            identity TEXT NOT NULL,
            of TEXT NOT NULL,
            weight INTEGER NOT NULL,
            owner TEXT NOT NULL,
            boot TEXT NOT NULL,
            asked_since_boot INTEGER NOT NULL,
            asked_calendar INTEGER NOT NULL,
            answered_since_boot INTEGER,
            answered_calendar INTEGER
        ) STRICT",
    )
}

/// How much of what a provider takes in its window counts now, for a look from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fullness {
    /// By weight, those that are open included.
    pub used: i64,
    /// In how many seconds something may be asked again; 0 where it may now.
    pub wait: i64,
}

impl Pacing {
    /// How full the window is; changes nothing.
    pub fn fullness(&self) -> Result<Fullness, ThrottleError> {
        self.throttle.ledger().read(|ledger| {
            let there: bool = ledger.query_row(
                "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'asked')",
                [],
                |row| row.get(0),
            )?;
            let counted = if there { self.counted(ledger)? } else { Vec::new() };
            let (most, span) = self.rules.all;
            let within = counted.iter().filter(|one| one.age < span + MARGIN);
            let used: i64 = within.map(|one| one.weight).sum();
            let wait = until_room(counted.iter(), most - 1, span);
            Ok(Fullness { used: used.min(most), wait: (wait + MICROS - 1) / MICROS })
        })
    }
}

/// Forgets what was asked of a provider.
pub(super) fn forget(ledger: &Connection, provider: &str) -> rusqlite::Result<()> {
    prepare(ledger)?;
    ledger.execute("DELETE FROM asked WHERE provider = ?1", [provider]).map(drop)
}

#[cfg(test)]
mod tests;
