//! Whatever the site sends in place of data is told apart, says what to do, and is never stored.

use crate::barchart_server::{Action, EMAIL, Rule, Server, Step};
use crate::binary::{Home, Ran};
use crate::{account, barchart, closes, download, with_session};

/// One run of the account under a rule, which stores nothing.
#[track_caller]
fn refused(rule: Rule, code: i32) -> (Server, Home, Ran) {
    let (server, home) = barchart(&account());
    server.rule(rule);
    let ran = download(&home, code, 20, &["GOLD"]);
    assert!(home.csvs().is_empty(), "{:?}", home.csvs().keys());
    (server, home, ran)
}

/// Status and body of each answer in the raw trail, in the order in which they came.
fn kept(home: &Home) -> Vec<(u16, String)> {
    let folder = home.file("raw");
    let entries = vortex::archive::raw::entries(&folder).unwrap();
    let told = entries.map(|entry| entry.unwrap().answer().unwrap());
    told.map(|raw| (raw.status, String::from_utf8_lossy(&raw.body).into_owned())).collect()
}

fn logins(server: &Server) -> u64 {
    server.counts().paths.get("POST /login").copied().unwrap_or_default()
}

#[test]
fn a_wrong_password_is_tried_once() {
    let wrong = account().replace("battery", "buttery");
    let (server, home) = barchart(&wrong);
    let ran = download(&home, 1, 20, &["GOLD"]);
    ran.says("does not accept this username and password").says("--set-credentials");
    assert_eq!(logins(&server), 1);
    home.expect(1, &["providers", "--test", "barchart"]).says("does not accept this username and password");
}

#[test]
fn a_login_for_browsers_alone_is_no_wrong_password() {
    let (server, _, ran) = refused(Rule::new(Action::NoToken {}), 1);
    ran.says("lets browsers alone log in").says("--login barchart").says("vortex import");
    assert_eq!(logins(&server), 0);
    let (_, _, ran) = refused(Rule::new(Action::Challenge {}).at(Step::LoginPage), 1);
    ran.says("lets browsers alone log in");
    let (_, _, ran) = refused(Rule::new(Action::Challenge {}).at(Step::Page), 1);
    ran.says("does not pass for a browser");
}

#[test]
fn who_is_logged_out_in_the_middle_logs_in_again_once() {
    for step in [Step::Page, Step::Allowance, Step::Download] {
        let (server, home) = barchart(&account());
        server.rule(Rule::new(Action::LogOut {}).at(step).skip(1).times(1));
        download(&home, 0, 20, &["GOLD"]);
        assert_eq!(logins(&server), 2, "{step:?}");
        assert!(home.csvs().len() >= 2);
        let out = kept(&home).into_iter().filter(|(_, body)| body.trim_start().starts_with(['<', '{']));
        assert_eq!(out.count(), 1, "what came for who was logged out is kept: {step:?}");
    }
    let (server, _, ran) = refused(Rule::new(Action::LogOut {}).at(Step::Page), 1);
    ran.says("not logged in");
    assert_eq!(logins(&server), 2);
}

