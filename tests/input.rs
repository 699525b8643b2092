//! What people and other programs hand in: symbols of every kind are archived under their encoded names, and
//! anything wrong gets one clear error that names file, place and value, exit code 2, and writes nothing.

#[path = "support/binary.rs"]
mod binary;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use binary::Home;
use rstest::rstest;

const SAMPLE: &str = "general.default_provider = 'sample'\n";
const DATES: [&str; 4] = ["--start-date", "2024-01-02", "--end-date", "2024-01-05"];

/// Every file below a folder, with its bytes.
fn everything(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => drop(found.insert(path.clone(), fs::read(&path).unwrap())),
            }
        }
    }
    found
}

#[test]
fn symbols_of_every_kind_are_archived_under_their_encoded_names() {
    let home = Home::configured(SAMPLE);
    let symbols = [
        ("^GSPC", "stocks/1d/^GSPC.csv"),
        ("BRK-B", "stocks/1d/BRK-B.csv"),
        ("EURUSD=X", "forex/1d/EURUSD%3DX.csv"),
        ("🚀", "stocks/1d/%F0%9F%9A%80.csv"),
        ("a b%c", "stocks/1d/a%20b%25c.csv"),
    ];
    let names = symbols.map(|(name, _)| name);
    home.expect(0, &[&["download", "-s"], &names[..], &DATES].concat());
    for (name, file) in symbols {
        assert!(home.file("sample").join(file).is_file(), "{name}");
        let shown = home.expect(0, &["archive", "show", name, "--json"]).json();
        assert_eq!(shown[0]["symbol"], name, "{shown}");
    }
    home.expect(0, &["validate"]).says("clean");
}

/// Each is one error with the file, the line where there is one, the key and the value.
#[rstest]
#[case::unknown_key("general.dry_rnu = true\n", &["config.toml:1", "dry_rnu", "dry_run"])]
#[case::unknown_section("\n[generl]\nverbose = true\n", &["config.toml:2", "generl", "general"])]
#[case::wrong_type("[providers.yahoo]\ntimeout = 'soon'\n", &["config.toml:2", "providers.yahoo.timeout", "soon"])]
#[case::number_out_of_range("providers.yahoo.timeout = -3\n", &["config.toml:1", "-3", "allowed"])]
#[case::word_that_is_none("general.logging.level = 'LOUD'\n", &["config.toml:1", "LOUD", "allowed"])]
#[case::no_toml("general = = 1\n", &["config.toml:1"])]
#[case::no_schedule("schedule.schedule = '99 * * * *'\n", &["config.toml:1", "99 * * * *"])]
fn a_wrong_configuration_is_one_clear_error(#[case] text: &str, #[case] said: &[&str]) {
    let home = Home::configured(text);
    refused(&home, &["download", "-s", "AAPL"], said);
}

#[test]
fn a_configuration_that_is_no_text_or_open_to_others_is_refused() {
    let home = Home::configured("");
    let config = home.path(".config/vortex/config.toml");
    fs::write(&config, b"general.verbose = true\n# \xff\xfe\n").unwrap();
    refused(&home, &["download", "-s", "AAPL"], &["config.toml:2", "UTF-8"]);
    fs::write(&config, "[providers.barchart]\nusername = 'me'\npassword = 'hunter2'\n").unwrap();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).unwrap();
    let ran = refused(&home, &["download", "-s", "AAPL"], &["config.toml", "0644", "chmod 0600"]);
    assert!(!ran.contains("hunter2"), "{ran}");
}

