//! The file behind the limits: one row a provider, and one an account and day. A rollback journal, not a
//! WAL, so that it works on any file system; each change is one short transaction.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};

use super::{MICROS, State, ThrottleError, allowance, jitter, pacing};
use crate::disk;
use crate::model::Day;

const SCHEMA: i64 = 3;
/// How long another process's change is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The first cool-down after a rate limit, in seconds; each one in a row doubles it.
const FIRST_COOL_DOWN: i64 = 15 * 60;
/// The longest cool-down of our own making, in seconds.
const LONGEST_COOL_DOWN: i64 = 6 * 3600;
/// The longest wait a provider may ask for, in seconds.
const LONGEST_RETRY_AFTER: i64 = 24 * 3600;
/// This many failures in a row break the circuit…
const FAILURES_TO_BREAK: i64 = 5;
/// … for this many seconds.
const BROKEN_FOR: i64 = 60;
/// More slots than all processes together wait for, beside a minute's worth reserved ahead: a slot
/// further off comes from a clock set back.
const MOST_WAITING: i64 = 1024;

/// What is known of one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub provider: String,
    /// Whether it may be asked.
    pub state: State,
    /// Why not, or what it last refused for; empty when nothing did.
    pub reason: String,
    /// Rate-limit refusals in a row.
    pub consecutive: u32,
    /// Failures in a row.
    pub failures: u32,
    /// When it last answered, in seconds since the epoch; 0 = never.
    pub last_success: i64,
    /// When it last failed or refused, in seconds since the epoch; 0 = never.
    pub last_error_at: i64,
    /// What it last failed or refused with.
    pub last_error: String,
    /// Requests of this day of UTC.
    pub requests_today: u64,
}

/// Slots reserved together: `left` of them from `next` on, `interval` apart, in µs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Slots {
    pub(super) next: i64,
    pub(super) interval: i64,
    pub(super) left: i64,
}

impl Slots {
    /// The next one. Those missed by more than a second are given up: used late they would come all
    /// at once.
    pub(super) fn take(&mut self, now: i64) -> Option<i64> {
        if self.left <= 0 || self.next < now - MICROS {
            return None;
        }
        let slot = self.next;
        self.next += self.interval;
        self.left -= 1;
        Some(slot)
    }
}

/// Refuses a file that is no regular one, before it is opened.
fn refuse_others(path: &Path) -> Result<(), ThrottleError> {
    match disk::in_place_of(path) {
        None => Ok(()),
        Some((path, kind)) => Err(ThrottleError::InTheWay { path, kind }),
    }
}

#[derive(Debug)]
pub(super) struct Ledger {
    path: PathBuf,
    connection: Connection,
}

