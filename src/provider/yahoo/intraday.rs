//! Rows shorter than a session, stamped with the instant they open.

use super::chart::{Chart, Window};
use super::read::{Context, Found, Row};
use super::request::source;
use crate::model::Day;
use crate::provider::cut::{NOT_OVER, TWICE, WITHOUT_PRICE};

pub(super) fn read(context: &Context, chart: &Chart, found: &mut Found) {
    let (Some(step), Some(wanted)) = (source(context.period).seconds(), context.period.seconds()) else {
        return;
    };
    let sessions = Sessions::of(context, chart);
    let quote = chart.indicators.quote.first();
    let mut rows: Vec<(i64, Row)> = Vec::with_capacity(chart.timestamp.len());
    for (at, stamp) in chart.timestamp.iter().enumerate() {
        let day = Day::of_local(*stamp, &context.zone);
        let values = quote.map_or_else(Row::missing, |quote| Row::of(quote, at));
        if !context.cut.days.contains(day) {
            continue;
        }
        // Bars open on a whole minute; the running price bears the second of the last trade.
        let running = context.live == Some(*stamp) && sessions.is_unaligned(*stamp, step);
        if running || stamp.rem_euclid(60) != 0 {
            found.left_out.note(1, "with the running price");
        } else if sessions.leaves_out(context, *stamp) {
            found.left_out.note(1, "outside of the regular session");
        } else if values.is_null() {
            found.left_out.note(1, WITHOUT_PRICE);
            // The service had a session in mind, if only one without trades.
            if day <= context.cut.finished {
                found.sessions.push(day);
            }
        } else {
            rows.push((*stamp, values));
        }
    }
    rows.sort_by_key(|(stamp, _)| *stamp);
    let received = rows.len();
    rows.dedup_by_key(|(stamp, _)| *stamp);
    found.left_out.note(received - rows.len(), TWICE);
    let rows = match wanted == step {
        true => rows,
        false => gathered(context, &sessions, rows, wanted),
    };
    for (stamp, row) in rows {
        let day = Day::of_local(stamp, &context.zone);
        match context.cut.is_over(day, sessions.bar_end(stamp, wanted)) {
            true => found.bars.push(stamp, &[row.open, row.high, row.low, row.close, row.volume]),
            false => found.left_out.note(1, NOT_OVER),
        }
    }
}

/// Longer bars made of shorter ones, counted from the opening of their session; where none is named,
/// from midnight on the wall of the exchange. Exact: a shorter bar that is missing had no trades, so
/// what there is holds every trade of the longer one; and bars whose end lies ahead are dropped
/// afterwards.
fn gathered(context: &Context, sessions: &Sessions, rows: Vec<(i64, Row)>, wanted: i64) -> Vec<(i64, Row)> {
    let mut longer: Vec<(i64, Row)> = Vec::with_capacity(rows.len());
    for (stamp, row) in rows {
        let session = sessions.before(stamp).filter(|session| stamp < session.end);
        let midnight = || Day::of_local(stamp, &context.zone).instant(0, &context.zone);
        let opening = session.map_or_else(midnight, |session| session.start);
        let start = stamp - (stamp - opening).rem_euclid(wanted);
        match longer.last_mut() {
            Some((last, values)) if *last == start => values.join(row),
            _ => longer.push((start, row)),
        }
    }
    longer
}

/// The regular sessions the answer names, ascending.
struct Sessions {
    windows: Vec<Window>,
}

impl Sessions {
    fn of(context: &Context, chart: &Chart) -> Sessions {
        let named = chart.meta.trading_periods.as_ref();
        let mut windows = named.map_or_else(Vec::new, |periods| periods.regular());
        for window in &mut windows {
            *window = window.to_midnight(&context.zone);
        }
        windows.extend(context.session);
        windows.sort_by_key(|window| (window.start, window.end));
        windows.dedup_by_key(|window| (window.start, window.end));
        Sessions { windows }
    }

    /// The last session that began by then.
    fn before(&self, stamp: i64) -> Option<Window> {
        let next = self.windows.partition_point(|window| window.start <= stamp);
        next.checked_sub(1).and_then(|at| self.windows.get(at)).copied()
    }

    /// Whether the stamp lies outside of the sessions of its date. A date without a named session
    /// tells nothing.
    fn leaves_out(&self, context: &Context, stamp: i64) -> bool {
        let inside = |window: &Window| window.start <= stamp && stamp < window.end;
        let next = self.windows.partition_point(|window| window.start <= stamp);
        let around = self.windows.get(next.saturating_sub(1)..).unwrap_or_default();
        let mut near = around.iter().take(2).peekable();
        if near.peek().is_some_and(|window| inside(window)) {
            return false;
        }
        let day = Day::of_local(stamp, &context.zone);
        near.any(|window| Day::of_local(window.start, &context.zone) == day)
    }

    /// Whether no bar of this length opens at the stamp.
    fn is_unaligned(&self, stamp: i64, step: i64) -> bool {
        let open = self.before(stamp).map_or(0, |window| window.start);
        (stamp - open).rem_euclid(step) != 0 && stamp.rem_euclid(step) != 0
    }

    /// When a bar is over: at the latest with its session.
    fn bar_end(&self, stamp: i64, length: i64) -> i64 {
        let end = stamp + length;
        match self.before(end - 1) {
            Some(session) if session.end > stamp => end.min(session.end),
            _ => end,
        }
    }
}
