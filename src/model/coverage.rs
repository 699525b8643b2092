//! What was asked for and what came of it, day by day.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::by_day::ByDay;
use super::day::{Day, Days};
use super::packed;

/// What is known of one trading date of a series. The discriminants are what is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Mark {
    /// Never asked for, or not over when it was.
    #[default]
    Unknown = 0,
    /// Asked for, and there is a bar (for longer periods: the day lies in a stored bar).
    Present = 1,
    /// Asked for, and there was no bar.
    Empty = 2,
    /// Asked for, there was no bar, and the provider says that there was a session: a null row, or
    /// its last trade fell on that date.
    EmptySession = 3,
    /// The provider's history begins later.
    BeforeListing = 4,
    /// The contract had expired.
    AfterExpiry = 5,
    /// Older than the provider's limits, and so not asked for. What they reach after all, by a clock that is right
    /// by now or a longer reach, is asked for.
    OutOfReach = 6,
    /// A scale that could not be confirmed, or a damaged file.
    Suspect = 7,
    /// Asked for, and the provider said that it is older than it serves this period.
    TooOld = 8,
}

/// Why there is no bar on a day and none is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Absence {
    /// The provider's history begins later.
    BeforeListing,
    /// The contract had expired.
    AfterExpiry,
    /// Older than the provider serves this period.
    OutOfReach,
    /// The exchange had no session.
    NoSession,
    /// There was a session and the provider has no bar of it.
    ProviderHasNone,
}

impl Absence {
    /// Each of them, in their order.
    pub const ALL: [Absence; 5] = [
        Absence::BeforeListing,
        Absence::AfterExpiry,
        Absence::OutOfReach,
        Absence::NoSession,
        Absence::ProviderHasNone,
    ];

    /// The reason in words.
    pub const fn words(self) -> &'static str {
        match self {
            Absence::BeforeListing => "before listing",
            Absence::AfterExpiry => "after expiry",
            Absence::OutOfReach => "out of the provider's reach",
            Absence::NoSession => "no session",
            Absence::ProviderHasNone => "provider says none",
        }
    }
}

const MARKS: [Mark; 9] = [
    Mark::Unknown,
    Mark::Present,
    Mark::Empty,
    Mark::EmptySession,
    Mark::BeforeListing,
    Mark::AfterExpiry,
    Mark::OutOfReach,
    Mark::Suspect,
    Mark::TooOld,
];

/// The days that can be marked: 1800-01-01 to 2399-12-31. No provider has bars before or after, and a
/// wrong date of an answer must not make a coverage of gigabytes.
pub const MARKABLE: Days = Days { first: Day::new(-62_091), last: Day::new(157_053) };

/// The marks of a series over its days. A day outside the stored run is [`Mark::Unknown`], and one
/// before 1800 or after 2399 always is.
///
/// Intraday series are covered by whole trading dates as well: a date is marked once its session is
/// over. Which empty days are holes is judged later, from all series of the exchange
/// (`download::sessions`), so that the order in which series are fetched does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// The bytes that are stored: most of them are read and written without a look at each.
    marks: ByDay<u8>,
}

/// What a stored byte stands for.
fn mark_of(byte: u8) -> Mark {
    MARKS.get(usize::from(byte)).copied().unwrap_or_default()
}

impl Coverage {
    /// The mark of a day.
    pub fn get(&self, day: Day) -> Mark {
        mark_of(self.marks.get(day))
    }

    /// Marks every day of a range that lies in the years 1800 to 2399; others are left out.
    pub fn set(&mut self, days: Days, mark: Mark) {
        if let Some(days) = days.intersection(MARKABLE) {
            self.marks.range_mut(days).fill(mark as u8);
        }
    }

    /// Marks one day.
    pub fn set_day(&mut self, day: Day, mark: Mark) {
        self.set(Days { first: day, last: day }, mark);
    }

    /// From the first to the last day that is known.
    pub fn known(&self) -> Option<Days> {
        self.marks.extent(|byte| mark_of(byte) != Mark::Unknown)
    }

