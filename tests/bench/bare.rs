//! What a first download and an update cost at the least: a program without planner, checks or service that
//! asks the same server and leaves as much on the disk. Each file is synced and renamed and its folder synced,
//! each answer is kept, a small catalogue says what there is. Two threads, a connection each, one answer at a
//! time.
//!
//! It trusts everything: no limits, no overlap compared, no hash, no recovery, no other period, and dates
//! by today's offset from UTC. What Vortex costs beside it is the price of what it promises.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use parquet::basic::{Compression, Encoding, LogicalType, Repetition, TimeUnit, Type, ZstdLevel};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::{DoubleType, Int64Type};
use parquet::file::metadata::ParquetMetaDataReader;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type as SchemaType};
use rusqlite::Connection;
use serde::Deserialize;
use vortex::model::Day;

const DAY: i64 = 86_400;
const COLUMNS: [&str; 9] =
    ["Open", "High", "Low", "Close", "Volume", "Adj Close", "Dividends", "Stock Splits", "Capital Gains"];
/// Where the columns of events begin.
const EVENTS: usize = 6;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    First,
    Update,
}

#[derive(Args)]
pub(crate) struct Arguments {
    mode: Mode,
    base_url: String,
    folder: PathBuf,
    symbols: PathBuf,
    first: Day,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let folder = &arguments.folder;
    fs::create_dir_all(folder.join("raw"))?;
    let catalogue = Connection::open(folder.join("catalogue.db"))?;
    catalogue.execute_batch(
        "PRAGMA journal_mode = wal; PRAGMA synchronous = normal;
         CREATE TABLE IF NOT EXISTS series (symbol TEXT PRIMARY KEY, bars INTEGER, first INTEGER, last INTEGER)",
    )?;
    let catalogue = Mutex::new(catalogue);
    let symbols = fs::read_to_string(&arguments.symbols)?;
    let left = Mutex::new(symbols.split_whitespace());
    let work = || -> Result<()> {
        let mut worker = Worker::new(arguments)?;
        loop {
            let Some(symbol) = left.lock().unwrap().next() else { return Ok(()) };
            let stored = worker.series(symbol)?;
            let put = "INSERT OR REPLACE INTO series VALUES (?, ?, ?, ?)";
            let catalogue = catalogue.lock().unwrap();
            catalogue.prepare_cached(put)?.execute((symbol, stored.bars, stored.first, stored.last))?;
        }
    };
    std::thread::scope(|scope| {
        let threads = [scope.spawn(work), scope.spawn(work)];
        threads.into_iter().try_for_each(|thread| thread.join().unwrap())
    })
}

struct Stored {
    bars: i64,
    first: i64,
    last: i64,
}

/// The bars of an answer: midnights, and a vector a column.
#[derive(Default)]
struct Bars {
    times: Vec<i64>,
    values: [Vec<f64>; COLUMNS.len()],
}

struct Worker<'a> {
    arguments: &'a Arguments,
    connection: BufReader<TcpStream>,
    pack: zstd::bulk::Compressor<'static>,
}

