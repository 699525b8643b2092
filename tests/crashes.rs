//! Death by `kill -9` at random moments, and what it is judged by.

#[path = "support/binary.rs"]
mod binary;
#[path = "support/compare.rs"]
mod compare;

use std::fs;

use binary::Home;
use compare::differences;

const DOWNLOAD: [&str; 10] = [
    "download",
    "-p",
    "sample",
    "-s",
    "AAPL",
    "VOD",
    "--start-date",
    "2026-01-02",
    "--end-date",
    "2026-03-31",
];

#[test]
fn two_archives_with_the_same_bars_are_the_same_and_any_other_is_told() {
    let (one, other) = (Home::new(), Home::new());
    let (mine, theirs) = (one.archive(), other.archive());
    one.expect(0, &DOWNLOAD);
    other.expect(0, &DOWNLOAD);
    assert_eq!(differences(&mine, &theirs), [""; 0]);

    let csv = theirs.join("sample/stocks/1d/AAPL.csv");
    let text = fs::read_to_string(&csv).unwrap();
    let twin = csv.with_extension("parquet");
    fs::write(&csv, text.replace("2026-02-03", "2026-02-04")).unwrap();
    fs::copy(twin.with_file_name("VOD.parquet"), &twin).unwrap();
    fs::write(theirs.join(".vortex/tmp/00000001"), "x").unwrap();
    fs::write(theirs.join("sample/stocks/1d/GE.csv"), "x").unwrap();
    let found = differences(&mine, &theirs);
    for said in ["AAPL.csv differs", "AAPL.parquet differs", "00000001 was left", "GE.csv is only in"] {
        assert!(found.iter().any(|line| line.contains(said)), "no {said:?} in {found:?}");
    }
    assert_eq!(found.len(), 4, "{found:?}");

    let third = Home::new();
    third.expect(0, &[&DOWNLOAD[..9], &["2026-04-30"]].concat());
    let found = differences(&mine, &third.archive());
    let told = |said: &str| found.iter().any(|line| line.contains(said));
    assert!(told("sample AAPL 1d: bars") && told("sessions of sample"), "{found:?}");
}
