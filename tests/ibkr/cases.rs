//! What a gateway does, one thing at a time.

use vortex::download::{JobResult, Outcome, Selection};
use vortex::model::{Class, Column, Contract, Period};
use vortex::provider::sample::listing::UNKNOWN_PREFIX;

use crate::ibkr_gateway::stamps::Zone;
use crate::ibkr_gateway::{Action, Kind, Options, Rule};
use crate::lab::{Lab, assert_same, column, instrument, key};

const NOW: &str = "2024-06-05T21:00:00Z";
const SERVICE: &str = "Historical Market Data Service error message";

fn stock(code: &str) -> [vortex::model::Instrument; 1] {
    [instrument(Class::Stock, code)]
}

fn outcome(summary: &vortex::download::Summary) -> String {
    summary.results.iter().map(|result| format!("{:?}\n", result.outcome)).collect()
}

#[test]
fn every_period_is_as_the_gateway_has_it() {
    let lab = Lab::new(NOW);
    let all = [instrument(Class::Stock, "AAPL"), instrument(Class::Forex, "EURUSD")];
    let periods: Vec<Period> = Period::ALL.into_iter().filter(|period| *period != Period::Mo3).collect();
    let start = "2024-05-20";
    let summary = lab.update(&all, &periods, start);
    assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
    for result in &summary.results {
        let first = result.key.period.bar_day(crate::lab::day(start)).to_string();
        assert_same(&lab.bars(&result.key), &lab.truth(&result.key, &first), &result.key);
    }
    assert_eq!(lab.gateway.counts().violations, []);
}

#[test]
fn quarters_are_made_of_months() {
    let lab = Lab::new(NOW);
    lab.update(&stock("AAPL"), &[Period::Mo1, Period::Mo3], "2022-01-03");
    let of = |period| lab.bars(&key(Class::Stock, "AAPL", None, period));
    let (months, quarters) = (of(Period::Mo1), of(Period::Mo3));
    assert_eq!((months.len(), quarters.len()), (29, 9), "those that are over");
    let volumes = column(&months, Column::Volume);
    assert_eq!(column(&quarters, Column::Volume)[0], volumes[..3].iter().sum::<f64>());
    assert_eq!(column(&quarters, Column::Open)[0], column(&months, Column::Open)[0]);
    assert_eq!(column(&quarters, Column::Close)[0], column(&months, Column::Close)[2]);
}

#[test]
fn answers_in_pieces_and_with_notices_between_are_whole() {
    for action in [
        Action::Split { bytes: 7 },
        Action::Together {},
        Action::NoticeBetween { code: 2106, text: "HMDS data farm connection is OK:ushmds".into() },
        Action::NoticeBefore { code: 165, text: "Historical Market Data Service query message".into() },
        Action::EndInUtc {},
        Action::EndInZone { name: "Brasilia Standard Time".into() },
    ] {
        let lab = Lab::new(NOW);
        let ends_the_request = matches!(&action, Action::NoticeBefore { .. });
        let rule = Rule::new(action.clone());
        lab.gateway.rule(if ends_the_request { rule.times(1) } else { rule });
        let summary = lab.update(&stock("AAPL"), &[Period::D1], "2024-01-02");
        assert_eq!(summary.result(), JobResult::Done, "{action:?}: {summary:?}");
        let key = &summary.results[0].key;
        assert_same(&lab.bars(key), &lab.truth(key, "2024-01-02"), key);
    }
}

#[test]
fn volumes_may_have_decimals() {
    let lab = Lab::with(NOW, Options { end_zone: Zone::Utc, ..Options::default() });
    lab.gateway.rule(Rule::new(Action::Fractions {}));
    lab.update(&stock("AAPL"), &[Period::M30], "2024-06-03");
    let volumes = column(&lab.bars(&key(Class::Stock, "AAPL", None, Period::M30)), Column::Volume);
    assert!(volumes.iter().any(|volume| volume.fract() != 0.0), "{volumes:?}");
}

