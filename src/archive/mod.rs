//! The archive on disk: files that are never half-written, and the catalogue that indexes them.
//!
//! In reading order: `layout` (paths), `csv` and `parquet` (formats), `splice`, `prepare` and `commit`
//! (how files get in), `recover` (what a start does after a crash), `revision` (what restatements replaced),
//! `verify`, `repair` and `rebuild` (checking and mending), `raw` (answers as received).

mod catalogue;
mod commit;
mod crash;
mod csv;
mod files;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod gaps;
mod intent;
mod layout;
mod lock;
mod parquet;
mod prepare;
pub mod raw;
pub mod rebuild;

pub mod record;
mod recover;
pub mod repair;

mod revision;
mod rolls;
mod splice;
pub mod verify;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

pub use commit::Committed;
pub use layout::partition_name;
pub use prepare::Prepared;
pub use record::{
    ArchiveError, Change, Content, Failure, JobRecord, PartitionRecord, RevisionRecord, SeriesRecord,
    SeriesState, SessionCounts,
};

use crate::model::{Bars, Day, SeriesKey};
use catalogue::{Catalogue, ledger, rows, sessions};

/// An archive opened for reading. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Archive {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    catalogue: Catalogue,
    notices: Vec<String>,
}

/// The only writer of an archive, while it lives.
#[derive(Debug)]
pub struct Writer {
    archive: Archive,
    catalogue: Catalogue,
    /// Numbers the files in tmp, which is empty when a writer starts.
    next_temp: AtomicU64,
    /// Why a commit was left unfinished; the next start finishes it, nothing is written before.
    broken: OnceLock<String>,
    _lock: lock::Lock,
}

impl Archive {
    /// Opens an archive, making it where there is none. Takes no lock. `state` is the state folder,
    /// where the catalogue lives when the archive's file system cannot hold a WAL.
    pub fn open(root: &Path, state: &Path) -> Result<Archive, ArchiveError> {
        let own = root.join(layout::OWN);
        files::make_lasting_folder(&own)?;
        let root = root.canonicalize().map_err(files::io("open", root))?;
        let (catalogue, notices) = catalogue::open_for(&root, state)?;
        Ok(Archive { inner: Arc::new(Inner { root, catalogue, notices }) })
    }

    /// Opens an archive for reading only: nothing is made, so that somebody who may not write there
    /// can read it, as on a read-only mount. One without a catalogue is read as if it were empty.
    pub fn open_to_read(root: &Path, state: &Path) -> Result<Archive, ArchiveError> {
        let root = root.canonicalize().map_err(files::io("open", root))?;
        let (catalogue, notices) = catalogue::open_to_read(&root, state)?;
        Ok(Archive { inner: Arc::new(Inner { root, catalogue, notices }) })
    }

    /// Whether there is an archive in a folder.
    pub fn exists(root: &Path) -> bool {
        root.join(layout::OWN).is_dir()
    }

    /// The archive's folder.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// What a person should know of how the archive was opened, one sentence each.
    pub fn notices(&self) -> &[String] {
        &self.inner.notices
    }

    /// The catalogue's database file.
    pub fn catalogue_path(&self) -> &Path {
        self.inner.catalogue.path()
    }

    /// Takes the writer's lock and recovers what an earlier writer left unfinished. `holder` says who
    /// we are to others. Where another holds the lock, the error is [`ArchiveError::Locked`] and says who.
    pub fn write(&self, holder: &str) -> Result<Writer, ArchiveError> {
        let lock = lock::take(&self.root().join(layout::OWN).join("lock"), holder)?;
        let catalogue = self.inner.catalogue.again()?;
        recover::recover(self.root(), &catalogue)?;
        Ok(Writer {
            archive: self.clone(),
            catalogue,
            next_temp: AtomicU64::new(0),
            broken: OnceLock::new(),
            _lock: lock,
        })
    }

    /// A series as the catalogue has it.
    pub fn series(&self, key: &SeriesKey) -> Result<Option<SeriesRecord>, ArchiveError> {
        self.inner.catalogue.read(|c| rows::series(c, key))
    }

