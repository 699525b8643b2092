//! Trading dates: the day axis on which coverage, planning and sessions are counted.

use std::fmt;
use std::str::FromStr;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use jiff::tz::{Offset, TimeZone};
use serde::{Deserialize, Serialize};

/// Seconds in a day of UTC.
pub const DAY_SECONDS: i64 = 86_400;

/// An instant, in seconds since the epoch, for a message: `2026-11-23 15:04 UTC`.
pub fn instant(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| seconds.to_string(), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// The number of 0000-01-01.
const FIRST: i32 = -719_528;

/// The number of 9999-12-31.
const LAST: i32 = 2_932_896;

/// A civil date of the years 0 to 9999, held as days since 1970-01-01; what would lie outside is the
/// nearest date of that range. For a bar it is the trading date of the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(i32);

impl Day {
    /// No market kept records before 1800-01-01: an earlier date is a slip of the pen.
    pub const EARLIEST: Day = Day(-62_091);

    /// Reads a date that a person asks for, which is not before [`Day::EARLIEST`].
    pub fn asked(text: &str) -> Result<Day, String> {
        let day: Day = text.parse()?;
        match day < Day::EARLIEST {
            true => Err(format!("{day} is too early; the first date allowed is {}", Day::EARLIEST)),
            false => Ok(day),
        }
    }

    /// The day that many days after 1970-01-01.
    pub const fn new(days: i32) -> Day {
        match days {
            ..FIRST => Day(FIRST),
            FIRST..=LAST => Day(days),
            _ => Day(LAST),
        }
    }

    /// Days since 1970-01-01.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// The UTC date of an instant given in seconds since the epoch.
    pub fn of_utc(seconds: i64) -> Day {
        let days = seconds.div_euclid(DAY_SECONDS);
        Day(days.clamp(i64::from(FIRST), i64::from(LAST)) as i32)
    }

    /// The date on the wall of `zone` at an instant given in seconds since the epoch.
    pub fn of_local(seconds: i64, zone: &TimeZone) -> Day {
        Day::of_wall(seconds, zone).0
    }

    /// The date on the wall of `zone` at an instant, and how many seconds since its midnight the wall shows.
    pub fn of_wall(seconds: i64, zone: &TimeZone) -> (Day, i64) {
        let offset = jiff::Timestamp::from_second(seconds).map_or(0, |at| zone.to_offset(at).seconds());
        let wall = seconds.saturating_add(i64::from(offset));
        (Day::of_utc(wall), wall.rem_euclid(DAY_SECONDS))
    }

    /// Midnight UTC of this date, in seconds since the epoch: the stamp of daily and longer bars.
    pub const fn midnight(self) -> i64 {
        self.0 as i64 * DAY_SECONDS
    }

    /// The instant, in seconds since the epoch, at which the wall of `zone` shows this date and
    /// `second_of_day`.
    pub fn instant(self, second_of_day: i32, zone: &TimeZone) -> i64 {
        let wall = self.midnight() + i64::from(second_of_day);
        let civil = self.date().at(0, 0, 0, 0).saturating_add(i64::from(second_of_day).seconds());
        zone.to_ambiguous_timestamp(civil).compatible().map_or(wall, |at| at.as_second())
    }

    /// The calendar date.
    pub fn date(self) -> Date {
        // The last day alone lies beyond what a timestamp can be.
        let midnight = jiff::Timestamp::from_second(self.midnight());
        midnight.map_or(Date::MAX, |midnight| Offset::UTC.to_datetime(midnight).date())
    }

    /// The date as `2024-01-31`, in ASCII.
    pub fn digits(self) -> [u8; 10] {
        let date = self.date();
        let (year, month, day) = (date.year(), date.month(), date.day());
        let digit = |number: i16| b'0' + (number % 10) as u8;
        let two = |number: i8| [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        let ([m1, m2], [d1, d2]) = (two(month), two(day));
        let [y1, y2, y3, y4] = [year / 1000, year / 100, year / 10, year].map(digit);
        [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2]
    }

    /// The day of a calendar date.
    pub fn of_date(date: Date) -> Day {
        let since = date.duration_since(jiff::civil::date(1970, 1, 1));
        Day::of_utc(since.as_secs())
    }

    /// The day `days` later (earlier when negative).
    pub const fn plus(self, days: i32) -> Day {
        Day::new(self.0.saturating_add(days))
    }

    /// 0 for Monday … 6 for Sunday.
    pub const fn weekday(self) -> u8 {
        // 1970-01-01 was a Thursday.
        (self.0 + 3).rem_euclid(7) as u8
    }

    /// Saturday or Sunday.
    pub fn is_weekend(self) -> bool {
        self.weekday() >= 5
    }

    /// The weekday's name as the `jiff` crate knows it.
    pub fn weekday_name(self) -> Weekday {
        self.date().weekday()
    }

    /// The Monday of this day's week.
    pub fn monday(self) -> Day {
        self.plus(-i32::from(self.weekday()))
    }

    /// The first day of this day's month.
    pub fn first_of_month(self) -> Day {
        Day::of_date(self.date().first_of_month())
    }

    /// The last day of this day's month.
    pub fn last_of_month(self) -> Day {
        Day::of_date(self.date().last_of_month())
    }

    /// The first day of this day's calendar quarter.
    pub fn first_of_quarter(self) -> Day {
        let date = self.date();
        let month = (date.month() - 1) / 3 * 3 + 1;
        Day::of_date(jiff::civil::date(date.year(), month, 1))
    }
}

impl From<Day> for String {
    fn from(day: Day) -> String {
        day.to_string()
    }
}

impl TryFrom<String> for Day {
    type Error = String;

    fn try_from(text: String) -> Result<Day, String> {
        text.parse()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.digits()).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Day, String> {
        let plain = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        match text.parse::<Date>() {
            Ok(date) if plain => Ok(Day::of_date(date)),
            _ => Err(format!("{text:?} is not a date; write YYYY-MM-DD, such as 2024-01-31")),
        }
    }
}

/// An inclusive range of trading dates; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Days {
    /// The first date.
    pub first: Day,
    /// The last date, not before `first`.
    pub last: Day,
}

impl Days {
    /// The range from `first` to `last`, or nothing where they are reversed.
    pub fn new(first: Day, last: Day) -> Option<Days> {
        (first <= last).then_some(Days { first, last })
    }

    /// How many dates.
    pub fn len(self) -> usize {
        (self.last.0 - self.first.0 + 1) as usize
    }

    /// Always false: a range has at least one date.
    pub fn is_empty(self) -> bool {
        false
    }

    /// Whether the date lies in the range.
    pub fn contains(self, day: Day) -> bool {
        self.first <= day && day <= self.last
    }

    /// The dates both have.
    pub fn intersection(self, other: Days) -> Option<Days> {
        Days::new(self.first.max(other.first), self.last.min(other.last))
    }

    /// Each date, ascending.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = Day> {
        (self.first.0..=self.last.0).map(Day)
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}..{}", self.first, self.last)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn days_and_dates_agree() {
        assert_eq!(day("1970-01-01").number(), 0);
        assert_eq!(day("2000-03-01").midnight(), 951_868_800);
        assert_eq!(day("1962-01-02").to_string(), "1962-01-02");
        assert_eq!(day("2024-01-31").weekday(), 2);
        assert_eq!(day("2024-01-31").monday(), day("2024-01-29"));
        assert_eq!(day("2024-05-31").first_of_quarter(), day("2024-04-01"));
        assert!("2024-1-31".parse::<Day>().is_err());
        assert!("2024-02-30".parse::<Day>().is_err());
    }

    #[test]
    fn no_number_is_too_large_for_a_day() {
        let zones = [TimeZone::UTC, TimeZone::get("Pacific/Kiritimati").unwrap()];
        for number in [i32::MIN, FIRST - 1, FIRST, LAST, LAST + 1, i32::MAX] {
            let day = Day::new(number);
            let expected = if number < 0 { "0000-01-01" } else { "9999-12-31" };
            assert_eq!(day.to_string(), expected);
            assert_eq!(day.plus(number).to_string(), expected);
            for zone in &zones {
                assert_eq!(Day::of_local(day.instant(0, zone), zone), day, "{number}");
                day.instant(i32::MIN, zone);
                day.instant(i32::MAX, zone);
            }
        }
        for (seconds, expected) in [(i64::MIN, "0000-01-01"), (i64::MAX, "9999-12-31")] {
            assert_eq!(Day::of_utc(seconds).to_string(), expected);
            assert_eq!(Day::of_local(seconds, &zones[1]).to_string(), expected);
        }
    }

    #[test]
    fn nobody_asks_for_a_date_before_1800() {
        assert_eq!(Day::EARLIEST.to_string(), "1800-01-01");
        assert_eq!(Day::asked("1800-01-01"), Ok(Day::EARLIEST));
        for early in ["1799-12-31", "0000-01-01"] {
            assert!(Day::asked(early).unwrap_err().contains("1800-01-01"), "{early}");
        }
    }

    #[test]
    fn a_sydney_session_belongs_to_its_local_date() {
        let sydney = TimeZone::get("Australia/Sydney").unwrap();
        // 2021-10-12T23:00Z is the opening of 2021-10-13 in Sydney.
        assert_eq!(Day::of_local(1_634_079_600, &sydney), day("2021-10-13"));
        assert_eq!(day("2021-10-13").instant(10 * 3600, &sydney), 1_634_079_600);
    }

    #[test]
    fn local_dates_hold_before_1970_and_over_daylight_saving() {
        let york = TimeZone::get("America/New_York").unwrap();
        assert_eq!(Day::of_local(-252_322_200, &york), day("1962-01-02"));
        for date in ["2020-10-31", "2020-11-01", "2020-11-02", "2021-03-14"] {
            assert_eq!(Day::of_local(day(date).instant(34_200, &york), &york), day(date));
        }
    }
}
