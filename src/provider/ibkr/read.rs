//! Bars of what the gateway said. Pure.

use jiff::tz::TimeZone;

use super::api::{Listing, Row, Stamp};
use super::body::{Body, Head};
use super::hours::{self, Session};
use super::{NAME, code_of, contract, fault, zones};
use crate::model::{Bars, Class, Day, Period, SeriesMeta};
use crate::provider::cut::{Cut, LeftOut, TWICE};
use crate::provider::{Answer, RawAnswer, Refusal, Request};

pub(super) fn read(request: &Request, raw: &RawAnswer) -> Result<Answer, Refusal> {
    let body = Body::read(&raw.body).map_err(unusable)?;
    let head = &body.head;
    let code = code_of(request);
    if (&head.code, head.period) != (&code, request.period) {
        return Err(unusable(format!(
            "it is of {} {}, asked for was {code} {}",
            head.code, head.period, request.period
        )));
    }
    let Some(listing) = &head.contract else {
        return Err(not_found(request, head));
    };
    let (zone_name, zone) =
        zones::zone(&listing.time_zone).ok_or_else(|| zones::unknown(&listing.time_zone))?;
    if let Some(refusal) = refused(request, &body) {
        return Err(refusal);
    }
    let trading = if head.regular { &listing.liquid_hours } else { &listing.trading_hours };
    let sessions = hours::sessions(trading);
    let finished = hours::finished(&sessions, head.clock, &zone);
    let meta = meta(listing, zone_name, &sessions);
    let context = Context { request, cut: Cut::new(request, head.clock, finished), zone, meta };
    let mut found = Found::default();
    let mut bars = Bars::new(request.columns(NAME));
    for (step, rows) in &body.steps {
        context.take(rows, step.start, &mut found)?;
    }
    found.odd.twice = twice(&mut found.rows);
    let received = found.rows.len();
    keep_later(&mut found.rows);
    found.left_out.note(received - found.rows.len(), TWICE);
    if request.period == Period::Mo3 {
        found.rows = quarters(found.rows);
    }
    for (stamp, row) in &found.rows {
        bars.push(*stamp, &row.values);
    }
    let notes = found.odd.notes();
    let begins = head.head.filter(|begins| *begins <= head.clock);
    let first_day = begins.map(|begins| Day::of_local(begins, &context.zone));
    Ok(Answer {
        bars,
        meta: context.meta,
        splits: Vec::new(),
        sessions: Vec::new(),
        first_day,
        finished: Some(finished),
        clock: head.clock,
        dropped: found.left_out.told(),
        notes,
    })
}

/// The error in place of bars, where one of the requests had one that says more than that there are none.
fn refused(request: &Request, body: &Body) -> Option<Refusal> {
    let faults = body.steps.iter().filter_map(|(step, _)| step.fault());
    let mut refusals = faults.map(|fault| refusal(request, &body.head, fault));
    refusals.find(|refusal| !matches!(refusal, Refusal::EmptyWindow { .. }))
}

fn not_found(request: &Request, head: &Head) -> Refusal {
    match head.fault() {
        Some(fault) => refusal(request, head, fault),
        None => unusable("it has neither a contract nor an error".to_owned()),
    }
}

/// What an error means, in place of the contract or of its bars: a gateway without its broker says of any contract
/// that there is none.
fn refusal(request: &Request, head: &Head, (error, text): (i32, &str)) -> Refusal {
    match fault::refusal(error, text, &head.code, head.clock) {
        Refusal::Unknown { said, .. } => contract::gone(request, &said, Day::of_utc(head.clock)),
        refusal => refusal,
    }
}

struct Context<'a> {
    request: &'a Request,
    cut: Cut,
    zone: TimeZone,
    meta: SeriesMeta,
}

#[derive(Default)]
struct Found {
    rows: Vec<(i64, Line)>,
    left_out: LeftOut,
    odd: Odd,
}

/// Bars that no market makes, by how many there are of a kind: a person may want to know.
#[derive(Default)]
struct Odd {
    /// Begins at no step of the clock.
    off_grid: usize,
    /// Came twice, and not the same.
    twice: usize,
    /// The highest price is below another, or the lowest above.
    crossed: usize,
    /// Has no price at all.
    priceless: usize,
}

