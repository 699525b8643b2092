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
fn a_pipe_is_no_configuration() {
    let home = home();
    pipe(&home.path("pipe"));
    home.expect(2, &["--config", "pipe", "config", "--show"]).says("is not a regular file but a pipe");
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
    home.expect(3, &until("2026-03-31")).says("AAPL.parquet: it is not a regular file; move it away");
    let csv = |name: &str| fs::read_to_string(home.file(&format!("sample/stocks/1d/{name}.csv"))).unwrap();
    assert!(csv("VOD").contains("2026-03-31") && !csv("AAPL").contains("2026-03-31"));
    fs::remove_dir(&twin).unwrap();
    home.expect(0, &until("2026-03-31"));
    assert!(csv("AAPL").contains("2026-03-31"));
    assert_eq!(home.expect(0, &["validate", "--json"]).json()["findings"], serde_json::json!([]));
}
