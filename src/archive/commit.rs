//! The second half of a commit: one intent, the renames, and the catalogue.
//!
//! What a power loss at any point leaves:
//! - before the intent is on disk: files in tmp that nothing refers to; the next start removes them;
//! - after it: every file is on disk, in tmp or in its place, so that the next start can finish
//!   (`recover`), and does;
//! - after the last transaction: nothing to do.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use rusqlite::Transaction;

use super::catalogue::sessions::Deltas;
use super::catalogue::{Catalogue, ledger, rows};
use super::crash::{CrashPoint, reached};
use super::intent::{Intent, Move, Pair, SeriesIntent};
use super::revision::Kept;
use super::{ArchiveError, Prepared, Writer, files, layout, revision};

/// What a commit changed, for counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Files renamed into place.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

pub(super) fn commit(writer: &Writer, prepared: Vec<Prepared>) -> Result<Committed, ArchiveError> {
    if let Some(why) = writer.broken.get() {
        return Err(ArchiveError::Refused(format!(
            "an earlier commit could not be finished ({why}): the next start finishes it, so start again"
        )));
    }
    let mut keys = HashSet::new();
    if let Some(twice) = prepared.iter().find(|one| !keys.insert(one.series.key.clone())) {
        return Err(ArchiveError::Refused(format!("{} is changed twice in one commit", twice.series.key)));
    }
    let committed = count(&prepared);
    if prepared.iter().all(|one| one.series.is_of_no_file()) {
        // Without files there is nothing that could be half-done.
        let series = prepared.into_iter().map(|one| one.series).collect();
        let recorded = writer.catalogue.change(|t| record(t, &Intent { series }));
        recorded.inspect_err(|error| {
            if error.is_of_the_disk() {
                break_off(writer, error);
            }
        })?;
        return Ok(committed);
    }
    let root = writer.archive.root();
    let synced = files::sync_folder(&root.join(layout::TMP)).and_then(|()| reached(CrashPoint::TempSynced));
    if let Err(error) = synced {
        // After a failed fsync a second one would say nothing of what the first one lost.
        break_off(writer, &error);
        return Err(error);
    }
    let (intent, mut temps) = split(prepared);
    let (id, intent) = match declare(&writer.catalogue, intent) {
        Ok(declared) => declared,
        Err(error) => {
            // Its bytes may have reached the disk all the same, so its files stay for the next start to decide.
            if error.is_of_the_disk() {
                temps.iter_mut().for_each(files::TempFiles::keep);
                break_off(writer, &error);
            }
            return Err(error);
        }
    };
    temps.iter_mut().for_each(files::TempFiles::keep);
    let finished = reached(CrashPoint::IntentCommitted).and_then(|()| {
        let moves: Vec<&Move> = intent.series.iter().flat_map(|one| one.moves()).collect();
        finish(root, &writer.catalogue, id, &intent, &moves)
    });
    match finished {
        Ok(()) => Ok(committed),
        Err(error) => {
            // Nothing more may be written over an open intent.
            break_off(writer, &error);
            Err(error)
        }
    }
}

/// Lets this writer commit nothing more; the first reason is the one that is told.
fn break_off(writer: &Writer, why: &ArchiveError) {
    let _ = writer.broken.set(why.to_string());
}

fn count(prepared: &[Prepared]) -> Committed {
    let pairs = || prepared.iter().flat_map(|one| &one.series.pairs);
    Committed {
        files: pairs().map(|pair| pair.moves().count() as u64).sum(),
        bytes: pairs().map(|pair| pair.record.bytes).sum(),
    }
}

/// What is to be done, and the files it is done with.
fn split(prepared: Vec<Prepared>) -> (Vec<(SeriesIntent, Option<Kept>)>, Vec<files::TempFiles>) {
    prepared.into_iter().map(|one| ((one.series, one.kept), one.temps)).unzip()
}

/// Puts the intent on disk, and with it the rows of its revisions, whose numbers name their folders.
/// They may stand there early: an intent on disk is always carried out.
fn declare(
    catalogue: &Catalogue,
    changes: Vec<(SeriesIntent, Option<Kept>)>,
) -> Result<(i64, Intent), ArchiveError> {
    catalogue.change(|t| {
        let mut intent = Intent::default();
        for (mut series, kept) in changes {
            if let Some(kept) = kept {
                let id = kept.declare(t, &series.key)?;
                revision::place(&mut series.kept, id);
            }
            intent.series.push(series);
        }
        Ok((ledger::put_intent(t, &intent)?, intent))
    })
}

/// Renames the files that are still in tmp, and records the commit. Shared with the recovery.
pub(super) fn finish(
    root: &Path,
    catalogue: &Catalogue,
    intent_id: i64,
    intent: &Intent,
    moves: &[&Move],
) -> Result<(), ArchiveError> {
    let (mut touched, mut grown) = (BTreeSet::new(), BTreeSet::new());
    for of in intent.series.iter().flat_map(|one| one.moves()) {
        if let Some(folder) = root.join(&of.target).parent() {
            files::make_folder(root, folder, &mut grown)?;
            touched.insert(folder.to_owned());
        }
    }
    // A file must not lie in a folder that a power loss can take away.
    grown.iter().try_for_each(|folder| files::sync_folder(folder))?;
    let tmp = root.join(layout::TMP);
    for of in moves {
        files::rename(&tmp.join(&of.tmp), &root.join(&of.target))?;
        reached(CrashPoint::Renamed)?;
    }
    let goes: Vec<_> = intent.series.iter().flat_map(|one| one.goes()).map(|path| root.join(path)).collect();
    if !goes.is_empty() {
        // Nothing goes before what keeps it is on disk.
        touched.iter().try_for_each(|folder| files::sync_folder(folder))?;
    }
    for path in goes {
        files::remove(&path)?;
        touched.extend(path.parent().filter(|folder| folder.is_dir()).map(Path::to_owned));
        reached(CrashPoint::Removed)?;
    }
    for folder in &touched {
        files::sync_folder(folder)?;
    }
    reached(CrashPoint::FoldersSynced)?;
    // If a power loss takes this back, the intent is open again, every file is found in its place by
    // its hash, and the same rows are written: so it need not wait for the disk.
    catalogue.change_repeatable(|t| {
        record(t, intent)?;
        ledger::drop_intent(t, intent_id)
    })?;
    reached(CrashPoint::Recorded)
}

/// Writes the rows of series and partitions, and moves the session counts from the states of before
/// to those of now.
fn record(t: &Transaction<'_>, intent: &Intent) -> rusqlite::Result<()> {
    let mut deltas = Deltas::default();
    for one in &intent.series {
        let before = rows::series(t, &one.key)?;
        deltas.moved(&one.key, before.as_ref().map(|before| &before.state), &one.state);
        let id = rows::put_series(t, &one.key, &one.state)?;
        if let Some(others) = &one.rebuilt {
            rows::drop_partitions(t, id)?;
            others.iter().try_for_each(|record| rows::put_partition(t, id, record))?;
        }
        for Pair { record, .. } in &one.pairs {
            rows::put_partition(t, id, record)?;
        }
        for removal in &one.removed {
            rows::drop_partition(t, id, &removal.partition)?;
        }
        if !one.pairs.is_empty() || !one.removed.is_empty() || one.rebuilt.is_some() {
            rows::sum_series(t, id)?;
        }
    }
    deltas.apply(t)
}
