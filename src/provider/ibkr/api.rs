//! What Vortex asks of a gateway, in its own words, so that whatever speaks the protocol can be
//! replaced: `tws` does today.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// The future of a gateway's answer.
pub(super) type Asking<T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send>>;

/// A gateway that is connected. A future that is dropped cancels its request there.
pub(super) trait Gateway: Send + Sync {
    /// The contracts that match.
    fn details(self: Arc<Self>, wanted: Wanted) -> Asking<Vec<Listing>>;

    /// When its data of a contract begin, in seconds since the epoch.
    fn head(self: Arc<Self>, of: Listing, show: Show, regular: bool) -> Asking<i64>;

    /// Bars.
    fn bars(self: Arc<Self>, of: Listing, asked: Asked) -> Asking<Told>;

    /// Its own clock, in seconds since the epoch.
    fn clock(self: Arc<Self>) -> Asking<i64>;

    /// What it says of its own connection to the broker, as it changes.
    fn link(&self) -> watch::Receiver<Link>;

    /// As which client it knows us.
    fn client_id(&self) -> u16;
}

/// The gateway's own connection to the broker's servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// It is there; what was asked before the last of `losses` is lost (1101).
    Up {
        /// How often what was asked was lost.
        losses: u32,
    },
    /// It is lost (1100); the gateway waits for it.
    Down {
        /// As for `Up`.
        losses: u32,
    },
    /// We are not connected to the gateway any more.
    Closed,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The gateway answers with an error.
    Said {
        /// Its number.
        code: i32,
        /// Its words, in the language of the gateway.
        text: String,
    },
    /// The connection to the gateway is gone.
    Lost(String),
    /// The gateway lost what was asked, on its own way to the broker.
    Dropped,
    /// The gateway was without the broker for longer than it is waited for.
    WithoutBroker,
    /// No answer in this many seconds.
    Silent(u64),
    /// An answer that cannot be read.
    Unreadable(String),
}

/// Which data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Show {
    /// What was traded; adjusted for splits.
    Trades,
    /// Between bid and ask.
    Midpoint,
    /// Bid.
    Bid,
    /// Ask.
    Ask,
    /// Time average of bid, highest ask, lowest bid, time average of ask; counts twice.
    BidAsk,
    /// What was traded, adjusted for splits and dividends.
    AdjustedLast,
}

impl Show {
    /// The protocol's name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Show::Trades => "TRADES",
            Show::Midpoint => "MIDPOINT",
            Show::Bid => "BID",
            Show::Ask => "ASK",
            Show::BidAsk => "BID_ASK",
            Show::AdjustedLast => "ADJUSTED_LAST",
        }
    }

    /// How much a request for bars of it counts.
    pub(super) const fn weight(self) -> u32 {
        if matches!(self, Show::BidAsk) { 2 } else { 1 }
    }

    /// The data of a name; every name that the configuration allows has one.
    pub(super) fn named(name: &str) -> Option<Show> {
        let all = [Show::Trades, Show::Midpoint, Show::Bid, Show::Ask, Show::BidAsk, Show::AdjustedLast];
        all.into_iter().find(|show| show.name() == name)
    }
}

/// A contract as it is looked for; what is empty or 0 is not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) con_id: i32,
    pub(super) symbol: String,
    /// `STK`, `FUT`, `CASH`, …
    pub(super) kind: &'static str,
    /// `YYYYMM`, of a future.
    pub(super) month: String,
    pub(super) exchange: String,
    pub(super) currency: String,
    pub(super) multiplier: String,
    pub(super) local_symbol: String,
    pub(super) trading_class: String,
    pub(super) expired_too: bool,
}

/// A contract as the broker lists it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Listing {
    /// The broker's number of it.
    pub(super) con_id: i32,
    pub(super) symbol: String,
    /// `STK`, `FUT`, `CASH`, …
    pub(super) sec_type: String,
    /// Last trading date or month, as the broker writes it.
    pub(super) expiry: String,
    /// The month a future is named after, `YYYYMM`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) month: String,
    pub(super) exchange: String,
    pub(super) primary_exchange: String,
    pub(super) currency: String,
    pub(super) multiplier: String,
    pub(super) local_symbol: String,
    pub(super) trading_class: String,
    pub(super) long_name: String,
    /// By how much prices are multiplied beside the currency's unit: 100 for cents.
    pub(super) price_magnifier: i32,
    /// The broker's name of the exchange's time zone.
    pub(super) time_zone: String,
    /// Sessions of the next days, extended hours included.
    pub(super) trading_hours: Vec<String>,
    /// The same, regular hours alone.
    pub(super) liquid_hours: Vec<String>,
}

/// One request for bars.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asked {
    /// The end, in seconds since the epoch; `None` is now.
    pub(super) end: Option<i64>,
    /// How far back from the end.
    pub(super) duration: Span,
    /// The bar's length.
    pub(super) bar: Bar,
    pub(super) show: Show,
    /// Regular trading hours alone.
    pub(super) regular: bool,
}

/// The protocol's lengths of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Span {
    /// Sessions, not calendar days.
    D(i32),
    /// Weeks.
    W(i32),
    /// Months.
    M(i32),
    /// Years.
    Y(i32),
}

/// The protocol's bars that Vortex asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Bar {
    /// So many minutes: 1, 2, 5, 10, 15, 20 or 30.
    Minutes(u8),
    /// One hour.
    Hour,
    /// One session.
    Day,
    /// One week.
    Week,
    /// One month.
    Month,
}

/// An answer with bars.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Told {
    /// From when on they are complete, by the gateway, in seconds since the epoch.
    pub(super) start: i64,
    /// In the order received.
    pub(super) rows: Vec<Row>,
}

/// One bar as received: stamp, open, high, low, close, volume, volume-weighted average, count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Row(
    pub(super) Stamp,
    pub(super) Option<f64>,
    pub(super) Option<f64>,
    pub(super) Option<f64>,
    pub(super) Option<f64>,
    pub(super) Option<f64>,
    pub(super) Option<f64>,
    pub(super) Option<f64>,
);

/// The stamp of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Stamp {
    /// The instant an intraday bar opens, in seconds since the epoch.
    Instant(i64),
    /// The trading date of a daily or longer bar: year, month, day.
    Date(i16, u8, u8),
}
