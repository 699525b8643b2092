//! A provider that is built in: a generated market, the same for everyone, with no network and no
//! account. Demos and tests get stocks with splits and dividends, currencies, crypto and dated
//! futures from it, over exchanges with different zones and holidays, and its answers take the same
//! way through raw trail and archive as any other provider's.

pub mod exchange;
mod known;
pub mod listing;
pub mod market;
mod noise;
mod path;

use serde::{Deserialize, Serialize};

use crate::model::{Bars, Class, Column, Day, Days, Period, SeriesMeta};
use crate::provider::{
    Answer, Aside, Fetching, Limits, Provider, RawAnswer, Refusal, Request, Split, Testing, note_sent,
};

use listing::{Listing, UNKNOWN_PREFIX};
use market::{Bar, fold, intraday_bucket};

/// The instruments that come with the sample market, as an instruments file.
pub const ASSETS: &str = include_str!("../../../config/assets/sample.json");

/// The name in configuration, paths and messages.
pub const NAME: &str = "sample";

/// The sample market as a provider.
pub struct Sample<Now> {
    now: Now,
}

impl<Now: Fn() -> i64 + Send + Sync> Sample<Now> {
    /// The market as of `now`, which gives seconds since the epoch.
    pub fn new(now: Now) -> Sample<Now> {
        Sample { now }
    }
}

/// As far back as makes a demonstration that looks real and stays quick.
pub fn limits(period: Period) -> Limits {
    let (reach_days, request_days) = match period {
        Period::M1 => (Some(30), Some(10)),
        Period::H1 => (Some(730), Some(365)),
        period if period.is_intraday() => (Some(60), Some(30)),
        _ => (None, None),
    };
    Limits { reach_days, request_days }
}

/// What travels through the raw trail: the bars of one request, column by column, and what is said
/// around them.
#[derive(Serialize, Deserialize)]
struct Body {
    /// Seconds since the epoch.
    clock: i64,
    code: String,
    period: Period,
    /// Empty where the code is unknown.
    series: Option<Series>,
}

/// Days are days since 1970-01-01, times seconds since the epoch.
#[derive(Serialize, Deserialize)]
struct Series {
    meta: SeriesMeta,
    first_day: i32,
    finished: i32,
    /// The date of the last trade.
    last_trade: Option<i32>,
    splits: Vec<(i32, f64)>,
    times: Vec<i64>,
    columns: Vec<(String, Vec<f64>)>,
}

impl<Now: Fn() -> i64 + Send + Sync> Provider for Sample<Now> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn limits(&self, _class: Class, period: Period) -> Result<Limits, String> {
        Ok(limits(period))
    }

    fn serves_contracts(&self) -> bool {
        true
    }

    fn concurrency(&self) -> usize {
        2
    }

    fn test(&self) -> Testing<'_> {
        Box::pin(std::future::ready(Ok("a generated market, always there".to_owned())))
    }

    fn fetch<'a>(&'a self, request: &'a Request, _aside: Aside<'a>) -> Fetching<'a> {
        Box::pin(async move {
            note_sent();
            let clock = (self.now)();
            let body = answer_to(request, clock);
            let body = serde_json::to_vec(&body).map_err(|e| unusable(e.to_string()))?;
            Ok(RawAnswer {
                url: format!("sample:{}/{}/{}", code_of(request), request.period, request.days),
                status: 200,
                headers: vec![("content-type".into(), "application/json".into())],
                received: clock,
                body,
                gzip: None,
            })
        })
    }

    fn read(&self, request: &Request, raw: &RawAnswer) -> Result<Answer, Refusal> {
        let body: Body = serde_json::from_slice(&raw.body).map_err(|e| unusable(e.to_string()))?;
        if (&body.code, body.period) != (&code_of(request), request.period) {
            return Err(unusable(format!(
                "it is of {} {}, asked for was {} {}",
                body.code,
                body.period,
                code_of(request),
                request.period
            )));
        }
        let series = body.series.ok_or_else(|| Refusal::Unknown {
            provider: NAME,
            code: body.code,
            said: format!("codes that begin with {UNKNOWN_PREFIX} are not listed here"),
        })?;
        Ok(Answer {
            bars: bars_of(request, series.times, series.columns)?,
            meta: series.meta,
            splits: series.splits.iter().map(|&(day, ratio)| Split { day: Day::new(day), ratio }).collect(),
            sessions: series.last_trade.map(Day::new).into_iter().collect(),
            first_day: Some(Day::new(series.first_day)),
            finished: Some(Day::new(series.finished)),
            clock: body.clock,
            dropped: Vec::new(),
            notes: Vec::new(),
        })
    }
}

fn unusable(said: String) -> Refusal {
    Refusal::Unusable { provider: NAME, said }
}

/// The code a request is for: the contract's own where there is one.
fn code_of(request: &Request) -> String {
    let code = &request.instrument.code;
    request
        .contract
        .map_or_else(|| code.clone(), |contract| contract.code(code.strip_suffix("=F").unwrap_or(code)))
}

fn listing_of(request: &Request) -> Option<Listing> {
    let instrument = &request.instrument;
    match request.contract {
        Some(contract) => Listing::of_contract(&instrument.code, contract, instrument.days_count),
        None => Listing::of(&instrument.code),
    }
}

