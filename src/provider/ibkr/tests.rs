//! Reading what a gateway said. Asking one is tested against a gateway of our own, in `tests/ibkr/main.rs`.

use super::api::{Asked, Listing, Row, Show, Span, Stamp, Told};
use super::body::{Body, Head, Writer};
use super::{code_of, read, windows};
use crate::model::{Class, Column, Contract, Day, Days, Instrument, Period};
use crate::provider::{Answer, RawAnswer, Refusal, Request};

fn at(instant: &str) -> i64 {
    instant.parse::<jiff::Timestamp>().unwrap().as_second()
}

fn day(date: &str) -> Day {
    date.parse().unwrap()
}

fn request(class: Class, period: Period, first: &str, last: &str) -> Request {
    Request {
        instrument: Instrument::plain("NAME", "CODE", class),
        contract: (class == Class::Future).then_some(Contract { year: 2024, month: 3 }),
        period,
        days: Days { first: day(first), last: day(last) },
        correlation: String::new(),
    }
}

fn stock() -> Listing {
    Listing {
        con_id: 7,
        symbol: "CODE".into(),
        exchange: "SMART".into(),
        primary_exchange: "NASDAQ".into(),
        currency: "USD".into(),
        time_zone: "US/Eastern".into(),
        price_magnifier: 1,
        liquid_hours: vec!["20240105:0930-20240105:1600".into(), "20240106:CLOSED".into()],
        trading_hours: vec!["20240105:0400-20240105:2000".into()],
        ..Listing::default()
    }
}

fn future() -> Listing {
    Listing {
        exchange: "CME".into(),
        primary_exchange: String::new(),
        time_zone: "US/Central".into(),
        liquid_hours: vec!["20240104:1700-20240105:1600".into(), "20240107:1700-20240108:1600".into()],
        ..stock()
    }
}

fn asked(period: Period) -> Asked {
    let bar = windows::bar(period);
    Asked { end: None, duration: Span::D(5), bar, show: Show::Trades, regular: true }
}

fn row(stamp: Stamp, close: f64) -> Row {
    let price = Some(close);
    Row(stamp, price, Some(close + 1.0), Some(close - 1.0), price, Some(100.5), Some(close + 0.5), Some(9.0))
}

/// What a gateway says of a contract, at an instant by its clock.
fn raw(request: &Request, listing: Listing, rows: Vec<Row>, clock: &str) -> RawAnswer {
    let mut body = Writer::default();
    let told = Told { start: 0, rows };
    body.told(asked(request.period), &told).unwrap();
    let mut head = Head::new(code_of(request), request.period, (Show::Trades, true), listing);
    head.clock = at(clock);
    RawAnswer { body: body.finish(&head).unwrap(), ..RawAnswer::default() }
}

fn answer(request: &Request, listing: Listing, rows: Vec<Row>, clock: &str) -> Answer {
    read::read(request, &raw(request, listing, rows, clock)).unwrap()
}

fn stamps(answer: &Answer) -> Vec<String> {
    answer.bars.times.iter().map(|time| crate::model::day::instant(*time)).collect()
}

#[test]
fn daily_bars_bear_their_trading_date_and_only_those_that_are_over() {
    let asked = request(Class::Stock, Period::D1, "2024-01-03", "2024-01-05");
    let rows: Vec<Row> = (1..=5).map(|day| row(Stamp::Date(2024, 1, day), 10.0)).collect();
    let open = answer(&asked, stock(), rows.clone(), "2024-01-05T20:00:00Z");
    assert_eq!(open.bars.utc_days(), [day("2024-01-03"), day("2024-01-04")]);
    assert_eq!((open.finished, open.clock), (Some(day("2024-01-04")), at("2024-01-05T20:00:00Z")));
    let closed = answer(&asked, stock(), rows, "2024-01-05T21:00:00Z");
    assert_eq!(closed.bars.len(), 3);
    assert_eq!(closed.bars.column(Column::Volume).unwrap()[0], 100.5, "decimals");
    assert_eq!(closed.bars.column(Column::Wap).unwrap()[0], 10.5);
    assert_eq!(closed.bars.column(Column::Count).unwrap()[0], 9.0);
    let meta = closed.meta;
    assert_eq!((meta.exchange.as_deref(), meta.zone.as_deref()), (Some("NASDAQ"), Some("America/New_York")));
    assert_eq!((meta.session_open, meta.session_close, meta.con_id), (Some(34_200), Some(57_600), Some(7)));
}

#[test]
fn quotes_have_no_volume() {
    let asked = request(Class::Stock, Period::D1, "2024-01-03", "2024-01-05");
    let quote = Row(
        Stamp::Date(2024, 1, 3),
        Some(1.0),
        Some(1.0),
        Some(1.0),
        Some(1.0),
        Some(-1.0),
        Some(-1.0),
        Some(-1.0),
    );
    let bars = answer(&asked, stock(), vec![quote], "2024-01-05T21:00:00Z").bars;
    assert!(
        [Column::Volume, Column::Wap, Column::Count]
            .iter()
            .all(|column| bars.column(*column).unwrap()[0].is_nan())
    );
}

