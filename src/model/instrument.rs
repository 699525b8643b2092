//! What a person calls a thing that trades.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::day::Day;
use super::period::Period;

/// The class of an instrument. Indices, ETFs, funds and crypto count as stocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Stocks and all that is quoted like one.
    Stock,
    /// Futures: dated contracts, or a provider's own continuous series.
    Future,
    /// Currency pairs.
    Forex,
}

impl Class {
    /// Every class.
    pub const ALL: [Class; 3] = [Class::Stock, Class::Future, Class::Forex];

    /// `stock`, `future` or `forex`, as in files and options.
    pub const fn name(self) -> &'static str {
        match self {
            Class::Stock => "stock",
            Class::Future => "future",
            Class::Forex => "forex",
        }
    }

    /// The folder of the archive: `stocks`, `futures` or `forex`.
    pub const fn folder(self) -> &'static str {
        match self {
            Class::Stock => "stocks",
            Class::Future => "futures",
            Class::Forex => "forex",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Class {
    type Err = String;

    fn from_str(text: &str) -> Result<Class, String> {
        Class::ALL
            .into_iter()
            .find(|class| class.name() == text)
            .ok_or_else(|| format!("{text:?} is not a class; allowed are stock, future, forex"))
    }
}

/// One entry of the instruments file, or a symbol given on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// What the person calls it; names its files.
    pub name: String,
    /// The provider's symbol.
    pub code: String,
    /// Its class.
    pub class: Class,
    /// The periods to keep; `None` means the defaults of the class, empty means disabled.
    pub periods: Option<Vec<Period>>,
    /// Nothing before this day is asked for.
    pub start_date: Option<Day>,
    /// First day with intraday data.
    pub tick_date: Option<Day>,
    /// Month letters of the contracts that trade, such as `HMUZ`; only futures have one.
    pub cycle: Option<String>,
    /// How many days a contract trades before it expires.
    pub days_count: u32,
    /// What only Interactive Brokers asks for.
    pub broker: BrokerFields,
}

/// How long a contract trades before expiry where the file does not say.
pub const DEFAULT_DAYS_COUNT: u32 = 360;

/// Fields of the instruments file that identify a contract at Interactive Brokers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BrokerFields {
    /// The broker's contract number.
    pub con_id: Option<i64>,
    /// Exchange, such as `SMART`.
    pub exchange: Option<String>,
    /// Currency, such as `USD`.
    pub currency: Option<String>,
    /// Value of one point, in currency units.
    pub multiplier: Option<String>,
    /// The exchange's own symbol.
    pub local_symbol: Option<String>,
    /// Trading class.
    pub trading_class: Option<String>,
}

impl Instrument {
    /// An instrument known by its code alone, with nothing else said.
    pub fn plain(name: &str, code: &str, class: Class) -> Instrument {
        Instrument {
            name: name.to_owned(),
            code: code.to_owned(),
            class,
            periods: None,
            start_date: None,
            tick_date: None,
            cycle: None,
            days_count: DEFAULT_DAYS_COUNT,
            broker: BrokerFields::default(),
        }
    }

    /// The instrument of a code typed on the command line: Yahoo's suffix `=X` means forex, `=F` a
    /// continuous future, anything else a stock.
    pub fn of_code(code: &str) -> Instrument {
        let class = match code {
            _ if code.ends_with("=X") => Class::Forex,
            _ if code.ends_with("=F") => Class::Future,
            _ => Class::Stock,
        };
        Instrument::plain(code, code, class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_tell_their_class() {
        assert_eq!(Instrument::of_code("EURUSD=X").class, Class::Forex);
        assert_eq!(Instrument::of_code("GC=F").class, Class::Future);
        assert_eq!(Instrument::of_code("^GSPC").class, Class::Stock);
    }
}
