//! How the gateway misbehaves on demand: a list of rules, each a condition and an action.

use serde::{Deserialize, Serialize};

/// What a client is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// It connects.
    Connect,
    /// It says its client id.
    Start,
    /// It asks what a contract is.
    Details,
    /// It asks for bars, or for a schedule.
    History,
    /// It asks for the first instant with data.
    Head,
}

/// One rule. A condition that is left out holds always.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// What the client does; without it, it asks for bars.
    #[serde(default = "history")]
    pub(crate) on: Kind,
    /// The symbol asked for.
    #[serde(default)]
    pub(crate) symbol: Option<String>,
    /// The bar size asked for, by the broker's name.
    #[serde(default)]
    pub(crate) bar_size: Option<String>,
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

fn history() -> Kind {
    Kind::History
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Action {
    /// This error instead of an answer.
    Error { code: i32, text: String },
    /// A notice with the number of the request before the answer.
    NoticeBefore { code: i32, text: String },
    /// A notice about no request between the bars and their end.
    NoticeBetween { code: i32, text: String },
    /// The answer comes after a while.
    Delay { milliseconds: u64 },
    /// No answer, ever; to a connection no handshake.
    Silent {},
    /// Bars, and no end of them.
    NoEnd {},
    /// The connection ends without an answer.
    HangUp {},
    /// The connection ends after that many bytes of the answer.
    CloseAfter { bytes: usize },
    /// The answer in segments of so many bytes.
    Split { bytes: usize },
    /// All frames of the answer in one segment.
    Together {},
    /// An answer with an end and without bars.
    Empty {},
    /// The answer reaches back until it has so many bars.
    Huge { bars: usize },
    /// The first bar of a week or a month holds only what lies in the window asked for.
    CutFirst {},
    /// Prices are multiplied, as when cents become dollars.
    Scale { factor: f64 },
    /// Volumes have decimals.
    Fractions {},
    /// The ends of the answer are in UTC.
    EndInUtc {},
    /// The ends of the answer are in a zone of this name.
    EndInZone { name: String },
    /// 1100 to everybody; after a while 1101 and what was asked is lost, or 1102 and it is answered.
    Outage { milliseconds: u64, code: i32 },
    /// The gateway goes away with all connections, and comes back after a while.
    Restart { milliseconds: u64 },
    /// To a request for the first instant with data: this, in seconds since the epoch.
    HeadAt { seconds: i64 },
    /// To a start: its client id is in use.
    IdInUse {},
}

impl Rule {
    /// The action for every request for bars.
    pub(crate) fn new(action: Action) -> Rule {
        Rule { on: Kind::History, symbol: None, bar_size: None, skip: 0, times: None, action, seen: 0 }
    }

    /// An error for every request for bars.
    pub(crate) fn error(code: i32, text: &str) -> Rule {
        Rule::new(Action::Error { code, text: text.to_owned() })
    }

    /// For something else than bars.
    pub(crate) fn on(mut self, kind: Kind) -> Rule {
        self.on = kind;
        self
    }

    /// For one symbol alone.
    pub(crate) fn symbol(mut self, symbol: &str) -> Rule {
        self.symbol = Some(symbol.to_owned());
        self
    }

    /// For one bar size alone.
    pub(crate) fn bar_size(mut self, size: &str) -> Rule {
        self.bar_size = Some(size.to_owned());
        self
    }

    /// Once so many requests have passed.
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
    pub(super) fn holds(&mut self, kind: Kind, symbol: &str, bar_size: &str) -> bool {
        let fits = self.on == kind
            && self.symbol.as_deref().is_none_or(|wanted| wanted == symbol)
            && self.bar_size.as_deref().is_none_or(|wanted| wanted == bar_size);
        if !fits {
            return false;
        }
        self.seen += 1;
        let end = self.times.map_or(u64::MAX, |times| self.skip.saturating_add(times));
        (self.skip..end).contains(&(self.seen - 1))
    }
}
