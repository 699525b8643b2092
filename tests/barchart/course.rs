//! Runs that are cut off, and the manners between downloads.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::barchart_server::{Action, Rule, Server, Step};
use crate::binary::Home;
use crate::{account, barchart, closes, download, last_days, symbol_of};

#[test]
fn a_run_that_is_cut_off_goes_on_where_it_was() {
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        let (server, home) = barchart(&account());
        // The second download never ends by itself.
        server.rule(Rule::new(Action::Delay { milliseconds: 3_600_000 }).at(Step::Download).skip(1).times(1));
        let start = last_days(20).first.to_string();
        let running = home.start(&["download", "--yes", "--start-date", &start, "-s", "GOLD"]);
        let forms = || server.counts().paths.get("POST /my/download").copied().unwrap_or_default();
        while forms() < 4 || home.csvs().is_empty() {
            std::thread::yield_now();
        }
        running.signal(signal);
        running.end();
        let (first, before) = (home.csvs(), server.counts().downloads);
        assert_eq!(first.len(), 1, "{signal}");
        download(&home, 0, 20, &["GOLD"]);
        for (path, csv) in home.csvs() {
            assert_eq!(closes(&csv), server.bars(&symbol_of(&path), None, last_days(20)), "{signal}");
        }
        // What was stored was not asked for again.
        let again = server.counts().downloads;
        let stored = symbol_of(first.keys().next().unwrap());
        assert_eq!(again[before.len()..].iter().filter(|download| download.symbol == stored).count(), 0);
    }
}

/// A server, and a home that pauses between downloads for up to so many seconds.
fn with_pauses(longest: u16) -> (Server, Home) {
    let (server, home) = barchart(&account());
    let config = home.path(".config/vortex/config.toml");
    let text = fs::read_to_string(&config).unwrap();
    let pauses = text.replace("random_sleep_max = 0", &format!("random_sleep_max = {longest}"));
    assert!(longest == 0 || pauses != text, "{text}");
    fs::write(&config, pauses).unwrap();
    (server, home)
}

/// Ends what is said of a pause.
const PAUSE: &str = " ms after the last one";

#[test]
fn chance_says_how_long_it_pauses_between_downloads() {
    let start = last_days(20).first.to_string();
    let args = ["-vv", "download", "--yes", "--start-date", &start, "-s", "GOLD"];
    for longest in [1, 0] {
        let (server, home) = with_pauses(longest);
        let began = Instant::now();
        let ran = home.expect(0, &args);
        let took = began.elapsed();
        let pause = |line: &str| line.strip_suffix(PAUSE)?.rsplit(' ').next()?.parse().ok();
        let pauses: Vec<u64> = ran.err.lines().filter_map(pause).collect();
        let downloads = server.counts().downloads.len();
        assert!(downloads > 1, "{}", ran.err);
        assert_eq!(pauses.len(), if longest == 0 { 0 } else { downloads - 1 }, "{}", ran.err);
        assert!(pauses.iter().all(|pause| *pause <= 1000 * u64::from(longest)), "{pauses:?}");
        // However quick the machine is, it cannot have taken less.
        assert!(took >= Duration::from_millis(pauses.iter().sum()), "{pauses:?} in {took:?}");
    }
}

#[test]
fn the_pause_between_downloads_can_be_cut_off() {
    let (_server, home) = with_pauses(300);
    let start = last_days(20).first.to_string();
    let mut running = home.start(&["-vv", "download", "--yes", "--start-date", &start, "-s", "GOLD"]);
    running.until_it_says(PAUSE);
    running.signal(Signal::SIGINT);
    let ran = running.end();
    assert_eq!(ran.code, 130, "{ran:?}");
}
