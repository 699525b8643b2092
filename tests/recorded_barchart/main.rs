//! Every recorded export of Barchart's, and the recorded files of bc-utils, imported whole by `vortex import`, with
//! what each of them must become. They belong to others and are read from the folder that `VORTEX_RECORDED` names;
//! none is copied here.

#[path = "../support/binary.rs"]
mod binary;
mod expectations;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use binary::Home;
use expectations::{EXPECTATIONS, Expect};
use serde_json::Value;

const ASSETS: &str = r#"{"future": {
    "NASDAQ": {"code": "NQ", "cycle": "HMUZ"}, "DOW": {"code": "YM", "cycle": "HMUZ"},
    "AUD": {"code": "A6", "cycle": "HMUZ"}, "AUD_micro": {"code": "MG", "cycle": "HMUZ"},
    "US5": {"code": "ZF", "cycle": "HMUZ"}, "ALUMINIUM": {"code": "AL", "cycle": "FGHJKMNQUVXZ"}},
  "stock": {"SPX": {"code": "$SPX"}}}"#;

fn recorded() -> PathBuf {
    let folder = std::env::var_os("VORTEX_RECORDED")
        .expect("set VORTEX_RECORDED to the folder of the recorded answers (the one with SOURCES.md in it)");
    Path::new(&folder).join("barchart")
}

fn home() -> Home {
    let home = Home::configured("[general]\nassets_file = \"assets.json\"\n");
    std::fs::write(home.path("assets.json"), ASSETS).unwrap();
    home
}

fn list(folder: &Path, root: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => list(&path, root, found),
            false => drop(found.insert(path.strip_prefix(root).unwrap().display().to_string())),
        }
    }
}

#[test]
fn every_recording_has_an_expectation() {
    let mut there = BTreeSet::new();
    list(&recorded(), &recorded(), &mut there);
    let expected: BTreeSet<String> = EXPECTATIONS.iter().map(|expect| expect.file.to_owned()).collect();
    assert_eq!(there, expected);
}

#[test]
fn every_recording_becomes_what_it_shows() {
    for expect in EXPECTATIONS {
        let home = home();
        let file = recorded().join(expect.file);
        let report = home.expect(0, &["import", "--json", file.to_str().unwrap()]).json();
        check(expect, &report["files"][0], &home);
        let again = home.expect(0, &["import", "--json", file.to_str().unwrap()]).json();
        assert_eq!(again["files"][0]["already"], expect.rows - expect.left_out, "{}", expect.file);
        home.expect(0, &["validate"]);
    }
}

fn check(expect: &Expect, told: &Value, home: &Home) {
    let name = expect.file;
    assert_eq!(
        (&told["rows"], &told["taken"]),
        (&expect.rows.into(), &(expect.rows - expect.left_out).into()),
        "{name}: {told}"
    );
    let left_out: u64 =
        told["not_taken"].as_array().unwrap().iter().map(|why| why["rows"].as_u64().unwrap()).sum();
    assert_eq!(left_out, expect.left_out, "{name}: {told}");
    let notes = told["notes"].as_array().unwrap();
    let outside = notes.iter().any(|note| note.as_str().unwrap().contains("outside of their own range"));
    assert_eq!(outside, expect.outside, "{name}: {told}");
    let csvs = home.csvs();
    let below = |path: &&PathBuf| path.starts_with(Path::new("barchart").join(expect.series));
    let lines: Vec<&str> =
        csvs.iter().filter(|(path, _)| below(path)).flat_map(|(_, text)| text.lines().skip(1)).collect();
    assert_eq!(lines.len() as u64, expect.rows - expect.left_out, "{name}: {:?}", csvs.keys());
    assert_eq!((lines[0], lines[lines.len() - 1]), (expect.first, expect.last), "{name}");
}

/// All at once, whatever their order: the two exports of one index agree on the days both have.
#[test]
fn all_of_them_make_one_archive() {
    let home = home();
    let report = home.expect(0, &["import", "--json", recorded().to_str().unwrap()]).json();
    for told in report["files"].as_array().unwrap() {
        let not_taken: u64 =
            told["not_taken"].as_array().unwrap().iter().map(|why| why["rows"].as_u64().unwrap()).sum();
        let number = |name: &str| told[name].as_u64().unwrap();
        assert_eq!(number("taken") + number("already") + not_taken, number("rows"), "{told}");
        assert_eq!(told["corrected"], 0, "{told}");
    }
    let spx = std::fs::read_to_string(home.file("barchart/stocks/1d/SPX.csv")).unwrap();
    assert_eq!(spx.lines().count(), 6602);
    home.expect(0, &["validate"]);
}
