//! Every single change that a command makes on the disk fails: by an I/O error (a failed fsync among them), and by
//! a full disk or a quota; and so does every kind of reading. Whatever fails, the run says so or has done all of it,
//! nothing stored is lost, and the next run completes the archive.

#[path = "support/archives.rs"]
mod archives;
#[path = "support/binary.rs"]
mod binary;
#[path = "death/commands.rs"]
mod commands;
#[path = "support/compare.rs"]
mod compare;
#[allow(dead_code)] // The tests of the import have hours as well.
#[path = "import/exports.rs"]
mod exports;
#[path = "faults/mod.rs"]
mod faults;
#[path = "death/scenarios.rs"]
mod scenarios;
#[path = "yahoo_server/mod.rs"]
mod yahoo_server;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use binary::{Home, Ran};
use faults::Change;
use nix::errno::Errno;
use scenarios::Scenario;

/// What fails.
#[derive(Clone, Copy, Debug)]
enum Failure {
    /// This change, with what, and whether everything behind it does too.
    Change(usize, Errno, bool),
    /// This opening or reading of a file.
    Reading(usize),
}

/// An I/O error for each change, and in turn a full disk, a quota, and a disk that stays full.
fn failures(nth: usize) -> [Failure; 2] {
    let full = [(Errno::ENOSPC, false), (Errno::EDQUOT, false), (Errno::ENOSPC, true)];
    let (errno, for_good) = full[nth % full.len()];
    [Failure::Change(nth, Errno::EIO, false), Failure::Change(nth, errno, for_good)]
}

/// The first and the last of each kind of change, or of reading, on each kind of file.
fn of_each_kind(seen: &[Change]) -> Vec<usize> {
    let mut kinds: BTreeMap<(char, String), Vec<usize>> = BTreeMap::new();
    for (nth, change) in seen.iter().enumerate() {
        let mut folders = change.path.components().map(|part| part.as_os_str().to_string_lossy());
        let top = folders.next().unwrap_or_default();
        let below = if top == ".vortex" { folders.next().unwrap_or_default() } else { top };
        let kind = change.path.extension().unwrap_or_default().to_string_lossy();
        kinds.entry((change.kind, format!("{below} {kind}"))).or_default().push(nth);
    }
    let mut chosen: Vec<usize> = kinds.values().flat_map(|all| [all[0], all[all.len() - 1]]).collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

#[test]
fn whichever_change_on_the_disk_fails_the_next_run_completes_the_archive() {
    let mut total = 0;
    for scenario in scenarios::few() {
        let all = (0..scenario.changes().len()).flat_map(failures).collect();
        let (runs, told) = try_all(&scenario, Home::archive, all);
        assert!(told * 2 > runs, "hardly anything failed");
        total += runs;
    }
    println!("{total} failures in all");
}

/// The other commands, where changes of one kind are many: a few of each kind.
#[test]
fn whichever_kind_of_change_fails_in_any_command_the_next_run_completes_the_archive() {
    for scenario in commands::others() {
        let chosen = of_each_kind(&scenario.changes());
        // `validate` changes nothing but SQLite's log.
        let (runs, told) = try_all(&scenario, Home::archive, chosen.into_iter().flat_map(failures).collect());
        assert!(told * 4 > runs || scenario.name == "validate", "hardly anything failed");
    }
}

/// Reading fails: what cannot be read is neither taken for missing nor overwritten.
#[test]
fn whatever_cannot_be_read_the_next_run_completes_the_archive() {
    for scenario in scenarios::few().into_iter().chain(commands::others()) {
        let read = scenario.watch(Home::archive, |command, root| {
            faults::unreadable(command, root, None);
        });
        let read: Vec<Change> = read.into_iter().filter(|of| ['O', 'I'].contains(&of.kind)).collect();
        let chosen = of_each_kind(&read).into_iter().map(Failure::Reading).collect();
        try_all(&scenario, Home::archive, chosen);
    }
}

/// The limits of the providers, in the folder of the machine's own state.
#[test]
fn whatever_fails_in_the_state_folder_the_next_run_completes_the_archive() {
    let scenario = scenarios::few().swap_remove(0);
    let chosen = of_each_kind(&scenario.watch(state, |_, _| {}));
    let (_, told) = try_all(&scenario, state, chosen.into_iter().flat_map(failures).collect());
    assert!(told > 0, "nothing failed");
}

/// The state folder of a home.
fn state(home: &Home) -> PathBuf {
    home.path(".local/state/vortex")
}

/// Runs the command with each failure below a folder; how many these were, and how many were told.
fn try_all(scenario: &Scenario, below: fn(&Home) -> PathBuf, failures: Vec<Failure>) -> (usize, usize) {
    let (next, told) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(failure) = failures.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match survive(scenario, below, *failure) {
                        Ok(failed) => drop(told.fetch_add(usize::from(failed), Ordering::Relaxed)),
                        Err(said) => wrong.lock().unwrap().push(format!("{failure:?}: {said}")),
                    }
                }
            });
        }
    });
    let (wrong, told) = (wrong.into_inner().unwrap(), told.into_inner());
    println!("{}: {} failures, {told} of them told", scenario.name, failures.len());
    assert!(!failures.is_empty(), "{}: nothing to fail", scenario.name);
    assert!(wrong.is_empty(), "{}: {}\n{}", scenario.name, wrong.len(), wrong.join("\n"));
    (failures.len(), told)
}