/// What the service refuses to start with is no valid configuration, and the other way round.
#[rstest]
#[case::option("VORTEX_DOWNLOAD_ARGS", "--yes --nope", &["environment VORTEX_DOWNLOAD_ARGS", "--nope"])]
#[case::quotes("VORTEX_DOWNLOAD_ARGS", "--symbol \"a", &["environment VORTEX_DOWNLOAD_ARGS", "quote"])]
#[case::help("VORTEX_DOWNLOAD_ARGS", "--help", &["environment VORTEX_DOWNLOAD_ARGS", "only print"])]
#[case::output("VORTEX_DOWNLOAD_ARGS", "-o X", &["environment VORTEX_DOWNLOAD_ARGS", "--output-dir"])]
#[case::list_of_runs("VORTEX_DOWNLOAD_ARGS", "--assets /nope", &["environment VORTEX_DOWNLOAD_ARGS", "/nope"])]
#[case::list("VORTEX_ASSETS_FILE", "/nope", &["environment VORTEX_ASSETS_FILE", "general.assets_file", "/nope"])]
#[case::zone("TZ", "Europe/Pariss", &["environment TZ", "Europe/Pariss", "tzdata"])]
#[case::root("VORTEX_OUTPUT_DIR", "/", &["environment VORTEX_OUTPUT_DIR", "general.output_directory", "root"])]
#[case::roundabout("VORTEX_OUTPUT_DIR", "/usr/..", &["environment VORTEX_OUTPUT_DIR", "general.output_directory"])]
#[case::file("VORTEX_OUTPUT_DIR", "/etc/passwd", &["environment VORTEX_OUTPUT_DIR", "general.output_directory", "is a file"])]
#[case::below("VORTEX_OUTPUT_DIR", "/etc/passwd/x", &["environment VORTEX_OUTPUT_DIR", "/etc/passwd is a file"])]
fn the_service_and_the_check_refuse_the_same(#[case] name: &str, #[case] value: &str, #[case] said: &[&str]) {
    let home = Home::configured(SAMPLE);
    for args in [&["config", "--show"][..], &["daemon", "--bus", "none"]] {
        let output = home.command(args).env(name, value).output().unwrap();
        let mut ran = binary::Ran::of(output).ends(2);
        for words in said {
            ran = ran.says(words);
        }
        assert_eq!(ran.out, "", "{args:?}");
    }
}

#[test]
fn what_runs_would_use_is_refused_with_its_line() {
    let home = Home::configured(
        "[schedule]\nrun_on_startup = true\ndownload_args = '--nope'\n[watchlists.w]\nassets = '/nope.json'\n",
    );
    for args in [&["config", "--show"][..], &["daemon", "--bus", "none"]] {
        refused(
            &home,
            args,
            &["config.toml:3", "--nope", "config.toml:5", "watchlists.w.assets", "/nope.json"],
        );
    }
    for zone in ["UTC", "Europe/Paris", ":Europe/Paris", "CET-1CEST,M3.5.0,M10.5.0/3"] {
        let home = Home::configured(SAMPLE);
        binary::Ran::of(home.command(&["config", "--show"]).env("TZ", zone).output().unwrap()).ends(0);
    }
}

#[test]
fn an_archive_where_no_folder_can_be_made_is_a_wrong_configuration() {
    let home = Home::configured("general.output_directory = '/proc/nowhere/archive'\n");
    for args in [&["daemon", "--bus", "none"][..], &["download", "-s", "AAPL", "-p", "sample"]] {
        home.expect(2, args).says("config.toml:1").says("general.output_directory").says("/proc/nowhere");
    }
}

#[test]
fn a_secret_is_one_line_of_a_short_file() {
    let home = Home::configured(SAMPLE);
    fs::write(home.path("two"), "hunter2\nhunter3\n").unwrap();
    fs::write(home.path("nul"), "hunter2\0").unwrap();
    fs::File::create(home.path("long")).unwrap().set_len(20 << 30).unwrap();
    for (file, said) in [("two", "control characters"), ("nul", "control characters"), ("long", "64 KiB")] {
        let file = home.path(file);
        let mut command = home.command(&["config", "--show"]);
        command.env("VORTEX_BARCHART_USERNAME", "me").env("VORTEX_BARCHART_PASSWORD_FILE", &file);
        let ran =
            binary::Ran::of(command.output().unwrap()).ends(2).says(said).says(&file.display().to_string());
        assert!(!ran.err.contains("hunter2"), "{}", ran.err);
    }
    let long = home.path("long").display().to_string();
    for args in [
        &["-c", &long, "config", "--show"][..],
        &["download", "--assets", &long],
        &["download", "--symbols-file", &long],
    ] {
        home.expect(2, args).says("is longer than 16384 KiB").says(&long);
    }
}

#[rstest]
#[case::no_json("{\"stock\": ", &["list.json:1"])]
#[case::not_an_object("[1, 2]", &["list.json"])]
#[case::unknown_class("{\"bond\": {\"X\": {\"code\": \"X\"}}}", &["list.json:1", "bond", "stock"])]
#[case::unknown_field("{\"stock\": {\"X\": {\"code\": \"X\", \"colour\": 1}}}", &["list.json:1", "colour"])]
#[case::wrong_type("{\"stock\": {\"X\": {\"code\": 7}}}", &["list.json:1", "code", "7"])]
#[case::wrong_period("{\"stock\": {\"X\": {\"code\": \"X\", \"periods\": \"4h\"}}}", &["list.json:1", "4h"])]
#[case::wrong_date("{\"stock\": {\"X\": {\"code\": \"X\", \"start_date\": \"2024-02-30\"}}}", &["list.json:1", "2024-02-30"])]
#[case::name_that_is_none("{\"stock\": {\"../x\": {\"code\": \"X\"}}}", &["list.json:1", "../x"])]
#[case::twice("{\"stock\": {\"X\": {\"code\": \"A\"},\n\"X\": {\"code\": \"B\"}}}", &["list.json:2", "X"])]
fn a_broken_instruments_file_is_one_clear_error(#[case] text: &str, #[case] said: &[&str]) {
    let home = Home::configured(SAMPLE);
    fs::write(home.path("list.json"), text).unwrap();
    refused(&home, &["download", "--assets", "list.json"], said);
}

