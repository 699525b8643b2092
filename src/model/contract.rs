//! One dated futures contract: its names and codes, and when it can have bars.
//!
//! No calendar of expiry dates is shipped. A contract is taken to end with the last day of the month it
//! is named after, and to begin `days_count` days before that. Some markets trade on behind that month:
//! milk for a few days, three-month interest rates for a quarter. So it is asked for a little further than
//! its month ([`Contract::asked_until`]), and a bar found there moves its end along ([`Contract::end`]).

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::day::{Day, Days};

/// The letters of the twelve contract months, January first.
pub const MONTH_CODES: [char; 12] = ['F', 'G', 'H', 'J', 'K', 'M', 'N', 'Q', 'U', 'V', 'X', 'Z'];

/// Days after its month in which a provider may still add the last bars of a contract, or a last trading
/// day may lie.
const SETTLING_DAYS: i32 = 4;

/// A contract with a bar behind its month is over after so many days without a further one: exchanges close for
/// a week at most.
const LATE_DAYS: i32 = 10;

/// So many days behind its month are asked for too …
const BEHIND_DAYS: i32 = 14;
/// … and so many behind its newest bar, where that lies behind the month.
const FURTHER_DAYS: i32 = 31;

/// One dated futures contract, by the year and month it is named after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Contract {
    /// Four-digit year.
    pub year: i16,
    /// 1 to 12.
    pub month: u8,
}

impl Contract {
    /// The name under which the contract of `instrument` is stored: `GOLD_20240200`.
    pub fn stored_name(self, instrument: &str) -> String {
        format!("{instrument}_{:04}{:02}00", self.year, self.month)
    }

    /// Takes a stored name apart into instrument and contract.
    pub fn of_stored_name(name: &str) -> Option<(&str, Contract)> {
        let (instrument, digits) = name.rsplit_once('_')?;
        let plain = digits.len() == 8 && digits.ends_with("00") && digits.bytes().all(|b| b.is_ascii_digit());
        let (year, month) = (digits.get(..4)?.parse().ok()?, digits.get(4..6)?.parse().ok()?);
        (plain && !instrument.is_empty() && (1..=12).contains(&month))
            .then_some((instrument, Contract { year, month }))
    }

    /// The letter of the contract's month.
    pub fn month_code(self) -> char {
        MONTH_CODES[usize::from(self.month - 1)]
    }

    /// The provider's code with a two-digit year: `GCG24`.
    pub fn code(self, root: &str) -> String {
        format!("{root}{}{:02}", self.month_code(), self.year.rem_euclid(100))
    }

    /// The code with a one-digit year, as exchanges and brokers write it: `GCG4`.
    pub fn short_code(self, root: &str) -> String {
        format!("{root}{}{}", self.month_code(), self.year.rem_euclid(10))
    }

    /// Takes a code apart into root and contract: `GCG24`, `GCG4`, `A6H24`. What is no contract, such as
    /// the nearby series `GC*1`, is `None`.
    ///
    /// A year of one or two digits means more than one. `near` tells which: a date of the contract's own
    /// bars, or today where there are none. With one digit it is the year from one before `near` to eight
    /// after, because contracts are listed years ahead; with two from 79 before to 20 after, so that today
    /// `Z31` is of 2031 and `Z71` of 1971.
    pub fn of_code(code: &str, near: Day) -> Option<(&str, Contract)> {
        let digits = code.bytes().rev().take_while(u8::is_ascii_digit).count();
        let (name, digits) = code.split_at_checked(code.len() - digits)?;
        let letter = name.chars().next_back()?;
        let root = name.strip_suffix(letter)?;
        let month = MONTH_CODES.iter().position(|code| *code == letter)? as u8 + 1;
        let named = (1..=4).contains(&root.len()) && root.bytes().all(|b| b.is_ascii_alphanumeric());
        let (span, before) = match digits.len() {
            1 => (10, 1),
            2 => (100, 79),
            _ => return None,
        };
        let earliest = near.date().year().saturating_sub(before);
        let year = earliest + (digits.parse::<i16>().ok()? - earliest).rem_euclid(span);
        named.then_some((root, Contract { year, month }))
    }

    /// The last day of the contract's month: most have no later session.
    pub fn last_day(self) -> Day {
        let first = jiff::civil::date(self.year, self.month as i8, 1);
        Day::of_date(first.last_of_month())
    }

    /// When this day is over, an answer of the provider has the last bars there will be, unless the contract
    /// trades on behind its month.
    pub fn settled(self) -> Day {
        self.last_day().plus(SETTLING_DAYS)
    }

    /// The same by its newest bar.
    pub fn settled_by(self, newest: Option<Day>) -> Day {
        self.settled().max(self.end(newest))
    }

    /// Behind this day no bar is expected, as the newest one tells: the end of its month, or a while after a bar
    /// that lies behind it.
    pub fn end(self, newest: Option<Day>) -> Day {
        self.late(newest).map_or(self.last_day(), |newest| newest.plus(LATE_DAYS))
    }

    /// The last day to ask for, as the newest bar tells.
    pub fn asked_until(self, newest: Option<Day>) -> Day {
        let behind = self.last_day().plus(BEHIND_DAYS);
        self.late(newest).map_or(behind, |newest| behind.max(newest.plus(FURTHER_DAYS)))
    }

    /// The newest bar, where it lies behind the month.
    fn late(self, newest: Option<Day>) -> Option<Day> {
        newest.filter(|newest| *newest > self.last_day())
    }

