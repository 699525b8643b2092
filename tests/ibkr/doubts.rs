//! What a gateway says and does that is not to be believed, or not for long.

use std::time::{Duration, Instant};

use vortex::download::{JobResult, Outcome, Selection, Summary};
use vortex::model::{Class, Column, Instrument, Period};

use crate::ibkr_gateway::message::SentBar;
use crate::ibkr_gateway::{Action, Kind, Rule};
use crate::lab::{Lab, assert_same, at, column, instrument, key};

const NOW: &str = "2024-06-05T21:00:00Z";
const UNKNOWN: &str = "No security definition has been found for the request";

fn aapl() -> [Instrument; 1] {
    [instrument(Class::Stock, "AAPL")]
}

fn said(summary: &Summary) -> String {
    summary.results.iter().map(|result| format!("{:?} {:?}\n", result.outcome, result.notes)).collect()
}

#[test]
fn a_contract_that_is_not_listed_for_a_while_loses_no_day() {
    not_listed_for_a_while(Kind::Details);
}

#[test]
fn nor_does_one_that_is_listed_when_its_bars_are_not_there_for_a_while() {
    not_listed_for_a_while(Kind::History);
}

fn not_listed_for_a_while(asked_for: Kind) {
    let lab = Lab::new(NOW);
    let es = [instrument(Class::Future, "ES")];
    assert_eq!(lab.update(&es, &[Period::D1], "2024-05-20").result(), JobResult::Done);
    lab.gateway.rule(Rule::error(200, UNKNOWN).on(asked_for));
    let unlisted = lab.update(&es, &[Period::D1], "2024-03-04");
    assert_eq!(unlisted.result(), JobResult::Limited, "{unlisted:?}");
    assert!(said(&unlisted).contains("does not list"), "{unlisted:?}");
    // Left alone for a week, and still told.
    lab.gateway.reset_counts();
    lab.set_now("2024-06-06T21:00:00Z");
    assert_eq!(lab.update(&es, &[Period::D1], "2024-03-04").result(), JobResult::Limited);
    assert_eq!((lab.gateway.counts().details, lab.gateway.counts().history.len()), (0, 0));
    lab.gateway.clear_rules();
    lab.set_now("2024-06-13T21:00:00Z");
    let again = lab.update(&es, &[Period::D1], "2024-03-04");
    assert_eq!(again.result(), JobResult::Done, "{again:?}");
    assert!(again.results.len() > 3);
    for result in &again.results {
        assert_same(&lab.bars(&result.key), &lab.truth(&result.key, "2024-03-04"), &result.key);
    }
}

#[test]
fn a_contract_that_is_unknown_once_is_asked_for_again() {
    let lab = Lab::new(NOW);
    lab.gateway.rule(Rule::error(200, UNKNOWN).on(Kind::Details).times(1));
    let summary = lab.update(&aapl(), &[Period::D1], "2024-05-20");
    assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
    assert_eq!(lab.gateway.counts().details, 2);
}

#[test]
fn a_gateway_that_lets_us_in_and_drops_us_is_waited_for_with_growing_pauses() {
    let lab = Lab::new(NOW);
    lab.gateway.rule(Rule::new(Action::HangUp {}).on(Kind::Details).times(3));
    let began = Instant::now();
    let summary = lab.update(&aapl(), &[Period::D1], "2024-05-20");
    assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
    assert!(began.elapsed() >= Duration::from_millis(250 + 500 + 1000), "{:?}", began.elapsed());
    assert_eq!(lab.gateway.counts().connections, 4, "each time once");
}

#[test]
fn a_window_that_is_too_much_is_asked_for_in_pieces() {
    for action in [
        Action::Silent {},
        Action::Error { code: 162, text: "x:API historical data query cancelled: 28".into() },
    ] {
        let mut lab = Lab::new(NOW);
        lab.settings.timeout = 1;
        lab.gateway.rule(Rule::new(action.clone()).times(1));
        let summary = lab.update(&aapl(), &[Period::M1], "2024-05-29");
        assert_eq!(summary.result(), JobResult::Done, "{action:?} {summary:?}");
        let key = &summary.results[0].key;
        assert_same(&lab.bars(key), &lab.truth(key, "2024-05-29"), key);
        let counts = lab.gateway.counts();
        let days = |of: &str| of.trim_end_matches(" D").parse::<u32>().unwrap();
        let asked: Vec<u32> = counts.history.iter().map(|seen| days(&seen.duration)).collect();
        assert!(asked[1..].iter().all(|days| *days < asked[0]), "{action:?}: {asked:?}");
        assert_eq!(counts.violations, []);
    }
}

#[test]
fn a_slow_answer_is_waited_for_and_one_that_is_too_slow_is_not_no_data() {
    const START: &str = "2024-05-01";
    for (timeout, once) in [(20, true), (1, false)] {
        let mut lab = Lab::new(NOW);
        lab.settings.timeout = timeout;
        let late = Rule::new(Action::Delay { milliseconds: 1500 }).times(1);
        lab.gateway.rule(late.clone());
        lab.gateway.rule(late.on(Kind::Details));
        let began = Instant::now();
        let summary = lab.update(&aapl(), &[Period::D1], START);
        assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
        let key = &summary.results[0].key;
        assert_same(&lab.bars(key), &lab.truth(key, START), key);
        let counts = lab.gateway.counts();
        assert_eq!((counts.details == 1, counts.history.len() == 1), (once, once), "{counts:?}");
        assert_eq!(counts.cancels == 0, once, "{counts:?}");
        assert!(
            !once || began.elapsed() >= Duration::from_millis(3000),
            "it was slow: {:?}",
            began.elapsed()
        );
    }
}