#[test]
fn a_silent_gateway_has_not_said_that_there_is_nothing() {
    let mut lab = Lab::new(NOW);
    lab.settings.timeout = 1;
    for action in [Action::Silent {}, Action::NoEnd {}] {
        lab.gateway.clear_rules();
        lab.gateway.rule(Rule::new(action));
        let summary = lab.update(&stock("AAPL"), &[Period::D1], "2024-05-01");
        assert_eq!(summary.result(), JobResult::Limited, "{summary:?}");
        assert!(outcome(&summary).contains("no answer within 1 seconds"), "{summary:?}");
        assert!(lab.archive().series(&summary.results[0].key).unwrap().is_none(), "nothing is known");
    }
    lab.gateway.clear_rules();
    let summary = lab.update(&stock("AAPL"), &[Period::D1], "2024-05-01");
    assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
    assert_eq!(lab.gateway.counts().violations, []);
}

#[test]
fn a_window_without_data_is_no_error_whatever_the_language() {
    for prefix in [SERVICE, "Mensaje de error de los servicios de datos"] {
        let lab = Lab::with(NOW, Options { prefix: prefix.to_owned(), ..Options::default() });
        let text = format!("{prefix}:HMDS query returned no data: AAPL@SMART Trades");
        lab.gateway.rule(Rule::error(162, &text).times(1));
        let summary = lab.update(&stock("AAPL"), &[Period::D1], "2024-05-01");
        assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
    }
}

#[test]
fn what_the_account_may_not_have_or_the_broker_not_knows_ends_that_contract_alone() {
    let lab = Lab::new(NOW);
    let no = format!("{SERVICE}:No market data permissions for NASDAQ STK");
    lab.gateway.rule(Rule::error(162, &no).symbol("S0001"));
    let all = ["S0001", &format!("{UNKNOWN_PREFIX}X"), "AAPL"].map(|code| instrument(Class::Stock, code));
    let summary = lab.update(&all, &[Period::D1], "2024-05-01");
    assert_eq!(summary.result(), JobResult::Partial);
    let said = outcome(&summary);
    assert!(
        said.contains("subscription") && said.contains("check `code`") && said.contains("Done"),
        "{said}"
    );
}

#[test]
fn a_future_that_expired_long_ago_is_out_of_reach_and_not_asked_again() {
    let lab = Lab::new(NOW);
    let selection = lab.selection(&[instrument(Class::Future, "ES")], &[Period::D1], "2021-06-10");
    let summary = lab.run(&selection);
    assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
    let of = |year, month| key(Class::Future, "ES", Some(Contract { year, month }), Period::D1);
    assert_same(&lab.bars(&of(2023, 3)), &lab.truth(&of(2023, 3), "2022-04-05"), &of(2023, 3));
    lab.gateway.reset_counts();
    assert_eq!(lab.run(&selection).result(), JobResult::Done);
    let counts = lab.gateway.counts();
    assert_eq!((counts.history.len(), counts.details), (0, 0));
}

#[test]
fn an_ambiguous_contract_is_told_with_what_to_add() {
    let lab = Lab::new(NOW);
    let mut gold = instrument(Class::Stock, "AAPL");
    gold.broker.currency = Some("EUR".to_owned());
    let summary = lab.update(&[gold], &[Period::D1], "2024-05-01");
    assert!(outcome(&summary).contains("stock.AAPL"), "{summary:?}");
}

#[test]
fn what_was_found_once_is_meant_for_good() {
    let lab = Lab::new(NOW);
    lab.update(&stock("AAPL"), &[Period::D1], "2024-05-01");
    let record = lab.archive().series(&key(Class::Stock, "AAPL", None, Period::D1)).unwrap().unwrap();
    let number = record.state.meta.con_id.unwrap();
    assert!(number > 0);
    assert_eq!(record.state.meta.exchange.as_deref(), Some("NASDAQ"));
    assert_eq!(record.state.meta.zone.as_deref(), Some("America/New_York"));
    let mut euros = instrument(Class::Stock, "AAPL");
    euros.broker.currency = Some("EUR".to_owned());
    lab.set_now("2024-06-06T21:00:00Z");
    let summary = lab.update(&[euros], &[Period::D1], "2024-05-01");
    let said = outcome(&summary);
    assert!(said.contains(&format!("conId {number}")) && said.contains("another name"), "{said}");
}

