//! Clocks that are wrong, and time zones that change between two runs.

use std::process::{Command, Stdio};

use crate::binary::{Home, Ran};
use crate::compare::assert_same;
use crate::yahoo_server::{Action, Clock, Rule, Server};
use crate::{FIRST, SECOND, assert_whole, sample, until};

/// The binary with a clock that is off by so much, such as `-400d`.
fn at(home: &Home, offset: &str, args: &[&str]) -> Ran {
    let mut command = Command::new("faketime");
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home.path("")).current_dir(home.path(""));
    command.args(["-m", "-f", offset]).arg(env!("CARGO_BIN_EXE_vortex")).args(args);
    match command.stdin(Stdio::null()).output() {
        Ok(output) => Ran::of(output),
        Err(error) => panic!("missing: faketime ({error}); run-all-tests.sh installs it"),
    }
}

/// Limits that are kept over runs, so that a clock that jumps meets them.
const PACE: &str = "providers.yahoo.requests_per_minute = 600\n";

fn yahoo() -> (Server, Home) {
    let server = Server::listen(Clock::System, 0).unwrap();
    let address = server.base_url();
    (server, Home::configured(&format!("providers.yahoo.base_url = \"{address}\"\n{PACE}")))
}

const YAHOO: [&str; 8] =
    ["download", "-s", "AAPL", "EURUSD=X", "--period", "1d,1h", "--start-date", "2026-01-02"];

#[test]
fn a_clock_that_was_wrong_leaves_no_hole_and_no_bar_too_many() {
    for wrong in ["-400d", "-30d", "-1d", "+2d", "+400d", "+8y"] {
        let (server, home) = yahoo();
        let reference =
            Home::configured(&format!("providers.yahoo.base_url = \"{}\"\n{PACE}", server.base_url()));
        home.expect(0, &YAHOO);
        let before = home.csvs();
        let ran = at(&home, wrong, &YAHOO);
        // With that clock the start lies in the future.
        let refused = wrong == "-400d";
        assert!(if refused { ran.code == 2 } else { ran.code == 0 }, "{wrong}: {ran:?}");
        for (name, text) in &before {
            assert!(home.csvs()[name].starts_with(text.as_str()), "{wrong}: {} lost bars", name.display());
        }
        // Right again: nobody waits for a time that was never there.
        home.expect(0, &YAHOO);
        assert_whole(&home);
        reference.expect(0, &YAHOO);
        assert_eq!(reference.csvs(), home.csvs(), "{wrong}");
    }
}

#[test]
fn a_first_download_with_a_wrong_clock_is_completed_by_the_right_one() {
    for wrong in ["-20d", "+400d"] {
        let (server, home) = yahoo();
        let reference =
            Home::configured(&format!("providers.yahoo.base_url = \"{}\"\n{PACE}", server.base_url()));
        let daily = ["download", "-s", "AAPL", "--period", "1d", "--start-date", "2026-01-02"];
        let ran = at(&home, wrong, &daily);
        assert_eq!(ran.code, 0, "{wrong}: {ran:?}");
        home.expect(0, &daily);
        reference.expect(0, &daily);
        assert_eq!(reference.csvs(), home.csvs(), "{wrong}");
        assert_whole(&home);
    }
}

/// What people update: every period, no dates.
const ALL: [&str; 6] = ["download", "-s", "AAPL", "EURUSD=X", "--period", "1d,1h,15m"];

/// A server whose clock stands still, so that no bar comes between two runs.
fn standing() -> (Server, impl Fn() -> Home) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let server = Server::start(now as i64);
    let address = server.base_url();
    (server, move || Home::configured(&format!("providers.yahoo.base_url = \"{address}\"\n{PACE}")))
}

#[test]
fn whatever_the_clock_says_the_archive_is_that_of_the_right_one() {
    for wrong in ["+730d", "+8y", "-50d", "-1000d"] {
        let (server, home) = standing();
        let (disturbed, reference) = (home(), home());
        at(&disturbed, wrong, &ALL).ends(0).says("this machine's clock is").says("timedatectl");
        let asked = server.counts().total;
        at(&disturbed, wrong, &ALL).ends(0);
        disturbed.expect(0, &ALL);
        server.reset_counts();
        reference.expect(0, &ALL);
        // No series asks more than once by the wrong clock.
        let (right, series) = (server.counts().total, 6);
        assert!(asked <= right + series, "{wrong}: {asked} requests for {right}");
        assert_eq!(reference.csvs(), disturbed.csvs(), "{wrong}");
        let list = |home: &Home| home.expect(0, &["archive", "list"]).out;
        assert_eq!(list(&reference), list(&disturbed), "{wrong}");
        assert_whole(&disturbed);
    }
}

#[test]
fn a_clock_that_was_never_set_is_named() {
    let (server, home) = standing();
    let home = home();
    at(&home, "@1970-01-02 00:00:00", &ALL).ends(2).says("this machine's clock says that it is 1970");
    let dated = [&ALL[..], &["--start-date", "2026-01-02"]].concat();
    at(&home, "-400d", &dated).ends(2).says("by this machine's clock");
    assert_eq!(server.counts().total, 0);
}

#[test]
fn a_cool_down_noted_with_a_wrong_clock_does_not_last_until_then() {
    let (server, home) = yahoo();
    server.rule(Rule::new(Action::too_many_requests()));
    let daily = ["download", "-s", "AAPL", "--period", "1d", "--start-date", "2026-01-02"];
    let ran = at(&home, "+400d", &daily);
    assert_eq!(ran.code, 75, "{ran:?}");
    server.clear_rules();
    home.expect(0, &["resilience"]).says("ready");
    home.expect(0, &daily).says("1 updated");
    // One that was noted with the right clock holds.
    server.rule(Rule::new(Action::too_many_requests()));
    home.expect(75, &["download", "-s", "MSFT", "--period", "1d", "--start-date", "2026-01-02"]);
    home.expect(0, &["resilience"]).says("limited");
}

#[test]
fn the_time_zone_of_the_machine_changes_nothing() {
    let there = |home: &Home, zone: &str, date: &str| {
        let output =
            home.command(&[&until(date)[..], &["--period", "1d,1h"]].concat()).env("TZ", zone).output();
        Ran::of(output.unwrap()).ends(0);
    };
    let (settled, travelling) = (sample(), sample());
    for (date, zone) in [(FIRST, "Pacific/Kiritimati"), (SECOND, "America/Los_Angeles"), (SECOND, "No/Such")]
    {
        there(&settled, "UTC", date);
        there(&travelling, zone, date);
    }
    assert_whole(&travelling);
    assert_same(&settled.archive(), &travelling.archive());
}