    /// The runs of equal marks from the first to the last day that is known.
    pub fn known_runs(&self) -> impl Iterator<Item = (Days, Mark)> + '_ {
        let (mut first, bytes) =
            self.known().map_or((Day::new(0), &[][..]), |known| self.marks.within(known));
        bytes.chunk_by(|a, b| a == b).map(move |run| {
            let days = Days { first, last: first.plus(run.len() as i32 - 1) };
            first = days.last.plus(1);
            (days, run.first().map_or(Mark::Unknown, |byte| mark_of(*byte)))
        })
    }

    /// Whether any day from the first to the last that was marked has this mark.
    pub fn has(&self, mark: Mark) -> bool {
        self.marks.values().contains(&(mark as u8))
    }

    /// The last day with a mark that satisfies `wanted`.
    pub fn last_where(&self, wanted: impl Fn(Mark) -> bool) -> Option<Day> {
        self.marks.iter().rev().find(|(_, byte)| wanted(mark_of(*byte))).map(|(day, _)| day)
    }

    /// The first day with a mark that satisfies `wanted`.
    pub fn first_where(&self, wanted: impl Fn(Mark) -> bool) -> Option<Day> {
        self.marks.iter().find(|(_, byte)| wanted(mark_of(*byte))).map(|(day, _)| day)
    }

    /// The maximal runs of days within `range` whose mark satisfies `wanted`, ascending; days that
    /// cannot be marked are in none.
    pub fn runs(&self, range: Days, wanted: impl Fn(Day, Mark) -> bool) -> Vec<Days> {
        let mut runs: Vec<Days> = Vec::new();
        let markable = range.intersection(MARKABLE);
        for day in markable.iter().flat_map(|days| days.iter()).filter(|day| wanted(*day, self.get(*day))) {
            match runs.last_mut() {
                Some(run) if run.last.plus(1) == day => run.last = day,
                _ => runs.push(Days { first: day, last: day }),
            }
        }
        runs
    }

    /// The part of this coverage within a range, as kept in the metadata of one partition.
    pub fn within(&self, range: Days) -> Coverage {
        let known = self.known().and_then(|known| known.intersection(range));
        known.map_or_else(Coverage::default, |days| {
            let (first, bytes) = self.marks.within(days);
            Coverage { marks: ByDay::new(first, bytes.to_vec()) }
        })
    }

    /// Takes over every known mark of `other`.
    pub fn absorb(&mut self, other: &Coverage) {
        for (days, mark) in other.known_runs().filter(|(_, mark)| *mark != Mark::Unknown) {
            self.set(days, mark);
        }
    }

    /// Every day whose mark in `other` is another one, with the mark here and there.
    pub fn differences<'a>(&'a self, other: &'a Coverage) -> impl Iterator<Item = (Day, Mark, Mark)> + 'a {
        let run = self.marks.days();
        let beside = other.marks.iter().filter(move |(day, _)| run.is_none_or(|run| !run.contains(*day)));
        let days = self.marks.iter().chain(beside).map(|(day, _)| day);
        days.map(|day| (day, self.get(day), other.get(day))).filter(|(_, here, there)| here != there)
    }

    /// The stored form: the first day as four little-endian bytes, then one byte a day, zstd.
    pub fn to_bytes(&self) -> Vec<u8> {
        let first = self.marks.days().map_or(0, |days| days.first.number());
        let mut plain = first.to_le_bytes().to_vec();
        plain.extend_from_slice(self.marks.values());
        packed::pack(&plain).unwrap_or_default()
    }

    /// Reads the stored form back; an error says what is wrong with it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Coverage, String> {
        // A day is a byte: a mebibyte holds more than two millennia.
        let plain = packed::unpack(bytes, 1 << 20).map_err(|e| format!("stored coverage: {e}"))?;
        let (first, marks) =
            plain.split_first_chunk::<4>().ok_or("stored coverage is shorter than four bytes")?;
        if marks.iter().max().is_some_and(|largest| usize::from(*largest) >= MARKS.len()) {
            return Err("stored coverage has a mark this version does not know".to_owned());
        }
        let first = i32::from_le_bytes(*first);
        let last = i64::from(first) + marks.len() as i64 - 1;
        if !marks.is_empty() && (first < MARKABLE.first.number() || last > i64::from(MARKABLE.last.number()))
        {
            return Err("stored coverage has days outside of the years 1800 to 2399".to_owned());
        }
        Ok(Coverage { marks: ByDay::new(Day::new(first), marks.to_vec()) })
    }

    /// The stored form as text, for Parquet metadata and intents.
    pub fn to_text(&self) -> String {
        STANDARD.encode(self.to_bytes())
    }

    /// Reads [`Coverage::to_text`] back.
    pub fn from_text(text: &str) -> Result<Coverage, String> {
        let bytes = STANDARD.decode(text).map_err(|e| format!("stored coverage: {e}"))?;
        Coverage::from_bytes(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn days(first: i32, last: i32) -> Days {
        Days::new(Day::new(first), Day::new(last)).unwrap()
    }

    #[test]
    fn what_is_not_marked_is_unknown() {
        let mut coverage = Coverage::default();
        assert_eq!(coverage.get(Day::new(5)), Mark::Unknown);
        assert_eq!(coverage.known(), None);
        coverage.set(days(10, 12), Mark::Present);
        coverage.set(days(2, 3), Mark::BeforeListing);
        assert_eq!(coverage.known(), Some(days(2, 12)));
        assert_eq!(
            coverage.runs(days(0, 20), |_, mark| mark == Mark::Unknown),
            [days(0, 1), days(4, 9), days(13, 20)]
        );
    }

    #[test]
    fn an_absurd_date_is_neither_kept_nor_written() {
        let day = |text: &str| text.parse::<Day>().unwrap();
        assert_eq!(MARKABLE, Days::new(day("1800-01-01"), day("2399-12-31")).unwrap());
        let mut coverage = Coverage::default();
        coverage.set(days(-700_000, 2_000_000), Mark::BeforeListing);
        coverage.set(days(2_000_000_000, i32::MAX), Mark::Present);
        assert_eq!(coverage.known(), Some(MARKABLE));
        assert_eq!(Coverage::from_bytes(&coverage.to_bytes()).unwrap(), coverage);
        assert_eq!(coverage.runs(days(i32::MIN, i32::MAX), |_, mark| mark != Mark::Unknown), [MARKABLE]);
        for first in [i32::MIN, -62_092, 157_053, i32::MAX] {
            let absurd = Coverage { marks: ByDay::new(Day::new(first), vec![Mark::Present as u8; 2]) };
            let error = Coverage::from_bytes(&absurd.to_bytes()).unwrap_err();
            assert!(error.contains("1800 to 2399"), "{error}");
        }
    }

    proptest! {
        /// Against a plain map from day to mark.
        #[test]
        fn coverage_is_a_map_of_days(sets in prop::collection::vec((-400i32..400, 0i32..60, 0u8..9), 0..20)) {
            let (mut coverage, mut model) = (Coverage::default(), BTreeMap::new());
            for (first, length, mark) in sets {
                let mark = MARKS[usize::from(mark)];
                coverage.set(days(first, first + length), mark);
                for day in first..=first + length { model.insert(day, mark); }
            }
            for day in -500..500 {
                prop_assert_eq!(coverage.get(Day::new(day)), model.get(&day).copied().unwrap_or(Mark::Unknown));
            }
            prop_assert_eq!(&Coverage::from_text(&coverage.to_text()).unwrap(), &coverage);
            // The runs of equal marks are maximal, and together the known days.
            let runs: Vec<(Days, Mark)> = coverage.known_runs().collect();
            prop_assert!(runs.windows(2).all(|pair| pair[0].0.last.plus(1) == pair[1].0.first && pair[0].1 != pair[1].1));
            prop_assert!(runs.iter().all(|(days, mark)| days.iter().all(|day| coverage.get(day) == *mark)));
            let both = runs.first().zip(runs.last());
            prop_assert_eq!(both.map(|(a, b)| Days { first: a.0.first, last: b.0.last }), coverage.known());
            // Those of any condition are disjoint, ascending, maximal, and hold just its days.
            let present = |mark| mark == Mark::Present;
            let runs = coverage.runs(days(-500, 499), |_, mark| present(mark));
            prop_assert!(runs.windows(2).all(|pair| pair[0].last.plus(1) < pair[1].first));
            for day in (-500..500).map(Day::new) {
                prop_assert_eq!(runs.iter().any(|run| run.contains(day)), present(coverage.get(day)));
            }
            // What differs from a part of it is what that part lacks.
            let part = coverage.within(days(-100, 100));
            let differences: Vec<Day> = coverage.differences(&part).map(|(day, ..)| day).collect();
            let back: Vec<Day> = part.differences(&coverage).map(|(day, ..)| day).collect();
            for day in (-500..500).map(Day::new) {
                let differs = coverage.get(day) != part.get(day);
                prop_assert_eq!(differences.iter().filter(|of| **of == day).count(), usize::from(differs));
                prop_assert_eq!(back.iter().filter(|of| **of == day).count(), usize::from(differs));
            }
            let mut joined = coverage.within(days(-500, 0));
            joined.absorb(&coverage.within(days(1, 500)));
            for day in -500..500 {
                prop_assert_eq!(joined.get(Day::new(day)), coverage.get(Day::new(day)));
            }
        }
    }
}
