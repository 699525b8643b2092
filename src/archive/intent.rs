//! What a commit is about to do, written down so that another process can finish it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{PartitionRecord, SeriesState};
use crate::model::SeriesKey;

/// One commit.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Intent {
    pub(super) series: Vec<SeriesIntent>,
}

/// What it changes in one series.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SeriesIntent {
    pub(super) key: SeriesKey,
    /// What is known of the series afterwards.
    pub(super) state: SeriesState,
    pub(super) pairs: Vec<Pair>,
    /// The files of a revision.
    pub(super) kept: Vec<Move>,
    /// Partitions that go; what they held is in the revision.
    #[serde(default)]
    pub(super) removed: Vec<Removal>,
    /// The table of rolls of a derived series.
    #[serde(default)]
    pub(super) rolls: Option<Move>,
    /// All other partitions, where a rebuild found out which there are.
    #[serde(default)]
    pub(super) rebuilt: Option<Vec<PartitionRecord>>,
}

/// One partition that goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Removal {
    /// Its name.
    pub(super) partition: String,
    /// Its files, below the archive's folder.
    pub(super) files: Vec<PathBuf>,
}

/// One partition's files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Pair {
    /// Its new row.
    pub(super) record: PartitionRecord,
    pub(super) csv: Move,
    pub(super) parquet: Option<Move>,
    /// A twin of before that is not written any more, below the archive's folder.
    pub(super) stale: Option<PathBuf>,
}

/// One file on its way from tmp to its place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Move {
    /// Its name in `.vortex/tmp`.
    pub(super) tmp: String,
    /// Its place, below the archive's folder.
    pub(super) target: PathBuf,
    /// blake3 in hex.
    pub(super) hash: String,
}

impl Pair {
    /// The files, the CSV first.
    pub(super) fn moves(&self) -> impl Iterator<Item = &Move> {
        std::iter::once(&self.csv).chain(&self.parquet)
    }
}

impl SeriesIntent {
    /// Every file, those of the revision first and each CSV before its Parquet.
    pub(super) fn moves(&self) -> impl Iterator<Item = &Move> {
        self.kept.iter().chain(self.pairs.iter().flat_map(Pair::moves)).chain(&self.rolls)
    }

    /// Whether no file changes.
    pub(super) fn is_of_no_file(&self) -> bool {
        self.pairs.is_empty() && self.removed.is_empty() && self.rolls.is_none()
    }

    /// Every file that goes: twins that are not written any more, and partitions.
    pub(super) fn goes(&self) -> impl Iterator<Item = &PathBuf> {
        let stale = self.pairs.iter().filter_map(|pair| pair.stale.as_ref());
        stale.chain(self.removed.iter().flat_map(|removal| &removal.files))
    }
}
