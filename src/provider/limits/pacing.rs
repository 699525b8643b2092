//! The limits of a provider that counts what was asked lately: requests in a time, the same one again, many of
//! one thing. What was asked stands in the ledger, so that all processes of a user count together.
//!
//! A request is counted from its answer on, and while it is open as if it were asked now: the provider counts
//! when it gets it, which is before.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};

use super::{MICROS, Throttle, ThrottleError, micros, unavailable};
use crate::provider::Refusal;

/// What time it is, and how it is waited for.
pub trait Time: Send + Sync {
    /// µs since the epoch.
    fn micros(&self) -> i64;

    /// Waits so many µs.
    fn sleep(&self, micros: i64) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// This machine's time.
#[derive(Clone, Copy, Debug)]
pub struct MachineTime;

impl Time for MachineTime {
    fn micros(&self) -> i64 {
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
    /// Fewer than so many requests of one thing within this time.
    pub of_one: (usize, i64),
    /// At most so much within this time, by the weight of requests.
    pub all: (i64, i64),
    /// At most so many open at once.
    pub open: usize,
}

const MARGIN: i64 = MICROS;
/// A request of a process that is gone is taken to be open for so long, in µs.
const OPEN_FOR: i64 = 600 * MICROS;
/// How often is looked again where only an answer can help, in µs.
const LOOK_EVERY: i64 = MICROS / 4;
/// A wait that is worth a line in the log, in µs.
const LONG: i64 = 5 * MICROS;

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
    /// When it was answered; now while it is open.
    at: i64,
    open: bool,
}

impl Pacing {
    /// The rules of a provider, on a clock.
    pub fn new(throttle: Throttle, time: Arc<dyn Time>, provider: &'static str, rules: Rules) -> Pacing {
        Pacing { throttle, time, provider, rules }
    }

    /// Waits until a request may be made.
    pub async fn enter(&self, ask: &Ask) -> Result<Open, Refusal> {
        let mut told = false;
        loop {
            let (pacing, asked) = (self.clone(), ask.clone());
            let entered = tokio::task::spawn_blocking(move || pacing.try_enter(&asked))
                .await
                .map_err(|error| unavailable(self.provider, &error))?;
            match entered.map_err(|error| unavailable(self.provider, &error))? {
                Ok(id) => return Ok(Open { pacing: self.clone(), id }),
                Err(wait) => {
                    if wait >= LONG && !told {
                        told = true;
                        let (provider, seconds) = (self.provider, wait / MICROS);
                        tracing::info!("waiting {seconds} seconds, as the limits of {provider} want it");
                    }
                    self.time.sleep(wait).await;
                }
            }
        }
    }

    /// The provider says that a limit was broken all the same: nothing more for as long as it counts back.
    pub fn violated(&self) -> Result<(), ThrottleError> {
        let now = self.time.micros();
        self.throttle.ledger().transaction(|ledger| {
            prepare(ledger)?;
            let all = self.rules.all.0;
            insert(ledger, self.provider, ("", ""), all, (now, Some(now))).map(drop)
        })
    }

    /// Notes a request and tells its number, or how long to wait before it may be tried, in µs.
    fn try_enter(&self, ask: &Ask) -> Result<Result<i64, i64>, ThrottleError> {
        let now = self.time.micros();
        let longest = self.rules.all.1.max(self.rules.identical) + MARGIN;
        self.throttle.ledger().transaction(|ledger| {
            prepare(ledger)?;
            ledger.execute(
                "DELETE FROM pacing WHERE provider = ?1
                     AND (coalesce(answered, asked + ?4) < ?2 - ?3 OR asked > ?2 + ?3)",
                params![self.provider, now, longest, OPEN_FOR],
            )?;
            let wait = self.wait(&counted(ledger, self.provider, now)?, ask, now);
            if wait > 0 {
                return Ok(Err(wait));
            }
            let names = (ask.identity.as_str(), ask.of.as_str());
            insert(ledger, self.provider, names, i64::from(ask.weight), (now, None)).map(Ok)
        })
    }

    /// How long a request has to wait, by those counted, in µs.
    fn wait(&self, counted: &[Counted], ask: &Ask, now: i64) -> i64 {
        let rules = &self.rules;
        if counted.iter().filter(|one| one.open).count() >= rules.open {
            return LOOK_EVERY;
        }
        let same = |one: &&Counted| !one.identity.is_empty() && one.identity == ask.identity;
        let of_one = |one: &&Counted| one.of == ask.of;
        let identical = until_room(counted.iter().filter(same), |_| 1, 0, rules.identical, now);
        // With this one they must still be fewer.
        let beside = rules.of_one.0 as i64 - 2;
        let line = until_room(counted.iter().filter(of_one), |_| 1, beside, rules.of_one.1, now);
        let most = rules.all.0 - i64::from(ask.weight);
        let all = until_room(counted.iter(), |one| one.weight, most, rules.all.1, now);
        identical.max(line).max(all)
    }

