//! The answer of the chart endpoint, in Yahoo's shape.

use serde_json::{Map, Value, json};
use vortex::model::{Day, Days, Period};
use vortex::provider::sample::listing::{Kind, Listing};
use vortex::provider::sample::market::{Bar, Session, fold, intraday_bucket};

use super::query::{Length, Query, RANGES};
use super::rules::Action;

/// How long after the close the last row still bears the last trade's stamp.
const LIVE_AFTER_CLOSE: i64 = 4 * 3600;

/// A row as sent; a null row has no bar.
struct Row {
    stamp: i64,
    bar: Option<Bar>,
}

/// The whole answer.
pub(super) fn chart(listing: &Listing, query: &Query, actions: &[Action], now: i64) -> Value {
    let last = listing.last_session(now);
    let rows = match query.length {
        Length::Seconds(seconds) => intraday(listing, query, seconds, actions, now),
        Length::Sessions(period) => sessions(listing, query, period, actions, now),
    };
    let mut result = Map::new();
    result.insert("meta".into(), meta(listing, query, actions, last, now));
    let mut indicators = json!({ "quote": [{}] });
    if !rows.is_empty() {
        let stamps: Vec<i64> = rows.iter().map(|row| row.stamp).collect();
        result.insert("timestamp".into(), json!(stamps));
        indicators = columns(listing, query, &rows, now);
    }
    let events = events(listing, query, actions, now);
    if !events.is_empty() {
        result.insert("events".into(), Value::Object(events));
    }
    result.insert("indicators".into(), indicators);
    json!({ "chart": { "result": [result], "error": null } })
}

/// The days whose sessions may lie in the window.
fn days_of(listing: &Listing, query: &Query, now: i64) -> Option<Days> {
    let first = listing.hours(listing.first_day).open;
    let from = listing.today(query.from.clamp(first, now));
    Days::new(from, listing.today(query.to.clamp(first, now)))
}

/// The market's bars with the rules applied.
fn with_rules(mut bars: Vec<Bar>, actions: &[Action], now: i64) -> Vec<Bar> {
    for action in actions {
        action.apply(&mut bars, now);
    }
    bars
}

fn null_days(actions: &[Action], now: i64) -> Vec<Day> {
    actions.iter().filter_map(|action| action.null_day(now)).collect()
}

fn sessions(listing: &Listing, query: &Query, period: Period, actions: &[Action], now: i64) -> Vec<Row> {
    let Some(days) = days_of(listing, query, now) else {
        return Vec::new();
    };
    let days = Days { first: period.bar_day(days.first), last: period.last_day(days.last) };
    let nulls = null_days(actions, now);
    let is_null = |bar: &Bar| nulls.contains(&bar.session.day);
    let daily = with_rules(listing.daily(days, now), actions, now);
    let live = daily.last().copied().filter(|bar| is_live(bar.session, now) && !is_null(bar));
    let within = |stamp: i64| query.from <= stamp && stamp < query.to;
    let mut rows: Vec<Row> = if period == Period::D1 {
        let row = |bar: &Bar| Row { stamp: bar.start, bar: (!is_null(bar)).then_some(*bar) };
        daily.iter().map(row).collect()
    } else {
        let zone = listing.exchange.time_zone();
        let known: Vec<Bar> = daily.iter().filter(|bar| !is_null(bar)).copied().collect();
        let bucket = |bar: &Bar| (period.bar_day(bar.session.day).instant(0, &zone), bar.end);
        let row = |bar: Bar| Row { stamp: bar.start, bar: Some(bar) };
        fold(&known, bucket).into_iter().map(row).collect()
    };
    rows.retain(|row| within(row.stamp));
    if let Some(bar) = live.filter(|bar| query.from <= bar.start && bar.start < query.to) {
        if period == Period::D1 {
            rows.pop();
        }
        rows.push(Row { stamp: market_time(listing, bar.session, now), bar: Some(bar) });
    }
    rows
}

