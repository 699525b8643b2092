//! Runs that are cut off, and the manners between downloads.

use nix::sys::signal::Signal;

use crate::barchart_server::{Action, Rule, Step};
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

#[test]
fn the_pause_between_downloads_can_be_cut_off() {
    let (server, home) = barchart(&account());
    let config = home.path(".config/vortex/config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("random_sleep_max = 0", "random_sleep_max = 300")).unwrap();
    let start = last_days(20).first.to_string();
    let running = home.start(&["download", "--yes", "--start-date", &start, "-s", "GOLD"]);
    // Chance alone makes all pauses short.
    while server.counts().downloads.is_empty() {
        std::thread::yield_now();
    }
    running.signal(Signal::SIGINT);
    let ran = running.end();
    assert!(ran.code == 130 || ran.code == 0, "{ran:?}");
}
