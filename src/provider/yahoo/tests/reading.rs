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
    assert!(answer.dropped[0].contains("without any price"), "{:?}", answer.dropped);
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

/// Dividends, splits and gains by bar of a daily answer, read for one range of dates.
fn events_of(body: &str, period: &str, first: &str, last: &str) -> (Vec<[f64; 3]>, Answer) {
    let answer = read(&request("AAPL", period, first, last), &raw(200, Some(AT_CLOSE), body)).unwrap();
    let column = |column| answer.bars.column(column).unwrap().to_vec();
    let paid = column(Column::Dividends).into_iter().zip(column(Column::StockSplits));
    let all = paid.zip(column(Column::CapitalGains)).map(|((paid, split), gain)| [paid, split, gain]);
    (all.collect(), answer)
}

#[test]
fn an_event_without_a_bar_goes_onto_the_same_bar_in_any_window() {
    // Bars of the 18th, 19th and 23rd; events of the 19th, and of the 20th and 21st, without bars.
    let table =
        rows(&[(FRIDAY - 2 * 86_400, Some(1.0), 1), (FRIDAY - 86_400, Some(1.0), 1), (OPEN, Some(2.0), 1)]);
    let (thursday, saturday) = (FRIDAY - 86_400, FRIDAY + 86_400);
    let events = format!(
        r#"{table},"events":{{
        "dividends":{{"{thursday}":{{"amount":0.5}},"{FRIDAY}":{{"amount":0.25}}}},
        "splits":{{"{saturday}":{{"numerator":2,"denominator":1}}}},
        "capitalGains":{{"{saturday}":{{"amount":3.0}}}}}}"#
    );
    let body = chart("1d", &session(OPEN, CLOSE, OPEN), &events);
    let (whole, _) = events_of(&body, "1d", "2026-11-18", "2026-11-23");
    assert_eq!(whole, [[0.0, 0.0, 0.0], [0.5, 0.0, 0.0], [0.25, 2.0, 3.0]]);
    for cut in 18..23 {
        let (mut parts, before) = events_of(&body, "1d", "2026-11-18", &format!("2026-11-{cut}"));
        let (after, answer) = events_of(&body, "1d", &format!("2026-11-{}", cut + 1), "2026-11-23");
        parts.extend(after);
        assert_eq!(parts, whole, "cut after the {cut}th");
        let listed = before.splits.len() + answer.splits.len();
        assert_eq!(listed, 1, "a split is listed in the window of its date");
    }
    let (_, last) = events_of(&body, "1d", "2026-11-23", "2026-11-23");
    assert_eq!(last.bars.len(), 1, "the bars before are looked at alone");
    assert!(last.notes.iter().all(|note| !note.contains("2026-11-19")), "{:?}", last.notes);
}

