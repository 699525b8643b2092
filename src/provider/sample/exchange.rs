//! Exchanges of the sample market: hours, zones and holidays by rule.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use crate::model::Day;

/// One exchange. Hours are seconds after local midnight, in `zone`.
#[derive(Debug)]
pub struct Exchange {
    /// Yahoo's short name, such as `NMS`.
    pub name: &'static str,
    /// Yahoo's long name, such as `NasdaqGS`.
    pub full_name: &'static str,
    /// IANA name of the time zone.
    pub zone: &'static str,
    /// The regular session opens.
    pub open: i32,
    /// The regular session closes.
    pub close: i32,
    /// Nothing trades from … to.
    pub lunch: Option<(i32, i32)>,
    /// Where there is trading before and after the session: from … to.
    pub extended: Option<(i32, i32)>,
    /// Trades on every day of the week.
    pub every_day: bool,
    /// Seconds after the close at which the last price is stamped.
    pub last_print: i64,
    holidays: &'static [Holiday],
}

/// A day of the year without a session.
#[derive(Debug)]
enum Holiday {
    /// A month and a day; on a weekend it is kept on the Monday after.
    Date(i8, i8),
    /// The nth such weekday of a month.
    Nth(i8, i8, Weekday),
    /// The last Monday of a month.
    LastMonday(i8),
    /// That many days after Easter Sunday.
    Easter(i32),
}

const fn at(hour: i32, minute: i32) -> i32 {
    hour * 3600 + minute * 60
}

const UNITED_STATES: &[Holiday] = &[
    Holiday::Date(1, 1),
    Holiday::Nth(1, 3, Weekday::Monday),
    Holiday::Nth(2, 3, Weekday::Monday),
    Holiday::Easter(-2),
    Holiday::LastMonday(5),
    Holiday::Date(7, 4),
    Holiday::Nth(9, 1, Weekday::Monday),
    Holiday::Nth(11, 4, Weekday::Thursday),
    Holiday::Date(12, 25),
];
const BRITAIN: &[Holiday] = &[
    Holiday::Date(1, 1),
    Holiday::Easter(-2),
    Holiday::Easter(1),
    Holiday::Nth(5, 1, Weekday::Monday),
    Holiday::LastMonday(5),
    Holiday::LastMonday(8),
    Holiday::Date(12, 25),
    Holiday::Date(12, 26),
];
const JAPAN: &[Holiday] = &[
    Holiday::Date(1, 1),
    Holiday::Date(1, 2),
    Holiday::Date(1, 3),
    Holiday::Nth(1, 2, Weekday::Monday),
    Holiday::Date(2, 11),
    Holiday::Date(5, 3),
    Holiday::Date(5, 4),
    Holiday::Date(5, 5),
    Holiday::Nth(7, 3, Weekday::Monday),
    Holiday::Nth(9, 3, Weekday::Monday),
    Holiday::Nth(10, 2, Weekday::Monday),
    Holiday::Date(11, 3),
    Holiday::Date(12, 31),
];
const AUSTRALIA: &[Holiday] = &[
    Holiday::Date(1, 1),
    Holiday::Date(1, 26),
    Holiday::Easter(-2),
    Holiday::Easter(1),
    Holiday::Date(4, 25),
    Holiday::Nth(6, 2, Weekday::Monday),
    Holiday::Date(12, 25),
    Holiday::Date(12, 26),
];
const FEW: &[Holiday] = &[Holiday::Date(1, 1), Holiday::Date(12, 25)];
const COMMODITIES: &[Holiday] = &[Holiday::Date(1, 1), Holiday::Easter(-2), Holiday::Date(12, 25)];

/// New York, the Nasdaq.
pub(super) static NASDAQ: Exchange = Exchange {
    name: "NMS",
    full_name: "NasdaqGS",
    zone: "America/New_York",
    open: at(9, 30),
    close: at(16, 0),
    lunch: None,
    extended: Some((at(4, 0), at(20, 0))),
    every_day: false,
    last_print: 1,
    holidays: UNITED_STATES,
};
/// New York, the Stock Exchange.
pub(super) static NEW_YORK: Exchange = Exchange { name: "NYQ", full_name: "NYSE", ..NASDAQ };
/// New York, where funds are listed.
pub(super) static ARCA: Exchange = Exchange { name: "PCX", full_name: "NYSEArca", ..NASDAQ };
/// Standard & Poor's indices.
pub(super) static INDICES: Exchange = Exchange { name: "SNP", full_name: "SNP", extended: None, ..NASDAQ };
/// London.
pub(super) static LONDON: Exchange = Exchange {
    name: "LSE",
    full_name: "LSE",
    zone: "Europe/London",
    open: at(8, 0),
    close: at(16, 30),
    extended: None,
    holidays: BRITAIN,
    ..NASDAQ
};
/// Tokyo, with its lunch break.
pub(super) static TOKYO: Exchange = Exchange {
    name: "JPX",
    full_name: "Tokyo",
    zone: "Asia/Tokyo",
    open: at(9, 0),
    close: at(15, 30),
    lunch: Some((at(11, 30), at(12, 30))),
    extended: None,
    last_print: 0,
    holidays: JAPAN,
    ..NASDAQ
};
/// Sydney.
pub(super) static SYDNEY: Exchange = Exchange {
    name: "ASX",
    full_name: "ASX",
    zone: "Australia/Sydney",
    open: at(10, 0),
    close: at(16, 0),
    extended: None,
    holidays: AUSTRALIA,
    ..NASDAQ
};
/// Currencies, by the London day.
pub(super) static CURRENCIES: Exchange = Exchange {
    name: "CCY",
    full_name: "CCY",
    zone: "Europe/London",
    open: 0,
    close: at(23, 59),
    extended: None,
    last_print: 0,
    holidays: FEW,
    ..NASDAQ
};
/// Crypto, every day of UTC.
pub(super) static CRYPTO: Exchange =
    Exchange { name: "CCC", full_name: "CCC", zone: "UTC", every_day: true, holidays: &[], ..CURRENCIES };
