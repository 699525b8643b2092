//! An archive over the years: replayed, rebuilt, edited by hand, repaired.

use std::fs;

use serde_json::Value;

use crate::binary::{Home, csvs_below};
use crate::{FAST, yahoo_with};

/// An archive of the sample market: shares, a pair and contracts; daily and intraday.
fn sample() -> Home {
    let home = Home::configured("general.default_provider = 'sample'\n");
    home.expect(0, &["download", "-s", "AAPL", "EURUSD", "VOD", "--start-date", "2020-01-01"]);
    home.expect(0, &["download", "-s", "GOLD", "--start-date", "2025-06-01"]);
    home.expect(0, &["download", "-s", "SPY", "--period", "15m"]);
    home
}

#[test]
fn a_replay_of_the_raw_trail_gives_the_same_files() {
    let home = sample();
    let raw = home.file("raw");
    let args = ["download", "--provider", "replay", "--from", raw.to_str().unwrap(), "-o", "again"];
    home.expect(0, &args);
    let (before, after) = (home.csvs(), csvs_below(&home.path("again")));
    assert!(before.len() > 10, "{:?}", before.keys());
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    for (name, text) in &before {
        assert_eq!(Some(text), after.get(name), "{}", name.display());
    }
    home.expect(0, &["validate", "-p", "again"]).says("clean");
    home.expect(2, &["download", "--provider", "replay"]).says("--from");
    home.expect(4, &["download", "--provider", "replay", "--from", "nowhere"]).says("no such folder");
}

#[test]
fn a_replay_of_yahoo_asks_yahoo_nothing() {
    let (server, home) = yahoo_with(FAST);
    let symbols = ["download", "-s", "AAPL", "VOD.L", "EURUSD=X", "--start-date"];
    // Two runs: the trail has an overlap, and a later answer for what an earlier one had.
    home.expect(0, &[&symbols[..], &["2024-03-01", "--end-date", "2024-06-28"]].concat());
    home.expect(0, &[&symbols[..], &["2024-01-02", "--end-date", "2025-01-31"]].concat());
    home.expect(0, &["download", "-s", "AAPL", "--period", "1h"]);
    drop(server);
    let raw = home.file("raw");
    let replay = ["download", "-p", "replay", "--from", raw.to_str().unwrap(), "-o", "again", "--json"];
    let json = home.expect(0, &replay).json();
    assert_eq!((&json["requests"], &json["result"]), (&0.into(), &"done".into()));
    assert_eq!(home.csvs(), csvs_below(&home.path("again")));
}

/// What a rebuild must find again. The spans without a bar before a partition's first day are asked for
/// anew and told apart then.
fn essence(listed: &Value) -> Vec<Value> {
    let mut series = listed.as_array().unwrap().clone();
    for row in &mut series {
        let row = row.as_object_mut().unwrap();
        assert!(row.remove("spans").is_some() && row.remove("absent").is_some());
    }
    series
}

#[test]
fn the_catalogue_is_made_again_from_the_files() {
    let home = sample();
    let before = home.expect(0, &["archive", "list", "--json"]).json();
    let files = home.csvs();
    for name in ["catalogue.db", "catalogue.db-wal", "catalogue.db-shm"] {
        let path = home.file(".vortex").join(name);
        assert!(!path.exists() || fs::remove_file(&path).is_ok());
    }
    home.expect(0, &["archive", "list"]).says("archive rebuild");
    // A series without its catalogue row is never written over.
    home.expect(1, &["download", "-s", "VOD", "--start-date", "2026-01-02"]).says("archive rebuild");
    assert_eq!(home.csvs(), files);
    home.expect(0, &["archive", "rebuild"]);
    let after = home.expect(0, &["archive", "list", "--json"]).json();
    assert!(essence(&before).len() > 5);
    assert_eq!(essence(&before), essence(&after));
    home.expect(0, &["validate"]).says("clean");
    home.expect(0, &["download", "-s", "AAPL", "EURUSD", "VOD", "--start-date", "2020-01-01"]);
    assert_eq!(home.csvs(), files);
}

