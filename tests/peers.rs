//! Other people's readers as judges: pandas, Polars, pyarrow and DuckDB read what the binary wrote, and
//! yfinance reads what the binary read.

#[path = "support/binary.rs"]
mod binary;
mod yahoo_server;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use binary::Home;
use serde_json::Value;
use vortex::model::{Day, symbol};
use yahoo_server::{Clock, Server};

/// The Python that has the readers.
fn python() -> Command {
    let python = std::env::var_os("VORTEX_PEERS").expect(
        "VORTEX_PEERS names no Python with pandas, pyarrow, polars, duckdb and yfinance: \
         ./run-all-tests.sh makes one in target/peers and runs these tests with it",
    );
    let mut command = Command::new(python);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name)
}

#[track_caller]
fn succeeded(output: Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out.into_owned()
}

/// Shares, indices, crypto, forex, contracts and a continuous future of several exchanges; periods from
/// a minute to a quarter.
fn mixed_archive() -> Home {
    let home = Home::configured("general.default_provider = 'sample'\n");
    home.expect(0, &["download"]).says("done");
    home.expect(0, &["download", "-s", "GBPUSD", "--period", "1m,2m", "--start-date", &days_ago(5)]);
    home
}

fn days_ago(days: i32) -> String {
    Day::of_utc(jiff::Timestamp::now().as_second()).plus(-days).to_string()
}

#[test]
fn four_readers_see_the_bits_of_the_csvs() {
    let home = mixed_archive();
    let files = home.csvs();
    for kind in ["stocks/1d", "stocks/1W", "stocks/1h", "futures/1d", "forex/5m", "forex/3M", "forex/1m"] {
        let folder = Path::new("sample").join(kind);
        assert!(files.keys().any(|path| path.starts_with(&folder)), "nothing in {kind}");
    }
    let mut reader = python();
    let said = succeeded(reader.arg(program("archive_reads.py")).arg(home.archive()).output().unwrap());
    assert!(said.contains(&format!("{} files", files.len())), "{said}");
}

