//! Files that are not what they seem: each is refused or passed over in words, and nothing of it is stored.

use crate::exports::{Export, hours, rows, weekdays};
use crate::{files, home, only, put};

fn daily() -> Export {
    Export::daily(rows(weekdays("2024-01-02", "2024-01-12")), "01-15-2024 06:11am CST")
}

#[test]
fn what_cannot_be_taken_is_said() {
    let text = daily().text();
    let cut = &text[..text.len() - 70];
    let hourly = Export::intraday(rows(hours("2024-01-02", "2024-01-12")), "01-15-2024 06:11am CST");
    let of_silver = Export { symbol: Some("SIG24"), ..daily() };
    for (name, content, why) in [
        ("gcg24_daily.csv", "<html><title>Log In</title>", "it is a web page and no CSV: Log In"),
        (
            "gcg24_daily.csv",
            "<p>You have reached the daily limit of downloads",
            "limit of downloads is reached",
        ),
        ("gcg24_daily.csv", "Error retrieving data", "the site had an error"),
        ("gcg24_daily.csv", "", "it is empty"),
        ("gcg24_daily.csv", cut, "it is cut off"),
        (
            "gcg24_daily.csv",
            &text.replace("Volume", "Contracts"),
            "line 1, column 8: \"Contracts\" is no column",
        ),
        ("gcg24_daily.csv", &text.replace("100.37", "100-12"), "is not a number"),
        ("gcg24_intraday-60min.csv", &text, "its name says 60min and its rows are daily"),
        ("gcg24_daily.csv", &hourly.text(), "its name says daily and its rows are 60min"),
        ("gcg24_intraday-5min.csv", &hourly.text(), "its name says 5min and its rows are 60min"),
        ("gcg24_weekly.csv", &text, "weekly exports are not imported"),
        ("gcg24_daily.csv", &of_silver.text(), "its name says GCG24 and its column Symbol SIG24"),
        (
            "gcg21_daily.csv",
            &Export { symbol: Some("GCG24"), ..daily() }.text(),
            "its name says GCG21 and its column Symbol GCG24",
        ),
        ("export.csv", &text, "neither its name"),
    ] {
        let home = home();
        put(&home, name, content);
        let ran = home.expect(1, &["import", "--json", name]);
        let report = only(&ran.json());
        assert!(report["reason"].as_str().unwrap().contains(why), "{name} {content:.60}: {report}");
        assert_eq!(report["taken"], 0);
        assert!(home.csvs().is_empty(), "{name}: {why}");
    }
}

#[test]
fn what_is_no_file_of_data_is_passed_over() {
    let home = home();
    put(&home, "d/gcg24_daily.csv.crdownload", "Time,Open");
    put(&home, "d/notes.txt", "x");
    put(&home, "d/.hidden.csv", "x");
    put(&home, "d/Gold (2024)/gcg24_daily (2).csv", daily().text());
    put(&home, "d/ä ö 'ü'\n/a6h24_daily.csv", daily().text());
    let report = home.expect(0, &["import", "--json", "d"]).json();
    let told: Vec<_> =
        files(&report).iter().map(|(name, file)| (name.clone(), file["result"].clone())).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    for (name, result) in told {
        let expected = if name.ends_with(".csv") { "imported" } else { "passed over" };
        assert_eq!(result, expected, "{name}");
    }
    home.expect(4, &["import", "nowhere"]).says("no such file or folder");
    home.expect(2, &["import", "--symbol", "GOLD", "d"]).says("NAME=CODE");
    home.expect(2, &["import", "--class", "bond", "d"]).says("stock, future, forex");
}

/// A file of another price scale, or of another contract by its values, leaves what is stored alone.
#[test]
fn values_that_contradict_the_archive_are_refused() {
    let home = home();
    put(&home, "gcg24_daily.csv", daily().text());
    home.expect(0, &["import", "gcg24_daily.csv"]);
    let before = home.csvs();
    let mut scaled = daily();
    scaled.rows.iter_mut().for_each(|row| row.prices.iter_mut().for_each(|price| *price *= 4.0));
    put(&home, "gcg24_daily.csv", Export { made: "01-16-2024 06:11am CST", ..scaled }.text());
    home.expect(1, &["import", "gcg24_daily.csv"]).says("two price scales");
    let mut other = daily();
    other.rows.iter_mut().enumerate().for_each(|(at, row)| row.prices[3] += 0.1 * (at + 1) as f64);
    let other = Export { made: "01-16-2024 06:11am CST", ..other };
    put(&home, "gcg24_daily.csv", other.text());
    home.expect(1, &["import", "gcg24_daily.csv"]).says("is it of another contract? --force");
    assert_eq!(home.csvs(), before);
    home.expect(0, &["import", "--force", "gcg24_daily.csv"]);
    assert_ne!(home.csvs(), before);
}

/// A code that is not in the list is taken as it is, and said; a name can be given.
#[test]
fn unknown_symbols_are_taken_by_their_code_or_a_name() {
    let home = home();
    put(&home, "nqh24_daily.csv", daily().text());
    home.expect(0, &["import", "nqh24_daily.csv"]).says("NQ is not in the instruments file");
    assert!(home.file("barchart/futures/1d/NQ/NQ_20240300.csv").is_file());
    home.expect(0, &["import", "--symbol", "NASDAQ=NQ", "nqh24_daily.csv"]);
    assert!(home.file("barchart/futures/1d/NASDAQ/NASDAQ_20240300.csv").is_file());
    put(&home, "spx_daily.csv", Export { open_interest: false, ..daily() }.text());
    home.expect(0, &["import", "spx_daily.csv"]);
    assert!(home.file("barchart/stocks/1d/SPX.csv").is_file());
    put(&home, "gbpusd_daily.csv", Export { open_interest: false, ..daily() }.text());
    home.expect(0, &["import", "--class", "forex", "gbpusd_daily.csv"]);
    assert!(home.file("barchart/forex/1d/GBPUSD.csv").is_file());
}