    /// Whether the catalogue knows of any series, be it by a commit that the next writer finishes.
    pub fn has_series(&self) -> Result<bool, ArchiveError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM series UNION ALL SELECT 1 FROM intents)";
        self.inner.catalogue.read(|connection| connection.query_row(sql, [], |row| row.get(0)))
    }

    /// Every series, ordered by provider, class, symbol, contract, period.
    pub fn all_series(&self) -> Result<Vec<SeriesRecord>, ArchiveError> {
        self.inner.catalogue.read(rows::all_series)
    }

    /// Gives every wanted series to `take`, one after the other, in no order: all at once would be much
    /// memory.
    pub fn each_series(
        &self,
        wanted: impl FnMut(&SeriesKey) -> bool,
        take: impl FnMut(SeriesRecord),
    ) -> Result<(), ArchiveError> {
        self.inner.catalogue.read(|c| rows::each_series(c, wanted, take))
    }

    /// The series of a provider; of those that are complete, since which day.
    pub fn known_series(&self, provider: &str) -> Result<HashMap<SeriesKey, Option<Day>>, ArchiveError> {
        self.inner.catalogue.read(|c| rows::known_series(c, provider))
    }

    /// Notes that nothing of these series will ever be missing since a day; until they change.
    pub fn note_complete(&self, series: &[(SeriesKey, Day)]) -> Result<(), ArchiveError> {
        if series.is_empty() {
            return Ok(());
        }
        self.inner.catalogue.change_repeatable(|t| {
            series.iter().try_for_each(|(key, since)| rows::note_complete(t, key, *since))
        })
    }

    /// The providers that have series.
    pub fn providers(&self) -> Result<Vec<String>, ArchiveError> {
        self.inner.catalogue.read(rows::providers)
    }

    /// Bytes of all files of all series.
    pub fn bytes(&self) -> Result<u64, ArchiveError> {
        let sql = "SELECT coalesce(sum(bytes), 0) FROM partitions";
        self.inner.catalogue.read(|connection| connection.query_row(sql, [], |row| row.get(0)))
    }

    /// A number that changes when another process, or another opening of it, changes the catalogue.
    pub fn version(&self) -> Result<i64, ArchiveError> {
        self.inner.catalogue.read(|c| c.pragma_query_value(None, "data_version", |row| row.get(0)))
    }

    /// The partitions of a series, oldest first.
    pub fn partitions(&self, series: i64) -> Result<Vec<PartitionRecord>, ArchiveError> {
        self.inner.catalogue.read(|c| rows::partitions(c, series))
    }

    /// The bars of one partition, from its CSV; `ArchiveError::Edited` where the CSV is not as
    /// recorded, `Damaged` where it is missing or cannot be read.
    pub fn read_partition(&self, key: &SeriesKey, partition: &PartitionRecord) -> Result<Bars, ArchiveError> {
        self.read_partition_since(key, partition, i64::MIN)
    }

    /// As [`Archive::read_partition`]; the bars whose stamps are `since` or later. Of a file that by its
    /// times nobody wrote to since it was recorded only the end is read: a commit compares all of it.
    pub fn read_partition_since(
        &self,
        key: &SeriesKey,
        partition: &PartitionRecord,
        since: i64,
    ) -> Result<Bars, ArchiveError> {
        let path = self.root().join(&partition.csv);
        let damaged = |said| ArchiveError::Damaged { path: path.clone(), said };
        if since > partition.first
            && let Some((end, rows)) = end_since(&path, partition.written, since)?
        {
            return csv::decode_last(&end, rows, key.columns()).map_err(|error| damaged(error.to_string()));
        }
        let bytes = files::read(&path)?.ok_or_else(|| damaged("the file is missing".to_owned()))?;
        if files::hash(&bytes) != partition.csv_hash {
            return Err(ArchiveError::Edited { path, symbol: key.symbol.clone() });
        }
        let bars = if since <= partition.first {
            csv::decode(&bytes, key.columns())
        } else {
            csv::decode_last(&bytes, csv::count_since(&bytes, since), key.columns())
        };
        bars.map_err(|error| damaged(error.to_string()))
    }

    /// Whether a partition was found damaged and is to be fetched again.
    pub fn is_damaged(&self, key: &SeriesKey, partition: &str) -> Result<bool, ArchiveError> {
        let series = self.series(key)?;
        Ok(series.is_some_and(|series| prepare::is_damaged(key, partition, &series.state)))
    }

    /// How many series of each exchange were asked for a day and how many have a bar.
    pub fn session_counts(&self, provider: &str) -> Result<SessionCounts, ArchiveError> {
        self.inner.catalogue.read(|c| sessions::session_counts(c, provider))
    }

    /// What restatements replaced, oldest first; of one series or of all.
    pub fn revisions(&self, key: Option<&SeriesKey>) -> Result<Vec<RevisionRecord>, ArchiveError> {
        self.inner.catalogue.read(|c| ledger::revisions(c, key))
    }
}

