//! The allowance of an account: so many downloads a day of the provider's calendar, counted in the ledger before
//! each is asked for, so that no crash and no second process leads over the limit.

use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension, params};

use super::ledger::Ledger;
use super::{Throttle, ThrottleError, unavailable};
use crate::model::Day;
use crate::provider::Refusal;

/// The table of schema 3: what was spent, for each account and day, and when the provider's own count was taken over. Rows stay, a few kilobytes a year: a clock
/// that is set back or forth finds on each day what was spent on it.
pub(super) const TABLE: &str = "CREATE TABLE allowance (
        provider TEXT NOT NULL,
        account TEXT NOT NULL,
        day INTEGER NOT NULL,
        used INTEGER NOT NULL DEFAULT 0,
        until INTEGER NOT NULL DEFAULT 0,
        last_spent INTEGER NOT NULL DEFAULT 0,
        counted INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (provider, account, day)
    ) STRICT;";

/// What schema 3 has more than schema 2.
pub(super) const COUNTED: &str = "ALTER TABLE allowance ADD COLUMN counted INTEGER NOT NULL DEFAULT 0;";

/// A new day's allowance is used this many seconds after its midnight: the provider's clock may be behind ours,
/// and who asks too early is refused and learns nothing of the rest of the day.
pub const RESET_MARGIN: i32 = 300;
/// A download asked for less than so many seconds ago may not be in the provider's own count yet.
const IN_FLIGHT: i64 = 120;
/// So long after our midnight, in seconds, what the provider says may still be of the day before: a clock may be
/// wrong by more than the margin.
const CLOCKS_APART: i64 = 1800;
/// A count of the provider's own, taken over less than so many seconds ago, stands.
const COUNT_STANDS: i64 = 1800;
/// The longest a provider that says its limit is reached is believed, in seconds.
const LONGEST_EXHAUSTION: i64 = 2 * 86_400;

/// What an account may download in a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    provider: &'static str,
    account: String,
    limit: u32,
    zone: &'static str,
}

impl Quota {
    /// The allowance of an account: `limit` downloads a day of the calendar in `zone`, a name of the time zone
    /// database. Of `identity`, a user name or a key, the ledger has a hash alone.
    pub fn new(provider: &'static str, identity: &str, limit: u32, zone: &'static str) -> Quota {
        let account = blake3::hash(format!("{provider}\n{identity}").as_bytes()).to_hex();
        Quota { provider, account: account.chars().take(16).collect(), limit, zone }
    }

    /// Whose it is.
    pub fn provider(&self) -> &'static str {
        self.provider
    }

    /// The day whose allowance is used at an instant, in seconds since the epoch.
    pub fn day(&self, now: i64) -> Day {
        Day::of_local(now - i64::from(RESET_MARGIN), &self.time_zone())
    }

    /// When the allowance of a day is there, in seconds since the epoch.
    pub fn begins(&self, day: Day) -> i64 {
        day.instant(RESET_MARGIN, &self.time_zone())
    }

    fn time_zone(&self) -> TimeZone {
        TimeZone::get(self.zone).unwrap_or(TimeZone::UTC)
    }

    /// What there is of it where nothing was spent at `now`, in seconds since the epoch.
    pub fn whole(&self, now: i64) -> Allowance {
        let day = self.day(now);
        Allowance { limit: self.limit, used: 0, day, resets: self.begins(day.plus(1)), until: None }
    }
}

/// What is left of an account's allowance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Downloads a day.
    pub limit: u32,
    /// Downloads of this day: those of Vortex, and those by hand that the provider counted.
    pub used: u32,
    /// The day of the provider's calendar.
    pub day: Day,
    /// When the next day's allowance is there, in seconds since the epoch.
    pub resets: i64,
    /// Until when the provider says that nothing is left, whatever was counted.
    pub until: Option<i64>,
}

impl Allowance {
    /// How many downloads are left today.
    pub fn left(&self) -> u32 {
        if self.until.is_some() { 0 } else { self.limit.saturating_sub(self.used) }
    }

    /// When there is something again, in seconds since the epoch; `None` while there is.
    pub fn waits_until(&self) -> Option<i64> {
        (self.left() == 0).then(|| self.until.unwrap_or(self.resets))
    }
}

