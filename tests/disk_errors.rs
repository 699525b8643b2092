//! Every single change that a command makes on the disk fails: by an I/O error (a failed fsync among them), and by
//! a full disk or a quota. Whatever fails, the run says so or has done all of it, nothing stored is lost, and the next
//! run completes the archive.

#[path = "support/binary.rs"]
mod binary;
#[path = "support/compare.rs"]
mod compare;
#[path = "faults/mod.rs"]
mod faults;
#[path = "death/scenarios.rs"]
mod scenarios;
#[path = "yahoo_server/mod.rs"]
mod yahoo_server;

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use binary::Ran;
use nix::errno::Errno;
use scenarios::Scenario;

/// How a change fails: with what, and whether everything behind it does too.
type Failure = (Errno, bool);

/// An I/O error for each change, and in turn a full disk, a quota, and a disk that stays full.
fn failures(nth: usize) -> [Failure; 2] {
    let full = [(Errno::ENOSPC, false), (Errno::EDQUOT, false), (Errno::ENOSPC, true)];
    [(Errno::EIO, false), full[nth % full.len()]]
}

#[test]
fn whichever_change_on_the_disk_fails_the_next_run_completes_the_archive() {
    let mut total = 0;
    for scenario in scenarios::few() {
        let changes = scenario.changes().len();
        let runs: Vec<_> = (0..changes).flat_map(|nth| failures(nth).map(|failure| (nth, failure))).collect();
        let (next, told) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let wrong = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
                scope.spawn(|| {
                    while let Some((nth, failure)) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        match survive(&scenario, *nth, *failure) {
                            Ok(failed) => drop(told.fetch_add(usize::from(failed), Ordering::Relaxed)),
                            Err(said) => wrong.lock().unwrap().push(format!("{nth} {failure:?}: {said}")),
                        }
                    }
                });
            }
        });
        let (wrong, told) = (wrong.into_inner().unwrap(), told.into_inner());
        println!("{}: {changes} changes, {} failures, {told} of them told", scenario.name, runs.len());
        assert!(wrong.is_empty(), "{}: {}\n{}", scenario.name, wrong.len(), wrong.join("\n"));
        assert!(told * 2 > runs.len(), "hardly anything failed");
        total += runs.len();
    }
    println!("{total} failures in all");
}

/// Runs the command with one failure, and then without; whether the first one said that something failed.
fn survive(scenario: &Scenario, nth: usize, (errno, for_good): Failure) -> Result<bool, String> {
    let home = scenario.home();
    let (root, log) = (home.archive(), home.path("log"));
    let mut command = home.command(&words(&scenario.args));
    faults::failing(&mut command, &root, nth, errno, for_good).env("FAULTS_LOG", &log);
    let ran = Ran::of(command.output().unwrap());
    if ran.err.contains("panicked") || ran.code < 0 {
        return Err(format!("it ended with {}: {}", ran.code, ran.err));
    }
    let failed = ran.code != 0;
    let said = format!("{}{}", ran.out, ran.err);
    if failed && !said.contains(root.to_str().unwrap()) {
        return Err(format!("no path in what it said: {said}"));
    }
    // Whoever says that all is done has done all of it.
    let claimed = if failed { Vec::new() } else { compare::differences(&root, &scenario.after()) };
    if !claimed.is_empty() {
        return Err(format!("it ended with 0: {}\n{said}", claimed.join("; ")));
    }
    // The slots that the first run took in advance would hold the next one up for a second.
    let state = home.path(".local/state");
    assert!(!state.exists() || fs::remove_dir_all(state).is_ok());
    let again = home.run(&words(&scenario.resume));
    if again.code != 0 {
        return Err(format!("the next run ended with {}: {}{}", again.code, again.out, again.err));
    }
    let checked = home.run(&["validate", "--json"]);
    if checked.code != 0 || checked.json()["findings"] != serde_json::json!([]) {
        return Err(format!("not clean at the end: {}{}", checked.out, checked.err));
    }
    let differences = compare::differences(&root, &scenario.after());
    if differences.is_empty() { Ok(failed) } else { Err(differences.join("; ")) }
}

/// After a failed fsync the kernel may have dropped the pages and say nothing the next time.
#[test]
fn a_file_whose_fsync_failed_is_not_synced_again() {
    let scenario = scenarios::few().swap_remove(1);
    let changes = scenario.changes();
    let is_sync = |change: &faults::Change| change.kind == 'S' && change.path.starts_with(".vortex/tmp/");
    let syncs: Vec<usize> = (0..changes.len()).filter(|at| is_sync(&changes[*at])).collect();
    assert!(syncs.len() >= 4, "each CSV and each Parquet is synced");
    let mut met = 0;
    for nth in syncs {
        let after = after_an_error(&scenario, nth);
        // Threads take turns, so it need not be the file of the first run.
        let Some(failed) = after.iter().position(|change| change.kind == 's') else {
            continue;
        };
        let same = |change: &&faults::Change| {
            (change.number, &change.path) == (after[failed].number, &after[failed].path)
        };
        let later: Vec<_> = after[failed + 1..].iter().filter(same).filter(|of| of.kind != 'U').collect();
        assert!(later.is_empty(), "after its failed fsync: {later:?}");
        met += 1;
    }
    assert!(met >= 2, "hardly any fsync failed");
}

/// What of an intent is on disk after a failed fsync of the catalogue's log nobody can say: nothing more is
/// moved into its place, and nothing that an intent may refer to is removed, until the next start has looked.
#[test]
fn after_a_failed_fsync_of_the_catalogue_nothing_is_moved() {
    let scenario = scenarios::few().swap_remove(1);
    let is_log = |of: &faults::Change| of.path.ends_with("catalogue.db-wal");
    let changes = scenario.changes();
    let syncs = (0..changes.len()).filter(|at| changes[*at].kind == 'S' && is_log(&changes[*at]));
    let mut met = 0;
    for nth in syncs {
        let after = after_an_error(&scenario, nth);
        // Threads take turns, so it need not be that change.
        let Some(failed) = after.iter().position(|of| of.kind == 's' && is_log(of)) else {
            continue;
        };
        let tmp = Path::new(".vortex/tmp");
        let touched: Vec<_> = after[failed..]
            .iter()
            .filter(|of| of.path.starts_with(tmp) && (of.kind == 'R' || of.kind == 'U'))
            .collect();
        let waits = after[..failed].iter().any(|of| of.kind == 'W' && of.path.starts_with(tmp));
        assert!(!waits || touched.is_empty(), "after {failed}: {touched:?}");
        met += usize::from(waits);
    }
    assert!(met >= 1, "no intent was met");
}

/// What the command changes on the disk when its `nth` change ends with an I/O error.
fn after_an_error(scenario: &Scenario, nth: usize) -> Vec<faults::Change> {
    let home = scenario.home();
    let (root, log) = (home.archive(), home.path("log"));
    let mut command = home.command(&words(&scenario.args));
    faults::failing(&mut command, &root, nth, Errno::EIO, false).env("FAULTS_LOG", &log);
    Ran::of(command.output().unwrap());
    faults::changes(&log, &root)
}

fn words(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}
