//! What a restatement replaced: the old CSVs, compressed, and what was known of the series.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::catalogue::ledger;
use super::intent::Move;
use super::prepare::InPlace;
use super::{
    ArchiveError, Change, Committed, Content, PartitionRecord, Prepared, SeriesState, Writer, csv, files,
    layout, now, prepare,
};
use crate::model::{Bars, Coverage, Days, SeriesKey};

/// zstd: these files are written seldom and kept for good.
const LEVEL: i32 = 9;
/// The largest CSV that is taken back.
const LARGEST: usize = 1 << 30;
/// The file that says what a revision is.
const ABOUT: &str = "revision.json";

/// A revision before it has its number.
#[derive(Debug)]
pub(super) struct Kept {
    at: i64,
    reason: String,
    partitions: Vec<String>,
}

impl Kept {
    /// Notes the revision; its number.
    pub(super) fn declare(&self, t: &Connection, key: &SeriesKey) -> rusqlite::Result<i64> {
        ledger::put_revision(t, None, key, self.at, &self.reason, &self.partitions)
    }
}

/// `revision.json`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) key: SeriesKey,
    /// When, in seconds since the epoch.
    pub(super) at: i64,
    pub(super) reason: String,
    /// The partitions whose CSVs lie beside this file.
    pub(super) partitions: Vec<String>,
    /// Every partition the series had then; `None` in revisions of before this was noted.
    #[serde(default)]
    pub(super) existing: Option<Vec<String>>,
    /// What was known of the series before.
    pub(super) state: SeriesState,
}

/// Writes the old CSVs of a change to tmp, to be moved to the revisions by its commit.
pub(super) fn keep(
    writer: &Writer,
    prepared: &mut Prepared,
    state: SeriesState,
    existing: Vec<String>,
    reason: String,
    replaced: Vec<(String, Vec<u8>)>,
) -> Result<(), ArchiveError> {
    let about = About {
        key: prepared.series.key.clone(),
        at: now(),
        reason: reason.clone(),
        partitions: replaced.iter().map(|(name, _)| name.clone()).collect(),
        existing: Some(existing),
        state,
    };
    let text =
        serde_json::to_vec_pretty(&about).map_err(|e| ArchiveError::Refused(format!("{ABOUT}: {e}")))?;
    let root = writer.archive.root();
    // Its own folder has no number yet.
    files::check_target(root, &root.join(layout::REVISIONS).join("new"))?;
    let temps = &mut prepared.temps;
    prepared.series.kept.push(prepare::temp(writer, temps, ABOUT.into(), &[&text], files::hash(&text))?);
    for (name, bytes) in replaced {
        let packed = zstd::bulk::compress(&bytes, LEVEL).map_err(files::io("compress", Path::new(&name)))?;
        let target = PathBuf::from(file_name(&name));
        prepared.series.kept.push(prepare::temp(writer, temps, target, &[&packed], files::hash(&packed))?);
    }
    prepared.kept = Some(Kept { at: about.at, reason, partitions: about.partitions });
    Ok(())
}

/// Gives the files of a revision their folder, once it has its number.
pub(super) fn place(kept: &mut [Move], id: i64) {
    for of in kept {
        of.target = folder(id).join(&of.target);
    }
}

/// A revision's folder, below the archive's.
fn folder(id: i64) -> PathBuf {
    Path::new(layout::REVISIONS).join(id.to_string())
}

/// The name of a partition's file in the folder of a revision.
pub(super) fn file_name(partition: &str) -> String {
    match partition {
        "" => "bars.csv.zst".to_owned(),
        name => format!("{name}.csv.zst"),
    }
}

/// Reads what a revision is from its folder.
pub(super) fn about(root: &Path, id: i64) -> Result<About, ArchiveError> {
    let path = root.join(folder(id)).join(ABOUT);
    let damaged = |said: String| ArchiveError::Damaged { path: path.clone(), said };
    let text = files::read(&path)?.ok_or_else(|| {
        damaged("it is missing; `vortex archive show` lists the revisions there are".to_owned())
    })?;
    serde_json::from_slice(&text).map_err(|e| damaged(e.to_string()))
}

