//! Rows of a day and longer, stamped with the trading date or the first day of their period.

use super::chart::Chart;
use super::read::{Context, Found, Row, trading_date};
use super::refusal::unusable;
use crate::model::{Day, Period};
use crate::provider::Refusal;
use crate::provider::cut::{NOT_OVER, TWICE, WITHOUT_PRICE};

/// Reads the rows of the bars asked for, and those before them that say where an event belongs.
pub(super) fn read(context: &Context, chart: &Chart, found: &mut Found) -> Result<(), Refusal> {
    let mut dated = dated_rows(context, chart)?;
    // Stable: rows of one bar stay in the order received.
    dated.sort_by_key(|row| row.bar);
    let mut kept: Vec<Dated> = Vec::with_capacity(dated.len());
    for row in dated {
        if !context.looked_at.contains(row.bar) {
            continue;
        }
        // Those before what was asked for only say where an event belongs.
        let asked = usize::from(context.cut.days.contains(row.bar));
        if !context.cut.is_over(row.bar, 0) {
            found.left_out.note(asked, NOT_OVER);
        } else if row.values.is_null() {
            found.left_out.note(asked, WITHOUT_PRICE);
            if context.period == Period::D1 && asked == 1 {
                found.sessions.push(row.bar);
            }
        } else if let Some(last) = kept.last_mut().filter(|last| last.bar == row.bar) {
            found.left_out.note(asked, TWICE);
            last.take_in(context, row);
        } else {
            kept.push(row);
        }
    }
    found.bars.reserve(kept.len());
    for row in kept {
        let values = row.values;
        let (open, high, low) = (values.open, values.high, values.low);
        // Days without an event have none of it, which is 0; events are filled in afterwards.
        let line = [open, high, low, values.close, values.volume, row.adjusted, 0.0, 0.0, 0.0];
        found.bars.push(row.bar.midnight(), &line);
    }
    Ok(())
}

struct Dated {
    bar: Day,
    values: Row,
    adjusted: f64,
    /// The running price, stamped with the last trade.
    live: bool,
}

impl Dated {
    /// A second row of the same bar. A day's finished row is as good as the live one beside it and
    /// stays. A week's, month's or quarter's row ends before the live one, which continues it.
    fn take_in(&mut self, context: &Context, later: Dated) {
        if context.period > Period::D1 && later.live {
            self.values.join(later.values);
            if !later.adjusted.is_nan() {
                self.adjusted = later.adjusted;
            }
        }
    }
}

fn dated_rows(context: &Context, chart: &Chart) -> Result<Vec<Dated>, Refusal> {
    let quote = chart.indicators.quote.first();
    let adjusted = chart.indicators.adjclose.first();
    let mut rows = Vec::with_capacity(chart.timestamp.len());
    for (at, stamp) in chart.timestamp.iter().enumerate() {
        let live = context.live == Some(*stamp);
        let day = match live {
            true => Day::of_local(*stamp, &context.zone),
            false => trading_date(*stamp, &context.zone),
        };
        let bar = context.period.bar_day(day);
        // A first bar may begin with the listing; any other has to begin with a quarter.
        if context.period == Period::Mo3 && !live && at > 0 && day.first_of_month() != bar {
            return Err(unusable(format!("a 3mo row begins on {day}, which is no calendar quarter")));
        }
        rows.push(Dated {
            bar,
            values: quote.map_or_else(Row::missing, |quote| Row::of(quote, at)),
            adjusted: adjusted.and_then(|adjusted| adjusted.adjclose.get(at)).copied().unwrap_or(f64::NAN),
            live,
        });
    }
    Ok(rows)
}
