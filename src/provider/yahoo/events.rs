//! Dividends, splits and capital gains: onto the bar of their date, or of the period they fall in.

use std::collections::BTreeMap;

use super::chart::{Events, Payment, SplitEvent, filed};
use super::read::{Context, Found, trading_date};
use crate::model::{Column, Day};
use crate::provider::Split;

/// Puts the events of finished dates into their columns.
pub(super) fn fill(context: &Context, events: &Events, found: &mut Found) {
    let splits = listed(context, events);
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
    let name = column.name();
    let Some((times, values)) = found.bars.times_and_column_mut(column) else {
        return;
    };
    for (day, amount) in events {
        if context.period.last_day(day) > context.cut.finished {
            continue;
        }
        let stamp = context.period.bar_day(day).midnight();
        let at = times.partition_point(|time| *time < stamp);
        let (Some(next), Some(value)) = (times.get(at), values.get_mut(at)) else {
            if context.cut.days.contains(day) {
                let note = format!("{name} {amount} of {day} has no bar yet, left away");
                found.notes.push(note);
            }
            continue;
        };
        *value = join(*value, amount);
        let bar = Day::of_utc(*next);
        if *next != stamp && context.cut.days.contains(bar) {
            let note = format!("{name} {amount} of {day} has no bar, put on {bar}");
            found.notes.push(note);
        }
    }
}

/// The splits of the dates asked for, ascending; also one of a session that is not over: prices are
/// on its scale already.
pub(super) fn splits(context: &Context, events: &Events) -> Vec<Split> {
    let asked = listed(context, events).into_iter().filter(|(day, _)| context.cut.days.contains(*day));
    let mut splits: Vec<Split> = asked.map(|(day, ratio)| Split { day, ratio }).collect();
    splits.sort_by_key(|split| split.day);
    splits
}

fn listed(context: &Context, events: &Events) -> Vec<(Day, f64)> {
    let splits = events.splits.iter();
    splits.filter_map(|(key, event)| Some((date(context, key, event.date)?, ratio(event)?))).collect()
}

fn payments(context: &Context, events: &BTreeMap<String, Payment>) -> Vec<(Day, f64)> {
    events.iter().filter_map(|(key, event)| Some((date(context, key, event.date)?, event.amount?))).collect()
}

/// Splits whose numbers make no ratio: nothing can be put on another scale by them.
pub(super) fn unreadable_splits(events: &Events) -> usize {
    events.splits.values().filter(|event| ratio(event).is_none()).count()
}

fn ratio(event: &SplitEvent) -> Option<f64> {
    let ratio = event.numerator? / event.denominator?;
    (ratio.is_finite() && ratio > 0.0).then_some(ratio)
}

/// An event's date; none outside of what is looked at.
fn date(context: &Context, key: &str, date: Option<i64>) -> Option<Day> {
    let day = trading_date(filed(key, date)?, &context.zone);
    context.looked_at.contains(day).then_some(day)
}