/// Metals.
pub(super) static COMEX: Exchange = Exchange {
    name: "CMX",
    full_name: "COMEX",
    zone: "America/New_York",
    holidays: COMMODITIES,
    ..CURRENCIES
};
/// Stock-index futures and currencies futures.
pub(super) static CME: Exchange = Exchange { name: "CME", full_name: "Chicago Mercantile", ..COMEX };
/// Energy.
pub(super) static NYMEX: Exchange = Exchange { name: "NYM", full_name: "NY Mercantile", ..COMEX };

impl Exchange {
    /// The time zone; UTC where this machine's time-zone data does not know it.
    pub fn time_zone(&self) -> TimeZone {
        TimeZone::get(self.zone).unwrap_or(TimeZone::UTC)
    }

    /// Whether the exchange has a session on a date.
    pub fn is_open(&self, day: Day) -> bool {
        self.every_day || !(day.is_weekend() || self.holidays.iter().any(|holiday| holiday.falls_on(day)))
    }

    /// The opening second, after local midnight, of each minute that trades.
    pub(super) fn minutes(&self) -> impl Iterator<Item = i32> + Clone {
        let (from, to) = self.lunch.unwrap_or((i32::MAX, i32::MAX));
        (self.open..self.close).step_by(60).filter(move |second| *second < from || *second >= to)
    }
}

impl Holiday {
    /// Whether a weekday is this holiday, or the Monday on which it is kept.
    fn falls_on(&self, day: Day) -> bool {
        let date = day.date();
        match *self {
            Holiday::Date(month, of_month) => {
                let is = |back: i32| {
                    let date = day.plus(-back).date();
                    (date.month(), date.day()) == (month, of_month)
                };
                is(0) || (day.weekday() == 0 && (is(1) || is(2)))
            }
            Holiday::Nth(month, nth, weekday) => {
                date.month() == month && date.weekday() == weekday && (date.day() - 1) / 7 + 1 == nth
            }
            Holiday::LastMonday(month) => {
                date.month() == month && day.weekday() == 0 && date.day() + 7 > date.days_in_month()
            }
            Holiday::Easter(after) => {
                (3..=5).contains(&date.month()) && day.plus(-after) == easter(date.year())
            }
        }
    }
}

/// Easter Sunday of a year (the anonymous Gregorian computus).
fn easter(year: i16) -> Day {
    let year = i32::from(year);
    let (golden, century) = (year % 19, year / 100);
    let moon = century - century / 4 - (8 * century + 13) / 25 + 19 * golden + 15;
    let epact = moon % 30 - i32::from(moon % 30 > 28 || (moon % 30 == 28 && golden > 10));
    let weekday = (year + year / 4 + epact + 2 - century + century / 4) % 7;
    let after_march = 28 + epact - weekday;
    let march = Day::of_date(jiff::civil::date(year as i16, 3, 1));
    march.plus(after_march - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn easter_is_where_the_almanac_has_it() {
        for date in
            ["1999-04-04", "2000-04-23", "2008-03-23", "2024-03-31", "2025-04-20", "2026-04-05", "2038-04-25"]
        {
            assert_eq!(easter(day(date).date().year()), day(date));
        }
    }

    #[test]
    fn holidays_follow_their_rules() {
        for date in ["2024-01-01", "2024-01-15", "2024-03-29", "2024-05-27", "2024-11-28", "2023-01-02"] {
            assert!(!NASDAQ.is_open(day(date)), "{date}");
        }
        assert!(NASDAQ.is_open(day("2024-04-01")) && !LONDON.is_open(day("2024-04-01")));
        assert!(!TOKYO.is_open(day("2024-05-03")) && TOKYO.is_open(day("2024-12-25")));
        assert!(!SYDNEY.is_open(day("2024-04-25")) && !SYDNEY.is_open(day("2022-12-26")));
        assert!(CRYPTO.is_open(day("2024-12-25")) && CRYPTO.is_open(day("2024-12-28")));
        assert!(!CURRENCIES.is_open(day("2024-12-28")));
    }

    #[test]
    fn tokyo_trades_no_minute_over_lunch() {
        assert_eq!(TOKYO.minutes().count(), 330);
        assert_eq!(NASDAQ.minutes().count(), 390);
        assert!(TOKYO.minutes().all(|s| !(at(11, 30)..at(12, 30)).contains(&s)));
    }
}
