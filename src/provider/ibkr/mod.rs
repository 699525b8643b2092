//! Interactive Brokers: bars through a TWS or IB Gateway that the person runs.
//!
//! Reading order: `api` is what is asked of a gateway, `tws` asks it through the protocol's crate, `session`
//! keeps the connection; `contract` finds the contract, `windows` says how much is asked for at once, `fetch`
//! gets the answers under the limits; `body` is what they are kept as, `read` makes bars of it with `hours`,
//! `zones` and, for errors, `fault`.

mod api;
mod body;
mod contract;
mod fault;
mod fetch;
mod hours;
mod read;
mod session;
#[cfg(test)]
mod tests;
mod tws;
mod windows;
mod zones;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI32};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use self::api::Show;
use self::fetch::Known;
use self::session::Session;
use super::few_days::few_days;
use super::limits::pacing::{Fullness, MachineTime, Pacing, Rules, Time};
use super::limits::{Throttle, ThrottleError};
use super::{
    Answer, Aside, Clock, Effort, Fetching, Limits, Provider, RawAnswer, Refusal, Request, Testing, note_sent,
};
use crate::config::IbkrSettings;
use crate::model::{Class, Period};

/// The name in configuration, paths and messages.
pub const NAME: &str = "ibkr";

/// Requests in flight: enough that the gateway never waits for us.
pub const CONCURRENCY: usize = 4;

/// The limits of the broker's page on historical data. It counts bars of 30 seconds and less by them, and slows
/// down whoever breaks them with longer ones.
const RULES: Rules =
    Rules { identical: 15_000_000, of_one: (6, 2_000_000), all: (60, 600_000_000), open: 50 };

/// What a test may take beyond the patience for one answer.
const TEST_GRACE: Duration = Duration::from_secs(2);

/// The limits in words.
pub const PACE: &str = "60 requests in ten minutes";

/// The provider. It has one connection, made when it is first asked.
pub struct Ibkr {
    settings: IbkrSettings,
    show: Option<Show>,
    session: Session,
    throttle: Throttle,
    pacing: Pacing,
    now: Clock,
    time: Arc<dyn Time>,
    /// Nothing is asked twice and nothing is waited for: a test.
    once: bool,
    /// As many bars as this gateway answers in time.
    bars_at_once: AtomicI32,
    known: Mutex<HashMap<String, Arc<Known>>>,
    /// The gateway slows us down.
    slow: AtomicBool,
    /// Held by the one request that is made then.
    one: tokio::sync::Mutex<()>,
}

impl Ibkr {
    /// A provider of these settings, under the limits that `throttle` keeps; `now` is this machine's clock,
    /// `time` that by which limits are waited for.
    pub fn new(settings: &IbkrSettings, throttle: Throttle, now: Clock, time: Arc<dyn Time>) -> Ibkr {
        Ibkr {
            settings: settings.clone(),
            show: settings.what_to_show.as_deref().and_then(Show::named),
            session: Session::new(settings, throttle.clone(), Arc::clone(&now), session::PATIENCE),
            pacing: Pacing::new(throttle.clone(), Arc::clone(&time), NAME, RULES),
            throttle,
            now,
            time,
            once: false,
            bars_at_once: AtomicI32::new(windows::BARS),
            known: Mutex::default(),
            slow: AtomicBool::new(false),
            one: tokio::sync::Mutex::default(),
        }
    }

    /// The same, that asks once and waits for nothing.
    fn tester(&self) -> Ibkr {
        let (throttle, now, time) = (self.throttle.clone(), Arc::clone(&self.now), Arc::clone(&self.time));
        let session = Session::new(&self.settings, throttle.clone(), Arc::clone(&now), Duration::ZERO);
        Ibkr { session, once: true, ..Ibkr::new(&self.settings, throttle, now, time) }
    }

