use rstest::rstest;

use super::*;
use crate::model::{Contract, Instrument};

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn days(first: &str, last: &str) -> Days {
    Days::new(day(first), day(last)).unwrap()
}

/// Seconds since the epoch of an instant such as `2024-01-02T14:30:00Z`.
fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_second()
}

fn listing(code: &str) -> Listing {
    Listing::of(code).unwrap()
}

const LATER: &str = "2026-06-01T12:00:00Z";

#[rstest]
#[case("AAPL")]
#[case("7203.T")]
#[case("EURUSD=X")]
#[case("BTC-USD")]
#[case("S0001")]
fn a_day_is_exactly_its_minutes(#[case] code: &str) {
    let listing = listing(code);
    let (days, now) = (days("2024-02-26", "2024-04-12"), at(LATER));
    let daily = listing.daily(days, now);
    let folded = fold(&listing.minutes(days, now), |bar| (bar.session.open, bar.session.close));
    assert!(daily.len() > 25);
    assert_eq!(daily, folded);
    for bar in &daily {
        assert!(bar.low > 0.0 && bar.low <= bar.open.min(bar.close));
        assert!(bar.high >= bar.open.max(bar.close));
        assert_eq!(f64::from(bar.close as f32), bar.close);
        assert_eq!(bar.volume.fract(), 0.0);
    }
}

#[rstest]
// The clocks change on 2024-03-10 in New York, on 2024-03-31 in London, on 2024-04-07 in Sydney.
#[case("AAPL", "2024-03-08", "2024-03-08T14:30:00Z", "2024-03-08T20:59:00Z")]
#[case("AAPL", "2024-03-11", "2024-03-11T13:30:00Z", "2024-03-11T19:59:00Z")]
#[case("VOD.L", "2024-03-28", "2024-03-28T08:00:00Z", "2024-03-28T16:29:00Z")]
#[case("VOD.L", "2024-04-02", "2024-04-02T07:00:00Z", "2024-04-02T15:29:00Z")]
#[case("BHP.AX", "2024-04-05", "2024-04-04T23:00:00Z", "2024-04-05T04:59:00Z")]
#[case("EURUSD=X", "2024-07-01", "2024-06-30T23:00:00Z", "2024-07-01T22:58:00Z")]
fn minutes_lie_within_the_session(
    #[case] code: &str,
    #[case] date: &str,
    #[case] first: &str,
    #[case] last: &str,
) {
    let minutes = listing(code).minutes(days(date, date), at(LATER));
    assert_eq!(minutes.first().unwrap().start, at(first));
    assert_eq!(minutes.last().unwrap().start, at(last));
}

#[test]
fn the_same_question_has_the_same_answer_and_symbols_differ() {
    let of = |code: &str| listing(code).daily(days("2000-01-01", "2025-12-31"), at(LATER));
    assert_eq!(of("S0001"), of("S0001"));
    assert_ne!(of("AAPL")[0].close, of("MSFT")[0].close);
    assert_eq!(of("AAPL").len(), 6549);
    assert!(Listing::of("NOSUCH1").is_none());
}

#[test]
fn a_split_rescales_history_once_its_session_has_opened() {
    let aapl = listing("AAPL");
    let week = days("2020-08-24", "2020-08-28");
    let before = aapl.daily(week, at("2020-08-31T13:29:59Z"));
    let after = aapl.daily(week, at("2020-08-31T13:30:00Z"));
    assert_eq!(before.len(), 5);
    for (old, new) in before.iter().zip(&after) {
        assert_eq!(old.close / 4.0, new.close);
        assert_eq!(old.volume * 4.0, new.volume);
    }
    let reverse = listing("GE");
    let day = days("2021-07-30", "2021-07-30");
    let before = reverse.daily(day, at("2021-07-31T00:00:00Z"));
    let after = reverse.daily(day, at("2021-08-03T00:00:00Z"));
    assert!((before[0].close * 8.0 - after[0].close).abs() < 1e-4);
    assert_eq!(before[0].volume, after[0].volume * 8.0);
}

#[test]
fn adjusted_closes_follow_dividends_up_to_now() {
    let spy = listing("SPY");
    let year = days("2024-01-01", "2024-12-31");
    let now = at("2025-01-01T00:00:00Z");
    let paid = spy.dividends(year, now);
    assert_eq!(paid.len(), 4);
    let bars = spy.daily(year, now);
    let adjusted = spy.adjusted_closes(&bars, now);
    let expected: f64 = paid.iter().map(|dividend| dividend.factor).product();
    assert!((adjusted[0] / bars[0].close - expected).abs() < 1e-6);
    assert_eq!(adjusted.last(), bars.last().map(|bar| &bar.close));
    // As of the evening before the first one, nothing is adjusted yet.
    let eve = spy.hours(paid[0].day).open - 1;
    let bars = spy.daily(year, eve);
    let closes: Vec<f64> = bars.iter().map(|bar| bar.close).collect();
    assert_eq!(spy.adjusted_closes(&bars, eve), closes);
}

#[test]
fn an_open_session_has_what_has_been_traded_so_far() {
    let aapl = listing("AAPL");
    let today = days("2024-01-03", "2024-01-03");
    assert!(aapl.daily(today, at("2024-01-03T14:30:30Z")).is_empty());
    let noon = aapl.daily(today, at("2024-01-03T17:00:00Z"));
    let evening = aapl.daily(today, at("2024-01-03T21:00:00Z"));
    assert_eq!(noon[0].open, evening[0].open);
    assert!(noon[0].volume < evening[0].volume && noon[0].end > at("2024-01-03T17:00:00Z"));
    assert_eq!(aapl.finished(at("2024-01-03T20:59:59Z")), day("2024-01-02"));
    assert_eq!(aapl.finished(at("2024-01-03T21:00:00Z")), day("2024-01-03"));
}

