//! Everything a network and a provider can do to an answer, done to the real program by the project's own
//! server. Each time: the right exit code, one message that says what happened, nothing stored that is not
//! right, no more requests than are polite, bounded memory; and with a sound server the next run completes.

#[path = "support/binary.rs"]
mod binary;
#[path = "yahoo_server/mod.rs"]
mod yahoo_server;

use std::fs;
use std::path::Path;

use binary::{Home, Ran};
use rstest::rstest;
use yahoo_server::door::{Certificate, Identity};
use yahoo_server::{Action, Clock, Rule, Server};

/// So fast that no test waits for the limit, and impatient.
const IMPATIENT: &str = "providers.yahoo.requests_per_minute = 1_000_000\nproviders.yahoo.timeout = 5\n";

const ARGS: [&str; 5] = ["download", "-s", "AAPL", "--start-date", "2024-01-01"];

fn home_of(server: &Server, lines: &str) -> Home {
    Home::configured(&format!("providers.yahoo.base_url = \"{}\"\n{IMPATIENT}{lines}", server.base_url()))
}

/// The peak memory of a run in MiB, as GNU time tells it.
fn measured(home: &Home) -> (Ran, u64) {
    let mut command = std::process::Command::new("/usr/bin/time");
    let told = home.path("peak");
    command.args(["-f", "%M", "-o"]).arg(&told).arg(env!("CARGO_BIN_EXE_vortex")).args(ARGS);
    command.env_clear().env("HOME", home.path("")).current_dir(home.path(""));
    let ran = Ran::of(command.output().expect("missing: /usr/bin/time, the package time"));
    let peak = fs::read_to_string(told).unwrap();
    (ran, peak.lines().last().unwrap().parse::<u64>().unwrap() / 1024)
}

/// What an action leads to: the exit code, words of the message, and the most requests for charts.
#[rstest]
#[case::latency(Action::Delay { milliseconds: 300 }, 0, "1 updated", 1)]
#[case::too_many_requests(Action::too_many_requests(), 75, "too many requests", 1)]
#[case::retry_after_seconds(Action::RetryAfter { value: "7200".into() }, 75, "later", 1)]
#[case::retry_after_date(Action::RetryAfter { value: "Fri, 31 Dec 2100 23:59:59 GMT".into() }, 75, "later", 1)]
#[case::unauthorized(Action::Reply { status: 401, body: "no".into() }, 1, "fresh session", 4)]
#[case::forbidden(Action::Reply { status: 403, body: "no".into() }, 1, "may be blocked", 1)]
#[case::internal_error(Action::Reply { status: 500, body: "oops".into() }, 75, "status 500", 4)]
#[case::bad_gateway(Action::Reply { status: 502, body: "<html>bad</html>".into() }, 75, "status 502", 4)]
#[case::unavailable(Action::Reply { status: 503, body: String::new() }, 75, "status 503", 4)]
#[case::html(Action::Reply { status: 200, body: "<!doctype html><p>hello".into() }, 1, "page for a person", 4)]
#[case::other_json(Action::Reply { status: 200, body: "{\"a\": 1}".into() }, 1, "AAPL", 1)]
#[case::empty(Action::Reply { status: 200, body: String::new() }, 1, "AAPL", 1)]
#[case::truncated(Action::Truncate { bytes: 500 }, 1, "cannot be read", 1)]
#[case::shorter_than_announced(Action::Short { bytes: 500 }, 75, "broke", 4)]
#[case::cut_off_in_chunks(Action::CutOff { bytes: 500 }, 75, "broke", 4)]
#[case::cut_off_gzip(Action::CutGzip { bytes: 300 }, 75, "broke", 4)]
#[case::drip_fed(Action::Drip { milliseconds: 100 }, 75, "within 5 s", 1)]
#[case::reset(Action::Reset { bytes: 500 }, 75, "broke", 4)]
#[case::hung_up(Action::HangUp {}, 75, "broke", 4)]
#[case::wrong_granularity(Action::Granularity { interval: "1wk".into() }, 1, "dataGranularity", 1)]
#[case::redirect_to_another_host(Action::Redirect { to: "https://evil.example.net/x".into() }, 1, "leads away", 1)]
#[case::redirect_to_plain_http(Action::Redirect { to: "http://query2.finance.yahoo.com/x".into() }, 1, "not followed", 1)]
#[case::redirect_in_a_circle(Action::Redirect { to: "/v8/finance/chart/AAPL".into() }, 1, "redirects", 6)]
fn a_bad_answer_is_told_and_nothing_of_it_is_stored(
    #[case] action: Action,
    #[case] code: i32,
    #[case] said: &str,
    #[case] most: u64,
) {
    let server = Server::listen(Clock::System, 0).unwrap();
    let home = home_of(&server, "");
    server.rule(Rule::new(action));
    let ran = home.expect(code, &ARGS).says(said);
    let lines = ran.err.lines().filter(|line| line.starts_with("vortex: ")).count();
    assert!(lines <= 1, "{}", ran.err);
    assert_eq!(home.csvs().len(), usize::from(code == 0));
    let charts: u64 =
        server.counts().paths.iter().filter(|(path, _)| path.contains("/chart/")).map(|(_, n)| n).sum();
    assert!(charts <= most, "{charts} requests");
    // Those of a session count as well.
    ran.says(&format!(", {} request", server.counts().total));
    server.clear_rules();
    if code != 0 {
        home.expect(0, &["resilience", "reset", "yahoo"]);
        home.expect(0, &[&ARGS[..], &["--force"]].concat()).says("1 updated");
    }
    home.expect(0, &["validate"]).says("clean");
}

