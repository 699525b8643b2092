//! The well-known codes of the sample market. What is said of them resembles the real ones.

use super::exchange::*;
use super::listing::Kind;

/// A day and the new shares for one old from it on.
type KnownSplit = ((i16, i8, i8), f64);

/// A well-known listing; the fields mean what they do in a [`super::listing::Listing`].
pub(super) struct Known {
    pub(super) code: &'static str,
    pub(super) kind: Kind,
    pub(super) exchange: &'static Exchange,
    pub(super) currency: &'static str,
    pub(super) first_year: i16,
    pub(super) price: f64,
    pub(super) tick: f64,
    pub(super) swing: f64,
    pub(super) volume: f64,
    pub(super) dividend_yield: f64,
    pub(super) splits: &'static [KnownSplit],
}

const NASDAQ_SHARE: Known = Known {
    code: "",
    kind: Kind::Equity,
    exchange: &NASDAQ,
    currency: "USD",
    first_year: 2000,
    price: 100.0,
    tick: 0.01,
    swing: 0.015,
    volume: 1e6,
    dividend_yield: 0.0,
    splits: &[],
};
const PAIR: Known = Known {
    kind: Kind::Currency,
    exchange: &CURRENCIES,
    first_year: 2003,
    tick: 1e-5,
    swing: 0.004,
    volume: 0.0,
    ..NASDAQ_SHARE
};
const METAL: Known = Known { kind: Kind::Future, exchange: &COMEX, swing: 0.009, ..NASDAQ_SHARE };

/// The well-known codes.
pub(super) static KNOWN: &[Known] = &[
    Known {
        code: "AAPL",
        first_year: 1981,
        price: 230.0,
        swing: 0.016,
        volume: 6e7,
        dividend_yield: 0.005,
        splits: &[((2014, 6, 9), 7.0), ((2020, 8, 31), 4.0)],
        ..NASDAQ_SHARE
    },
    Known {
        code: "MSFT",
        first_year: 1986,
        price: 430.0,
        volume: 2e7,
        dividend_yield: 0.008,
        splits: &[((1999, 3, 29), 2.0), ((2003, 2, 18), 2.0)],
        ..NASDAQ_SHARE
    },
    Known {
        code: "GE",
        exchange: &NEW_YORK,
        first_year: 1970,
        price: 180.0,
        swing: 0.017,
        volume: 5e6,
        dividend_yield: 0.007,
        splits: &[((2000, 5, 8), 3.0), ((2021, 8, 2), 0.125)],
        ..NASDAQ_SHARE
    },
    Known {
        code: "SPY",
        kind: Kind::Fund,
        exchange: &ARCA,
        first_year: 1993,
        price: 590.0,
        swing: 0.01,
        volume: 5e7,
        dividend_yield: 0.012,
        ..NASDAQ_SHARE
    },
    Known {
        code: "^GSPC",
        kind: Kind::Index,
        exchange: &INDICES,
        first_year: 1960,
        price: 5900.0,
        swing: 0.01,
        volume: 4e9,
        ..NASDAQ_SHARE
    },
    Known {
        code: "VOD.L",
        exchange: &LONDON,
        currency: "GBp",
        first_year: 1988,
        price: 72.0,
        volume: 4e7,
        dividend_yield: 0.05,
        ..NASDAQ_SHARE
    },
    Known {
        code: "7203.T",
        exchange: &TOKYO,
        currency: "JPY",
        first_year: 1999,
        price: 2800.0,
        tick: 0.5,
        volume: 2.4e7,
        dividend_yield: 0.028,
        splits: &[((2021, 9, 29), 5.0)],
        ..NASDAQ_SHARE
    },
    Known {
        code: "BHP.AX",
        exchange: &SYDNEY,
        currency: "AUD",
        first_year: 1988,
        price: 41.0,
        volume: 8e6,
        dividend_yield: 0.045,
        ..NASDAQ_SHARE
    },
    Known {
        code: "BTC-USD",
        kind: Kind::Crypto,
        exchange: &CRYPTO,
        first_year: 2014,
        price: 95_000.0,
        swing: 0.028,
        volume: 3e10,
        ..NASDAQ_SHARE
    },
    Known { code: "EURUSD=X", price: 1.06, ..PAIR },
    Known { code: "GBPUSD=X", price: 1.26, swing: 0.005, ..PAIR },
    Known { code: "USDJPY=X", currency: "JPY", price: 154.0, tick: 1e-3, swing: 0.005, ..PAIR },
    Known { code: "GC=F", price: 2650.0, tick: 0.1, volume: 2e5, ..METAL },
    Known { code: "SI=F", price: 31.0, tick: 0.005, swing: 0.016, volume: 6e4, ..METAL },
    Known { code: "CL=F", exchange: &NYMEX, price: 70.0, swing: 0.019, volume: 3e5, ..METAL },
    Known { code: "ES=F", exchange: &CME, price: 5900.0, tick: 0.25, swing: 0.01, volume: 1.5e6, ..METAL },
    Known { code: "6A=F", exchange: &CME, price: 0.65, tick: 5e-5, swing: 0.006, volume: 9e4, ..METAL },
];