/// Brackets without end must not end the program.
#[rstest]
#[case::start("start_date")]
#[case::ticks("tick_date")]
fn an_instrument_that_begins_in_the_future_is_refused(#[case] field: &str) {
    let home = Home::configured(SAMPLE);
    let text = format!("{{\"stock\": {{\"AAPL\": {{\"code\": \"AAPL\", \"{field}\": \"2199-01-05\"}}}}}}");
    fs::write(home.path("list.json"), text).unwrap();
    let said = [&format!("list.json: stock.AAPL.{field} 2199-01-05 lies in the future")[..], "today is"];
    refused(&home, &["download", "--assets", "list.json"], &said);
}

#[test]
fn dates_in_the_future_are_refused_and_tomorrow_is_not() {
    let home = Home::configured(SAMPLE);
    for option in ["--start-date", "--end-date"] {
        let args = ["download", "-s", "AAPL", option, "2199-01-05"];
        refused(&home, &args, &[option, "2199-01-05 lies in the future", "today is"]);
    }
    let tomorrow = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24)).to_string();
    home.expect(0, &["download", "-s", "AAPL", "--end-date", &tomorrow[..10]]);
}

#[test]
fn an_empty_list_is_called_empty_and_opposites_are_refused() {
    let home = Home::configured(SAMPLE);
    fs::write(home.path("list.json"), "{}").unwrap();
    refused(&home, &["download", "--assets", "list.json"], &["list.json is empty"]);
    home.expect(2, &["download", "-s", "AAPL", "--backup", "--no-backup"]).says("cannot be used with");
}

#[test]
fn an_address_with_a_password_is_refused_without_it() {
    for address in
        ["http://user:S3CRET@127.0.0.1:1", "https://user:S3CRET@example.org", "https://h/?k=S3CRET"]
    {
        let home = Home::configured(&format!("{SAMPLE}providers.yahoo.base_url = '{address}'\n"));
        let said = refused(&home, &["download", "-s", "AAPL"], &["config.toml:2", "base_url", "allowed"]);
        assert!(!said.contains("S3CRET"), "{said}");
    }
}

#[rstest]
#[case::json("list.json", "[", 200_000)]
#[case::objects("list.json", "{\"a\":", 200_000)]
#[case::toml("list.toml", "x = [", 1)]
#[case::nested_toml("list.toml", "[", 200_000)]
fn deep_nesting_is_refused(#[case] name: &str, #[case] bracket: &str, #[case] depth: usize) {
    let home = Home::configured(SAMPLE);
    fs::write(home.path(name), bracket.repeat(depth)).unwrap();
    refused(&home, &["download", "--assets", name], &[name]);
}

#[test]
fn an_archive_of_a_newer_version_is_left_alone() {
    let home = Home::configured(SAMPLE);
    home.expect(0, &[&["download", "-s", "AAPL"][..], &DATES].concat());
    let catalogue = rusqlite::Connection::open(home.file(".vortex/catalogue.db")).unwrap();
    catalogue.pragma_update(None, "user_version", 99).unwrap();
    drop(catalogue);
    for args in [
        &["download", "-s", "AAPL", "MSFT"][..],
        &["archive", "list"],
        &["archive", "rebuild"],
        &["validate", "--fix"],
    ] {
        refused(&home, args, &["catalogue.db", "newer Vortex", "schema 99"]);
    }
}

/// Runs what has to be refused: exit code 2, these words, one error, and nothing written. What it said.
#[track_caller]
fn refused(home: &Home, args: &[&str], said: &[&str]) -> String {
    let before = everything(&home.path(""));
    let mut ran = home.expect(2, args);
    for words in said {
        ran = ran.says(words);
    }
    assert_eq!(ran.out, "", "{args:?}");
    assert_eq!(ran.err.lines().filter(|line| line.starts_with("vortex: ")).count(), 1, "{}", ran.err);
    assert!(ran.err.lines().count() <= 4, "{}", ran.err);
    let after = everything(&home.path(""));
    assert!(after == before, "written: {:?}", after.keys().filter(|path| !before.contains_key(*path)));
    ran.err
}
