//! Contracts and continuous series as a person makes them: from hand-made exports, where each value can be
//! worked out on paper, and from the sample market.

#[path = "support/binary.rs"]
mod binary;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use binary::Home;

const GOLD: &str = r#"{"future": {"GOLD": {"code": "GC", "cycle": "GJMQVZ", "start_date": "2024-01-01"}}}"#;

/// A home with a list of one future.
fn home() -> Home {
    let home = Home::configured("[general]\nassets_file = \"assets.json\"\n");
    fs::write(home.path("assets.json"), GOLD).unwrap();
    home
}

/// A day of January 2024, what a contract closed at in tenths, and its volume.
type Day = (u8, i64, u32);

const FEBRUARY: [Day; 6] = [
    (15, 20301, 900),
    (16, 20312, 800),
    (17, 20299, 500),
    (18, 20284, 400),
    (19, 20277, 300),
    (22, 20266, 200),
];
const APRIL: [Day; 7] = [
    (15, 20483, 100),
    (16, 20496, 200),
    (17, 20484, 600),
    (18, 20471, 700),
    (19, 20465, 800),
    (22, 20455, 900),
    (23, 20502, 950),
];

fn tenths(value: i64) -> String {
    format!("{}.{}", value / 10, value % 10)
}

/// Takes in an export of one contract, made on that day of February: open, high and low lie around the close,
/// and the open interest is ten times the volume.
fn import(home: &Home, symbol: &str, rows: &[Day], made: u8) {
    let mut text = "Time,Open,High,Low,Latest,Change,%Change,Volume,\"Open Int\"\n".to_owned();
    for (day, close, volume) in rows {
        let [open, high, low, close] = [close - 3, close + 7, close - 11, *close].map(tenths);
        text += &format!("2024-01-{day},{open},{high},{low},{close},unch,0.00%,{volume},{}\n", volume * 10);
    }
    text += &format!("\"Downloaded from Barchart.com as of 02-{made:02}-2024 06:11am CST\"\n");
    let file = home.path(&format!("{symbol}_daily_historical-data-02-{made:02}-2024.csv"));
    fs::write(&file, text).unwrap();
    home.expect(0, &["import", file.to_str().unwrap()]);
}

/// Day of January, and the values behind the stamp.
fn bars(home: &Home, file: &str) -> Vec<(String, Vec<f64>)> {
    let text = fs::read_to_string(home.file(file)).unwrap();
    let bar = |line: &str| {
        let (stamp, values) = line.split_once(',').unwrap();
        (stamp[8..10].to_owned(), values.split(',').map(|value| value.parse().unwrap()).collect())
    };
    text.lines().skip(1).map(bar).collect()
}

fn expected(rows: &[Day], moved: i64) -> Vec<(String, Vec<f64>)> {
    let bar = |(day, close, volume): &Day| {
        let prices =
            [close - 3, close + 7, close - 11, *close].map(|price| tenths(price + moved).parse().unwrap());
        let volume = f64::from(*volume);
        (day.to_string(), [&prices[..], &[volume, volume * 10.0]].concat())
    };
    rows.iter().map(bar).collect()
}

/// The whole archive but what changes by itself: the bytes of each file.
fn bytes(home: &Home, folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![home.file(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path)
            } else {
                _ = found.insert(path.clone(), fs::read(path).unwrap())
            }
        }
    }
    found
}

const SERIES: &str = "vortex/futures/1d/GOLD.csv";

