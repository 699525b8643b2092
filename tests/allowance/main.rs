//! The daily allowance of an account from outside: days pass on the clocks of the program and of the server that
//! plays Barchart, which counts the downloads; the program is stopped, killed, and run twice at once.

#[path = "../barchart_server/mod.rs"]
mod barchart_server;
#[path = "../support/binary.rs"]
mod binary;
mod contracts;
mod moved;
#[path = "../support/place.rs"]
mod place;
mod service;
mod weeks;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use barchart_server::{Action, EMAIL, PASSWORD, Rule, Server, Step};
use binary::{Home, Ran};

/// A server, an account at it, and the home of the person whose it is.
struct World {
    server: Server,
    home: Home,
    /// The time by all clocks, in seconds since the epoch.
    now: i64,
}

impl World {
    /// An account with so many downloads a day, at an instant.
    fn new(limit: u32, now: i64) -> World {
        let server = Server::start(now);
        server.add_account(EMAIL, PASSWORD, limit);
        let home = Home::configured(&configuration(&server, limit));
        let file = home.path(".config/vortex/config.toml");
        fs::set_permissions(file, PermissionsExt::from_mode(0o600)).unwrap();
        World { server, home, now }
    }

    fn instruments(&self, json: &str) {
        fs::write(self.home.path(".config/vortex/assets.json"), json).unwrap();
    }

    fn pass(&mut self, seconds: i64) {
        self.now += seconds;
        self.server.set_now(self.now);
    }

    /// The program, whose clock goes on from now.
    fn command(&self, args: &[&str]) -> Command {
        let at = jiff::Timestamp::from_second(self.now).unwrap().strftime("@%Y-%m-%d %H:%M:%S").to_string();
        let mut command = Command::new("faketime");
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.home.path(""));
        command.args(["-m", "-f", &at]).arg(env!("CARGO_BIN_EXE_vortex")).args(args);
        command.current_dir(self.home.path("")).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    #[track_caller]
    fn run(&self, args: &[&str]) -> Ran {
        match self.command(args).output() {
            Ok(output) => Ran::of(output),
            Err(error) => panic!("missing: faketime ({error}); run-all-tests.sh installs it"),
        }
    }

    #[track_caller]
    fn expect(&self, code: i32, args: &[&str]) -> Ran {
        self.run(args).ends(code)
    }

    /// Downloads that the server gave so far.
    fn given(&self) -> usize {
        self.server.counts().downloads.len()
    }
}

fn configuration(server: &Server, limit: u32) -> String {
    let (address, raw) = (server.base_url(), "[general.raw]\nenabled = false\n");
    format!(
        "[general]\ndefault_provider = \"barchart\"\nrandom_sleep_max = 0\n{raw}[providers.barchart]\n\
         base_url = \"{address}\"\nusername = \"{EMAIL}\"\npassword = \"{PASSWORD}\"\ndaily_limit = {limit}\n\
         requests_per_minute = 1000000\n"
    )
}

/// Tuesday 2026-01-06, 20:30 in Chicago: the day's bars are settled.
const EVENING: i64 = 1_767_753_000;
const DAY: i64 = 86_400;

const TWO: &str = r#"{"future": {
    "GOLD": {"code": "GC", "cycle": "GJMQVZ", "periods": "1d", "start_date": "2022-01-03", "days_count": 100},
    "OIL": {"code": "CL", "cycle": "HMUZ", "periods": "1d", "start_date": "2022-01-03", "days_count": 100}}}"#;