impl Worker<'_> {
    fn new(arguments: &Arguments) -> Result<Worker<'_>> {
        let stream = TcpStream::connect(arguments.base_url.trim_start_matches("http://"))?;
        stream.set_nodelay(true)?;
        Ok(Worker { arguments, connection: BufReader::new(stream), pack: zstd::bulk::Compressor::new(-1)? })
    }

    /// Brings one series up to date.
    fn series(&mut self, symbol: &str) -> Result<Stored> {
        let path = self.arguments.folder.join(format!("{symbol}.csv"));
        let old = match self.arguments.mode {
            Mode::First => Vec::new(),
            Mode::Update => fs::read(&path)?,
        };
        let last = last_day(&old);
        let since = last.map_or(self.arguments.first, |last| last.plus(-10));
        let answer = self.ask(symbol, since)?;
        self.keep(symbol, &answer)?;
        let bars = read(&answer, last)?;
        drop(answer);
        let mut csv = old;
        let kept = csv.iter().filter(|byte| **byte == b'\n').count().saturating_sub(1);
        push_rows(&mut csv, &bars);
        put(&path, &csv)?;
        let first = first_day(&csv).ok_or("no bar")?.midnight();
        drop(csv);
        let twin = path.with_extension("parquet");
        let before = if kept > 0 { fs::read(&twin)? } else { Vec::new() };
        put(&twin, &parquet(before, &bars)?)?;
        let last = bars.times.last().copied().or(last.map(Day::midnight)).unwrap_or_default();
        Ok(Stored { bars: (kept + bars.times.len()) as i64, first, last })
    }

    /// The answer, unpacked.
    fn ask(&mut self, symbol: &str, since: Day) -> Result<Vec<u8>> {
        let (first, now) = (since.midnight(), SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs());
        let request = format!(
            "GET /v8/finance/chart/{symbol}?period1={first}&period2={now}&interval=1d&includePrePost=false&events=div%2Csplits%2CcapitalGains HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\n\r\n"
        );
        self.connection.get_mut().write_all(request.as_bytes())?;
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            self.connection.read_line(&mut line)?;
            length = line.strip_prefix("content-length: ").map_or(Ok(length), |text| text.trim().parse())?;
        }
        let mut packed = vec![0; length];
        self.connection.read_exact(&mut packed)?;
        // The last four bytes are the size of what is packed.
        let size = packed.last_chunk().map_or(0, |size| u32::from_le_bytes(*size));
        let mut body = Vec::with_capacity(size as usize + 1);
        flate2::bufread::GzDecoder::new(&packed[..]).read_to_end(&mut body)?;
        Ok(body)
    }

    fn keep(&mut self, symbol: &str, answer: &[u8]) -> Result<()> {
        let path = self.arguments.folder.join(format!("raw/{symbol}-{}.zst", answer.len()));
        Ok(fs::write(path, self.pack.compress(answer)?)?)
    }
}

/// Writes a file, synced before and after it gets its name.
fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = path.with_added_extension("tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    Ok(File::open(path.parent().ok_or("no folder")?)?.sync_all()?)
}

#[derive(Deserialize)]
struct Reply {
    chart: Body,
}

#[derive(Deserialize)]
struct Body {
    result: Vec<Chart>,
}

#[derive(Deserialize)]
struct Chart {
    meta: Meta,
    timestamp: Vec<i64>,
    indicators: Indicators,
    #[serde(default)]
    events: BTreeMap<String, BTreeMap<String, Event>>,
}

#[derive(Deserialize)]
struct Meta {
    gmtoffset: i64,
}

#[derive(Deserialize)]
struct Indicators {
    quote: Vec<BTreeMap<String, Vec<Option<f64>>>>,
    adjclose: Vec<BTreeMap<String, Vec<Option<f64>>>>,
}

#[derive(Deserialize)]
struct Event {
    date: i64,
    amount: Option<f64>,
    numerator: Option<f64>,
    denominator: Option<f64>,
}

/// The bars of an answer behind a day.
fn read(answer: &[u8], behind: Option<Day>) -> Result<Bars> {
    let reply: Reply = serde_json::from_slice(answer)?;
    let chart = reply.chart.result.into_iter().next().ok_or("no chart")?;
    let day = |stamp: i64| (stamp + chart.meta.gmtoffset).div_euclid(DAY) * DAY;
    let mut times: Vec<i64> = chart.timestamp.iter().map(|stamp| day(*stamp)).collect();
    let from = behind.map_or(0, |behind| times.partition_point(|time| *time <= behind.midnight()));
    times.drain(..from);
    let mut bars = Bars { times, ..Bars::default() };
    let arrays = chart.indicators.quote.into_iter().chain(chart.indicators.adjclose);
    for (name, array) in arrays.flatten() {
        let at = ["open", "high", "low", "close", "volume", "adjclose"].iter().position(|of| *of == name);
        bars.values[at.ok_or("another array")?] =
            array.into_iter().skip(from).map(|value| value.unwrap_or(f64::NAN)).collect();
    }
    bars.values[EVENTS..].iter_mut().for_each(|values| values.resize(bars.times.len(), 0.0));
    for (kind, events) in chart.events {
        let column = ["dividends", "splits", "capitalGains"].iter().position(|of| *of == kind);
        for event in events.into_values() {
            let value = event.amount.or(event.numerator.zip(event.denominator).map(|(a, b)| a / b));
            if let Ok(at) = bars.times.binary_search(&day(event.date)) {
                bars.values[EVENTS + column.ok_or("another kind of event")?][at] = value.ok_or("no value")?;
            }
        }
    }
    Ok(bars)
}