/// The ledger of jobs, and what the service remembers. None of it needs the writer's lock, which is for
/// files; an archive opened for reading refuses changes.
impl Archive {
    /// Notes that a command's job starts, with what it is; its number, which is never used again.
    pub fn start_job(&self, origin: &str, detail: &str) -> Result<i64, ArchiveError> {
        self.inner.catalogue.change(|t| ledger::start_job(t, origin, detail, now()))
    }

    /// Puts a job of the service at the end of its queue, with the request as JSON; its number.
    pub fn queue_job(&self, origin: &str, client: &str, request: &str) -> Result<i64, ArchiveError> {
        self.inner.catalogue.change(|t| ledger::queue_job(t, origin, client, request, now()))
    }

    /// Notes that a queued job starts, with what it is.
    pub fn begin_job(&self, id: i64, detail: &str) -> Result<(), ArchiveError> {
        self.inner.catalogue.change(|t| ledger::begin_job(t, id, detail, now()))
    }

    /// Notes how a job ended, with what came of it as JSON.
    pub fn finish_job(&self, id: i64, result: &str, outcome: &str) -> Result<(), ArchiveError> {
        let found = self.inner.catalogue.change(|t| ledger::finish_job(t, id, result, outcome, now()))?;
        if found { Ok(()) } else { Err(ArchiveError::Refused(format!("there is no job {id}"))) }
    }

    /// The newest jobs, newest first.
    pub fn jobs(&self, limit: u32) -> Result<Vec<JobRecord>, ArchiveError> {
        self.inner.catalogue.read(|c| ledger::jobs(c, limit))
    }

    /// The newest jobs of the service that are finished, newest first.
    pub fn finished_jobs(&self, limit: u32) -> Result<Vec<JobRecord>, ArchiveError> {
        self.inner.catalogue.read(|c| ledger::finished_jobs(c, limit))
    }

    /// The jobs of the service that are queued, or were running when it died, oldest first.
    pub fn open_jobs(&self) -> Result<Vec<JobRecord>, ArchiveError> {
        self.inner.catalogue.read(ledger::open_jobs)
    }

    /// What the service noted under a name.
    pub fn note(&self, name: &str) -> Result<Option<String>, ArchiveError> {
        self.inner.catalogue.read(|c| ledger::note(c, name))
    }

    /// Notes a value under a name.
    pub fn set_note(&self, name: &str, value: &str) -> Result<(), ArchiveError> {
        self.inner.catalogue.change(|t| ledger::set_note(t, name, value))
    }
}

impl Writer {
    /// The archive it writes.
    pub fn archive(&self) -> &Archive {
        &self.archive
    }

    /// Encodes a change's files into `.vortex/tmp` and fsyncs them. May run in several threads.
    pub fn prepare(&self, change: Change) -> Result<Prepared, ArchiveError> {
        prepare::prepare(self, change, prepare::InPlace::MustBeAsRecorded)
    }

    /// As [`Writer::prepare`], of a series that can be made again: the partitions named in `gone` are removed, and
    /// its table of rolls is replaced by this one.
    pub fn prepare_replacement(
        &self,
        change: Change,
        gone: &[String],
        rolls: Option<&[u8]>,
    ) -> Result<Prepared, ArchiveError> {
        let mut prepared =
            prepare::prepare_with_removals(self, change, gone, prepare::InPlace::MustBeAsRecorded)?;
        if let Some(table) = rolls {
            rolls::prepare(self, &mut prepared, table)?;
        }
        Ok(prepared)
    }

    /// Commits prepared changes of several series with one intent.
    pub fn commit(&self, prepared: Vec<Prepared>) -> Result<Committed, ArchiveError> {
        commit::commit(self, prepared)
    }

    /// Puts back what a revision kept, as a new commit that is itself a revision, and holds the
    /// series: updates skip it until `download --force`.
    pub fn revert(&self, revision: i64) -> Result<Committed, ArchiveError> {
        revision::revert(self, revision)
    }
}

/// The end of a CSV and how many of its last rows have stamps from `since` on; `None` where it was written to
/// after `written`, or that end is long: then it is read whole.
fn end_since(path: &Path, written: i64, since: i64) -> Result<Option<(Vec<u8>, usize)>, ArchiveError> {
    // Ten rows of a day, or the minutes of a session.
    for length in [8 << 10, 128 << 10] {
        let Some(end) = files::end_of(path, written, length)? else { break };
        let rows = csv::count_since(&end, since);
        // All of them are in it if the row before them is.
        if csv::last_rows(&end, rows + 1) < csv::last_rows(&end, rows) {
            return Ok(Some((end, rows)));
        }
    }
    Ok(None)
}

/// This machine's clock, in seconds since the epoch.
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
