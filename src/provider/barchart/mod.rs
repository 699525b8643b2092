//! Barchart.com: the history of dated futures contracts, stocks and currencies, under a daily allowance.
//!
//! Reading order: `access` says by which of the three honest ways it is asked (a key of the OnDemand service, a
//! session of the person's own browser, a login by name and password), `session` reads and keeps cookies, `site`
//! asks the pages and `ondemand` the service, each by `ask` and with what `request` says is asked. `page` knows the pages for people,
//! `refusal` tells what an answer without bars means, `csv` reads the site's exports, `read` makes bars of it all.
//!
//! Nothing here passes for a browser: where the site lets browsers in alone, it is told so in words.

mod access;
mod ask;
pub mod csv;
mod ondemand;
mod page;
mod read;
mod refusal;
mod request;
pub mod session;
mod site;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

pub use self::access::Access;
pub use self::read::{FILE, finished_answer, opens, zone};
pub use self::refusal::WAYS;
use self::site::Visit;
use super::few_days::few_days;
use super::http::{Http, SetupError};
use super::limits::{Quota, Throttle};
use super::{
    Allowance, Answer, Aside, Clock, Closing, Fetching, Limits, Provider, RawAnswer, Refusal, Request,
    Testing,
};
use crate::config::{BarchartSettings, Config};
use crate::model::{Class, Day, Period};

/// The name in configuration, paths and messages.
pub const NAME: &str = "barchart";

/// The calendar by which downloads are counted, and the zone of its futures' and currencies' stamps.
pub const ZONE: &str = "America/Chicago";

/// Every host a request or one of its redirects may go to.
const HOSTS: &[&str] = &["www.barchart.com", "ondemand.websol.barchart.com"];

/// The most rows that one download has.
const MOST_ROWS: usize = 20_000;
/// The most rows that one has by what some say.
const FEWER_ROWS: usize = 10_000;

/// The provider.
pub struct Barchart {
    http: Http,
    throttle: Arc<Throttle>,
    access: Access,
    /// What the day's downloads are counted by.
    quota: Quota,
    /// One download after the other, as a person would; and what is known of the visit to the site.
    visit: tokio::sync::Mutex<Visit>,
    now: Clock,
    /// How far the clock of its last answer was ahead of this machine's, in seconds.
    ahead: AtomicI64,
    daily_limit: u16,
    requests_per_minute: u32,
    concurrency: usize,
    /// The longest pause between two downloads, in seconds.
    longest_pause: u16,
}

impl Barchart {
    /// A provider of these settings that is asked by `access`, under the limits that `throttle` keeps; it pauses
    /// between downloads for up to `longest_pause` seconds.
    pub fn new(
        settings: &BarchartSettings,
        access: Access,
        longest_pause: u16,
        throttle: Arc<Throttle>,
        now: Clock,
    ) -> Result<Barchart, SetupError> {
        let http = Http::new(NAME, HOSTS, &settings.http)?;
        Ok(Barchart {
            quota: quota(settings, &access),
            http,
            throttle,
            access,
            visit: tokio::sync::Mutex::default(),
            now,
            ahead: AtomicI64::new(0),
            daily_limit: settings.daily_limit,
            requests_per_minute: settings.http.requests_per_minute,
            concurrency: settings.http.concurrency.max(1),
            longest_pause,
        })
    }

    /// Asks for as little as shows whether all is well; says so in a line.
    pub async fn look(&self) -> Result<String, Refusal> {
        match self.access {
            // That costs one call.
            Access::Key(_) => {
                let told = few_days(self, (self.now)()).await?;
                Ok(format!("{}, {told}, {}", self.access.words(), self.used_today()))
            }
            Access::Session(_) | Access::Login { .. } => self.look_at_site().await,
            Access::None => Err(refusal::no_account()),
        }
    }

    /// `3 of 150 downloads of today used`.
    fn used_today(&self) -> String {
        match self.throttle.allowance(&self.quota, (self.now)()) {
            Ok(allowance) => format!("{} of {} downloads of today used", allowance.used, allowance.limit),
            Err(error) => format!("the day's downloads cannot be counted: {error}"),
        }
    }
}