#[test]
fn a_change_of_unit_is_refused_with_words() {
    let lab = Lab::new(NOW);
    lab.update(&stock("AAPL"), &[Period::D1], "2024-05-01");
    let key = key(Class::Stock, "AAPL", None, Period::D1);
    let before = lab.bars(&key);
    lab.set_now("2024-06-06T21:00:00Z");
    lab.gateway.rule(Rule::new(Action::Scale { factor: 0.01 }));
    let summary = lab.update(&stock("AAPL"), &[Period::D1], "2024-05-01");
    assert!(
        matches!(&summary.results[0].outcome, Outcome::Suspect(why) if why.contains("100 times") && why.contains("unit")),
        "{summary:?}"
    );
    assert!(lab.bars(&key).same(&before), "nothing is changed");
    // Whoever knows better takes it as it is.
    let forced = Selection { force: true, ..lab.selection(&stock("AAPL"), &[Period::D1], "2024-05-01") };
    assert_eq!(lab.run(&forced).result(), JobResult::Done);
    assert_eq!(lab.bars(&key).len(), before.len() + 1);
}

#[test]
fn the_gateways_nightly_restart_is_waited_for() {
    for action in [
        Action::Restart { milliseconds: 700 },
        Action::Outage { milliseconds: 300, code: 1101 },
        Action::Outage { milliseconds: 300, code: 1102 },
        Action::HangUp {},
        Action::CloseAfter { bytes: 300 },
    ] {
        let lab = Lab::new(NOW);
        lab.gateway.rule(Rule::new(action.clone()).skip(1).times(1));
        let all = ["AAPL", "MSFT", "SPY"].map(|code| instrument(Class::Stock, code));
        let summary = lab.update(&all, &[Period::D1, Period::H1], "2024-05-20");
        assert_eq!(summary.result(), JobResult::Done, "{action:?}: {summary:?}");
        for result in &summary.results {
            assert_same(&lab.bars(&result.key), &lab.truth(&result.key, "2024-05-20"), &result.key);
        }
        assert_eq!(lab.gateway.counts().violations, [], "{action:?}");
    }
}

#[test]
fn bid_and_ask_count_twice() {
    let mut lab = Lab::new(NOW);
    lab.settings.what_to_show = Some("BID_ASK".to_owned());
    let many: Vec<_> = (1..=40).map(|at| instrument(Class::Stock, &format!("S{at:04}"))).collect();
    let summary = lab.update(&many, &[Period::D1], "2024-06-03");
    assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
    let counts = lab.gateway.counts();
    assert_eq!(counts.violations, []);
    assert!(counts.ten_minutes_most <= 60, "{counts:?}");
}

#[test]
fn nothing_is_asked_for_before_the_brokers_data_begin() {
    let lab = Lab::new(NOW);
    // Listed in the sample market since 2020.
    let summary = lab.update(&stock("AAPL"), &[Period::D1], "1970-01-02");
    assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
    let counts = lab.gateway.counts();
    assert_eq!(counts.heads, 1);
    let record = lab.archive().series(&summary.results[0].key).unwrap().unwrap();
    assert!(record.state.first_day.is_some());
}

#[test]
fn adjusted_prices_are_for_longer_bars() {
    let mut lab = Lab::new(NOW);
    lab.settings.what_to_show = Some("ADJUSTED_LAST".to_owned());
    let summary = lab.update(&stock("AAPL"), &[Period::D1, Period::H1], "2023-01-03");
    let said = outcome(&summary);
    assert!(said.contains("Done") && said.contains("ADJUSTED_LAST is given up to now alone"), "{said}");
    assert!(lab.gateway.counts().history.iter().all(|seen| seen.end.is_empty()));
}

#[test]
fn a_head_that_is_not_told_is_done_without() {
    let lab = Lab::new(NOW);
    lab.gateway.rule(Rule::error(162, "x:No head time stamp").on(Kind::Head));
    let summary = lab.update(&stock("AAPL"), &[Period::D1], "2023-01-03");
    assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
}
