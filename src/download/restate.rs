//! Putting history on a new scale: what was fetched again is taken, what is out of the provider's reach
//! is multiplied by the event's exact ratio, and only where the numbers confirm it.

use super::compare::{Difference, compare, is_ratio, keep_stored_values};
use crate::model::{Bars, Column, Day};
use crate::provider::Split;

/// Why a series was fetched again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cause {
    /// The overlap moved by a factor, or the provider lists a split newer than the last stored bar.
    Scale,
    /// Only `Adj Close` moved.
    Adjustment,
    /// More than half of the overlap differs, by no one factor.
    Rewritten,
}

impl Cause {
    /// The cause in words, for the revision and the log.
    pub fn words(self) -> &'static str {
        match self {
            Cause::Scale => "the price scale changed",
            Cause::Adjustment => "the adjusted close changed",
            Cause::Rewritten => "most of the compared bars were rewritten",
        }
    }
}

/// The whole series after a restatement.
///
/// `fetched` is everything in the provider's reach, `splits` what the provider lists in it. The error
/// says why the scale could not be confirmed; then nothing may change.
pub fn restate(stored: &Bars, fetched: &Bars, splits: &[Split], cause: Cause) -> Result<Bars, String> {
    let mut fetched = fetched.clone();
    let mut stored = stored.clone();
    if cause == Cause::Scale {
        rescale(&mut stored, &fetched, splits)?;
    }
    keep_stored_values(&stored, &mut fetched);
    Ok(Bars::merge(&stored, &fetched))
}

/// Brings the stored bars to the scale of the fetched ones.
fn rescale(stored: &mut Bars, fetched: &Bars, splits: &[Split]) -> Result<(), String> {
    let untouched = stored.times.iter().any(|time| fetched.times.binary_search(time).is_err());
    match compare(stored, fetched) {
        Difference::Scale { ratio, until } => match event(splits, ratio, until) {
            Some(split) => divide(stored, split.day.midnight(), split.ratio),
            None if untouched => {
                return Err(format!(
                    "stored prices are {ratio} times the provider's, no listed split explains it, and some stored bars cannot be fetched again"
                ));
            }
            None => {}
        },
        Difference::NoOverlap => {
            return Err("none of the stored bars could be fetched again".to_owned());
        }
        Difference::Rewritten if untouched => {
            return Err(
                "the compared bars moved by no one factor, and some stored bars cannot be fetched again"
                    .to_owned(),
            );
        }
        // The stored bars were on the new scale already: then the fetched ones must be, on both sides
        // of each split.
        _ => confirm_continuous(fetched, splits)?,
    }
    Ok(())
}

/// The split, or the product of several, whose ratio is the one the overlap shows. The ratio in force
/// for bars older than all of them is their product.
fn event(splits: &[Split], ratio: f64, until: Option<i64>) -> Option<Split> {
    let newest_first = splits.iter().rev();
    let mut product = 1.0;
    for split in newest_first {
        product *= split.ratio;
        let fits = until.is_none_or(|until| split.day.midnight() <= until + 86_400);
        if fits && is_ratio(product, ratio) {
            return Some(Split { day: newest_day(splits, until), ratio: product });
        }
    }
    None
}

/// Bars before this day are on the old scale: the day of the first bar that did not move, else of the
/// newest split.
fn newest_day(splits: &[Split], until: Option<i64>) -> Day {
    until.map(Day::of_utc).or_else(|| splits.last().map(|split| split.day)).unwrap_or(Day::new(0))
}

/// Divides prices and dividends of the bars before `until` by `ratio`, and multiplies their volumes.
pub fn divide(bars: &mut Bars, until: i64, ratio: f64) {
    let end = bars.times.partition_point(|time| *time < until);
    for (at, column) in bars.columns().iter().enumerate() {
        let values = bars.values[at].iter_mut().take(end);
        match column {
            Column::Volume => values.for_each(|value| *value *= ratio),
            Column::Dividends | Column::CapitalGains => values.for_each(|value| *value /= ratio),
            column if column.is_price() => values.for_each(|value| *value /= ratio),
            _ => {}
        }
    }
}

/// An error where the fetched bars jump by a listed split's ratio at its day: the provider lists the
/// split and has not put the older prices on the new scale yet.
pub fn confirm_continuous(fetched: &Bars, splits: &[Split]) -> Result<(), String> {
    let closes = fetched.column(Column::Close).unwrap_or_default();
    for split in splits.iter().filter(|split| !is_ratio(split.ratio, 1.0)) {
        let at = fetched.times.partition_point(|time| *time < split.day.midnight());
        let (Some(before), Some(after)) = (at.checked_sub(1).and_then(|b| closes.get(b)), closes.get(at))
        else {
            continue;
        };
        let jump = (before / after).ln();
        // Nearer to the split's ratio than to no jump at all.
        if (jump - split.ratio.ln()).abs() < jump.abs() {
            return Err(format!(
                "a split of {} on {} is listed but prices before it are not on the new scale",
                split.ratio, split.day
            ));
        }
    }
    Ok(())
}