/// What an account or a key may download in a day.
pub fn quota(settings: &BarchartSettings, access: &Access) -> Quota {
    Quota::new(NAME, &access.identity(), settings.daily_limit.into(), ZONE)
}

impl Provider for Barchart {
    fn name(&self) -> &'static str {
        NAME
    }

    fn limits(&self, class: Class, period: Period) -> Result<Limits, String> {
        limits(class, period, Day::of_utc((self.now)() + self.ahead()))
    }

    fn serves_contracts(&self) -> bool {
        true
    }

    fn concurrency(&self) -> usize {
        match self.access {
            Access::Key(_) => self.concurrency,
            // The site is visited as a person does it.
            _ => 1,
        }
    }

    fn pace(&self) -> Option<String> {
        let pause = match self.longest_pause {
            0 => String::new(),
            longest => format!(", with pauses of up to {longest} s between downloads"),
        };
        Some(format!("{} downloads a day{pause}", self.daily_limit))
    }

    fn allowance(&self, now: i64) -> Option<Allowance> {
        self.throttle.allowance(&self.quota, now).ok()
    }

    fn ahead(&self) -> i64 {
        self.ahead.load(Ordering::Relaxed)
    }

    fn unready(&self) -> Option<Refusal> {
        matches!(self.access, Access::None).then(refusal::no_account)
    }

    fn endpoint(&self) -> Option<(String, u16)> {
        self.http.endpoint()
    }

    fn test(&self) -> Testing<'_> {
        Box::pin(async {
            let said = self.look().await;
            self.log_out().await;
            said.map_err(|refusal| refusal.to_string())
        })
    }

    fn fetch<'a>(&'a self, request: &'a Request, aside: Aside<'a>) -> Fetching<'a> {
        Box::pin(async move {
            match self.access {
                Access::Key(_) => self.fetch_from_service(request, aside).await,
                Access::Session(_) | Access::Login { .. } => self.fetch_from_site(request, aside).await,
                Access::None => Err(refusal::no_account()),
            }
        })
    }

    fn read(&self, request: &Request, raw: &RawAnswer) -> Result<Answer, Refusal> {
        read(request, raw)
    }

    fn finish(&self) -> Closing<'_> {
        Box::pin(self.log_out())
    }
}

/// What is served of a period on a day: as far back as the site has it, and so much at once that a download's
/// 20,000 rows hold it.
pub fn limits(_class: Class, period: Period, today: Day) -> Result<Limits, String> {
    let reach_days = match period {
        Period::M1 | Period::M5 | Period::M15 | Period::M30 => Some(3650),
        Period::H1 => Some(today.number() - Day::of_date(jiff::civil::date(2008, 1, 1)).number()),
        Period::D1 | Period::W1 | Period::Mo1 => None,
        other => {
            return Err(format!(
                "barchart has no bars of {other}; it has 1m, 5m, 15m, 30m, 1h, 1d, 1W and 1M"
            ));
        }
    };
    Ok(Limits { reach_days, request_days: period.seconds().map(request_days) })
}

/// How many days of bars of so many seconds are 20,000 rows at most: futures trade for 23 hours a day, from
/// Sunday evening to Friday afternoon.
fn request_days(seconds: i64) -> i32 {
    let (week, day) = (115 * 3600 / seconds, 23 * 3600 / seconds);
    let rows = MOST_ROWS as i64;
    (rows / week * 7 + rows % week / day) as i32
}

/// Reads an answer of Barchart's, by whichever way it was asked for. Pure, so that a raw trail is read the same
/// way without an account.
pub fn read(request: &Request, raw: &RawAnswer) -> Result<Answer, Refusal> {
    read::read(request, raw)
}

/// By which way the configuration has it asked; the stored session lies in the state folder.
pub fn access(config: &Config) -> Result<Access, String> {
    Access::of(&config.barchart, &session_file(&config.state_directory))
}

/// Where the session of a person's browser is kept.
pub fn session_file(state_directory: &Path) -> std::path::PathBuf {
    state_directory.join("barchart.session")
}
