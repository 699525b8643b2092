//! What a run may cost, in what does not depend on the machine: requests, files touched, waits for the disk,
//! memory. Times are measured by `scripts/bench`.

#[path = "support/binary.rs"]
mod binary;
#[path = "faults/mod.rs"]
mod faults;
mod yahoo_server;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use vortex::model::{Day, Days};
use vortex::provider::sample::listing::Listing;

use binary::Home;
use yahoo_server::Server;

/// A home and its server, whose clock stands where the last session but one was over.
struct Before {
    home: Home,
    server: Server,
    /// Where the last session is over.
    after: i64,
}

impl Before {
    fn new() -> Before {
        let now = jiff::Timestamp::now().as_second();
        let recent = Days { first: Day::of_utc(now).plus(-20), last: Day::of_utc(now) };
        let listing = Listing::of("AAPL").unwrap();
        let closes = listing.sessions(recent, now).rev().map(|session| session.close);
        let mut over = closes.filter(|close| *close <= now);
        let (after, before) = (over.next().unwrap(), over.next().unwrap());
        let server = Server::start(before);
        let lines = "requests_per_minute = 100000\nconcurrency = 4\n";
        let address = server.base_url();
        let home = Home::configured(&format!("[providers.yahoo]\nbase_url = \"{address}\"\n{lines}"));
        Before { home, server, after }
    }

    /// One more session is over.
    fn end_session(&self) {
        self.server.set_now(self.after);
        self.server.reset_counts();
    }
}

/// Runs a command of the home through a tool that writes what it saw to a file.
fn watched(home: &Home, tool: &[&str], args: &[&str]) -> String {
    let (told, command) = (home.path("told"), home.command(args));
    let mut watched = Command::new(tool[0]);
    watched.args(&tool[1..]).arg("-o").arg(&told).arg(command.get_program()).args(command.get_args());
    watched.env_clear().env("HOME", home.path("")).current_dir(home.path(""));
    let output = watched.output().unwrap_or_else(|error| panic!("{}: {error}", tool[0]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read_to_string(told).unwrap()
}

/// How often a command waits for the disk to take what it changed in the archive. The ledger of limits is not
/// of it: how often slots are taken there follows the time that passes.
fn fsyncs(home: &Home, args: &[&str]) -> usize {
    let told = watched(home, &["strace", "-f", "-y", "-e", "trace=fsync,fdatasync"], args);
    let archive = home.archive().display().to_string();
    told.lines().filter(|line| line.contains("sync(") && line.contains(&archive)).count()
}

/// The most memory a command has at once, in KiB.
fn peak(home: &Home, args: &[&str]) -> u64 {
    watched(home, &["/usr/bin/time", "-f", "%M"], args).trim().parse().unwrap()
}

/// Each file of the archive's series: which one it is and when it was written.
fn files(home: &Home) -> BTreeMap<PathBuf, (u64, i64)> {
    let mut found = BTreeMap::new();
    collect(&home.file("yahoo"), &mut found);
    found
}

fn collect(folder: &Path, found: &mut BTreeMap<PathBuf, (u64, i64)>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            collect(&entry, found);
        } else {
            let of = fs::metadata(&entry).unwrap();
            found.insert(entry, (of.ino(), of.mtime_nsec()));
        }
    }
}

#[test]
fn an_update_of_twenty_years_costs_what_one_of_a_year_costs() {
    let year = Day::of_utc(jiff::Timestamp::now().as_second()).plus(-365).to_string();
    let costs = ["2005-01-03", &year].map(|start| {
        let before = Before::new();
        let args = ["download", "-s", "AAPL", "--start-date", start];
        before.home.expect(0, &args).says("1 updated");
        before.end_session();
        let stored = files(&before.home);
        let waits = fsyncs(&before.home, &args);
        let written = files(&before.home).iter().filter(|(path, of)| stored.get(*path) != Some(of)).count();
        before.home.expect(0, &args).says("1 current");
        (before.server.counts().total, written, waits)
    });
    let (requests, written, waits) = costs[0];
    assert_eq!(costs[0], costs[1], "twenty years beside one year");
    assert_eq!((requests, written), (1, 2), "one request, CSV and Parquet");
    assert!(waits <= 24, "{waits} waits for the disk");
}