impl Ledger {
    pub(super) fn open(path: &Path) -> Result<Ledger, ThrottleError> {
        let io = |source| ThrottleError::Io { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700);
            builder.create(folder).map_err(io)?;
        }
        refuse_others(path)?;
        OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(io)?;
        let database = |source| ThrottleError::Database { path: path.to_owned(), source };
        Ledger::prepared(path, Connection::open(path).map_err(database)?)
    }

    /// One to look at: a file of an older version stays as it is.
    pub(super) fn open_to_read(path: &Path) -> Result<Ledger, ThrottleError> {
        refuse_others(path)?;
        let database = |source| ThrottleError::Database { path: path.to_owned(), source };
        // For writing, because SQLite then rolls back what a process that was killed left half done.
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE);
        let connection = connection.map_err(database)?;
        let prepare = || {
            connection.busy_timeout(BUSY_TIMEOUT)?;
            let found = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            if found < 2 {
                connection.execute_batch(&allowance::TABLE.replace("CREATE TABLE", "CREATE TEMP TABLE"))?;
            }
            Ok(found)
        };
        let found: i64 = prepare().map_err(database)?;
        Ledger { path: path.to_owned(), connection }.known(found)
    }

    /// One that no file keeps.
    pub(super) fn in_memory() -> Result<Ledger, ThrottleError> {
        let path = Path::new(":memory:");
        let database = |source| ThrottleError::Database { path: path.to_owned(), source };
        Ledger::prepared(path, Connection::open_in_memory().map_err(database)?)
    }

    fn prepared(path: &Path, connection: Connection) -> Result<Ledger, ThrottleError> {
        let mut ledger = Ledger { path: path.to_owned(), connection };
        let prepared = ledger.prepare();
        let found = prepared.map_err(|source| ThrottleError::Database { path: path.to_owned(), source })?;
        ledger.known(found)
    }

    /// Refuses a file that a newer version made.
    fn known(self, found: i64) -> Result<Ledger, ThrottleError> {
        match found > SCHEMA {
            true => Err(ThrottleError::Newer { path: self.path, found, known: SCHEMA }),
            false => Ok(self),
        }
    }

    /// Makes the tables in a new file, and the newer one in an older file; tells the schema version found.
    fn prepare(&mut self) -> rusqlite::Result<i64> {
        self.connection.busy_timeout(BUSY_TIMEOUT)?;
        let change = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found = change.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if found == 0 {
            change.execute_batch(
                "CREATE TABLE provider (
                    name TEXT PRIMARY KEY,
                    next_slot INTEGER NOT NULL DEFAULT 0,
                    until INTEGER NOT NULL DEFAULT 0,
                    broken_until INTEGER NOT NULL DEFAULT 0,
                    reason TEXT NOT NULL DEFAULT '',
                    consecutive INTEGER NOT NULL DEFAULT 0,
                    failures INTEGER NOT NULL DEFAULT 0,
                    last_success INTEGER NOT NULL DEFAULT 0,
                    last_error_at INTEGER NOT NULL DEFAULT 0,
                    last_error TEXT NOT NULL DEFAULT '',
                    day INTEGER NOT NULL DEFAULT 0,
                    requests INTEGER NOT NULL DEFAULT 0
                ) STRICT;",
            )?;
        }
        if found < SCHEMA {
            change.execute_batch(if found < 2 { allowance::TABLE } else { allowance::COUNTED })?;
            change.pragma_update(None, "user_version", SCHEMA)?;
        }
        change.commit()?;
        Ok(found)
    }

    /// Reserves the next slots of a provider: one, or a second's worth where they are dense.
    pub(super) fn reserve(
        &mut self,
        provider: &str,
        per_minute: u32,
        now: i64,
        used: i64,
    ) -> Result<Slots, ThrottleError> {
        let per_minute = i64::from(per_minute.max(1));
        let interval = 60 * MICROS / per_minute;
        let count = (per_minute / 60).max(1);
        let day = Day::of_utc(now / MICROS).number();
        self.change(provider, |row| {
            let stored: i64 = row.get("next_slot")?;
            let sound = stored <= now + interval * MOST_WAITING + 60 * MICROS;
            let next = if sound { stored.max(now) } else { now };
            row.run(
                "UPDATE provider SET next_slot = ?2, day = ?3,
                     requests = CASE WHEN day = ?3 THEN requests ELSE 0 END + ?4 WHERE name = ?1",
                params![provider, next + count * interval, day, used],
            )?;
            Ok(Slots { next, interval, left: count })
        })
    }

    /// Adds to the requests of the day of `now`.
    pub(super) fn count(&mut self, provider: &str, used: i64, now: i64) -> Result<(), ThrottleError> {
        let day = Day::of_utc(now).number();
        self.change(provider, |row| {
            row.run(
                "UPDATE provider SET day = ?2,
                     requests = CASE WHEN day = ?2 THEN requests ELSE 0 END + ?3 WHERE name = ?1",
                params![provider, day, used],
            )
        })
    }

    pub(super) fn limited(
        &mut self,
        provider: &str,
        retry_after: Option<i64>,
        said: &str,
        now: i64,
    ) -> Result<i64, ThrottleError> {
        let asked = retry_after.unwrap_or(0).clamp(0, LONGEST_RETRY_AFTER);
        self.change(provider, |row| {
            let open: i64 = row.get("until")?;
            let before: i64 = row.get("consecutive")?;
            // Requests that were in flight together are refused together: that is one refusal.
            let (until, consecutive) = if holds(open, now, LONGEST_RETRY_AFTER) {
                (open.max(now + asked), before)
            } else {
                let doublings = u32::try_from(before.clamp(0, 10)).unwrap_or(0);
                let cool = (FIRST_COOL_DOWN << doublings).min(LONGEST_COOL_DOWN);
                let spread = jitter(cool.unsigned_abs() / 10) as i64;
                (now + asked.max(cool + spread), before + 1)
            };
            row.run(
                "UPDATE provider SET until = ?2, reason = ?3, consecutive = ?4,
                     last_error = ?3, last_error_at = ?5 WHERE name = ?1",
                params![provider, until, said, consecutive, now],
            )?;
            Ok(until)
        })
    }

    pub(super) fn failed(&mut self, provider: &str, said: &str, now: i64) -> Result<State, ThrottleError> {
        self.change(provider, |row| {
            let failures = row.get("failures")? + 1;
            let until = match failures >= FAILURES_TO_BREAK {
                true => now + BROKEN_FOR,
                false => 0,
            };
            row.run(
                "UPDATE provider SET failures = ?2, broken_until = ?3, reason = ?4,
                     last_error = ?4, last_error_at = ?5 WHERE name = ?1",
                params![provider, failures, until, said, now],
            )?;
            Ok(state(row.get("until")?, until, now))
        })
    }

    pub(super) fn succeeded(&mut self, provider: &str, now: i64) -> Result<(), ThrottleError> {
        self.change(provider, |row| {
            // A request that was still in flight when another was refused does not close the circuit.
            row.run(
                "UPDATE provider SET last_success = ?2, failures = 0, broken_until = 0 WHERE name = ?1",
                params![provider, now],
            )?;
            row.run(
                "UPDATE provider SET until = 0, consecutive = 0, reason = ''
                     WHERE name = ?1 AND NOT (until > ?2 AND until <= ?3)",
                params![provider, now, now + LONGEST_RETRY_AFTER],
            )
        })
    }

    pub(super) fn state(&mut self, provider: &str, now: i64) -> Result<State, ThrottleError> {
        self.connection
            .query_row("SELECT until, broken_until FROM provider WHERE name = ?1", [provider], |row| {
                Ok(state(row.get(0)?, row.get(1)?, now))
            })
            .optional()
            .map(|found| found.unwrap_or(State::Ready))
            .map_err(|source| self.database(source))
    }

    pub(super) fn reset(&mut self, provider: &str) -> Result<(), ThrottleError> {
        self.change(provider, |row| {
            row.run(
                "UPDATE provider SET next_slot = 0, until = 0, broken_until = 0, reason = '',
                     consecutive = 0, failures = 0 WHERE name = ?1",
                params![provider],
            )?;
            row.run("UPDATE allowance SET until = 0 WHERE provider = ?1", params![provider])?;
            pacing::forget(row.change, provider)
        })
    }

    pub(super) fn snapshot(&mut self, now: i64) -> Result<Vec<Standing>, ThrottleError> {
        let today = Day::of_utc(now).number();
        self.read(|connection| {
            let mut all = connection.prepare(
                "SELECT name, until, broken_until, reason, consecutive, failures, last_success,
                     last_error_at, last_error, CASE WHEN day = ?1 THEN requests ELSE 0 END
                     FROM provider ORDER BY name",
            )?;
            all.query_map([today], |row| {
                Ok(Standing {
                    provider: row.get(0)?,
                    state: state(row.get(1)?, row.get(2)?, now),
                    reason: row.get(3)?,
                    consecutive: row.get(4)?,
                    failures: row.get(5)?,
                    last_success: row.get(6)?,
                    last_error_at: row.get(7)?,
                    last_error: row.get(8)?,
                    requests_today: row.get::<_, i64>(9)?.unsigned_abs(),
                })
            })?
            .collect()
        })
    }

    /// One transaction on the row of a provider, which is made where it is missing.
    fn change<T>(
        &mut self,
        provider: &str,
        work: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, ThrottleError> {
        self.transaction(|change| {
            change.execute("INSERT OR IGNORE INTO provider (name) VALUES (?1)", [provider])?;
            work(&Row { change, provider })
        })
    }

    /// One transaction, on the disk when this returns.
    pub(super) fn transaction<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ThrottleError> {
        let run = || {
            let change = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&change)?;
            change.commit()?;
            Ok(done)
        };
        let result = run();
        result.map_err(|source| self.database(source))
    }

    pub(super) fn read<T>(
        &self,
        look: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ThrottleError> {
        look(&self.connection).map_err(|source| self.database(source))
    }

    fn database(&self, source: rusqlite::Error) -> ThrottleError {
        ThrottleError::Database { path: self.path.clone(), source }
    }
}

/// A provider's row within a transaction.
struct Row<'a> {
    change: &'a Connection,
    provider: &'a str,
}

impl Row<'_> {
    fn get(&self, column: &'static str) -> rusqlite::Result<i64> {
        self.change.query_row(
            &format!("SELECT {column} FROM provider WHERE name = ?1"),
            [self.provider],
            |row| row.get(0),
        )
    }

    fn run(&self, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<()> {
        self.change.execute(sql, values).map(drop)
    }
}

/// Whether a time that was noted is still to come; one further off than any that is ever noted comes from
/// a clock set back.
fn holds(until: i64, now: i64, longest: i64) -> bool {
    until > now && until <= now + longest
}

fn state(until: i64, broken_until: i64, now: i64) -> State {
    if holds(until, now, LONGEST_RETRY_AFTER) {
        State::Limited { until }
    } else if holds(broken_until, now, BROKEN_FOR) {
        State::Broken { until: broken_until }
    } else {
        State::Ready
    }
}
