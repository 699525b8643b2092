//! Rarer things that would bend an archive, each really done: small splits, renamed codes, chunks, long
//! holidays, refusals of a whole provider.

mod support;
mod yahoo_server;

use support::{Lab, at, day};
use vortex::download::{JobResult, Outcome, Selection};
use vortex::model::{Column, Instrument, Mark, Period};
use yahoo_server::rules::{Action, Rule};

const START: &str = "2023-01-03";

fn split(ratio: f64, date: &str) -> Rule {
    Rule::new(Action::Split { day: date.to_owned(), ratio, at: at(&format!("{date}T14:00:00Z")) })
}

/// The daily series of an instrument that a person calls X.
fn named(lab: &Lab, code: &str) -> Selection {
    Selection {
        instruments: vec![Instrument { name: "X".to_owned(), ..Instrument::of_code(code) }],
        ..lab.selection(&["X"], &[Period::D1], START)
    }
}

fn closes(lab: &Lab, symbol: &str, period: Period) -> Vec<f64> {
    lab.bars(symbol, period).column(Column::Close).unwrap().to_vec()
}

#[test]
fn a_small_split_out_of_reach_is_applied_once() {
    let lab = Lab::new("2024-01-10T22:00:00Z");
    lab.update(&["S0001"], Period::M5, "2023-12-01");
    let before = closes(&lab, "S0001", Period::M5);
    lab.server.rule(split(1.05, "2024-03-12"));
    lab.set_now("2024-06-13T22:00:00Z");
    // The first try learns of the split and ends before it has any new bar.
    let mut refused = Rule::new(Action::Reply { status: 500, body: String::new() }).symbol("S0001");
    refused.interval = Some("5m".to_owned());
    lab.server.rule(refused);
    lab.update(&["S0001"], Period::M5, "2023-12-01");
    lab.server.clear_rules();
    lab.throttle().reset("yahoo").unwrap();
    lab.server.rule(split(1.05, "2024-03-12"));
    lab.update(&["S0001"], Period::M5, "2023-12-01");
    let after = closes(&lab, "S0001", Period::M5);
    assert!(before.iter().zip(&after).all(|(old, new)| (old / new - 1.05).abs() < 1e-9));
}

#[test]
fn chunks_of_a_person_meet_what_is_stored() {
    let lab = Lab::new("2024-03-08T22:00:00Z");
    lab.update(&["S0001"], Period::D1, START);
    lab.server.rule(split(4.0, "2024-03-12"));
    lab.set_now("2024-03-28T22:00:00Z");
    let selection = Selection {
        chunk: Some(7),
        end: Some(day("2024-03-11")),
        ..lab.selection(&["S0001"], &[Period::D1], START)
    };
    assert_eq!(lab.run(&selection, lab.yahoo()).result(), JobResult::Done);
    let closes = closes(&lab, "S0001", Period::D1);
    assert!(closes.windows(2).all(|pair| (0.5..2.0).contains(&(pair[1] / pair[0]))));
}

#[test]
fn a_gap_wider_than_a_request_is_bridged_by_the_daily_series() {
    let lab = Lab::new("2024-02-23T22:00:00Z");
    for date in ["2024-02-26", "2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01", "2024-03-04"] {
        lab.server.rule(Rule::new(Action::DropSession { day: date.to_owned(), until: None }));
    }
    lab.update(&["S0001"], Period::M1, "2024-02-12");
    let before = closes(&lab, "S0001", Period::M1);
    lab.set_now("2024-03-04T22:00:00Z");
    lab.update(&["S0001"], Period::M1, "2024-02-12");
    lab.server.rule(split(4.0, "2024-03-05"));
    lab.set_now("2024-03-14T22:00:00Z");
    let summary = lab.update(&["S0001"], Period::M1, "2024-02-12");
    assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
    let after = closes(&lab, "S0001", Period::M1);
    assert!(before.iter().zip(&after).all(|(old, new)| (old / new - 4.0).abs() < 1e-3));
    assert!(after.windows(2).all(|pair| (0.5..2.0).contains(&(pair[1] / pair[0]))));
}

#[test]
fn a_name_that_gets_another_code_is_not_filled_with_another_instrument() {
    let lab = Lab::new("2024-03-08T22:00:00Z");
    lab.run(&named(&lab, "AAPL"), lab.yahoo());
    let before = lab.bars("X", Period::D1);
    lab.set_now("2024-03-11T22:00:00Z");
    let summary = lab.run(&named(&lab, "MSFT"), lab.yahoo());
    assert!(
        matches!(&summary.results[0].outcome, Outcome::Suspect(why) if why.contains("X was AAPL and is MSFT now"))
    );
    assert!(lab.bars("X", Period::D1).same(&before));
}