#[test]
fn an_event_of_a_week_without_a_bar_goes_onto_the_same_week_in_any_window() {
    // Weeks of the 2nd and the 16th; a dividend of the 11th.
    let monday = |weeks: i64| FRIDAY - 4 * 86_400 - weeks * 7 * 86_400;
    let table = rows(&[(monday(2), Some(1.0), 1), (monday(0), Some(2.0), 1)]);
    let paid = monday(1) + 2 * 86_400;
    let events = format!(r#"{table},"events":{{"dividends":{{"{paid}":{{"amount":0.5}}}}}}"#);
    let body = chart("1wk", &session(OPEN, CLOSE, OPEN), &events);
    let (whole, _) = events_of(&body, "1W", "2026-11-02", "2026-11-22");
    assert_eq!(whole, [[0.0; 3], [0.5, 0.0, 0.0]]);
    let (last, _) = events_of(&body, "1W", "2026-11-16", "2026-11-22");
    assert_eq!(last, whole[1..]);
}

#[test]
fn instants_of_no_sensible_year_are_refused_by_field_and_value() {
    let good = rows(&[(FRIDAY, Some(1.0), 1)]);
    let bad = [i64::MIN, -5_364_662_401, 10_445_328_000, 99_999_999_999_999, i64::MAX];
    for stamp in bad {
        let event = |kind: &str, value: &str| format!(r#"{good},"events":{{"{kind}":{{{value}}}}}"#);
        let period = format!(r#"{{"start":{FRIDAY},"end":{stamp}}}"#);
        let dated = format!(r#""{FRIDAY}":{{"date":{stamp}}}"#);
        let filed = format!(r#""{stamp}":{{"amount":1.0}}"#);
        for (field, meta, rest) in [
            ("timestamp", String::new(), rows(&[(stamp, Some(1.0), 1)])),
            ("firstTradeDate", format!(r#","firstTradeDate":{stamp}"#), good.clone()),
            ("regularMarketTime", format!(r#","regularMarketTime":{stamp}"#), good.clone()),
            ("currentTradingPeriod", session(stamp, CLOSE, OPEN), good.clone()),
            ("currentTradingPeriod", session(OPEN, stamp, OPEN), good.clone()),
            ("tradingPeriods", format!(r#","tradingPeriods":[[{period}]]"#), good.clone()),
            ("event date", String::new(), event("dividends", &filed)),
            ("event date", String::new(), event("capitalGains", &dated)),
            ("event date", String::new(), event("splits", &dated)),
        ] {
            for (period, granularity) in [("1d", "1d"), ("5m", "5m"), ("20m", "5m")] {
                let body = chart(granularity, &meta, &rest);
                let request = request("AAPL", period, "2026-11-16", "2026-11-23");
                let refusal = read(&request, &raw(200, Some(AT_CLOSE), &body)).unwrap_err();
                assert!(matches!(refusal, Refusal::Unusable { .. }), "{refusal}");
                assert!(refusal.to_string().contains(&format!("its {field} {stamp} ")), "{refusal}");
            }
        }
    }
    for stamp in [-5_364_662_400, 10_445_327_999] {
        let body = chart("1d", &session(stamp, stamp, stamp), &rows(&[(stamp, Some(1.0), 1)]));
        let request = request("AAPL", "1d", "1799-01-01", "2301-12-31");
        assert!(read(&request, &raw(200, Some(AT_CLOSE), &body)).is_ok(), "{stamp}");
    }
}

#[test]
fn a_first_trade_still_to_come_is_not_believed() {
    let table = rows(&[(FRIDAY, Some(1.0), 1)]);
    let request = request("AAPL", "1d", "2026-11-16", "2026-11-23");
    for (stamp, first) in [(CLOSE, Some(day("2026-11-23"))), (CLOSE + 1, None)] {
        let body = chart("1d", &format!(r#","firstTradeDate":{stamp}"#), &table);
        let answer = read(&request, &raw(200, Some(AT_CLOSE), &body)).unwrap();
        assert_eq!(answer.first_day, first);
        let noted = answer.notes.iter().any(|note| note.contains(&format!("firstTradeDate {stamp}")));
        assert_eq!(noted, first.is_none(), "{:?}", answer.notes);
    }
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
    let twenty = intraday("20m", "5m", "Mon, 23 Nov 2026 15:09:59 GMT", 0, &table);
    expect(&twenty, &[("11-23 14:30", 2.0)]);
}

/// Bars of 20 minutes made of rows of 5 in one zone, with the sessions named.
fn twenty(zone: &str, sessions: &[(i64, i64)], table: &[Line]) -> Answer {
    let windows: Vec<String> =
        sessions.iter().map(|(start, end)| format!(r#"[{{"start":{start},"end":{end}}}]"#)).collect();
    let meta = format!(r#","tradingPeriods":[{}]"#, windows.join(","));
    let body = chart("5m", &meta, &rows(table)).replace("America/New_York", zone);
    let request = request("AAPL", "20m", "2026-11-19", "2026-11-20");
    read(&request, &raw(200, Some(BEFORE_CLOSE), &body)).unwrap()
}

#[test]
fn made_bars_are_counted_from_the_opening() {
    // New York opens at 14:30 UTC, Mumbai at 09:15 of a clock that is 5:30 ahead.
    let at = |open: i64, minutes: i64, price| (open + minutes * 60, Some(price), 1);
    let table = [at(FRIDAY, 0, 1.0), at(FRIDAY, 15, 2.0), at(FRIDAY, 20, 3.0), at(FRIDAY, 385, 4.0)];
    let york = twenty("America/New_York", &[(FRIDAY, FRIDAY + 390 * 60)], &table);
    expect(&york, &[("11-20 14:30", 2.0), ("11-20 14:50", 3.0), ("11-20 20:50", 4.0)]);

    let open = day("2026-11-20").midnight() + 3 * 3600 + 45 * 60;
    let table = [at(open, 0, 1.0), at(open, 15, 2.0), at(open, 20, 3.0), at(open, 370, 4.0)];
    let mumbai = twenty("Asia/Kolkata", &[(open, open + 375 * 60)], &table);
    expect(&mumbai, &[("11-20 03:45", 2.0), ("11-20 04:05", 3.0), ("11-20 09:45", 4.0)]);
}

#[test]
fn made_bars_keep_to_the_opening_over_lunch_and_where_none_is_named_to_midnight() {
    // Tokyo: 9:00 to 11:30 and 12:30 to 15:30, nulls between; the service names one session or two.
    let open = day("2026-11-20").midnight();
    let at = |minutes: i64, price| (open + minutes * 60, price, 1);
    let table = [at(0, Some(1.0)), at(145, Some(2.0)), at(150, None), at(210, Some(3.0)), at(215, Some(4.0))];
    let minutes = |from: i64, to: i64| (open + from * 60, open + to * 60);
    let one = twenty("Asia/Tokyo", &[minutes(0, 390)], &table);
    expect(&one, &[("11-20 00:00", 1.0), ("11-20 02:20", 2.0), ("11-20 03:20", 4.0)]);
    let two = twenty("Asia/Tokyo", &[minutes(0, 150), minutes(210, 390)], &table);
    expect(&two, &[("11-20 00:00", 1.0), ("11-20 02:20", 2.0), ("11-20 03:30", 4.0)]);

    // A session that began the evening before, one that is the whole day, and none at all.
    let table = [at(10, Some(1.0)), at(25, Some(2.0))];
    let evening = twenty("UTC", &[minutes(-130, 600)], &table);
    expect(&evening, &[("11-20 00:10", 2.0)]);
    for sessions in [&[minutes(0, 1439)][..], &[]] {
        let midnight = twenty("UTC", sessions, &table);
        expect(&midnight, &[("11-20 00:00", 1.0), ("11-20 00:20", 2.0)]);
    }
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