#[test]
fn an_example_that_was_worked_out_on_paper() {
    let home = home();
    import(&home, "gcg24", &FEBRUARY, 1);
    import(&home, "gcj24", &APRIL, 1);

    // April has more from the 17th on: after three sessions it is the 22nd.
    home.expect(0, &["continuous", "GOLD", "--dry-run"]).says("nothing was written");
    assert!(!home.file("vortex").exists());
    home.expect(0, &["continuous", "GOLD"]).says("7 bars added");
    assert_eq!(bars(&home, SERIES), [expected(&FEBRUARY[..5], 0), expected(&APRIL[5..], 0)].concat());
    let table = fs::read_to_string(home.file("vortex/futures/1d/GOLD.rolls.tsv")).unwrap();
    let rolls = [
        "Date\tFrom\tTo\tSession\tFrom Close\tTo Close\tGap\tRatio\tWhy".to_owned(),
        "2024-01-15\t\tGOLD_20240200\t\t\t\t\t\tthe first contract".to_owned(),
        format!(
            "2024-01-22\tGOLD_20240200\tGOLD_20240400\t2024-01-19\t2027.7\t2046.5\t18.8\t{}\tvolume 800 > 300 after 3 sessions",
            2046.5 / 2027.7
        ),
    ];
    assert_eq!(table, rolls.join("\n") + "\n");

    // 18.8 is not 18.8 in doubles.
    home.expect(0, &["continuous", "GOLD", "--adjust", "difference"])
        .says("5 changed")
        .says("it was GOLD of barchart");
    assert_eq!(bars(&home, SERIES), [expected(&FEBRUARY[..5], 188), expected(&APRIL[5..], 0)].concat());
    home.expect(0, &["continuous", "GOLD", "--adjust", "difference"]).says("nothing is new");

    home.expect(0, &["continuous", "GOLD", "--adjust", "ratio", "--name", "GOLD_RATIO"]);
    let ratio = bars(&home, "vortex/futures/1d/GOLD_RATIO.csv");
    let plain = [expected(&FEBRUARY[..5], 0), expected(&APRIL[5..], 0)].concat();
    for (at, (moved, plain)) in ratio.iter().zip(&plain).enumerate() {
        let factor = if at < 5 { 2046.5 / 2027.7 } else { 1.0 };
        let prices: Vec<f64> = plain.1[..4].iter().map(|price| price * factor).collect();
        assert_eq!((&moved.1[..4], &moved.1[4..]), (&prices[..], &plain.1[4..]));
    }

    // Ten weekdays before February is the 18th, on which April is held.
    home.expect(0, &["continuous", "GOLD", "--roll", "calendar", "--days-before", "10", "--name", "BY_DATE"]);
    let by_date = [expected(&FEBRUARY[..3], 0), expected(&APRIL[3..], 0)].concat();
    assert_eq!(bars(&home, "vortex/futures/1d/BY_DATE.csv"), by_date);
    // Open interest is ten times the volume here: the same rolls, sooner by the sessions.
    home.expect(0, &["continuous", "GOLD", "--roll", "open-interest", "--sessions", "1", "--name", "BY_OI"]);
    let by_oi = [expected(&FEBRUARY[..3], 0), expected(&APRIL[3..], 0)].concat();
    assert_eq!(bars(&home, "vortex/futures/1d/BY_OI.csv"), by_oi);
    home.expect(0, &["validate"]);
}

#[test]
fn what_is_new_is_added_and_a_roll_that_moves_is_told() {
    let home = home();
    import(&home, "gcg24", &FEBRUARY, 1);
    import(&home, "gcj24", &APRIL, 1);
    home.expect(0, &["continuous", "GOLD"]);
    let april = [&APRIL[..], &[(24, 20511, 990), (25, 20498, 930)]].concat();
    import(&home, "gcj24", &april, 2);
    home.expect(0, &["continuous", "GOLD"]).says("2 bars added, 0 changed, 0 removed");
    assert_eq!(bars(&home, SERIES), [expected(&FEBRUARY[..5], 0), expected(&april[5..], 0)].concat());

    // The volume of the 18th was another: the row of sessions begins on the 19th.
    let mut february = FEBRUARY;
    february[3].2 = 900;
    import(&home, "gcg24", &february, 3);
    home.expect(0, &["continuous", "GOLD"])
        .says("the roll to GOLD_20240400 was on 2024-01-22 and is on 2024-01-24")
        .says("0 bars added, 2 changed, 1 removed");
    assert_eq!(bars(&home, SERIES), [expected(&february, 0), expected(&april[7..], 0)].concat());

    // Made elsewhere from the same contracts, and from none that came before: the same bytes.
    let other = self::home();
    import(&other, "gcj24", &april, 2);
    import(&other, "gcg24", &february, 3);
    other.expect(0, &["continuous", "GOLD"]);
    let names = |home: &Home| -> BTreeMap<PathBuf, Vec<u8>> {
        let root = home.archive();
        let relative = |path: &Path| path.strip_prefix(&root).unwrap().to_owned();
        bytes(home, "vortex").into_iter().map(|(path, bytes)| (relative(&path), bytes)).collect()
    };
    assert_eq!(names(&home), names(&other));

    // What somebody edits is not overwritten.
    let edited = fs::read_to_string(home.file(SERIES)).unwrap() + "x\n";
    fs::write(home.file(SERIES), &edited).unwrap();
    home.expect(1, &["continuous", "GOLD"]).says("GOLD.csv");
    assert_eq!(fs::read_to_string(home.file(SERIES)).unwrap(), edited);
}

