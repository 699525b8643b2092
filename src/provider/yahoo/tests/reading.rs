//! What becomes of an answer.

use super::*;
use crate::model::Column;

/// A chart of New York. 2026-11-23 was a Monday; its session ran from 14:30 to 21:00 UTC.
fn chart(granularity: &str, meta: &str, rest: &str) -> String {
    format!(
        r#"{{"chart":{{"result":[{{"meta":{{"symbol":"AAPL","currency":"USD","exchangeName":"NMS",
        "instrumentType":"EQUITY","exchangeTimezoneName":"America/New_York","gmtoffset":-14400,
        "dataGranularity":"{granularity}"{meta}}},{rest}}}],"error":null}}}}"#
    )
}

fn session(open: i64, close: i64, live: i64) -> String {
    format!(
        r#","regularMarketTime":{live},"currentTradingPeriod":{{"regular":{{"start":{open},"end":{close}}}}}"#
    )
}

type Line = (i64, Option<f64>, i64);

/// Rows as (stamp, open = high = low = close, volume); `None` is a null row.
fn rows(rows: &[Line]) -> String {
    let list = |value: &dyn Fn(&Line) -> String| rows.iter().map(value).collect::<Vec<_>>().join(",");
    let stamps = list(&|row| row.0.to_string());
    let prices = list(&|row| row.1.map_or("null".to_owned(), |price| price.to_string()));
    let volumes = list(&|row| row.1.map_or("null".to_owned(), |_| row.2.to_string()));
    format!(
        r#""timestamp":[{stamps}],"indicators":{{"quote":[{{"open":[{prices}],"high":[{prices}],
        "low":[{prices}],"close":[{prices}],"volume":[{volumes}]}}]}}"#
    )
}

const OPEN: i64 = 1_795_444_200;
const CLOSE: i64 = 1_795_467_600;
const BEFORE_CLOSE: &str = "Mon, 23 Nov 2026 20:59:59 GMT";
const AT_CLOSE: &str = "Mon, 23 Nov 2026 21:00:00 GMT";
const FRIDAY: i64 = OPEN - 3 * 86_400;

fn closes(answer: &Answer) -> Vec<(String, f64)> {
    let close = answer.bars.column(Column::Close).unwrap();
    let stamps = answer.bars.times.iter();
    stamps
        .map(|time| jiff::Timestamp::from_second(*time).unwrap())
        .map(|at| at.strftime("%m-%d %H:%M").to_string())
        .zip(close.iter().copied())
        .collect()
}

fn expect(answer: &Answer, bars: &[(&str, f64)]) {
    let bars: Vec<(String, f64)> = bars.iter().map(|(at, v)| ((*at).to_owned(), *v)).collect();
    assert_eq!(closes(answer), bars);
}

fn daily(date: &str, table: &[Line]) -> Answer {
    let body = chart("1d", &session(OPEN, CLOSE, OPEN + 77), &rows(table));
    let request = request("AAPL", "1d", "2026-11-16", "2026-11-23");
    read(&request, &raw(200, Some(date), &body)).unwrap()
}

#[test]
fn todays_row_counts_from_the_close_on() {
    let table = [(FRIDAY, Some(1.0), 10), (OPEN + 77, Some(2.0), 20)];
    let before = daily(BEFORE_CLOSE, &table);
    expect(&before, &[("11-20 00:00", 1.0)]);
    assert_eq!(before.finished, Some(day("2026-11-22")));
    let after = daily(AT_CLOSE, &table);
    expect(&after, &[("11-20 00:00", 1.0), ("11-23 00:00", 2.0)]);
    assert_eq!(after.finished, Some(day("2026-11-23")));
    assert_eq!(after.clock, CLOSE);
    assert_eq!(after.sessions, [day("2026-11-23")]);
    assert_eq!(after.meta.session_open, Some(34_200));
    assert_eq!(after.meta.session_close, Some(57_600));
}

#[test]
fn of_two_rows_of_a_date_the_sessions_own_stays() {
    let answer = daily(AT_CLOSE, &[(OPEN, Some(2.0), 20), (OPEN + 77, Some(2.0), 21)]);
    assert_eq!(answer.bars.column(Column::Volume).unwrap(), [20.0]);
}

#[test]
fn a_null_row_is_a_session_without_a_bar() {
    let answer = daily(AT_CLOSE, &[(FRIDAY, None, 0), (OPEN, Some(2.0), 20)]);
    expect(&answer, &[("11-23 00:00", 2.0)]);
    assert_eq!(answer.sessions, [day("2026-11-20"), day("2026-11-23")]);
    assert!(answer.notes[0].contains("without any price"), "{:?}", answer.notes);
    assert!(daily(BEFORE_CLOSE, &[(OPEN, None, 0)]).sessions.is_empty());
}