/// Bodies without end stop at a limit, and what was read of them is not held.
#[rstest]
#[case::endless(Action::Endless {})]
#[case::gzip_bomb(Action::Bomb { mebibytes: 512 })]
fn a_body_without_end_costs_bounded_memory(#[case] action: Action) {
    let server = Server::listen(Clock::System, 0).unwrap();
    let home = home_of(&server, "");
    server.rule(Rule::new(action));
    let (ran, peak) = measured(&home);
    ran.ends(1).says("larger than 64 MiB");
    // The limit, twice while the buffer grows, and the program itself.
    assert!(peak < 64 * 3 + 64, "{peak} MiB");
    assert_eq!(home.csvs().len(), 0);
    server.clear_rules();
    home.expect(0, &[&ARGS[..], &["--force"]].concat()).says("1 updated");
}

/// Without any network, where no name can be looked up.
#[test]
fn a_name_that_cannot_be_looked_up_is_for_later() {
    let home = Home::configured(IMPATIENT);
    let mut command = std::process::Command::new("unshare");
    command.args(["--map-root-user", "--net", env!("CARGO_BIN_EXE_vortex")]).args(ARGS);
    command.env_clear().env("HOME", home.path("")).env("PATH", "/usr/bin:/bin").current_dir(home.path(""));
    let ran = Ran::of(command.output().expect("missing: unshare, the package util-linux"));
    ran.ends(75).says("no connection to query2.finance.yahoo.com");
    assert_eq!(home.csvs().len(), 0);
}

/// A server with such a certificate, and a home that trusts its authority if it is told to.
fn secure(kind: Certificate, trusted: bool) -> (Server, Home) {
    let identity = Identity::new(kind);
    let server = Server::listen_with(Clock::System, 0, Some(&identity)).unwrap();
    let home = home_of(&server, "");
    let authority = home.path("authority.pem");
    fs::write(&authority, &identity.authority).unwrap();
    if trusted {
        trust(&home, &authority);
    }
    (server, home)
}

fn trust(home: &Home, authority: &Path) {
    let config = home.path(".config/vortex/config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(config, format!("{text}providers.yahoo.ca_file = \"{}\"\n", authority.display())).unwrap();
}

#[rstest]
#[case::of_an_unknown_authority(Certificate::Valid, false, "UnknownIssuer")]
#[case::signed_by_itself(Certificate::SelfSigned, true, "UnknownIssuer")]
#[case::expired(Certificate::Expired, true, "expired")]
#[case::of_another_host(Certificate::WrongHost, true, "not valid for name")]
fn a_certificate_that_is_not_right_is_refused(
    #[case] kind: Certificate,
    #[case] trusted: bool,
    #[case] said: &str,
) {
    let (server, home) = secure(kind, trusted);
    home.expect(75, &ARGS).says("certificate").says(said);
    assert_eq!(server.counts().total, 0, "something was asked of a server that is not known");
    assert_eq!(home.csvs().len(), 0);
}

#[test]
fn ca_file_makes_an_authority_right() {
    let (server, home) = secure(Certificate::Valid, false);
    home.expect(75, &ARGS).says("ca_file");
    trust(&home, &home.path("authority.pem"));
    home.expect(0, &ARGS).says("1 updated");
    assert!(server.counts().total > 0);
}
