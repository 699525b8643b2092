//! Which series: provider × instrument (× contract) × period, and what a provider says of it.

use std::fmt;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::column::Column;
use super::contract::Contract;
use super::day::{DAY_SECONDS, Day};
use super::instrument::Class;
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
    /// Seconds after local midnight at which the regular session last opened; negative where it opens
    /// the evening before its trading date, as futures do (-25200 is 17:00).
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

    /// Tells the trading date of intraday bars by their stamps: the date on the exchange's wall (by UTC where
    /// the zone is not known), or the next one where a bar belongs to a session that opens the evening before.
    pub fn trading_days(&self) -> impl Fn(i64) -> Day + use<> {
        let zone = self.time_zone().unwrap_or(TimeZone::UTC);
        let evening = self.session_open.filter(|open| *open < 0).map(|open| DAY_SECONDS + i64::from(open));
        move |stamp| {
            let (day, second) = Day::of_wall(stamp, &zone);
            if evening.is_some_and(|evening| second >= evening) { day.plus(1) } else { day }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_evening_before_belongs_to_the_next_trading_date() {
        let mut chicago = SeriesMeta { zone: Some("America/Chicago".into()), ..SeriesMeta::default() };
        let zone = chicago.time_zone().unwrap();
        // A Sunday in winter, and one on which the clocks changed.
        for date in ["2024-01-14", "2024-03-10", "2024-11-03"] {
            let sunday: Day = date.parse().unwrap();
            let evening = sunday.instant(17 * 3600, &zone);
            chicago.session_open = Some(-7 * 3600);
            assert_eq!(chicago.trading_days()(evening), sunday.plus(1));
            assert_eq!(chicago.trading_days()(evening - 60), sunday);
            assert_eq!(chicago.trading_days()(sunday.plus(1).instant(0, &zone)), sunday.plus(1));
            assert_eq!(chicago.trading_days()(sunday.plus(1).instant(15 * 3600, &zone)), sunday.plus(1));
            chicago.session_open = Some(34_200);
            assert_eq!(chicago.trading_days()(evening), sunday);
        }
        assert_eq!(SeriesMeta::default().trading_days()(-1), Day::new(-1));
    }
}
