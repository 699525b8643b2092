//! Pipes, devices, folders and links that lead nowhere, where `vortex` looks for a file or writes one.

#[path = "support/binary.rs"]
mod binary;

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;

use binary::Home;
use nix::sys::stat::Mode;

const CONFIG: &str = ".config/vortex/config.toml";

/// A home with an empty configuration folder.
fn home() -> Home {
    let home = Home::configured("");
    fs::remove_file(home.path(CONFIG)).unwrap();
    home
}

fn pipe(path: &Path) {
    nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap();
}

#[test]
fn an_export_goes_into_a_device_or_a_link_and_leaves_it_there() {
    let home = Home::configured("general.random_sleep_max = 7\n");
    for name in ["-", "/dev/stdout"] {
        let out = home.expect(0, &["config", "--export", name]).out;
        assert!(out.contains("random_sleep_max = 7") && !out.contains("exported to"), "{out}");
    }
    // A link to a device stands for it; nothing beside it is replaced.
    symlink("/dev/null", home.path("null")).unwrap();
    home.expect(0, &["config", "--export", "null"]);
    assert!(fs::metadata(home.path("null")).unwrap().file_type().is_char_device());
    symlink("kept.toml", home.path("link")).unwrap();
    fs::write(home.path("kept.toml"), "old").unwrap();
    home.expect(0, &["config", "--export", "link"]);
    assert!(home.path("link").is_symlink());
    assert!(fs::read_to_string(home.path("kept.toml")).unwrap().contains("random_sleep_max = 7"));
}

#[test]
fn an_export_goes_into_a_pipe() {
    let home = Home::configured("general.random_sleep_max = 7\n");
    pipe(&home.path("pipe"));
    let path = home.path("pipe");
    let reader = std::thread::spawn(move || fs::read_to_string(path).unwrap());
    home.expect(0, &["config", "--export", "pipe"]);
    assert!(reader.join().unwrap().contains("random_sleep_max = 7"));
    assert!(fs::metadata(home.path("pipe")).unwrap().file_type().is_fifo());
}

#[test]
fn nothing_is_written_through_a_link_that_leads_nowhere() {
    let home = home();
    symlink("/nowhere/vortex.toml", home.path("link")).unwrap();
    let said = "link: is a link to /nowhere/vortex.toml, which is not there";
    home.expect(2, &["config", "--export", "link"]).says(said);
    symlink("/nowhere/vortex.toml", home.path(CONFIG)).unwrap();
    for args in [&["config", "--show"][..], &["config", "--reset"]] {
        home.expect(2, args).says("config.toml: is a link to /nowhere/vortex.toml, which is not there");
    }
    assert!(home.path("link").is_symlink() && home.path(CONFIG).is_symlink());
    let home = Home::configured("");
    symlink("/nowhere/conf.d", home.path(".config/vortex/conf.d")).unwrap();
    home.expect(2, &["config", "--show"]).says("conf.d: is a link to /nowhere/conf.d");
    // What is kept of the old one goes the same way.
    let home = Home::configured("");
    symlink("/nowhere/old", home.path(&format!("{CONFIG}.old"))).unwrap();
    home.expect(2, &["config", "--reset"]).says("config.toml.old: is a link to /nowhere/old");
}

#[test]
fn what_is_looked_up_must_be_a_regular_file() {
    for name in [CONFIG, ".config/vortex/conf.d/a.toml", ".config/vortex/assets.json", ".env"] {
        let home = home();
        let path = home.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let args = ["download", "--dry-run", "--provider", "sample"];
        pipe(&path);
        home.expect(2, &args).says("is not a regular file but a pipe").says(name);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        match name {
            // Python's virtual environments are often folders of that name.
            ".env" => drop(home.expect(0, &args)),
            _ => drop(home.expect(2, &args).says("is not a regular file but a folder").says(name)),
        }
        fs::remove_dir(&path).unwrap();
        symlink("/dev/zero", &path).unwrap();
        home.expect(2, &args).says("is not a regular file but a device").says(name);
    }
}

