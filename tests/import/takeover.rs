//! Whole folders of older Vortex and of bc-utils.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::binary::Home;
use crate::exports::{Export, Row, hours, rows, weekdays};
use crate::{files, home, put};

/// The instant of a wall, as those programs wrote it.
fn stamp(row: &Row, zone: &str) -> String {
    let zone = jiff::tz::TimeZone::get(zone).unwrap();
    zone.to_timestamp(row.at).unwrap().strftime("%Y-%m-%dT%H:%M:%S+0000").to_string()
}

/// A CSV as pandas writes it: every price with a point.
fn plain(first: &str, rows: &[Row], more: &str, value: &str) -> String {
    plain_of("America/Chicago", first, rows, more, value)
}

fn plain_of(zone: &str, first: &str, rows: &[Row], more: &str, value: &str) -> String {
    let mut text = format!("{first},Open,High,Low,Close{more},Volume\n");
    for row in rows {
        let [open, high, low, close] = row.prices;
        text.push_str(&format!(
            "{},{open:?},{high:?},{low:?},{close:?}{value},{}\n",
            stamp(row, zone),
            row.volume
        ));
    }
    text
}

fn side(provider: &str, symbol: &str, period: &str, start: &str, end: &str) -> String {
    serde_json::json!({
        "symbol": symbol, "period": period, "start_date": start, "end_date": end,
        "first_row_date": start, "last_row_date": end, "data_provider": provider,
        "expiration_date": null, "created_date": "2024-03-06T10:00:00.000001",
    })
    .to_string()
}

/// What an older Vortex leaves: two contracts daily and hourly, a stock in one file, twins and side files.
fn older(home: &Home) {
    let daily = rows(weekdays("2023-01-03", "2024-02-26"));
    let hourly = rows(hours("2023-11-01", "2024-02-26"));
    let stock = rows(weekdays("2023-01-03", "2024-02-26"));
    let gold = "old/futures/1d/GOLD/GOLD_20240200.csv";
    put(home, gold, plain("Datetime", &daily, ",Change", ",0.5"));
    put(
        home,
        &format!("{gold}.json"),
        side("Barchart", "GCG24", "1d", "2022-12-01T00:00:00+00:00", "2024-02-29T06:00:00+00:00"),
    );
    put(home, "old/futures/1d/GOLD/GOLD_20240200.parquet", "PAR1");
    put(home, "old/futures/1h/GOLD/GOLD_20240200.csv", plain("Datetime", &hourly, "", ""));
    put(
        home,
        "old/futures/1h/GOLD/GOLD_20240200.csv.json",
        side("Barchart", "GCG24", "1h", "2022-12-01T00:00:00+00:00", "2024-03-02T06:00:00+00:00"),
    );
    put(home, "old/stocks/1d/SPX.csv", plain_of("America/New_York", "Datetime", &stock, "", ""));
    put(
        home,
        "old/stocks/1d/SPX.csv.json",
        side("Barchart", "$SPX", "1d", "2023-01-01T00:00:00+00:00", "2024-03-01T06:00:00+00:00"),
    );
}

/// Every file below a folder, with its content and when it was changed.
fn state(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(state(&path)),
            false => {
                let changed = fs::metadata(&path).unwrap().modified().unwrap();
                found.insert(path.clone(), (fs::read(&path).unwrap(), changed));
            }
        }
    }
    found
}

#[test]
fn an_older_vortex_is_taken_over_and_nothing_is_asked_again() {
    let home = home();
    older(&home);
    let before = state(&home.path("old"));
    let report = home.expect(0, &["import", "--json", "old"]).json();
    assert_eq!(files(&report).len(), 3, "{report}");
    for (name, file) in files(&report) {
        assert_eq!(
            (&file["result"], &file["taken"]),
            (&"imported".into(), &file["rows"]),
            "{name}: {report}"
        );
    }
    assert_eq!(state(&home.path("old")), before, "the source is untouched");
    let csv = fs::read_to_string(home.file("barchart/futures/1d/GOLD/GOLD_20240200.csv")).unwrap();
    assert!(csv.contains("\n2023-07-03T00:00:00+0000,"), "summer and winter become dates");
    assert!(csv.contains("\n2023-01-03T00:00:00+0000,"));
    // What the old one asked for is known, and the contract is over.
    let asked = home
        .expect(
            0,
            &["download", "-p", "barchart", "--dry-run", "--json", "-s", "GOLD", "--end-date", "2024-02-28"],
        )
        .json();
    let series = asked["series"].as_array().unwrap();
    let of_contract: Vec<_> = series.iter().filter(|series| series["contract"] == "GOLD_20240200").collect();
    assert_eq!(of_contract.len(), 2, "{asked}");
    for series in of_contract {
        assert_eq!((&series["state"], &series["requests"]), (&"current".into(), &0.into()), "{series}");
    }
}