fn last_day(csv: &[u8]) -> Option<Day> {
    let row = csv.strip_suffix(b"\n")?.rsplit(|byte| *byte == b'\n').next()?;
    std::str::from_utf8(row.get(..10)?).ok()?.parse().ok()
}

fn first_day(csv: &[u8]) -> Option<Day> {
    let row = csv.split(|byte| *byte == b'\n').nth(1)?;
    std::str::from_utf8(row.get(..10)?).ok()?.parse().ok()
}

fn push_rows(csv: &mut Vec<u8>, bars: &Bars) {
    csv.reserve(bars.times.len() * 140);
    if csv.is_empty() {
        csv.extend_from_slice(format!("Datetime,{}\n", COLUMNS.join(",")).as_bytes());
    }
    for (at, time) in bars.times.iter().enumerate() {
        csv.extend_from_slice(&Day::of_utc(*time).digits());
        csv.extend_from_slice(b"T00:00:00+0000");
        for value in bars.values.iter().map(|column| column[at]) {
            csv.push(b',');
            match value as i64 {
                _ if value.is_nan() => {}
                whole if whole as f64 == value => {
                    csv.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
                }
                _ => csv.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes()),
            }
        }
        csv.push(b'\n');
    }
}

/// The row groups of `before` as they are, then one of these bars.
fn parquet(before: Vec<u8>, bars: &Bars) -> Result<Vec<u8>> {
    let datetime = SchemaType::primitive_type_builder("Datetime", Type::INT64)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(Some(LogicalType::timestamp(true, TimeUnit::MICROS)));
    let mut fields = vec![Arc::new(datetime.build()?)];
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_dictionary_enabled(false);
    for name in COLUMNS {
        let field = SchemaType::primitive_type_builder(name, Type::DOUBLE);
        fields.push(Arc::new(field.with_repetition(Repetition::OPTIONAL).build()?));
        properties = properties.set_column_encoding(ColumnPath::from(name), Encoding::BYTE_STREAM_SPLIT);
    }
    let schema = SchemaType::group_type_builder("bars").with_fields(fields).build()?;
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties.build()))?;
    if !before.is_empty() {
        let before = bytes::Bytes::from(before);
        for group in ParquetMetaDataReader::new().parse_and_finish(&before)?.row_groups() {
            let mut copy = writer.next_row_group()?;
            for column in group.columns() {
                let close = ColumnCloseResult {
                    bytes_written: column.compressed_size() as u64,
                    rows_written: group.num_rows() as u64,
                    metadata: column.clone(),
                    bloom_filter: None,
                    column_index: None,
                    offset_index: None,
                };
                copy.append_column(&before, close)?;
            }
            copy.close()?;
        }
    }
    let mut group = writer.next_row_group()?;
    let micros: Vec<i64> = bars.times.iter().map(|time| time * 1_000_000).collect();
    let mut column = group.next_column()?.ok_or("no column")?;
    column.typed::<Int64Type>().write_batch(&micros, None, None)?;
    column.close()?;
    for column in &bars.values {
        let levels: Vec<i16> = column.iter().map(|value| i16::from(!value.is_nan())).collect();
        let values: Vec<f64> = column.iter().copied().filter(|value| !value.is_nan()).collect();
        let mut column = group.next_column()?.ok_or("no column")?;
        column.typed::<DoubleType>().write_batch(&values, Some(&levels), None)?;
        column.close()?;
    }
    group.close()?;
    Ok(writer.into_inner()?)
}
