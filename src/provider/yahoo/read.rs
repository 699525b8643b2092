//! An answer becomes bars: what is common to all periods.

use jiff::tz::TimeZone;

use super::chart::{Chart, Meta, Quote, Window};
use super::refusal::{chart_of, unusable};
use super::request::{interval, looked_at};
use super::{NAME, daily, events, intraday};
use crate::model::{Bars, Day, Days, Period, SeriesMeta};
use crate::provider::cut::{Cut, LeftOut};
use crate::provider::{Answer, RawAnswer, Refusal, Request};

pub(super) fn read(request: &Request, raw: &RawAnswer) -> Result<Answer, Refusal> {
    let chart = chart_of(raw, &request.instrument.code)?;
    check(request, &chart)?;
    let zone = zone(&chart.meta)?;
    let clock = clock(raw, &chart.meta);
    let session = regular(&chart.meta).map(|session| session.to_midnight(&zone));
    let cut = Cut::new(request, clock, finished(clock, session, &zone));
    let context = Context {
        period: request.period,
        looked_at: looked_at(request.period, cut.days),
        cut,
        session,
        live: chart.meta.regular_market_time,
        zone,
    };
    let mut found = Found {
        bars: Bars::new(request.columns(NAME)),
        sessions: Vec::new(),
        left_out: LeftOut::default(),
        notes: Vec::new(),
    };
    if request.period.is_intraday() {
        intraday::read(&context, &chart, &mut found);
    } else {
        daily::read(&context, &chart, &mut found)?;
        events::fill(&context, &chart.events, &mut found);
        found.bars.keep_between(cut.days.first.midnight(), cut.days.last.plus(1).midnight());
    }
    let first_day = first_day(&context, &chart.meta, &mut found);
    match events::unreadable_splits(&chart.events) {
        0 => {}
        count => {
            found.notes.push(format!("{count} listed with a ratio that is none, left out of account: splits"))
        }
    }
    found.sessions.extend(last_session(&context, &chart.meta));
    found.sessions.sort_unstable();
    found.sessions.dedup();
    Ok(Answer {
        bars: found.bars,
        splits: events::splits(&context, &chart.events),
        sessions: found.sessions,
        first_day,
        finished: Some(cut.finished),
        clock,
        dropped: found.left_out.told(),
        notes: found.notes,
        meta: series_meta(chart.meta, &context),
    })
}

/// What the rows are judged by.
pub(super) struct Context {
    pub(super) period: Period,
    /// What was asked for.
    pub(super) cut: Cut,
    /// Its dates and the ones before them whose rows say on which bar an event belongs.
    pub(super) looked_at: Days,
    pub(super) zone: TimeZone,
    /// The current or next regular session.
    pub(super) session: Option<Window>,
    /// The stamp of a live row: that of the last trade.
    pub(super) live: Option<i64>,
}

/// What the rows give.
pub(super) struct Found {
    pub(super) bars: Bars,
    pub(super) sessions: Vec<Day>,
    pub(super) left_out: LeftOut,
    pub(super) notes: Vec<String>,
}

/// One row of the quote arrays.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) open: f64,
    pub(super) high: f64,
    pub(super) low: f64,
    pub(super) close: f64,
    pub(super) volume: f64,
}

impl Row {
    /// Row `at`; what an array is too short for is missing.
    pub(super) fn of(quote: &Quote, at: usize) -> Row {
        let value = |array: &[f64]| array.get(at).copied().unwrap_or(f64::NAN);
        Row {
            open: value(&quote.open),
            high: value(&quote.high),
            low: value(&quote.low),
            close: value(&quote.close),
            volume: value(&quote.volume),
        }
    }

    /// A row of which nothing is there.
    pub(super) fn missing() -> Row {
        Row::of(&Quote::default(), 0)
    }

    /// Has no price at all.
    pub(super) fn is_null(self) -> bool {
        [self.open, self.high, self.low, self.close].iter().all(|price| price.is_nan())
    }

    /// Takes in a later row of the same bar.
    pub(super) fn join(&mut self, later: Row) {
        let or = |a: f64, b: f64| if a.is_nan() { b } else { a };
        self.open = or(self.open, later.open);
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = or(later.close, self.close);
        self.volume = or(self.volume + later.volume, or(self.volume, later.volume));
    }
}

