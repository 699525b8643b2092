//! Exports downloaded by hand.

use std::fs;

use nix::sys::signal::Signal;

use crate::binary::Home;
use crate::exports::{Export, GENERATIONS, Row, hours, rows, weekdays};
use crate::{files, home, only, put};

fn csv_line(row: &Row, stamp: &str, open_interest: bool) -> String {
    let [open, high, low, close] = row.prices;
    let interest = if open_interest { format!(",{}", row.open_interest) } else { String::new() };
    format!("{stamp},{open},{high},{low},{close},{}{interest}\n", row.volume)
}

/// The CSV that the archive has after an export of futures.
fn expected(rows: &[Row], intraday: bool, open_interest: bool) -> String {
    let chicago = jiff::tz::TimeZone::get("America/Chicago").unwrap();
    let mut text = "Datetime,Open,High,Low,Close,Volume".to_owned();
    text.push_str(if intraday { "\n" } else { ",Open Interest\n" });
    for row in rows {
        let stamp = match intraday {
            true => chicago.to_timestamp(row.at).unwrap().strftime("%Y-%m-%dT%H:%M:%S+0000").to_string(),
            false => row.at.strftime("%Y-%m-%dT%H:%M:%S+0000").to_string(),
        };
        let line = csv_line(row, &stamp, open_interest);
        text.push_str(&line);
        if !intraday && !open_interest {
            text.insert(text.len() - 1, ',');
        }
    }
    text
}

/// Every generation, with and without symbol and open interest, either order: the bars are those that were
/// written, and a second import finds them there.
#[test]
fn every_layout_comes_out_as_it_was_written() {
    for (generation, layout) in GENERATIONS.iter().enumerate() {
        for variant in 0..8 {
            let (symbol, open_interest, newest_first) =
                (variant & 1 == 0, variant & 2 == 0, variant & 4 == 0);
            let home = home();
            let daily = Export {
                layout: *layout,
                symbol: symbol.then_some("GCG24"),
                open_interest,
                newest_first,
                ..Export::daily(rows(weekdays("2023-10-02", "2024-01-12")), "01-15-2024 06:11am CST")
            };
            let hourly = Export {
                layout: *layout,
                symbol: symbol.then_some("A6H24"),
                newest_first,
                ..Export::intraday(rows(hours("2023-10-30", "2023-11-10")), "01-15-2024 06:11am CST")
            };
            put(&home, "down/gcg24_daily_historical-data-01-15-2024.csv", daily.text());
            put(&home, "down/a6h24_intraday-60min_historical-data-01-15-2024 (1).csv", hourly.text());
            let report = home.expect(0, &["import", "--json", "down"]).json();
            let told = format!("generation {generation}, variant {variant}: {report}");
            for (_, file) in files(&report) {
                assert_eq!(file["result"], "imported", "{told}");
                assert_eq!(file["taken"], file["rows"], "{told}");
            }
            let gold = fs::read_to_string(home.file("barchart/futures/1d/GOLD/GOLD_20240200.csv")).unwrap();
            assert_eq!(gold, expected(&daily.rows, false, open_interest), "{told}");
            let aud = fs::read_to_string(home.file("barchart/futures/1h/AUD/AUD_20240300.csv")).unwrap();
            assert_eq!(aud, expected(&hourly.rows, true, false), "{told}");
            let again = home.expect(0, &["import", "--json", "down"]).json();
            for (_, file) in files(&again) {
                assert_eq!((&file["already"], &file["taken"]), (&file["rows"], &0.into()), "{again}");
            }
        }
    }
}

/// A later export corrects a bar and brings new ones; the one before it, imported once more, changes nothing.
#[test]
fn the_newer_export_is_right_whichever_comes_first() {
    let home = home();
    let old = Export::daily(rows(weekdays("2023-10-02", "2024-01-12")), "01-15-2024 06:11am CST");
    let mut new = Export::daily(rows(weekdays("2023-10-02", "2024-01-19")), "01-22-2024 06:11am CST");
    new.rows[40].prices[3] += 0.5;
    put(&home, "old/gcg24_daily_historical-data-01-15-2024.csv", old.text());
    put(&home, "new/gcg24_daily_historical-data-01-22-2024.csv", new.text());
    home.expect(0, &["import", "old"]);
    let report = only(&home.expect(0, &["import", "--json", "new"]).json());
    assert_eq!((report["taken"].as_u64(), report["corrected"].as_u64()), (Some(6), Some(1)), "{report}");
    let csv = || fs::read_to_string(home.file("barchart/futures/1d/GOLD/GOLD_20240200.csv")).unwrap();
    assert_eq!(csv(), expected(&new.rows, false, true));
    home.expect(0, &["archive", "revert", "GOLD_20240200", "--list"]).says("an imported file corrects 1 bar");
    let before = csv();
    let report = only(&home.expect(0, &["import", "--json", "old"]).json());
    assert_eq!(report["not_taken"][0]["rows"], 1, "{report}");
    assert_eq!(csv(), before);
    // Both at once, in the order of their names.
    let other = crate::home();
    put(&other, "both/gcg24_daily_a.csv", new.text());
    put(&other, "both/gcg24_daily_b.csv", old.text());
    other.expect(0, &["import", "both"]);
    assert_eq!(fs::read_to_string(other.file("barchart/futures/1d/GOLD/GOLD_20240200.csv")).unwrap(), csv());
}

