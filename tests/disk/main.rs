//! Real trouble with disks, folders, other writers and clocks. Each time: one message that names the path
//! and what to do, nothing lost, and the next run completes the archive as if nothing had been.

#[path = "../support/binary.rs"]
mod binary;
#[path = "../support/compare.rs"]
mod compare;
#[path = "../yahoo_server/mod.rs"]
mod yahoo_server;

mod clocks;
mod folders;
mod mounts;
mod writers;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use binary::Home;
use compare::remains;

const SERIES: [&str; 8] =
    ["download", "-s", "AAPL", "VOD", "EURUSD", "--start-date", "2015-01-02", "--end-date"];

/// Downloads the sample market until a date: some years first, more later.
fn until(date: &str) -> Vec<&str> {
    [&SERIES[..], &[date]].concat()
}

const FIRST: &str = "2024-01-31";
const SECOND: &str = "2026-03-31";

fn sample() -> Home {
    Home::configured("general.default_provider = 'sample'\n")
}

/// A home whose archive was downloaded without any trouble, in two runs.
fn undisturbed() -> Home {
    let home = sample();
    home.expect(0, &until(FIRST));
    home.expect(0, &until(SECOND));
    home
}

fn am_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// No temporary file, and nothing wrong with what is stored.
#[track_caller]
fn assert_whole(home: &Home) {
    assert_eq!(remains(&home.archive()), Vec::<PathBuf>::new());
    home.expect(0, &["validate"]).says("clean");
}