#[test]
fn a_pipe_that_a_variable_or_a_key_names_is_refused() {
    let home = Home::configured("providers.yahoo.ca_file = \"~/pipe\"\n");
    pipe(&home.path("pipe"));
    home.expect(2, &["download", "-s", "AAPL"]).says("ca_file").says("is not a regular file but a pipe");
    for name in ["VORTEX_BARCHART_PASSWORD_FILE", "VORTEX_ASSETS_FILE"] {
        let mut command = home.command(&["download", "--dry-run", "--provider", "sample"]);
        let output = command.env(name, "pipe").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {said}");
        assert!(said.contains("is not a regular file but a pipe"), "{name}: {said}");
    }
}

#[test]
fn a_pipe_named_on_the_command_line_is_read() {
    let home = home();
    home.expect(2, &["config", "--import", "nothing.toml"]).says("nothing.toml: is not there");
    for (option, text, rest) in [
        ("--symbols-file", "AAPL\n", ["download", "--dry-run", "--provider", "sample"].as_slice()),
        (
            "--assets",
            "{\"stock\": {\"AAPL\": {\"code\": \"AAPL\"}}}",
            &["download", "--dry-run", "-p", "sample"],
        ),
        ("--config", "general.random_sleep_max = 7\n", &["config", "--show"]),
        ("--import", "general.random_sleep_max = 7\n", &["config"]),
    ] {
        let path = home.path(option);
        pipe(&path);
        let to = path.clone();
        let writer = std::thread::spawn(move || fs::write(to, text).unwrap());
        home.expect(0, &[rest, &[option, path.to_str().unwrap()]].concat());
        writer.join().unwrap();
        let folder = [rest, &[option, "/"]].concat();
        home.expect(2, &folder).says("is not a regular file but a folder");
    }
}

/// Whatever stands where a file of the archive is to be is told before anything is promised: that series alone
/// fails, nothing is left to be finished, and with it moved away all goes on.
#[test]
fn what_stands_in_the_way_of_one_series_holds_no_other_up() {
    let home = Home::configured("");
    let line = "download -p sample -s AAPL VOD --period 1d --start-date 2026-01-02 --end-date";
    let until = |day: &'static str| line.split(' ').chain([day]).collect::<Vec<_>>();
    home.expect(0, &until("2026-02-27"));
    let twin = home.file("sample/stocks/1d/AAPL.parquet");
    fs::remove_file(&twin).unwrap();
    fs::create_dir(&twin).unwrap();
    home.expect(3, &until("2026-03-31"))
        .says("AAPL.parquet is a folder, and a file is to be here; move it away and run this again");
    let csv = |name: &str| fs::read_to_string(home.file(&format!("sample/stocks/1d/{name}.csv"))).unwrap();
    assert!(csv("VOD").contains("2026-03-31") && !csv("AAPL").contains("2026-03-31"));
    fs::remove_dir(&twin).unwrap();
    home.expect(0, &until("2026-03-31"));
    assert!(csv("AAPL").contains("2026-03-31"));
    assert_eq!(home.expect(0, &["validate", "--json"]).json()["findings"], serde_json::json!([]));
}

/// A sample archive of two daily series.
fn two_series() -> Home {
    let home = Home::configured("general.default_provider = 'sample'\n");
    home.expect(0, &daily(&["AAPL", "VOD"], "2026-02-27"));
    home
}

fn daily<'a>(symbols: &[&'a str], until: &'a str) -> Vec<&'a str> {
    let line = ["download", "--period", "1d", "--start-date", "2026-01-02", "--end-date", until, "-s"];
    [&line, symbols].concat()
}

fn forget_catalogue(home: &Home) {
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(home.file(&format!(".vortex/catalogue.db{ending}")));
    }
}

