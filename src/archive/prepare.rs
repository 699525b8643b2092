//! The first half of a commit: the new files, encoded and on disk in `.vortex/tmp`.

use std::sync::atomic::Ordering;

use super::crash::{CrashPoint, reached};
use super::files::{self, TempFiles};
use super::intent::{Move, Pair, Removal, SeriesIntent};
use super::parquet::Notes;
use super::revision::Kept;
use super::{
    ArchiveError, Change, PartitionRecord, SeriesState, Writer, csv, layout, now, parquet, partition_name,
    revision,
};
use crate::model::{Bars, Mark, SeriesKey};

/// A change whose files are written and on disk in `.vortex/tmp`, not yet in their places. Dropped
/// without a commit, its files are removed.
#[derive(Debug)]
pub struct Prepared {
    pub(super) series: SeriesIntent,
    /// The revision that keeps what is replaced.
    pub(super) kept: Option<Kept>,
    pub(super) temps: TempFiles,
}

/// What a CSV that is to be replaced must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InPlace {
    /// As the catalogue has it: somebody's edits are never overwritten by an update.
    MustBeAsRecorded,
    /// Anything: the person asked for the repair or rebuild.
    MayBeAnything,
}

pub(super) fn prepare(writer: &Writer, change: Change, in_place: InPlace) -> Result<Prepared, ArchiveError> {
    prepare_with_removals(writer, change, &[], in_place)
}

/// As [`prepare`]; the partitions named in `removed` go, and the revision of a restatement keeps what
/// they hold.
pub(super) fn prepare_with_removals(
    writer: &Writer,
    change: Change,
    removed: &[String],
    in_place: InPlace,
) -> Result<Prepared, ArchiveError> {
    let root = writer.archive.root();
    let mut prepared = Prepared {
        kept: None,
        temps: TempFiles::new(root.join(layout::TMP)),
        series: SeriesIntent {
            key: change.key.clone(),
            state: change.state.clone(),
            pairs: Vec::with_capacity(change.partitions.len()),
            kept: Vec::new(),
            removed: Vec::with_capacity(removed.len()),
        },
    };
    let before = writer.archive.series(&change.key)?;
    let recorded = match &before {
        Some(series) => writer.archive.partitions(series.id)?,
        None => Vec::new(),
    };
    let notes = Notes { state: change.state, fetched_at: change.fetched_at };
    let mut replaced = Vec::new();
    for (name, bars) in &change.partitions {
        check(&change.key, name, bars)?;
        let in_place = match &before {
            Some(series) if is_damaged(&change.key, name, &series.state) => InPlace::MayBeAnything,
            _ => in_place,
        };
        let recorded = recorded.iter().find(|record| record.name == *name);
        let old = old_csv(writer, &change.key, name, recorded, in_place)?;
        let pair = encode(writer, &mut prepared.temps, &change.key, name, bars, &notes, change.parquet)?;
        let stale = match recorded {
            Some(record) if record.parquet_hash.is_some() && pair.parquet.is_none() => {
                Some(layout::parquet_path(&change.key, name)?)
            }
            _ => None,
        };
        prepared.series.pairs.push(Pair { stale, ..pair });
        replaced.extend(old.map(|bytes| (name.clone(), bytes)));
    }
    for name in removed {
        let record = recorded.iter().find(|record| record.name == *name);
        let old = old_csv(writer, &change.key, name, record, in_place)?;
        let files = vec![layout::csv_path(&change.key, name)?, layout::parquet_path(&change.key, name)?];
        prepared.series.removed.push(Removal { partition: name.clone(), files });
        replaced.extend(old.map(|bytes| (name.clone(), bytes)));
    }
    if let (Some(reason), Some(before), false) = (change.restated, before, replaced.is_empty()) {
        let existing = recorded.into_iter().map(|record| record.name).collect();
        revision::keep(writer, &mut prepared, before.state, existing, reason, replaced)?;
    }
    Ok(prepared)
}

