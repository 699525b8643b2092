//! Dividends, splits and capital gains: onto the bar of their date, or of the period they fall in.

use std::collections::BTreeMap;

use super::chart::{Events, Payment, SplitEvent};
use super::read::{Context, Found, trading_date};
use crate::model::{Column, Day};
use crate::provider::Split;

/// Puts the events of finished dates into their columns.
pub(super) fn fill(context: &Context, events: &Events, found: &mut Found) {
    let splits = splits(context, events).iter().map(|split| (split.day, split.ratio)).collect();
    // Two splits within one bar multiply; 0 says that there was none.
    let multiply = |old: f64, ratio: f64| if old == 0.0 { ratio } else { old * ratio };
    let add = |old: f64, amount: f64| old + amount;
    let dividends = payments(context, &events.dividends);
    let gains = payments(context, &events.capital_gains);
    put(context, found, Column::Dividends, dividends, add);
    put(context, found, Column::CapitalGains, gains, add);
    put(context, found, Column::StockSplits, splits, multiply);
}

/// Puts events into a column. One on a date without a bar goes to the next bar: that is the first one
/// to trade after it.
fn put(
    context: &Context,
    found: &mut Found,
    column: Column,
    events: Vec<(Day, f64)>,
    join: impl Fn(f64, f64) -> f64,
) {
    let (name, times) = (column.name(), found.bars.times.clone());
    let Some(values) = found.bars.column_mut(column) else {
        return;
    };
    for (day, amount) in events {
        if context.period.last_day(day) > context.finished {
            continue;
        }
        let stamp = context.period.bar_day(day).midnight();
        let at = times.partition_point(|time| *time < stamp);
        let (Some(next), Some(value)) = (times.get(at), values.get_mut(at)) else {
            let note = format!("{name} {amount} of {day} has no bar yet, left away");
            found.notes.push(note);
            continue;
        };
        *value = join(*value, amount);
        if *next != stamp {
            let bar = Day::of_utc(*next);
            let note = format!("{name} {amount} of {day} has no bar, put on {bar}");
            found.notes.push(note);
        }
    }
}

/// The splits of the dates asked for, ascending; also one of a session that is not over: prices are
/// on its scale already.
pub(super) fn splits(context: &Context, events: &Events) -> Vec<Split> {
    let mut splits: Vec<Split> = events
        .splits
        .iter()
        .filter_map(|(key, event)| {
            let day = date(context, key, event.date)?;
            ratio(event).map(|ratio| Split { day, ratio })
        })
        .collect();
    splits.sort_by_key(|split| split.day);
    splits
}

fn payments(context: &Context, events: &BTreeMap<String, Payment>) -> Vec<(Day, f64)> {
    events.iter().filter_map(|(key, event)| Some((date(context, key, event.date)?, event.amount?))).collect()
}

fn ratio(event: &SplitEvent) -> Option<f64> {
    let ratio = event.numerator? / event.denominator?;
    (ratio.is_finite() && ratio > 0.0).then_some(ratio)
}

/// An event's own date where it has one, else the one it is filed under; none outside of what was
/// asked for.
fn date(context: &Context, key: &str, date: Option<i64>) -> Option<Day> {
    let stamp = date.or_else(|| key.parse().ok())?;
    let day = trading_date(stamp, &context.zone);
    context.days.contains(day).then_some(day)
}