#[test]
fn the_lines_of_the_documentation_work() {
    let home = mixed_archive();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/archive-format.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks: Vec<&str> =
        page.split("```python\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 5, "a block more or less than there are readers");
    for block in blocks {
        assert!(block.contains("demo/archive"), "{block}");
        let lines = block.replace("demo/archive", home.archive().to_str().unwrap());
        let lines = format!("{lines}\nprint(len(bars))");
        let rows = succeeded(python().args(["-c", &lines]).output().unwrap());
        let rows: usize = rows.trim().parse().unwrap();
        assert!(rows > 1_000, "{rows} rows from {block}");
    }
}

#[test]
fn pandas_makes_the_same_continuous_series_of_the_contracts() {
    let home = Home::configured("general.default_provider = 'sample'\n");
    home.expect(0, &["download", "-s", "GOLD", "--period", "1d"]).says("done");
    for (adjust, name) in [("none", "GOLD"), ("difference", "GOLD_DIFF"), ("ratio", "GOLD_RATIO")] {
        home.expect(0, &["continuous", "GOLD", "--sessions", "2", "--adjust", adjust, "--name", name]);
    }
    let mut judge = python();
    judge.arg(program("continuous_reads.py")).arg(home.archive()).args(["sample", "GOLD", "2"]);
    let said = succeeded(judge.output().unwrap());
    assert!(said.contains("3 series: the same bits"), "{said}");
}

#[test]
fn the_lines_for_pysystemtrade_bring_the_bars() {
    let home = Home::configured("general.default_provider = 'sample'\n");
    home.expect(0, &["download", "-s", "GOLD_20260400", "--period", "1d"]).says("done");
    pysystemtrade_reads(
        &home,
        ["sample/futures/1d/GOLD", "GOLD", "20260400"],
        &home.file("sample/futures/1d/GOLD/GOLD_20260400.csv"),
    );
}

/// The bars of an older Vortex, read from the archive after their import.
#[test]
fn pysystemtrade_reads_the_same_bars_after_moving_in() {
    let home = Home::new();
    let source = home.path("old/futures/1h/AUD/AUD_20240300.csv");
    std::fs::create_dir_all(source.parent().unwrap()).unwrap();
    let row = |at: u32| {
        let close = 0.65 + f64::from(at * 37 % 1000) / 1e5;
        let stamp = jiff::Timestamp::from_second(1_700_000_000 / 3600 * 3600 + i64::from(at) * 3600).unwrap();
        format!(
            "{},{close},{:?},{:?},{close},{}\n",
            stamp.strftime("%Y-%m-%dT%H:%M:%S+0000"),
            close + 1e-4,
            close - 3e-4,
            at * 7919 % 5000
        )
    };
    let rows: String = (0..1000).map(row).collect();
    std::fs::write(&source, format!("Datetime,Open,High,Low,Close,Volume\n{rows}")).unwrap();
    home.expect(0, &["import", "-p", "barchart", source.to_str().unwrap()]);
    let read = ["barchart/futures/1h/AUD", "AUD", "20240300"];
    pysystemtrade_reads(&home, read, &source);
}

/// The lines of the page, for a folder of the archive, an instrument and its contract, bring the bars of a CSV.
fn pysystemtrade_reads(home: &Home, [folder, instrument, contract]: [&str; 3], csv: &Path) {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/futures.md")).unwrap();
    let mut lines = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap().to_owned();
    let folder = home.file(folder).display().to_string();
    for (of_page, ours) in [
        ("demo/archive/sample/futures/1d/GOLD", folder.as_str()),
        ("\"GOLD\"", &format!("{instrument:?}")),
        ("20260400", contract),
    ] {
        assert!(lines.contains(of_page), "{lines}");
        lines = lines.replace(of_page, ours);
    }
    let mut judge = python();
    judge.arg(program("pysystemtrade_reads.py"));
    judge.arg(csv).stdin(Stdio::piped());
    let mut judge = judge.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    judge.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let said = succeeded(judge.wait_with_output().unwrap());
    assert!(said.contains(" bars"), "{said}");
}

const SYMBOLS: [&str; 8] = ["AAPL", "^GSPC", "VOD.L", "7203.T", "EURUSD=X", "BTC-USD", "GC=F", "BRK-B"];

/// Seconds since the epoch to the fields of a bar.
type Table = BTreeMap<i64, BTreeMap<String, Option<f64>>>;

/// What the archive has of a period, by symbol.
fn archived(home: &Home, period: &str) -> BTreeMap<String, Table> {
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for (path, text) in home.csvs() {
        let parts: Vec<&str> = path.iter().map(|part| part.to_str().unwrap()).collect();
        if parts[2] != period {
            continue;
        }
        let file = parts[3].strip_suffix(".csv").unwrap_or(parts[3]);
        let table = tables.entry(symbol::decode(file).unwrap()).or_default();
        let mut lines = text.lines();
        let names: Vec<&str> = lines.next().unwrap().split(',').skip(1).collect();
        for line in lines {
            let (stamp, values) = line.split_once(',').unwrap();
            let stamp: jiff::Timestamp = stamp.parse().unwrap();
            let values = values.split(',').map(|value| match value {
                "" => None,
                value => Some(value.parse().unwrap()),
            });
            let bar = names.iter().map(|name| (*name).to_owned()).zip(values).collect();
            table.insert(stamp.as_second(), bar);
        }
    }
    tables
}

/// What yfinance has.
fn by_yfinance(server: &Server, interval: &str, since: &str) -> BTreeMap<String, Table> {
    let mut reader = python();
    reader.arg(program("yfinance_reads.py")).args([&server.base_url(), interval, since, &days_ago(-2)]);
    let json: Value = serde_json::from_str(&succeeded(reader.args(SYMBOLS).output().unwrap())).unwrap();
    let bar = |row: &Value| {
        let fields = row[1].as_object().unwrap().iter();
        (row[0].as_i64().unwrap(), fields.map(|(name, value)| (name.clone(), value.as_f64())).collect())
    };
    let tables = json.as_object().unwrap().iter();
    tables
        .map(|(symbol, rows)| (symbol.clone(), rows.as_array().unwrap().iter().map(bar).collect()))
        .collect()
}

/// Bar by bar, up to the last one that is stored. After it yfinance may have the one of a period that
/// is not over and the one of the last trade, which an archive never stores.
fn agree(symbol: &str, interval: &str, ours: &Table, theirs: &Table) {
    let last = *ours.keys().next_back().unwrap();
    let running = theirs.range(last + 1..).count();
    assert!(running <= 2, "{symbol} {interval}: {running} bars after the last stored one");
    let stamps: Vec<_> = theirs.range(..=last).map(|(at, _)| *at).collect();
    assert_eq!(ours.keys().copied().collect::<Vec<_>>(), stamps, "{symbol} {interval}");
    for (at, bar) in ours {
        for (name, value) in bar {
            let other = theirs[at].get(name).copied().flatten();
            // yfinance leaves out a column that is 0 throughout.
            let other = if theirs[at].contains_key(name) { other } else { Some(0.0) };
            assert_eq!(*value, other, "{symbol} {interval}: {name} at {at}");
        }
    }
}

#[test]
fn yfinance_agrees_bar_by_bar() {
    let server = Server::listen(Clock::System, 0).unwrap();
    let home = Home::configured(&format!(
        "providers.yahoo.base_url = \"{}\"\nproviders.yahoo.requests_per_minute = 1_000_000\n",
        server.base_url()
    ));
    for (period, interval, since, fewest) in [
        // AAPL was split four for one in August 2020.
        ("1d", "1d", "2020-01-01".to_owned(), 1_500),
        ("1W", "1wk", "2022-01-03".to_owned(), 200),
        ("1h", "1h", days_ago(60), 150),
        ("5m", "5m", days_ago(20), 500),
    ] {
        let args = ["download", "-p", "yahoo", "--period", period, "--start-date", &since, "-s"];
        home.expect(0, &[&args[..], &SYMBOLS].concat());
        let (ours, theirs) = (archived(&home, period), by_yfinance(&server, interval, &since));
        assert_eq!(ours.len(), SYMBOLS.len(), "{:?}", ours.keys());
        for (symbol, table) in &ours {
            assert!(table.len() > fewest, "{symbol} {period}: {} bars", table.len());
            agree(symbol, interval, table, &theirs[symbol]);
        }
    }
    home.expect(0, &["validate"]).says("clean");
}
