//! Which rows of an answer become bars, whoever sent it: those of the dates asked for whose time is over. What each
//! provider knows for itself is the trading date of a row and when one shorter than a day is over.

use super::Request;
use crate::model::{Bars, Day, Days, Period};

/// Of another date than was asked for.
const OUTSIDE: &str = "outside of what was asked for";
/// Of a bar, or a longer period, that goes on.
pub(super) const NOT_OVER: &str = "of a bar that is not over";
/// With nothing to make a bar of.
pub(super) const WITHOUT_PRICE: &str = "without any price";
/// Of a bar that another row has been taken for.
pub(super) const TWICE: &str = "for a bar that is there already";

/// What was asked for, and how much of it is over.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    period: Period,
    /// The trading dates asked for, as whole bars.
    pub days: Days,
    /// The provider's clock, in seconds since the epoch.
    pub clock: i64,
    /// The last trading date that was over at `clock`.
    pub finished: Day,
}

impl Cut {
    /// The cut of an answer to a request, which came at `clock`.
    pub fn new(request: &Request, clock: i64, finished: Day) -> Cut {
        Cut { period: request.period, days: request.whole_days(), clock, finished }
    }

    /// Whether a bar is over: one of a day or longer with its last date, one that is shorter when the clock shows its
    /// `end`, in seconds since the epoch.
    pub fn is_over(&self, day: Day, end: i64) -> bool {
        match self.period.is_intraday() {
            true => end <= self.clock,
            false => self.period.last_day(day) <= self.finished,
        }
    }

    /// Whether a row of a trading date becomes a bar; notes why it does not.
    pub fn takes(&self, (day, end): (Day, i64), left_out: &mut LeftOut) -> bool {
        let why = match () {
            () if !self.days.contains(day) => OUTSIDE,
            () if !self.is_over(day, end) => NOT_OVER,
            () => return true,
        };
        left_out.note(1, why);
        false
    }

    /// Leaves of ascending bars those that [`Cut::takes`] would take; `row` tells the trading date of a stamp and when
    /// its bar is over.
    pub fn keep(&self, bars: &mut Bars, row: impl Fn(i64) -> (Day, i64), left_out: &mut LeftOut) {
        let place = |before: &dyn Fn(Day, i64) -> bool| {
            bars.times.partition_point(|stamp| {
                let (day, end) = row(*stamp);
                before(day, end)
            })
        };
        let first = place(&|day, _| day < self.days.first);
        let behind = place(&|day, _| day <= self.days.last).max(first);
        let over = place(&|day, end| self.is_over(day, end)).clamp(first, behind);
        left_out.note(first + bars.len() - behind, OUTSIDE);
        left_out.note(behind - over, NOT_OVER);
        bars.keep(first..over);
    }
}

/// How many rows were left out in the normal course, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut(Vec<(&'static str, usize)>);

impl LeftOut {
    /// Adds rows that were left out, where there were any.
    pub fn note(&mut self, count: usize, why: &'static str) {
        match self.0.iter_mut().find(|(told, _)| *told == why) {
            Some((_, sum)) => *sum += count,
            None if count > 0 => self.0.push((why, count)),
            None => {}
        }
    }

    /// One sentence for each reason, as `3 rows outside of what was asked for, dropped`.
    pub fn told(self) -> Vec<String> {
        let rows = |count| if count == 1 { "row" } else { "rows" };
        self.0.into_iter().map(|(why, count)| format!("{count} {} {why}, dropped", rows(count))).collect()
    }
}

impl FromIterator<(&'static str, usize)> for LeftOut {
    fn from_iter<T: IntoIterator<Item = (&'static str, usize)>>(counted: T) -> LeftOut {
        let mut left_out = LeftOut::default();
        counted.into_iter().for_each(|(why, count)| left_out.note(count, why));
        left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Class, Column, Instrument};

    fn cut(period: Period) -> Cut {
        let instrument = Instrument::plain("X", "X", Class::Stock);
        let days = Days { first: Day::new(10), last: Day::new(12) };
        let request = Request { instrument, contract: None, period, days, correlation: String::new() };
        // At noon of the last day.
        Cut::new(&request, Day::new(12).midnight() + 43_200, Day::new(11))
    }

    #[test]
    fn rows_one_by_one_and_bars_at_once_are_cut_alike() {
        for (period, hours, kept) in [(Period::D1, 24, 2), (Period::H1, 1, 60), (Period::W1, 168, 1)] {
            let cut = cut(period);
            let stamps = (0..30 * 24 / hours).map(|at| i64::from(at * hours) * 3600);
            let row = |stamp: i64| (Day::of_utc(stamp), stamp + 3600);
            let mut bars = Bars::new(Column::of("yahoo", Class::Stock, false, period));
            stamps.clone().for_each(|stamp| bars.push(stamp, &[1.0]));
            let (mut at_once, mut one_by_one) = (LeftOut::default(), LeftOut::default());
            cut.keep(&mut bars, row, &mut at_once);
            let taken: Vec<i64> = stamps.filter(|stamp| cut.takes(row(*stamp), &mut one_by_one)).collect();
            assert_eq!(bars.times, taken, "{period}");
            assert!(bars.values.iter().all(|column| column.len() == taken.len()));
            assert_eq!(taken.len(), kept, "{period}");
            let mut told = [at_once.told(), one_by_one.told()];
            told.iter_mut().for_each(|told| told.sort());
            assert_eq!(told[0], told[1], "{period}");
        }
    }
}
