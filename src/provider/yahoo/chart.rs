//! The shape of the chart service's answer. Only what is used; prices and volumes may be integers,
//! floats or null, and a null is NaN from here on.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::value::RawValue;

use crate::model::Day;

/// The seconds since the epoch that an instant may be: those of the years 1800 to 2300. With others
/// an answer is refused, so that arithmetic on what was let in cannot overflow.
pub(super) const INSTANTS: Range<i64> = -5_364_662_400..10_445_328_000;

#[derive(Deserialize)]
pub(super) struct Reply {
    pub(super) chart: Option<Body>,
}

#[derive(Deserialize)]
pub(super) struct Body {
    pub(super) result: Option<Vec<Chart>>,
    pub(super) error: Option<Fault>,
}

#[derive(Deserialize)]
pub(super) struct Fault {
    #[serde(default)]
    pub(super) code: String,
    pub(super) description: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Chart {
    pub(super) meta: Meta,
    /// Seconds since the epoch; absent in a valid answer without bars.
    #[serde(default)]
    pub(super) timestamp: Vec<i64>,
    pub(super) indicators: Indicators,
    #[serde(default)]
    pub(super) events: Events,
}

impl Chart {
    /// Every instant of the answer, with the field it stands in.
    pub(super) fn instants(&self) -> impl Iterator<Item = (&'static str, i64)> + '_ {
        let named = |field| move |stamp| (field, stamp);
        let meta = &self.meta;
        let current = meta.current_trading_period.as_ref().and_then(|current| current.regular);
        let periods = meta.trading_periods.as_ref().map_or_else(Vec::new, TradingPeriods::regular);
        let edges = |window: Window| [window.start, window.end];
        let stamps = self.timestamp.iter().copied().map(named("timestamp"));
        stamps
            .chain(meta.first_trade_date.map(named("firstTradeDate")))
            .chain(meta.regular_market_time.map(named("regularMarketTime")))
            .chain(current.into_iter().flat_map(edges).map(named("currentTradingPeriod")))
            .chain(periods.into_iter().flat_map(edges).map(named("tradingPeriods")))
            .chain(self.events.instants().map(named("event date")))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    pub(super) symbol: Option<String>,
    pub(super) currency: Option<String>,
    pub(super) exchange_name: Option<String>,
    pub(super) instrument_type: Option<String>,
    pub(super) first_trade_date: Option<i64>,
    pub(super) regular_market_time: Option<i64>,
    pub(super) exchange_timezone_name: Option<String>,
    pub(super) data_granularity: Option<String>,
    pub(super) current_trading_period: Option<Current>,
    pub(super) trading_periods: Option<TradingPeriods>,
}

#[derive(Deserialize)]
pub(super) struct Current {
    pub(super) regular: Option<Window>,
}

/// A session: from its opening to its close, in seconds since the epoch.
#[derive(Clone, Copy, Deserialize)]
pub(super) struct Window {
    pub(super) start: i64,
    pub(super) end: i64,
}

impl Window {
    /// A session that ends at 23:59 goes on all day and ends with it: its last minute has bars too.
    pub(super) fn to_midnight(self, zone: &TimeZone) -> Window {
        let next = self.end + 60;
        let to_midnight = Day::of_local(next, zone).instant(0, zone) == next;
        Window { end: if to_midnight { next } else { self.end }, ..self }
    }
}

/// The regular sessions of an intraday answer; their shape depends on the request.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum TradingPeriods {
    Nested(Vec<Vec<Window>>),
    Flat(Vec<Window>),
    ByKind { regular: Vec<Vec<Window>> },
}

impl TradingPeriods {
    /// Every session.
    pub(super) fn regular(&self) -> Vec<Window> {
        match self {
            TradingPeriods::Nested(days) | TradingPeriods::ByKind { regular: days } => {
                days.iter().flatten().copied().collect()
            }
            TradingPeriods::Flat(windows) => windows.clone(),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Indicators {
    #[serde(default)]
    pub(super) quote: Vec<Quote>,
    #[serde(default)]
    pub(super) adjclose: Vec<AdjClose>,
}

#[derive(Default, Deserialize)]
pub(super) struct Quote {
    #[serde(default, deserialize_with = "numbers")]
    pub(super) open: Vec<f64>,
    #[serde(default, deserialize_with = "numbers")]
    pub(super) high: Vec<f64>,
    #[serde(default, deserialize_with = "numbers")]
    pub(super) low: Vec<f64>,
    #[serde(default, deserialize_with = "numbers")]
    pub(super) close: Vec<f64>,
    #[serde(default, deserialize_with = "numbers")]
    pub(super) volume: Vec<f64>,
}

#[derive(Default, Deserialize)]
pub(super) struct AdjClose {
    #[serde(default, deserialize_with = "numbers")]
    pub(super) adjclose: Vec<f64>,
}

/// Events by the second they are filed under.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Events {
    pub(super) dividends: BTreeMap<String, Payment>,
    pub(super) capital_gains: BTreeMap<String, Payment>,
    pub(super) splits: BTreeMap<String, SplitEvent>,
}

impl Events {
    fn instants(&self) -> impl Iterator<Item = i64> + '_ {
        let payments = self.dividends.iter().chain(&self.capital_gains);
        let payments = payments.filter_map(|(key, event)| filed(key, event.date));
        payments.chain(self.splits.iter().filter_map(|(key, event)| filed(key, event.date)))
    }
}

/// The instant of an event: its own date where it has one, else the one it is filed under.
pub(super) fn filed(key: &str, date: Option<i64>) -> Option<i64> {
    date.or_else(|| key.parse().ok())
}

#[derive(Deserialize)]
pub(super) struct Payment {
    pub(super) amount: Option<f64>,
    pub(super) date: Option<i64>,
}

#[derive(Deserialize)]
pub(super) struct SplitEvent {
    pub(super) date: Option<i64>,
    pub(super) numerator: Option<f64>,
    pub(super) denominator: Option<f64>,
}

/// An array of numbers and nulls, as doubles and NaN. By far the most of an answer: its text is taken whole
/// and each number read by the standard library, which is several times faster than one by one.
fn numbers<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f64>, D::Error> {
    let text = <&RawValue>::deserialize(from)?.get();
    read_numbers(text).ok_or_else(|| D::Error::custom("an array is not one of numbers and nulls"))
}

/// Reads what is known to be JSON; `None` where it is something else than wanted.
fn read_numbers(text: &str) -> Option<Vec<f64>> {
    if text == "null" {
        return Some(Vec::new());
    }
    let mut items = text.strip_prefix('[')?.strip_suffix(']')?;
    if items.trim_ascii().is_empty() {
        return Some(Vec::new());
    }
    let mut values = Vec::with_capacity(items.bytes().filter(|byte| *byte == b',').count() + 1);
    loop {
        // Numbers are short: looking at each byte beats any search.
        let comma = items.bytes().position(|byte| byte == b',');
        values.push(match items.get(..comma.unwrap_or(items.len()))?.trim_ascii() {
            "null" => f64::NAN,
            number => number.parse().ok().filter(|value: &f64| value.is_finite())?,
        });
        match comma {
            Some(comma) => items = items.get(comma + 1..)?,
            None => return Some(values),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the reader of JSON reads it.
    fn one_by_one(text: &str) -> Option<Vec<f64>> {
        let read: Option<Vec<Option<f64>>> = serde_json::from_str(text).ok()?;
        Some(read.unwrap_or_default().into_iter().map(|value| value.unwrap_or(f64::NAN)).collect())
    }

    fn bits(values: Option<Vec<f64>>) -> Option<Vec<u64>> {
        values.map(|values| values.into_iter().map(f64::to_bits).collect())
    }

    fn quote(text: &str) -> Option<Vec<f64>> {
        serde_json::from_str(&format!(r#"{{"open":{text}}}"#)).ok().map(|quote: Quote| quote.open)
    }

    #[test]
    fn only_numbers_and_nulls_are_let_in() {
        for text in [
            "null",
            "[]",
            "[ ]",
            "[1]",
            "[ 1.5 ,null , -0.0,\n2e3, 18446744073709551616]",
            "[1e308]",
            "[1e999]",
            "[\"1\"]",
            "[\"1,2\"]",
            "[true]",
            "[[1,2]]",
            "[{\"a\":1}]",
            "{}",
            "1",
            "\"x\"",
            "[1,]",
            "[01]",
            "[inf]",
            "[NaN]",
            "[+1]",
            "[.5]",
            "[1.]",
            "[\"inf\"]",
        ] {
            assert_eq!(bits(quote(text)), bits(one_by_one(text)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_number_is_read_to_the_bit(raw in prop::collection::vec(any::<u64>(), 0..40), single in any::<f32>()) {
            let doubles = raw.iter().map(|bits| f64::from_bits(*bits)).chain([f64::from(single)]);
            let doubles: Vec<f64> = doubles.filter(|value| value.is_finite()).collect();
            for text in [serde_json::to_string(&doubles).unwrap(), format!("{doubles:?}")] {
                prop_assert_eq!(bits(quote(&text)), bits(Some(doubles.clone())));
            }
        }
    }
}
