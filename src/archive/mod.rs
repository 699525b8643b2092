//! The archive on disk: files that are never half-written, and the catalogue that indexes them.

pub mod record;

use std::path::{Path, PathBuf};

pub use record::{
    ArchiveError, Change, Failure, PartitionRecord, RevisionRecord, SeriesRecord, SeriesState,
    SessionCounts,
};

use crate::model::{Bars, SeriesKey};

/// An archive opened for reading. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Archive {
    root: PathBuf,
}

/// The only writer of an archive, while it lives.
#[derive(Debug)]
pub struct Writer {
    archive: Archive,
}

/// A change whose files are written and on disk in `.vortex/tmp`, not yet in their places.
#[derive(Debug)]
pub struct Prepared {}

/// What a commit changed, for counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Files renamed into place.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Archive {
    /// Opens an archive, making it where the folder is new or empty. Takes no lock. `state` is the
    /// state folder, where the catalogue lives when the archive's file system cannot hold a WAL.
    pub fn open(root: &Path, _state: &Path) -> Result<Archive, ArchiveError> {
        Ok(Archive {
            root: root.to_owned(),
        })
    }

    /// The archive's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Takes the writer's lock and recovers what an earlier writer left unfinished. `holder` says who
    /// we are to others. Where another holds the lock: `on_wait` is told once who, then this waits;
    /// without `on_wait` the error is [`ArchiveError::Locked`].
    pub fn write(
        &self,
        _holder: &str,
        _on_wait: Option<&dyn Fn(&str)>,
    ) -> Result<Writer, ArchiveError> {
        unimplemented!()
    }

    /// A series as the catalogue has it.
    pub fn series(&self, _key: &SeriesKey) -> Result<Option<SeriesRecord>, ArchiveError> {
        unimplemented!()
    }

    /// Every series, ordered by provider, class, symbol, contract, period.
    pub fn all_series(&self) -> Result<Vec<SeriesRecord>, ArchiveError> {
        unimplemented!()
    }

    /// The partitions of a series, oldest first.
    pub fn partitions(&self, _series: i64) -> Result<Vec<PartitionRecord>, ArchiveError> {
        unimplemented!()
    }

    /// The bars of one partition, from its CSV; `ArchiveError::Edited` where the CSV is not as
    /// recorded, `Damaged` where it is missing or cannot be read.
    pub fn read_partition(
        &self,
        _key: &SeriesKey,
        _partition: &PartitionRecord,
    ) -> Result<Bars, ArchiveError> {
        unimplemented!()
    }

    /// How many series of each exchange were asked for a day and how many have a bar.
    pub fn session_counts(&self, _provider: &str) -> Result<SessionCounts, ArchiveError> {
        unimplemented!()
    }
}

impl Writer {
    /// The archive it writes.
    pub fn archive(&self) -> &Archive {
        &self.archive
    }

    /// Encodes a change's files into `.vortex/tmp` and fsyncs them. May run in several threads.
    pub fn prepare(&self, _change: Change) -> Result<Prepared, ArchiveError> {
        unimplemented!()
    }

    /// Commits prepared changes of several series with one intent.
    pub fn commit(&self, _prepared: Vec<Prepared>) -> Result<Committed, ArchiveError> {
        unimplemented!()
    }
}

/// The name of the partition that holds a bar of a series: empty for a whole-file series or a dated
/// contract, else `2024` or `2024-03`.
pub fn partition_name(_key: &SeriesKey, _time: i64) -> String {
    unimplemented!()
}