#[test]
fn a_day_that_is_used_up_is_a_normal_end_and_says_when_it_goes_on() {
    let mut world = World::new(5, EVENING);
    world.instruments(TWO);
    let ran = world.expect(75, &["download", "--json"]);
    let json = ran.json();
    assert_eq!((json["result"].as_str(), json["exit"].as_u64()), (Some("limited"), Some(75)));
    // Midnight in Chicago, and five minutes for clocks that are not the same.
    assert_eq!(json["resumes"], "2026-01-07T06:05:00Z");
    assert_eq!(world.given(), 5);
    let asked = world.server.counts().total;
    world.expect(75, &["download"]).says("2026-01-07 06:05 UTC");
    assert_eq!(world.server.counts().total, asked, "nobody is asked what is known");
    world.expect(0, &["resilience"]).says("5 of 5").says("limited");
    world.expect(0, &["providers", "--info", "barchart"]).says("5 of 5 downloads used");
    world.pass(DAY);
    world.expect(75, &["download"]);
    assert_eq!(world.given(), 10);
    assert_eq!(world.server.counts().over_limit, 0);
}

#[test]
fn downloads_by_hand_are_counted_and_a_limit_that_is_lower_than_configured_is_kept() {
    let mut world = World::new(8, EVENING);
    world.instruments(TWO);
    world.server.downloaded_by_hand(EMAIL, 3);
    world.expect(75, &["download"]);
    assert_eq!(world.given(), 5);
    world.pass(DAY);
    world.server.add_account(EMAIL, PASSWORD, 2);
    world.expect(75, &["download"]).says("used up");
    assert_eq!(world.given(), 7);
    let asked = world.server.counts().total;
    world.expect(75, &["download"]);
    assert_eq!((world.server.counts().total, world.server.counts().over_limit), (asked, 0));
}

#[test]
fn two_processes_with_two_archives_spend_one_allowance() {
    let world = World::new(15, EVENING);
    world.instruments(TWO);
    // So that neither is done before the other begins.
    world.server.rule(Rule::new(Action::Delay { milliseconds: 300 }).at(Step::Download));
    let runs = ["one", "other"].map(|archive| world.command(&["download", "-o", archive]).spawn().unwrap());
    for run in runs {
        Ran::of(run.wait_with_output().unwrap()).ends(75);
    }
    let counts = world.server.counts();
    assert_eq!((counts.downloads.len(), counts.over_limit), (15, 0));
    let stored = ["one", "other"].map(|archive| csvs(&world.home.path(archive)));
    assert_eq!(stored.iter().sum::<usize>(), 15, "{stored:?}");
    assert!(stored.iter().all(|stored| *stored > 0), "{stored:?}");
}

fn csvs(archive: &Path) -> usize {
    binary::csvs_below(archive).len()
}

#[test]
fn a_dry_run_tells_what_comes_on_which_day_also_without_an_archive() {
    let world = World::new(12, EVENING);
    world.instruments(TWO);
    let told = world.expect(0, &["download", "--dry-run", "--json"]).json();
    assert_eq!((world.server.counts().total, world.home.archive().exists()), (0, false));
    let days = told["days"].as_array().unwrap();
    assert_eq!(days[0]["day"], "2026-01-06");
    assert_eq!((days[0]["downloads"].as_u64(), days[0]["updates"].as_u64()), (Some(12), Some(0)));
    assert!(days[0]["newest"].as_u64().unwrap() >= 2, "what trades now comes first: {told}");
    assert!(days[1]["updates"].as_u64().unwrap() >= 2, "and is kept up to date: {told}");
    let planned: u64 =
        days.iter().map(|day| day["newest"].as_u64().unwrap() + day["history"].as_u64().unwrap()).sum();
    assert_eq!((Some(planned), told["never"].as_u64()), (told["requests"].as_u64(), Some(0)));
    world.expect(0, &["download", "--dry-run"]).says("2026-01-06").says("0 of today's 12").says("history");
    world.expect(75, &["download"]);
    let after = world.expect(0, &["download", "--dry-run", "--json"]).json();
    assert_eq!(after["used_today"], 12);
    assert_eq!(after["days"][0]["downloads"], 0, "{after}");
    assert_eq!(after["requests"].as_u64().unwrap(), planned - 12);
}
