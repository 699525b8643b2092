//! Yahoo Finance: the chart service, which gives every period of every class without an account.
//!
//! Reading order: `request` asks, `fetch` gets an answer (rate limit, retries, crumb, consent by
//! `session`), `refusal` tells what an answer without bars means, `chart` is the answer's shape,
//! `read` makes bars of it with `daily`, `intraday` and `events`.

mod chart;
mod daily;
mod events;
mod fetch;
mod intraday;
mod read;
mod refusal;
mod request;
pub mod session;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use self::session::Session;
use super::few_days::few_days;
use super::http::{Http, SetupError};
use super::limits::Throttle;
use super::{Answer, Aside, Clock, Effort, Fetching, Limits, Provider, RawAnswer, Refusal, Request, Testing};
use crate::config::HttpSettings;
use crate::model::{Class, Period};

/// The name in configuration, paths and messages.
pub const NAME: &str = "yahoo";

/// Every host a request or one of its redirects may go to.
const HOSTS: &[&str] = &[
    "query1.finance.yahoo.com",
    "query2.finance.yahoo.com",
    "finance.yahoo.com",
    "fc.yahoo.com",
    "guce.yahoo.com",
    "consent.yahoo.com",
    ".consent.yahoo.com",
];

/// The provider.
pub struct Yahoo {
    http: Http,
    throttle: Arc<Throttle>,
    session: Session,
    now: Clock,
    /// How far the clock of its last answer was ahead of this machine's, in seconds.
    ahead: AtomicI64,
    requests_per_minute: u32,
    concurrency: usize,
    /// The pause before the first retry; each further one waits twice as long.
    retry_pause: Duration,
}

impl Yahoo {
    /// A provider of these settings, under the limits that `throttle` keeps; `now` bounds windows.
    pub fn new(settings: &HttpSettings, throttle: Arc<Throttle>, now: Clock) -> Result<Yahoo, SetupError> {
        Ok(Yahoo {
            http: Http::new(NAME, HOSTS, settings)?,
            throttle,
            session: Session::default(),
            now,
            ahead: AtomicI64::new(0),
            requests_per_minute: settings.requests_per_minute,
            concurrency: settings.concurrency.max(1),
            retry_pause: Duration::from_secs(1),
        })
    }

    /// Agree to Yahoo's consent form (shown to European addresses) on the person's behalf when it
    /// comes in place of data. Without this such an answer is a refusal in words.
    pub fn agree_to_consent(mut self, agree: bool) -> Yahoo {
        self.session.agree = agree;
        self
    }

    /// The provider's clock, in seconds since the epoch; this machine's before it told.
    fn clock(&self) -> i64 {
        (self.now)() + self.ahead()
    }
}

impl Provider for Yahoo {
    fn name(&self) -> &'static str {
        NAME
    }

    fn limits(&self, _class: Class, period: Period) -> Result<Limits, String> {
        Ok(limits(period))
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }

    fn pace(&self) -> Option<String> {
        Some(format!("the rate of {} a minute", self.requests_per_minute))
    }

    fn ahead(&self) -> i64 {
        self.ahead.load(Ordering::Relaxed)
    }

    fn effort(&self, requests: &[Request]) -> Option<Effort> {
        let requests = requests.len() as u64;
        Some(Effort {
            requests,
            seconds: (requests * 60 / u64::from(self.requests_per_minute.max(1))) as i64,
        })
    }

    fn endpoint(&self) -> Option<(String, u16)> {
        self.http.endpoint()
    }

    fn test(&self) -> Testing<'_> {
        Box::pin(async { few_days(self, (self.now)()).await.map_err(|refusal| refusal.to_string()) })
    }

    fn fetch<'a>(&'a self, request: &'a Request, aside: Aside<'a>) -> Fetching<'a> {
        Box::pin(self.fetch_chart(request, aside))
    }

    fn read(&self, request: &Request, raw: &RawAnswer) -> Result<Answer, Refusal> {
        read(request, raw)
    }
}

/// How far back and how much at once. A day or two below what the service enforces to the second:
/// whole trading dates of any time zone must fit.
pub fn limits(period: Period) -> Limits {
    let (reach_days, request_days) = match period {
        Period::M1 => (Some(28), Some(7)),
        Period::H1 => (Some(728), Some(728)),
        period if period.is_intraday() => (Some(58), Some(58)),
        _ => (None, None),
    };
    Limits { reach_days, request_days }
}

/// Reads an answer of Yahoo's. Pure, so that a raw trail is read the same way without a client.
pub fn read(request: &Request, raw: &RawAnswer) -> Result<Answer, Refusal> {
    read::read(request, raw)
}
