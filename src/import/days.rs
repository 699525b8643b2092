//! Which days a file covers, and which of its bars were over when it was made.

use jiff::tz::TimeZone;

use crate::model::{Bars, Class, Contract, Day, Days, Period, SeriesMeta};

/// A contract is listed at most so many days before it ends.
const LISTED_DAYS: i32 = 10 * 366;
/// Exports are cut off at so many rows, or at …
const SHORT_LIMIT: usize = 10_000;
/// … so many: their oldest day may not be whole.
const ROW_LIMIT: usize = 20_000;

/// The day before which nothing of a series is looked for.
pub fn earliest(contract: Option<Contract>, otherwise: Day) -> Day {
    contract.map_or(otherwise, |contract| contract.last_day().plus(-LISTED_DAYS))
}

/// When the day's bar of an exchange is taken to be finished, in seconds after local midnight.
const CLOSED: i64 = 17 * 3600;

/// The last trading date that was over on the wall of `zone`.
pub fn finished(clock: i64, zone: &TimeZone) -> Day {
    let (today, second) = Day::of_wall(clock, zone);
    if second >= CLOSED { today } else { today.plus(-1) }
}

/// Takes out the bars that were not over at `clock`; how many.
pub fn drop_unfinished(bars: &mut Bars, period: Period, clock: i64, zone: &TimeZone) -> usize {
    let finished = finished(clock, zone);
    let over = |time: i64| match period.seconds() {
        Some(seconds) => time + seconds <= clock,
        None => period.last_day(Day::of_utc(time)) <= finished,
    };
    let kept = bars.times.partition_point(|time| over(*time));
    let dropped = bars.len() - kept;
    if let Some(last) = bars.times.get(kept).copied() {
        bars.keep_between(i64::MIN, last);
    }
    dropped
}

/// What a series is, for the days that a file of it covers.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The class.
    pub class: Class,
    /// The dated contract.
    pub contract: Option<Contract>,
    /// The bar length.
    pub period: Period,
    /// The exchange's zone.
    pub zone: &'a TimeZone,
    /// When the session of a date opens, where that is known; see [`SeriesMeta::session_open`].
    pub opens: Option<i32>,
    /// When the file was made, in seconds since the epoch.
    pub clock: i64,
}

impl Scope<'_> {
    /// The trading date of a stored stamp.
    pub fn day(&self, time: i64) -> Day {
        if !self.period.is_intraday() {
            return Day::of_utc(time);
        }
        let zone = self.zone.iana_name().map(str::to_owned);
        SeriesMeta { zone, session_open: self.opens, ..SeriesMeta::default() }.trading_days()(time)
    }

    /// From the first to the last bar.
    pub fn span(&self, bars: &Bars) -> Option<Days> {
        let (first, last) = bars.bounds()?;
        Days::new(self.day(first), self.period.last_day(self.day(last)))
    }

    /// The dates of which a file of these bars has every bar there is: those from its first to its last, and no
    /// other, because a file does not say what was asked for. `rows` are all that it has, also those that are no bars.
    pub fn covered(&self, bars: &Bars, rows: usize) -> Option<Days> {
        let mut days = self.span(bars)?;
        if (rows == SHORT_LIMIT || rows >= ROW_LIMIT) && days.len() > 1 {
            days.first = days.first.plus(1);
        }
        Some(days)
    }

    /// When the last bar began and when it was over, in seconds since the epoch.
    pub fn last_bar(&self, bars: &Bars) -> Option<(i64, i64)> {
        let (_, last) = bars.bounds()?;
        if let Some(seconds) = self.period.seconds() {
            return Some((last, last + seconds));
        }
        let day = Day::of_utc(last);
        let closed = self.period.last_day(day).instant(0, self.zone) + CLOSED;
        Some((day.instant(0, self.zone), closed))
    }

    /// What is open of a contract whose month is over: it may have traded on behind what a file has of it.
    pub fn open_end(&self, covered: Days, now: i64) -> Option<String> {
        let end = self.contract?.last_day();
        let open = covered.last < end && end < Day::of_utc(now);
        open.then(|| format!("known to {}; the next download asks for the days to {end}", covered.last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Column;

    #[test]
    fn an_export_that_is_cut_off_proves_no_first_day_whatever_of_its_rows_is_no_bar() {
        let mut bars = Bars::new(Column::of("barchart", Class::Future, true, Period::M1));
        // Three days; of all the rows of the file these are left.
        for day in 0..3 {
            bars.push(day * 86_400 + 36_000, &vec![1.0; bars.columns().len()]);
        }
        let (class, period, zone) = (Class::Future, Period::M1, &TimeZone::UTC);
        let scope = Scope { class, contract: None, period, zone, opens: None, clock: 9 * 86_400 };
        let first = |rows| scope.covered(&bars, rows).unwrap().first.number();
        assert_eq!([9_999, 10_000, 10_001, 19_999, 20_000, 20_001].map(first), [0, 1, 0, 0, 1, 1]);
    }
}
