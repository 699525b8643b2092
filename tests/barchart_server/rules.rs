//! Rules by which the server misbehaves, set by a test or through its control address.

use serde::{Deserialize, Serialize};

/// Where in a visit a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// The login form is fetched.
    LoginPage,
    /// It is sent.
    Login,
    /// The page of a symbol is fetched.
    Page,
    /// The allowance is asked for.
    Allowance,
    /// A download.
    Download,
    /// The chart proxy.
    Proxy,
    /// The OnDemand service.
    Service,
    /// Logging out, and anything else.
    Other,
}

/// One rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// For this step alone, else for all.
    #[serde(default)]
    pub(crate) step: Option<Step>,
    /// For this symbol alone.
    #[serde(default)]
    pub(crate) symbol: Option<String>,
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

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Action {
    /// This status and body instead of an answer.
    Reply { status: u16, body: String },
    /// 429 with this Retry-After header: seconds, or an HTTP date.
    RetryAfter { value: String },
    /// The answer comes after a while.
    Delay { milliseconds: u64 },
    /// The connection ends without an answer.
    HangUp {},
    /// Pages and forms have no token, and no XSRF-TOKEN cookie is set: as the site treats programs since August 2026.
    NoToken {},
    /// A page that wants to see a browser.
    Challenge {},
    /// The session ends before the request is looked at.
    LogOut {},
    /// A page in place of the export that says that the day's downloads are used up.
    LimitPage {},
    /// "Error retrieving data" in place of the export.
    NoData {},
    /// The export without its last line.
    NoFooter {},
    /// At most that many rows, the oldest.
    Rows { most: usize },
    /// The body ends after that many bytes, as if that were all.
    Truncate { bytes: usize },
    /// The export as an older site wrote it.
    Layout { generation: Generation },
    /// A column of the export under another name.
    Rename { from: String, to: String },
}

/// How the site wrote its exports over the years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Generation {
    /// `Time,Open,High,Low,Last,Change,Volume`, `01/10/20`.
    Of2020,
    /// `…,Last,Change,%Chg,Volume`, `11/18/2021`.
    Of2021,
    /// The same with `2024-11-18`.
    Of2024,
    /// `…,Latest,Change,%Change,Volume`.
    Of2026,
}

impl Rule {
    /// The action for every request.
    pub(crate) fn new(action: Action) -> Rule {
        Rule { step: None, symbol: None, skip: 0, times: None, action, seen: 0 }
    }

    /// At one step alone.
    pub(crate) fn at(mut self, step: Step) -> Rule {
        self.step = Some(step);
        self
    }

    /// For one symbol alone.
    pub(crate) fn symbol(mut self, symbol: &str) -> Rule {
        self.symbol = Some(symbol.to_owned());
        self
    }

    /// After so many requests.
    pub(crate) fn skip(mut self, skip: u64) -> Rule {
        self.skip = skip;
        self
    }

    /// For so many requests alone.
    pub(crate) fn times(mut self, times: u64) -> Rule {
        self.times = Some(times);
        self
    }

    /// Whether the rule holds for a request, which it counts.
    pub(super) fn holds(&mut self, step: Step, symbol: &str) -> bool {
        let fits = self.step.is_none_or(|wanted| wanted == step)
            && self.symbol.as_deref().is_none_or(|wanted| wanted == symbol);
        if !fits {
            return false;
        }
        self.seen += 1;
        let end = self.times.map_or(u64::MAX, |times| self.skip.saturating_add(times));
        (self.skip..end).contains(&(self.seen - 1))
    }
}