/// Changes the close of the third bar by hand.
fn edit(home: &Home, name: &str) -> String {
    let path = home.file(name);
    let text = fs::read_to_string(&path).unwrap();
    let line = text.lines().nth(3).unwrap();
    let mut fields: Vec<&str> = line.split(',').collect();
    fields[4] = "1234.5";
    let edited = text.replace(line, &fields.join(","));
    fs::write(&path, &edited).unwrap();
    edited
}

const AAPL: &str = "sample/stocks/1d/AAPL.csv";
const FORCED: [&str; 5] = ["download", "-s", "AAPL", "VOD", "--force"];

#[test]
fn an_edited_file_is_left_alone_until_it_is_taken_over() {
    let home = sample();
    let edited = edit(&home, AAPL);
    home.expect(1, &["validate"]).says("AAPL.csv");
    let ran = home.expect(3, &FORCED).says("AAPL.csv").says("archive rebuild AAPL");
    assert!(ran.out.contains("VOD") || ran.out.contains("1 updated"), "{}", ran.out);
    assert_eq!(fs::read_to_string(home.file(AAPL)).unwrap(), edited);
    home.expect(0, &["archive", "rebuild", "AAPL"]);
    assert_eq!(fs::read_to_string(home.file(AAPL)).unwrap(), edited, "the person's own values");
    let ran = home.run(&["validate"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    home.expect(0, &["validate", "--format", "csv"]);
    // What cannot be read of anything else is nothing against one symbol.
    fs::create_dir_all(home.file(".vortex/revisions/77")).unwrap();
    home.expect(4, &["archive", "rebuild", "NOBODY"]).says("NOBODY");
    home.expect(0, &["archive", "rebuild", "AAPL"]);
    home.expect(3, &["archive", "rebuild"]).says("revisions/77");
}

#[test]
fn a_repair_puts_back_what_was_lost() {
    let home = sample();
    let before = home.csvs();
    edit(&home, AAPL);
    fs::remove_file(home.file("sample/forex/1d/EURUSD.parquet")).unwrap();
    fs::remove_file(home.file("sample/stocks/1d/VOD.csv")).unwrap();
    let json = home.expect(1, &["validate", "--json"]).json();
    assert!(json["errors"].as_u64().unwrap() >= 3, "{json}");
    assert!(json["findings"].as_array().unwrap().iter().all(|found| found["path"].is_string()));
    home.expect(0, &["validate", "--fix"]).says("clean");
    assert_eq!(home.csvs(), before);
    assert!(home.file("sample/forex/1d/EURUSD.parquet").is_file());
    // Both lost: nothing is invented, and it is said.
    fs::remove_file(home.file("sample/stocks/1d/VOD.csv")).unwrap();
    fs::remove_file(home.file("sample/stocks/1d/VOD.parquet")).unwrap();
    home.run(&["validate", "--fix"]).says("VOD");
    home.expect(0, &["download", "-s", "VOD", "--start-date", "2020-01-01"]);
    assert_eq!(home.csvs(), before, "fetched again");
}

#[test]
fn a_dry_run_of_any_command_changes_nothing() {
    let home = sample();
    let edited = edit(&home, AAPL);
    let raw = home.file("raw");
    home.expect(2, &["providers", "--test", "yahoo", "--dry-run"]).says("asks nobody");
    home.expect(1, &["validate", "--fix", "--dry-run"]).says("nothing is repaired");
    home.expect(2, &["archive", "rebuild", "AAPL", "--dry-run"]).says("validate");
    let replay = ["download", "-p", "replay", "--from", raw.to_str().unwrap(), "-o", "new", "--dry-run"];
    home.expect(0, &replay).says("nothing was written");
    let json = home.expect(0, &[&replay[..], &["--json"]].concat()).json();
    assert_eq!(json["providers"][0]["provider"], "sample");
    assert!(!home.path("new").exists());
    assert_eq!(fs::read_to_string(home.file(AAPL)).unwrap(), edited);
    home.expect(1, &["validate"]);
}

#[test]
fn a_provider_nobody_knows_is_no_empty_answer() {
    let home = sample();
    for args in [
        &["validate", "--provider", "sampel"][..],
        &["archive", "list", "-p", "sampel"],
        &["archive", "show", "AAPL", "-p", "sampel"],
        &["resilience", "reset", "sampel"],
        &["providers", "--info", "sampel"],
    ] {
        home.expect(4, args).says("did you mean sample?");
    }
}