/// The date on the exchange's wall. In some zones daily stamps lie an hour or two before the midnight
/// they mean.
pub(super) fn trading_date(stamp: i64, zone: &TimeZone) -> Day {
    let (day, second) = Day::of_wall(stamp, zone);
    // Only the last hours of a day are worth the exact look.
    let near = second >= 22 * 3600;
    let late = near && [22, 23].iter().any(|hour| day.instant(hour * 3600, zone) == stamp);
    if late { day.plus(1) } else { day }
}

fn check(request: &Request, chart: &Chart) -> Result<(), Refusal> {
    let asked = match interval(request.period) {
        "60m" => "1h",
        other => other,
    };
    let given = match chart.meta.data_granularity.as_deref() {
        Some("60m") => "1h",
        Some(other) => other,
        None => "nothing",
    };
    if asked != given {
        return Err(unusable(format!("its dataGranularity is {given} where {asked} was asked for")));
    }
    let code = &request.instrument.code;
    if let Some(symbol) = &chart.meta.symbol
        && !symbol.eq_ignore_ascii_case(code)
    {
        return Err(unusable(format!("it is of {symbol} where {code} was asked for")));
    }
    let rows = chart.timestamp.len();
    let quote = chart.indicators.quote.first();
    let mut arrays: Vec<(&str, usize)> = quote.map_or_else(Vec::new, |quote| {
        vec![
            ("open", quote.open.len()),
            ("high", quote.high.len()),
            ("low", quote.low.len()),
            ("close", quote.close.len()),
            ("volume", quote.volume.len()),
        ]
    });
    let adjusted = chart.indicators.adjclose.first();
    arrays.extend(adjusted.map(|adjusted| ("adjclose", adjusted.adjclose.len())));
    match arrays.iter().find(|(_, len)| *len != 0 && *len != rows) {
        Some((name, len)) => Err(unusable(format!("{len} values of {name} for {rows} timestamps"))),
        None => Ok(()),
    }
}

fn zone(meta: &Meta) -> Result<TimeZone, Refusal> {
    let name = meta.exchange_timezone_name.as_deref().unwrap_or_default();
    TimeZone::get(name)
        .map_err(|error| unusable(format!("exchangeTimezoneName {name:?} is no known zone: {error}")))
}

/// The provider's clock: the Date header, else the last trade's.
fn clock(raw: &RawAnswer, meta: &Meta) -> i64 {
    raw.date().or(meta.regular_market_time).unwrap_or(raw.received)
}

/// The last trading date that was over at `clock`: the session's own once it has closed, and every
/// date before it; never one still to come.
fn finished(clock: i64, session: Option<Window>, zone: &TimeZone) -> Day {
    let today = Day::of_local(clock, zone);
    let yesterday = today.plus(-1);
    match session {
        Some(session) if clock >= session.end => yesterday.max(Day::of_local(session.start, zone)).min(today),
        Some(session) => Day::of_local(session.start, zone).plus(-1).min(today),
        None => yesterday,
    }
}

/// The first date of the whole history; one that is still to come says nothing.
fn first_day(context: &Context, meta: &Meta, found: &mut Found) -> Option<Day> {
    let stamp = meta.first_trade_date?;
    let day = trading_date(stamp, &context.zone);
    if stamp > context.cut.clock {
        found.notes.push(format!("firstTradeDate {stamp} ({day}) is still to come, left out of account"));
        return None;
    }
    Some(day)
}

/// The date of the last trade, once it is over. A currency's stray weekend quote is no session.
fn last_session(context: &Context, meta: &Meta) -> Option<Day> {
    let day = Day::of_local(meta.regular_market_time?, &context.zone);
    let stray = meta.instrument_type.as_deref() == Some("CURRENCY") && day.is_weekend();
    (day <= context.cut.finished && !stray).then_some(day)
}

/// The current or next regular session.
fn regular(meta: &Meta) -> Option<Window> {
    meta.current_trading_period.as_ref().and_then(|current| current.regular)
}

fn series_meta(meta: Meta, context: &Context) -> SeriesMeta {
    let session = regular(&meta);
    let second_of_day = |stamp: i64| {
        let midnight = Day::of_local(stamp, &context.zone).instant(0, &context.zone);
        i32::try_from(stamp - midnight).ok()
    };
    SeriesMeta {
        currency: meta.currency,
        exchange: meta.exchange_name,
        zone: meta.exchange_timezone_name,
        every_day: meta.instrument_type.as_deref() == Some("CRYPTOCURRENCY"),
        session_open: session.and_then(|session| second_of_day(session.start)),
        session_close: session.and_then(|session| second_of_day(session.end)),
        con_id: None,
    }
}