#[test]
fn what_stands_in_the_way_of_one_series_holds_no_repair_and_no_rebuild_up() {
    let home = two_series();
    let twin = |name: &str| home.file(&format!("sample/stocks/1d/{name}.parquet"));
    fs::remove_file(twin("AAPL")).unwrap();
    fs::create_dir(twin("AAPL")).unwrap();
    for json in [false, true] {
        fs::remove_file(twin("VOD")).unwrap();
        let ran =
            home.expect(1, &[&["validate", "--fix"][..], if json { &["--json"] } else { &[] }].concat());
        assert!(twin("VOD").is_file(), "{ran:?}");
        for said in ["AAPL.csv: not mended: ", "AAPL.parquet is a folder", "Parquet made again from the CSV"]
        {
            assert!(ran.err.contains(said), "{ran:?}");
        }
        if json {
            let told = ran.json();
            let told = told["repairs"].as_array().unwrap().iter();
            assert_eq!(told.map(|one| one["mended"].as_bool().unwrap()).collect::<Vec<_>>(), [false, true]);
        }
    }
    forget_catalogue(&home);
    home.expect(1, &daily(&["VOD"], "2026-03-31")).says("`vortex archive rebuild` makes it again");
    let rebuilt =
        home.expect(3, &["archive", "rebuild"]).says("1 left alone").says("AAPL.parquet is a folder");
    assert!(rebuilt.out.contains("1 in the catalogue"), "{rebuilt:?}");
    home.expect(0, &daily(&["VOD"], "2026-03-31"));
    home.expect(1, &daily(&["AAPL"], "2026-03-31")).says("`vortex archive rebuild AAPL` takes it over");
    fs::remove_dir(twin("AAPL")).unwrap();
    home.expect(0, &["archive", "rebuild", "AAPL"]);
    home.expect(0, &daily(&["AAPL", "VOD"], "2026-03-31"));
    home.expect(0, &["validate"]).says("clean");
}

/// What a link leads to is somebody else's: nothing there is removed, read or written.
#[test]
fn no_link_in_the_archives_own_folder_is_followed() {
    for name in [".vortex/tmp", ".vortex/lock", ".vortex/revisions", ".vortex/catalogue.db", ".vortex"] {
        let home = two_series();
        let (place, elsewhere) = (home.file(name), home.path("elsewhere"));
        if place.exists() {
            fs::rename(&place, &elsewhere).unwrap();
        } else {
            fs::create_dir(&elsewhere).unwrap();
        }
        let theirs = if elsewhere.is_dir() { elsewhere.join("00000000") } else { elsewhere.clone() };
        fs::write(&theirs, "theirs").unwrap();
        symlink(&elsewhere, &place).unwrap();
        let ran = home.run(&daily(&["AAPL", "VOD"], "2026-03-31"));
        assert_eq!(ran.code, 1, "{name}: {ran:?}");
        assert!(ran.err.contains(name) && ran.err.contains("is a link"), "{name}: {ran:?}");
        assert_eq!(fs::read_to_string(&theirs).unwrap(), "theirs", "{name}");
    }
}

#[test]
fn a_folder_of_somebody_else_among_the_temporary_files_stays_and_is_told() {
    let home = two_series();
    let theirs = home.file(".vortex/tmp/theirs/file");
    fs::create_dir(theirs.parent().unwrap()).unwrap();
    fs::write(&theirs, "theirs").unwrap();
    home.expect(0, &daily(&["AAPL", "VOD"], "2026-03-31"))
        .says(".vortex/tmp/theirs is no folder of Vortex's");
    home.expect(0, &["validate", "--detailed"]).says("it is none of Vortex's");
    assert_eq!(fs::read_to_string(&theirs).unwrap(), "theirs");
}

