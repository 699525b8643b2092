//! The `vortex` command as a person or a program meets it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A home of its own, and nothing of the real environment.
struct Home(TempDir);

impl Home {
    fn new() -> Home {
        Home(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn config_file(&self) -> PathBuf {
        self.path(".config/vortex/config.toml")
    }

    fn configure(&self, text: &str) {
        fs::create_dir_all(self.path(".config/vortex")).unwrap();
        fs::write(self.config_file(), text).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vortex"));
        command
            .env_clear()
            .env("HOME", self.0.path())
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn run_with_input(&self, args: &[&str], input: &str) -> Output {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[test]
fn the_configuration_is_shown_as_toml_and_json() {
    let home = Home::new();
    home.configure("[general]\ndry_run = true\n");
    let shown = home.run(&["config", "--show", "--origin"]);
    assert_eq!(code(&shown), 0, "{}", err(&shown));
    let origin = format!("dry_run = true  # {}:2", home.config_file().display());
    assert!(out(&shown).contains(&origin), "{}", out(&shown));
    toml::from_str::<toml::Table>(&out(&shown)).unwrap();
    let json: Value = serde_json::from_str(&out(&home.run(&["config", "--show", "--json"]))).unwrap();
    assert_eq!(json["values"]["general.dry_run"]["value"], true);
    assert_eq!(json["values"]["general.default_provider"]["origin"], "default");
    assert!(json["values"]["notify.command"].is_null());
}

#[test]
fn an_unknown_key_is_a_usage_error_for_people_and_programs() {
    let home = Home::new();
    home.configure("[general]\nouput_directory = '/x'\n");
    let shown = home.run(&["config", "--show"]);
    assert_eq!(code(&shown), 2);
    assert!(out(&shown).is_empty());
    let place = format!("{}:2", home.config_file().display());
    assert!(err(&shown).contains(&place), "{}", err(&shown));
    assert!(err(&shown).contains("did you mean general.output_directory?"));
    let shown = home.run(&["--json", "config", "--show"]);
    assert_eq!(code(&shown), 2);
    let json: Value = serde_json::from_str(&out(&shown)).unwrap();
    assert_eq!(json["error"]["code"], "configuration");
    assert_eq!(json["error"]["exit"], 2);
    assert_eq!(json["error"]["problems"][0]["place"], place.as_str());
}

#[test]
fn what_is_wrong_on_the_command_line_exits_with_2() {
    let home = Home::new();
    for args in [
        &["download", "--chunk-size", "366"][..],
        &["download", "--start-date", "2024-02-30"],
        &["download", "--start-date", "0000-01-01"],
        &["download", "--period", "4h"],
        &["download", "--provider", "nobody"],
        &["download", "--nonsense"],
        &["config"],
        &["config", "--origin"],
        &["config", "--show", "--reset"],
        &["config", "--set-credentials"],
        &["config", "--show", "-c", "nowhere.toml"],
        &["archive"],
        &["wizard"],
        &[],
    ] {
        let output = home.run(args);
        assert_eq!(code(&output), 2, "{args:?}: {}", err(&output));
        assert!(!err(&output).is_empty(), "{args:?}");
    }
    let json = home.run(&["download", "--chunk-size", "0", "--json"]);
    let json: Value = serde_json::from_str(&out(&json)).unwrap();
    assert_eq!(json["error"]["code"], "usage");
}

#[test]
fn a_usage_error_is_one_sentence_for_programs() {
    let home = Home::new();
    for (args, said) in [
        (&["download", "--nonsense"][..], "unexpected argument '--nonsense' found"),
        (&["download", "--dry-rum"], "a similar argument exists: '--dry-run'"),
        (&["download", "--color", "blue"], "[possible values: auto, always, never]"),
        (&["download", "--end-date", "0000-01-01"], "the first date allowed is 1800-01-01"),
        (&["completion"], "required arguments were not provided: <SHELL>"),
        (&["archive"], "--help lists"),
        (&[], "requires a subcommand"),
    ] {
        let output = home.run(&[&["--json"], args].concat());
        assert_eq!(code(&output), 2, "{args:?}");
        let json: Value = serde_json::from_str(&out(&output)).unwrap();
        let message = json["error"]["message"].as_str().unwrap();
        assert!(message.contains(said), "{args:?}: {message}");
        assert!(!message.contains('\n') && !message.contains("Usage"), "{args:?}: {message}");
    }
}

#[test]
fn each_cause_is_told_once() {
    let home = Home::new();
    fs::create_dir_all(home.path(".local/state/vortex")).unwrap();
    fs::write(home.path(".local/state/vortex/limits.db"), "garbage, not a database".repeat(50)).unwrap();
    let output = home.run(&["resilience"]);
    assert_eq!(code(&output), 1);
    assert_eq!(err(&output).matches("file is not a database").count(), 1, "{}", err(&output));
}

#[test]
fn one_request_is_not_many() {
    let home = Home::new();
    let args = [
        "download",
        "-p",
        "sample",
        "-s",
        "AAPL",
        "--period",
        "1d",
        "--start-date",
        "2024-01-02",
        "--end-date",
    ];
    let planned = home.run(&[&args[..], &["2024-01-02", "--dry-run"]].concat());
    assert!(out(&planned).contains("1 series, 1 request to sample"), "{}", out(&planned));
    let done = home.run(&[&args[..], &["2024-01-02"]].concat());
    assert!(out(&done).contains("1 bar added, 1 request,"), "{}", out(&done));
}

#[test]
fn providers_are_listed_and_described() {
    let home = Home::new();
    let listed = home.run(&["providers", "--list"]);
    assert_eq!(code(&listed), 0);
    assert_eq!(out(&listed).lines().count(), 6, "{}", out(&listed));
    let json: Value = serde_json::from_str(&out(&home.run(&["providers", "--list", "--json"]))).unwrap();
    assert_eq!(json[0]["name"], "yahoo");
    assert!(out(&home.run(&["providers", "--info", "yahoo"])).contains("60 requests a minute"));
    let unknown = home.run(&["providers", "--info", "yaho"]);
    assert_eq!(code(&unknown), 4);
    assert!(err(&unknown).contains("did you mean yahoo?"), "{}", err(&unknown));
}

#[test]
fn credentials_are_stored_for_the_user_alone_and_never_shown() {
    let home = Home::new();
    home.configure("# mine\n[general]\ndry_run = true\n");
    let args = ["config", "--provider", "barchart", "--set-credentials"];
    let stored = home.run_with_input(&args, "someone\nhunter2\n");
    assert_eq!(code(&stored), 0, "{}", err(&stored));
    assert!(!out(&stored).contains("hunter2"));
    let text = fs::read_to_string(home.config_file()).unwrap();
    assert!(text.starts_with("# mine\n") && text.contains("hunter2"), "{text}");
    let mode = fs::metadata(home.config_file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let shown = home.run(&["config", "--show", "--origin"]);
    assert!(out(&shown).contains("password = \"********\""), "{}", out(&shown));
    assert!(!out(&shown).contains("hunter2"));
    assert_eq!(code(&home.run_with_input(&args, "")), 2);
}

#[test]
fn an_import_is_checked_first_and_keeps_the_old_file() {
    let home = Home::new();
    home.configure("general.dry_run = true\n");
    fs::write(home.path("bad.toml"), "general.dry_rum = true\n").unwrap();
    let refused = home.run(&["config", "--import", "bad.toml"]);
    assert_eq!(code(&refused), 2);
    assert!(err(&refused).contains("bad.toml:1"), "{}", err(&refused));
    let now = || fs::read_to_string(home.config_file()).unwrap();
    assert_eq!(now(), "general.dry_run = true\n");
    fs::write(home.path("good.toml"), "general.random_sleep_max = 7\n").unwrap();
    assert_eq!(code(&home.run(&["config", "--import", "good.toml"])), 0);
    assert_eq!(now(), "general.random_sleep_max = 7\n");
    let old = fs::read_to_string(home.path(".config/vortex/config.toml.old")).unwrap();
    assert_eq!(old, "general.dry_run = true\n");
    assert_eq!(code(&home.run(&["config", "--export", "out.toml"])), 0);
    assert!(fs::read_to_string(home.path("out.toml")).unwrap().contains("random_sleep_max = 7"));
    assert_eq!(code(&home.run(&["config", "--reset"])), 0);
    assert_eq!(code(&home.run(&["config", "--show"])), 0);
    assert!(!now().contains("random_sleep_max = 7"));
}

#[test]
fn a_dry_run_changes_no_configuration() {
    let home = Home::new();
    fs::write(home.path("good.toml"), "general.random_sleep_max = 7\n").unwrap();
    for args in [&["--import", "good.toml"][..], &["--reset"], &["--export", "out.toml"]] {
        let args = [&["config", "--dry-run"], args].concat();
        assert_eq!(code(&home.run(&args)), 0, "{args:?}");
    }
    assert!(!home.config_file().exists() && !home.path("out.toml").exists());
}

#[test]
fn every_shell_has_a_completion_and_every_command_a_page() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = home.run(&["completion", shell]);
        assert_eq!(code(&script), 0);
        assert!(out(&script).contains("set-credentials"), "{shell}");
    }
    assert_eq!(code(&home.run(&["man", "pages"])), 0);
    for command in [
        "",
        "-download",
        "-config",
        "-providers",
        "-validate",
        "-archive",
        "-archive-show",
        "-wizard",
        "-resilience",
        "-resilience-reset",
        "-completion",
    ] {
        let page = fs::read_to_string(home.path(&format!("pages/vortex{command}.1")));
        assert!(page.unwrap().contains(".SH NAME"), "{command}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    let home = Home::new();
    let version = home.run(&["--version"]);
    assert_eq!(code(&version), 0);
    assert_eq!(out(&version), format!("vortex {}\n", env!("CARGO_PKG_VERSION")));
    for command in ["download", "config", "providers", "validate", "archive", "wizard", "resilience"] {
        let help = home.run(&[command, "--help"]);
        assert_eq!(code(&help), 0, "{command}");
        assert!(out(&help).contains("Usage: vortex"), "{command}");
    }
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let home = Home::new();
    let mut child =
        home.command(&["completion", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 0);
    assert_eq!(err(&output), "");
}

#[test]
fn the_log_goes_where_the_configuration_says() {
    let home = Home::new();
    home.configure("general.log_level = 'INFO'\n");
    let console = home.run(&["config", "--show"]);
    assert!(err(&console).contains("old name"), "{}", err(&console));
    let quiet = home
        .command(&["-v", "config", "--show"])
        .env("VORTEX_LOGGING_OUTPUT", "file")
        .env("VORTEX_LOGGING_FORMAT", "json")
        .env("VORTEX_SOMETHING", "x")
        .output()
        .unwrap();
    assert_eq!(err(&quiet), "");
    let log = home.path(".local/state/vortex/logs/vortex.log");
    let text = fs::read_to_string(log).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["level"] == "WARN"), "{text}");
    assert!(text.contains("VORTEX_SOMETHING"), "{text}");
}

/// Every file and folder below a folder, with what it holds.
fn everything(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything(&path));
            found.insert(path, Vec::new());
        } else {
            found.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    found
}

/// Lets everybody read a folder with all in it, and nobody write.
fn only_to_read(folder: &Path) {
    for path in everything(folder).keys().map(PathBuf::as_path).chain([folder]) {
        let mode = if path.is_dir() { 0o555 } else { 0o444 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// As root: somebody else, whom the files' modes concern.
fn become_nobody(command: &mut Command, home: &Home) {
    if fs::metadata(home.0.path()).unwrap().uid() == 0 {
        command.uid(65_534).gid(65_534);
    }
}

#[test]
fn who_may_not_write_can_read() {
    let home = Home::new();
    let archive = home.path("archive");
    let at = archive.to_str().unwrap();
    let download = ["download", "-o", at, "-p", "sample", "-s", "AAPL", "--period", "1d", "--yes"];
    assert_eq!(code(&home.run(&download)), 0);
    let binary = home.path("vortex");
    fs::copy(env!("CARGO_BIN_EXE_vortex"), &binary).unwrap();
    fs::set_permissions(home.0.path(), fs::Permissions::from_mode(0o755)).unwrap();
    only_to_read(&archive);
    let before = everything(&archive);
    for args in [
        &["archive", "list", "-o", at] as &[&str],
        &["archive", "show", "AAPL", "-o", at],
        &["validate", "--path", at],
        &["download", "-o", at, "-p", "sample", "-s", "AAPL", "--period", "1d", "--dry-run"],
    ] {
        let mut command = Command::new(&binary);
        command.env_clear().env("HOME", "/nonexistent").current_dir("/").stdin(Stdio::null()).args(args);
        become_nobody(&mut command, &home);
        let output = command.output().unwrap();
        assert_eq!(code(&output), 0, "{args:?}: {}", err(&output));
        assert!(args[0] == "validate" || out(&output).contains("AAPL"), "{args:?}: {}", out(&output));
        assert_eq!(everything(&archive), before, "{args:?}");
    }
    for path in before.keys().chain([&archive]).filter(|path| path.is_dir()) {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn no_name_steers_the_terminal() {
    let home = Home::new();
    let folder = "a\u{1b}[2Jb\u{9b}31m";
    let mut seen = 0;
    for args in [
        &["download", "-p", "sample", "-s", "EURUSD", "--start-date", "2026-01-05", "-o", folder][..],
        &["download", "-p", "sample", "-s", "EURUSD", "--dry-run", "-o", folder],
        &["archive", "list", "-o", folder, "--json"],
        &["validate", "-p", folder],
        &["validate", "-p", "nowhere\u{9b}31m"],
        &["validate", "-p", "nowhere\u{9b}31m", "--json"],
        &["validate", "a\u{9b}31m"],
    ] {
        let ran = home.run(args);
        let said = [ran.stdout, ran.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert!(!said.contains(|c: char| c.is_control() && c != '\n'), "{args:?}: {said:?}");
        seen += usize::from(["u{1b}", "u001b", "u{9b}", "u009b"].iter().any(|shown| said.contains(shown)));
    }
    // Those that name it show it.
    assert!(seen >= 4, "{seen}");
}

#[test]
fn what_is_on_no_list_is_not_late() {
    let home = Home::new();
    home.configure("general.default_provider = \"sample\"\n");
    let args = ["download", "--yes", "-s", "AAPL", "MSFT", "--period", "1d", "--start-date", "2026-01-05"];
    assert!(home.run(&[&args[..], &["--end-date", "2026-01-30"]].concat()).status.success());
    // As if that had been done then, and nothing since.
    let catalogue =
        rusqlite::Connection::open(home.path(".local/share/vortex/.vortex/catalogue.db")).unwrap();
    catalogue.execute("UPDATE series SET state = json_set(state, '$.asked_at', 1769800000)", []).unwrap();
    drop(catalogue);
    let states = || {
        let output = home.run(&["archive", "list", "--json"]);
        let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| row["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(states(), ["late", "late"], "what was asked for by name is the list where there is none");
    let list = home.path(".config/vortex/assets.json");
    fs::write(&list, r#"{"stock": {"AAPL": {"code": "AAPL"}}}"#).unwrap();
    assert_eq!(states(), ["late", "unlisted"]);
    let told = home.run(&["archive", "list"]);
    assert!(String::from_utf8_lossy(&told.stdout).contains("unlisted"), "{told:?}");
    home.configure(
        "general.default_provider = \"sample\"\n[watchlists.few]\nsymbols = [\"MSFT\"]\nperiods = [\"1d\"]\n",
    );
    assert_eq!(states(), ["late", "late"]);
}