#[test]
fn an_allowance_that_is_not_told_to_strangers_is_no_used_up_one() {
    let (server, home) = barchart(&account());
    let stranger =
        Action::Reply { status: 200, body: r#"{"success":false,"error":"Unauthenticated."}"#.into() };
    server.rule(Rule::new(stranger).at(Step::Allowance).times(1));
    download(&home, 0, 20, &["GOLD"]);
    assert_eq!(logins(&server), 2);
}

#[test]
fn an_ended_session_asks_for_the_browser_again() {
    let (server, home) = with_session();
    server.end_sessions();
    download(&home, 1, 20, &["GOLD"]).says("not logged in").says("providers --login barchart");
    assert_eq!(server.counts().total, 2, "the page and where it leads, for one contract alone");
    let again = home.expect(1, &["providers", "--login", "barchart", "--cookies", "cookies.txt"]);
    again.says("not logged in").says("Nothing was stored");
}

#[test]
fn used_up_downloads_are_a_normal_end_and_nothing_more_is_asked() {
    let (server, home, ran) = refused(Rule::new(Action::LimitPage {}).at(Step::Download), 75);
    ran.says("used up");
    let asked = server.counts().total;
    download(&home, 75, 20, &["GOLD"]);
    assert_eq!(server.counts().total, asked);
    home.expect(0, &["resilience"]).says("barchart");
}

#[test]
fn the_sites_own_count_stops_before_its_limit() {
    let (server, home) = barchart(&account());
    server.add_account(EMAIL, crate::PASSWORD, 5);
    server.downloaded_by_hand(EMAIL, 4);
    download(&home, 75, 20, &["GOLD"]).says("daily limit");
    let counts = server.counts();
    assert_eq!((counts.downloads.len(), counts.over_limit), (1, 0));
    assert_eq!(home.csvs().len(), 1);
}

#[test]
fn the_configured_limit_stops_without_a_word_to_the_site() {
    let (server, home) = barchart(&format!("{}providers.barchart.daily_limit = 1\n", account()));
    download(&home, 75, 20, &["GOLD"]);
    assert_eq!(server.counts().downloads.len(), 1);
    let asked = server.counts().total;
    download(&home, 75, 20, &["GOLD"]);
    assert_eq!(server.counts().total, asked);
}

#[test]
fn a_spoilt_export_is_refused_whole() {
    let html = "<html><title>Maintenance tonight</title></html>".to_owned();
    for (action, words) in [
        (Action::NoFooter {}, "cut off"),
        (Action::Truncate { bytes: 150 }, "cut off"),
        (Action::NoData {}, "Error retrieving data"),
        (Action::Rename { from: "Latest".into(), to: "Settle".into() }, "version does not know"),
        (Action::Reply { status: 200, body: html }, "Maintenance tonight"),
    ] {
        let (_, _, ran) = refused(Rule::new(action).at(Step::Download), 1);
        ran.says(words);
    }
}

#[test]
fn one_spoilt_export_holds_the_others_up_no_more_than_itself() {
    let (server, home) = barchart(&account());
    server.rule(Rule::new(Action::NoFooter {}).at(Step::Download).times(1));
    download(&home, 3, 20, &["GOLD"]).says("cut off");
    assert!(!home.csvs().is_empty());
    download(&home, 0, 20, &["GOLD"]);
    let symbols: Vec<_> = server.counts().downloads.into_iter().map(|download| download.symbol).collect();
    let mut once = symbols.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(symbols.len(), once.len() + 1, "{symbols:?}");
}

#[test]
fn a_layout_that_nobody_knows_costs_three_downloads_and_then_fewer_and_fewer() {
    let (server, home) = barchart(&account());
    let renamed = Action::Rename { from: "Latest".into(), to: "Settle".into() };
    server.rule(Rule::new(renamed).at(Step::Download));
    let given = |code: i32, symbols: &[&str]| {
        server.reset_counts();
        let ran = download(&home, code, 300, symbols);
        (server.counts().downloads.len(), ran)
    };
    let (downloads, ran) = given(1, &["GOLD"]);
    assert_eq!(downloads, 3, "{ran:?}");
    ran.says("version does not know").says("not asked after what came for");
    assert_eq!(given(1, &["GOLD"]).0, 3);
    // Those three wait for a day now.
    let symbols: Vec<_> = server.counts().downloads.into_iter().map(|download| download.symbol).collect();
    let (downloads, ran) = given(1, &[&symbols[0], &symbols[1], &symbols[2]]);
    assert_eq!(downloads, 0, "{ran:?}");
    ran.says("or with --force");
}

#[test]
fn an_allowance_that_is_not_told_is_none_that_is_used_up() {
    let (server, home) = barchart(&account());
    let body = r#"{"success":false,"error":"Internal error, please try again"}"#.to_owned();
    server.rule(Rule::new(Action::Reply { status: 200, body }).at(Step::Allowance).times(1));
    download(&home, 75, 20, &["GOLD"]).says("does not tell how many").says("Internal error");
    assert!(!home.csvs().is_empty());
    download(&home, 0, 20, &["GOLD"]);
    // For ever: three are asked for.
    let (server, home) = barchart(&account());
    let body = r#"{"success":false,"error":"Internal error"}"#.to_owned();
    server.rule(Rule::new(Action::Reply { status: 200, body }).at(Step::Allowance));
    download(&home, 75, 300, &["GOLD"]).says("Internal error");
    assert_eq!((server.counts().paths["POST /my/download"], server.counts().downloads.len()), (3, 0));
}

#[test]
fn a_limit_told_by_the_allowance_is_kept_and_tested_as_well() {
    let (server, home) = barchart(&account());
    server.add_account(EMAIL, crate::PASSWORD, 2);
    server.downloaded_by_hand(EMAIL, 2);
    download(&home, 75, 20, &["GOLD"]).says("used up");
    let files = crate::secrets::files(&home.path(""));
    let kept = |(path, bytes): &(std::path::PathBuf, Vec<u8>)| {
        path.to_string_lossy().contains("/raw/barchart/") && String::from_utf8_lossy(bytes).contains("limit")
    };
    assert!(files.iter().any(kept), "its answer is not in the raw trail");
    home.expect(0, &["providers", "--test", "barchart"]).says("more from").says("daily limit");
}

#[test]
fn an_export_that_ends_at_ten_thousand_rows_is_asked_for_in_halves() {
    let (server, home) = barchart(&account());
    server.rule(Rule::new(Action::Rows { most: 10_000 }).at(Step::Download));
    let assets = r#"{"forex": {"EURUSD": {"code": "^EURUSD", "periods": "1m"}}}"#;
    std::fs::write(home.path("assets.json"), assets).unwrap();
    download(&home, 0, 17, &["EURUSD"]);
    let stored: Vec<_> = home.csvs().into_values().flat_map(|csv| closes(&csv)).collect();
    let mut expected = server.bars("^EURUSD", Some(1), crate::last_days(17));
    assert!(stored.len() > 10_000 && stored.len() + 10 > expected.len(), "{}", stored.len());
    // Without those that are not over yet.
    expected.truncate(stored.len());
    assert!(stored == expected, "not the same bars");
}

#[test]
fn a_count_of_ours_alone_stops_nobody_for_a_day() {
    let (server, home) = barchart(&format!("{}providers.barchart.daily_limit = 1\n", account()));
    download(&home, 75, 20, &["GOLD"]);
    // As after a download that was counted and never sent, or by a clock that was wrong.
    let ledger = rusqlite::Connection::open(home.path(".local/state/vortex/limits.db")).unwrap();
    ledger.execute("UPDATE allowance SET counted = 0, last_spent = 0", []).unwrap();
    server.reset_used();
    download(&home, 0, 20, &["GOLD"]);
    assert_eq!(server.counts().downloads.len(), 2);
}

#[test]
fn exports_of_older_sites_are_read_all_the_same() {
    use crate::barchart_server::Generation::{Of2020, Of2021, Of2024};
    for generation in [Of2020, Of2021, Of2024] {
        let (server, home) = barchart(&account());
        server.rule(Rule::new(Action::Layout { generation }).at(Step::Download));
        download(&home, 0, 20, &["GOLD"]);
        for (path, csv) in home.csvs() {
            let expected = server.bars(&crate::symbol_of(&path), None, crate::last_days(20));
            assert_eq!(closes(&csv), expected, "{generation:?}");
        }
    }
}

#[test]
fn an_unknown_symbol_costs_no_download() {
    let (server, home) = barchart(&account());
    download(&home, 1, 20, &["NOSUCH1"]).says("does not know NOSUCH1");
    let counts = server.counts();
    assert!(counts.downloads.is_empty() && !counts.paths.contains_key("POST /my/download"));
}

#[test]
fn a_site_that_is_down_or_wants_to_be_left_alone_is_asked_later() {
    let down = Action::Reply { status: 503, body: "<html>down</html>".into() };
    let (_, _, ran) = refused(Rule::new(down).at(Step::Page), 75);
    ran.says("answers 503");
    let (server, home, _) = refused(Rule::new(Action::RetryAfter { value: "600".into() }), 75);
    let asked = server.counts().total;
    assert_eq!(asked, 1);
    assert_eq!(kept(&home), [(429, "Too Many Requests".to_owned())]);
    download(&home, 75, 20, &["GOLD"]);
    assert_eq!(server.counts().total, asked);
    assert_eq!(kept(&home).len(), 1, "nothing came");
    let (server, _, _) = refused(Rule::new(Action::HangUp {}).at(Step::Download), 75);
    assert!(server.counts().paths["POST /my/download"] >= 2);
}

#[test]
fn a_dry_run_says_what_is_skipped_and_why() {
    let (_server, home) = barchart(&account());
    let args = ["download", "--dry-run", "--start-date", "2020-01-01", "--period"];
    let skipped = "skipped: 2m of futures";
    let dry = |code: i32, period: &str| home.expect(code, &[&args[..], &[period]].concat());
    let ran = dry(1, "2m");
    let ran = ran
        .says(skipped)
        .says("barchart has no bars of 2m; it has 1m")
        .says("skipped: 2m of stocks, 1 series:");
    assert!(!ran.out.contains("table of"), "{}", ran.out);
    assert_eq!(ran.out.matches("no bars of 2m").count(), 3, "a line a class: {}", ran.out);
    dry(3, "2m,1d").says(skipped);
    assert!(!dry(0, "1d").out.contains("skipped"));
}

#[test]
fn a_service_that_gives_something_in_place_of_data_leaves_no_day_as_empty() {
    for body in ["", "{}", r#"{"error":"oops"}"#, "Error retrieving data", "<html>Maintenance</html>"] {
        let (server, home) = barchart("providers.barchart.api_key = \"k3y-secret\"\n");
        server.add_key("k3y-secret", 250);
        server.rule(Rule::new(Action::Reply { status: 200, body: body.into() }).at(Step::Service));
        let start = crate::last_days(60).first.to_string();
        let args = ["download", "--yes", "--start-date", &start, "--period", "1d,1h", "-s", "GOLD"];
        home.expect(1, &args).says("in place of data");
        assert!(home.csvs().is_empty());
        server.clear_rules();
        home.expect(0, &args);
        assert!(home.csvs().len() >= 6, "{body:?}: {:?}", home.csvs().keys());
    }
}

#[test]
fn a_key_that_is_refused_or_used_up_is_told_so() {
    let (server, home) = barchart("providers.barchart.api_key = \"k3y-secret\"\n");
    download(&home, 1, 20, &["GOLD"]).says("does not accept the key of providers.barchart.api_key");
    // Two are asked at once, and nobody any more.
    assert!(server.counts().total <= 2);
    server.add_key("k3y-secret", 1);
    download(&home, 75, 20, &["GOLD"]).says("used up");
    assert_eq!(server.counts().downloads.len(), 1);
}