#[test]
fn what_cannot_be_made_is_told_in_words() {
    let home = home();
    home.expect(4, &["continuous", "GOLD"]).says("is no archive");
    import(&home, "gcg24", &FEBRUARY[..2], 1);
    home.expect(4, &["continuous", "SILVER"]).says("no daily bars of contracts of SILVER");
    home.expect(4, &["continuous", "GOLD", "--period", "1h"])
        .says("vortex download -p barchart -s GOLD --period 1h");
    home.expect(2, &["continuous", "GOLD", "--period", "1W"]).says("1d and intraday");
    home.expect(2, &["continuous", "GOLD", "--cycle", "GG"]).says("each once");
    home.expect(2, &["continuous", "GOLD", "SILVER", "--name", "X"]).says("--name");
    // June begins when February is long over: nothing to compare.
    import(&home, "gcm24", &[(29, 20600, 10), (30, 20610, 10)], 1);
    home.expect(0, &["continuous", "GOLD", "--sessions", "1"]);
    let said = home
        .expect(1, &["continuous", "GOLD", "--sessions", "1", "--adjust", "ratio"])
        .says("have no session in common");
    assert!(said.err.contains("--start-date 2024-01-30"), "{}", said.err);
    let before = bytes(&home, "vortex");
    let after = ["--sessions", "1", "--adjust", "ratio", "--start-date", "2024-01-30", "--dry-run"];
    home.expect(0, &[&["continuous", "GOLD"], &after[..]].concat()).says("1 bar of 1 contract");
    assert_eq!(bytes(&home, "vortex"), before);
}

/// A year of gold and a stock-index future of the sample market, daily and hourly.
#[test]
fn the_sample_market_comes_out_as_its_contracts_have_it() {
    let home = Home::configured("general.default_provider = 'sample'\n");
    home.expect(0, &["download", "-s", "GOLD", "SP500MINI"]).says("done");
    home.expect(0, &["continuous", "GOLD", "--sessions", "1"]);
    let json = home.expect(0, &["continuous", "SP500MINI", "--period", "1d,1h", "--json"]).json();
    let made = json["series"].as_array().unwrap();
    assert_eq!((made.len(), &json["dry_run"]), (2, &serde_json::json!(false)));
    for series in made {
        let rolls = series["rolls"].as_array().unwrap();
        assert!(rolls.len() >= 4, "{series}");
        assert!(rolls.windows(2).all(|pair| pair[0]["to"] == pair[1]["from"]), "{series}");
    }

    // Each line is one of a contract, each session has one contract, and contracts only go forwards.
    for (symbol, period) in [("GOLD", "1d"), ("SP500MINI", "1d"), ("SP500MINI", "1h")] {
        let mut owners: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (path, text) in home.csvs() {
            if path.starts_with(format!("sample/futures/{period}/{symbol}")) {
                let contract = path.file_stem().unwrap().to_str().unwrap().to_owned();
                for line in text.lines().skip(1) {
                    owners.entry(line.to_owned()).or_default().insert(contract.clone());
                }
            }
        }
        let mut held: BTreeMap<String, String> = BTreeMap::new();
        let mut lines = 0;
        for (path, text) in home.csvs() {
            if !path.starts_with(format!("vortex/futures/{period}"))
                || !path.to_str().unwrap().contains(symbol)
            {
                continue;
            }
            for line in text.lines().skip(1) {
                let of =
                    owners.get(line).unwrap_or_else(|| panic!("{symbol} {period}: {line} is of no contract"));
                assert_eq!(of.len(), 1, "{line}");
                let of = of.first().unwrap();
                // Its sessions are days of New York.
                let stamp: jiff::Timestamp = line.split(',').next().unwrap().parse().unwrap();
                let zone = if period == "1d" { "UTC" } else { "America/New_York" };
                let day = stamp.in_tz(zone).unwrap().date().to_string();
                assert_eq!(held.entry(day).or_insert_with(|| of.clone()), of, "{line}");
                lines += 1;
            }
        }
        assert!(lines > 300, "{lines}");
        let contracts: Vec<&String> = held.values().collect();
        assert!(contracts.is_sorted() && contracts.len() > 300, "{contracts:?}");
    }

    // The archive knows them: list, show, validate, a lost catalogue.
    home.expect(0, &["archive", "list", "-p", "vortex"]).says("vortex/SP500MINI");
    home.expect(0, &["archive", "show", "SP500MINI", "-p", "vortex", "--period", "1d"])
        .says("SP500MINI of sample, rolled by volume (3 sessions), adjusted by none");
    home.expect(0, &["validate"]);
    let before = bytes(&home, "vortex");
    fs::remove_dir_all(home.file(".vortex")).unwrap();
    home.expect(0, &["archive", "rebuild"]);
    home.expect(0, &["validate"]);
    home.expect(0, &["continuous", "GOLD", "--sessions", "1"]).says("nothing is new");
    assert_eq!(bytes(&home, "vortex"), before);

    // The contracts of a future are one line, each on its own where it is wanted.
    let list = home.expect(0, &["archive", "list", "-p", "sample", "--period", "1d"]).out;
    let gold: Vec<&str> = list.lines().filter(|line| line.contains("sample/GOLD")).collect();
    assert_eq!(gold.len(), 1, "{list}");
    assert!(gold[0].contains(" contracts "), "{list}");
    let apart = home.expect(0, &["archive", "list", "-p", "sample", "--period", "1d", "--contracts"]).out;
    assert!(apart.lines().filter(|line| line.contains("sample/GOLD_20")).count() > 10, "{apart}");
    home.expect(0, &["archive", "list", "GOLD_20260400"]).says("sample/GOLD_20260400");
}