/// One download that was counted, to be given back where it certainly was not asked for.
#[derive(Debug)]
#[must_use = "it counts, unless it is given back"]
pub struct Spent {
    provider: &'static str,
    account: String,
    day: Day,
}

impl Throttle {
    /// Counts one download, on the disk before this returns: it is called before the provider is asked. `now` is
    /// in seconds since the epoch. Refuses with [`Refusal::Limited`] where nothing is left, and where the ledger
    /// cannot be written.
    pub fn spend(&self, quota: &Quota, now: i64) -> Result<Spent, Refusal> {
        let spent = self.ledger().spend(quota, now);
        match spent.map_err(|error| unavailable(quota.provider, &error))? {
            Ok(spent) => Ok(spent),
            Err(allowance) => Err(Refusal::Limited {
                provider: quota.provider,
                until: allowance.waits_until().unwrap_or(allowance.resets),
                said: said_of(&allowance),
            }),
        }
    }

    /// Takes back one download of which no byte was sent.
    pub fn give_back(&self, spent: Spent) -> Result<(), ThrottleError> {
        self.ledger().give_back(&spent)
    }

    /// Takes over the provider's own count of today's downloads, which has those made by hand. A lower one is only
    /// believed where nothing was asked for in the last two minutes, by any process: it may be on its way.
    pub fn correct(&self, quota: &Quota, used: u32, now: i64) -> Result<(), ThrottleError> {
        self.ledger().correct(quota, used, now)
    }

    /// Whether nothing is left by our own count alone, and the provider was not asked for its own lately: ours may be
    /// higher, of downloads that were cut off or of a clock that was wrong.
    pub fn is_worth_asking(&self, quota: &Quota, now: i64) -> Result<bool, ThrottleError> {
        self.ledger().is_worth_asking(quota, now)
    }

    /// The provider says that today's limit is reached. Nothing is asked for before the next day, or before
    /// `until`, in seconds since the epoch, where it says so; tells when that is. Shortly after our midnight it may
    /// mean the day before, and is asked again half an hour later.
    pub fn exhausted(&self, quota: &Quota, until: Option<i64>, now: i64) -> Result<i64, ThrottleError> {
        self.ledger().exhausted(quota, until, now)
    }

    /// What is left at `now`, in seconds since the epoch.
    pub fn allowance(&self, quota: &Quota, now: i64) -> Result<Allowance, ThrottleError> {
        self.ledger().allowance(quota, now)
    }
}

fn said_of(allowance: &Allowance) -> String {
    match allowance.until {
        Some(_) => "it says that the day's downloads are used up".to_owned(),
        None => format!("{} of the day's {} downloads are used", allowance.used, allowance.limit),
    }
}

impl Ledger {
    fn spend(&mut self, quota: &Quota, now: i64) -> Result<Result<Spent, Allowance>, ThrottleError> {
        let day = quota.day(now);
        self.transaction(|change| {
            let allowance = read(change, quota, now)?;
            if allowance.left() == 0 {
                return Ok(Err(allowance));
            }
            change.execute(
                "INSERT INTO allowance (provider, account, day, used, last_spent) VALUES (?1, ?2, ?3, 1, ?4)
                     ON CONFLICT DO UPDATE SET used = used + 1, last_spent = ?4",
                params![quota.provider, quota.account, day.number(), now],
            )?;
            Ok(Ok(Spent { provider: quota.provider, account: quota.account.clone(), day }))
        })
    }

    fn give_back(&mut self, spent: &Spent) -> Result<(), ThrottleError> {
        self.transaction(|change| {
            let update = "UPDATE allowance SET used = max(used - 1, 0)
                              WHERE provider = ?1 AND account = ?2 AND day = ?3";
            change.execute(update, params![spent.provider, spent.account, spent.day.number()]).map(drop)
        })
    }

