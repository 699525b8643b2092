//! A run of bars in memory, column by column.

use super::column::Column;
use super::day::Day;

/// Bars of one series: unique and ascending once checked. Prices and volumes are doubles exactly as
/// the provider sent them; a missing value is NaN here, an empty field in CSV and null in Parquet.
#[derive(Clone, Debug)]
pub struct Bars {
    columns: &'static [Column],
    /// UTC seconds since the epoch: the opening instant of an intraday bar, midnight of the trading
    /// date for daily and longer ones.
    pub times: Vec<i64>,
    /// One vector a column, in the order of `columns()`, each as long as `times`.
    pub values: Vec<Vec<f64>>,
}

impl Bars {
    /// No bars yet, of these columns.
    pub fn new(columns: &'static [Column]) -> Bars {
        Bars { columns, times: Vec::new(), values: vec![Vec::new(); columns.len()] }
    }

    /// The value columns.
    pub fn columns(&self) -> &'static [Column] {
        self.columns
    }

    /// How many bars.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there is no bar.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// The values of a column, where the series has it.
    pub fn column(&self, column: Column) -> Option<&[f64]> {
        let at = self.columns.iter().position(|c| *c == column)?;
        self.values.get(at).map(Vec::as_slice)
    }

    /// The stamps, and the values of a column to change, where the series has it.
    pub fn times_and_column_mut(&mut self, column: Column) -> Option<(&[i64], &mut [f64])> {
        let at = self.columns.iter().position(|c| *c == column)?;
        Some((&self.times, self.values.get_mut(at)?))
    }

    /// Appends one bar; `row` is in the order of the columns, missing values are NaN and so are
    /// those of columns that `row` is too short for.
    pub fn push(&mut self, time: i64, row: &[f64]) {
        self.times.push(time);
        for (at, column) in self.values.iter_mut().enumerate() {
            column.push(row.get(at).copied().unwrap_or(f64::NAN));
        }
    }

    /// One bar's values, in the order of the columns.
    pub fn row(&self, at: usize) -> impl Iterator<Item = f64> + '_ {
        self.values.iter().map(move |column| column[at])
    }

    /// Appends the bars `range` of `other`, which has the same columns.
    pub fn extend_from(&mut self, other: &Bars, range: std::ops::Range<usize>) {
        self.times.extend_from_slice(&other.times[range.clone()]);
        for (column, from) in self.values.iter_mut().zip(&other.values) {
            column.extend_from_slice(&from[range.clone()]);
        }
    }

    /// Makes room for that many bars more.
    pub fn reserve(&mut self, bars: usize) {
        self.times.reserve(bars);
        self.values.iter_mut().for_each(|column| column.reserve(bars));
    }

    /// The bars of an index range.
    pub fn slice(&self, range: std::ops::Range<usize>) -> Bars {
        Bars {
            columns: self.columns,
            times: self.times[range.clone()].to_vec(),
            values: self.values.iter().map(|column| column[range.clone()].to_vec()).collect(),
        }
    }

    /// The bars with `start <= time < end`; times must be ascending.
    pub fn between(&self, start: i64, end: i64) -> Bars {
        let from = self.times.partition_point(|time| *time < start);
        let to = self.times.partition_point(|time| *time < end).max(from);
        self.slice(from..to)
    }

    /// Leaves only the bars of an index range.
    pub fn keep(&mut self, range: std::ops::Range<usize>) {
        self.times.truncate(range.end);
        self.times.drain(..range.start);
        for column in &mut self.values {
            column.truncate(range.end);
            column.drain(..range.start);
        }
    }

    /// Leaves only the bars with `start <= time < end`; times must be ascending.
    pub fn keep_between(&mut self, start: i64, end: i64) {
        let from = self.times.partition_point(|time| *time < start);
        let to = self.times.partition_point(|time| *time < end).max(from);
        self.keep(from..to);
    }

    /// Appends all bars of `other`, which has the same columns.
    pub fn append(&mut self, other: &Bars) {
        self.extend_from(other, 0..other.len());
    }

    /// The first and last stamp.
    pub fn bounds(&self) -> Option<(i64, i64)> {
        Some((*self.times.first()?, *self.times.last()?))
    }

    /// Whether times are unique and ascending.
    pub fn is_ascending(&self) -> bool {
        self.times.windows(2).all(|pair| pair[0] < pair[1])
    }

    /// Puts the bars in order; of bars with one stamp the last pushed is kept.
    pub fn sort_keep_last(&mut self) {
        if self.is_ascending() {
            return;
        }
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by_key(|at| (self.times[*at], *at));
        let mut sorted = Bars::new(self.columns);
        for (place, at) in order.iter().enumerate() {
            let next = order.get(place + 1).map(|next| self.times[*next]);
            if next != Some(self.times[*at]) {
                sorted.extend_from(self, *at..*at + 1);
            }
        }
        *self = sorted;
    }

    /// Stored bars and fetched ones as one run, unique and ascending; where both have a bar the
    /// fetched one is taken. Both must be ascending and have the same columns.
    pub fn merge(stored: &Bars, fetched: &Bars) -> Bars {
        let mut merged = Bars::new(stored.columns);
        merged.reserve(stored.len() + fetched.len());
        let mut s = 0;
        for f in 0..fetched.len() {
            // What is stored before this bar, in one piece.
            let new = fetched.times[f];
            let before = stored.times[s..].iter().take_while(|old| **old < new).count();
            merged.extend_from(stored, s..s + before);
            s += before;
            s += usize::from(stored.times.get(s) == Some(&new));
            if s == stored.len() {
                merged.extend_from(fetched, f..fetched.len());
                return merged;
            }
            merged.extend_from(fetched, f..f + 1);
        }
        merged.extend_from(stored, s..stored.len());
        merged
    }

    /// The same bars, value for value: equal doubles, missing ones missing in both.
    pub fn same(&self, other: &Bars) -> bool {
        let equal = |a: &f64, b: &f64| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        self.columns == other.columns
            && self.times == other.times
            && self.values.iter().zip(&other.values).all(|(a, b)| a.iter().zip(b).all(|(a, b)| equal(a, b)))
    }

    /// The UTC date of each bar, ascending and unique. For daily and longer bars it is their
    /// trading date.
    pub fn utc_days(&self) -> Vec<Day> {
        let mut days: Vec<Day> = self.times.iter().map(|time| Day::of_utc(*time)).collect();
        days.dedup();
        days
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Class, Period};

    fn bars(rows: &[(i64, f64)]) -> Bars {
        let mut bars = Bars::new(Column::of("yahoo", Class::Stock, false, Period::M1));
        for (time, close) in rows {
            bars.push(*time, &[*close, *close, *close, *close]);
        }
        bars
    }

    #[test]
    fn a_merge_takes_the_fetched_bar_and_keeps_the_rest() {
        let merged = Bars::merge(&bars(&[(1, 1.0), (3, 3.0), (9, 9.0)]), &bars(&[(2, 2.0), (3, 33.0)]));
        assert!(merged.same(&bars(&[(1, 1.0), (2, 2.0), (3, 33.0), (9, 9.0)])));
        assert!(merged.column(Column::Volume).unwrap()[0].is_nan());
    }

    #[test]
    fn sorting_keeps_the_last_of_equal_stamps() {
        let mut double = bars(&[(5, 5.0), (1, 1.0), (5, 55.0)]);
        double.sort_keep_last();
        assert!(double.same(&bars(&[(1, 1.0), (5, 55.0)])));
    }

    #[test]
    fn between_is_half_open() {
        assert_eq!(bars(&[(1, 1.0), (2, 2.0), (3, 3.0)]).between(2, 3).times, [2]);
        assert!(bars(&[(1, 1.0)]).between(5, 2).is_empty());
    }

    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Against a plain map from stamp to price.
        #[test]
        fn a_merge_is_a_union_of_maps(
            stored in prop::collection::btree_map(0i64..80, 1u16..999, 0..60),
            fetched in prop::collection::btree_map(0i64..80, 1u16..999, 0..60),
        ) {
            let of = |map: &BTreeMap<i64, u16>| {
                bars(&map.iter().map(|(time, close)| (*time, f64::from(*close))).collect::<Vec<_>>())
            };
            let merged = Bars::merge(&of(&stored), &of(&fetched));
            let mut union = stored.clone();
            union.extend(&fetched);
            prop_assert!(merged.is_ascending());
            prop_assert!(merged.same(&of(&union)));
            // Again nothing changes.
            prop_assert!(Bars::merge(&merged, &of(&fetched)).same(&merged));
        }
    }
}