fn intraday(listing: &Listing, query: &Query, seconds: i64, actions: &[Action], now: i64) -> Vec<Row> {
    let Some(days) = days_of(listing, query, now) else {
        return Vec::new();
    };
    let nulls = null_days(actions, now);
    let last_session = listing.last_session(now);
    let minutes = with_rules(listing.minutes(days, now), actions, now);
    let bars = fold(&minutes, |bar| intraday_bucket(bar, seconds));
    let mut rows = Vec::new();
    for of_day in bars.chunk_by(|a, b| a.session.day == b.session.day) {
        let (Some(first), Some(last)) = (of_day.first(), of_day.last()) else {
            continue;
        };
        let session = first.session;
        let extended = listing.exchange.extended.filter(|_| query.extended);
        let opened = |second| session.open + i64::from(second - listing.exchange.open);
        if let Some((from, _)) = extended {
            let quiet = flat(first, first.open);
            rows.extend(quiet_rows(opened(from), session.open, seconds, Some(quiet)));
        }
        for bar in of_day {
            rows.push(Row { stamp: bar.start, bar: (!nulls.contains(&session.day)).then_some(*bar) });
        }
        if let Some((from, to)) = listing.exchange.lunch {
            let to = opened(to).min(now);
            let lunch = quiet_rows(opened(from), to, seconds, None);
            let traded = |row: &Row| of_day.iter().any(|bar| bar.start == row.stamp);
            rows.extend(lunch.filter(|row| !traded(row)));
        }
        if let Some((_, to)) = extended {
            let quiet = flat(last, last.close);
            rows.extend(quiet_rows(session.close, opened(to).min(now), seconds, Some(quiet)));
        }
        if Some(session) == last_session && is_live(session, now) {
            rows.push(Row { stamp: market_time(listing, session, now), bar: Some(flat(last, last.close)) });
        }
    }
    let live = last_session.map(|session| market_time(listing, session, now));
    rows.sort_by_key(|row| row.stamp);
    rows.retain(|row| query.from <= row.stamp && (row.stamp < query.to || Some(row.stamp) == live));
    rows
}

/// A bar in which nothing is traded.
fn flat(bar: &Bar, price: f64) -> Bar {
    Bar { open: price, high: price, low: price, close: price, volume: 0.0, ..*bar }
}

fn quiet_rows(from: i64, to: i64, seconds: i64, bar: Option<Bar>) -> impl Iterator<Item = Row> {
    (from..to).step_by(seconds as usize).map(move |stamp| Row { stamp, bar })
}

fn is_live(session: Session, now: i64) -> bool {
    session.open <= now && now < session.close + LIVE_AFTER_CLOSE
}

/// The stamp of the last trade.
fn market_time(listing: &Listing, session: Session, now: i64) -> i64 {
    now.min(session.close + listing.exchange.last_print)
}

fn columns(listing: &Listing, query: &Query, rows: &[Row], now: i64) -> Value {
    let price = |of: fn(&Bar) -> f64| -> Vec<Option<f64>> {
        rows.iter().map(|row| row.bar.as_ref().map(of)).collect()
    };
    let volume: Vec<Option<i64>> = rows.iter().map(|row| row.bar.map(|bar| bar.volume as i64)).collect();
    let quote = json!({
        "open": price(|bar| bar.open),
        "high": price(|bar| bar.high),
        "low": price(|bar| bar.low),
        "close": price(|bar| bar.close),
        "volume": volume,
    });
    if matches!(query.length, Length::Seconds(_)) {
        return json!({ "quote": [quote] });
    }
    let bars: Vec<Bar> = rows.iter().filter_map(|row| row.bar).collect();
    let mut closes = listing.adjusted_closes(&bars, now).into_iter();
    let adjusted: Vec<Option<f64>> = rows.iter().map(|row| row.bar.and_then(|_| closes.next())).collect();
    json!({ "quote": [quote], "adjclose": [{ "adjclose": adjusted }] })
}

fn events(listing: &Listing, query: &Query, actions: &[Action], now: i64) -> Map<String, Value> {
    let mut events = Map::new();
    let Some(days) = days_of(listing, query, now) else {
        return events;
    };
    let stamp = |day: Day| listing.hours(day).open;
    let within = |day: Day| query.from <= stamp(day) && stamp(day) < query.to;
    let mut dividends = Map::new();
    for mut dividend in listing.dividends(days, now) {
        for action in actions {
            action.rescale(&mut dividend, now);
        }
        if within(dividend.day) {
            let date = stamp(dividend.day);
            let event = json!({ "amount": dividend.amount, "date": date });
            dividends.insert(date.to_string(), event);
        }
    }
    let own = listing.splits_at(now).into_iter().map(|split| (split.day, split.ratio));
    let ruled = actions.iter().filter_map(|action| action.listed_split(listing, now));
    let mut splits = Map::new();
    for (day, ratio) in own.chain(ruled).filter(|(day, _)| within(*day)) {
        let (new, old) = fraction(ratio);
        let event = json!({
            "date": stamp(day),
            "numerator": new,
            "denominator": old,
            "splitRatio": format!("{new}:{old}"),
        });
        splits.insert(stamp(day).to_string(), event);
    }
    if query.events.contains("div") && !dividends.is_empty() {
        events.insert("dividends".into(), Value::Object(dividends));
    }
    if query.events.contains("split") && !splits.is_empty() {
        events.insert("splits".into(), Value::Object(splits));
    }
    events
}