    /// The days on which the contract can have bars, where it trades for `days_count` days.
    pub fn life(self, days_count: u32) -> Days {
        let days = i32::try_from(days_count).unwrap_or(i32::MAX / 4);
        Days { first: self.last_day().plus(-days), last: self.last_day() }
    }
}

/// Takes a cycle: month letters, each once, such as `HMUZ`. The error says what is allowed.
pub fn cycle(text: &str) -> Result<String, String> {
    let mut seen = HashSet::new();
    if !text.is_empty() && text.chars().all(|letter| MONTH_CODES.contains(&letter) && seen.insert(letter)) {
        return Ok(text.to_owned());
    }
    let codes: String = MONTH_CODES.iter().collect();
    Err(format!("month codes out of {codes}, each once, such as \"HMUZ\""))
}

/// The contracts of a cycle (month letters such as `HMUZ`) that can have bars on a day of the range, where
/// each trades for `days_count` days; oldest first.
pub fn of_cycle(cycle: &str, days_count: u32, range: Days) -> impl Iterator<Item = Contract> + use<'_> {
    let days = i32::try_from(days_count).unwrap_or(i32::MAX / 4);
    let years = range.first.date().year()..=range.last.plus(days).date().year();
    years
        .flat_map(|year| (1u8..=12).map(move |month| Contract { year, month }))
        .filter(|contract| cycle.contains(contract.month_code()))
        .filter(move |contract| contract.life(days_count).intersection(range).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn contracts_have_stored_names_and_codes() {
        let contract = Contract { year: 2024, month: 2 };
        assert_eq!(contract.stored_name("GOLD"), "GOLD_20240200");
        assert_eq!(contract.code("GC"), "GCG24");
        assert_eq!(contract.short_code("GC"), "GCG4");
        assert_eq!(Contract::of_stored_name("GOLD_20240200"), Some(("GOLD", contract)));
        assert_eq!(
            Contract::of_stored_name("A_B_20241200"),
            Some(("A_B", Contract { year: 2024, month: 12 }))
        );
        for name in ["GOLD", "GOLD_20241300", "GOLD_20240201", "_20240200", "GOLD_2024020é"] {
            assert_eq!(Contract::of_stored_name(name), None, "{name}");
        }
        assert_eq!(contract.last_day().to_string(), "2024-02-29");
        assert_eq!(Contract { year: 1999, month: 12 }.code("ES"), "ESZ99");
    }

    #[test]
    fn a_short_year_is_the_one_near_the_bars() {
        let read = |code, near: &str| Contract::of_code(code, day(near));
        let of = |root, year, month| Some((root, Contract { year, month }));
        assert_eq!(read("GCG24", "2026-11-25"), of("GC", 2024, 2));
        assert_eq!(read("GCG4", "2024-02-20"), of("GC", 2024, 2));
        assert_eq!(read("GCG4", "2019-05-02"), of("GC", 2024, 2));
        assert_eq!(read("GCG4", "2014-02-20"), of("GC", 2014, 2));
        assert_eq!(read("GCZ5", "2026-01-02"), of("GC", 2025, 12));
        assert_eq!(read("CLZ35", "2026-11-25"), of("CL", 2035, 12));
        assert_eq!(read("CLZ71", "2026-11-25"), of("CL", 1971, 12));
        assert_eq!(read("SIH00", "1999-11-25"), of("SI", 2000, 3));
        assert_eq!(read("A6H24", "2026-11-25"), of("A6", 2024, 3));
        assert_eq!(read("DLZ21", "2022-01-04"), of("DL", 2021, 12));
        assert_eq!(read("GCZ9", "2018-01-05"), of("GC", 2019, 12));
        for code in [
            "GC", "G24", "4", "", "ES*1", "GCB24", "GC=F", "GCG", "GCG024", "GCG2024", "ÉG24", "GCÉ4",
            "iauv26", "ABCDEG24",
        ] {
            assert_eq!(read(code, "2026-11-25"), None, "{code}");
        }
    }

    proptest! {
        /// A code is read back as what it was written for, whatever date of its own bars is known.
        #[test]
        fn codes_read_back(year in 1900i16..2100, month in 1u8..=12, before in 0i32..2900, root in "[A-Z0-9]{1,4}") {
            let contract = Contract { year, month };
            let near = contract.last_day().plus(-before);
            let short = contract.short_code(&root);
            prop_assert_eq!(Contract::of_code(&short, near), Some((root.as_str(), contract)));
            let long = contract.code(&root);
            prop_assert_eq!(Contract::of_code(&long, near), Some((root.as_str(), contract)));
        }
    }

    #[test]
    fn contracts_follow_the_cycle() {
        let names = |first, last, days_count| -> Vec<String> {
            let range = Days::new(day(first), day(last)).unwrap();
            of_cycle("HMUZ", days_count, range).map(|contract| contract.code("ES")).collect()
        };
        assert_eq!(names("2023-07-01", "2023-09-30", 90), ["ESU23"]);
        assert_eq!(names("2023-07-01", "2023-10-02", 90), ["ESU23", "ESZ23"]);
        assert_eq!(names("2023-09-30", "2023-09-30", 360), ["ESU23", "ESZ23", "ESH24", "ESM24"]);
        assert_eq!(names("2023-10-01", "2023-10-01", 360), ["ESZ23", "ESH24", "ESM24"]);
    }
}
