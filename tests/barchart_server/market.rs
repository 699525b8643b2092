//! What is quoted: the sample market's prices at the hours and with the habits of the site.

use jiff::tz::TimeZone;
use vortex::model::{Class, Contract, Day, Days};
use vortex::provider::sample::listing::Listing;

/// How long before its expiry a contract is listed, in days.
const LIFE: u32 = 540;
/// A contract that expires later than in so many days trades now and then only.
const DENSE: i32 = 45;
/// When the rows of a day are there, in seconds after local midnight.
const SETTLED: i32 = 17 * 3600;

/// Something that is quoted.
pub(super) struct Quoted {
    class: Class,
    listing: Listing,
    pub(super) zone: TimeZone,
    seed: u64,
}

/// One bar.
#[derive(Clone, Copy)]
pub(super) struct Row {
    /// The trading date of its session.
    pub(super) day: Day,
    /// What the wall shows when it opens, in seconds since 1970-01-01 00:00 there; for days their midnight.
    pub(super) wall: i64,
    /// The instant at which it opens, in seconds since the epoch.
    pub(super) start: i64,
    pub(super) open: f64,
    pub(super) high: f64,
    pub(super) low: f64,
    pub(super) close: f64,
    pub(super) volume: f64,
    pub(super) interest: f64,
}

/// The class and the code in a page's address; `None` where there is nothing of that name, or not yet.
pub(super) fn find(class: Class, symbol: &str, now: i64) -> Option<Quoted> {
    let listing = match class {
        Class::Future => {
            let (root, contract) = contract_of(symbol)?;
            Listing::of_contract(root, contract, LIFE)?
        }
        Class::Stock => Listing::of(symbol)?,
        Class::Forex => Listing::of(&format!("{}=X", symbol.strip_prefix('^')?))?,
    };
    let zone =
        TimeZone::get(if class == Class::Stock { "America/New_York" } else { "America/Chicago" }).unwrap();
    let seed = symbol.bytes().fold(14_695_981_039_346_656_037, |hash, byte| mixed(hash ^ u64::from(byte)));
    let listed = listing.first_day.midnight() <= now;
    listed.then_some(Quoted { class, listing, zone, seed })
}

/// The class of what the service is asked for: it has one list of all symbols.
pub(super) fn class_of(symbol: &str) -> Class {
    match contract_of(symbol) {
        Some(_) => Class::Future,
        None if symbol.starts_with('^') => Class::Forex,
        None => Class::Stock,
    }
}

/// `GCG24`: the root, and the contract. Years turn at 30.
fn contract_of(symbol: &str) -> Option<(&str, Contract)> {
    let (head, year) = symbol.split_at_checked(symbol.len().checked_sub(2)?)?;
    let year: i16 = year.parse().ok()?;
    let letter = head.chars().next_back()?;
    let month = "FGHJKMNQUVXZ".find(letter)? as u8 + 1;
    let root = head.strip_suffix(letter).filter(|root| !root.is_empty())?;
    Some((root, Contract { year: if year > 30 { 1900 + year } else { 2000 + year }, month }))
}

impl Quoted {
    /// The daily rows of a range of dates that are settled by `now`.
    pub(super) fn daily(&self, days: Days, now: i64) -> Vec<Row> {
        let (today, second) = Day::of_wall(now, &self.zone);
        let settled = if second >= i64::from(SETTLED) { today } else { today.plus(-1) };
        self.sessions(days, settled, now)
    }

    fn sessions(&self, days: Days, last: Day, now: i64) -> Vec<Row> {
        let Some(days) = Days::new(days.first, days.last.min(last)) else { return Vec::new() };
        // All of the day is traded, whatever the time is there where the sample market has it.
        let bars = self.listing.daily(days, now + 2 * 86_400);
        let row = |bar: &vortex::provider::sample::market::Bar| {
            let day = bar.session.day;
            // A settlement now and then lies outside of what was traded.
            let settled_above = self.class == Class::Future && self.chance(day, 0).is_multiple_of(40);
            let close = if settled_above { bar.high + (bar.high - bar.low) / 8.0 } else { bar.close };
            Row {
                day,
                wall: day.midnight(),
                start: day.instant(0, &self.zone),
                open: short(bar.open),
                high: short(bar.high),
                low: short(bar.low),
                close: short(close),
                volume: bar.volume,
                interest: self.listing.open_interest(day),
            }
        };
        bars.iter().map(row).collect()
    }

    /// The bars of so many minutes of the sessions of a range of trading dates that are over by `now`. A future's
    /// session begins on the evening before its date.
    pub(super) fn intraday(&self, days: Days, minutes: i64, now: i64) -> Vec<Row> {
        let (opens, closes) = match self.class {
            Class::Stock => (9 * 3600 + 1800, 16 * 3600),
            Class::Future | Class::Forex => (-7 * 3600, 16 * 3600),
        };
        let mut rows = Vec::new();
        for day in self.sessions(days, Day::of_utc(now).plus(2), now) {
            let dense = self.listing.last_day.is_none_or(|last| last.number() - day.day.number() <= DENSE);
            let (open, bars) = (day.day.instant(opens, &self.zone), i64::from(closes - opens) / 60 / minutes);
            for at in 0..bars {
                let start = open + at * minutes * 60;
                if start + minutes * 60 > now {
                    break;
                }
                if !dense && !self.chance(day.day, at + 1).is_multiple_of(16) {
                    continue;
                }
                let (first, last) = (self.price(&day, at, bars), self.price(&day, at + 1, bars));
                let (date, second) = Day::of_wall(start, &self.zone);
                rows.push(Row {
                    day: day.day,
                    wall: date.midnight() + second,
                    start,
                    open: first,
                    high: first.max(last),
                    low: first.min(last),
                    close: last,
                    volume: if dense { 10.0 + (self.chance(day.day, at) % 900) as f64 } else { 1.0 },
                    interest: 0.0,
                });
            }
        }
        rows
    }

    /// On the way from a day's opening to its close.
    fn price(&self, day: &Row, at: i64, of: i64) -> f64 {
        let part = at as f64 / of as f64;
        let noise = (self.chance(day.day, 1000 + at) % 2001) as f64 / 1000.0 - 1.0;
        let swing = (day.high - day.low) * 0.3 * noise * part * (1.0 - part) * 4.0;
        let low = day.low.min(day.close);
        short((day.open + (day.close - day.open) * part + swing).clamp(low, day.high.max(day.close)))
    }

    fn chance(&self, day: Day, salt: i64) -> u64 {
        mixed(self.seed ^ (day.number() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (salt as u64) << 40)
    }
}

/// A price of seven digits: the sample market's are of single precision.
fn short(price: f64) -> f64 {
    let scale = 10f64.powi(6 - price.abs().log10().floor() as i32);
    (price * scale).round() / scale
}

fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
