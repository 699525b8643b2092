use jiff::tz::TimeZone;
use proptest::prelude::*;
use rstest::rstest;

use super::cell::{change, number, percent};
use super::*;
use crate::model::{Bars, Class, Column, Day, Period};

const CLOSING: &str = "\"Downloaded from Barchart.com as of 03-05-2026 06:11am CST\"\n";

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn columns(dated: bool) -> &'static [Column] {
    Column::of("barchart", Class::Future, dated, if dated { Period::D1 } else { Period::H1 })
}

fn whole(header: &str, rows: &[&str]) -> String {
    let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
    format!("{header}\n{rows}{CLOSING}")
}

fn stamps(bars: &Bars) -> Vec<String> {
    bars.times.iter().map(|time| crate::model::day::instant(*time)).collect()
}

/// Every generation, with a day before and after a change of the clocks.
#[rstest]
#[case(
    "Time,Open,High,Low,Last,Change,Volume",
    "03/06/26,1,4,0.5,2,-9.3499999999999,7",
    "2026-03-06 00:00 UTC"
)]
#[case(
    "Time,Open,High,Low,Last,Change,%Chg,Volume,\"Open Int\"",
    "11/18/2021,1,4,0.5,2,+0.25,0.5%,7,9",
    "2021-11-18 00:00 UTC"
)]
#[case(
    "Symbol,Time,Open,High,Low,Last,Change,%Chg,Volume",
    "GCZ21,11/18/2021 09:30,1,4,0.5,2,unch,unch,7",
    "2021-11-18 15:30 UTC"
)]
#[case(
    "Time,Open,High,Low,Last,Change,%Chg,Volume",
    "2023-04-14 13:00,1,4,0.5,2,-43.,-0.17%,7",
    "2023-04-14 18:00 UTC"
)]
#[case(
    "Time,Open,High,Low,Latest,Change,%Change,Volume,\"Open Int\"",
    "2026-03-04,1,4,0.5,2,0.00728,+0.70%,7,9",
    "2026-03-04 00:00 UTC"
)]
#[case(
    "Symbol,Time,Open,High,Low,Latest,Change,%Change,Volume",
    "NQH26,\"2026-03-04 23:00\",1,4,0.5,2,-67.75,-0.27%,7",
    "2026-03-05 05:00 UTC"
)]
fn each_generation_is_read(#[case] header: &str, #[case] row: &str, #[case] expected: &str) {
    for text in [
        whole(header, &[row]),
        whole(header, &[row]).replace('\n', "\r\n"),
        format!("\u{feff}{}\n\n", whole(header, &[row])),
    ] {
        let export = read(text.as_bytes()).unwrap();
        assert_eq!(export.exported, 1_772_712_660);
        let daily = export.intraday == Some(false);
        let taken = export.bars(columns(daily), &zone("America/Chicago")).unwrap();
        assert_eq!(stamps(&taken.bars), [expected]);
        let row: Vec<f64> = taken.bars.row(0).take(5).collect();
        assert_eq!(row, [1.0, 4.0, 0.5, 2.0, 7.0]);
        assert!(taken.left_out.is_empty() && taken.notes.is_empty());
        if daily {
            let open_interest = taken.bars.column(Column::OpenInterest).unwrap()[0];
            assert_eq!(open_interest == 9.0, export.layout.has_open_interest());
        }
    }
}

#[rstest]
#[case("", |r: &Refused| matches!(r, Refused::Empty))]
#[case(" \n\n", |r: &Refused| matches!(r, Refused::Empty))]
#[case("<!DOCTYPE html>\n<html><head><title>Log In - Barchart.com</title>", |r: &Refused| *r == Refused::Page("Log In - Barchart.com".into()))]
#[case("<html><p>You have reached your daily limit of downloads.", |r: &Refused| matches!(r, Refused::Limit(_)))]
#[case("{\"error\":\"Daily download limit reached\"}", |r: &Refused| matches!(r, Refused::Limit(_)))]
#[case("Error retrieving data for GCZ21", |r: &Refused| matches!(r, Refused::NoData(_)))]
#[case("Time,Open,High,Low,Last,Volume\nError retrieving data\n", |r: &Refused| matches!(r, Refused::NoData(_)))]
#[case("Time,Open,High,Low,Last,Volume\n", |r: &Refused| *r == Refused::Truncated)]
#[case("Time,Open,High,Low,Last,Volume\n2026-03-04,1,2,1,2,7\n2026-03-0", |r: &Refused| *r == Refused::Truncated)]
#[case("Time,Open,High,Low,Last,Volume\n2026-03-04,1,2,1,2,7\n\"Downloaded from Barchart.com as of 03-05", |r: &Refused| *r == Refused::Truncated)]
#[case("something else\n", |r: &Refused| matches!(r, Refused::Layout { line: 1, column: 1, .. }))]
fn what_is_no_export_is_told_apart(#[case] text: &str, #[case] expected: fn(&Refused) -> bool) {
    let refused = read(text.as_bytes()).unwrap_err();
    assert!(expected(&refused), "{text:?}: {refused:?}");
    assert!(!is_whole(text.as_bytes()));
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    assert_eq!(read(b"Time,\xff").unwrap_err(), Refused::NotText(6));
}

