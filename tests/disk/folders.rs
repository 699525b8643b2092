//! Folders that vanish, files and folders of other users, strangers' files in the archive.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use crate::binary::{Home, Ran, Running};
use crate::compare::{assert_same, remains};
use crate::yahoo_server::{Action, Clock, Rule, Server};
use crate::{FIRST, SECOND, am_root, assert_whole, sample, undisturbed, until};

const NOBODY: u32 = 65_534;

/// A home of somebody whom modes concern: as root everything in it is given to nobody.
fn of_somebody() -> (Home, PathBuf) {
    let home = sample();
    home.expect(0, &until(FIRST));
    let binary = home.path("vortex");
    fs::copy(env!("CARGO_BIN_EXE_vortex"), &binary).unwrap();
    if am_root() {
        give(&home.path(""), NOBODY);
    }
    (home, binary)
}

/// Gives a folder with all in it to a user.
fn give(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path(), user));
    }
}

/// The binary as that somebody.
fn as_somebody(home: &Home, binary: &Path, args: &[&str]) -> Ran {
    let mut command = std::process::Command::new(binary);
    command.env_clear().env("HOME", home.path("")).current_dir("/").args(args);
    if am_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    Ran::of(command.output().unwrap())
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_folder_that_may_not_be_written_is_named_wherever_it_is() {
    let reference = undisturbed();
    // The archive itself, where files are prepared, and where they go: then the commit is cut off.
    for (folder, code) in [("", 1), (".vortex", 1), (".vortex/tmp", 1), ("sample/stocks/1d", 3)] {
        let (home, binary) = of_somebody();
        let before = home.csvs();
        let closed = home.file(folder);
        mode(&closed, 0o555);
        if folder.is_empty() {
            mode(&home.file(".vortex"), 0o555);
            mode(&home.file(".vortex/tmp"), 0o555);
        }
        let ran = as_somebody(&home, &binary, &until(SECOND)).ends(code).says("may not write there");
        ran.says(home.archive().to_str().unwrap());
        let validated = as_somebody(&home, &binary, &["validate"]);
        assert_eq!(validated.code, 0, "{folder}: {validated:?}");
        for (name, text) in before {
            let now = home.csvs()[&name].clone();
            assert!(now.starts_with(&text), "{folder}: {} lost something", name.display());
        }
        for folder in ["", ".vortex", ".vortex/tmp", "sample/stocks/1d"] {
            mode(&home.file(folder), 0o755);
        }
        as_somebody(&home, &binary, &until(SECOND)).ends(0);
        assert_same(&reference.archive(), &home.archive());
    }
}

#[test]
fn a_file_of_another_user_is_named_and_the_others_go_on() {
    let reference = undisturbed();
    let (home, binary) = of_somebody();
    let closed = home.file("sample/stocks/1d/AAPL.csv");
    mode(&closed, 0o000);
    let ran = as_somebody(&home, &binary, &until(SECOND)).ends(3);
    ran.says("AAPL.csv: Permission denied").says("this user may not read there").says("1 failed");
    assert_eq!(differing(&reference, &home), [PathBuf::from("sample/stocks/1d/AAPL.csv")]);
    // Repair and rebuild go on too, and tell.
    let gone = home.file("sample/stocks/1d/VOD.parquet");
    fs::remove_file(&gone).unwrap();
    as_somebody(&home, &binary, &["validate", "--fix"]).ends(1).says("not mended").says("AAPL.csv");
    assert!(gone.exists());
    fs::remove_file(home.file(".vortex/catalogue.db")).unwrap();
    as_somebody(&home, &binary, &["archive", "rebuild"])
        .ends(3)
        .says("AAPL.csv: Permission denied")
        .says("1 left");
    mode(&closed, 0o644);
    as_somebody(&home, &binary, &["archive", "rebuild", "AAPL"]).ends(0);
    as_somebody(&home, &binary, &until(SECOND)).ends(0);
    as_somebody(&home, &binary, &["validate"]).ends(0).says("clean");
    assert_eq!(differing(&reference, &home), Vec::<PathBuf>::new());
}

/// There the last rename of a commit would be refused, which no later start could finish either.
#[test]
fn a_file_of_another_user_in_a_sticky_folder_is_told_before_anything_is_promised() {
    let reference = undisturbed();
    let (home, binary) = of_somebody();
    let (folder, theirs) = (home.file("sample/stocks/1d"), home.file("sample/stocks/1d/AAPL.csv"));
    mode(&folder, 0o1777);
    mode(&theirs, 0o644);
    for path in [&folder, &theirs] {
        chown(path, Some(0), Some(0)).expect("only root can give files away");
    }
    as_somebody(&home, &binary, &until(SECOND)).ends(3).says("AAPL.csv").says("1 failed");
    assert_eq!(differing(&reference, &home), [PathBuf::from("sample/stocks/1d/AAPL.csv")]);
    give(&folder, NOBODY);
    as_somebody(&home, &binary, &until(SECOND)).ends(0);
    assert_same(&reference.archive(), &home.archive());
}

/// The CSVs that two archives do not both have, or not with the same bars.
fn differing(one: &Home, other: &Home) -> Vec<PathBuf> {
    fn readable(home: &Home, name: &Path) -> Option<String> {
        let path = home.file(name.to_str()?);
        // What its modes hide from others they do not from root.
        let hidden = fs::metadata(&path).is_ok_and(|of| of.permissions().mode() & 0o444 == 0);
        if hidden { None } else { fs::read_to_string(path).ok() }
    }
    let mut names: Vec<PathBuf> = one.csvs().into_keys().collect();
    names.retain(|name| readable(one, name) != readable(other, name));
    names
}

#[test]
fn a_folder_that_may_not_be_read_is_named_itself_and_the_others_go_on() {
    let reference = undisturbed();
    let (home, binary) = of_somebody();
    let closed = home.file("sample/stocks/1d");
    mode(&closed, 0o000);
    as_somebody(&home, &binary, &until(SECOND)).ends(3).says("this user may not read there").says("2 failed");
    let said = closed.to_str().unwrap();
    let found = as_somebody(&home, &binary, &["validate", "--json"]).ends(1).json();
    let named = |finding: &serde_json::Value| finding["path"] == said && finding["kind"] == "unreadable";
    assert!(found["findings"].as_array().unwrap().iter().any(named), "{found}");
    as_somebody(&home, &binary, &["archive", "rebuild"]).ends(3).says("cannot be looked into");
    mode(&closed, 0o755);
    // Nothing of what could not be seen was forgotten.
    as_somebody(&home, &binary, &until(SECOND)).ends(0);
    as_somebody(&home, &binary, &["validate"]).ends(0).says("clean");
    assert_eq!(differing(&reference, &home), Vec::<PathBuf>::new());
}

#[test]
fn an_archive_that_may_not_be_read_is_not_called_none() {
    let (home, binary) = of_somebody();
    mode(&home.archive(), 0o000);
    for args in [&["archive", "list"][..], &["validate"], &["download", "--dry-run", "-s", "AAPL"]] {
        let ran = as_somebody(&home, &binary, args).ends(1).says("Permission denied");
        ran.says(home.archive().to_str().unwrap()).says("may not read there");
    }
    mode(&home.archive(), 0o755);
}

#[test]
fn what_others_put_into_the_archive_is_named_and_left_alone() {
    let home = undisturbed();
    let strange = [
        "README.txt",
        "notes/stocks",
        "sample/README",
        "sample/stocks/1d/list.txt",
        "sample/stocks/1d/.hidden",
    ];
    for name in strange {
        fs::create_dir_all(home.file(name).parent().unwrap()).unwrap();
        fs::write(home.file(name), "mine").unwrap();
    }
    fs::create_dir(home.file("sample/stocks/1d/sub")).unwrap();
    home.expect(0, &["validate", "--detailed"]).says("list.txt").says("1 unknown");
    home.expect(3, &["archive", "rebuild"]).says("list.txt  left alone");
    home.expect(0, &["validate", "--fix"]);
    home.expect(0, &until("2026-04-30"));
    for name in strange {
        assert_eq!(fs::read_to_string(home.file(name)).unwrap(), "mine");
    }
    assert!(home.file("sample/stocks/1d/sub").is_dir());
    assert_eq!(remains(&home.archive()), Vec::<PathBuf>::new());
}

/// A server whose answers after the first two are slow, so that the run is certainly under way.
fn slow_server() -> (Server, Home) {
    let server = Server::listen(Clock::System, 0).unwrap();
    let address = server.base_url();
    let home = Home::configured(&format!(
        "providers.yahoo.base_url = \"{address}\"\nproviders.yahoo.requests_per_minute = 1_000_000\n"
    ));
    let mut rule = Rule::new(Action::Delay { milliseconds: 1500 });
    rule.skip = 2;
    server.rule(rule);
    (server, home)
}

const YAHOO: [&str; 12] = [
    "download",
    "-s",
    "AAPL",
    "MSFT",
    "GE",
    "VOD.L",
    "--period",
    "1d",
    "--start-date",
    "2026-01-02",
    "--end-date",
    "2026-06-30",
];

fn under_way(home: &Home) -> Running {
    let mut running = home.start(&YAHOO);
    running.until_it_says("updated");
    running
}

#[test]
fn an_archive_that_vanishes_in_mid_run_is_not_begun_anew_in_its_place() {
    let (server, home) = slow_server();
    let running = under_way(&home);
    fs::rename(home.archive(), home.path("elsewhere")).unwrap();
    let ran = running.end();
    assert!(ran.code == 1 || ran.code == 3, "{ran:?}");
    ran.says(home.archive().to_str().unwrap()).says("still mounted");
    assert!(!home.archive().exists(), "something was written where the archive was");
    fs::rename(home.path("elsewhere"), home.archive()).unwrap();
    server.clear_rules();
    home.expect(0, &YAHOO);
    assert_eq!(home.csvs().len(), 4);
    assert_whole(&home);
}

#[test]
fn a_temporary_folder_that_vanishes_in_mid_run_is_made_again_by_the_next() {
    let (server, home) = slow_server();
    let running = under_way(&home);
    // Where its last commit is under way a file of it may come between.
    while fs::remove_dir_all(home.file(".vortex/tmp")).is_err() {}
    let ran = running.end();
    assert!(ran.code == 1 || ran.code == 3, "{ran:?}");
    ran.says(".vortex/tmp").says("still mounted");
    server.clear_rules();
    home.expect(0, &YAHOO);
    assert_eq!(home.csvs().len(), 4);
    assert_whole(&home);
}