#[test]
fn without_a_date_header_the_last_trade_is_the_clock() {
    let request = request("AAPL", "1d", "2026-11-16", "2026-11-23");
    for (last, bars) in [(CLOSE - 1, 0), (CLOSE, 1)] {
        let body = chart("1d", &session(OPEN, CLOSE, last), &rows(&[(OPEN, Some(2.0), 20)]));
        assert_eq!(read(&request, &raw(200, None, &body)).unwrap().bars.len(), bars);
    }
}

#[test]
fn days_outside_of_the_request_are_left_out_and_values_stay_as_they_are() {
    let rest = format!(
        r#""timestamp":[{},{FRIDAY}],"indicators":{{"quote":[{{"close":[1,1.05507493019104],"open":[1,null],
        "high":[2,3],"low":[0,0.0],"volume":[1,99999999999]}}],"adjclose":[{{"adjclose":[1,1.1]}}]}}"#,
        FRIDAY - 30 * 86_400
    );
    let body = chart("1d", &session(OPEN, CLOSE, OPEN), &rest);
    let request = request("AAPL", "1d", "2026-11-16", "2026-11-23");
    let answer = read(&request, &raw(200, Some(AT_CLOSE), &body)).unwrap();
    let row: Vec<f64> = answer.bars.row(0).collect();
    assert_eq!(answer.bars.len(), 1);
    assert!(row[0].is_nan(), "a missing price is missing, not 0");
    assert_eq!(row[1..], [3.0, 0.0, 1.05507493019104, 99_999_999_999.0, 1.1, 0.0, 0.0, 0.0]);
}

#[test]
fn answers_of_something_else_are_not_used() {
    let table = rows(&[(FRIDAY, Some(1.0), 1)]);
    let short = r#""timestamp":[1,2],"indicators":{"quote":[{"close":[1.0]}]}"#;
    let good = chart("1d", "", &table);
    for (body, said) in [
        (chart("3mo", "", &table), "dataGranularity is 3mo"),
        (good.replace("AAPL", "MSFT"), "it is of MSFT"),
        (chart("1d", "", short), "1 values of close for 2 timestamps"),
        (good.replace("America/New_York", "Mars/Crater"), "Mars/Crater"),
    ] {
        let request = request("AAPL", "1d", "2026-11-16", "2026-11-23");
        let refusal = read(&request, &raw(200, None, &body)).unwrap_err();
        assert!(matches!(refusal, Refusal::Unusable { .. }), "{refusal}");
        assert!(refusal.to_string().contains(said), "{refusal}");
    }
}

#[test]
fn events_stand_on_the_bar_of_their_date_or_the_next() {
    let table = rows(&[(FRIDAY - 86_400, Some(1.0), 1), (OPEN, Some(2.0), 1)]);
    let events = format!(
        r#"{table},"events":{{
        "dividends":{{"{FRIDAY}":{{"amount":0.5,"date":{FRIDAY}}},"{OPEN}":{{"amount":0.25}}}},
        "splits":{{"{OPEN}":{{"date":{OPEN},"numerator":1,"denominator":10,"splitRatio":"1:10"}}}},
        "capitalGains":{{"1":{{"amount":3.0,"date":1}}}}}}"#
    );
    let body = chart("1d", &session(OPEN, CLOSE, OPEN), &events);
    let request = request("AAPL", "1d", "2026-11-16", "2026-11-23");
    let answer = read(&request, &raw(200, Some(AT_CLOSE), &body)).unwrap();
    assert_eq!(answer.bars.column(Column::Dividends).unwrap(), [0.0, 0.75]);
    assert_eq!(answer.bars.column(Column::StockSplits).unwrap(), [0.0, 0.1]);
    assert_eq!(answer.bars.column(Column::CapitalGains).unwrap(), [0.0, 0.0]);
    assert_eq!(answer.splits, [crate::provider::Split { day: day("2026-11-23"), ratio: 0.1 }]);
    assert!(answer.notes.iter().any(|note| note.contains("2026-11-20 has no bar")));
    let open = read(&request, &raw(200, Some(BEFORE_CLOSE), &body)).unwrap();
    assert_eq!(open.splits.len(), 1, "a split of today is known before the close");
}

#[test]
fn a_week_carries_its_monday_and_joins_its_live_row() {
    let monday = FRIDAY - 4 * 86_400;
    let live = FRIDAY + 23_400;
    let body = chart(
        "1wk",
        &session(OPEN, CLOSE, live),
        &rows(&[(monday, Some(1.0), 10), (live, Some(3.0), 5), (OPEN, Some(9.0), 1)]),
    );
    let request = request("AAPL", "1W", "2026-11-18", "2026-11-23");
    let answer = read(&request, &raw(200, Some(BEFORE_CLOSE), &body)).unwrap();
    expect(&answer, &[("11-16 00:00", 3.0)]);
    let row: Vec<f64> = answer.bars.row(0).take(5).collect();
    assert_eq!(row, [1.0, 3.0, 1.0, 3.0, 15.0]);
    let saturday = raw(200, Some("Sat, 21 Nov 2026 12:00:00 GMT"), &body);
    assert!(read(&request, &saturday).unwrap().bars.is_empty(), "the week is not over");
}

