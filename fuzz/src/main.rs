//! One fuzzer for each reader of foreign bytes; `FUZZ_TARGET` says which. `scripts/fuzz` builds and runs it.
#![no_main]

use std::path::PathBuf;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use vortex::archive::fuzz as archive;
use vortex::config::{Config, Sources, assets};
use vortex::model::{Class, Coverage, Day, Days, Instrument, Period, symbol};
use vortex::provider::yahoo::session;
use vortex::provider::{RawAnswer, Request, barchart, yahoo};

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 10] = [
    ("chart", |bytes| chart(bytes, Period::D1)),
    ("chart-intraday", |bytes| chart(bytes, Period::M1)),
    ("session-pages", session_pages),
    ("exports", exports),
    ("csv", archive::csv),
    ("parquet", parquet),
    ("records", archive::records),
    ("instruments", instruments),
    ("configuration", configuration),
    ("words", words),
];

fuzz_target!(|bytes: &[u8]| {
    static TARGET: OnceLock<Target> = OnceLock::new();
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        let found = TARGETS.iter().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("FUZZ_TARGET is one of {:?}", TARGETS.map(|(name, _)| name))).1
    });
    target(bytes);
});

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// An answer of the chart service: bars come out unique and ascending, whatever went in.
fn chart(bytes: &[u8], period: Period) {
    let days = Days { first: Day::new(19_000), last: Day::new(19_100) };
    let request = Request {
        instrument: Instrument::plain("AAPL", "AAPL", Class::Stock),
        contract: None,
        period,
        days,
        correlation: String::new(),
    };
    // The first byte chooses a status, the rest is the body.
    let (status, body) = match bytes.split_first() {
        Some((0..200, rest)) => (200, rest),
        Some((byte, rest)) => (380 + u16::from(*byte), rest),
        None => (200, bytes),
    };
    let headers = vec![("date".to_owned(), "Tue, 24 Nov 2026 10:00:00 GMT".to_owned())];
    let raw = RawAnswer {
        url: String::new(),
        status,
        headers,
        received: 1_795_514_400,
        body: body.to_vec(),
        gzip: None,
    };
    if let Ok(answer) = yahoo::read(&request, &raw) {
        assert!(answer.bars.is_ascending());
        assert!(answer.bars.values.iter().flatten().all(|value| !value.is_infinite()));
    }
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
