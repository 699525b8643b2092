//! What a writer does first: finish the commits that an earlier one left open. Only forward: each
//! file of an open intent is, by its hash, in tmp or in its place. One in neither is damage: that
//! pair keeps what it has, and its series is marked suspect, so that it is fetched again.

use std::fs;
use std::path::Path;

use super::catalogue::{Catalogue, ledger};
use super::intent::{Intent, Move, Pair, SeriesIntent};
use super::{ArchiveError, commit, files, layout, revision};
use crate::model::Mark;

pub(super) fn recover(root: &Path, catalogue: &Catalogue) -> Result<(), ArchiveError> {
    let tmp = root.join(layout::TMP);
    files::make_lasting_folder(&tmp)?;
    for (id, intent) in catalogue.read(ledger::intents)? {
        roll_forward(root, catalogue, id, intent)?;
    }
    empty(&tmp)
}

/// Where a file of an intent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    InTmp,
    InPlace,
    Nowhere,
}

fn find(root: &Path, of: &Move) -> Result<Found, ArchiveError> {
    let is_it = |path: &Path| {
        Ok::<_, ArchiveError>(files::read(path)?.is_some_and(|bytes| files::hash(&bytes) == of.hash))
    };
    if is_it(&root.join(layout::TMP).join(&of.tmp))? {
        Ok(Found::InTmp)
    } else if is_it(&root.join(&of.target))? {
        Ok(Found::InPlace)
    } else {
        Ok(Found::Nowhere)
    }
}

fn roll_forward(root: &Path, catalogue: &Catalogue, id: i64, mut intent: Intent) -> Result<(), ArchiveError> {
    let mut moves = Vec::new();
    for series in &mut intent.series {
        let pairs = std::mem::take(&mut series.pairs);
        for pair in pairs {
            roll_pair(root, series, pair, &mut moves)?;
        }
        // A revision's file that is lost can never be put back; the revert says so.
        let mut lost = Vec::new();
        for kept in &series.kept {
            match find(root, kept)? {
                Found::InTmp => moves.push(kept.clone()),
                Found::InPlace => {}
                Found::Nowhere => lost.push(kept.target.clone()),
            }
        }
        // A table that is lost is made again by the next run.
        if let Some(table) = series.rolls.take() {
            match find(root, &table)? {
                Found::InTmp => {
                    moves.push(table.clone());
                    series.rolls = Some(table);
                }
                Found::InPlace => series.rolls = Some(table),
                Found::Nowhere => {}
            }
        }
        let removed = std::mem::take(&mut series.removed);
        for removal in removed {
            let kept = revision::file_name(&removal.partition);
            match lost.iter().find(|path| path.ends_with(&kept)) {
                Some(path) => mark_suspect(series, &removal.partition, path),
                None => series.removed.push(removal),
            }
        }
    }
    sync_ancestors(root, &intent)?;
    let moves: Vec<&Move> = moves.iter().collect();
    commit::finish(root, catalogue, id, &intent, &moves)
}

/// Decides about one pair: either all of it goes forward, or it keeps what it has.
fn roll_pair(
    root: &Path,
    series: &mut SeriesIntent,
    pair: Pair,
    moves: &mut Vec<Move>,
) -> Result<(), ArchiveError> {
    let mut waiting = Vec::new();
    let mut lost = None;
    for of in pair.moves() {
        match find(root, of)? {
            Found::InTmp => waiting.push(of.clone()),
            Found::InPlace => {}
            Found::Nowhere => lost = Some(of.target.clone()),
        }
    }
    let Some(lost) = lost else {
        moves.extend(waiting);
        series.pairs.push(pair);
        return Ok(());
    };
    mark_suspect(series, &pair.record.name, &lost);
    // A new CSV that is in its place already is what the pair has; its twin is then not as recorded,
    // and is made again from it.
    if find(root, &pair.csv)? == Found::InPlace {
        series.pairs.push(pair);
    }
    Ok(())
}

/// Marks the days of a partition that keeps what it has, because a file of the commit was lost.
fn mark_suspect(series: &mut SeriesIntent, partition: &str, lost: &Path) {
    let reason = format!("{} was lost in an unfinished commit", lost.display());
    tracing::warn!("{}: {reason}; it is fetched again", series.key);
    let days = layout::partition_days(&series.key, partition);
    if let Some(days) = series.state.coverage.known().and_then(|known| known.intersection(days)) {
        series.state.coverage.set(days, Mark::Suspect);
    }
    series.state.suspect = Some(reason);
}

/// A folder made just before the crash may not be on disk in its parent: all of them are synced,
/// which costs nothing where it was.
fn sync_ancestors(root: &Path, intent: &Intent) -> Result<(), ArchiveError> {
    let mut folders = std::collections::BTreeSet::new();
    for of in intent.series.iter().flat_map(SeriesIntent::moves) {
        let target = root.join(&of.target);
        let inside = target.ancestors().skip(1).take_while(|folder| folder.starts_with(root));
        folders.extend(inside.filter(|folder| folder.is_dir()).map(Path::to_owned));
    }
    folders.iter().try_for_each(|folder| files::sync_folder(folder))
}

/// Removes everything from tmp.
fn empty(tmp: &Path) -> Result<(), ArchiveError> {
    for entry in fs::read_dir(tmp).map_err(files::io("list", tmp))? {
        let path = entry.map_err(files::io("list", tmp))?.path();
        if path.is_dir() {
            fs::remove_dir_all(&path).map_err(files::io("remove", &path))?;
        } else {
            files::remove(&path)?;
        }
    }
    Ok(())
}