#[test]
fn stamps_shortly_before_midnight_mean_the_next_date() {
    let zone = jiff::tz::TimeZone::get("America/Sao_Paulo").unwrap();
    let late = day("2026-11-19").instant(23 * 3600, &zone);
    assert_eq!(super::super::read::trading_date(late, &zone), day("2026-11-20"));
    assert_eq!(super::super::read::trading_date(late + 60, &zone), day("2026-11-19"));
}

fn intraday(period: &str, granularity: &str, date: &str, live: i64, table: &[Line]) -> Answer {
    let periods = format!(r#","tradingPeriods":[[{{"start":{OPEN},"end":{CLOSE}}}]]"#);
    let meta = session(OPEN, CLOSE, live) + &periods;
    let body = chart(granularity, &meta, &rows(table));
    let request = request("AAPL", period, "2026-11-23", "2026-11-23");
    read(&request, &raw(200, Some(date), &body)).unwrap()
}

#[test]
fn intraday_rows_count_when_their_end_is_past() {
    let table = [
        (OPEN - 300, Some(9.0), 1),
        (OPEN, Some(1.0), 1),
        (OPEN, Some(8.0), 1),
        (OPEN + 300, None, 0),
        (OPEN + 600, Some(2.0), 1),
        (OPEN + 750, Some(7.0), 0),
        (CLOSE, Some(9.0), 0),
    ];
    let date = "Mon, 23 Nov 2026 14:44:59 GMT";
    let early = intraday("5m", "5m", date, OPEN + 750, &table);
    expect(&early, &[("11-23 14:30", 1.0)]);
    assert!(early.sessions.is_empty());
    let date = "Mon, 23 Nov 2026 14:45:00 GMT";
    let later = intraday("5m", "5m", date, OPEN + 750, &table);
    expect(&later, &[("11-23 14:30", 1.0), ("11-23 14:40", 2.0)]);
}

#[test]
fn an_hour_cut_by_the_close_is_over_with_it() {
    let table = [(CLOSE - 1800, Some(1.0), 1)];
    expect(&intraday("1h", "1h", AT_CLOSE, CLOSE, &table), &[("11-23 20:30", 1.0)]);
    assert!(intraday("1h", "60m", BEFORE_CLOSE, 0, &table).bars.is_empty());
}

#[test]
fn ten_and_twenty_minutes_are_made_of_five_on_the_exchanges_clock() {
    let at = |minutes: i64, price| (OPEN + minutes * 60, Some(price), 10);
    let table = [at(0, 1.0), at(5, 4.0), at(15, 2.0), at(20, 3.0), at(25, 5.0)];
    let ten = intraday("10m", "5m", "Mon, 23 Nov 2026 15:00:00 GMT", 0, &table);
    expect(&ten, &[("11-23 14:30", 4.0), ("11-23 14:40", 2.0), ("11-23 14:50", 5.0)]);
    let row: Vec<f64> = ten.bars.row(0).collect();
    assert_eq!(row, [1.0, 4.0, 1.0, 4.0, 20.0]);
    let twenty = intraday("20m", "5m", "Mon, 23 Nov 2026 14:59:59 GMT", 0, &table);
    expect(&twenty, &[("11-23 14:20", 4.0)]);
}

#[test]
fn the_last_minute_of_a_whole_day_is_kept() {
    let midnight = day("2026-11-20").midnight();
    let end = midnight + 86_340;
    let meta = session(midnight + 86_400, end + 86_400, 0)
        + &format!(r#","tradingPeriods":[[{{"start":{midnight},"end":{end}}}]]"#);
    let body = chart("1m", &meta, &rows(&[(end, Some(1.0), 1), (end + 60, Some(2.0), 1)]))
        .replace("America/New_York", "UTC")
        .replace("EQUITY", "CRYPTOCURRENCY");
    let request = request("AAPL", "1m", "2026-11-20", "2026-11-20");
    let answer = read(&request, &raw(200, Some("Sat, 21 Nov 2026 00:00:00 GMT"), &body)).unwrap();
    expect(&answer, &[("11-20 23:59", 1.0)]);
    assert!(answer.meta.every_day);
    assert_eq!(answer.finished, Some(day("2026-11-20")));
}

#[test]
fn a_valid_answer_may_be_empty() {
    let body = chart("1d", &session(OPEN, CLOSE, OPEN), r#""indicators":{"quote":[{}]}"#);
    let request = request("AAPL", "1d", "2026-11-21", "2026-11-22");
    let answer = read(&request, &raw(200, Some(AT_CLOSE), &body)).unwrap();
    assert!(answer.bars.is_empty() && answer.splits.is_empty());
}
