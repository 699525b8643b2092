//! How the server misbehaves on demand: a list of rules, each a condition and an action.

use serde::{Deserialize, Serialize};
use vortex::model::Day;
use vortex::provider::sample::listing::Listing;
use vortex::provider::sample::market::{Bar, Dividend};

/// One rule. A condition that is left out holds always.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// The symbol asked for.
    #[serde(default)]
    pub(crate) symbol: Option<String>,
    /// The interval asked for.
    #[serde(default)]
    pub(crate) interval: Option<String>,
    /// The whole path asked for; without it, every chart.
    #[serde(default)]
    pub(crate) path: Option<String>,
    /// That many requests pass before it begins.
    #[serde(default)]
    pub(crate) skip: u64,
    /// It holds for that many requests, else for ever.
    #[serde(default)]
    pub(crate) times: Option<u64>,
    /// What happens.
    pub(crate) action: Action,
    /// Requests seen so far.
    #[serde(skip)]
    seen: u64,
}

/// What happens to a request. Instants are seconds since the epoch, days dates.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Action {
    /// This status and body instead of an answer.
    Reply { status: u16, body: String },
    /// 401 until the request carries cookie and crumb.
    NeedCrumb {},
    /// Redirected to the consent page until the request carries its cookie.
    NeedConsent {},
    /// Redirected elsewhere.
    Redirect { to: String },
    /// The answer comes after a while.
    Delay { milliseconds: u64 },
    /// Bars of another interval than asked.
    Granularity { interval: String },
    /// The answer's body ends after that many bytes, as if that were all.
    Truncate { bytes: usize },
    /// 429 with this Retry-After header: seconds, or an HTTP date.
    RetryAfter { value: String },
    /// The connection ends after that many bytes of the body, of which more was announced by its length.
    Short { bytes: usize },
    /// The same for a body that comes in chunks.
    CutOff { bytes: usize },
    /// The compressed body ends after that many bytes.
    CutGzip { bytes: usize },
    /// A body that never ends.
    Endless {},
    /// The body comes byte by byte.
    Drip { milliseconds: u64 },
    /// A few bytes that unpack to that many mebibytes of spaces.
    Bomb { mebibytes: usize },
    /// The connection is reset after that many bytes of the body.
    Reset { bytes: usize },
    /// The connection ends without an answer.
    HangUp {},
    /// A session's rows are null before an instant, or for ever.
    NullSession { day: String, until: Option<i64> },
    /// A session's rows are missing before an instant, or for ever.
    DropSession { day: String, until: Option<i64> },
    /// A session's prices are multiplied.
    Restate { day: String, factor: f64 },
    /// A split is listed once the session of `day` has opened. Bars from that day on are at the new
    /// scale, earlier ones from the instant `at` on: before it they are mis-scaled.
    Split { day: String, ratio: f64, at: i64 },
}

impl Rule {
    /// The action for every chart.
    pub(crate) fn new(action: Action) -> Rule {
        Rule { symbol: None, interval: None, path: None, skip: 0, times: None, action, seen: 0 }
    }

    /// For one symbol alone.
    pub(crate) fn symbol(mut self, symbol: &str) -> Rule {
        self.symbol = Some(symbol.to_owned());
        self
    }

    /// For so many requests alone.
    pub(crate) fn times(mut self, times: u64) -> Rule {
        self.times = Some(times);
        self
    }

    /// Whether the rule holds for a request, which it counts.
    pub(super) fn holds(&mut self, path: &str, symbol: Option<&str>, interval: &str) -> bool {
        let place = match &self.path {
            Some(wanted) => wanted == path,
            None => symbol.is_some(),
        };
        let fits = place
            && self.symbol.as_deref().is_none_or(|wanted| symbol == Some(wanted))
            && self.interval.as_deref().is_none_or(|wanted| interval == wanted);
        if !fits {
            return false;
        }
        self.seen += 1;
        let end = self.times.map_or(u64::MAX, |times| self.skip.saturating_add(times));
        (self.skip..end).contains(&(self.seen - 1))
    }
}

impl Action {
    /// The refusal of an address that asked too much.
    pub(crate) fn too_many_requests() -> Action {
        Action::Reply { status: 429, body: super::TOO_MANY.to_owned() }
    }

    /// What the market says that this action does not, applied to its bars.
    pub(super) fn apply(&self, bars: &mut Vec<Bar>, now: i64) {
        match self {
            Action::DropSession { day, until } if until.is_none_or(|until| now < until) => {
                bars.retain(|bar| bar.session.day != date(day));
            }
            Action::Restate { day, factor } => {
                for bar in bars.iter_mut().filter(|bar| bar.session.day == date(day)) {
                    scale(bar, 1.0 / factor, 1.0);
                }
            }
            Action::Split { day, ratio, at } => {
                let rescaled = |bar: &&mut Bar| bar.session.day >= date(day) || now >= *at;
                for bar in bars.iter_mut().filter(rescaled) {
                    scale(bar, *ratio, *ratio);
                }
            }
            _ => {}
        }
    }

    /// A split of this action that is listed by `now`: the date and the ratio.
    pub(super) fn listed_split(&self, listing: &Listing, now: i64) -> Option<(Day, f64)> {
        match self {
            Action::Split { day, ratio, .. } if listing.hours(date(day)).open <= now => {
                Some((date(day), *ratio))
            }
            _ => None,
        }
    }

    /// A dividend at the scale this action puts its date on.
    pub(super) fn rescale(&self, dividend: &mut Dividend, now: i64) {
        if let Action::Split { day, ratio, at } = self
            && (dividend.day >= date(day) || now >= *at)
        {
            dividend.amount /= ratio;
        }
    }

    /// A date whose rows this action makes null.
    pub(super) fn null_day(&self, now: i64) -> Option<Day> {
        match self {
            Action::NullSession { day, until } if until.is_none_or(|until| now < until) => Some(date(day)),
            _ => None,
        }
    }
}

/// A rule's date; a wrong one is the test's mistake and ends it.
fn date(text: &str) -> Day {
    text.parse().unwrap()
}

fn scale(bar: &mut Bar, divide: f64, multiply: f64) {
    for price in [&mut bar.open, &mut bar.high, &mut bar.low, &mut bar.close] {
        *price = f64::from((*price / divide) as f32);
    }
    bar.volume = (bar.volume * multiply).round();
}