#[test]
fn an_archive_of_bc_utils_is_taken_over() {
    let home = home();
    let daily = rows(weekdays("2023-10-17", "2024-01-31"));
    let hourly = rows(hours("2023-10-17", "2024-01-31"));
    put(&home, "bc/Day_AUD_20240300.csv", plain("Time", &daily, "", ""));
    put(&home, "bc/Hour_AUD_20240300.csv", plain("Time", &hourly, "", ""));
    put(
        &home,
        "bc/Hour_AUD_20200300.csv",
        "Time,Open,High,Low,Close,Volume\n1970-01-01T00:00:00+0000,0,0,0,0,0\n1970-01-01T00:00:00+0000,0,0,0,0,0\n",
    );
    let report = home.expect(0, &["import", "--json", "bc"]).json();
    let told = files(&report);
    assert_eq!(told[0].1["taken"], daily.len(), "{report}");
    assert_eq!(told[2].1["taken"], hourly.len(), "{report}");
    assert_eq!(told[1].1["not_taken"][0]["rows"], 2, "{report}");
    // Before the names had a period the rows alone tell it.
    put(&home, "older/AUD_20240600.csv", plain("Time", &daily, "", ""));
    home.expect(0, &["import", "older"]).says("AUD_20240600 1d");
    let csv = fs::read_to_string(home.file("barchart/futures/1h/AUD/AUD_20240300.csv")).unwrap();
    assert_eq!(csv.lines().count(), hourly.len() + 1);
    assert!(csv.contains(&stamp(&hourly[0], "America/Chicago")));
}

/// The absences that `archive show` tells of a contract.
fn absent(home: &Home, contract: &str) -> Vec<String> {
    let shown = home.expect(0, &["archive", "show", contract]).out;
    shown.lines().filter(|line| line.contains("absent")).map(str::to_owned).collect()
}

/// bc-utils has the last months of a contract, and its folder may have been copied: nothing beside its rows is known.
#[test]
fn rows_alone_prove_nothing_of_the_days_beside_them() {
    let home = home();
    put(
        &home,
        "bc/Day_GOLD_20260800.csv",
        plain("Time", &rows(weekdays("2026-03-02", "2026-08-14")), "", ""),
    );
    let report = home.expect(0, &["import", "--json", "bc"]).json();
    let note = files(&report)[0].1["notes"][0].as_str().unwrap();
    assert_eq!(note, "known to 2026-08-14; the next download asks for the days to 2026-08-31");
    let proved = |contract| {
        let told = absent(&home, contract).concat();
        assert!(!told.contains("before listing") && !told.contains("after expiry"), "{told}");
    };
    proved("GOLD_20260800");
    // The same of an export that was made when the contract was over.
    put(
        &home,
        "gcg24_daily.csv",
        Export::daily(rows(weekdays("2024-01-02", "2024-01-19")), "11-20-2026 06:11am CST").text(),
    );
    home.expect(0, &["import", "gcg24_daily.csv"]).says("known to 2024-01-19");
    proved("GOLD_20240200");
    let asked = home
        .expect(
            0,
            &["download", "-p", "barchart", "--dry-run", "--json", "-s", "GOLD_20240200", "--period", "1d"],
        )
        .json();
    assert_ne!(asked["series"][0]["requests"], 0, "{asked}");
}

/// A side file says what was asked for: that is known, and no day behind it.
#[test]
fn a_side_file_proves_the_days_that_it_names() {
    let home = home();
    let gold = "old/futures/1d/GOLD/GOLD_20260400.csv";
    put(&home, gold, plain("Datetime", &rows(weekdays("2026-01-05", "2026-03-20")), "", ""));
    put(
        &home,
        &format!("{gold}.json"),
        side("Barchart", "GCJ26", "1d", "2026-01-01T00:00:00+00:00", "2026-03-30T06:00:00+00:00")
            .replace("2024-03-06", "2026-03-30"),
    );
    let stock = "old/stocks/1d/2330.TW.csv";
    put(
        &home,
        stock,
        plain_of("Asia/Hong_Kong", "Datetime", &rows(weekdays("2024-02-15", "2024-06-28")), "", ""),
    );
    put(
        &home,
        &format!("{stock}.json"),
        side("YahooFinance", "2330.TW", "1d", "2024-02-06T00:00:00+00:00", "2024-06-28T12:00:00+00:00")
            .replace("2024-03-06", "2024-06-28"),
    );
    home.expect(0, &["import", "old"]);
    assert!(
        !absent(&home, "GOLD_20260400").concat().contains("after expiry"),
        "{:?}",
        absent(&home, "GOLD_20260400")
    );
    assert!(!absent(&home, "2330.TW").concat().contains("before listing"), "{:?}", absent(&home, "2330.TW"));
    let asked = home
        .expect(
            0,
            &[
                "download",
                "-p",
                "yahoo",
                "--dry-run",
                "--json",
                "-s",
                "2330.TW",
                "--start-date",
                "2015-01-01",
            ],
        )
        .json();
    assert!(asked.to_string().contains("2015-01-01"), "history before the file is asked for: {asked}");
}

/// A file that says when it was made is an export wherever it lies.
#[test]
fn an_export_among_the_files_of_another_program_is_an_export() {
    let home = home();
    let export = Export::daily(rows(weekdays("2024-01-02", "2024-01-12")), "01-15-2024 06:11am CST");
    put(&home, "mine/futures/1d/gcg24_daily.csv", export.text());
    home.expect(0, &["import", "mine"]).says("GOLD_20240200 1d");
}

#[test]
fn rows_that_are_no_days_are_not_made_into_some() {
    let home = home();
    let mut daily = rows(weekdays("2023-10-17", "2024-01-31"));
    daily[5].at = daily[5].at.date().at(9, 30, 0, 0);
    put(&home, "Day_AUD_20240300.csv", plain("Time", &daily, "", ""));
    home.expect(1, &["import", "Day_AUD_20240300.csv"]).says("are midnights of no zone");
    put(
        &home,
        "old/stocks/1d/AAPL.csv",
        plain("Datetime", &rows(weekdays("2023-10-17", "2024-01-31")), "", ""),
    );
    home.expect(1, &["import", "old"]).says("name it with --provider");
    home.expect(0, &["import", "--provider", "yahoo", "old"]);
    assert!(home.file("yahoo/stocks/1d/AAPL.csv").is_file());
}
