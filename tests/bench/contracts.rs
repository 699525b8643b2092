//! Makes an archive of dated contracts for `scripts/bench`, of all that `vortex download --dry-run --json` would ask
//! for: as if all of it had been downloaded.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use clap::Args;
use serde_json::Value;
use vortex::archive::{Archive, Change, Content, SeriesState};
use vortex::model::{Bars, Class, Contract, Coverage, Day, Days, Mark, Period, SeriesKey, SeriesMeta};

/// Series in one commit.
const GROUP: usize = 32;
/// Bars of a series: what is planned follows from its days, not from these.
const BARS: usize = 5;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The archive's folder.
    root: PathBuf,
    /// What the dry run printed.
    plan: PathBuf,
    /// The provider's clock, in seconds since the epoch.
    now: i64,
}

/// Fills an archive.
pub(crate) fn fill(arguments: &Arguments) -> Result<(), Box<dyn Error + Send + Sync>> {
    let plan: Value = serde_json::from_slice(&fs::read(&arguments.plan)?)?;
    let archive = Archive::open(&arguments.root, &arguments.root)?;
    let writer = archive.write("bench")?;
    let series = plan["series"].as_array().ok_or("there are no series")?;
    let series: Vec<(SeriesKey, Days)> = series.iter().filter_map(series_of).collect();
    for group in series.chunks(GROUP) {
        let change = |(key, days): &(SeriesKey, Days)| writer.prepare(change(key, *days, arguments.now));
        writer.commit(group.iter().map(change).collect::<Result<_, _>>()?)?;
    }
    let over = Day::of_utc(arguments.now).plus(-40);
    let complete = series.iter().filter(|(_, days)| days.last < over);
    let complete: Vec<_> = complete.map(|(key, days)| (key.clone(), days.first)).collect();
    archive.note_complete(&complete)?;
    println!("{} series, {} of them complete", series.len(), complete.len());
    Ok(())
}

/// Which series it is, and the days that are asked for.
fn series_of(planned: &Value) -> Option<(SeriesKey, Days)> {
    let windows = planned["windows"].as_array()?;
    let day = |window: Option<&Value>, at: usize| window?[at].as_str()?.parse::<Day>().ok();
    let bounds = |at| windows.iter().filter_map(move |window| day(Some(window), at));
    let days = Days::new(bounds(0).min()?, bounds(1).max()?)?;
    let (_, contract) = Contract::of_stored_name(planned["contract"].as_str()?)?;
    let key = SeriesKey {
        provider: "barchart".to_owned(),
        class: Class::Future,
        symbol: planned["symbol"].as_str()?.to_owned(),
        contract: Some(contract),
        period: planned["period"].as_str()?.parse::<Period>().ok()?,
    };
    Some((key, days))
}

fn change(key: &SeriesKey, days: Days, now: i64) -> Change {
    let mut coverage = Coverage::default();
    coverage.set(days, Mark::Empty);
    let sessions: Vec<Day> = days.iter().filter(|day| !day.is_weekend()).collect();
    sessions.iter().for_each(|day| coverage.set_day(*day, Mark::Present));
    let mut bars = Bars::new(key.columns());
    let values = vec![1.0; key.columns().len()];
    sessions.iter().take(BARS).for_each(|day| bars.push(day.midnight(), &values));
    let meta = SeriesMeta {
        exchange: Some(format!("{} futures", key.symbol)),
        zone: Some("America/Chicago".to_owned()),
        ..SeriesMeta::default()
    };
    let state =
        SeriesState { code: key.symbol.clone(), meta, coverage, asked_at: now, ..SeriesState::default() };
    let partitions = vec![(String::new(), Content::Whole(bars))];
    Change { key: key.clone(), state, partitions, restated: None, fetched_at: now, parquet: true }
}