/// Nothing is asked twice: an expired contract is settled by the answer that comes after its end.
#[test]
fn a_second_run_asks_for_nothing_of_contracts_that_are_over() {
    let home = Home::configured("general.default_provider = 'sample'\n");
    let args = ["download", "-s", "GOLD", "--period", "1d", "--json"];
    let first = home.expect(0, &args).json();
    assert!(first["requests"].as_u64().unwrap() > 10, "{first}");
    let plan = home.expect(0, &["download", "-s", "GOLD", "--period", "1d", "--dry-run", "--json"]).json();
    assert_eq!(plan["requests"], 0, "{plan}");
    home.expect(0, &["archive", "show", "GOLD_20250400"]).says("after expiry").says("current");
}

/// A roll on a day on which nobody asked for the contract held is not told as its end.
#[test]
fn a_roll_for_want_of_bars_says_so() {
    let home = home();
    import(&home, "gcg24", &FEBRUARY, 1);
    let early: Vec<Day> = APRIL.iter().map(|(day, close, _)| (*day, *close, 3)).collect();
    import(&home, "gcj24", &early, 1);
    let text = "Time,Open,High,Low,Latest,Change,%Change,Volume,\"Open Int\"\n\
        2024-03-08,1,1,1,1,unch,0.00%,3,5\n\"Downloaded from Barchart.com as of 03-09-2024 06:11am CST\"\n";
    fs::write(home.path("gcj24_daily.csv"), text).unwrap();
    home.expect(0, &["import", "gcj24_daily.csv"]);
    home.expect(0, &["continuous", "GOLD"])
        .says("note: GOLD_20240200 is stored to 2024-01-22 and was not asked for all days after it: the roll to GOLD_20240400");
    let table = fs::read_to_string(home.file("vortex/futures/1d/GOLD.rolls.tsv")).unwrap();
    assert!(table.contains("GOLD_20240200 is stored to 2024-01-22 and was not asked"), "{table}");
}

/// The files of a derived series that were lost or damaged are made again.
#[test]
fn a_derived_series_that_was_lost_is_made_again() {
    let home = home();
    import(&home, "gcg24", &FEBRUARY, 1);
    home.expect(0, &["continuous", "GOLD"]);
    let whole = bytes(&home, "vortex");
    for name in [SERIES, "vortex/futures/1d/GOLD.parquet"] {
        fs::remove_file(home.file(name)).unwrap();
    }
    home.expect(0, &["continuous", "GOLD"]);
    assert_eq!(bytes(&home, "vortex"), whole);
    fs::write(home.file(SERIES), "damaged").unwrap();
    fs::remove_file(home.file("vortex/futures/1d/GOLD.parquet")).unwrap();
    home.run(&["validate", "--fix"]).says("made again by `vortex continuous`");
    home.expect(0, &["continuous", "GOLD"]);
    assert_eq!(bytes(&home, "vortex"), whole);
}

#[test]
fn options_of_the_other_rules_are_refused() {
    let home = home();
    import(&home, "gcg24", &FEBRUARY, 1);
    home.expect(2, &["continuous", "GOLD", "--days-before", "3"])
        .says("--days-before goes with --roll calendar");
    home.expect(2, &["continuous", "GOLD", "--roll", "calendar", "--sessions", "9"])
        .says("it is --days-before");
    home.expect(2, &["continuous", "GOLD", "--name", "GOLD_20240600"]).says("the name of a contract");
}
