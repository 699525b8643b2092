//! A laboratory for updates through a gateway: the gateway that plays TWS, an archive in a temporary folder, one
//! clock for both, and a time of the limits that passes as fast as it is waited for.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use tempfile::TempDir;
use tokio::sync::watch;
use vortex::archive::Archive;
use vortex::archive::raw::{RawTrail, entries};
use vortex::config::{IbkrSettings, RawSettings};
use vortex::download::{self, Clock, Event, Job, Observer, Replay, Selection, Summary};
use vortex::model::instrument::DEFAULT_DAYS_COUNT;
use vortex::model::{Bars, Class, Column, Contract, Day, Days, Instrument, Period, SeriesKey};
use vortex::provider::Provider;
use vortex::provider::ibkr::Ibkr;
use vortex::provider::limits::Throttle;
use vortex::provider::limits::pacing::Time;

use crate::ibkr_gateway::{Gateway, Options, message};

/// Everything one test needs.
pub(crate) struct Lab {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) settings: IbkrSettings,
    home: TempDir,
    now: Arc<AtomicI64>,
    time: Arc<Hurried>,
}

/// The time of the limits, ours and the gateway's: who waits sets both forward.
struct Hurried {
    gateway: Arc<Gateway>,
    started: Instant,
    ahead: AtomicI64,
}

impl Time for Hurried {
    fn since_boot(&self) -> i64 {
        let elapsed = self.started.elapsed().as_micros() as i64;
        1_700_000_000_000_000 + elapsed + self.ahead.load(Ordering::SeqCst)
    }

    fn calendar(&self) -> i64 {
        self.since_boot()
    }

    fn sleep(&self, micros: i64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        // The gateway's first: whoever sees ours has waited by both.
        self.gateway.advance(micros as f64 / 1e6);
        self.ahead.fetch_add(micros, Ordering::SeqCst);
        Box::pin(tokio::task::yield_now())
    }
}

struct Silent;

impl Observer for Silent {
    fn event(&self, _: &Event<'_>) {}
}

/// Seconds since the epoch of an instant such as `2024-03-15T21:00:00Z`.
pub(crate) fn at(instant: &str) -> i64 {
    instant.parse::<jiff::Timestamp>().unwrap().as_second()
}

/// A trading date.
pub(crate) fn day(date: &str) -> Day {
    date.parse().unwrap()
}

/// An instrument with nothing said of it but class and code, and an exchange where it needs one.
pub(crate) fn instrument(class: Class, code: &str) -> Instrument {
    let mut instrument = Instrument::plain(code, code, class);
    if class == Class::Future {
        instrument.cycle = Some(if code == "GC" { "GJMQVZ" } else { "HMUZ" }.to_owned());
        instrument.broker.exchange = Some(if code == "ES" { "CME" } else { "COMEX" }.to_owned());
        instrument.broker.currency = Some("USD".to_owned());
    }
    instrument
}

impl Lab {
    pub(crate) fn new(now: &str) -> Lab {
        Lab::with(now, Options::default())
    }

    pub(crate) fn with(now: &str, options: Options) -> Lab {
        let gateway = Arc::new(Gateway::with(at(now), options));
        Lab {
            settings: IbkrSettings {
                host: "127.0.0.1".to_owned(),
                port: gateway.port(),
                client_id: 1,
                timeout: 20,
                what_to_show: None,
                use_rth: None,
            },
            home: tempfile::tempdir().unwrap(),
            now: Arc::new(AtomicI64::new(at(now))),
            time: Arc::new(Hurried {
                gateway: Arc::clone(&gateway),
                started: Instant::now(),
                ahead: AtomicI64::new(0),
            }),
            gateway,
        }
    }

    /// Moves the clock of the gateway and ours.
    pub(crate) fn set_now(&self, now: &str) {
        self.now.store(at(now), Ordering::SeqCst);
        self.gateway.set_now(at(now));
    }

    pub(crate) fn today(&self) -> Day {
        Day::of_utc(self.now.load(Ordering::SeqCst))
    }

    fn clock(&self) -> Clock {
        let now = Arc::clone(&self.now);
        Arc::new(move || now.load(Ordering::SeqCst))
    }

    fn root(&self) -> PathBuf {
        self.home.path().join("archive")
    }

    pub(crate) fn archive(&self) -> Archive {
        Archive::open(&self.root(), self.home.path()).unwrap()
    }

    /// A provider as a new process makes it.
    pub(crate) fn provider(&self) -> Arc<dyn Provider> {
        let throttle = Throttle::open(&self.home.path().join("state")).unwrap();
        Arc::new(Ibkr::new(&self.settings, throttle, self.clock(), Arc::clone(&self.time) as Arc<dyn Time>))
    }

    pub(crate) fn selection(&self, instruments: &[Instrument], periods: &[Period], start: &str) -> Selection {
        Selection {
            instruments: instruments.to_vec(),
            periods: periods.to_vec(),
            start: Some(day(start)),
            backfill: true,
            today: Some(self.today()),
            ..Selection::default()
        }
    }

    /// Brings instruments up to date.
    pub(crate) fn update(&self, instruments: &[Instrument], periods: &[Period], start: &str) -> Summary {
        self.run(&self.selection(instruments, periods, start))
    }

    pub(crate) fn run(&self, selection: &Selection) -> Summary {
        let provider = self.provider();
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
        download::runtime().unwrap().block_on(download::run(writer, job)).unwrap()
    }