#[test]
fn intraday_bars_are_over_with_their_end_or_their_session() {
    let asked = request(Class::Stock, Period::H1, "2024-01-05", "2024-01-05");
    let rows: Vec<Row> = ["14:30", "15:00", "16:00", "20:30"]
        .map(|clock| row(Stamp::Instant(at(&format!("2024-01-05T{clock}:00Z"))), 10.0))
        .to_vec();
    let running = answer(&asked, stock(), rows.clone(), "2024-01-05T16:30:00Z");
    assert_eq!(stamps(&running), ["2024-01-05 14:30 UTC", "2024-01-05 15:00 UTC"]);
    assert_eq!(answer(&asked, stock(), rows, "2024-01-05T21:00:00Z").bars.len(), 4);
}

#[test]
fn the_evening_before_belongs_to_the_session() {
    let asked = request(Class::Future, Period::M30, "2024-01-05", "2024-01-05");
    let rows: Vec<Row> = ["04T22:30", "04T23:00", "05T15:00", "05T21:30", "05T23:00"]
        .map(|stamp| row(Stamp::Instant(at(&format!("2024-01-{stamp}:00Z"))), 10.0))
        .to_vec();
    let told = answer(&asked, future(), rows, "2024-01-05T23:30:00Z");
    assert_eq!(stamps(&told), ["2024-01-04 23:00 UTC", "2024-01-05 15:00 UTC", "2024-01-05 21:30 UTC"]);
    assert_eq!(told.finished, Some(day("2024-01-05")));
    assert_eq!((told.meta.session_open, told.meta.session_close), (Some(-7 * 3600), Some(16 * 3600)));
    let daily = request(Class::Future, Period::D1, "2024-01-05", "2024-01-05");
    let told = answer(&daily, future(), vec![row(Stamp::Date(2024, 1, 5), 10.0)], "2024-01-05T22:30:00Z");
    assert_eq!((told.finished, told.bars.len()), (Some(day("2024-01-05")), 1));
}

#[test]
fn longer_bars_that_the_window_cuts_or_that_are_not_over_are_left_out() {
    let asked = request(Class::Stock, Period::W1, "2023-12-18", "2024-01-05");
    let dates = [(12, 22), (12, 29)].map(|(month, day)| row(Stamp::Date(2023, month, day), 10.0));
    let mut rows = dates.to_vec();
    rows.push(row(Stamp::Date(2024, 1, 5), 10.0));
    let mut body = Writer::default();
    let start = at("2023-12-20T05:00:00Z");
    body.told(self::asked(Period::W1), &Told { start, rows }).unwrap();
    let mut head = Head::new(code_of(&asked), Period::W1, (Show::Trades, true), stock());
    head.clock = at("2024-01-05T22:00:00Z");
    let raw = RawAnswer { body: body.finish(&head).unwrap(), ..RawAnswer::default() };
    let told = read::read(&asked, &raw).unwrap();
    assert_eq!(told.bars.utc_days(), [day("2023-12-25")]);
    assert_eq!(told.dropped.len(), 2, "{:?}", told.dropped);
}

/// A month of 2023 as a gateway says it.
fn month(month: u8, close: f64, volume: Option<f64>, average: Option<f64>) -> Row {
    let price = Some(close);
    Row(Stamp::Date(2023, month, 28), price, price, price, price, volume, average, Some(9.0))
}

fn quarter(months: Vec<Row>) -> Answer {
    let asked = request(Class::Stock, Period::Mo3, "2023-10-01", "2023-12-31");
    let told = answer(&asked, stock(), months, "2024-01-05T22:00:00Z");
    assert_eq!(told.bars.utc_days(), [day("2023-10-01")]);
    told
}

#[test]
fn a_quarter_says_of_its_months_what_all_of_them_say() {
    let of = |told: &Answer, column| told.bars.column(column).unwrap()[0];
    let said = [(100.0, 10.0), (300.0, 20.0), (100.0, 30.0)].map(|(volume, wap)| (Some(volume), Some(wap)));
    let months = |said: [(Option<f64>, Option<f64>); 3]| {
        (10..).zip(said).map(|(name, (volume, average))| month(name, 15.0, volume, average)).collect()
    };
    let whole = quarter(months(said));
    assert_eq!((of(&whole, Column::Volume), of(&whole, Column::Wap)), (500.0, 20.0));
    for at in 0..3 {
        let (mut without_average, mut without_volume) = (said, said);
        without_average[at].1 = None;
        without_volume[at].0 = None;
        let told = quarter(months(without_average));
        assert_eq!(of(&told, Column::Volume), 500.0);
        assert!(of(&told, Column::Wap).is_nan(), "month {at} has no average");
        let told = quarter(months(without_volume));
        let [volume, average] = [Column::Volume, Column::Wap].map(|column| of(&told, column));
        assert!(volume.is_nan() && average.is_nan(), "month {at} has no volume: {volume} {average}");
    }
}