impl Odd {
    fn notes(&self) -> Vec<String> {
        let kinds = [
            (self.off_grid, "left out, beginning at no step of the clock"),
            (self.twice, "came twice with different values: those that came later are kept"),
            (self.crossed, "kept as they are, with a high below another price or a low above it"),
            (self.priceless, "left out, without any price"),
        ];
        let told = kinds.into_iter().filter(|(count, _)| *count > 0);
        told.map(|(count, what)| format!("{count} of the bars {what}")).collect()
    }
}

/// A bar's values, in the order of the columns.
#[derive(Clone, Copy)]
struct Line {
    values: [f64; 7],
}

impl Context<'_> {
    /// Takes in the rows of one request.
    fn take(&self, rows: &[Row], start: Option<i64>, found: &mut Found) -> Result<(), Refusal> {
        let period = self.request.period;
        let complete_from = start.map_or(Day::new(i32::MIN), |start| Day::of_local(start, &self.zone));
        let trading_day = self.meta.trading_days();
        for row in rows {
            let (stamp, day) = self.stamp(row, &trading_day)?;
            let line = Line::of(row, self.request.instrument.class);
            if !self.cut.takes((day, self.end(stamp, day)), &mut found.left_out) {
                continue;
            }
            if period > Period::D1 && day < complete_from && complete_from <= self.unit().last_day(day) {
                // The first one of a window holds only what lies in it.
                found.left_out.note(1, "cut by the beginning of the window");
            } else if line.values[..4].iter().all(|price| price.is_nan()) {
                found.odd.priceless += 1;
            } else if self.is_off_grid(stamp) {
                found.odd.off_grid += 1;
            } else {
                found.odd.crossed += usize::from(line.is_crossed());
                found.rows.push((stamp, line));
            }
        }
        Ok(())
    }

    /// As what a row is stored, and the day it is of; quarters are put together of months later.
    fn stamp(&self, row: &Row, trading_day: impl Fn(i64) -> Day) -> Result<(i64, Day), Refusal> {
        let period = self.request.period;
        match row.0 {
            Stamp::Instant(stamp) if period.is_intraday() => Ok((stamp, trading_day(stamp))),
            Stamp::Date(year, month, day) if !period.is_intraday() => {
                let date = jiff::civil::Date::new(year, month as i8, day as i8)
                    .map_err(|error| unusable(format!("{year}-{month}-{day} is no date: {error}")))?;
                let bar = self.unit().bar_day(Day::of_date(date));
                Ok((bar.midnight(), bar))
            }
            Stamp::Instant(at) => Err(unusable(format!(
                "a {period} bar bears an instant ({}) in place of a date",
                crate::model::day::instant(at)
            ))),
            Stamp::Date(year, month, day) => Err(unusable(format!(
                "a {period} bar bears a date ({year}-{month:02}-{day:02}) in place of an instant"
            ))),
        }
    }

    /// The period of the rows.
    fn unit(&self) -> Period {
        match self.request.period {
            Period::Mo3 => Period::Mo1,
            period => period,
        }
    }

    /// Bars begin with a step of the clock; those longer than half an hour with their session too, at a minute.
    fn is_off_grid(&self, stamp: i64) -> bool {
        let step =
            self.request.period.seconds().map(|seconds| if seconds > 1800 { 60 } else { seconds.min(60) });
        step.is_some_and(|step| stamp.rem_euclid(step) != 0)
    }

    /// When a bar shorter than a day is over: at the latest with its session.
    fn end(&self, stamp: i64, day: Day) -> i64 {
        match self.request.period.seconds() {
            Some(seconds) if day > self.cut.finished => stamp + seconds,
            _ => stamp,
        }
    }
}

