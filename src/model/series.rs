//! Which series: provider × instrument (× contract) × period, and what a provider says of it.

use std::fmt;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::column::Column;
use super::instrument::{Class, Contract};
use super::period::Period;

/// The identity of a series.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeriesKey {
    /// `yahoo`, `barchart`, `ibkr` or `sample`: the first folder of the archive.
    pub provider: String,
    /// The instrument's class.
    pub class: Class,
    /// The instrument's name.
    pub symbol: String,
    /// The dated contract, for futures that have them.
    pub contract: Option<Contract>,
    /// The bar length.
    pub period: Period,
}

impl SeriesKey {
    /// The value columns of this series.
    pub fn columns(&self) -> &'static [Column] {
        Column::of(&self.provider, self.class, self.contract.is_some(), self.period)
    }

    /// The contract's stored name, else the symbol.
    pub fn name(&self) -> String {
        self.contract.map_or_else(|| self.symbol.clone(), |contract| contract.stored_name(&self.symbol))
    }
}

impl fmt::Display for SeriesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.provider, self.name(), self.period)
    }
}

/// What a provider says of a series, kept beside its bars.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SeriesMeta {
    /// As the provider spells it: `GBp` means pence and prices stay in pence.
    pub currency: Option<String>,
    /// The provider's name of the exchange.
    pub exchange: Option<String>,
    /// IANA name of the exchange's time zone.
    pub zone: Option<String>,
    /// Trades on every day of the week (crypto).
    pub every_day: bool,
    /// Seconds after local midnight at which the regular session last opened.
    pub session_open: Option<i32>,
    /// Seconds after local midnight at which the regular session last closed.
    pub session_close: Option<i32>,
    /// The broker's number of the contract.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub con_id: Option<i64>,
}

impl SeriesMeta {
    /// The exchange's time zone; `None` where it is not said or not known here.
    pub fn time_zone(&self) -> Option<TimeZone> {
        self.zone.as_deref().and_then(|name| TimeZone::get(name).ok())
    }
}
