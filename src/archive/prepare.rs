//! The first half of a commit: the new files, encoded and on disk in `.vortex/tmp`.

use std::sync::atomic::Ordering;

use super::crash::{CrashPoint, reached};
use super::files::{self, TempFiles};
use super::intent::{Move, Pair, Removal, SeriesIntent};
use super::parquet::Notes;
use super::revision::Kept;
use super::splice::{Body, Cut, Twin};
use super::{
    ArchiveError, Change, Content, PartitionRecord, SeriesState, Writer, layout, now, parquet,
    partition_name, revision,
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
    /// Bars that were not stored.
    pub added: u64,
    /// Bars that were stored with other values.
    pub changed: u64,
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
        added: 0,
        changed: 0,
        temps: TempFiles::new(root.join(layout::TMP)),
        series: SeriesIntent {
            key: change.key.clone(),
            state: change.state.clone(),
            pairs: Vec::with_capacity(change.partitions.len()),
            kept: Vec::new(),
            removed: Vec::with_capacity(removed.len()),
            rolls: None,
            rebuilt: None,
        },
    };
    let before = writer.archive.series(&change.key)?;
    let recorded = match &before {
        Some(series) => writer.archive.partitions(series.id)?,
        None => Vec::new(),
    };
    let notes = Notes { state: change.state, fetched_at: change.fetched_at };
    let mut restated = change.restated;
    let mut replaced = Vec::new();
    for (name, content) in change.partitions {
        let damaged = before.as_ref().is_some_and(|series| is_damaged(&change.key, &name, &series.state));
        let in_place = if damaged { InPlace::MayBeAnything } else { in_place };
        let record = recorded.iter().find(|record| record.name == name);
        // What news go into is looked at where they do.
        let looked_at = matches!(content, Content::News(_)) && record.is_some();
        let in_place = if looked_at { InPlace::MayBeAnything } else { in_place };
        let old = old_csv(writer, &change.key, &name, record, in_place)?;
        let place = Place { writer, key: &change.key, name: &name, record, damaged };
        let (body, afresh) = place.body(content, old.as_deref(), change.parquet)?;
        if afresh {
            // Whatever stands there goes to the revisions.
            restated.get_or_insert_with(|| "a damaged file was fetched again".to_owned());
        }
        prepared.added += body.added;
        prepared.changed += body.changed;
        prepared.series.pairs.push(place.write(&mut prepared.temps, &body, &notes, change.parquet)?);
        drop(body);
        replaced.extend(old.map(|bytes| (name.clone(), bytes)));
    }
    for name in removed {
        let record = recorded.iter().find(|record| record.name == *name);
        let old = old_csv(writer, &change.key, name, record, in_place)?;
        let files = vec![layout::csv_path(&change.key, name)?, layout::parquet_path(&change.key, name)?];
        files.iter().try_for_each(|path| files::check_target(root, &root.join(path)))?;
        prepared.series.removed.push(Removal { partition: name.clone(), files });
        replaced.extend(old.map(|bytes| (name.clone(), bytes)));
    }
    if let (Some(reason), Some(before), false) = (restated, before, replaced.is_empty()) {
        let existing = recorded.into_iter().map(|record| record.name).collect();
        revision::keep(writer, &mut prepared, before.state, existing, reason, replaced)?;
    }
    Ok(prepared)
}

/// Whether the partition was found damaged, and is fetched again for that: what is in its place is
/// not worth keeping then.
pub(super) fn is_damaged(key: &SeriesKey, name: &str, state: &SeriesState) -> bool {
    state.coverage.within(layout::partition_days(key, name)).has(Mark::Suspect)
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
    files::check_target(writer.archive.root(), &path)?;
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

/// A partition that is to be written.
struct Place<'a> {
    writer: &'a Writer,
    key: &'a SeriesKey,
    name: &'a str,
    record: Option<&'a PartitionRecord>,
    /// It was found damaged and is fetched again for that.
    damaged: bool,
}

