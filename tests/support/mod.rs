//! A laboratory for whole updates: the server that plays Yahoo, an archive in a temporary folder, and one
//! clock for both.
#![allow(dead_code)] // Each test target uses its own part of this.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tempfile::TempDir;
use tokio::sync::watch;
use vortex::archive::raw::{RawTrail, entries};
use vortex::archive::{Archive, SeriesRecord};
use vortex::config::{HttpSettings, RawSettings};
use vortex::download::{self, Clock, Event, Job, JobResult, Observer, Replay, Selection, Summary};
use vortex::model::{Bars, Class, Column, Day, Instrument, Period, SeriesKey};
use vortex::provider::Provider;
use vortex::provider::limits::Throttle;
use vortex::provider::yahoo::Yahoo;

use crate::yahoo_server::Server;

/// Everything one test needs.
pub(crate) struct Lab {
    pub(crate) server: Server,
    home: TempDir,
    now: Arc<AtomicI64>,
}

struct Silent;

impl Observer for Silent {
    fn event(&self, _: &Event<'_>) {}
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Seconds since the epoch of an instant such as `2024-03-15T21:00:00Z`.
pub(crate) fn at(instant: &str) -> i64 {
    instant.parse::<jiff::Timestamp>().unwrap().as_second()
}

/// A trading date.
pub(crate) fn day(date: &str) -> Day {
    date.parse().unwrap()
}

impl Lab {
    /// A laboratory at an instant.
    pub(crate) fn new(now: &str) -> Lab {
        let now = at(now);
        Lab {
            server: Server::start(now),
            home: tempfile::tempdir().unwrap(),
            now: Arc::new(AtomicI64::new(now)),
        }
    }

    /// Moves the clock of the server and ours.
    pub(crate) fn set_now(&self, now: &str) {
        self.now.store(at(now), Ordering::SeqCst);
        self.server.set_now(at(now));
    }

    pub(crate) fn now(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.home.path().join("archive")
    }

    pub(crate) fn archive(&self) -> Archive {
        Archive::open(&self.root(), self.home.path()).unwrap()
    }

    fn clock(&self) -> Clock {
        let now = Arc::clone(&self.now);
        Arc::new(move || now.load(Ordering::SeqCst))
    }

    /// Yahoo as the server plays it.
    pub(crate) fn yahoo(&self) -> Arc<dyn Provider> {
        let settings = HttpSettings {
            enabled: true,
            base_url: Some(self.server.base_url().parse().unwrap()),
            ca_file: None,
            timeout: 30,
            requests_per_minute: 1_000_000,
            concurrency: 4,
            user_agent: "Mozilla/5.0 (X11; Linux x86_64) test".to_owned(),
        };
        Arc::new(Yahoo::new(&settings, Arc::new(self.throttle()), self.clock()).unwrap())
    }

    /// Limits as a new process finds them.
    pub(crate) fn throttle(&self) -> Throttle {
        Throttle::open(&self.home.path().join("state")).unwrap()
    }

    pub(crate) fn raw(&self) -> RawTrail {
        RawTrail::new(&RawSettings {
            enabled: true,
            directory: self.root().join("raw"),
            retention_days: None,
            compress: true,
            include_metadata: true,
        })
    }

    /// A selection of symbols and periods since a date.
    pub(crate) fn selection(&self, symbols: &[&str], periods: &[Period], start: &str) -> Selection {
        Selection {
            instruments: Vec::<Instrument>::new(),
            symbols: symbols.iter().map(|symbol| (*symbol).to_owned()).collect(),
            periods: periods.to_vec(),
            start: Some(day(start)),
            backfill: true,
            today: Some(Day::of_utc(self.now())),
            ..Selection::default()
        }
    }

    /// Brings symbols up to date from Yahoo.
    pub(crate) fn update(&self, symbols: &[&str], period: Period, start: &str) -> Summary {
        self.run(&self.selection(symbols, &[period], start), self.yahoo())
    }

    /// The same with `--force`.
    pub(crate) fn force(&self, symbol: &str, period: Period, start: &str) -> Summary {
        let selection = Selection { force: true, ..self.selection(&[symbol], &[period], start) };
        self.run(&selection, self.yahoo())
    }

    /// Runs a job.
    pub(crate) fn run(&self, selection: &Selection, provider: Arc<dyn Provider>) -> Summary {
        let targets = download::targets(selection, provider.as_ref()).unwrap();
        let writer = self.archive().write("test").unwrap();
        let (_keep, cancelled) = watch::channel(false);
        let job = Job {
            number: writer.archive().start_job("test", "").unwrap(),
            provider,
            targets,
            raw: self.raw(),
            parquet: true,
            force_parquet: false,
            observer: Arc::new(Silent),
            now: self.clock(),
            cancelled,
        };
        runtime().block_on(download::run(writer, job)).unwrap()
    }

    /// A laboratory whose archive is made from this one's raw trail alone.
    pub(crate) fn replayed(&self) -> Lab {
        let fresh = Lab {
            server: Server::start(self.now()),
            home: tempfile::tempdir().unwrap(),
            now: Arc::clone(&self.now),
        };
        let (_keep, cancelled) = watch::channel(false);
        let replay = Replay {
            provider: self.yahoo(),
            entries: entries(&self.root().join("raw")).unwrap().map(Result::unwrap).collect(),
            parquet: true,
            observer: Arc::new(Silent),
            now: self.clock(),
            cancelled,
        };
        let writer = fresh.archive().write("test").unwrap();
        let summary = runtime().block_on(download::replay(writer, replay)).unwrap();
        assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
        fresh
    }

    pub(crate) fn key(&self, symbol: &str, period: Period) -> SeriesKey {
        SeriesKey {
            provider: "yahoo".to_owned(),
            class: Class::Stock,
            symbol: symbol.to_owned(),
            contract: None,
            period,
        }
    }

    /// A series as the catalogue has it.
    pub(crate) fn record(&self, symbol: &str, period: Period) -> SeriesRecord {
        self.archive().series(&self.key(symbol, period)).unwrap().unwrap()
    }

    /// All stored bars of a series.
    pub(crate) fn bars(&self, symbol: &str, period: Period) -> Bars {
        let (archive, key) = (self.archive(), self.key(symbol, period));
        let mut bars = Bars::new(key.columns());
        let record = archive.series(&key).unwrap().unwrap();
        for part in archive.partitions(record.id).unwrap() {
            bars.append(&archive.read_partition(&key, &part).unwrap());
        }
        assert!(bars.is_ascending());
        bars
    }

    /// The close of a daily bar.
    pub(crate) fn close(&self, symbol: &str, date: &str) -> Option<f64> {
        let bars = self.bars(symbol, Period::D1);
        let at = bars.times.binary_search(&day(date).midnight()).ok()?;
        Some(bars.column(Column::Close).unwrap()[at])
    }

    /// Requests for charts since the counters were last reset.
    pub(crate) fn requests(&self) -> u64 {
        self.server.counts().total
    }
}
