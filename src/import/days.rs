//! Which days a file covers, and which of its bars were over when it was made.

use jiff::tz::TimeZone;

use crate::model::{Bars, Class, Contract, Day, Days, Period, SeriesMeta};

/// A contract is listed at most so many days before it ends.
const LISTED_DAYS: i32 = 10 * 366;
/// A contract may end so many days before the end of its month.
const ENDS_WITHIN: i32 = 45;
/// Exports are cut off at these numbers of rows: their oldest day may not be whole.
const ROW_LIMITS: [usize; 2] = [10_000, 20_000];

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
        SeriesMeta { zone, session_open: self.opens, ..SeriesMeta::default() }.trading_day(time)
    }

    /// From the first to the last bar.
    pub fn span(&self, bars: &Bars) -> Option<Days> {
        let (first, last) = bars.bounds()?;
        Days::new(self.day(first), self.period.last_day(self.day(last)))
    }

    /// The dates of which a file of these bars has every bar there is, and on to the end of a contract that had
    /// ended.
    pub fn covered(&self, bars: &Bars) -> Option<Days> {
        let mut days = self.span(bars)?;
        if ROW_LIMITS.contains(&bars.len()) && days.len() > 1 {
            days.first = days.first.plus(1);
        }
        if let Some(end) = self.ended(days.last) {
            days.last = days.last.max(end);
        }
        Some(days)
    }

    /// The last day of the contract, where it was settled and its rows reach near to it.
    pub fn ended(&self, last: Day) -> Option<Day> {
        let settled = self.contract?.settled();
        self.reaches_end(last).filter(|_| settled <= finished(self.clock, self.zone))
    }

    /// The last day of the contract, where its rows reach near to it.
    pub fn reaches_end(&self, last: Day) -> Option<Day> {
        let end = self.contract?.last_day();
        (last.plus(ENDS_WITHIN) >= end).then_some(end)
    }
}