impl Line {
    /// The values of a row. What is unset comes as 0 out of the protocol's crate, and the gateway writes -1 where
    /// there is neither volume nor trades, as of quotes: neither may become a number that was never said.
    fn of(row: &Row, class: Class) -> Line {
        let Row(_, open, high, low, close, volume, average, count) = row;
        let prices = [open, high, low, close].map(|price| price.unwrap_or(f64::NAN));
        // Of a future a price may be 0, beside others that are below.
        let around = class == Class::Future && prices.iter().any(|price| *price < 0.0);
        let price = |price: f64| if price == 0.0 && !around { f64::NAN } else { price };
        let counted = |value: Option<f64>| value.filter(|value| *value >= 0.0).unwrap_or(f64::NAN);
        let count = counted(*count);
        // What was traded has an average, also a negative one; quotes have none.
        let quoted = *volume == Some(-1.0);
        let average = average.filter(|average| !quoted && (*average != 0.0 || around)).unwrap_or(f64::NAN);
        // Where there were trades, or their number is not said, none were not traded.
        let volume = counted(*volume);
        let volume = if volume == 0.0 && count != 0.0 { f64::NAN } else { volume };
        let [open, high, low, close] = prices.map(price);
        Line { values: [open, high, low, close, volume, average, count] }
    }

    fn is_crossed(&self) -> bool {
        let [open, high, low, close, ..] = self.values;
        let noise = 1e-6 * high.abs();
        high + noise < open.max(close).max(low) || low - noise > open.min(close)
    }

    /// Takes in the next bar of the same quarter. What one of them does not say is not said of the quarter.
    fn join(&mut self, next: Line) {
        let [open, high, low, _, volume, average, count] = self.values;
        let [_, next_high, next_low, close, next_volume, next_average, next_count] = next.values;
        // What is no number any more says nothing.
        let total =
            |one: f64, other: f64| Some(one + other).filter(|sum| sum.is_finite()).unwrap_or(f64::NAN);
        let sum = total(volume, next_volume);
        let weighted = total(average * volume / sum, next_average * next_volume / sum);
        self.values =
            [open, high.max(next_high), low.min(next_low), close, sum, weighted, total(count, next_count)];
    }
}

/// How many bars came again with other values. Sorts them, those that came later behind.
fn twice(rows: &mut [(i64, Line)]) -> usize {
    rows.sort_by_key(|(stamp, _)| *stamp);
    let same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
    let again = rows.windows(2).filter(|pair| pair[0].0 == pair[1].0);
    let others =
        |pair: &&[(i64, Line)]| !pair[0].1.values.iter().zip(pair[1].1.values).all(|(a, b)| same(*a, b));
    again.filter(others).count()
}

/// Of sorted rows with the same stamp the last one.
fn keep_later(rows: &mut Vec<(i64, Line)>) {
    rows.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            *kept = *later;
        }
        same
    });
}

/// Quarters of sorted months, of which a request asks for whole ones.
fn quarters(months: Vec<(i64, Line)>) -> Vec<(i64, Line)> {
    let mut quarters: Vec<(i64, Line)> = Vec::new();
    for (stamp, line) in months {
        let first = Day::of_utc(stamp).first_of_quarter().midnight();
        match quarters.last_mut() {
            Some((quarter, joined)) if *quarter == first => joined.join(line),
            _ => quarters.push((first, line)),
        }
    }
    quarters
}

fn meta(listing: &Listing, zone: String, sessions: &[Session]) -> SeriesMeta {
    // Prices of grains are in cents, of London's shares in pence: another unit than the currency's.
    let currency = match listing.price_magnifier {
        ..=1 => listing.currency.clone(),
        magnifier => format!("{}/{magnifier}", listing.currency),
    };
    let place = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let session = sessions.last();
    SeriesMeta {
        currency: Some(currency),
        exchange: place(&listing.primary_exchange).or_else(|| place(&listing.exchange)),
        zone: Some(zone),
        every_day: sessions.iter().any(|session| session.day.is_weekend()),
        session_open: session.map(|session| session.open),
        session_close: session.map(|session| session.close),
        con_id: Some(i64::from(listing.con_id)),
    }
}

pub(super) fn unusable(said: String) -> Refusal {
    Refusal::Unusable { provider: NAME, said }
}
