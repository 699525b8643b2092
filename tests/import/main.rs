//! `vortex import` as a person runs it: generated exports in every layout, odd files, whole folders of older
//! Vortex and of bc-utils, runs that are cut off.

#[path = "../support/binary.rs"]
mod binary;
mod exports;
mod hand;
mod odd;
mod takeover;

use std::fs;
use std::path::Path;

use binary::Home;
use serde_json::Value;

/// Instruments by the names of pysystemtrade.
const ASSETS: &str = r#"{"future": {
    "GOLD": {"code": "GC", "cycle": "GJMQVZ", "periods": "1d,1h", "start_date": "2020-01-01", "days_count": 400},
    "AUD": {"code": "A6", "cycle": "HMUZ", "periods": "1d,1h", "start_date": "2020-01-01", "days_count": 400}},
  "stock": {"SPX": {"code": "$SPX", "periods": "1d"}}}"#;

/// A home with that list.
fn home() -> Home {
    let home = Home::configured("[general]\nassets_file = \"assets.json\"\n");
    fs::write(home.path("assets.json"), ASSETS).unwrap();
    home
}

/// Writes a file below the home, with its folders.
fn put(home: &Home, name: &str, text: impl AsRef<[u8]>) {
    home.put(name, text);
}

/// The files of a report, by their names; the sums of each must be its rows.
fn files(report: &Value) -> Vec<(String, &Value)> {
    let files = report["files"].as_array().unwrap();
    files
        .iter()
        .map(|file| {
            let number = |value: &Value| value.as_u64().unwrap();
            let not_taken: u64 =
                file["not_taken"].as_array().unwrap().iter().map(|why| number(&why["rows"])).sum();
            let sum = number(&file["taken"]) + number(&file["already"]) + not_taken;
            assert_eq!(sum, number(&file["rows"]), "{file}");
            let name = Path::new(file["file"].as_str().unwrap()).file_name().unwrap();
            (name.to_str().unwrap().to_owned(), file)
        })
        .collect()
}

/// The one file of a report.
fn only(report: &Value) -> Value {
    let files = files(report);
    assert_eq!(files.len(), 1, "{report}");
    files[0].1.clone()
}