impl Place<'_> {
    /// What it holds afterwards, and whether that leaves damage behind. `old` is its CSV.
    fn body<'a>(
        &self,
        content: Content,
        old: Option<&'a [u8]>,
        parquet: bool,
    ) -> Result<(Body<'a>, bool), ArchiveError> {
        if content.bars().columns() != self.key.columns() {
            return self.refuse("the bars have other columns than the series");
        }
        let (body, afresh) = match (content, self.record, old) {
            (Content::Whole(bars), ..) | (Content::News(bars), None, _) => (Body::whole(bars), false),
            (Content::News(bars), Some(record), old) => match self.splice(record, old, &bars, parquet) {
                Err(ArchiveError::Edited { .. } | ArchiveError::Damaged { .. }) if self.damaged => {
                    (Body::whole(bars), true)
                }
                spliced => (spliced?, false),
            },
        };
        self.check(&body)?;
        Ok((body, afresh))
    }

    /// The stored bars with news.
    fn splice<'a>(
        &self,
        record: &PartitionRecord,
        old: Option<&'a [u8]>,
        news: &Bars,
        parquet: bool,
    ) -> Result<Body<'a>, ArchiveError> {
        let path = self.writer.archive.root().join(&record.csv);
        let damaged = |said: String| ArchiveError::Damaged { path: path.clone(), said };
        let old = old.ok_or_else(|| damaged("the file is missing".to_owned()))?;
        let cut = Cut::before(old, news);
        if cut.hash_of_all() != record.csv_hash {
            return Err(ArchiveError::Edited { path: path.clone(), symbol: self.key.symbol.clone() });
        }
        let twin = if parquet { self.twin(record)? } else { Twin::Unwanted };
        Body::splice(self.key, record, cut, twin, news).map_err(damaged)
    }

    /// The twin as it stands there.
    fn twin(&self, record: &PartitionRecord) -> Result<Twin, ArchiveError> {
        let path = self.writer.archive.root().join(layout::parquet_path(self.key, self.name)?);
        // One that cannot be read is made again like one that is lost.
        let file = files::read(&path).ok().flatten();
        let file =
            file.filter(|file| record.parquet_hash.as_ref().is_some_and(|hash| files::hash(file) == *hash));
        Ok(file.map_or(Twin::Lost, Twin::AsRecorded))
    }

    /// Refuses bars that may not stand in the partition.
    fn check(&self, body: &Body<'_>) -> Result<(), ArchiveError> {
        if !body.bars.is_ascending() {
            return self.refuse("the bars are not unique and ascending");
        }
        let Some((first, last)) = body.bounds() else {
            return self.refuse("there is no bar, and stored bars are never erased");
        };
        // The name is compared at both ends only: between them the bars are ascending.
        if [first, last].iter().any(|stamp| partition_name(self.key, *stamp) != self.name) {
            return self.refuse("a bar belongs to another partition");
        }
        Ok(())
    }

    fn refuse<T>(&self, said: &str) -> Result<T, ArchiveError> {
        let part = if self.name.is_empty() { String::new() } else { format!(" {}", self.name) };
        Err(ArchiveError::Refused(format!("{}{part}: {said}; nothing was written", self.key)))
    }

    /// Writes both files into tmp.
    fn write(
        &self,
        temps: &mut TempFiles,
        body: &Body<'_>,
        notes: &Notes,
        twin: bool,
    ) -> Result<Pair, ArchiveError> {
        let path = layout::csv_path(self.key, self.name)?;
        let twin_path = layout::parquet_path(self.key, self.name)?;
        let recorded = self.record.is_some_and(|record| record.parquet_hash.is_some());
        if twin || recorded {
            let root = self.writer.archive.root();
            files::check_target(root, &root.join(&twin_path))?;
        }
        let refuse = |said: String| ArchiveError::Refused(format!("{}: {said}", path.display()));
        let (kept, rows) = body.csv().map_err(refuse)?;
        let csv = temp(self.writer, temps, path.clone(), &[kept, &rows], body.hash_with(&rows))?;
        let mut bytes = kept.len() + rows.len();
        // They are large, and so is what the twin takes.
        drop(rows);
        let (mut parquet, mut stale) = (None, None);
        if twin {
            let twin = parquet::encode(self.key, self.name, &body.twin, &body.bars, notes)
                .map_err(|e| refuse(e.to_string()))?;
            parquet = Some(temp(self.writer, temps, twin_path, &[&twin], files::hash(&twin))?);
            bytes += twin.len();
        } else if recorded {
            stale = Some(twin_path);
        }
        let (first, last) = body.bounds().unwrap_or_default();
        let record = PartitionRecord {
            name: self.name.to_owned(),
            csv: path,
            csv_hash: csv.hash.clone(),
            parquet_hash: parquet.as_ref().map(|of| of.hash.clone()),
            bytes: bytes as u64,
            bars: body.len() as u64,
            first,
            last,
            written: now(),
        };
        Ok(Pair { record, csv, parquet, stale })
    }
}

/// Writes one file into tmp, given in parts; `hash` is that of all.
pub(super) fn temp(
    writer: &Writer,
    temps: &mut TempFiles,
    target: std::path::PathBuf,
    parts: &[&[u8]],
    hash: String,
) -> Result<Move, ArchiveError> {
    let name = format!("{:08x}", writer.next_temp.fetch_add(1, Ordering::Relaxed));
    temps.write(&name, parts)?;
    reached(CrashPoint::FileWritten)?;
    Ok(Move { tmp: name, target, hash })
}
