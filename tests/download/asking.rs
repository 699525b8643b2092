//! What is asked for, how fast, and what is told of it.

use std::fs;

use serde_json::Value;
use vortex::model::Day;

use crate::yahoo_server::{Action, Counts, Rule};
use crate::{FAST, yahoo, yahoo_with};

#[test]
fn two_shares_with_nothing_but_the_address_configured() {
    let (server, home) = yahoo();
    home.expect(0, &["download", "-p", "yahoo", "-s", "AAPL", "-s", "MSFT"]).says("2 updated");
    for name in ["AAPL", "MSFT"] {
        let csv = fs::read_to_string(home.file(&format!("yahoo/stocks/1d/{name}.csv"))).unwrap();
        let header = "Datetime,Open,High,Low,Close,Volume,Adj Close,Dividends,Stock Splits,Capital Gains";
        assert_eq!(csv.lines().next(), Some(header));
        assert!(csv.lines().count() > 5_000);
        assert!(home.file(&format!("yahoo/stocks/1d/{name}.parquet")).is_file());
    }
    let asked = server.counts().total;
    home.expect(0, &["download", "-p", "yahoo", "-s", "AAPL", "-s", "MSFT"]).says("2 current");
    assert_eq!(server.counts().total, asked, "nothing can be new, yet it asked");
    home.expect(0, &["validate"]).says("clean");
}

#[test]
fn two_thousand_symbols_keep_to_the_rate_and_a_second_run_asks_nothing() {
    const A_SECOND: usize = 60;
    let lines = format!("providers.yahoo.requests_per_minute = {}\n", A_SECOND * 60);
    let (server, home) = yahoo_with(&lines);
    server.rule(Rule::new(Action::Delay { milliseconds: 25 }).times(100));
    let symbols: Vec<String> = (0..2000).map(|n| format!("S{n:04}")).collect();
    fs::write(home.path("symbols"), symbols.join("\n")).unwrap();
    let since = Day::of_utc(jiff::Timestamp::now().as_second()).plus(-20).to_string();
    let args = ["download", "--symbols-file", "symbols", "--start-date", &since];
    home.expect(0, &args).says("done: 2000 series (2000 updated)");
    let counts = server.counts();
    assert_eq!(counts.total, 2000);
    assert_eq!(counts.in_flight_most, 2, "the default of concurrency");
    keeps_to(A_SECOND, &counts);
    home.expect(0, &args).says("done: 2000 series (2000 current)").says(" 0 requests");
    assert_eq!(server.counts().total, 2000);
}

#[test]
fn two_processes_with_two_archives_share_the_rate() {
    const A_SECOND: usize = 10;
    let (server, home) = yahoo_with(&format!("providers.yahoo.requests_per_minute = {}\n", A_SECOND * 60));
    let symbols = |letter: char| (0..20).map(|n| format!("{letter}{n}\n")).collect::<String>();
    let running = ['A', 'B'].map(|letter| {
        let (file, archive) = (format!("{letter}.txt"), format!("archive-{letter}"));
        fs::write(home.path(&file), symbols(letter)).unwrap();
        let args = ["download", "--symbols-file", &file, "-o", &archive, "--start-date", "2024-01-01"];
        home.start(&args)
    });
    for running in running {
        running.end().ends(0).says("20 updated");
    }
    let counts = server.counts();
    assert_eq!(counts.total, 40);
    keeps_to(A_SECOND, &counts);
}

/// Requests came at this rate on the whole, and in no second at more than twice of it: those that a busy
/// machine sends late by up to a second may meet those in time.
#[track_caller]
fn keeps_to(a_second: usize, counts: &Counts) {
    let most = busiest_second(counts);
    assert!(most <= 2 * a_second, "{most} requests in one second, {a_second} are allowed");
    let (first, last) = (counts.arrivals.first().unwrap().1, counts.arrivals.last().unwrap().1);
    let fewest = (counts.arrivals.len() / a_second - 2) as u128 * 1000;
    assert!(last - first >= fewest, "all within {} ms", last - first);
}

/// The most requests that came within any one second.
fn busiest_second(counts: &Counts) -> usize {
    let times: Vec<u128> = counts.arrivals.iter().map(|(_, at)| *at).collect();
    let within = |start: &u128| times.iter().filter(|at| (*start..start + 1000).contains(at)).count();
    times.iter().map(within).max().unwrap_or(0)
}

