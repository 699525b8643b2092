//! One fuzzer for each reader of foreign bytes; `FUZZ_TARGET` says which. `scripts/fuzz` builds and runs it.
#![no_main]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use vortex::archive::fuzz as archive;
use vortex::config::{Config, Overrides, Sources, assets};
use vortex::import::{fuzz as import, name};
use vortex::model::{Class, Coverage, Day, Days, Instrument, Period, symbol};
use vortex::provider::yahoo::session;
use vortex::provider::{Answer, RawAnswer, Refusal, Request, barchart, ibkr, yahoo};

type Target = fn(&[u8]);

const TARGETS: &[(&str, Target)] = &[
    ("chart", |bytes| chart(bytes, Period::D1)),
    ("chart-intraday", |bytes| chart(bytes, Period::M1)),
    ("session-pages", session_pages),
    ("exports", exports),
    ("barchart-site", barchart_site),
    ("barchart-ondemand", barchart_ondemand),
    ("barchart-session", barchart_session),
    ("ibkr-answers", |bytes| ibkr_answer(bytes.to_vec())),
    ("ibkr-hours", ibkr_hours),
    ("csv", archive::csv),
    ("parquet", parquet),
    ("records", archive::records),
    ("import-rows", import_rows),
    ("import-side", import_side),
    ("import-names", import_names),
    ("instruments", instruments),
    ("configuration", configuration),
    ("dotenv", dotenv),
    ("words", words),
];

fuzz_target!(|bytes: &[u8]| {
    static TARGET: OnceLock<Target> = OnceLock::new();
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        let found = TARGETS.iter().find(|(known, _)| *known == name);
        let known = || TARGETS.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        found.unwrap_or_else(|| panic!("FUZZ_TARGET is one of {:?}", known())).1
    });
    target(bytes);
});

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// A hundred days of a stock.
fn request(period: Period) -> Request {
    Request {
        instrument: Instrument::plain("AAPL", "AAPL", Class::Stock),
        contract: None,
        period,
        days: Days { first: Day::new(19_000), last: Day::new(19_100) },
        correlation: String::new(),
    }
}

fn raw(url: &str, status: u16, body: &[u8]) -> RawAnswer {
    RawAnswer {
        url: url.to_owned(),
        status,
        headers: vec![("date".to_owned(), "Tue, 24 Nov 2026 10:00:00 GMT".to_owned())],
        received: 1_795_514_400,
        body: body.to_vec(),
        gzip: None,
    }
}

/// The first byte chooses a status and something else, the rest is the body.
fn with_status(bytes: &[u8]) -> (u16, u8, &[u8]) {
    match bytes.split_first() {
        Some((byte @ 0..200, rest)) => (200, *byte, rest),
        Some((byte, rest)) => (380 + u16::from(*byte), *byte, rest),
        None => (200, 0, bytes),
    }
}

/// Bars come out unique, ascending and finite, whatever went in.
fn sound(read: Result<Answer, Refusal>) {
    if let Ok(answer) = read {
        assert!(answer.bars.is_ascending());
        assert!(answer.bars.values.iter().flatten().all(|value| !value.is_infinite()));
    }
}

/// An answer of Yahoo's chart service.
fn chart(bytes: &[u8], period: Period) {
    let (status, _, body) = with_status(bytes);
    sound(yahoo::read(&request(period), &raw("", status, body)));
}

/// What Barchart's site answers at each of the steps whose answer is kept: pages, JSON and exports.
fn barchart_site(bytes: &[u8]) {
    const STEPS: [&str; 3] = ["/my/download", "/login", "/stocks/quotes/AAPL/historical-download"];
    let (status, choice, body) = with_status(bytes);
    let step = STEPS[usize::from(choice) % STEPS.len()];
    let raw = raw(&format!("https://www.barchart.com{step}"), status, body);
    sound(barchart::read(&request(Period::D1), &raw));
}

/// What its OnDemand service answers: JSON of days, CSV of minutes.
fn barchart_ondemand(bytes: &[u8]) {
    let (status, choice, body) = with_status(bytes);
    let (way, period) = [("json", Period::D1), ("csv", Period::M1)][usize::from(choice) % 2];
    let raw = raw(&format!("https://ondemand.websol.barchart.com/getHistory.{way}"), status, body);
    sound(barchart::read(&request(period), &raw));
}

/// The stored session, and what browsers export: what is taken has a name.
fn barchart_session(bytes: &[u8]) {
    if let Ok(cookies) = barchart::session::Cookies::read(text(bytes), 1_795_514_400) {
        assert!(!cookies.names().is_empty());
    }
}

/// What is kept of what a gateway said.
fn ibkr_answer(body: Vec<u8>) {
    for period in [Period::D1, Period::M1, Period::Mo3] {
        sound(ibkr::read(&request(period), &raw("", 200, &body)));
    }
}