/// A ratio as two whole numbers.
fn fraction(ratio: f64) -> (i64, i64) {
    let old = (1..=1000).find(|old| (ratio * f64::from(*old)).fract().abs() < 1e-9);
    let old = old.unwrap_or(1000);
    ((ratio * f64::from(old)).round() as i64, i64::from(old))
}

fn meta(listing: &Listing, query: &Query, actions: &[Action], last: Option<Session>, now: i64) -> Value {
    let exchange = listing.exchange;
    let today = listing.today(now);
    let current = match last {
        Some(session) if !listing.is_session(today) => session,
        _ => listing.hours(today),
    };
    let mut meta = json!({
        "currency": listing.currency,
        "symbol": listing.code,
        "exchangeName": exchange.name,
        "fullExchangeName": exchange.full_name,
        "instrumentType": match listing.kind {
            Kind::Equity => "EQUITY",
            Kind::Fund => "ETF",
            Kind::Index => "INDEX",
            Kind::Currency => "CURRENCY",
            Kind::Future => "FUTURE",
            Kind::Crypto => "CRYPTOCURRENCY",
        },
        "firstTradeDate": listing.hours(listing.first_day).open,
        "hasPrePostMarketData": exchange.extended.is_some(),
        "exchangeTimezoneName": exchange.zone,
        "priceHint": if listing.kind == Kind::Currency { 4 } else { 2 },
        "dataGranularity": if query.interval == "60m" { "1h" } else { query.interval.as_str() },
        "range": query.range,
        "validRanges": RANGES,
        "currentTradingPeriod": periods(listing, current),
    });
    let (name, offset) = clock_of(listing, now);
    meta["gmtoffset"] = json!(offset);
    meta["timezone"] = json!(name);
    if let Some(session) = last {
        let days = Days { first: session.day, last: session.day };
        meta["regularMarketTime"] = json!(market_time(listing, session, now));
        if let Some(bar) = with_rules(listing.daily(days, now), actions, now).last() {
            meta["regularMarketPrice"] = json!(bar.close);
            meta["regularMarketDayHigh"] = json!(bar.high);
            meta["regularMarketDayLow"] = json!(bar.low);
            meta["regularMarketVolume"] = json!(bar.volume as i64);
        }
    }
    if matches!(query.length, Length::Seconds(_)) {
        let days = days_of(listing, query, now);
        let all = days.map(|days| listing.sessions(days, now).collect::<Vec<_>>());
        if let Some(all) = all.filter(|all| !all.is_empty()) {
            let of = |part: &str| -> Vec<Value> {
                all.iter().map(|s| json!([periods(listing, *s)[part]])).collect()
            };
            meta["tradingPeriods"] = if query.extended {
                json!({ "pre": of("pre"), "regular": of("regular"), "post": of("post") })
            } else {
                json!(of("regular"))
            };
        }
    }
    meta
}

/// The parts of one trading day.
fn periods(listing: &Listing, session: Session) -> Value {
    let exchange = listing.exchange;
    let (name, offset) = clock_of(listing, session.open);
    let (from, to) = exchange.extended.unwrap_or((exchange.open, exchange.close));
    let part =
        |start: i64, end: i64| json!({ "timezone": name, "start": start, "end": end, "gmtoffset": offset });
    json!({
        "pre": part(session.open - i64::from(exchange.open - from), session.open),
        "regular": part(session.open, session.close),
        "post": part(session.close, session.close + i64::from(to - exchange.close)),
    })
}

/// The abbreviation of the exchange's zone and its offset from UTC, at an instant.
fn clock_of(listing: &Listing, at: i64) -> (String, i32) {
    let at = jiff::Timestamp::from_second(at).unwrap_or_default();
    let zone = listing.exchange.time_zone();
    let info = zone.to_offset_info(at);
    (info.abbreviation().to_owned(), info.offset().seconds())
}