/// The last day of an export made before its session ended is not taken, and says so.
#[test]
fn a_day_that_was_not_over_is_not_taken() {
    let home = home();
    let made = |made| Export::daily(rows(weekdays("2024-01-02", "2024-01-12")), made).text();
    put(&home, "gcg24_daily.csv", made("01-12-2024 02:00pm CST"));
    let report = only(&home.expect(0, &["import", "--json", "gcg24_daily.csv"]).json());
    assert_eq!(report["not_taken"][0]["reason"], "of a bar that was not over", "{report}");
    put(&home, "gcg24_daily.csv", made("01-12-2024 06:00pm CST"));
    let report = only(&home.expect(0, &["import", "--json", "gcg24_daily.csv"]).json());
    assert_eq!((&report["taken"], &report["already"]), (&1.into(), &8.into()), "{report}");
}

#[test]
fn a_dry_run_reads_everything_and_writes_nothing() {
    let home = home();
    put(
        &home,
        "d/gcg24_daily.csv",
        Export::daily(rows(weekdays("2024-01-02", "2024-01-12")), "01-15-2024 06:11am CST").text(),
    );
    put(&home, "d/aapl_daily.csv", "x");
    home.expect(3, &["import", "--dry-run", "d"])
        .says("GOLD_20240200 1d")
        .says("line 1, column 1")
        .says("nothing was written");
    assert!(!home.archive().exists());
}

/// Two homes with many exports in the folder `d`: one to be disturbed, and one that has them imported.
fn with_many() -> (Home, Home) {
    let (home, calm) = (home(), crate::home());
    for month in ["G", "J", "M", "Q", "V", "Z"] {
        for year in 21..26 {
            let (first, last) = (format!("20{}-02-01", year - 1), format!("20{year}-01-20"));
            let daily = Export::daily(rows(weekdays(&first, &last)), "11-20-2026 06:11am CST").text();
            for home in [&home, &calm] {
                put(home, &format!("d/gc{month}{year}_daily_historical-data-11-20-2026.csv"), &daily);
            }
        }
    }
    calm.expect(0, &["import", "d"]);
    (home, calm)
}

/// `kill -9` at any moment, and once more: what is there at the end is what one undisturbed import gives.
#[test]
fn an_import_that_was_killed_is_completed_by_the_next() {
    let (home, calm) = with_many();
    let mut cut_off = 0;
    for wait in [2, 10, 20, 30, 40, 60, 80] {
        let running = home.start(&["import", "d"]);
        std::thread::sleep(std::time::Duration::from_millis(wait));
        running.signal(Signal::SIGKILL);
        cut_off += usize::from(running.end().code == -1);
    }
    assert!(cut_off > 0, "no run was killed in time");
    home.expect(0, &["import", "d"]);
    assert_eq!(home.csvs(), calm.csvs());
    home.expect(0, &["validate"]);
}

/// Ctrl-C ends it at a commit; the next run takes the rest.
#[test]
fn an_import_that_was_interrupted_keeps_what_was_committed_and_is_completed_by_the_next() {
    let (home, calm) = with_many();
    let running = home.start(&["import", "--json", "d"]);
    while !home.archive().exists() || home.csvs().is_empty() {
        std::thread::yield_now();
    }
    // It stands still while it is looked at, so that there is something left to interrupt on any machine.
    running.signal(Signal::SIGSTOP);
    let before = home.csvs();
    assert!(before.len() < calm.csvs().len() / 2, "it had {} already", before.len());
    running.signal(Signal::SIGINT);
    running.signal(Signal::SIGCONT);
    let ran = running.end().ends(130).says("ending at the next commit boundary");
    let (report, kept) = (ran.json(), home.csvs());
    assert!(before.iter().all(|(name, csv)| kept.get(name) == Some(csv)), "what was committed stays");
    let told = |result: &str| files(&report).iter().filter(|(_, file)| file["result"] == result).count();
    assert_eq!(told("imported"), kept.len(), "{report}");
    assert_eq!(told("imported") + told("waiting"), calm.csvs().len(), "{report}");
    assert!(told("waiting") > 0, "{report}");
    home.expect(0, &["validate"]);
    home.expect(0, &["import", "d"]);
    assert_eq!(home.csvs(), calm.csvs());
    home.expect(0, &["validate"]);
}

#[test]
fn an_import_names_who_holds_the_archive() {
    let home = home();
    put(
        &home,
        "gcg24_daily.csv",
        Export::daily(rows(weekdays("2024-01-02", "2024-01-12")), "01-15-2024 06:11am CST").text(),
    );
    home.expect(0, &["import", "gcg24_daily.csv"]);
    let holder = home.file(".vortex/lock");
    let lock = fs::File::options().write(true).open(holder).unwrap();
    lock.lock().unwrap();
    home.expect(75, &["import", "--no-wait", "gcg24_daily.csv"]);
}
