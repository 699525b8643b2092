//! Refusals by the provider, interruptions, and a second writer.

use nix::sys::signal::Signal;

use crate::yahoo_server::{Action, Rule, Server};
use crate::{FAST, yahoo, yahoo_with};

const SINCE: [&str; 2] = ["--start-date", "2024-01-01"];

#[test]
fn an_unknown_symbol_does_not_hold_up_the_others() {
    let (_server, home) = yahoo_with(FAST);
    let args = [&["download", "-s", "AAPL", "NOSUCH1", "MSFT"][..], &SINCE].concat();
    home.expect(3, &args).says("NOSUCH1").says("2 updated, 1 failed");
    assert!(home.file("yahoo/stocks/1d/AAPL.csv").is_file());
    assert!(home.file("yahoo/stocks/1d/MSFT.csv").is_file());
    assert!(!home.file("yahoo/stocks/1d/NOSUCH1.csv").exists());
    home.expect(1, &["download", "-s", "NOSUCH1"]);
    let json = home.expect(1, &["download", "-s", "NOSUCH1", "--json"]).json();
    assert_eq!(json["series"][0]["result"], "failed");
    assert!(json["series"][0]["reason"].as_str().unwrap().contains("NOSUCH1"));
}

#[test]
fn too_many_requests_end_all_asking_until_a_reset() {
    let (server, home) = yahoo_with(FAST);
    server.rule(Rule::new(Action::too_many_requests()));
    let args = [&["download", "-s", "AAPL", "MSFT", "GE"][..], &SINCE].concat();
    home.expect(75, &args).says("later");
    let asked = server.counts().total;
    assert!(asked <= 2, "{asked} requests although the first was refused");
    home.expect(75, &args).says("later");
    assert_eq!(server.counts().total, asked, "another process asked during the cool-down");
    home.expect(0, &["resilience"]).says("limited");
    server.clear_rules();
    home.expect(0, &["resilience", "reset", "yahoo"]);
    home.expect(0, &args).says("3 updated");
    home.expect(0, &["resilience"]).says("ready");
}

#[test]
fn a_provider_that_fails_is_named_and_nothing_is_stored() {
    let (server, home) = yahoo_with(FAST);
    home.expect(0, &[&["download", "-s", "AAPL"][..], &SINCE].concat());
    let before = home.csvs();
    server.rule(Rule::new(Action::Reply { status: 404, body: "<html>gone</html>".into() }));
    let ran = home.run(&["download", "-s", "AAPL", "--force"]);
    assert_ne!(ran.code, 0, "{}", ran.out);
    server.clear_rules();
    server.rule(Rule::new(Action::Truncate { bytes: 500 }));
    let ran = home.run(&["download", "-s", "AAPL", "--force"]);
    assert_ne!(ran.code, 0, "{}", ran.out);
    assert_eq!(home.csvs(), before);
    home.expect(0, &["validate"]).says("clean");
}

/// Requests from the third on hang for a minute, so that a run certainly is in the middle of its work.
fn hang_after_two(server: &Server) {
    let mut rule = Rule::new(Action::Delay { milliseconds: 60_000 });
    rule.skip = 2;
    server.rule(rule);
}

#[test]
fn an_interrupted_run_keeps_what_is_done_and_the_next_completes_it() {
    let (server, home) = yahoo_with(FAST);
    hang_after_two(&server);
    let args = [&["download", "-s", "AAPL", "MSFT", "GE", "VOD.L"][..], &SINCE].concat();
    let mut running = home.start(&args);
    running.until_it_says("updated");
    running.signal(Signal::SIGINT);
    running.end().ends(130).says("interrupted");
    home.expect(0, &["validate"]).says("clean");
    assert!((1..4).contains(&home.csvs().len()));
    server.clear_rules();
    home.expect(0, &args).says("done: 4 series");
    assert_eq!(home.csvs().len(), 4);
    home.expect(0, &["validate"]).says("clean");
}

#[test]
fn a_termination_ends_a_run_as_an_interruption_does() {
    let (server, home) = yahoo_with(FAST);
    hang_after_two(&server);
    let mut running = home.start(&[&["download", "-s", "AAPL", "MSFT", "GE"][..], &SINCE].concat());
    running.until_it_says("updated");
    running.signal(Signal::SIGTERM);
    running.end().ends(130);
    let json = home.expect(0, &["archive", "list", "--json"]).json();
    assert!(!json.as_array().unwrap().is_empty());
}

#[test]
fn a_killed_run_leaves_an_archive_that_the_next_one_completes() {
    let (server, home) = yahoo_with(FAST);
    hang_after_two(&server);
    let args = [&["download", "-s", "AAPL", "MSFT", "GE"][..], &SINCE].concat();
    let mut running = home.start(&args);
    running.until_it_says("updated");
    running.signal(Signal::SIGKILL);
    running.end();
    server.clear_rules();
    home.expect(0, &args);
    assert_eq!(home.csvs().len(), 3);
    home.expect(0, &["validate"]).says("clean");
}

#[test]
fn a_second_writer_is_told_who_has_the_archive() {
    let (server, home) = yahoo_with(FAST);
    hang_after_two(&server);
    let mut first = home.start(&[&["download", "-s", "AAPL", "MSFT", "GE"][..], &SINCE].concat());
    first.until_it_says("updated");
    let second = [&["download", "-s", "VOD.L"][..], &SINCE].concat();
    let refused = home.expect(75, &[&second[..], &["--no-wait"]].concat());
    refused.says(&format!("process {}", first.id())).says("vortex download");
    let json = home.expect(75, &[&second[..], &["--no-wait", "--json"]].concat()).json();
    assert_eq!(json["error"]["code"], "later");
    home.expect(0, &["archive", "list"]);
    let mut waiting = home.start(&second);
    waiting.until_it_says("--no-wait");
    server.clear_rules();
    first.signal(Signal::SIGINT);
    first.end().ends(130);
    waiting.end().ends(0);
    assert!(home.file("yahoo/stocks/1d/VOD.L.csv").is_file());
}

#[test]
fn nobody_at_the_address_is_for_later_and_stores_nothing() {
    let (server, home) = yahoo();
    drop(server);
    let ran = home.run(&[&["download", "-s", "AAPL"][..], &SINCE].concat());
    let ran = ran.ends(75).says("127.0.0.1");
    assert!(!ran.out.contains("delisted"));
    assert!(home.csvs().is_empty());
}
