//! The traps that download scripts fall into, each with the bad thing really done by the server.

mod support;
mod yahoo_server;

use support::{Lab, at, day};
use vortex::archive::Archive;
use vortex::download::{JobResult, Outcome, Selection};
use vortex::model::{Column, Mark, Period};
use yahoo_server::rules::{Action, Rule};

const START: &str = "2023-01-03";

/// Generic stocks of the sample market, on one exchange.
const STOCKS: [&str; 3] = ["AAPL", "MSFT", "SPY"];

fn files(archive: &Archive) -> Vec<(std::path::PathBuf, std::time::SystemTime)> {
    fn walk(folder: &std::path::Path, found: &mut Vec<(std::path::PathBuf, std::time::SystemTime)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), found);
            } else {
                found.push((entry.path(), entry.metadata().unwrap().modified().unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    walk(&archive.root().join("yahoo"), &mut found);
    found.sort();
    found
}

#[test]
fn after_a_split_no_series_has_two_scales() {
    let lab = Lab::new("2024-03-08T22:00:00Z");
    lab.update(&["S0001"], Period::D1, START);
    let before = lab.bars("S0001", Period::D1);
    lab.server.rule(Rule::new(Action::Split {
        day: "2024-03-12".to_owned(),
        ratio: 4.0,
        at: at("2024-03-12T14:00:00Z"),
    }));
    lab.set_now("2024-03-13T22:00:00Z");
    let summary = lab.update(&["S0001"], Period::D1, START);
    assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
    let after = lab.bars("S0001", Period::D1);
    assert_eq!(after.len(), before.len() + 3);
    let (old, new) = (before.column(Column::Close).unwrap(), after.column(Column::Close).unwrap());
    for (at, (old, new)) in old.iter().zip(new).enumerate() {
        assert!((old / new - 4.0).abs() < 1e-4, "bar {at}: {old} and {new}");
    }
    let jumps = new.windows(2).filter(|pair| !(0.5..2.0).contains(&(pair[1] / pair[0]))).count();
    assert_eq!(jumps, 0);
    let revisions = lab.archive().revisions(Some(&lab.key("S0001", Period::D1))).unwrap();
    assert_eq!(revisions.len(), 1, "the old values are kept");
}

#[test]
fn a_split_that_is_listed_but_not_in_the_prices_changes_nothing_until_forced() {
    let lab = Lab::new("2024-03-08T22:00:00Z");
    lab.update(&["S0001"], Period::D1, START);
    let before = lab.bars("S0001", Period::D1);
    let rescaled = at("2024-03-16T00:00:00Z");
    lab.server.rule(Rule::new(Action::Split { day: "2024-03-12".to_owned(), ratio: 4.0, at: rescaled }));
    lab.set_now("2024-03-13T22:00:00Z");
    let summary = lab.update(&["S0001"], Period::D1, START);
    assert_eq!(summary.result(), JobResult::Partial);
    assert!(
        matches!(&summary.results[0].outcome, Outcome::Suspect(why) if why.contains("--force")),
        "{summary:?}"
    );
    assert!(lab.bars("S0001", Period::D1).same(&before));
    lab.set_now("2024-03-18T22:00:00Z");
    lab.server.reset_counts();
    assert_eq!(lab.update(&["S0001"], Period::D1, START).result(), JobResult::Partial, "still suspect");
    assert_eq!(lab.requests(), 0);
    assert_eq!(lab.force("S0001", Period::D1, START).result(), JobResult::Done);
    assert_eq!(lab.bars("S0001", Period::D1).len(), before.len() + 6);
    assert_eq!(lab.update(&["S0001"], Period::D1, START).result(), JobResult::Done);
}

#[test]
fn an_old_last_bar_is_not_complete_for_ever() {
    let lab = Lab::new("2023-06-02T22:00:00Z");
    lab.update(&STOCKS, Period::D1, START);
    // Months without a run, and a newest stored bar of long ago.
    lab.set_now("2024-03-13T22:00:00Z");
    lab.update(&STOCKS, Period::D1, START);
    let bars = lab.bars("AAPL", Period::D1);
    assert_eq!(bars.bounds().unwrap().1, day("2024-03-13").midnight());
    let straight = Lab::new("2024-03-13T22:00:00Z");
    straight.update(&STOCKS, Period::D1, START);
    assert_eq!(straight.bars("AAPL", Period::D1).times, bars.times);
}

#[test]
fn two_disjoint_spans_are_joined_and_never_replace_each_other() {
    let lab = Lab::new("2024-03-13T22:00:00Z");
    let spans = [("2024-02-20", "2024-02-23"), ("2024-03-11", "2024-03-13"), ("2024-03-04", "2024-03-04")];
    for (start, end) in spans {
        let selection = Selection { end: Some(day(end)), ..lab.selection(&["AAPL"], &[Period::M1], start) };
        assert_eq!(lab.run(&selection, lab.yahoo()).result(), JobResult::Done);
    }
    let days = lab.bars("AAPL", Period::M1).utc_days();
    for (date, stored) in [("2024-02-21", true), ("2024-02-27", false), ("2024-03-12", true)] {
        assert_eq!(days.contains(&day(date)), stored, "{date}");
    }
    lab.update(&["AAPL"], Period::M1, "2024-02-20");
    let straight = Lab::new("2024-03-13T22:00:00Z");
    straight.update(&["AAPL"], Period::M1, "2024-02-20");
    assert!(straight.bars("AAPL", Period::M1).same(&lab.bars("AAPL", Period::M1)));
}

#[test]
fn a_daily_gap_is_filled_by_the_request_that_reaches_over_it() {
    let lab = Lab::new("2024-03-13T22:00:00Z");
    let early = Selection { end: Some(day("2023-03-31")), ..lab.selection(&["AAPL"], &[Period::D1], START) };
    lab.run(&early, lab.yahoo());
    lab.server.reset_counts();
    lab.update(&["AAPL"], Period::D1, "2024-01-02");
    assert_eq!(lab.requests(), 1);
    let straight = Lab::new("2024-03-13T22:00:00Z");
    straight.update(&["AAPL"], Period::D1, START);
    assert!(straight.bars("AAPL", Period::D1).same(&lab.bars("AAPL", Period::D1)));
}

#[test]
fn a_file_is_never_written_in_place() {
    use std::io::Read;
    let lab = Lab::new("2024-03-12T22:00:00Z");
    lab.update(&["AAPL"], Period::D1, START);
    let csv = lab.root().join("yahoo/stocks/1d/AAPL.csv");
    let whole = std::fs::read(&csv).unwrap();
    // A reader that opened the file before the update reads the old version to its end.
    let mut reader = std::fs::File::open(&csv).unwrap();
    let mut seen = vec![0; 100];
    reader.read_exact(&mut seen).unwrap();
    lab.set_now("2024-03-13T22:00:00Z");
    lab.update(&["AAPL"], Period::D1, START);
    reader.read_to_end(&mut seen).unwrap();
    assert_eq!(seen, whole);
    assert!(std::fs::read(&csv).unwrap().len() > whole.len());
    assert_eq!(std::fs::read_dir(lab.root().join(".vortex/tmp")).unwrap().count(), 0);
}

#[test]
fn a_session_of_nulls_is_filled_when_it_comes() {
    let lab = Lab::new("2024-03-12T22:00:00Z");
    let comes = at("2024-03-14T12:00:00Z");
    let null = Action::NullSession { day: "2024-03-12".to_owned(), until: Some(comes) };
    lab.server.rule(Rule::new(null).symbol("AAPL"));
    lab.update(&STOCKS, Period::D1, START);
    assert_eq!(lab.close("AAPL", "2024-03-12"), None);
    assert_eq!(lab.record("AAPL", Period::D1).state.coverage.get(day("2024-03-12")), Mark::EmptySession);
    lab.set_now("2024-03-13T22:00:00Z");
    lab.update(&STOCKS, Period::D1, START);
    assert!(lab.close("AAPL", "2024-03-13").is_some(), "later sessions are stored meanwhile");
    assert_eq!(lab.close("AAPL", "2024-03-12"), None);
    lab.set_now("2024-03-14T22:00:00Z");
    lab.update(&STOCKS, Period::D1, START);
    assert!(lab.close("AAPL", "2024-03-12").is_some());
    let straight = Lab::new("2024-03-14T22:00:00Z");
    straight.update(&STOCKS, Period::D1, START);
    assert!(straight.bars("AAPL", Period::D1).same(&lab.bars("AAPL", Period::D1)));
}

#[test]
fn a_session_of_nulls_is_waited_for_beyond_the_overlap() {
    let lab = Lab::new("2024-03-12T22:00:00Z");
    let comes = at("2024-04-04T12:00:00Z");
    let null = Action::NullSession { day: "2024-03-12".to_owned(), until: Some(comes) };
    lab.server.rule(Rule::new(null).symbol("AAPL"));
    for now in ["2024-03-12T22:00:00Z", "2024-03-19T22:00:00Z", "2024-04-03T22:00:00Z"] {
        lab.set_now(now);
        lab.update(&STOCKS, Period::D1, START);
        assert_eq!(lab.close("AAPL", "2024-03-12"), None, "{now}");
    }
    lab.set_now("2024-04-04T22:00:00Z");
    lab.update(&STOCKS, Period::D1, START);
    assert!(lab.close("AAPL", "2024-03-12").is_some());
}

#[test]
fn a_session_that_is_missing_altogether_is_known_from_the_other_series() {
    let lab = Lab::new("2024-03-13T22:00:00Z");
    let comes = at("2024-03-14T12:00:00Z");
    let dropped = Action::DropSession { day: "2024-03-12".to_owned(), until: Some(comes) };
    lab.server.rule(Rule::new(dropped).symbol("AAPL"));
    lab.update(&STOCKS, Period::D1, START);
    assert_eq!(lab.close("AAPL", "2024-03-12"), None);
    lab.set_now("2024-03-14T22:00:00Z");
    lab.update(&STOCKS, Period::D1, START);
    assert!(lab.close("AAPL", "2024-03-12").is_some());
}

#[test]
fn a_refusal_is_never_taken_for_a_delisting() {
    let lab = Lab::new("2024-03-12T22:00:00Z");
    lab.update(&["AAPL"], Period::D1, START);
    let before = lab.bars("AAPL", Period::D1);
    lab.set_now("2024-03-13T22:00:00Z");
    let html = "<html><body>Forbidden: symbol may be delisted</body></html>";
    for status in [403, 404, 500] {
        lab.server.clear_rules();
        lab.server.rule(Rule::new(Action::Reply { status, body: html.to_owned() }));
        let summary = lab.update(&["AAPL"], Period::D1, START);
        assert_ne!(summary.result(), JobResult::Done, "{status}");
        let failure = lab.record("AAPL", Period::D1).state.failure;
        assert!(failure.is_none_or(|failure| !failure.unknown), "{status}");
        assert!(lab.bars("AAPL", Period::D1).same(&before));
    }
    lab.server.clear_rules();
    lab.server.rule(Rule::new(Action::too_many_requests()).times(1));
    let summary = lab.update(&["AAPL", "MSFT"], Period::D1, START);
    assert_eq!(summary.result(), JobResult::Limited);
    // The cool-down holds over a restart: nothing is asked.
    lab.server.reset_counts();
    assert_eq!(lab.update(&["AAPL", "MSFT"], Period::D1, START).result(), JobResult::Limited);
    assert_eq!(lab.requests(), 0);
    lab.throttle().reset("yahoo").unwrap();
    let summary = lab.update(&["AAPL", "MSFT"], Period::D1, START);
    assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
    assert_eq!(lab.bars("AAPL", Period::D1).len(), before.len() + 1);
}

#[test]
fn a_run_with_nothing_new_asks_nothing_and_touches_no_file() {
    let lab = Lab::new("2024-03-13T22:00:00Z");
    lab.update(&STOCKS, Period::D1, START);
    lab.update(&STOCKS, Period::M5, START);
    let before = files(&lab.archive());
    lab.server.reset_counts();
    for now in ["2024-03-13T22:00:01Z", "2024-03-14T03:00:00Z", "2024-03-14T13:00:00Z"] {
        lab.set_now(now);
        assert_eq!(lab.update(&STOCKS, Period::D1, START).result(), JobResult::Done);
        assert_eq!(lab.update(&STOCKS, Period::M5, START).result(), JobResult::Done);
    }
    assert_eq!(lab.requests(), 0);
    assert_eq!(files(&lab.archive()), before);
}

#[test]
fn an_update_touches_only_the_partitions_with_new_bars() {
    let lab = Lab::new("2024-03-28T22:00:00Z");
    lab.update(&["AAPL"], Period::M5, START);
    let before = files(&lab.archive());
    lab.set_now("2024-04-02T22:00:00Z");
    lab.update(&["AAPL"], Period::M5, START);
    let after = files(&lab.archive());
    let touched: Vec<_> = after
        .iter()
        .filter(|file| !before.contains(file))
        .map(|(path, _)| path.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(touched, ["2024-04.csv", "2024-04.parquet"]);
}

#[test]
fn a_dividend_replaces_the_adjusted_close_of_the_whole_series() {
    let lab = Lab::new("2024-01-10T22:00:00Z");
    lab.update(&["AAPL"], Period::D1, START);
    let before = lab.bars("AAPL", Period::D1);
    lab.set_now("2024-06-28T22:00:00Z");
    lab.update(&["AAPL"], Period::D1, START);
    let straight = Lab::new("2024-06-28T22:00:00Z");
    straight.update(&["AAPL"], Period::D1, START);
    let (stepwise, straight) = (lab.bars("AAPL", Period::D1), straight.bars("AAPL", Period::D1));
    assert_eq!(stepwise.times, straight.times);
    let adjusted = |bars: &vortex::model::Bars| bars.column(Column::AdjClose).unwrap().to_vec();
    for (step, whole) in adjusted(&stepwise).iter().zip(adjusted(&straight)) {
        assert!((step / whole - 1.0).abs() < 1e-6, "{step} and {whole}");
    }
    assert_ne!(
        adjusted(&before)[0].to_bits(),
        adjusted(&stepwise)[0].to_bits(),
        "a dividend was paid meanwhile"
    );
}

#[test]
fn a_reverted_series_is_held_until_forced() {
    let lab = Lab::new("2024-03-08T22:00:00Z");
    lab.update(&["S0001"], Period::D1, START);
    let before = lab.bars("S0001", Period::D1);
    let restated = Action::Restate { day: "2024-03-07".to_owned(), factor: 1.5 };
    lab.server.rule(Rule::new(restated));
    lab.set_now("2024-03-11T22:00:00Z");
    lab.update(&["S0001"], Period::D1, START);
    let key = lab.key("S0001", Period::D1);
    let revision = lab.archive().revisions(Some(&key)).unwrap()[0].id;
    lab.archive().write("test").unwrap().revert(revision).unwrap();
    assert!(lab.bars("S0001", Period::D1).same(&before));
    lab.set_now("2024-03-12T22:00:00Z");
    lab.server.reset_counts();
    let summary = lab.update(&["S0001"], Period::D1, START);
    assert_eq!(summary.result(), JobResult::Partial);
    assert!(matches!(summary.results[0].outcome, Outcome::Held(_)));
    assert_eq!(lab.requests(), 0);
    assert_eq!(lab.force("S0001", Period::D1, START).result(), JobResult::Done);
    assert_eq!(lab.bars("S0001", Period::D1).len(), before.len() + 2);
}

#[test]
fn intraday_history_out_of_reach_is_divided_by_a_split_the_daily_bars_confirm() {
    let lab = Lab::new("2024-01-10T22:00:00Z");
    lab.update(&["S0001"], Period::M5, "2023-12-01");
    let before = lab.bars("S0001", Period::M5);
    // Long after everything stored is out of reach, a split is found.
    lab.server.rule(Rule::new(Action::Split {
        day: "2024-03-12".to_owned(),
        ratio: 4.0,
        at: at("2024-03-12T14:00:00Z"),
    }));
    lab.set_now("2024-06-13T22:00:00Z");
    let summary = lab.update(&["S0001"], Period::M5, "2023-12-01");
    assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
    let after = lab.bars("S0001", Period::M5);
    let (old, new) = (before.column(Column::Close).unwrap(), after.column(Column::Close).unwrap());
    assert!(old.iter().zip(new).all(|(old, new)| old / new == 4.0));
}