    fn raw(&self) -> RawTrail {
        RawTrail::new(&RawSettings {
            enabled: true,
            directory: self.root().join("raw"),
            retention_days: None,
            compress: true,
            include_metadata: true,
        })
    }

    /// Makes another archive of the raw trail alone.
    pub(crate) fn replayed(&self) -> (TempDir, Archive, Summary) {
        let home = tempfile::tempdir().unwrap();
        let archive = Archive::open(&home.path().join("archive"), home.path()).unwrap();
        let (_keep, cancelled) = watch::channel(false);
        let replay = Replay {
            provider: self.provider(),
            entries: entries(&self.root().join("raw")).unwrap().map(Result::unwrap).collect(),
            parquet: true,
            observer: Arc::new(Silent),
            now: self.clock(),
            cancelled,
        };
        let writer = archive.write("test").unwrap();
        let summary = download::runtime().unwrap().block_on(download::replay(writer, replay)).unwrap();
        (home, archive, summary)
    }

    pub(crate) fn bars(&self, key: &SeriesKey) -> Bars {
        bars_of(&self.archive(), key)
    }

    /// What the gateway takes for true of a series since a date, as an archive has it.
    pub(crate) fn truth(&self, key: &SeriesKey, start: &str) -> Bars {
        let (size, show) = (size(key.period), if key.class == Class::Forex { "MIDPOINT" } else { "TRADES" });
        let listed = key.contract.map(|contract| contract.last_day().plus(-(DEFAULT_DAYS_COUNT as i32)));
        let first = listed.into_iter().chain([day(start)]).max().unwrap();
        let days = Days { first, last: self.today() };
        let mut bars = Bars::new(key.columns());
        for bar in self.gateway.truth(&contract_of(key), size, show, days) {
            let stamp =
                if key.period.is_intraday() { bar.start } else { key.period.bar_day(bar.day).midnight() };
            let counted = |value: f64| if value < 0.0 { f64::NAN } else { value };
            let [open, high, low, close] = bar.prices;
            let volume = counted(bar.volume);
            bars.push(
                stamp,
                &[open, high, low, close, volume, counted(bar.average), counted(f64::from(bar.count))],
            );
        }
        bars
    }
}

/// All stored bars of a series.
pub(crate) fn bars_of(archive: &Archive, key: &SeriesKey) -> Bars {
    let mut bars = Bars::new(key.columns());
    let record = archive.series(key).unwrap().unwrap_or_else(|| panic!("{key} is not there"));
    for part in archive.partitions(record.id).unwrap() {
        bars.append(&archive.read_partition(key, &part).unwrap());
    }
    assert!(bars.is_ascending());
    bars
}

/// A series of an instrument whose name is its code.
pub(crate) fn key(class: Class, code: &str, contract: Option<Contract>, period: Period) -> SeriesKey {
    SeriesKey { provider: "ibkr".to_owned(), class, symbol: code.to_owned(), contract, period }
}

/// The same contract as the gateway's own messages name it.
pub(crate) fn contract_of(key: &SeriesKey) -> message::Contract {
    let plain = message::Contract { currency: "USD".to_owned(), ..message::Contract::default() };
    match (key.class, key.contract) {
        (Class::Stock, _) => message::Contract {
            symbol: key.symbol.clone(),
            sec_type: "STK".to_owned(),
            exchange: "SMART".to_owned(),
            ..plain
        },
        (Class::Forex, _) => message::Contract {
            symbol: key.symbol[..3].to_owned(),
            sec_type: "CASH".to_owned(),
            exchange: "IDEALPRO".to_owned(),
            currency: key.symbol[3..].to_owned(),
            ..plain
        },
        (Class::Future, contract) => message::Contract {
            symbol: key.symbol.clone(),
            sec_type: "FUT".to_owned(),
            month: contract.map_or_else(String::new, |of| format!("{:04}{:02}", of.year, of.month)),
            include_expired: true,
            ..plain
        },
    }
}

/// The protocol's name of a period.
pub(crate) fn size(period: Period) -> &'static str {
    match period {
        Period::M1 => "1 min",
        Period::M2 => "2 mins",
        Period::M5 => "5 mins",
        Period::M10 => "10 mins",
        Period::M15 => "15 mins",
        Period::M20 => "20 mins",
        Period::M30 => "30 mins",
        Period::H1 => "1 hour",
        Period::D1 => "1 day",
        Period::W1 => "1 week",
        Period::Mo1 | Period::Mo3 => "1 month",
    }
}

/// Fails the test where two runs of bars are not the same, and says at which bar.
#[track_caller]
pub(crate) fn assert_same(is: &Bars, should: &Bars, what: &SeriesKey) {
    if is.same(should) {
        return;
    }
    let row = |bars: &Bars, at: usize| {
        (at < bars.len()).then(|| {
            (jiff::Timestamp::from_second(bars.times[at]).unwrap(), bars.row(at).collect::<Vec<_>>())
        })
    };
    let longest = is.len().max(should.len());
    let differs = |at: &usize| format!("{:?}", row(is, *at)) != format!("{:?}", row(should, *at));
    let first = (0..longest).find(differs).unwrap_or(0);
    panic!(
        "{what}: {} bars, should be {}; bar {first} is {:?}, should be {:?}",
        is.len(),
        should.len(),
        row(is, first),
        row(should, first)
    );
}

/// A column, by name.
pub(crate) fn column(bars: &Bars, column: Column) -> Vec<f64> {
    bars.column(column).unwrap().to_vec()
}
