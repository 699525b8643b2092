//! What is asked: the window in seconds and the address.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::NAME;
use crate::model::day::DAY_SECONDS;
use crate::model::{Days, Period};
use crate::provider::{Refusal, Request};

/// What stays as it is in a path.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

const HOUR: i64 = 3600;

/// The period of the service that serves `period`. Ten and twenty minutes are made of five; see
/// `intraday`.
pub(super) fn source(period: Period) -> Period {
    match period {
        Period::M10 | Period::M20 => Period::M5,
        period => period,
    }
}

/// The service's name of a period it has.
pub(super) fn interval(period: Period) -> &'static str {
    match source(period) {
        Period::H1 => "60m",
        Period::W1 => "1wk",
        Period::Mo1 => "1mo",
        Period::Mo3 => "3mo",
        other => other.name(),
    }
}

/// The address of a request at `now`, in seconds since the epoch. Always with explicit instants:
/// the service answers `range=` with a coarser period than asked where it likes.
pub(super) fn chart_url(request: &Request, now: i64, crumb: Option<&str>) -> Result<Url, Refusal> {
    let invalid = |said: String| Refusal::Invalid { provider: NAME, said };
    let code = &request.instrument.code;
    if request.contract.is_some() {
        return Err(invalid(format!(
            "Yahoo has no dated contracts, only a continuous series: leave `cycle` away and use a code such as GC=F in place of {code}"
        )));
    }
    if code.bytes().all(|byte| byte == b'.') {
        return Err(invalid(format!("{code:?} is no symbol")));
    }
    let symbol = utf8_percent_encode(code, PLAIN);
    let mut url = Url::parse(&format!("https://query2.finance.yahoo.com/v8/finance/chart/{symbol}"))
        .map_err(|error| invalid(format!("{code:?} makes no address: {error}")))?;
    let (start, end) = window(request.period, request.days, now);
    let mut query = url.query_pairs_mut();
    query
        .append_pair("period1", &start.to_string())
        .append_pair("period2", &end.to_string())
        .append_pair("interval", interval(request.period))
        .append_pair("includePrePost", "false")
        .append_pair("events", "div,splits,capitalGains");
    if let Some(crumb) = crumb {
        query.append_pair("crumb", crumb);
    }
    drop(query);
    Ok(url)
}

/// How many days before the first date asked for the events are looked at: more than any exchange
/// closes for.
const LEAD_DAYS: i32 = 10;

/// The dates whose rows say on which bar an event belongs: those of the bars asked for and the bars
/// shortly before them. An event whose date has no bar goes onto the next one, and its date may lie
/// before the first bar asked for; whichever window a bar is fetched with, it gets the same events.
pub(super) fn looked_at(period: Period, days: Days) -> Days {
    match period.is_intraday() {
        true => days,
        false => Days { first: period.bar_day(days.first.plus(-LEAD_DAYS)), ..days },
    }
}

/// The instants to ask for, in seconds since the epoch, so that the trading dates are whole in every
/// exchange's time zone, within what the service enforces to the second.
pub(super) fn window(period: Period, days: Days, now: i64) -> (i64, i64) {
    let days = looked_at(period, period.whole(days));
    // A session of date D opens no earlier than 12 h before D's midnight UTC and ends no later than
    // 11 h after the next. Daily bars may be stamped with local midnight, 14 h before.
    let (before, after) = match period.is_intraday() {
        true => (12 * HOUR, 11 * HOUR),
        false => (DAY_SECONDS, DAY_SECONDS),
    };
    let end = days.last.plus(1).midnight() + after;
    let end = end.min(now + HOUR);
    let mut start = days.first.midnight() - before;
    if let Some(reach) = enforced_reach(period) {
        start = start.max(now - reach + HOUR);
    }
    if period == Period::M1 {
        start = start.max(end - 8 * DAY_SECONDS + 60);
    }
    (start.min(end - 60), end)
}

/// How far back the service reaches, in seconds.
fn enforced_reach(period: Period) -> Option<i64> {
    match period {
        Period::M1 => Some(30 * DAY_SECONDS),
        Period::H1 => Some(730 * DAY_SECONDS),
        period if period.is_intraday() => Some(60 * DAY_SECONDS),
        _ => None,
    }
}