/// What is not understood is named by line and column, and nothing of the file is taken.
#[rstest]
#[case("Time,Open,High,Low,Settle,Volume", &[], 1, 5)]
#[case("Time,Open,High,Low,Last,Latest,Volume", &[], 1, 6)]
#[case("Time,Open,High,Low,Last", &[], 1, 6)]
#[case("Time,Open,High,Low,Last,Volume", &["2026-03-04,1,2,1,2"], 2, 6)]
#[case("Time,Open,High,Low,Last,Volume", &["2026-03-04,1,2,1,2,7,8"], 2, 7)]
#[case("Time,Open,High,Low,Last,Volume", &["2026-03-04,1,2,1,2,7", "03/03/2026,1,2,1,2,7"], 3, 1)]
#[case("Time,Open,High,Low,Last,Volume", &["2026-03-04,1,2,1,2,7", "2026-03-03 10:00,1,2,1,2,7"], 3, 1)]
#[case("Time,Open,High,Low,Last,Volume", &["2026-02-30,1,2,1,2,7"], 2, 1)]
#[case("Time,Open,High,Low,Last,Volume", &["2026-03-04 24:00,1,2,1,2,7"], 2, 1)]
#[case("Time,Open,High,Low,Last,Volume", &["2026-03-04,118-24,2,1,2,7"], 2, 2)]
#[case("Time,Open,High,Low,Last,Volume", &["2026-03-04,1,2,1,1e3,7"], 2, 5)]
#[case("Time,Open,High,Low,Last,Volume", &["2026-03-04,1,2,1,2,\"1,19,900\""], 2, 6)]
#[case("Time,Open,High,Low,Last,Volume", &["2026-03-04,1,2,1,2,\"1"], 2, 6)]
#[case("Time,Open,High,Low,Last,Change,Volume", &["2026-03-04,1,2,1,2,up,7"], 2, 6)]
#[case("Symbol,Time,Open,High,Low,Last,Volume", &[",2026-03-04,1,2,1,2,7"], 2, 1)]
#[case("Time,Open,High,Low,Last,Volume", &["", "2026-03-04,1,2,1,2,7"], 2, 1)]
fn an_unknown_layout_is_named(
    #[case] header: &str,
    #[case] rows: &[&str],
    #[case] line: usize,
    #[case] column: usize,
) {
    match read(whole(header, rows).as_bytes()).unwrap_err() {
        Refused::Layout { line: l, column: c, said } => assert_eq!((l, c), (line, column), "{said}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_footer_without_a_date_is_refused() {
    for closing in
        ["03-05-2026 CST", "13-05-2026 06:11am CST", "03-05-2026 13:11am CDT", "03-05-2026 06:11am CET CST"]
    {
        let text = format!("Time,Open,High,Low,Last,Volume\nDownloaded from Barchart.com as of {closing}\n");
        assert!(matches!(read(text.as_bytes()), Err(Refused::Layout { line: 2, .. })), "{closing}");
    }
}

#[test]
fn numbers_are_read_as_the_standard_library_reads_them() {
    assert_eq!(number("1.").unwrap(), 1.0);
    assert_eq!(number("-43.").unwrap(), -43.0);
    assert_eq!(number("1,195,900").unwrap(), 1_195_900.0);
    assert_eq!(number("-1,195.5").unwrap(), -1195.5);
    assert_eq!(number("12345678901234567890.125").unwrap(), 12_345_678_901_234_567_890.125);
    assert!(number("").unwrap().is_nan() && number("N/A").unwrap().is_nan());
    for bad in [
        "-",
        ".",
        "+1",
        "1e5",
        "inf",
        "NaN",
        "1..2",
        "1,2",
        ",123",
        "1234,567",
        "1.234,567",
        "--1",
        "0x1",
        "١",
    ] {
        assert!(number(bad).is_err(), "{bad}");
    }
    assert_eq!(change("+1.5"), Ok(Some(1.5)));
    assert_eq!(change("unch"), Ok(Some(0.0)));
    assert_eq!(percent("-0.17%"), Ok(Some(-0.17)));
    assert_eq!(percent("1,941.49%"), Ok(Some(1941.49)));
}

#[test]
fn a_settlement_outside_the_range_is_told_and_kept() {
    let text = whole(
        "Time,Open,High,Low,Latest,Change,%Change,Volume,\"Open Int\"",
        &[
            "2026-09-25,1.0775,1.0775,1.0775,1.07,-0.0045,-0.43%,85,3178",
            "2026-01-30,0.9,0.89,0.955,0.9,0,0.00%,1,3",
        ],
    );
    let taken = read(text.as_bytes()).unwrap().bars(columns(true), &TimeZone::UTC).unwrap();
    assert_eq!(taken.bars.len(), 2);
    assert!(taken.notes[0].starts_with("2 of 2 rows"), "{:?}", taken.notes);
}

#[test]
fn a_holiday_filler_is_no_bar_and_a_settlement_without_trade_is_one() {
    let filler = whole(
        "Time,Open,High,Low,Latest,Change,%Change,Volume",
        &[
            "2026-04-03,6582.69,6582.69,6582.69,6582.69,0,0.00%,0",
            "2026-04-02,6512.61,6600.41,6474.94,6582.69,7.37,+0.11%,0",
        ],
    );
    let index = Column::of("barchart", Class::Stock, false, Period::D1);
    let taken = read(filler.as_bytes()).unwrap().bars(index, &TimeZone::UTC).unwrap();
    assert_eq!((taken.bars.len(), taken.left_out), (1, vec![(FILLER, 1)]));
    // Of a contract nobody knows whether there was open interest.
    let taken = read(filler.as_bytes()).unwrap().bars(columns(true), &TimeZone::UTC).unwrap();
    assert_eq!((taken.bars.len(), taken.left_out), (2, vec![]));
    let settled = whole(
        "Time,Open,High,Low,Latest,Change,%Change,Volume,\"Open Int\"",
        &["2026-10-07,1.04,1.04,1.04,1.04,unch,unch,0,3323", "2026-10-06,,,,,,,,"],
    );
    let taken = read(settled.as_bytes()).unwrap().bars(columns(true), &TimeZone::UTC).unwrap();
    assert_eq!((taken.bars.len(), taken.left_out), (1, vec![(WITHOUT_PRICE, 1)]));
}

#[test]
fn rows_that_come_twice_are_one_and_must_agree() {
    let of = |second: &str| {
        whole("Time,Open,High,Low,Latest,Volume", &["2026-03-05,1,1,1,1,1", "2026-03-04,1,2,1,2,7", second])
    };
    let bars = |text: &str| read(text.as_bytes()).unwrap().bars(columns(true), &TimeZone::UTC);
    assert_eq!(bars(&of("2026-03-04,1,2,1,2,7")).unwrap().left_out, [(TWICE, 1)]);
    let told = |text: &str| bars(text).unwrap_err().to_string();
    assert!(told(&of("2026-03-04,1,2,1,3,7")).starts_with("line 3, column 1: 2026-03-04 00:00 comes twice"));
    let text = whole(
        "Time,Open,High,Low,Latest,Volume",
        &["2026-03-05,1,1,1,1,1", "2026-03-09,1,2,1,2,7", "2026-03-01,1,1,1,1,1"],
    );
    assert!(told(&text).starts_with("line 2, column 1: 2026-03-05 00:00 is out of order"), "{}", told(&text));
}

/// In the hour that comes twice the order says which is meant; a time that never was is refused.
#[test]
fn hours_that_come_twice_or_never() {
    let of = |clocks: &[&str], day: &str| {
        let rows: Vec<String> = clocks.iter().map(|clock| format!("\"{day} {clock}\",1,1,1,1,1")).collect();
        whole("Time,Open,High,Low,Latest,Volume", &rows.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let chicago = zone("America/Chicago");
    let ascending = of(&["00:30", "01:00", "01:30", "01:00", "01:30", "02:00"], "2025-11-02");
    let descending = of(&["02:00", "01:30", "01:00", "01:30", "01:00", "00:30"], "2025-11-02");
    for text in [ascending, descending] {
        let taken = read(text.as_bytes()).unwrap().bars(columns(false), &chicago).unwrap();
        let clocks: Vec<String> = stamps(&taken.bars).iter().map(|stamp| stamp[11..16].to_owned()).collect();
        assert_eq!(clocks, ["05:30", "06:00", "06:30", "07:00", "07:30", "08:00"]);
    }
    let never = of(&["01:30", "02:30"], "2026-03-08");
    let refused = read(never.as_bytes()).unwrap().bars(columns(false), &chicago).unwrap_err();
    assert!(refused.to_string().starts_with("line 3, column 1: 2026-03-08 02:30"), "{refused}");
}

#[test]
fn a_nearby_export_names_each_contract_once() {
    let text = whole(
        "Symbol,Time,Open,High,Low,Latest,Volume",
        &["GCM26,2026-03-05,1,1,1,1,1", "GCM26,2026-03-04,1,1,1,1,1", "GCJ26,2026-03-03,1,1,1,1,1"],
    );
    let export = read(text.as_bytes()).unwrap();
    assert_eq!((export.symbols.len(), export.symbol()), (2, None));
}

#[test]
fn an_export_without_rows_is_whole() {
    let export = read(whole("Time,Open,High,Low,Latest,Volume", &[]).as_bytes()).unwrap();
    assert_eq!((export.len(), export.intraday), (0, None));
}

proptest! {
    /// Whatever the price, it is the double that the standard library reads.
    #[test]
    fn prices_read_as_the_nearest_double(text in "-?[0-9]{1,19}(\\.[0-9]{0,19})?") {
        prop_assert_eq!(number(&text).unwrap().to_bits(), text.parse::<f64>().unwrap().to_bits());
    }

    /// Written in any layout and order, the bars read back.
    #[test]
    fn what_is_written_reads_back(
        days in prop::collection::btree_map(0..20_000i32, (1u32..10_000_000, 0u32..10_000_000, 0u32..100_000), 1..40),
        form in 0..3usize, newest_first: bool, symbol: bool, interest: bool, carriage: bool,
    ) {
        let mut header = if symbol { vec!["Symbol"] } else { vec![] };
        header.extend(["Time", "Open", "High", "Low", ["Last", "Last", "Latest"][form], "Change", "Volume"]);
        header.extend(interest.then_some("\"Open Int\""));
        let mut expected = Bars::new(columns(true));
        let mut rows = Vec::new();
        for (day, (price, volume, open)) in &days {
            // 1970 to 2024; two digits mean the years up to 2030.
            let day = Day::new(*day);
            let date = day.date();
            let time = match form {
                0 => date.strftime("%m/%d/%y").to_string(),
                1 => date.strftime("%m/%d/%Y").to_string(),
                _ => day.to_string(),
            };
            let price = f64::from(*price) / 1000.0;
            let row = [price, price + 1.0, price - 1.0, price + 0.5];
            expected.push(day.midnight(), &[row[0], row[1], row[2], row[3], f64::from(*volume), if interest { f64::from(*open) } else { f64::NAN }]);
            let prices: Vec<String> = row.iter().map(f64::to_string).collect();
            let volume = if *volume > 999 { format!("\"{}\"", grouped(*volume)) } else { volume.to_string() };
            let mut line = format!("{time},{},-8.,{volume}", prices.join(","));
            if symbol { line.insert_str(0, "GCZ26,"); }
            if interest { line.push_str(&format!(",{open}")); }
            rows.push(line);
        }
        if newest_first { rows.reverse(); }
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let mut text = whole(&header.join(","), &rows);
        if carriage { text = text.replace('\n', "\r\n"); }
        let export = read(text.as_bytes()).unwrap();
        prop_assert_eq!(export.symbol(), symbol.then_some("GCZ26"));
        let taken = export.bars(columns(true), &TimeZone::UTC).unwrap();
        prop_assert!(taken.bars.same(&expected), "{}", text);
        // Cut off anywhere before its last line it is not taken.
        for at in (0..text.len() - CLOSING.len()).step_by(7) {
            prop_assert!(read(&text.as_bytes()[..at]).is_err());
        }
    }
}

fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
