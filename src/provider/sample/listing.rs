//! What is listed in the sample market: some well-known codes, and a made-up stock for any other.

use crate::model::{Class, Contract, Day};
use crate::provider::Split;

use super::exchange::{self, Exchange};
use super::noise::{mix, seed_of};

/// What kind of thing is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A company's share.
    Equity,
    /// An exchange-traded fund.
    Fund,
    /// An index.
    Index,
    /// A currency pair.
    Currency,
    /// A future.
    Future,
    /// A crypto currency.
    Crypto,
}

/// One quoted thing.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The code it is asked for by.
    pub code: String,
    /// Its kind.
    pub kind: Kind,
    /// Where it trades.
    pub exchange: &'static Exchange,
    /// Its currency, `GBp` for pence.
    pub currency: &'static str,
    /// The first date with a bar.
    pub first_day: Day,
    /// The last date with a bar; only dated contracts have one.
    pub last_day: Option<Day>,
    /// Every split it ever has, ascending, also those to come.
    pub splits: Vec<Split>,
    /// Dividends a year as a share of the price; 0 where none are paid.
    pub(super) dividend_yield: f64,
    /// The typical price at the start of 2026.
    pub(super) price: f64,
    /// The smallest price step.
    pub(super) tick: f64,
    /// The typical move of a day, as a share of the price.
    pub(super) swing: f64,
    /// The typical volume of a day; 0 where none is reported.
    pub(super) volume: f64,
    /// What all its noise is drawn from.
    pub(super) seed: u64,
}

/// Codes that begin so are known to nobody.
pub const UNKNOWN_PREFIX: &str = "NOSUCH";

/// The well-known codes: code, kind, exchange, currency, first year, price, tick, swing, volume,
/// dividend yield.
type Row = (
    &'static str,
    Kind,
    &'static Exchange,
    &'static str,
    i16,
    f64,
    f64,
    f64,
    f64,
    f64,
);

static ROWS: &[Row] = {
    use Kind::*;
    use exchange::*;
    &[
        (
            "AAPL", Equity, &NASDAQ, "USD", 1981, 230.0, 0.01, 0.016, 6e7, 0.005,
        ),
        (
            "MSFT", Equity, &NASDAQ, "USD", 1986, 430.0, 0.01, 0.015, 2e7, 0.008,
        ),
        (
            "GE", Equity, &NEW_YORK, "USD", 1970, 180.0, 0.01, 0.017, 5e6, 0.007,
        ),
        (
            "SPY", Fund, &ARCA, "USD", 1993, 590.0, 0.01, 0.010, 5e7, 0.012,
        ),
        (
            "^GSPC", Index, &INDICES, "USD", 1960, 5900.0, 0.01, 0.010, 4e9, 0.0,
        ),
        (
            "VOD.L", Equity, &LONDON, "GBp", 1988, 72.0, 0.01, 0.014, 4e7, 0.05,
        ),
        (
            "7203.T", Equity, &TOKYO, "JPY", 1999, 2800.0, 0.5, 0.015, 2.4e7, 0.028,
        ),
        (
            "BHP.AX", Equity, &SYDNEY, "AUD", 1988, 41.0, 0.01, 0.014, 8e6, 0.045,
        ),
        (
            "BTC-USD", Crypto, &CRYPTO, "USD", 2014, 95000.0, 0.01, 0.028, 3e10, 0.0,
        ),
        (
            "EURUSD=X",
            Currency,
            &CURRENCIES,
            "USD",
            2003,
            1.06,
            1e-5,
            0.004,
            0.0,
            0.0,
        ),
        (
            "GBPUSD=X",
            Currency,
            &CURRENCIES,
            "USD",
            2003,
            1.26,
            1e-5,
            0.005,
            0.0,
            0.0,
        ),
        (
            "USDJPY=X",
            Currency,
            &CURRENCIES,
            "JPY",
            1996,
            154.0,
            1e-3,
            0.005,
            0.0,
            0.0,
        ),
        (
            "GC=F", Future, &COMEX, "USD", 2000, 2650.0, 0.1, 0.009, 2e5, 0.0,
        ),
        (
            "SI=F", Future, &COMEX, "USD", 2000, 31.0, 0.005, 0.016, 6e4, 0.0,
        ),
        (
            "CL=F", Future, &NYMEX, "USD", 2000, 70.0, 0.01, 0.019, 3e5, 0.0,
        ),
        (
            "ES=F", Future, &CME, "USD", 2000, 5900.0, 0.25, 0.010, 1.5e6, 0.0,
        ),
        (
            "6A=F", Future, &CME, "USD", 2000, 0.65, 5e-5, 0.006, 9e4, 0.0,
        ),
    ]
};

/// Splits of the well-known codes: code, first date at the new scale, new shares for one old.
const SPLITS: &[(&str, (i16, i8, i8), f64)] = &[
    ("AAPL", (2014, 6, 9), 7.0),
    ("AAPL", (2020, 8, 31), 4.0),
    ("MSFT", (1999, 3, 29), 2.0),
    ("MSFT", (2003, 2, 18), 2.0),
    ("GE", (2000, 5, 8), 3.0),
    ("GE", (2021, 8, 2), 0.125),
    ("7203.T", (2021, 9, 29), 5.0),
];

