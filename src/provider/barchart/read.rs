//! An answer becomes bars; its address says by which way it came.

use jiff::tz::TimeZone;
use url::Url;

use super::refusal::{self, no_export, unusable};
use super::request::{DOWNLOAD, QUESTION, symbol};
use super::{NAME, ZONE, csv, ondemand};
use crate::model::{Bars, Class, Day, SeriesMeta};
use crate::provider::cut::{Cut, LeftOut};
use crate::provider::{Answer, RawAnswer, Refusal, Request};

/// When a date's rows are the site's last word, in seconds after local midnight: an hour after the close.
const SETTLED: i32 = 17 * 3600;

/// The address of a file that a person downloaded begins so.
pub const FILE: &str = "file:";

pub(super) fn read(request: &Request, raw: &RawAnswer) -> Result<Answer, Refusal> {
    if raw.url.starts_with(FILE) {
        return file(request, raw);
    }
    let url = Url::parse(&raw.url).ok();
    let is_question = || url.iter().flat_map(Url::query_pairs).any(|(name, _)| name == QUESTION);
    match url.as_ref().map(Url::path).unwrap_or_default() {
        DOWNLOAD if is_question() => Err(refusal::allowance(raw)),
        DOWNLOAD => export(request, raw),
        "/login" => Err(refusal::login(raw)),
        ondemand::JSON => ondemand::read(request, raw, false),
        ondemand::CSV => ondemand::read(request, raw, true),
        path if path.ends_with("/historical-download") => Err(refusal::history_page(request, raw)),
        path => Err(unusable(format!("{path:?} is no address of an answer with bars"))),
    }
}

/// What the answer of a step says that led to no next one.
pub(super) fn refusal_of(raw: &RawAnswer) -> Refusal {
    let nobody = Request {
        instrument: crate::model::Instrument::plain("AAPL", "AAPL", Class::Stock),
        contract: None,
        period: crate::model::Period::D1,
        days: crate::model::Days { first: Day::new(0), last: Day::new(0) },
        correlation: String::new(),
    };
    match read(&nobody, raw) {
        Err(refusal) => refusal,
        Ok(_) => unusable("an export where none was asked for".to_owned()),
    }
}

/// The provider's clock at an answer, in seconds since the epoch: its Date header, else ours.
pub(super) fn clock(raw: &RawAnswer) -> i64 {
    raw.date().unwrap_or(raw.received)
}

/// A download of the site.
fn export(request: &Request, raw: &RawAnswer) -> Result<Answer, Refusal> {
    if let Some(refusal) = no_export(raw) {
        return Err(refusal);
    }
    let export = csv::read(&raw.body).map_err(|refused| refusal::export(raw, refused))?;
    let clock = raw.date().unwrap_or(export.exported);
    let code = symbol(request);
    if let Some(other) = export.symbols.iter().find(|other| !other.eq_ignore_ascii_case(&code)) {
        return Err(unusable(format!("it is of {other} where {code} was asked for")));
    }
    let intraday = request.period.is_intraday();
    if export.intraday.is_some_and(|found| found != intraday) {
        let (asked, found) = if intraday { ("times of day", "dates") } else { ("dates", "times of day") };
        return Err(unusable(format!("its rows have {found} where {asked} were asked for")));
    }
    if export.is_empty() {
        return Err(Refusal::EmptyWindow { clock, said: "the export has no rows".to_owned() });
    }
    refusal::too_many(export.len())?;
    let taken = export
        .bars(request.columns(NAME), &zone(request.instrument.class))
        .map_err(|refused| refusal::export(raw, refused))?;
    Ok(finished_answer(request, taken.bars, clock, taken.left_out.into_iter().collect(), taken.notes))
}

/// A file that a person downloaded, and that the import took: it was made when it says so.
fn file(request: &Request, raw: &RawAnswer) -> Result<Answer, Refusal> {
    let export = csv::read(&raw.body).map_err(|refused| refusal::export(raw, refused))?;
    let taken = export
        .bars(request.columns(NAME), &zone(request.instrument.class))
        .map_err(|refused| refusal::export(raw, refused))?;
    Ok(finished_answer(request, taken.bars, export.exported, LeftOut::default(), taken.notes))
}

/// The answer of bars that are unique and ascending, daily and longer ones stamped with any date of theirs: those that
/// were asked for and are over by the provider's clock.
pub fn finished_answer(
    request: &Request,
    mut bars: Bars,
    clock: i64,
    mut left_out: LeftOut,
    notes: Vec<String>,
) -> Answer {
    let zone = zone(request.instrument.class);
    let meta = meta(request, &zone);
    let cut = Cut::new(request, clock, finished(clock, &zone));
    match request.period.seconds() {
        Some(seconds) => {
            let day = meta.trading_days();
            cut.keep(&mut bars, |stamp| (day(stamp), stamp + seconds), &mut left_out);
        }
        None => {
            for time in &mut bars.times {
                *time = request.period.bar_day(Day::of_utc(*time)).midnight();
            }
            cut.keep(&mut bars, |stamp| (Day::of_utc(stamp), 0), &mut left_out);
        }
    }
    Answer {
        bars,
        meta,
        splits: Vec::new(),
        sessions: Vec::new(),
        first_day: None,
        finished: Some(cut.finished),
        clock,
        dropped: left_out.told(),
        notes,
    }
}

/// The zone of the stamps: the site shows stocks and indices by New York's clock, all else by Chicago's.
pub fn zone(class: Class) -> TimeZone {
    TimeZone::get(zone_name(class)).unwrap_or(TimeZone::UTC)
}

const fn zone_name(class: Class) -> &'static str {
    match class {
        Class::Stock => "America/New_York",
        Class::Future | Class::Forex => ZONE,
    }
}

/// When the session of a date opens, in seconds after local midnight: that of futures and currencies on the evening
/// before, at 17:00.
pub const fn opens(class: Class) -> i32 {
    match class {
        Class::Stock => 9 * 3600 + 1800,
        Class::Future | Class::Forex => -7 * 3600,
    }
}

/// The last date whose bars are all there.
fn finished(clock: i64, zone: &TimeZone) -> Day {
    let (today, second) = Day::of_wall(clock, zone);
    if second >= i64::from(SETTLED) { today } else { today.plus(-1) }
}

/// What is known of a series. The site names no exchange: contracts of one root trade together, and so do stocks.
fn meta(request: &Request, zone: &TimeZone) -> SeriesMeta {
    let class = request.instrument.class;
    let exchange = match class {
        Class::Future => format!("{} futures", request.instrument.code),
        Class::Stock => "US stocks".to_owned(),
        Class::Forex => "currencies".to_owned(),
    };
    SeriesMeta {
        currency: None,
        exchange: Some(exchange),
        zone: zone.iana_name().map(str::to_owned),
        every_day: false,
        session_open: Some(opens(class)),
        session_close: Some(SETTLED),
        con_id: None,
    }
}