#[test]
fn symbols_come_after_one_option_many_options_and_from_a_file() {
    let (_server, home) = yahoo_with(FAST);
    fs::write(home.path("list"), "# mine\nVOD.L\n\n  7203.T  # Toyota\n").unwrap();
    let args = ["download", "-s", "AAPL", "MSFT", "GE", "-s", "EURUSD=X", "--symbols-file", "list"];
    let args = [&args[..], &["--start-date", "2024-01-01", "--json"]].concat();
    let json = home.expect(0, &args).json();
    let mut names: Vec<_> = list(&json).iter().map(|series| series["symbol"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["7203.T", "AAPL", "EURUSD=X", "GE", "MSFT", "VOD.L"]);
    assert!(home.file("yahoo/forex/1d/EURUSD%3DX.csv").is_file());
}

fn list(json: &Value) -> &Vec<Value> {
    json["series"].as_array().unwrap()
}

#[test]
fn both_dates_are_inclusive_trading_dates() {
    let (_server, home) = yahoo_with(FAST);
    // A Tuesday and the Friday of the week after; 7203.T trades while it is still the day before in UTC.
    let dates = ["--start-date", "2024-03-05", "--end-date", "2024-03-15"];
    home.expect(0, &[&["download", "-s", "AAPL", "7203.T"][..], &dates].concat());
    for symbol in ["AAPL", "7203.T"] {
        let csv = fs::read_to_string(home.file(&format!("yahoo/stocks/1d/{symbol}.csv"))).unwrap();
        let days: Vec<&str> = csv.lines().skip(1).map(|line| &line[..10]).collect();
        assert_eq!(days.len(), 9, "{symbol}: {days:?}");
        assert_eq!((days[0], days[8]), ("2024-03-05", "2024-03-15"), "{symbol}");
    }
    // The wider span is joined to it, and asks for nothing twice.
    let wider = ["--start-date", "2024-03-01", "--end-date", "2024-03-18"];
    home.expect(0, &[&["download", "-s", "AAPL"][..], &wider].concat());
    let csv = fs::read_to_string(home.file("yahoo/stocks/1d/AAPL.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 12, "{csv}");
}

#[test]
fn a_dry_run_asks_nothing_and_leaves_nothing() {
    let (server, home) = yahoo();
    let shown = home.expect(0, &["download", "-s", "AAPL", "--period", "1d,1h", "--dry-run"]);
    shown.says("AAPL").says("nothing was asked or written");
    let json = home.expect(0, &["download", "-s", "AAPL", "--dry-run", "--json"]).json();
    assert_eq!(json["dry_run"], true);
    assert_eq!(list(&json)[0]["symbol"], "AAPL");
    assert!(!list(&json)[0]["windows"].as_array().unwrap().is_empty());
    assert_eq!(server.counts().total, 0);
    assert!(!home.archive().exists());
    assert!(!home.path(".local").exists(), "not even a state folder");
}

#[test]
fn what_json_promises_is_there() {
    let (_server, home) = yahoo_with(FAST);
    let json = home.expect(0, &["download", "-s", "AAPL", "--start-date", "2024-01-01", "--json"]).json();
    let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "bytes_fetched",
            "error",
            "exit",
            "files",
            "job",
            "refused",
            "requests",
            "result",
            "resumes",
            "series"
        ]
    );
    assert_eq!((&json["result"], &json["exit"]), (&"done".into(), &0.into()));
    let series = &list(&json)[0];
    let keys: Vec<&str> = series.as_object().unwrap().keys().map(String::as_str).collect();
    let promised = [
        "added", "changed", "class", "contract", "notes", "period", "provider", "reason", "requests",
        "result", "symbol",
    ];
    assert_eq!(keys, promised);
    assert_eq!(series["class"], "stock");
    for args in [&["archive", "list"][..], &["archive", "show", "AAPL"], &["resilience"]] {
        let listed = home.expect(0, &[args, &["--json"]].concat()).json();
        assert!(listed.is_array() || listed.is_object(), "{args:?}");
    }
}

#[test]
fn the_twin_is_written_where_it_is_wanted() {
    let (_server, home) = yahoo_with(FAST);
    let args = ["download", "-s", "AAPL", "--start-date", "2024-01-01"];
    let twin = home.file("yahoo/stocks/1d/AAPL.parquet");
    home.expect(0, &[&args[..], &["--no-backup"]].concat());
    assert!(home.file("yahoo/stocks/1d/AAPL.csv").is_file() && !twin.exists());
    home.expect(0, &["validate"]);
    home.expect(0, &[&args[..], &["--backup"]].concat());
    assert!(twin.is_file(), "--backup writes it also where nothing is new");
    home.expect(0, &["validate"]).says("clean");
}

#[test]
fn a_request_brings_no_more_new_days_than_the_chunk_size() {
    let (server, home) = yahoo_with(FAST);
    let dates = ["--start-date", "2024-01-02", "--end-date", "2024-03-29"];
    home.expect(0, &[&["download", "-s", "AAPL", "--chunk-size", "30"][..], &dates].concat());
    let counts = server.counts();
    assert!((3..=5).contains(&counts.total), "{:?}", counts.arrivals);
    for (target, _) in &counts.arrivals {
        let at = |name: &str| -> i64 {
            let query = target.split_once('?').unwrap().1;
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.find(|(key, _)| key == name).unwrap().1.parse().unwrap()
        };
        let days = (at("period2") - at("period1")) as f64 / 86_400.0;
        // More on either side: ten bars of overlap, and days for the zone and for events without a bar.
        assert!(days <= 60.0, "{days} days in {target}");
    }
    let csv = fs::read_to_string(home.file("yahoo/stocks/1d/AAPL.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 61);
}

#[test]
fn a_log_file_tells_what_a_run_did() {
    let (_server, home) = yahoo_with(FAST);
    let mut command = home.command(&["download", "-s", "AAPL", "--start-date", "2024-01-01"]);
    let output = command
        .env("VORTEX_LOGGING_OUTPUT", "file,console")
        .env("VORTEX_LOGGING_FORMAT", "json")
        .output()
        .unwrap();
    assert!(output.status.success());
    let log = fs::read_to_string(home.path(".local/state/vortex/logs/vortex.log")).unwrap();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        lines.iter().any(|line| line["fields"]["symbol"] == "AAPL" && line["fields"]["result"] == "updated"),
        "{log}"
    );
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{errors}");
}