/// Whether everything of a revision is there and can be read.
pub(super) fn check(root: &Path, id: i64) -> Result<(), ArchiveError> {
    let about = about(root, id)?;
    about.partitions.iter().try_for_each(|name| read_kept(root, id, name, &about.key).map(drop))
}

/// Gives the days of a partition the marks of before.
fn restore(coverage: &mut Coverage, before: &Coverage, days: Days) {
    for known in [coverage.known(), before.known()].into_iter().flatten() {
        for day in known.intersection(days).iter().flat_map(|days| days.iter()) {
            coverage.set_day(day, before.get(day));
        }
    }
}

/// Takes a series back to before a revision, all of it: what the revision kept is put back, what
/// later ones kept of the other partitions too, and partitions the series did not have then go. A
/// partition in none of them was only added to since, on the scale of then.
pub(super) fn revert(writer: &Writer, id: i64) -> Result<Committed, ArchiveError> {
    let root = writer.archive.root();
    let about = about(root, id)?;
    let key = about.key.clone();
    let current = writer.archive.series(&key)?.ok_or_else(|| {
        ArchiveError::Refused(format!("{key} is no longer in the archive; nothing was reverted"))
    })?;
    let records = writer.archive.partitions(current.id)?;
    let removed = partitions_since(id, &about, &records)?;
    let mut state = current.state;
    let existing = about.existing.as_ref().unwrap_or(&about.partitions);
    let mut partitions = BTreeMap::new();
    for later in writer.archive.revisions(Some(&key))?.iter().filter(|of| of.id >= id) {
        let kept = self::about(root, later.id)?;
        for name in kept.partitions {
            if existing.contains(&name) && !partitions.contains_key(&name) {
                let days = layout::partition_days(&key, &name);
                restore(&mut state.coverage, &kept.state.coverage, days);
                let bars = read_kept(root, later.id, &name, &key)?;
                partitions.insert(name, bars);
            }
        }
    }
    for name in &removed {
        restore(&mut state.coverage, &Coverage::default(), layout::partition_days(&key, name));
    }
    state.held = Some(format!("reverted to what revision {id} kept"));
    let change = Change {
        state,
        parquet: records.iter().any(|record| record.parquet_hash.is_some()),
        partitions: partitions.into_iter().map(|(name, bars)| (name, Content::Whole(bars))).collect(),
        restated: Some(format!("revert of revision {id}: {}", about.reason)),
        fetched_at: about.at,
        key,
    };
    let prepared = prepare::prepare_with_removals(writer, change, &removed, InPlace::MustBeAsRecorded)?;
    writer.commit(vec![prepared])
}

/// The partitions that the series has now and had not before a revision.
fn partitions_since(
    id: i64,
    about: &About,
    records: &[PartitionRecord],
) -> Result<Vec<String>, ArchiveError> {
    let others = records.iter().map(|of| &of.name).filter(|name| !about.partitions.contains(name));
    match &about.existing {
        Some(existing) => Ok(others.filter(|name| !existing.contains(name)).cloned().collect()),
        None => match others.min() {
            None => Ok(Vec::new()),
            Some(name) => Err(ArchiveError::Refused(format!(
                "revision {id} does not say whether {} had {name} then, and bars of two price scales must not stand in one series; nothing was reverted: `vortex download --force -s {}` fetches it again",
                about.key, about.key.symbol
            ))),
        },
    }
}

/// Reads the bars of a partition that a revision kept.
fn read_kept(root: &Path, id: i64, partition: &str, key: &SeriesKey) -> Result<Bars, ArchiveError> {
    let path = root.join(folder(id)).join(file_name(partition));
    let damaged = |said: String| ArchiveError::Damaged { path: path.clone(), said };
    let packed = files::read(&path)?.ok_or_else(|| damaged("the file is missing".to_owned()))?;
    let text = zstd::bulk::decompress(&packed, LARGEST).map_err(|e| damaged(e.to_string()))?;
    csv::decode(&text, key.columns()).map_err(|e| damaged(e.to_string()))
}