#[test]
fn of_a_month_that_came_twice_the_later_one_is_in_the_quarter() {
    let all = |close| month(12, close, Some(100.0), Some(close));
    let told = quarter(vec![all(10.0), month(11, 10.0, Some(100.0), Some(10.0)), all(20.0)]);
    let of = |column| told.bars.column(column).unwrap()[0];
    assert_eq!((of(Column::Close), of(Column::Wap), of(Column::Volume)), (20.0, 15.0, 200.0));
    assert!(told.notes.iter().any(|note| note.starts_with("1 of the bars came twice")), "{:?}", told.notes);
    assert!(told.dropped.len() == 1, "{:?}", told.dropped);
}

#[test]
fn cents_are_another_unit_than_the_currency() {
    let asked = request(Class::Future, Period::D1, "2024-01-03", "2024-01-04");
    let grain = Listing { price_magnifier: 100, ..future() };
    assert_eq!(
        answer(&asked, grain, Vec::new(), "2024-01-05T21:00:00Z").meta.currency.as_deref(),
        Some("USD/100")
    );
}

#[test]
fn an_error_in_place_of_bars_is_told_by_what_it_means() {
    let asked_for = request(Class::Stock, Period::D1, "2024-01-03", "2024-01-04");
    let said = |code, text: &str| {
        let mut body = Writer::default();
        body.refused(asked(Period::D1), code, text.to_owned()).unwrap();
        let mut head = Head::new(code_of(&asked_for), Period::D1, (Show::Trades, true), stock());
        head.clock = at("2024-01-05T22:00:00Z");
        let raw = RawAnswer { body: body.finish(&head).unwrap(), ..RawAnswer::default() };
        read::read(&asked_for, &raw)
    };
    assert!(said(162, "x:HMDS query returned no data: A").unwrap().bars.is_empty(), "which is an answer");
    assert!(matches!(said(162, "x:invalid step: 1"), Err(Refusal::TooWide { .. })));
    assert!(matches!(said(354, "No suscrito"), Err(Refusal::Invalid { .. })));
    assert!(matches!(said(10197, "x"), Err(Refusal::Unavailable { .. })));
    assert!(matches!(said(200, "x"), Err(Refusal::Unknown { .. })));
}

#[test]
fn a_contract_that_is_not_listed_is_unknown_and_an_old_one_out_of_reach() {
    let unknown = |request: &Request| {
        let said = (200, "No security definition has been found for the request".to_owned());
        let clock = at("2024-01-05T22:00:00Z");
        let head = Head::unknown(code_of(request), request.period, (Show::Trades, true), said, clock);
        let body = Writer::default().finish(&head).unwrap();
        read::read(request, &RawAnswer { body, ..RawAnswer::default() })
    };
    let stock = request(Class::Stock, Period::D1, "2024-01-03", "2024-01-04");
    assert!(matches!(unknown(&stock), Err(Refusal::Unknown { .. })));
    let mut old = request(Class::Future, Period::D1, "2021-01-03", "2021-01-04");
    old.contract = Some(Contract { year: 2021, month: 3 });
    assert!(matches!(unknown(&old), Err(Refusal::TooOld { .. })));
}

#[test]
fn a_body_is_read_as_it_was_written_and_nothing_else_is_taken_for_one() {
    let asked = request(Class::Stock, Period::D1, "2024-01-03", "2024-01-05");
    let raw = raw(&asked, stock(), vec![row(Stamp::Date(2024, 1, 3), 0.1 + 0.2)], "2024-01-05T21:00:00Z");
    let body = Body::read(&raw.body).unwrap();
    assert_eq!(body.head.contract, Some(stock()));
    assert_eq!(body.steps[0].1, [row(Stamp::Date(2024, 1, 3), 0.1 + 0.2)]);
    let other = request(Class::Stock, Period::W1, "2024-01-03", "2024-01-05");
    assert!(matches!(read::read(&other, &raw), Err(Refusal::Unusable { .. })));
    for (text, line) in [("", "empty"), ("[]", "line 1"), ("nonsense\n", "line 1")] {
        assert!(Body::read(text.as_bytes()).unwrap_err().contains(line), "{text}");
    }
    let mut torn = raw.body.clone();
    torn.truncate(torn.len() - 10);
    assert!(Body::read(&torn).unwrap_err().contains("line 3"));
    let intraday = request(Class::Stock, Period::M1, "2024-01-05", "2024-01-05");
    let dated = super::tests::raw(
        &intraday,
        stock(),
        vec![row(Stamp::Date(2024, 1, 5), 1.0)],
        "2024-01-05T21:00:00Z",
    );
    assert!(read::read(&intraday, &dated).is_err(), "a date is no instant");
}