#[test]
fn a_number_of_another_company_replaces_nothing() {
    let lab = Lab::new(NOW);
    let both = ["AAPL", "MSFT"].map(|code| instrument(Class::Stock, code));
    lab.update(&both, &[Period::D1], "2024-05-01");
    let of = |code| key(Class::Stock, code, None, Period::D1);
    let before = lab.bars(&of("AAPL"));
    let mut wrong = instrument(Class::Stock, "AAPL");
    wrong.broker.con_id = lab.archive().series(&of("MSFT")).unwrap().unwrap().state.meta.con_id;
    lab.set_now("2024-06-06T21:00:00Z");
    for force in [false, true] {
        let selection = lab.selection(&[wrong.clone()], &[Period::D1], "2024-05-01");
        let summary = lab.run(&Selection { force, ..selection });
        assert!(
            matches!(&summary.results[0].outcome, Outcome::Suspect(why) if why.contains("was the contract")),
            "{summary:?}"
        );
        assert!(lab.bars(&of("AAPL")).same(&before));
    }
}

#[test]
fn data_that_begin_ahead_of_now_begin_nowhere() {
    let lab = Lab::new(NOW);
    let ahead = at("2031-01-02T14:30:00Z");
    lab.gateway.rule(Rule::new(Action::HeadAt { seconds: ahead }).on(Kind::Head));
    let summary = lab.update(&aapl(), &[Period::D1], "2024-01-02");
    assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
    let key = &summary.results[0].key;
    assert_same(&lab.bars(key), &lab.truth(key, "2024-01-02"), key);
}

#[test]
fn who_forces_it_gets_what_lies_before_the_stored_beginning_too() {
    let lab = Lab::new(NOW);
    lab.gateway.rule(Rule::new(Action::HeadAt { seconds: at("2024-05-20T13:30:00Z") }).on(Kind::Head));
    lab.update(&aapl(), &[Period::D1], "2024-01-02");
    let key = key(Class::Stock, "AAPL", None, Period::D1);
    assert!(lab.bars(&key).len() < lab.truth(&key, "2024-05-01").len());
    lab.gateway.clear_rules();
    lab.set_now("2024-06-06T21:00:00Z");
    let selection = lab.selection(&aapl(), &[Period::D1], "2024-01-02");
    let summary = lab.run(&Selection { force: true, ..selection });
    assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
    assert_same(&lab.bars(&key), &lab.truth(&key, "2024-01-02"), &key);
}

fn sent(date: &str, prices: [f64; 4], volume: &str, average: &str, count: i32) -> SentBar {
    SentBar { date: date.into(), prices, volume: volume.into(), average: average.into(), count }
}

#[test]
fn what_is_not_said_becomes_no_number() {
    let lab = Lab::new(NOW);
    let whole = [100.0, 101.0, 99.0, 100.5];
    lab.gateway.serve(
        "AAPL",
        vec![
            sent("20240603", whole, "9223372036854775807", "0", 5),
            sent("20240604", [0.0, 101.0, 99.0, f64::MAX], "1.7976931348623157E308", "100.2", i32::MAX),
            sent("20240605", whole, "0", "0", 0),
        ],
    );
    let summary = lab.update(&aapl(), &[Period::D1], "2024-06-03");
    assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
    let bars = lab.bars(&summary.results[0].key);
    let of = |wanted| column(&bars, wanted);
    assert!(of(Column::Volume)[..2].iter().all(|volume| volume.is_nan()), "{:?}", of(Column::Volume));
    assert_eq!(of(Column::Volume)[2], 0.0, "nothing was traded, and that is said");
    assert!(of(Column::Wap)[0].is_nan() && of(Column::Count)[1].is_nan());
    assert_eq!(of(Column::Wap)[1], 100.2);
    assert!(of(Column::Open)[1].is_nan() && of(Column::Close)[1].is_nan());
    assert_eq!(of(Column::High), [101.0; 3]);
}

#[test]
fn bars_that_no_market_makes_are_told() {
    let lab = Lab::new(NOW);
    let minute = |clock: &str, high: f64| {
        let stamp = at(&format!("2024-06-05T{clock}Z")).to_string();
        sent(&stamp, [100.0, high, 99.0, 100.5], "10", "100", 2)
    };
    lab.gateway.serve(
        "AAPL",
        vec![
            minute("14:30:00", 101.0),
            minute("14:30:00", 102.0),
            minute("14:31:17", 101.0),
            minute("14:32:00", 90.0),
        ],
    );
    let summary = lab.update(&aapl(), &[Period::M1], "2024-06-05");
    let told = said(&summary);
    for words in
        ["1 of the bars came twice", "1 of the bars left out, beginning", "1 of the bars kept as they are"]
    {
        assert!(told.contains(words), "no {words:?} in {told}");
    }
    let bars = lab.bars(&summary.results[0].key);
    assert_eq!(column(&bars, Column::High), [102.0, 90.0]);
}
