//! What is listed in the sample market: some well-known codes, and a made-up stock for any other.

use crate::model::{Class, Contract, Day};
use crate::provider::Split;

use super::exchange::{self, Exchange};
use super::known::{KNOWN, Known};
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

impl Listing {
    /// What is listed under a code; any code but those that begin with [`UNKNOWN_PREFIX`] is.
    pub fn of(code: &str) -> Option<Listing> {
        if code.is_empty() || code.starts_with(UNKNOWN_PREFIX) {
            return None;
        }
        let known = KNOWN.iter().find(|known| known.code == code);
        Some(known.map_or_else(|| made_up(code), well_known))
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
        self.first_day <= day && self.last_day.is_none_or(|last| day <= last) && self.exchange.is_open(day)
    }
}

fn well_known(known: &Known) -> Listing {
    let split = |&((year, month, day), ratio): &((i16, i8, i8), f64)| Split {
        day: Day::of_date(jiff::civil::date(year, month, day)),
        ratio,
    };
    Listing {
        code: known.code.to_owned(),
        kind: known.kind,
        exchange: known.exchange,
        currency: known.currency,
        first_day: Day::of_date(jiff::civil::date(known.first_year, 1, 2)),
        last_day: None,
        splits: known.splits.iter().map(split).collect(),
        dividend_yield: known.dividend_yield,
        price: known.price,
        tick: known.tick,
        swing: known.swing,
        volume: known.volume,
        seed: seed_of(known.code),
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
        first_day: Day::of_date(jiff::civil::date(1995 + pick(2, 20) as i16, 1, 2)).plus(pick(3, 360) as i32),
        last_day: None,
        splits: if shares { drawn_splits(seed, exchange) } else { Vec::new() },
        dividend_yield: if shares && pick(4, 2) == 0 { 0.02 } else { 0.0 },
        price: if kind == Currency { 1.0 } else { 20.0 + pick(5, 300) as f64 },
        tick: if kind == Currency { 1e-5 } else { 0.01 },
        swing: if kind == Currency { 0.004 } else { 0.01 + pick(6, 15) as f64 / 1000.0 },
        volume: if kind == Currency { 0.0 } else { 1e5 * (1 + pick(7, 100)) as f64 },
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