/// The whole answer to a request as of `clock`.
fn answer_to(request: &Request, clock: i64) -> Body {
    Body {
        clock,
        code: code_of(request),
        period: request.period,
        series: listing_of(request).map(|listing| series(request, &listing, clock)),
    }
}

fn series(request: &Request, listing: &Listing, clock: i64) -> Series {
    let days = request.whole_days();
    let bars = finished_bars(listing, request.period, days, clock);
    let exchange = listing.exchange;
    let finished = listing.finished(clock);
    let last_trade = listing.last_session(listing.hours(finished).close);
    let splits = listing.splits_at(clock);
    Series {
        meta: SeriesMeta {
            currency: Some(listing.currency.to_owned()),
            exchange: Some(exchange.name.to_owned()),
            zone: Some(exchange.zone.to_owned()),
            every_day: exchange.every_day,
            session_open: Some(exchange.open),
            session_close: Some(exchange.close),
            con_id: None,
        },
        first_day: listing.first_day.number(),
        finished: finished.number(),
        last_trade: last_trade.map(|session| session.day.number()),
        splits: splits
            .iter()
            .filter(|split| days.contains(split.day))
            .map(|split| (split.day.number(), split.ratio))
            .collect(),
        times: bars.iter().map(|bar| stamp(bar, request.period)).collect(),
        columns: request
            .columns(NAME)
            .iter()
            .map(|column| {
                let values = values(listing, *column, request.period, &bars, clock);
                (column.name().to_owned(), values)
            })
            .collect(),
    }
}

fn finished_bars(listing: &Listing, period: Period, days: Days, clock: i64) -> Vec<Bar> {
    let zone = listing.exchange.time_zone();
    let bars = match period.seconds() {
        Some(60) => listing.minutes(days, clock),
        Some(seconds) => fold(&listing.minutes(days, clock), |bar| intraday_bucket(bar, seconds)),
        None if period == Period::D1 => listing.daily(days, clock),
        None => fold(&listing.daily(days, clock), |bar| {
            let first = period.bar_day(bar.session.day);
            let after = period.last_day(first).plus(1);
            (first.midnight(), after.instant(0, &zone))
        }),
    };
    bars.into_iter().filter(|bar| bar.end <= clock).collect()
}

/// How the archive stamps a bar.
fn stamp(bar: &Bar, period: Period) -> i64 {
    if period.is_intraday() { bar.start } else { period.bar_day(bar.session.day).midnight() }
}

/// One column of the bars. Events fall into the bar that holds their date; a bar without one has 0.
fn values(listing: &Listing, column: Column, period: Period, bars: &[Bar], clock: i64) -> Vec<f64> {
    let each = |value: fn(&Bar) -> f64| bars.iter().map(value).collect();
    match column {
        Column::Open => each(|bar| bar.open),
        Column::High => each(|bar| bar.high),
        Column::Low => each(|bar| bar.low),
        Column::Close => each(|bar| bar.close),
        Column::Volume => each(|bar| bar.volume),
        Column::AdjClose => listing.adjusted_closes(bars, clock),
        Column::OpenInterest => bars.iter().map(|bar| listing.open_interest(bar.session.day)).collect(),
        Column::Dividends => {
            let range = bars.first().zip(bars.last()).and_then(|(first, last)| {
                let last_day = period.last_day(last.session.day);
                Days::new(period.bar_day(first.session.day), last_day)
            });
            let paid = range.map_or_else(Vec::new, |days| listing.dividends(days, clock));
            let paid = paid.iter().map(|dividend| (dividend.day, dividend.amount));
            events(period, bars, paid, |sum, amount| sum + amount)
        }
        Column::StockSplits => {
            let splits = listing.splits_at(clock);
            let splits = splits.iter().map(|split| (split.day, split.ratio));
            events(period, bars, splits, |before, ratio| if before == 0.0 { ratio } else { before * ratio })
        }
        Column::CapitalGains | Column::Wap | Column::Count => vec![0.0; bars.len()],
    }
}

fn events(
    period: Period,
    bars: &[Bar],
    events: impl Iterator<Item = (Day, f64)>,
    join: impl Fn(f64, f64) -> f64,
) -> Vec<f64> {
    let mut values = vec![0.0; bars.len()];
    for (day, value) in events {
        let wanted = period.bar_day(day);
        let at = bars.binary_search_by_key(&wanted, |bar| period.bar_day(bar.session.day));
        if let Some(slot) = at.ok().and_then(|at| values.get_mut(at)) {
            *slot = join(*slot, value);
        }
    }
    values
}

/// Puts the columns of a body in the order the archive has them.
fn bars_of(request: &Request, times: Vec<i64>, columns: Vec<(String, Vec<f64>)>) -> Result<Bars, Refusal> {
    let mut bars = Bars::new(request.columns(NAME));
    let expected = bars.columns().iter().map(|column| column.name());
    if !columns.iter().map(|column| column.0.as_str()).eq(expected) {
        return Err(unusable("its columns are not those of the series".into()));
    }
    if let Some(short) = columns.iter().find(|column| column.1.len() != times.len()) {
        return Err(unusable(format!("{} times but {} values of {}", times.len(), short.1.len(), short.0)));
    }
    bars.times = times;
    bars.values = columns.into_iter().map(|column| column.1).collect();
    if bars.is_ascending() { Ok(bars) } else { Err(unusable("its times are not ascending".into())) }
}

#[cfg(test)]
mod tests;