    fn correct(&mut self, quota: &Quota, used: u32, now: i64) -> Result<(), ThrottleError> {
        self.transaction(|change| {
            let known = read(change, quota, now)?;
            let lower = used < known.used || (used < known.limit && known.until.is_some());
            if lower && in_flight(change, quota, now)? {
                return Ok(());
            }
            // A clock that runs ahead is told yesterday's count: it is not today's, and nothing is left by it for now.
            if is_fresh(quota, now) && used >= known.limit {
                return hold(change, quota, now, now + CLOCKS_APART);
            }
            // A day counted ahead of its time, by a clock that was wrong, is in the provider's count too.
            change.execute(
                "DELETE FROM allowance WHERE provider = ?1 AND account = ?2 AND day = ?3 + 1",
                params![quota.provider, quota.account, quota.day(now).number()],
            )?;
            let until = if lower { 0 } else { known.until.unwrap_or(0) };
            let update = "INSERT INTO allowance (provider, account, day, used, until, counted)
                              VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                              ON CONFLICT DO UPDATE SET used = ?4, until = ?5, counted = ?6";
            let day = quota.day(now).number();
            change.execute(update, params![quota.provider, quota.account, day, used, until, now]).map(drop)
        })
    }

    fn exhausted(&mut self, quota: &Quota, until: Option<i64>, now: i64) -> Result<i64, ThrottleError> {
        self.transaction(|change| {
            let known = read(change, quota, now)?;
            let until = match until {
                None if is_fresh(quota, now) => now + CLOCKS_APART,
                until => until.unwrap_or(0).clamp(known.resets, known.resets + LONGEST_EXHAUSTION),
            };
            hold(change, quota, now, until)?;
            Ok(until)
        })
    }

    fn allowance(&mut self, quota: &Quota, now: i64) -> Result<Allowance, ThrottleError> {
        self.read(|connection| read(connection, quota, now))
    }

    fn is_worth_asking(&mut self, quota: &Quota, now: i64) -> Result<bool, ThrottleError> {
        self.read(|connection| {
            let allowance = read(connection, quota, now)?;
            let counted: Option<i64> = connection.query_row(
                "SELECT max(counted) FROM allowance WHERE provider = ?1 AND account = ?2 AND day = ?3",
                params![quota.provider, quota.account, allowance.day.number()],
                |row| row.get(0),
            )?;
            let stands = (0..COUNT_STANDS).contains(&(now - counted.unwrap_or(0)));
            Ok(allowance.left() == 0 && allowance.until.is_none() && !stands)
        })
    }
}

/// Whether our day began so lately that the provider's may not have.
fn is_fresh(quota: &Quota, now: i64) -> bool {
    now - quota.begins(quota.day(now)) < CLOCKS_APART
}

/// What the ledger has of a quota. Of days to come the next one counts as today: it was counted by a clock that
/// ran ahead and was set back since, and its downloads were made by now.
fn read(connection: &Connection, quota: &Quota, now: i64) -> rusqlite::Result<Allowance> {
    let whole = quota.whole(now);
    let today = whole.day.number();
    let used: i64 = connection.query_row(
        "SELECT coalesce(sum(used), 0) FROM allowance
             WHERE provider = ?1 AND account = ?2 AND day BETWEEN ?3 AND ?3 + 1",
        params![quota.provider, quota.account, today],
        |row| row.get(0),
    )?;
    let until: Option<i64> = connection.query_row(
        "SELECT max(until) FROM allowance
             WHERE provider = ?1 AND account = ?2 AND until > ?3 AND until <= ?4",
        params![quota.provider, quota.account, now, whole.resets + LONGEST_EXHAUSTION],
        |row| row.get(0),
    )?;
    Ok(Allowance { used: u32::try_from(used).unwrap_or(u32::MAX), until, ..whole })
}

/// Whether a download was counted so lately that the provider may not have counted it yet.
fn in_flight(connection: &Connection, quota: &Quota, now: i64) -> rusqlite::Result<bool> {
    let last: Option<i64> = connection
        .query_row(
            "SELECT max(last_spent) FROM allowance WHERE provider = ?1 AND account = ?2",
            params![quota.provider, quota.account],
            |row| row.get(0),
        )
        .optional()?
        .flatten();
    Ok(last.is_some_and(|last| (0..IN_FLIGHT).contains(&(now - last))))
}

/// Nothing is left of the day before `until`, whatever is counted.
fn hold(connection: &Connection, quota: &Quota, now: i64, until: i64) -> rusqlite::Result<()> {
    let update = "INSERT INTO allowance (provider, account, day, until) VALUES (?1, ?2, ?3, ?4)
                      ON CONFLICT DO UPDATE SET until = ?4";
    let day = quota.day(now).number();
    connection.execute(update, params![quota.provider, quota.account, day, until]).map(drop)
}
