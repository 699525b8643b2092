//! How a fetched overlap differs from what is stored: not at all, or as one of four.

use crate::model::{Bars, Column};

/// Values closer than this, relatively, are equal: providers send single precision.
pub const TOLERANCE: f64 = 1e-6;
/// Ratios closer than this are one factor: prices of cheap shares are rounded after a split.
pub const FACTOR_TOLERANCE: f64 = 1e-4;

/// The difference between stored and fetched bars of the same stamps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Difference {
    /// No stored bar was fetched again.
    NoOverlap,
    /// Equal.
    None,
    /// Volumes or open interest differ, or values that were missing are there now: an update.
    Volume,
    /// `Adj Close` differs on bars whose prices do not.
    Adjustment,
    /// Single bars differ.
    Correction,
    /// More than half of the bars differ, by no one factor.
    Rewritten,
    /// Every overlap bar before some stamp moved by one factor: fetched price × `ratio` = stored price.
    Scale {
        /// Stored price over fetched price: 4 after a 4:1 split.
        ratio: f64,
        /// The stamp of the first bar that did not move; `None` where all moved.
        until: Option<i64>,
    },
}

/// How one bar differs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum BarDifference {
    None,
    Volume,
    Adjustment,
    /// All prices moved by this ratio of stored to fetched.
    Moved(f64),
    Other,
}

/// Compares the bars that both have; both are ascending and have the same columns.
pub fn compare(stored: &Bars, fetched: &Bars) -> Difference {
    let mut differences = Vec::new();
    let mut s = 0;
    for (f, time) in fetched.times.iter().enumerate() {
        while stored.times.get(s).is_some_and(|old| old < time) {
            s += 1;
        }
        if stored.times.get(s) == Some(time) {
            differences.push((*time, bar_difference(stored, s, fetched, f)));
        }
    }
    judge(&differences)
}

fn judge(bars: &[(i64, BarDifference)]) -> Difference {
    if bars.is_empty() {
        return Difference::NoOverlap;
    }
    if let Some(scale) = scale(bars) {
        return scale;
    }
    let count = |wanted: fn(&BarDifference) -> bool| bars.iter().filter(|(_, bar)| wanted(bar)).count();
    let changed = count(|bar| matches!(bar, BarDifference::Moved(_) | BarDifference::Other));
    let adjusted = count(|bar| matches!(bar, BarDifference::Adjustment));
    if changed * 2 > bars.len() {
        Difference::Rewritten
    } else if adjusted > 0 {
        // It is fetched whole, and corrections of single bars come along.
        Difference::Adjustment
    } else if changed > 0 {
        Difference::Correction
    } else if count(|bar| matches!(bar, BarDifference::Volume)) > 0 {
        Difference::Volume
    } else {
        Difference::None
    }
}

/// A run of bars from the first one on that all moved by one ratio, and nothing moved after it. One
/// moved bar among several is a correction, not a scale.
fn scale(bars: &[(i64, BarDifference)]) -> Option<Difference> {
    let BarDifference::Moved(ratio) = bars.first()?.1 else {
        return None;
    };
    let alike = |bar: &BarDifference| matches!(bar, BarDifference::Moved(r) if is_ratio(*r, ratio));
    let moved = bars.iter().take_while(|(_, bar)| alike(bar)).count();
    let rest = bars.get(moved..)?;
    let still = rest.iter().all(|(_, bar)| !matches!(bar, BarDifference::Moved(_) | BarDifference::Other));
    (still && (moved > 1 || rest.is_empty()))
        .then(|| Difference::Scale { ratio, until: rest.first().map(|(time, _)| *time) })
}

/// Whether two ratios are one factor.
pub fn is_ratio(a: f64, b: f64) -> bool {
    (a / b - 1.0).abs() <= FACTOR_TOLERANCE
}

/// Whether two values are equal but for single-precision noise; missing equals missing.
pub fn is_same(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
}

fn bar_difference(stored: &Bars, s: usize, fetched: &Bars, f: usize) -> BarDifference {
    let (mut adjusted, mut filled, mut other) = (false, false, false);
    let mut ratios: Vec<f64> = Vec::new();
    let mut moved = false;
    for (at, column) in stored.columns().iter().enumerate() {
        let (old, new) = (stored.values[at][s], fetched.values[at][f]);
        let same = is_same(old, new);
        match column {
            Column::Open | Column::High | Column::Low | Column::Close if !old.is_nan() && !new.is_nan() => {
                ratios.push(old / new);
                moved |= !same;
            }
            // A value that was missing is an addition, one that is missing now is kept as stored.
            _ if same || new.is_nan() => {}
            // Open interest is published on the morning after, volumes are still counted then.
            _ if old.is_nan() || matches!(column, Column::Volume | Column::OpenInterest) => filled = true,
            Column::AdjClose => adjusted = true,
            _ => other = true,
        }
    }
    let ratio = ratios.first().copied().unwrap_or(1.0);
    if moved && ratios.iter().all(|r| is_ratio(*r, ratio)) && !is_ratio(ratio, 1.0) {
        BarDifference::Moved(ratio)
    } else if moved || other {
        BarDifference::Other
    } else if adjusted {
        BarDifference::Adjustment
    } else if filled {
        BarDifference::Volume
    } else {
        BarDifference::None
    }
}