    /// Asks for a few days of one well-known stock; says in a line what came of it.
    async fn look(&self) -> Result<String, Refusal> {
        let gateway = self.session.gateway().await?;
        let told = match few_days(self, self.session.clock()).await {
            Ok(told) => told,
            // It is connected, and somebody makes use of it.
            Err(Refusal::Limited { said, .. }) => format!("it answers; no bars were asked for, as {said}"),
            Err(refusal) => return Err(refusal),
        };
        let (wanted, used) = (self.settings.client_id, gateway.client_id());
        Ok(match wanted == used {
            true => told,
            false => format!("{told}; {}", session::taken(wanted, used)),
        })
    }

    /// Whether bars of a class are of regular trading hours alone.
    fn regular(&self, class: Class) -> bool {
        self.settings.use_rth.unwrap_or(class == Class::Stock)
    }
}

impl Provider for Ibkr {
    fn name(&self) -> &'static str {
        NAME
    }

    fn limits(&self, class: Class, period: Period) -> Result<Limits, String> {
        let limits = limits(class, period);
        match contract::show(self.show, class) {
            Show::AdjustedLast if period.is_intraday() => Err(format!(
                "ADJUSTED_LAST is given up to now alone, so that {period} bars of it cannot be fetched piece by piece; providers.ibkr.what_to_show = \"TRADES\" has them"
            )),
            Show::AdjustedLast => Ok(Limits { request_days: None, ..limits }),
            _ => Ok(limits),
        }
    }

    fn serves_contracts(&self) -> bool {
        true
    }

    fn concurrency(&self) -> usize {
        CONCURRENCY
    }

    fn pace(&self) -> Option<String> {
        Some(PACE.to_owned())
    }

    fn ahead(&self) -> i64 {
        self.session.clock() - (self.now)()
    }

    fn waits(&self) -> Option<watch::Receiver<Option<String>>> {
        Some(self.session.waits())
    }

    fn effort(&self, requests: &[Request]) -> Option<Effort> {
        let asks = requests.iter().flat_map(|request| {
            let class = request.instrument.class;
            windows::foreseen(request, contract::show(self.show, class), self.regular(class), (self.now)())
        });
        self.pacing.effort(asks).ok()
    }

    fn endpoint(&self) -> Option<(String, u16)> {
        let IbkrSettings { host, port, .. } = &self.settings;
        let here = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        (!here).then(|| (host.clone(), *port))
    }

    fn test(&self) -> Testing<'_> {
        Box::pin(async {
            let tester = self.tester();
            let patience = tester.session.patience() + TEST_GRACE;
            match timeout(patience, tester.look()).await {
                Ok(told) => told.map_err(|refusal| refusal.to_string()),
                Err(_) => Err(format!("it took longer than {} seconds altogether", patience.as_secs())),
            }
        })
    }

    fn fetch<'a>(&'a self, request: &'a Request, _aside: Aside<'a>) -> Fetching<'a> {
        Box::pin(async {
            let told = self.fetch_bars(request).await;
            // All questions to a gateway for one answer are counted as one request.
            if !matches!(told, Err(Refusal::Limited { .. })) {
                note_sent();
            }
            told
        })
    }

    fn read(&self, request: &Request, raw: &RawAnswer) -> Result<Answer, Refusal> {
        read(request, raw)
    }
}

/// Reads what a gateway said, as it is kept in the raw trail. Pure.
pub fn read(request: &Request, raw: &RawAnswer) -> Result<Answer, Refusal> {
    read::read(request, raw)
}

/// How full the window of the limits is, by what all processes asked, and how much it holds.
pub fn fullness(throttle: &Throttle) -> Result<(Fullness, i64), ThrottleError> {
    let pacing = Pacing::new(throttle.clone(), Arc::new(MachineTime), NAME, RULES);
    Ok((pacing.fullness()?, RULES.all.0))
}

/// How far back and how much at once.
pub fn limits(class: Class, period: Period) -> Limits {
    windows::limits(period, class == Class::Future)
}

/// The code asked for, with the month of a dated contract.
fn code_of(request: &Request) -> String {
    let code = &request.instrument.code;
    request.contract.map_or_else(|| code.clone(), |contract| contract.code(code))
}
