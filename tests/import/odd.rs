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
fn a_name_moves_no_terminal() {
    let home = home();
    let name = "a\nb\u{1b}[31mh26_daily.csv";
    put(&home, name, daily().text());
    for dry_run in [&["--dry-run"][..], &[]] {
        let ran = home.expect(1, &[&["import", name][..], dry_run].concat());
        let said = format!("{}{}", ran.out, ran.err);
        assert!(said.contains("a\\nb\\u{1b}[31mh26_daily.csv"), "{said}");
        assert!(!said.contains('\u{1b}') && !said.contains("a\nb"), "{said}");
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

/// Whole exports are looked at, not their ends alone.
#[test]
fn rows_of_another_contract_in_the_middle_are_seen() {
    let home = home();
    let minutes = |from: usize| {
        let start = jiff::civil::date(2026, 1, 5).at(0, 0, 0, 0);
        rows((from..from + 3000).map(move |at| start + jiff::Span::new().minutes(at as i64)))
    };
    let part = |symbol, from| {
        let whole = Export {
            symbol: Some(symbol),
            newest_first: false,
            ..Export::intraday(minutes(from), "11-20-2026 06:11am CST")
        };
        let text = whole.text();
        text.lines().skip(1).take(3000).map(|line| format!("{line}\n")).collect::<String>()
    };
    let of_gold = Export {
        symbol: Some("GCG26"),
        newest_first: false,
        ..Export::intraday(minutes(0), "11-20-2026 06:11am CST")
    }
    .text();
    let (header, closing) = (of_gold.lines().next().unwrap(), of_gold.lines().last().unwrap());
    let text =
        format!("{header}\n{}{}{}{closing}\n", part("GCG26", 0), part("GCJ26", 3000), part("GCG26", 6000));
    put(&home, "gcg26_intraday-1min.csv", text);
    home.expect(1, &["import", "gcg26_intraday-1min.csv"]).says("its column Symbol GCG26, GCJ26");
    assert!(home.csvs().is_empty());
}

/// A continuous series is a future, by its name or by the contracts that its rows name, and has Chicago's clock.
#[test]
fn nearby_exports_are_futures() {
    let half_hours = || {
        let start = jiff::civil::date(2026, 1, 5).at(8, 30, 0, 0);
        rows((0..12).map(move |at| start + jiff::Span::new().minutes(at * 30)))
    };
    let made = Export::intraday(half_hours(), "01-06-2026 06:11am CST");
    let named = made.text();
    let dated = Export { symbol: Some("GCG26"), newest_first: false, ..made }.text();
    let dated = dated.replacen("GCG26", "GCF26", 6);
    for (name, text) in [("gc_intraday-nearby-30min.csv", &named), ("gc_intraday-30min.csv", &dated)] {
        let home = home();
        put(&home, name, text);
        home.expect(0, &["import", name]).says("the continuous future GC");
        let stored = std::fs::read_to_string(home.file("barchart/futures/30m/GC/2026.csv")).unwrap();
        assert!(stored.contains("\n2026-01-05T14:30:00+0000,"), "{name}: {stored}");
    }
}

#[test]
fn a_file_from_the_future_is_refused() {
    let home = home();
    put(&home, "gcg24_daily.csv", Export { made: "03-05-2131 06:11am CST", ..daily() }.text());
    home.expect(1, &["import", "gcg24_daily.csv"]).says("2131-03-05 12:11 UTC, which is yet to come");
}

/// A settlement that was corrected is no other price scale, though it be all that both have.
#[test]
fn a_single_corrected_bar_is_taken() {
    let home = home();
    let flat = |first: &str, last: &str, price: f64, made| {
        let mut export = Export { made, ..Export::daily(rows(weekdays(first, last)), made) };
        export.rows[0].prices = [price; 4];
        export.text()
    };
    put(&home, "gcj26_daily.csv", flat("2026-03-09", "2026-03-09", 2500.0, "03-10-2026 06:11am CST"));
    home.expect(0, &["import", "gcj26_daily.csv"]);
    put(&home, "gcj26_daily.csv", flat("2026-03-09", "2026-03-11", 2501.0, "03-12-2026 06:11am CST"));
    let report = only(&home.expect(0, &["import", "--json", "gcj26_daily.csv"]).json());
    assert_eq!((&report["taken"], &report["corrected"]), (&3.into(), &1.into()), "{report}");
}

/// Without a column for it nobody knows that a flat day had no open interest.
#[test]
fn a_flat_settlement_without_open_interest_in_the_file_is_kept() {
    let home = home();
    let mut flat = Export { open_interest: false, ..daily() };
    (flat.rows[3].prices, flat.rows[3].volume) = ([100.5; 4], 0);
    let text = flat.text().replace("100.5,100.5,100.5,100.5,-8.", "100.5,100.5,100.5,100.5,unch");
    put(&home, "gcg24_daily.csv", &text);
    put(&home, "spx_daily.csv", &text);
    let report = home.expect(0, &["import", "--json", "gcg24_daily.csv", "spx_daily.csv"]).json();
    let told = files(&report);
    assert_eq!(told[0].1["taken"], told[0].1["rows"], "{report}");
    assert_eq!(told[1].1["not_taken"][0]["rows"], 1, "{report}");
}

/// Files that were lost come back by the import that brought them.
#[test]
fn what_was_lost_is_imported_again() {
    let home = home();
    put(&home, "gcg24_daily.csv", daily().text());
    home.expect(0, &["import", "gcg24_daily.csv"]);
    let whole = home.csvs();
    for name in ["csv", "parquet"] {
        std::fs::remove_file(home.file(&format!("barchart/futures/1d/GOLD/GOLD_20240200.{name}"))).unwrap();
    }
    let refused = home.expect(1, &["import", "gcg24_daily.csv"]);
    refused
        .says("GOLD_20240200.csv: the file is missing; nothing is added before `vortex validate --fix` has restored it")
        .says("; then the file can be imported");
    home.run(&["validate", "--fix"]).says("imported again by `vortex import`");
    home.expect(0, &["import", "gcg24_daily.csv"]);
    assert_eq!(home.csvs(), whole);
    home.expect(0, &["validate"]);
}

/// As a download does, an import leaves a series alone of which a file is gone, and says what to do; what the other
/// file of the pair has is not lost by it.
#[test]
fn a_lost_file_is_restored_before_anything_is_added() {
    let home = home();
    put(&home, "gcg24_daily.csv", daily().text());
    home.expect(0, &["import", "gcg24_daily.csv"]);
    let whole = home.csvs();
    let csv = home.file("barchart/futures/1d/GOLD/GOLD_20240200.csv");
    std::fs::remove_file(&csv).unwrap();
    home.expect(1, &["import", "gcg24_daily.csv"]).says("the file is missing; nothing is added before");
    assert!(!csv.exists());
    home.run(&["validate", "--fix"]).says("CSV restored from the Parquet");
    assert_eq!(home.csvs(), whole);
    home.expect(0, &["import", "gcg24_daily.csv"]).says("0 taken");
    // The Parquet is made of the CSV, which is there.
    std::fs::remove_file(csv.with_extension("parquet")).unwrap();
    home.expect(0, &["import", "gcg24_daily.csv"]);
    assert_eq!(home.csvs(), whole);
}

/// A folder that cannot be read may hold anything: that is no success.
#[test]
fn what_cannot_be_read_is_refused() {
    let home = home();
    std::fs::create_dir(home.path("d")).unwrap();
    std::os::unix::fs::symlink(home.path("nowhere"), home.path("d/gcj24_daily.csv")).unwrap();
    put(&home, "d/gcg24_daily.csv", daily().text());
    let report = home.expect(3, &["import", "--json", "d"]).json();
    assert!(report.to_string().contains("it cannot be read: No such file"), "{report}");
}

/// A name that is no contract of the list is none of a stock: what the archive knows of it is taken, else it is said
/// what to write.
#[test]
fn a_contract_that_nobody_listed_is_not_downloaded_as_a_stock() {
    let home = home();
    let rows = "Time,Open,High,Low,Close,Volume\n2014-05-01T05:00:00+0000,1,1,1,1,5\n2014-05-02T05:00:00+0000,1,1,1,1,5\n";
    put(&home, "Day_ALUMINIUM_20140700.csv", rows);
    put(&home, "nzd/n6h24_daily.csv", daily().text());
    home.expect(0, &["import", "Day_ALUMINIUM_20140700.csv"]);
    home.expect(0, &["import", "--symbol", "NZD=N6", "nzd"]);
    let asked = |name: &str| {
        home.run(&["download", "-p", "barchart", "--dry-run", "--json", "-s", name, "--period", "1d"])
    };
    for (name, said) in [
        ("ALUMINIUM_20140700", "Add ALUMINIUM there: {\"future\": {\"ALUMINIUM\": {\"code\":"),
        ("NQH26", "{\"future\": {\"NQ\": {\"code\": \"NQ\""),
        ("GC_20240200", "did you mean GOLD_20240200?"),
        ("GOLF_20240200", "did you mean GOLD_20240200?"),
        ("GOLD_20241300", "13 is no month"),
        ("gcg24", "did you mean GCG24?"),
        ("GCA24", "behind GC stands the letter of a month, one of FGHJKMNQUVXZ"),
    ] {
        home.expect(2, &["download", "-p", "barchart", "--dry-run", "-s", name, "--period", "1d"]).says(said);
    }
    for name in ["NZD_20240300", "N6H24"] {
        let plan = asked(name).ends(0).json();
        assert_eq!(plan["series"][0]["contract"], "NZD_20240300", "{plan}");
    }
    assert!(asked("AAPL").ends(0).json()["series"][0]["contract"].is_null());
}