/// Refuses bars that may not stand in the partition.
fn check(key: &SeriesKey, name: &str, bars: &Bars) -> Result<(), ArchiveError> {
    let refuse = |said: &str| {
        let part = if name.is_empty() { String::new() } else { format!(" {name}") };
        Err(ArchiveError::Refused(format!("{key}{part}: {said}; nothing was written")))
    };
    if bars.columns() != key.columns() {
        return refuse("the bars have other columns than the series");
    }
    if !bars.is_ascending() {
        return refuse("the bars are not unique and ascending");
    }
    let Some((first, last)) = bars.bounds() else {
        return refuse("there is no bar, and stored bars are never erased");
    };
    // The name is compared at both ends only: between them the bars are ascending.
    if partition_name(key, first) != name || partition_name(key, last) != name {
        return refuse("a bar belongs to another partition");
    }
    Ok(())
}

/// Whether the partition was found damaged, and is fetched again for that: what is in its place is
/// not worth keeping then.
pub(super) fn is_damaged(key: &SeriesKey, name: &str, state: &SeriesState) -> bool {
    let coverage = state.coverage.within(layout::partition_days(key, name));
    coverage.first_where(|mark| mark == Mark::Suspect).is_some()
}

/// The CSV that is to be replaced, where there is one; an error where it may not be.
fn old_csv(
    writer: &Writer,
    key: &SeriesKey,
    name: &str,
    recorded: Option<&PartitionRecord>,
    in_place: InPlace,
) -> Result<Option<Vec<u8>>, ArchiveError> {
    let relative = layout::csv_path(key, name)?;
    let path = writer.archive.root().join(&relative);
    files::check_one_file_system(writer.archive.root(), &path)?;
    let old = files::read(&path)?;
    match (&old, recorded) {
        _ if in_place == InPlace::MayBeAnything => {}
        (Some(_), None) => {
            return Err(ArchiveError::Refused(format!(
                "{} is there but not in the catalogue: `vortex archive rebuild {}` takes it over",
                path.display(),
                key.symbol
            )));
        }
        (Some(bytes), Some(record)) if files::hash(bytes) != record.csv_hash => {
            return Err(ArchiveError::Edited { path, symbol: key.symbol.clone() });
        }
        _ => {}
    }
    Ok(old)
}

fn encode(
    writer: &Writer,
    temps: &mut TempFiles,
    key: &SeriesKey,
    name: &str,
    bars: &Bars,
    notes: &Notes,
    twin: bool,
) -> Result<Pair, ArchiveError> {
    let path = layout::csv_path(key, name)?;
    let refuse = |said: String| ArchiveError::Refused(format!("{}: {said}", path.display()));
    let text = csv::encode(bars).map_err(refuse)?;
    let csv = temp(writer, temps, layout::csv_path(key, name)?, &text)?;
    let mut bytes = text.len();
    let mut parquet = None;
    if twin {
        let twin = parquet::encode(key, name, bars, notes).map_err(|e| refuse(e.to_string()))?;
        parquet = Some(temp(writer, temps, layout::parquet_path(key, name)?, &twin)?);
        bytes += twin.len();
    }
    let (first, last) = bars.bounds().unwrap_or_default();
    Ok(Pair {
        record: PartitionRecord {
            name: name.to_owned(),
            csv: csv.target.clone(),
            csv_hash: csv.hash.clone(),
            parquet_hash: parquet.as_ref().map(|of| of.hash.clone()),
            bytes: bytes as u64,
            bars: bars.len() as u64,
            first,
            last,
            written: now(),
        },
        csv,
        parquet,
        stale: None,
    })
}

/// Writes one file into tmp.
pub(super) fn temp(
    writer: &Writer,
    temps: &mut TempFiles,
    target: std::path::PathBuf,
    bytes: &[u8],
) -> Result<Move, ArchiveError> {
    let name = format!("{:08x}", writer.next_temp.fetch_add(1, Ordering::Relaxed));
    temps.write(&name, bytes)?;
    reached(CrashPoint::FileWritten)?;
    Ok(Move { tmp: name, target, hash: files::hash(bytes) })
}