impl Listing {
    /// What is listed under a code; any code but those that begin with [`UNKNOWN_PREFIX`] is.
    pub fn of(code: &str) -> Option<Listing> {
        if code.is_empty() || code.starts_with(UNKNOWN_PREFIX) {
            return None;
        }
        let row = ROWS.iter().find(|row| row.0 == code);
        Some(row.map_or_else(|| made_up(code), well_known))
    }

    /// One dated contract of a future: `root` is its code with or without Yahoo's `=F`. It trades
    /// from `days_count` days before it expires.
    pub fn of_contract(root: &str, contract: Contract, days_count: u32) -> Option<Listing> {
        let root = root.strip_suffix("=F").unwrap_or(root);
        let whole = Listing::of(&format!("{root}=F"))?;
        let mut expiry = Day::of_date(jiff::civil::date(contract.year, contract.month as i8, 26));
        while !whole.exchange.is_open(expiry) {
            expiry = expiry.plus(-1);
        }
        Some(Listing {
            code: contract.code(root),
            first_day: expiry.plus(-i32::try_from(days_count).unwrap_or(i32::MAX / 2)),
            last_day: Some(expiry),
            ..whole
        })
    }

    /// The class it is archived under.
    pub fn class(&self) -> Class {
        match self.kind {
            Kind::Currency => Class::Forex,
            Kind::Future => Class::Future,
            Kind::Equity | Kind::Fund | Kind::Index | Kind::Crypto => Class::Stock,
        }
    }

    /// Whether it trades on a date.
    pub fn is_session(&self, day: Day) -> bool {
        self.first_day <= day
            && self.last_day.is_none_or(|last| day <= last)
            && self.exchange.is_open(day)
    }
}

fn well_known(row: &Row) -> Listing {
    let &(code, kind, exchange, currency, year, price, tick, swing, volume, dividend_yield) = row;
    let splits = SPLITS.iter().filter(|split| split.0 == code);
    Listing {
        code: code.to_owned(),
        kind,
        exchange,
        currency,
        first_day: Day::of_date(jiff::civil::date(year, 1, 2)),
        last_day: None,
        splits: splits
            .map(|&(_, (year, month, day), ratio)| Split {
                day: Day::of_date(jiff::civil::date(year, month, day)),
                ratio,
            })
            .collect(),
        dividend_yield,
        price,
        tick,
        swing,
        volume,
        seed: seed_of(code),
    }
}

/// A listing drawn from its code; Yahoo's suffixes tell the exchange and the kind.
fn made_up(code: &str) -> Listing {
    use Kind::{Crypto, Currency, Equity, Future};
    let seed = seed_of(code);
    let pick = |salt: u64, count: u64| mix(seed, salt) % count;
    let (kind, exchange, currency) = match code {
        _ if code.ends_with("=X") => (Currency, &exchange::CURRENCIES, "USD"),
        _ if code.ends_with("=F") => (Future, &exchange::COMEX, "USD"),
        _ if code.ends_with("-USD") => (Crypto, &exchange::CRYPTO, "USD"),
        _ if code.ends_with(".L") => (Equity, &exchange::LONDON, "GBp"),
        _ if code.ends_with(".T") => (Equity, &exchange::TOKYO, "JPY"),
        _ if code.ends_with(".AX") => (Equity, &exchange::SYDNEY, "AUD"),
        _ if pick(1, 2) == 0 => (Equity, &exchange::NASDAQ, "USD"),
        _ => (Equity, &exchange::NEW_YORK, "USD"),
    };
    let shares = kind == Equity;
    Listing {
        code: code.to_owned(),
        kind,
        exchange,
        currency,
        first_day: Day::of_date(jiff::civil::date(1995 + pick(2, 20) as i16, 1, 2))
            .plus(pick(3, 360) as i32),
        last_day: None,
        splits: if shares {
            drawn_splits(seed, exchange)
        } else {
            Vec::new()
        },
        dividend_yield: if shares && pick(4, 2) == 0 { 0.02 } else { 0.0 },
        price: if kind == Currency {
            1.0
        } else {
            20.0 + pick(5, 300) as f64
        },
        tick: if kind == Currency { 1e-5 } else { 0.01 },
        swing: if kind == Currency {
            0.004
        } else {
            0.01 + pick(6, 15) as f64 / 1000.0
        },
        volume: if kind == Currency {
            0.0
        } else {
            1e5 * (1 + pick(7, 100)) as f64
        },
        seed,
    }
}

/// One made-up stock in three splits once.
fn drawn_splits(seed: u64, exchange: &Exchange) -> Vec<Split> {
    let ratios = [2.0, 3.0, 4.0, 1.5, 0.1];
    let Some(ratio) = ratios.get((mix(seed, 8) % 15) as usize) else {
        return Vec::new();
    };
    let mut day = Day::of_date(jiff::civil::date(2016, 6, 6)).plus((mix(seed, 9) % 3400) as i32);
    while !exchange.is_open(day) {
        day = day.plus(1);
    }
    vec![Split { day, ratio: *ratio }]
}