#[test]
fn series_in_flight_share_their_waits_for_the_disk() {
    let [alone, together] = [1, 40].map(|series| {
        let before = Before::new();
        let symbols: String = (0..series).map(|number| format!("S{number}\n")).collect();
        fs::write(before.home.path("symbols"), symbols).unwrap();
        let args = ["download", "--symbols-file", "symbols", "--period", "1d", "--start-date", "2024-01-01"];
        before.home.expect(0, &args).says(&format!("{series} updated"));
        before.end_session();
        let waits = fsyncs(&before.home, &args);
        assert_eq!(before.server.counts().total, series, "one request a series");
        waits
    });
    println!("{alone} waits for one series, {together} for 40");
    // Two files each are synced in any case. Beside them a commit of its own waits three times and more; shared
    // it is less than once a series.
    assert!(together - 2 * 40 < 40, "{alone} waits for one series, {together} for 40");
}

/// What the next start does about an open intent follows what was open, not what the archive holds.
#[test]
fn a_recovery_opens_the_same_files_in_a_small_and_a_large_archive() {
    let update = ["download", "-s", "S0", "--period", "1d", "--start-date", "2024-01-01"];
    let opened = [4, 200].map(|series| {
        let Before { home, server, after } = Before::new();
        let symbols: String = (0..series).map(|number| format!("S{number}\n")).collect();
        fs::write(home.path("symbols"), symbols).unwrap();
        let all = ["download", "--symbols-file", "symbols", "--period", "1d", "--start-date", "2024-01-01"];
        home.expect(0, &all).says(&format!("{series} updated"));
        server.set_now(after);
        let (root, log) = (home.archive(), home.path("log"));
        // The first file of the commit is in its place, the second is not.
        let put = |change: &faults::Change| change.kind == 'R' && change.path.starts_with(".vortex/tmp");
        let mut killed = home.command(&update);
        faults::recorded(&mut killed, &root, &log);
        let second = {
            let copy = home.path("copy");
            assert!(Command::new("cp").arg("-a").arg(&root).arg(&copy).status().unwrap().success());
            assert!(killed.output().unwrap().status.success());
            fs::remove_dir_all(&root).unwrap();
            fs::rename(copy, &root).unwrap();
            let changes = faults::changes(&log, &root);
            (0..changes.len()).filter(|at| put(&changes[*at])).nth(1).unwrap()
        };
        let mut command = home.command(&update);
        assert_eq!(faults::killed(&mut command, &root, second as u64).status().unwrap().code(), None);
        assert_eq!(
            fs::read_dir(home.file(".vortex/tmp")).unwrap().count(),
            1,
            "not in the midst of a commit"
        );
        let told = watched(&home, &["strace", "-f", "-e", "trace=openat"], &update);
        assert_eq!(fs::read_dir(home.file(".vortex/tmp")).unwrap().count(), 0, "not recovered");
        let archive = root.join("yahoo").display().to_string();
        told.lines().filter(|line| line.contains(&archive)).count()
    });
    assert_eq!(opened[0], opened[1], "files of 4 series beside files of 200");
    assert!(opened[0] <= 12, "{opened:?}");
}

#[test]
fn nothing_new_costs_the_same_for_few_and_many_series() {
    let costs = [4, 200].map(|series| {
        let Before { home, server, after } = Before::new();
        server.set_now(after);
        let symbols: String = (0..series).map(|number| format!("S{number}\n")).collect();
        fs::write(home.path("symbols"), symbols).unwrap();
        let args = ["download", "--symbols-file", "symbols", "--start-date", "2024-01-01"];
        home.expect(0, &args).says(&format!("({series} updated)"));
        server.reset_counts();
        let stored = files(&home);
        let waits = fsyncs(&home, &args);
        let peak_of_run = peak(&home, &args);
        assert_eq!(files(&home), stored, "a file was touched");
        assert_eq!(server.counts().total, 0, "nothing can be new, yet it asked");
        // How large the program is depends on how it was built; `scripts/bench nothing` has the release's.
        (waits, peak_of_run, peak(&home, &["--version"]))
    });
    let [(few_waits, few_peak, _), (many_waits, many_peak, at_rest)] = costs;
    assert_eq!(few_waits, many_waits, "waits for the disk");
    assert!(few_waits <= 8, "{few_waits} waits for the disk");
    assert!(many_peak < at_rest + 14 * 1024, "{many_peak} KiB, and {at_rest} KiB for the program itself");
    assert!(many_peak < few_peak + 2048, "{many_peak} KiB for 200 series, {few_peak} KiB for 4");
}