#[test]
fn a_catalogue_that_is_no_file_is_told_at_once_and_a_rebuild_puts_it_aside() {
    let folder: fn(&Path) = |path| fs::create_dir(path).unwrap();
    for (stand, word) in [(pipe as fn(&Path), "pipe"), (folder, "folder")] {
        for place in [".vortex/catalogue.db", ".vortex/catalogue.db-wal"] {
            let home = two_series();
            if place.ends_with("db") {
                forget_catalogue(&home);
            }
            stand(&home.file(place));
            for args in [daily(&["AAPL"], "2026-03-31"), vec!["archive", "list"], vec!["validate"]] {
                let ran = home.expect(1, &args).says(&format!("{place} is a {word} and no file"));
                ran.says("`vortex archive rebuild` puts it aside");
            }
            home.expect(0, &["archive", "rebuild"]).says("put aside");
            home.expect(0, &daily(&["AAPL", "VOD"], "2026-03-31"));
        }
    }
}

#[test]
fn an_empty_catalogue_is_an_error_to_every_command() {
    let home = two_series();
    forget_catalogue(&home);
    fs::write(home.file(".vortex/catalogue.db"), "").unwrap();
    let said = "`vortex archive rebuild` makes it again from them";
    home.expect(1, &["validate"]).says(said);
    home.expect(1, &daily(&["AAPL"], "2026-03-31")).says(said);
    home.expect(0, &["archive", "rebuild"]);
    home.expect(0, &["validate"]).says("clean");
}

#[test]
fn a_ledger_of_limits_that_is_no_file_is_told_at_once() {
    let folder: fn(&Path) = |path| fs::create_dir(path).unwrap();
    let link: fn(&Path) = |path| symlink("/dev/null", path).unwrap();
    for (stand, word) in [(pipe as fn(&Path), "pipe"), (folder, "folder"), (link, "link")] {
        let home = home();
        let ledger = home.path(".local/state/vortex/limits.db");
        fs::create_dir_all(ledger.parent().unwrap()).unwrap();
        stand(&ledger);
        for args in [&["download", "-p", "yahoo", "-s", "AAPL"][..], &["resilience"]] {
            home.expect(1, args)
                .says(&format!("limits.db is a {word}, and a file is to be here"))
                .says("move it away");
        }
    }
}

#[test]
fn a_forced_download_makes_a_broken_parquet_again() {
    let home = two_series();
    let twin = home.file("sample/stocks/1d/AAPL.parquet");
    let sound = fs::read(&twin).unwrap();
    // As long as it was: a run that only looks at sizes does not see it.
    fs::write(&twin, vec![0; sound.len()]).unwrap();
    home.expect(1, &["validate"]).says("AAPL.parquet");
    let forced = [&daily(&["AAPL", "VOD"], "2026-02-27")[..], &["--force"]].concat();
    home.expect(0, &forced).says("1 updated, 1 current");
    home.expect(0, &["validate"]).says("clean");
    // One that is cut off is seen by its size.
    fs::write(&twin, &sound[..100]).unwrap();
    home.expect(0, &daily(&["AAPL", "VOD"], "2026-03-31"));
    home.expect(0, &["validate"]).says("clean");
}

#[test]
fn forcing_what_has_not_changed_rewrites_no_week_month_or_quarter() {
    let home = Home::configured("general.default_provider = 'sample'\n");
    let mut args = vec!["download", "-s", "SPY", "--start-date", "2020-01-02", "--end-date", "2026-03-20"];
    args.extend(["--period", "1W,1M,3M"]);
    home.expect(0, &args);
    args.push("--force");
    home.expect(0, &args).says("3 current");
}

#[test]
fn a_file_that_holds_no_bars_is_not_called_clean() {
    let home = two_series();
    let own = home.file(".vortex/catalogue.db");
    for path in ["/etc/passwd", "/dev/zero", own.to_str().unwrap()] {
        home.expect(2, &["validate", "-p", path]).says(path).says("neither a CSV nor a Parquet");
    }
    pipe(&home.path("pipe.csv"));
    home.expect(1, &["validate", "-p", "pipe.csv"]).says("it is a pipe");
}