/// The trading hours of a contract, in an answer with two bars.
fn ibkr_hours(bytes: &[u8]) {
    const HEAD: &str = r#"{"version":1,"code":"AAPL","period":"1d","show":"TRADES","regular":false,"clock":1650657602,"contract":{"timeZone":"US/Eastern","tradingHours":"#;
    const BARS: &str = r#"}}
{"asked":{"end":null,"duration":{"D":5},"bar":"Day","show":"TRADES","regular":false},"start":1650000000}
[[2022,4,20],168.76,168.88,166.1,167.23,67929800.0,167.5,702311.0]
[[2022,4,22],166.46,167.87,161.5,161.79,84882400.0,163.5,702311.0]
"#;
    // What JSON writes in another way cannot be of hours either.
    let plain = |c: &char| !c.is_control() && !['"', '\\'].contains(c);
    let lines: Vec<String> =
        text(bytes).lines().map(|line| format!("\"{}\"", line.chars().filter(plain).collect::<String>())).collect();
    ibkr_answer(format!("{HEAD}[{}]{BARS}", lines.join(",")).into_bytes());
}

/// An export of Barchart: what is taken is unique, ascending and finite, and every row is accounted for.
fn exports(bytes: &[u8]) {
    let Ok(export) = barchart::csv::read(bytes) else { return };
    assert!(barchart::csv::is_whole(bytes));
    let key = |period| vortex::model::Column::of(barchart::NAME, Class::Future, true, period);
    let columns = if export.intraday == Some(true) { key(Period::H1) } else { key(Period::D1) };
    if let Ok(taken) = export.bars(columns, &barchart::zone(Class::Future)) {
        assert!(taken.bars.is_ascending());
        assert!(taken.bars.values.iter().flatten().all(|value| !value.is_infinite()));
        let left_out: usize = taken.left_out.iter().map(|(_, rows)| rows).sum();
        assert_eq!(taken.bars.len() + left_out, export.len());
    }
}

fn session_pages(bytes: &[u8]) {
    let _ = session::crumb_of(bytes);
    if let Ok(page) = url::Url::parse("https://consent.yahoo.com/v2/collectConsent?sessionId=1") {
        let _ = session::consent_form(&page, text(bytes));
    }
}

fn parquet(bytes: &[u8]) {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    let path = PATH.get_or_init(|| {
        // The library's own panics are caught; those that are not still end the fuzzer.
        std::panic::set_hook(Box::new(|_| {}));
        if let Some(corpus) = std::env::var_os("FUZZ_CORPUS") {
            // Nothing can be thought up that begins and ends like a whole file.
            std::fs::write(PathBuf::from(corpus).join("seed-two-bars"), archive::some_parquet()).unwrap();
        }
        std::env::temp_dir().join(format!("fuzz-{}.parquet", std::process::id()))
    });
    if std::fs::write(path, bytes).is_ok() {
        archive::parquet(bytes, path);
    }
}

/// A folder of this process, with this file in it.
fn file(name: &str, bytes: &[u8]) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    });
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// A CSV of an older Vortex or of bc-utils.
fn import_rows(bytes: &[u8]) {
    import::rows(&file("GOLD_20240200.csv", bytes), None);
}

/// What stands beside it.
fn import_side(bytes: &[u8]) {
    const ROWS: &[u8] = b"Datetime,Open,High,Low,Close,Volume\n2024-01-02T06:00:00+0000,1,2,0.5,1.5,100\n2024-01-03T06:00:00+0000,1,2,0.5,1.5,100\n";
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    import::rows(PATH.get_or_init(|| file("GOLD_20240200.csv", ROWS)), Some(text(bytes)));
}

/// Names of files: what is read of them is in them.
fn import_names(bytes: &[u8]) {
    let text = text(bytes);
    if let Some(symbol) = name::of_export(text).symbol {
        assert!(text.to_ascii_uppercase().starts_with(&symbol));
    }
    if let Some(plain) = name::of_plain(Path::new(text)) {
        assert!(text.contains(&plain.instrument));
    }
}

/// The `.env` of the working folder.
fn dotenv(bytes: &[u8]) {
    let working = file(".env", bytes).parent().map(Path::to_owned).unwrap_or_default();
    let sources = Sources {
        root: working.join("none"),
        env: BTreeMap::new(),
        home: working.join("none"),
        working,
        dotenv: true,
        config_file: None,
        this_year: 2026,
    };
    let _ = Config::load(&sources, &Overrides::default());
}

fn instruments(bytes: &[u8]) {
    for name in ["list.json", "list.toml"] {
        let _ = assets::parse(name, text(bytes), "yahoo");
    }
}

fn configuration(bytes: &[u8]) {
    static SOURCES: OnceLock<Option<Sources>> = OnceLock::new();
    if let Some(sources) = SOURCES.get_or_init(|| Sources::of_process(None).ok()) {
        let _ = Config::check_text("config.toml", text(bytes), sources);
    }
}

/// Names, dates, periods and coverage.
fn words(bytes: &[u8]) {
    let text = text(bytes);
    if let Some(name) = symbol::decode(text) {
        assert_eq!(symbol::encode(&name).as_deref(), Ok(text));
    }
    if let Ok(file) = symbol::encode(text) {
        assert_eq!(symbol::decode(&file).as_deref(), Some(text));
        assert!(!file.contains('/') && !file.starts_with('.'));
    }
    let _ = text.parse::<Day>().map(|day| assert_eq!(day.to_string().parse(), Ok(day)));
    let _ = text.parse::<Period>();
    for coverage in [Coverage::from_text(text), Coverage::from_bytes(bytes)].into_iter().flatten() {
        assert_eq!(Coverage::from_bytes(&coverage.to_bytes()), Ok(coverage));
    }
}
