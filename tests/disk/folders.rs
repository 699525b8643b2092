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
    for (folder, code) in [("", 1), (".vortex", 1), (".vortex/tmp", 1), ("sample/stocks/1d", 1)] {
        let (home, binary) = of_somebody();
        let before = home.csvs();
        let closed = home.file(folder);
        mode(&closed, 0o555);
        if folder.is_empty() {
            mode(&home.file(".vortex"), 0o555);
            mode(&home.file(".vortex/tmp"), 0o555);
        }
        let ran = as_somebody(&home, &binary, &until(SECOND)).says("may not write there");
        assert!(ran.code == code || ran.code == 3, "{folder}: {ran:?}");
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
    let closed = home.file("sample/stocks/1d/VOD.csv");
    mode(&closed, 0o000);
    let ran = as_somebody(&home, &binary, &until(SECOND));
    assert!(ran.code == 1 || ran.code == 3, "{ran:?}");
    ran.says("VOD.csv").says("Permission denied");
    mode(&closed, 0o644);
    as_somebody(&home, &binary, &until(SECOND)).ends(0);
    assert_same(&reference.archive(), &home.archive());
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