#[test]
fn a_weekly_series_is_restated_once_for_a_split_in_mid_week() {
    let lab = Lab::new("2024-03-11T12:00:00Z");
    lab.update(&["S0001"], Period::W1, START);
    lab.server.rule(split(4.0, "2024-03-13"));
    lab.set_now("2024-03-18T12:00:00Z");
    assert!(lab.update(&["S0001"], Period::W1, START).results[0].changed > 0);
    lab.set_now("2024-03-25T12:00:00Z");
    let summary = lab.update(&["S0001"], Period::W1, START);
    assert_eq!((summary.results[0].added, summary.results[0].changed), (1, 0), "{summary:?}");
    assert_eq!(summary.results[0].requests, 1, "the split of last week is no news");
    assert_eq!(lab.archive().revisions(None).unwrap().len(), 1);
}

#[test]
fn a_provider_that_wants_a_person_is_asked_once() {
    let lab = Lab::new("2024-03-11T22:00:00Z");
    lab.server.rule(Rule::new(Action::Reply { status: 403, body: "<html>no</html>".to_owned() }));
    let symbols: Vec<String> = (0..40).map(|n| format!("S{n:04}")).collect();
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let summary = lab.update(&symbols, Period::D1, START);
    assert_eq!(summary.result(), JobResult::Failed);
    assert_eq!(summary.results.len(), 40);
    assert!(lab.requests() <= 4, "{}", lab.requests());
    assert!(lab.archive().all_series().unwrap().is_empty(), "nothing is written of it");
}

#[test]
fn a_window_older_than_the_provider_reaches_is_clamped_at_once() {
    let lab = Lab::new("2024-03-11T22:00:00Z");
    let body = r#"{"chart":{"result":null,"error":{"code":"Unprocessable Entity","description":"5m data not available for startTime=1 and endTime=2. The requested range must be within the last 30 days."}}}"#;
    let reply = Action::Reply { status: 422, body: body.to_owned() };
    lab.server.rule(Rule::new(reply).times(1));
    let summary = lab.update(&["AAPL"], Period::M5, "2024-01-20");
    assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
    assert!(lab.requests() <= 3, "{}", lab.requests());
    let coverage = lab.record("AAPL", Period::M5).state.coverage;
    assert_eq!(coverage.get(day("2024-01-25")), Mark::TooOld);
    lab.server.reset_counts();
    lab.update(&["AAPL"], Period::M5, "2024-01-20");
    assert_eq!(lab.requests(), 0);
}

#[test]
fn a_file_that_is_gone_is_named_with_its_remedy_and_costs_no_request() {
    let lab = Lab::new("2024-03-08T22:00:00Z");
    lab.update(&["AAPL", "MSFT"], Period::D1, START);
    std::fs::remove_file(lab.root().join("yahoo/stocks/1d/AAPL.csv")).unwrap();
    lab.set_now("2024-03-11T22:00:00Z");
    lab.server.reset_counts();
    let summary = lab.update(&["AAPL", "MSFT"], Period::D1, START);
    assert_eq!(summary.result(), JobResult::Partial);
    assert!(summary.results[0].outcome.reason().unwrap().contains("vortex validate --fix"));
    assert_eq!(lab.requests(), 1);
}

#[test]
fn a_code_that_changed_is_judged_also_after_a_failed_run() {
    let lab = Lab::new("2024-03-08T22:00:00Z");
    lab.run(&named(&lab, "AAPL"), lab.yahoo());
    let before = lab.bars("X", Period::D1);
    lab.set_now("2024-03-11T22:00:00Z");
    lab.server.rule(Rule::new(Action::Truncate { bytes: 50 }).times(1));
    assert_eq!(lab.run(&named(&lab, "MSFT"), lab.yahoo()).result(), JobResult::Failed);
    let summary = lab.run(&named(&lab, "MSFT"), lab.yahoo());
    assert!(matches!(summary.results[0].outcome, Outcome::Suspect(_)), "{summary:?}");
    assert!(lab.bars("X", Period::D1).same(&before));
}

