//! One instrument at two providers: a continuous series of the one, dated contracts of the other.

use std::fs;

use vortex::model::Day;

use crate::binary::Home;
use crate::{FAST, yahoo_with};

fn list(home: &Home, name: &str, entry: &str) -> String {
    let file = home.path(name);
    fs::write(&file, format!(r#"{{"future": {{"GOLD": {entry}}}}}"#)).unwrap();
    file.display().to_string()
}

#[test]
fn a_continuous_series_and_contracts_of_one_name_live_beside_each_other() {
    let (_server, home) = yahoo_with(FAST);
    let today = Day::of_utc(jiff::Timestamp::now().as_second());
    let since = today.plus(-120).to_string();
    let continuous = list(&home, "yahoo.json", r#"{"code": "GC=F", "periods": "1d,1h,5m"}"#);
    let dated = list(&home, "sample.json", r#"{"code": "GC", "cycle": "GJMQVZ", "periods": "1d"}"#);
    let yahoo = ["download", "-p", "yahoo", "--assets", &continuous, "--start-date", &since, "--yes"];
    home.expect(0, &yahoo);
    let sample = ["download", "-p", "sample", "--assets", &dated, "--start-date", &since, "--yes"];
    home.expect(0, &sample);

    // Daily bars are one file, hours a year each, minutes a month each; a contract is always one.
    let this_year = today.to_string()[..4].to_owned();
    assert!(home.file("yahoo/futures/1d/GOLD.csv").exists());
    assert!(home.file(&format!("yahoo/futures/1h/GOLD/{this_year}.csv")).exists());
    let minutes: Vec<_> =
        home.csvs().into_keys().filter(|path| path.starts_with("yahoo/futures/5m/GOLD")).collect();
    assert!(minutes.len() >= 2, "{minutes:?}");
    assert!(home.csvs().keys().any(|path| path.starts_with("sample/futures/1d/GOLD")));
    assert!(fs::read_to_string(home.file("yahoo/futures/1d/GOLD.csv")).unwrap().starts_with("Datetime,Open"));

    let told = home.expect(0, &["archive", "list", "GOLD"]).out;
    for line in ["yahoo/GOLD", "sample/GOLD, "] {
        assert!(told.contains(line), "{told}");
    }
    home.expect(0, &["validate"]);
    // The contracts are those of the sample market; a series without contracts is none to roll.
    home.expect(0, &["continuous", "GOLD"]).says("GOLD 1d");
    home.expect(4, &["continuous", "GOLD", "-p", "yahoo"]).says("no 1d bars of contracts");
    home.expect(2, &["download", "-p", "yahoo", "--assets", &dated]).says("leave out `cycle`");

    // What is known is kept when the catalogue is not.
    fs::remove_dir_all(home.file(".vortex")).unwrap();
    home.expect(0, &["archive", "rebuild"]);
    home.expect(0, &["validate"]);
    let told = home.expect(0, &["archive", "list", "GOLD", "-p", "vortex"]).out;
    assert!(told.contains("vortex/GOLD"), "{told}");
}