/// What the daily bars of the same sessions say about stored intraday bars that cannot be fetched
/// again: the ratio by which they have to be divided (1 for none), or why it cannot be told.
pub fn bridge_ratio(last_close: f64, daily_close: Option<f64>, splits: &[Split]) -> Result<f64, String> {
    // A closing auction may lie a little beside the last bar of the session …
    const NEAR: f64 = 0.05;
    // … and must be nearer to one explanation than to the other by this factor.
    const APART: f64 = 3.0;
    let product: f64 = splits.iter().map(|split| split.ratio).product();
    if is_ratio(product, 1.0) {
        return Ok(1.0);
    }
    let daily = daily_close.filter(|close| close.is_finite() && *close != 0.0).ok_or_else(|| {
        format!("a split of {product} is listed since the last stored bar and no daily bar of that session confirms it")
    })?;
    let ratio = last_close / daily;
    let (applied, unapplied) = (ratio.ln().abs(), (ratio / product).ln().abs());
    if unapplied < NEAR && unapplied * APART < applied {
        Ok(product)
    } else if applied < NEAR && applied * APART < unapplied {
        Ok(1.0)
    } else {
        Err(format!(
            "a split of {product} is listed since the last stored bar, but its close is {ratio} times the daily close of that session"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Class, Period};

    fn bars(days: std::ops::Range<i64>, price: impl Fn(i64) -> f64) -> Bars {
        let mut bars = Bars::new(Column::of("yahoo", Class::Stock, false, Period::D1));
        for day in days {
            let p = price(day);
            bars.push(day * 86_400, &[p, p, p, p, 100.0, p, 0.0, 0.0, 0.0]);
        }
        bars
    }

    fn split(day: i32, ratio: f64) -> Split {
        Split { day: Day::new(day), ratio }
    }

    #[test]
    fn bars_out_of_reach_are_divided_by_the_exact_ratio() {
        let stored = bars(0..20, |_| 80.0);
        let fetched = bars(10..25, |_| 80.0 / 4.000_01);
        let restated = restate(&stored, &fetched, &[split(20, 4.0)], Cause::Scale).unwrap();
        assert_eq!(restated.len(), 25);
        assert_eq!(restated.column(Column::Close).unwrap()[0], 20.0);
        assert_eq!(restated.column(Column::Volume).unwrap()[0], 400.0);
    }

    #[test]
    fn a_scale_that_nothing_explains_is_not_confirmed() {
        let (stored, fetched) = (bars(0..20, |_| 80.0), bars(10..25, |_| 0.8));
        assert!(restate(&stored, &fetched, &[], Cause::Scale).unwrap_err().contains("100 times"));
        let all = bars(0..25, |_| 0.8);
        assert_eq!(restate(&stored, &all, &[], Cause::Scale).unwrap().len(), 25);
    }

    #[test]
    fn a_listed_split_that_is_not_in_the_prices_yet_is_not_confirmed() {
        let stored = bars(0..20, |_| 80.0);
        let unscaled = bars(10..25, |day| if day < 20 { 80.0 } else { 20.0 });
        let error = restate(&stored, &unscaled, &[split(20, 4.0)], Cause::Scale).unwrap_err();
        assert!(error.contains("not on the new scale"), "{error}");
        let scaled = bars(0..20, |_| 20.0);
        let new = bars(10..25, |_| 20.0);
        assert_eq!(restate(&scaled, &new, &[split(20, 4.0)], Cause::Scale).unwrap().len(), 25);
    }

    #[test]
    fn two_splits_at_once_multiply() {
        let restated = restate(
            &bars(0..20, |_| 60.0),
            &bars(15..25, |_| 10.0),
            &[split(20, 2.0), split(22, 3.0)],
            Cause::Scale,
        );
        assert_eq!(restated.unwrap().column(Column::Close).unwrap()[0], 10.0);
    }

    #[test]
    fn the_daily_close_of_the_session_confirms_a_split() {
        assert_eq!(bridge_ratio(80.0, Some(20.1), &[split(3, 4.0)]), Ok(4.0));
        assert_eq!(bridge_ratio(20.0, Some(20.1), &[split(3, 4.0)]), Ok(1.0));
        assert_eq!(bridge_ratio(20.0, None, &[]), Ok(1.0));
        assert_eq!(bridge_ratio(105.0, Some(100.0), &[split(3, 1.05)]), Ok(1.05));
        assert_eq!(bridge_ratio(100.2, Some(100.0), &[split(3, 1.05)]), Ok(1.0), "it is not applied twice");
        assert!(bridge_ratio(102.0, Some(100.0), &[split(3, 1.05)]).is_err());
        assert!(bridge_ratio(40.0, Some(20.0), &[split(3, 4.0)]).is_err());
        assert!(bridge_ratio(40.0, None, &[split(3, 4.0)]).is_err());
    }

    use proptest::prelude::*;

    proptest! {
        /// Prices and dividends go down by the ratio, volumes up by it, only before the day; a ratio and
        /// its inverse cancel out but for the last bit.
        #[test]
        fn a_division_can_be_taken_back(
            prices in prop::collection::vec(0.01f64..10_000.0, 1..40),
            until in 0i64..50,
            ratio in prop::sample::select(vec![2.0, 3.0, 4.0, 1.5, 0.1, 0.05, 7.0]),
        ) {
            let before = bars(0..prices.len() as i64, |day| prices[day as usize]);
            let mut divided = before.clone();
            divide(&mut divided, until * 86_400, ratio);
            for (at, price) in prices.iter().enumerate() {
                let factor = if (at as i64) < until { ratio } else { 1.0 };
                prop_assert_eq!(divided.column(Column::Close).unwrap()[at], price / factor);
                prop_assert_eq!(divided.column(Column::Volume).unwrap()[at], 100.0 * factor);
            }
            divide(&mut divided, until * 86_400, 1.0 / ratio);
            for (back, price) in divided.column(Column::Close).unwrap().iter().zip(&prices) {
                prop_assert!((back / price - 1.0).abs() < 1e-15 * 4.0);
            }
        }
    }
}