fn ask(
    instrument: Instrument,
    contract: Option<Contract>,
    period: Period,
    days: Days,
    now: &str,
) -> Result<Answer, Refusal> {
    let now = at(now);
    let sample = Sample::new(move || now);
    let request = Request { instrument, contract, period, days, correlation: String::new() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let raw = runtime.block_on(sample.fetch(&request, &|_| {})).unwrap();
    sample.read(&request, &raw)
}

#[test]
fn longer_bars_are_the_sum_of_their_days() {
    let range = days("2024-01-10", "2024-06-14");
    let of = |period| ask(Instrument::of_code("AAPL"), None, period, range, LATER).unwrap();
    let weeks = of(Period::W1);
    assert_eq!(weeks.bars.times.first(), Some(&day("2024-01-08").midnight()));
    let daily = listing("AAPL").daily(days("2024-01-08", "2024-01-12"), at(LATER));
    let first: Vec<f64> = weeks.bars.row(0).collect();
    assert_eq!(first[0], daily[0].open);
    assert_eq!(first[3], daily[4].close);
    assert_eq!(first[4], daily.iter().map(|bar| bar.volume).sum::<f64>());
    assert_eq!(of(Period::Mo1).bars.len(), 6);
    assert_eq!(of(Period::Mo3).bars.len(), 2);
    let paid = |answer: &Answer| answer.bars.column(Column::Dividends).unwrap().iter().sum::<f64>();
    assert_eq!(paid(&of(Period::W1)), paid(&of(Period::Mo3)));
    assert!(paid(&of(Period::D1)) > 0.0);
}

#[test]
fn only_finished_bars_are_answered() {
    let range = days("2024-01-01", "2024-01-31");
    let of = |period, now| ask(Instrument::of_code("AAPL"), None, period, range, now).unwrap();
    let noon = "2024-01-10T17:07:00Z";
    let daily = of(Period::D1, noon);
    assert_eq!(daily.bars.times.last(), Some(&day("2024-01-09").midnight()));
    assert_eq!(daily.finished, Some(day("2024-01-09")));
    assert_eq!(daily.sessions, [day("2024-01-09")]);
    let five = of(Period::M5, noon);
    assert_eq!(five.bars.times.last(), Some(&at("2024-01-10T17:00:00Z")));
    let weekly = of(Period::W1, noon);
    assert_eq!(weekly.bars.times.last(), Some(&day("2024-01-01").midnight()));
}

#[test]
fn contracts_trade_until_they_expire() {
    let mut gold = Instrument::plain("GOLD", "GC", Class::Future);
    gold.cycle = Some("GJMQVZ".into());
    gold.days_count = 200;
    let contract = Contract { year: 2024, month: 2 };
    let range = days("2020-01-01", "2025-01-01");
    let answer = ask(gold, Some(contract), Period::D1, range, LATER).unwrap();
    let (first, last) = answer.bars.bounds().unwrap();
    assert_eq!(Day::of_utc(last), day("2024-02-26"));
    assert!(Day::of_utc(first) >= day("2023-08-10"));
    let volume = answer.bars.column(Column::Volume).unwrap();
    let interest = answer.bars.column(Column::OpenInterest).unwrap();
    assert!(volume[0] * 3.0 < volume[volume.len() - 1]);
    assert!(interest.iter().all(|open| *open >= 0.0) && interest.iter().sum::<f64>() > 0.0);
    assert_eq!(answer.meta.exchange.as_deref(), Some("CMX"));
}

#[test]
fn unknown_codes_and_foreign_bodies_are_refused() {
    let range = days("2024-01-01", "2024-01-31");
    let unknown = ask(Instrument::of_code("NOSUCH9"), None, Period::D1, range, LATER);
    assert!(matches!(unknown, Err(Refusal::Unknown { .. })));
    let request = Request {
        instrument: Instrument::of_code("AAPL"),
        contract: None,
        period: Period::D1,
        days: range,
        correlation: String::new(),
    };
    let sample = Sample::new(|| 0);
    let raw = |body: &str| RawAnswer { body: body.as_bytes().to_vec(), ..RawAnswer::default() };
    for body in [
        "",
        "<html>",
        r#"{"clock":1,"code":"MSFT","period":"1d","series":null}"#,
        r#"{"clock":1,"code":"AAPL","period":"1d","series":{"meta":{},"first_day":1,"finished":2,
            "last_trade":null,"splits":[],"times":[1],"columns":[["Open",[]]]}}"#,
    ] {
        let read = sample.read(&request, &raw(body));
        assert!(matches!(read, Err(Refusal::Unusable { .. })), "{body}");
    }
}

#[test]
fn the_shipped_instruments_are_listed_and_have_periods() {
    let assets: serde_json::Value = serde_json::from_str(ASSETS).unwrap();
    let mut count = 0;
    for (class, instruments) in assets.as_object().unwrap() {
        for fields in instruments.as_object().unwrap().values() {
            let code = fields["code"].as_str().unwrap();
            let dated = fields.get("cycle").is_some();
            let listing = Listing::of(&if dated { format!("{code}=F") } else { code.into() }).unwrap();
            assert_eq!(listing.class().name(), class, "{code}");
            for period in fields["periods"].as_str().unwrap().split(',') {
                period.parse::<Period>().unwrap();
            }
            count += 1;
        }
    }
    assert_eq!(count, 14);
}
