//! Makes an archive for `scripts/bench` that could not be downloaded: more of one-minute bars than a
//! provider reaches back, and more series than one would wait for. The bars are those that the bench's
//! server has, and they go in the way all bars do: prepared and committed.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Mutex;

use clap::Args;

use vortex::archive::{Archive, Change, Content, SeriesState, Writer, partition_name};
use vortex::model::{Bars, Class, Coverage, Day, Days, Mark, Period, SeriesKey, SeriesMeta};
use vortex::provider::sample::listing::Listing;
use vortex::provider::sample::market::Bar;

use crate::LISTINGS;

/// Series in one commit.
const GROUP: usize = 32;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The archive's folder.
    root: PathBuf,
    /// `1m` for every minute; of other periods one bar a session is made.
    period: Period,
    /// How many series: S0, S1, …
    series: usize,
    /// The first trading date.
    first: Day,
    /// The provider's clock, in seconds since the epoch.
    now: i64,
}

/// Fills an archive.
pub(crate) fn fill(arguments: &Arguments) -> Result<(), Box<dyn Error + Send + Sync>> {
    let archive = Archive::open(&arguments.root, &arguments.root)?;
    let writer = archive.write("bench")?;
    let models: Vec<Model> = LISTINGS.iter().filter_map(|code| Model::new(code, arguments)).collect();
    let numbers: Vec<usize> = (0..arguments.series).collect();
    let (groups, commits) = (Mutex::new(numbers.chunks(GROUP)), Mutex::new(()));
    let work = || -> Result<(), vortex::archive::ArchiveError> {
        loop {
            let Some(group) = groups.lock().unwrap().next() else { return Ok(()) };
            let prepare = |number: &usize| writer.prepare(models[number % models.len()].change(*number));
            let prepared = group.iter().map(prepare).collect::<Result<Vec<_>, _>>()?;
            let _one_at_a_time = commits.lock().unwrap();
            writer.commit(prepared)?;
        }
    };
    std::thread::scope(|scope| {
        let threads = [scope.spawn(work), scope.spawn(work)];
        threads.into_iter().try_for_each(|thread| thread.join().unwrap())
    })?;
    println!("{} series, {} partitions each", arguments.series, models[0].partitions.len());
    drop::<Writer>(writer);
    Ok(())
}

/// What all series of one listing hold.
struct Model {
    key: SeriesKey,
    state: SeriesState,
    partitions: Vec<(String, Content)>,
    now: i64,
}

impl Model {
    fn new(code: &str, arguments: &Arguments) -> Option<Model> {
        let Arguments { period, first, now, .. } = *arguments;
        let listing = Listing::of(code)?;
        let key = SeriesKey {
            provider: "yahoo".to_owned(),
            class: Class::Stock,
            symbol: code.to_owned(),
            contract: None,
            period,
        };
        let days = Days::new(first, listing.finished(now))?;
        let bars = if period == Period::M1 { listing.minutes(days, now) } else { listing.daily(days, now) };
        let partitions = partitions(&key, &bars);
        let mut coverage = Coverage::default();
        coverage.set(days, Mark::Empty);
        listing.sessions(days, now).for_each(|session| coverage.set_day(session.day, Mark::Present));
        let meta = SeriesMeta {
            currency: Some(listing.currency.to_owned()),
            exchange: Some(listing.exchange.name.to_owned()),
            zone: Some(listing.exchange.zone.to_owned()),
            every_day: false,
            session_open: Some(listing.exchange.open),
            session_close: Some(listing.exchange.close),
            con_id: None,
        };
        let first_day = Some(listing.first_day.number());
        let state = SeriesState { meta, coverage, first_day, asked_at: now, ..SeriesState::default() };
        Some(Model { key, state, partitions, now })
    }

    /// All of it, for one symbol.
    fn change(&self, number: usize) -> Change {
        let symbol = format!("S{number}");
        Change {
            state: SeriesState { code: symbol.clone(), ..self.state.clone() },
            key: SeriesKey { symbol, ..self.key.clone() },
            partitions: self.partitions.clone(),
            restated: None,
            fetched_at: self.now,
            parquet: true,
        }
    }
}

fn partitions(key: &SeriesKey, bars: &[Bar]) -> Vec<(String, Content)> {
    let name = |bar: &Bar| partition_name(key, bar.start);
    let table = |of: &[Bar]| {
        let mut table = Bars::new(key.columns());
        for bar in of {
            table.push(bar.start, &[bar.open, bar.high, bar.low, bar.close, bar.volume]);
        }
        (name(&of[0]), Content::Whole(table))
    };
    bars.chunk_by(|a, b| name(a) == name(b)).map(table).collect()
}
