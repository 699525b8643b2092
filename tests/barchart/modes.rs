//! The three ways, each from nothing to an archive that has what the server has.

use std::os::unix::fs::PermissionsExt;

use crate::barchart_server::Server;
use crate::binary::{Home, Ran};
use crate::{account, barchart, closes, download, last_days, symbol_of, with_browser};

/// Every contract's CSV has the server's bars and no others; how many there are.
fn contracts_are_whole(server: &Server, home: &Home, minutes: Option<i64>, days: i32) -> usize {
    let period = if minutes.is_some() { "1h" } else { "1d" };
    let csvs = home.csvs();
    let of_gold = csvs.iter().filter(|(path, _)| path.starts_with(format!("barchart/futures/{period}/GOLD")));
    let mut count = 0;
    for (path, csv) in of_gold {
        let expected = server.bars(&symbol_of(path), minutes, last_days(days));
        assert_eq!(closes(csv), expected, "{}", path.display());
        count += 1;
    }
    count
}

#[test]
fn a_name_and_a_password_log_in_once_download_and_log_out() {
    let (server, home) = barchart(&account());
    download(&home, 0, 20, &["GOLD"]);
    let counts = server.counts();
    assert!(contracts_are_whole(&server, &home, None, 20) >= 2);
    for path in ["GET /login", "POST /login", "GET /logout"] {
        assert_eq!(counts.paths.get(path), Some(&1), "{path} of {:?}", counts.paths);
    }
    assert_eq!(counts.agents.keys().collect::<Vec<_>>(), ["Vortex (market-data archive)"]);
    // What is current costs neither a download nor a login.
    download(&home, 0, 20, &["GOLD"]);
    assert_eq!(server.counts().total, counts.total);
}

#[test]
fn the_session_of_a_browser_is_taken_over_and_used() {
    let (server, home) = with_browser();
    let login = home.expect(0, &["providers", "--login", "barchart", "--cookies", "cookies.txt"]);
    login.says("laravel_session, XSRF-TOKEN").says("0 of 150 downloads of today used");
    let file = home.path(".local/state/vortex/barchart.session");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    download(&home, 0, 20, &["GOLD"]);
    assert!(contracts_are_whole(&server, &home, None, 20) >= 2);
    let counts = server.counts();
    assert!(
        !counts.paths.keys().any(|path| path.ends_with("/login") || path.ends_with("/logout")),
        "{counts:?}"
    );
    home.expect(0, &["providers", "--info", "barchart"]).says("session of a browser");
}

#[test]
fn hours_stocks_and_currencies_are_served_by_the_site() {
    let (server, home) = barchart(&account());
    let start = last_days(10).first.to_string();
    home.expect(0, &["download", "--yes", "--start-date", &start, "--period", "1h", "-s", "GOLD"]);
    assert!(contracts_are_whole(&server, &home, Some(60), 10) >= 2);
    download(&home, 0, 20, &["AAPL", "EURUSD"]);
    for (symbol, place) in [("AAPL", "stocks/1d/AAPL.csv"), ("^EURUSD", "forex/1d/EURUSD.csv")] {
        let csv = std::fs::read_to_string(home.file(&format!("barchart/{place}"))).unwrap();
        assert_eq!(closes(&csv), server.bars(symbol, None, last_days(20)), "{symbol}");
    }
    for period in ["1W", "1M"] {
        let start = last_days(90).first.to_string();
        home.expect(0, &["download", "--yes", "--start-date", &start, "--period", period, "-s", "AAPL"]);
    }
    let refused = home.expect(1, &["download", "--yes", "--period", "2m", "-s", "AAPL"]);
    refused.says("barchart has no bars of 2m");
}

#[test]
fn a_key_asks_the_service_for_days_as_json_and_hours_as_csv() {
    let (server, home) = barchart("providers.barchart.api_key = \"k3y-secret\"\n");
    server.add_key("k3y-secret", 250);
    let start = last_days(10).first.to_string();
    let periods = ["download", "--yes", "--start-date", &start, "--period", "1d,1h", "-s", "GOLD"];
    home.expect(0, &periods);
    assert!(contracts_are_whole(&server, &home, None, 10) >= 2);
    assert!(contracts_are_whole(&server, &home, Some(60), 10) >= 2);
    let counts = server.counts();
    let mut paths: Vec<&String> = counts.paths.keys().collect();
    paths.sort_unstable();
    assert_eq!(paths, ["GET /getHistory.csv", "GET /getHistory.json"]);
    home.expect(0, &["providers", "--test", "barchart"]).says("OnDemand key");
}

#[test]
fn without_an_account_nothing_is_asked_and_the_ways_are_told() {
    let (server, home) = barchart("");
    let refused = download(&home, 1, 20, &["GOLD"]);
    let refused = refused.says("--login barchart").says("api_key").says("vortex import");
    assert!(refused.err.matches("--set-credentials").count() == 1 && refused.out.is_empty(), "{refused:?}");
    home.expect(0, &["download", "--dry-run", "-s", "GOLD"]).says("there is no account for it here");
    home.expect(1, &["providers", "--test", "barchart"]).says("there is no account for it here");
    home.expect(0, &["providers", "--info", "barchart"]).says("--login barchart").says("vortex import");
    home.expect(0, &["providers", "--list"]).says("no-account");
    assert_eq!(server.counts().total, 0);
}

#[test]
fn a_first_day_that_lies_ahead_is_named() {
    let (_server, home) = barchart(&account());
    let assets = r#"{"future": {"GOLD": {"code": "GC", "cycle": "GJ", "start_date": "2150-01-01"}}}"#;
    std::fs::write(home.path("assets.json"), assets).unwrap();
    home.expect(2, &["download"]).says("2150-01-01").says("start_date");
}

#[test]
fn a_session_may_come_from_standard_input_and_is_stored_where_it_cannot_be_tried() {
    let (server, home) = barchart("");
    let cookies = server.browser_session(crate::EMAIL);
    let line: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    std::fs::write(home.path("line"), format!("Cookie: {}; _ga=1\n", line.join("; "))).unwrap();
    let login = |extra: &[&str]| {
        let mut args = extra.to_vec();
        args.extend(["providers", "--login", "barchart"]);
        let mut command = home.command(&args);
        command.stdin(std::fs::File::open(home.path("line")).unwrap());
        Ran::of(command.output().unwrap())
    };
    let file = home.path(".local/state/vortex/barchart.session");
    login(&["--dry-run"]).ends(0).says("stores nothing");
    assert!(!file.exists() && server.counts().total == 0);
    drop(server);
    login(&[]).ends(0).says("not tried").says("stored in");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    home.expect(2, &["download", "--yes", "-s", "GOLD"]).says("chmod 0600");
    for (text, words) in [("_ga=1\n", "no laravel_session"), ("\n", "nothing in it")] {
        std::fs::write(home.path("line"), text).unwrap();
        login(&[]).ends(2).says(words);
    }
    home.expect(2, &["providers", "--login", "yahoo"]).says("barchart takes one");
}