    fn leave(&self, id: i64) -> Result<(), ThrottleError> {
        let now = self.time.micros();
        self.throttle.ledger().transaction(|ledger| {
            ledger.execute("UPDATE pacing SET answered = ?2 WHERE id = ?1", params![id, now]).map(drop)
        })
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
fn until_room<'a>(
    counted: impl Iterator<Item = &'a Counted>,
    weight: impl Fn(&Counted) -> i64,
    most: i64,
    span: i64,
    now: i64,
) -> i64 {
    let within = counted.filter(|one| one.open || now - one.at < span + MARGIN);
    let mut within: Vec<&Counted> = within.collect();
    within.sort_by_key(|one| (one.open, one.at));
    let mut all: i64 = within.iter().map(|one| weight(one)).sum();
    let mut wait = 0;
    for one in within {
        if all <= most {
            break;
        }
        all -= weight(one);
        wait = if one.open { LOOK_EVERY } else { one.at + span + MARGIN - now };
    }
    wait
}

/// The table is of this module alone, made where it is missing.
fn prepare(ledger: &Connection) -> rusqlite::Result<()> {
    ledger.execute_batch(
        "CREATE TABLE IF NOT EXISTS pacing (
            id INTEGER PRIMARY KEY,
            provider TEXT NOT NULL,
            identity TEXT NOT NULL,
            of TEXT NOT NULL,
            weight INTEGER NOT NULL,
            asked INTEGER NOT NULL,
            answered INTEGER
        ) STRICT",
    )
}

fn insert(
    ledger: &Connection,
    provider: &str,
    (identity, of): (&str, &str),
    weight: i64,
    (asked, answered): (i64, Option<i64>),
) -> rusqlite::Result<i64> {
    ledger.execute(
        "INSERT INTO pacing (provider, identity, of, weight, asked, answered) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![provider, identity, of, weight, asked, answered],
    )?;
    Ok(ledger.last_insert_rowid())
}

fn counted(ledger: &Connection, provider: &str, now: i64) -> rusqlite::Result<Vec<Counted>> {
    let mut rows = ledger
        .prepare_cached("SELECT identity, of, weight, asked, answered FROM pacing WHERE provider = ?1")?;
    rows.query_map([provider], |row| {
        let (asked, answered): (i64, Option<i64>) = (row.get(3)?, row.get(4)?);
        let open = answered.is_none() && now < asked + OPEN_FOR;
        let at = answered.unwrap_or(if open { now } else { asked + OPEN_FOR });
        Ok(Counted { identity: row.get(0)?, of: row.get(1)?, weight: row.get(2)?, at, open })
    })?
    .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    /// Time that passes only while somebody waits for it.
    #[derive(Default)]
    struct Slept(AtomicI64);

    impl Time for Slept {
        fn micros(&self) -> i64 {
            self.0.load(Ordering::SeqCst)
        }

        fn sleep(&self, micros: i64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
            self.0.fetch_add(micros, Ordering::SeqCst);
            Box::pin(std::future::ready(()))
        }
    }

    const RULES: Rules =
        Rules { identical: 15 * MICROS, of_one: (6, 2 * MICROS), all: (60, 600 * MICROS), open: 50 };

    fn pacing(throttle: &Throttle) -> (Arc<Slept>, Pacing) {
        let time = Arc::new(Slept(AtomicI64::new(1_000_000 * MICROS)));
        (Arc::clone(&time), Pacing::new(throttle.clone(), time, "ibkr", RULES))
    }

    fn ask(identity: &str, of: &str, weight: u32) -> Ask {
        Ask { identity: identity.to_owned(), of: of.to_owned(), weight }
    }

    /// How many seconds each of these had to wait.
    async fn waits(pacing: &Pacing, time: &Slept, asked: impl Iterator<Item = Ask>) -> Vec<i64> {
        let mut waits = Vec::new();
        for ask in asked {
            let before = time.micros();
            drop(pacing.enter(&ask).await.unwrap());
            waits.push((time.micros() - before) / MICROS);
        }
        waits
    }

    #[tokio::test]
    async fn each_rule_is_waited_for() {
        let (time, pacing) = pacing(&Throttle::in_memory().unwrap());
        let same = ["a", "b", "a"].map(|identity| ask(identity, identity, 1));
        assert_eq!(waits(&pacing, &time, same.into_iter()).await, [0, 0, 16]);
        let one = (0..7).map(|at| ask(&format!("one {at}"), "one", 1));
        assert_eq!(waits(&pacing, &time, one).await, [0, 0, 0, 0, 0, 3, 0]);
    }

    #[tokio::test]
    async fn sixty_in_ten_minutes_by_weight() {
        let (time, pacing) = pacing(&Throttle::in_memory().unwrap());
        let many = (0..31).map(|at| ask(&at.to_string(), &at.to_string(), 2));
        let waited = waits(&pacing, &time, many).await;
        assert_eq!(waited[..30], [0; 30]);
        assert_eq!(waited[30], 601);
    }

    #[tokio::test]
    async fn a_violation_is_waited_out_by_every_process() {
        let throttle = Throttle::in_memory().unwrap();
        let (time, one) = pacing(&throttle);
        one.violated().unwrap();
        let other = Pacing::new(throttle, Arc::clone(&time) as Arc<dyn Time>, "ibkr", RULES);
        assert_eq!(waits(&other, &time, [ask("x", "x", 1)].into_iter()).await, [601]);
    }

    #[tokio::test]
    async fn what_is_open_counts_as_asked_now() {
        let (time, pacing) = pacing(&Throttle::in_memory().unwrap());
        let open = pacing.enter(&ask("x", "x", 60)).await.unwrap();
        time.sleep(590 * MICROS).await;
        drop(open);
        assert_eq!(waits(&pacing, &time, [ask("y", "y", 1)].into_iter()).await, [601]);
        // A process that died with it open is forgotten in the end.
        std::mem::forget(pacing.enter(&ask("z", "z", 60)).await.unwrap());
        let waited = waits(&pacing, &time, [ask("y2", "y2", 1)].into_iter()).await;
        assert!((1200..1203).contains(&waited[0]), "{waited:?}");
    }
}