#[test]
fn a_split_in_the_newest_window_beyond_a_wide_gap_is_bridged() {
    let lab = Lab::new("2024-03-08T22:00:00Z");
    lab.update(&["S0001"], Period::M1, "2024-02-26");
    let before = closes(&lab, "S0001", Period::M1);
    lab.server.rule(split(4.0, "2024-05-07"));
    lab.set_now("2024-05-10T22:00:00Z");
    let summary = lab.update(&["S0001"], Period::M1, "2024-02-26");
    assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
    let after = closes(&lab, "S0001", Period::M1);
    assert!(before.iter().zip(&after).all(|(old, new)| (old / new - 4.0).abs() < 1e-3));
    assert!(after.len() > before.len());
}

#[test]
fn damage_that_is_out_of_reach_is_told_as_such_and_not_for_ever() {
    let lab = Lab::new("2024-03-08T22:00:00Z");
    lab.update(&["S0001"], Period::M1, "2024-02-12");
    for name in ["2024-02.csv", "2024-02.parquet"] {
        std::fs::write(lab.root().join("yahoo/stocks/1m/S0001").join(name), "damaged").unwrap();
    }
    lab.archive().write("test").unwrap().repair(None, &mut |_| ()).unwrap();
    lab.set_now("2024-03-22T22:00:00Z");
    let summary = lab.update(&["S0001"], Period::M1, "2024-02-12");
    assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
    let state = lab.record("S0001", Period::M1).state;
    assert_eq!(state.coverage.get(day("2024-02-13")), Mark::OutOfReach);
    assert_eq!(state.coverage.get(day("2024-02-28")), Mark::Present);
    assert_eq!(state.suspect, None);
    assert_eq!(lab.archive().revisions(None).unwrap().len(), 1, "the damaged file is kept once");
}

#[test]
fn a_gap_at_the_end_is_due_at_once() {
    let lab = Lab::new("2024-03-08T22:00:00Z");
    lab.update(&["AAPL"], Period::D1, START);
    let csv = lab.root().join("yahoo/stocks/1d/AAPL.csv");
    let whole = std::fs::read_to_string(&csv).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    std::fs::write(&csv, lines[..lines.len() - 5].join("\n") + "\n").unwrap();
    lab.archive().write("test").unwrap().rebuild(Some("AAPL")).unwrap();
    lab.update(&["AAPL"], Period::D1, START);
    assert_eq!(std::fs::read_to_string(&csv).unwrap(), whole);
}

#[test]
fn a_restatement_begins_where_the_series_begins() {
    let lab = Lab::new("2024-03-08T22:00:00Z");
    for period in [Period::D1, Period::W1] {
        lab.update(&["S0001"], period, "2023-06-15");
    }
    let first = |period| lab.record("S0001", period).first;
    let before = (first(Period::D1), first(Period::W1));
    lab.server.rule(split(4.0, "2024-03-12"));
    lab.set_now("2024-03-18T22:00:00Z");
    for period in [Period::D1, Period::W1] {
        assert!(lab.update(&["S0001"], period, "2023-06-15").results[0].changed > 0);
    }
    assert_eq!((first(Period::D1), first(Period::W1)), before);
}

#[test]
fn a_long_bar_is_compared_also_where_a_request_begins_inside_it() {
    let lab = Lab::new("2024-03-08T22:00:00Z");
    lab.update(&["AAPL"], Period::Mo1, START);
    let selection = Selection {
        force: true,
        chunk: Some(3),
        end: Some(day("2023-12-20")),
        ..lab.selection(&["AAPL"], &[Period::Mo1], "2023-12-05")
    };
    let summary = lab.run(&selection, lab.yahoo());
    assert_eq!((summary.results[0].added, summary.results[0].changed), (0, 0), "{summary:?}");
}

#[test]
fn a_series_of_which_nothing_is_known_is_asked_for_again() {
    let lab = Lab::new("2024-03-08T22:00:00Z");
    let body = r#"{"chart":{"result":null,"error":{"code":"Bad Request","description":"Data doesn't exist for startDate = 1, endDate = 2"}}}"#;
    lab.server.rule(Rule::new(Action::Reply { status: 400, body: body.to_owned() }).times(1));
    let summary = lab.update(&["AAPL"], Period::H1, "2024-01-02");
    assert!(summary.results[0].notes[0].contains("no bars there"), "{summary:?}");
    lab.server.reset_counts();
    lab.update(&["AAPL"], Period::H1, "2024-01-02");
    assert_eq!(lab.requests(), 0, "not at once");
    lab.set_now("2024-03-09T23:00:00Z");
    lab.update(&["AAPL"], Period::H1, "2024-01-02");
    assert!(lab.bars("AAPL", Period::H1).len() > 300);
}