/// Runs the command with one failure, and then without; whether the first one said that something failed.
fn survive(scenario: &Scenario, below: fn(&Home) -> PathBuf, failure: Failure) -> Result<bool, String> {
    let home = scenario.home();
    let (root, log) = (below(&home), home.path("log"));
    let mut command = scenario.command(&home);
    match failure {
        Failure::Change(nth, errno, for_good) => faults::failing(&mut command, &root, nth, errno, for_good),
        Failure::Reading(nth) => faults::unreadable(&mut command, &root, Some(nth)),
    };
    let ran = Ran::of(command.env("FAULTS_LOG", &log).output().unwrap());
    if ran.err.contains("panicked") || ran.code < 0 {
        return Err(format!("it ended with {}: {}", ran.code, ran.err));
    }
    let failed = ran.code != 0;
    let said = format!("{}{}", ran.out, ran.err);
    if failed && !said.contains(root.to_str().unwrap()) {
        return Err(format!("no path in what it said: {said}"));
    }
    // Whoever says that all is done has done all of it.
    let claimed = if failed { Vec::new() } else { compare::differences(&home.archive(), &scenario.after()) };
    if !claimed.is_empty() {
        return Err(format!("it ended with 0: {}\n{said}", claimed.join("; ")));
    }
    // The slots that the first run took in advance would hold the next one up for a second.
    let state = home.path(".local/state");
    assert!(root.starts_with(&state) || !state.exists() || fs::remove_dir_all(state).is_ok());
    scenario.complete(&home).map(|()| failed).map_err(|wrong| format!("{wrong}\nthe first said: {said}"))
}

/// After a failed fsync the kernel may have dropped the pages and say nothing the next time.
#[test]
fn a_file_whose_fsync_failed_is_not_synced_again() {
    let scenario = scenarios::few().swap_remove(1);
    let changes = scenario.changes();
    let is_sync = |change: &Change| change.kind == 'S' && change.path.starts_with(".vortex/tmp/");
    let syncs: Vec<usize> = (0..changes.len()).filter(|at| is_sync(&changes[*at])).collect();
    assert!(syncs.len() >= 4, "each CSV and each Parquet is synced");
    let mut met = 0;
    for nth in syncs {
        let after = after_an_error(&scenario, nth);
        // Threads take turns, so it need not be the file of the first run.
        let Some(failed) = after.iter().position(|change| change.kind == 's') else {
            continue;
        };
        let same =
            |change: &&Change| (change.number, &change.path) == (after[failed].number, &after[failed].path);
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
    let is_log = |of: &Change| of.path.ends_with("catalogue.db-wal");
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
fn after_an_error(scenario: &Scenario, nth: usize) -> Vec<Change> {
    let home = scenario.home();
    let (root, log) = (home.archive(), home.path("log"));
    let mut command = scenario.command(&home);
    faults::failing(&mut command, &root, nth, Errno::EIO, false).env("FAULTS_LOG", &log);
    Ran::of(command.output().unwrap());
    faults::changes(&log, &root)
}