/// Fetched bars with every missing value filled from the stored bar of the same stamp: a shorter
/// answer never erases what is stored. Both must be of one price scale.
pub fn keep_stored_values(stored: &Bars, fetched: &mut Bars) {
    let mut s = 0;
    for f in 0..fetched.len() {
        let time = fetched.times[f];
        while stored.times.get(s).is_some_and(|old| *old < time) {
            s += 1;
        }
        if stored.times.get(s) == Some(&time) {
            for (new, old) in fetched.values.iter_mut().zip(&stored.values) {
                if new[f].is_nan() {
                    new[f] = old[s];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Class, Period};

    /// Ten daily bars with closes 10, 11, …; `change` may alter (index, column, value).
    fn ten(change: impl Fn(usize, Column, f64) -> f64) -> Bars {
        let columns = Column::of("yahoo", Class::Stock, false, Period::D1);
        let mut bars = Bars::new(columns);
        for at in 0..10 {
            let price = 10.0 + at as f64;
            let row: Vec<f64> = columns
                .iter()
                .map(|column| {
                    let plain = match column {
                        Column::High => price + 1.0,
                        Column::Low => price - 1.0,
                        Column::Volume => 1000.0,
                        column if column.is_price() => price,
                        _ => 0.0,
                    };
                    change(at, *column, plain)
                })
                .collect();
            bars.push(at as i64 * 86_400, &row);
        }
        bars
    }

    fn plain() -> Bars {
        ten(|_, _, value| value)
    }

    #[test]
    fn noise_of_single_precision_is_no_difference() {
        let noisy = ten(
            |_, column, value| {
                if column.is_price() { f64::from(value as f32 * 1.000_000_1) } else { value }
            },
        );
        assert_eq!(compare(&plain(), &noisy), Difference::None);
        assert_eq!(compare(&plain(), &Bars::new(plain().columns())), Difference::NoOverlap);
    }

    #[test]
    fn a_split_moves_all_or_the_first_bars_by_one_factor() {
        let all = ten(|_, column, value| if column.is_price() { value / 4.0 } else { value * 4.0 });
        assert_eq!(compare(&plain(), &all), Difference::Scale { ratio: 4.0, until: None });
        let some = ten(|at, column, value| if column.is_price() && at < 7 { value / 4.0 } else { value });
        assert_eq!(compare(&plain(), &some), Difference::Scale { ratio: 4.0, until: Some(7 * 86_400) });
    }

    #[test]
    fn single_bars_are_a_correction_and_many_a_rewrite() {
        let one = ten(|at, column, value| if column.is_price() && at == 0 { value * 2.0 } else { value });
        assert_eq!(compare(&plain(), &one), Difference::Correction);
        let close =
            ten(|at, column, value| if column == Column::Close && at == 5 { value + 0.5 } else { value });
        assert_eq!(compare(&plain(), &close), Difference::Correction);
        let most = ten(
            |at, column, value| {
                if column == Column::Close && at > 3 { value + at as f64 / 10.0 } else { value }
            },
        );
        assert_eq!(compare(&plain(), &most), Difference::Rewritten);
    }

    #[test]
    fn adjusted_closes_and_volumes_are_told_apart() {
        let adjusted = ten(|_, column, value| if column == Column::AdjClose { value * 0.99 } else { value });
        assert_eq!(compare(&plain(), &adjusted), Difference::Adjustment);
        let volume =
            ten(|at, column, value| if column == Column::Volume && at == 9 { value + 1.0 } else { value });
        assert_eq!(compare(&plain(), &volume), Difference::Volume);
        let both = ten(|at, column, value| match column {
            Column::AdjClose => value * 0.99,
            Column::Close if at == 5 => value + 0.5,
            _ => value,
        });
        assert_eq!(compare(&plain(), &both), Difference::Adjustment);
        let dividend =
            ten(|at, column, value| if column == Column::Dividends && at == 9 { 0.2 } else { value });
        assert_eq!(compare(&plain(), &dividend), Difference::Correction);
    }

    #[test]
    fn open_interest_of_the_morning_after_is_an_update() {
        let columns = Column::of("barchart", crate::model::Class::Future, true, crate::model::Period::D1);
        let of = |interest: f64, close: f64| {
            let value = |column: &Column| match column {
                Column::OpenInterest => interest,
                Column::Close => close,
                _ => 2.0,
            };
            let mut bars = Bars::new(columns);
            (0..3).for_each(|day| bars.push(day * 86_400, &columns.iter().map(value).collect::<Vec<_>>()));
            bars
        };
        assert!(columns.contains(&Column::OpenInterest));
        assert_eq!(compare(&of(8.0, 2.0), &of(9.0, 2.0)), Difference::Volume);
        assert_ne!(compare(&of(8.0, 2.0), &of(9.0, 2.5)), Difference::Volume);
    }

    #[test]
    fn a_missing_value_never_erases_a_stored_one() {
        let mut gone = ten(|_, column, value| if column == Column::Open { f64::NAN } else { value });
        assert_eq!(compare(&plain(), &gone), Difference::None);
        keep_stored_values(&plain(), &mut gone);
        assert!(gone.same(&plain()));
        assert_eq!(
            compare(&ten(|_, c, v| if c == Column::Open { f64::NAN } else { v }), &plain()),
            Difference::Volume
        );
    }
}
