//! The catalogue: a SQLite database that indexes the files and keeps the ledger of jobs, revisions
//! and unfinished commits.

pub(super) mod ledger;
mod location;
pub(super) mod rows;
pub(super) mod sessions;

pub(super) use location::{open_for, open_to_read};

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::unistd::{AccessFlags, access};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::{ArchiveError, files};

/// Each entry takes the schema one version up; `PRAGMA user_version` counts those that were run.
/// Entries are never changed once released, only added.
const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE series (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    provider TEXT NOT NULL,
    class TEXT NOT NULL,
    symbol TEXT NOT NULL,
    contract TEXT NOT NULL,                     -- stored name, empty where there is none
    period TEXT NOT NULL,
    state TEXT NOT NULL,                        -- SeriesState as JSON
    bars INTEGER NOT NULL DEFAULT 0,
    first INTEGER,
    last INTEGER,
    UNIQUE (provider, class, symbol, contract, period)
);
CREATE TABLE partitions (
    series INTEGER NOT NULL REFERENCES series (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    csv TEXT NOT NULL,
    csv_hash TEXT NOT NULL,
    parquet_hash TEXT,
    bytes INTEGER NOT NULL,
    bars INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    written INTEGER NOT NULL,
    PRIMARY KEY (series, name)
) WITHOUT ROWID;
CREATE TABLE sessions (                         -- counts of each day, zstd; rows a day would be too many
    provider TEXT NOT NULL,
    exchange TEXT NOT NULL,
    counts BLOB NOT NULL,
    PRIMARY KEY (provider, exchange)
) WITHOUT ROWID;
CREATE TABLE revisions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,                          -- SeriesKey as JSON
    at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    partitions TEXT NOT NULL                    -- names as JSON
);
CREATE TABLE intents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    payload TEXT NOT NULL                       -- Intent as JSON
);
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    origin TEXT NOT NULL,
    detail TEXT NOT NULL,
    started INTEGER NOT NULL,
    finished INTEGER,
    result TEXT,
    outcome TEXT
);
",
    "
ALTER TABLE jobs ADD COLUMN request TEXT;       -- what the service was asked for, as JSON; its queue
ALTER TABLE jobs ADD COLUMN client TEXT;        -- who asked the service, in words
ALTER TABLE jobs ADD COLUMN queued INTEGER;     -- when; `started` is 0 until its turn comes
CREATE TABLE notes (                            -- what the service remembers over restarts
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
",
    "
CREATE TABLE complete (           -- series that no run needs to look at: expired, nothing missing
    series INTEGER PRIMARY KEY REFERENCES series (id) ON DELETE CASCADE,
    since INTEGER NOT NULL                      -- first day, since the epoch, from which nothing is missing
);
",
];

/// How long to wait for another connection's write.
const BUSY: Duration = Duration::from_secs(30);

/// How often, and after how long each time, who reads tries again to take part in the journal.
const TRIES: usize = 10;
const TRY_EVERY: Duration = Duration::from_millis(50);

/// How a catalogue keeps its own commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Journal {
    /// Readers and the writer do not wait for each other.
    Wal,
    /// For file systems without the shared memory a WAL needs.
    Rollback,
}

/// One connection to the catalogue.
#[derive(Debug)]
pub(super) struct Catalogue {
    path: PathBuf,
    journal: Journal,
    /// It is read without its log: what others write meanwhile does not show.
    frozen: bool,
    connection: Mutex<Connection>,
}

impl Catalogue {
    /// Opens the database, making or migrating it where needed. `Ok(None)`: a WAL was wanted and the
    /// file system cannot do it.
    pub(super) fn open(path: &Path, journal: Journal) -> Result<Option<Catalogue>, ArchiveError> {
        let fail = |source| catalogue_error(path, source);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(fail)?;
        set_up(&connection).map_err(fail)?;
        let wanted = match journal {
            Journal::Wal => "wal",
            Journal::Rollback => "delete",
        };
        let answer: String = connection
            .pragma_update_and_check(None, "journal_mode", wanted, |row| row.get(0))
            .map_err(fail)?;
        if answer != wanted && journal == Journal::Wal {
            return Ok(None);
        }
        // A rollback journal commits by being removed: only EXTRA syncs its folder after that.
        let synchronous = if journal == Journal::Rollback { "EXTRA" } else { "FULL" };
        connection.pragma_update(None, "synchronous", synchronous).map_err(fail)?;
        connection.pragma_update(None, "foreign_keys", true).map_err(fail)?;
        migrate(path, &mut connection)?;
        let connection = Mutex::new(connection);
        Ok(Some(Catalogue { path: path.to_owned(), journal, frozen: false, connection }))
    }

    /// Opens the database for reading: it is not made, not migrated, and its journal stays as it is.
    /// The second value is what a person should know of it.
    pub(super) fn open_to_read(path: &Path) -> Result<(Catalogue, Option<String>), ArchiveError> {
        let (connection, frozen) = read_connection(path)?;
        let log = files::with_ending(path, "-wal");
        let left_out = frozen && std::fs::metadata(&log).is_ok_and(|of| of.len() > 0);
        let notice =
            left_out.then(|| format!("{} cannot be used now; what it holds is left out", log.display()));
        let (journal, connection) = (Journal::Wal, Mutex::new(connection));
        Ok((Catalogue { path: path.to_owned(), journal, frozen, connection }, notice))
    }

    /// Sees what was written since it was opened: a connection without the log has to be made again for that.
    pub(super) fn look_again(&self) -> Result<(), ArchiveError> {
        if self.frozen {
            let (connection, _) = read_connection(&self.path)?;
            *self.lock() = connection;
        }
        Ok(())
    }

    /// A second connection to the same database.
    pub(super) fn again(&self) -> Result<Catalogue, ArchiveError> {
        Catalogue::open(&self.path, self.journal)?
            .ok_or_else(|| ArchiveError::Refused(format!("{} lost its write-ahead log", self.path.display())))
    }

    /// The database file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, ArchiveError> {
        work(&self.lock()).map_err(|source| catalogue_error(&self.path, source))
    }

    /// Changes, all or nothing, and on disk when this returns.
    pub(super) fn change<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, ArchiveError> {
        transaction(&mut self.lock(), work).map_err(|source| catalogue_error(&self.path, source))
    }

    /// Changes, all or nothing, of what could be done again after a power loss: with a WAL nothing
    /// waits for the disk. A rollback journal is less forgiving and stays at full.
    pub(super) fn change_repeatable<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, ArchiveError> {
        if self.journal == Journal::Rollback {
            return self.change(work);
        }
        let mut connection = self.lock();
        let changed = connection
            .pragma_update(None, "synchronous", "NORMAL")
            .and_then(|()| transaction(&mut connection, work));
        let restored = connection.pragma_update(None, "synchronous", "FULL");
        changed
            .and_then(|value| restored.map(|()| value))
            .map_err(|source| catalogue_error(&self.path, source))
    }

    /// A panic elsewhere leaves no half-done transaction here: dropping one rolls it back.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What each connection needs that others may write beside: patience, and statements that are prepared once. Without
/// the guarantee SQLite prepares one again for each other value that is bound to it.
fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// A connection that reads a catalogue of this version, and whether it does without the log.
fn read_connection(path: &Path) -> Result<(Connection, bool), ArchiveError> {
    let fail = |source| catalogue_error(path, source);
    let (connection, frozen) = match connect_patiently(path) {
        Ok(connection) => (connection, false),
        Err(error) if is_refused(&error) => (connect_immutable(path).map_err(fail)?, true),
        Err(error) => return Err(fail(error)),
    };
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(fail)?;
    let known = MIGRATIONS.len() as i64;
    if found > known {
        return Err(ArchiveError::Newer { path: path.to_owned(), found, known });
    }
    if found == 0 {
        // Made and not filled yet, or not there at all: an empty one that lies nowhere.
        let mut empty = Connection::open_in_memory().map_err(fail)?;
        migrate(path, &mut empty)?;
        empty.pragma_update(None, "query_only", true).map_err(fail)?;
        return Ok((empty, frozen));
    }
    if found < known {
        return Err(ArchiveError::Refused(format!(
            "{} is of an older Vortex: any command that writes, such as `vortex download`, brings it up to date",
            path.display()
        )));
    }
    connection.pragma_update(None, "query_only", true).map_err(fail)?;
    Ok((connection, frozen))
}

/// Connects, and does so again where we may write and are refused all the same: another process is just opening
/// or closing the journal, which is over in a moment.
fn connect_patiently(path: &Path) -> rusqlite::Result<Connection> {
    let mut connected = connect_to_read(path);
    let ours = |path: &Path| access(path, AccessFlags::W_OK).is_ok();
    for _ in 0..TRIES {
        let refused = matches!(&connected, Err(error) if is_refused(error));
        if !refused || !ours(path) || !path.parent().is_some_and(ours) {
            break;
        }
        std::thread::sleep(TRY_EVERY);
        connected = connect_to_read(path);
    }
    connected
}

/// A connection that takes part in the journal, so that a writer may be at work meanwhile. Where the
/// file may not be written SQLite opens it for reading; where it may, a connection for reading only
/// would leave the journal's files behind that it makes.
fn connect_to_read(path: &Path) -> rusqlite::Result<Connection> {
    if !path.exists() {
        return Connection::open_in_memory();
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    set_up(&connection)?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

/// A connection that needs no journal, for a folder in which its files cannot be made.
fn connect_immutable(path: &Path) -> rusqlite::Result<Connection> {
    let mut address =
        url::Url::from_file_path(path).map_err(|()| rusqlite::Error::InvalidPath(path.to_owned()))?;
    address.set_query(Some("immutable=1"));
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(address.as_str(), flags)
}

/// Whether SQLite wanted to write something that it may not, or cannot because the disk is full.
fn is_refused(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::SystemIoFailure
                | ErrorCode::DiskFull
        )
    )
}

fn transaction<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let value = work(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

fn migrate(path: &Path, connection: &mut Connection) -> Result<(), ArchiveError> {
    let known = MIGRATIONS.len() as i64;
    let found: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(|source| catalogue_error(path, source))?;
    if found > known {
        return Err(ArchiveError::Newer { path: path.to_owned(), found, known });
    }
    if found == known {
        return Ok(());
    }
    // The version is read again inside: another process may be migrating too.
    transaction(connection, |inside| {
        let found: usize = inside.pragma_query_value(None, "user_version", |row| row.get(0))?;
        for migration in MIGRATIONS.iter().skip(found) {
            inside.execute_batch(migration)?;
        }
        inside.pragma_update(None, "user_version", known)
    })
    .map_err(|source| catalogue_error(path, source))
}

/// SQLite's error with the database's path; a file that is no database gets its remedy named.
fn catalogue_error(path: &Path, source: rusqlite::Error) -> ArchiveError {
    match source.sqlite_error_code() {
        Some(code @ (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)) => ArchiveError::Damaged {
            path: path.to_owned(),
            said: format!(
                "the catalogue cannot be read ({code:?}): `vortex archive rebuild` makes it again from the files"
            ),
        },
        _ => ArchiveError::Catalogue { path: path.to_owned(), source },
    }
}

/// Text that does not parse becomes an error of the row that holds it.
fn bad_text(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
}

/// A value as JSON text.
fn json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_schema_is_named_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalogue.db");
        let catalogue = Catalogue::open(&path, Journal::Wal).unwrap().unwrap();
        catalogue.read(|c| c.pragma_update(None, "user_version", 99)).unwrap();
        drop(catalogue);
        let error = Catalogue::open(&path, Journal::Wal).unwrap_err();
        assert!(matches!(error, ArchiveError::Newer { found: 99, known: 3, .. }), "{error}");
    }

    #[test]
    fn a_catalogue_of_the_first_schema_is_taken_over_with_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalogue.db");
        let first = Connection::open(&path).unwrap();
        first.execute_batch(MIGRATIONS[0]).unwrap();
        first
            .execute("INSERT INTO jobs (origin, detail, started) VALUES ('command line', '', 7)", [])
            .unwrap();
        first.pragma_update(None, "user_version", 1).unwrap();
        drop(first);
        assert!(Catalogue::open_to_read(&path).is_err(), "who only reads migrates nothing");
        let catalogue = Catalogue::open(&path, Journal::Wal).unwrap().unwrap();
        let jobs = catalogue.read(|c| ledger::jobs(c, 9)).unwrap();
        assert_eq!((jobs.len(), jobs[0].started, jobs[0].request.as_deref()), (1, 7, None));
        assert_eq!(catalogue.read(|c| ledger::note(c, "paused")).unwrap(), None);
    }

    #[test]
    fn a_rollback_journal_waits_for_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let level = |journal: Journal, name: &str| -> i64 {
            let catalogue = Catalogue::open(&folder.path().join(name), journal).unwrap().unwrap();
            catalogue.read(|c| c.pragma_query_value(None, "synchronous", |row| row.get(0))).unwrap()
        };
        // FULL is 2, EXTRA is 3 (SQLite, "PRAGMA synchronous").
        assert_eq!((level(Journal::Wal, "wal.db"), level(Journal::Rollback, "rollback.db")), (2, 3));
    }

    #[test]
    fn a_file_that_is_no_database_gets_its_remedy_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalogue.db");
        std::fs::write(&path, "this is no database ".repeat(100)).unwrap();
        let error = Catalogue::open(&path, Journal::Wal).unwrap_err();
        assert!(error.to_string().contains("archive rebuild"), "{error}");
    }

    #[test]
    fn a_change_that_fails_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalogue.db");
        for journal in [Journal::Wal, Journal::Rollback] {
            let catalogue = Catalogue::open(&path, journal).unwrap().unwrap();
            catalogue
                .change_repeatable(|t| {
                    t.execute("INSERT INTO jobs (origin, detail, started) VALUES ('a', '', 0)", [])?;
                    t.execute("INSERT INTO nowhere VALUES (1)", [])
                })
                .unwrap_err();
            let jobs: i64 =
                catalogue.read(|c| c.query_row("SELECT count(*) FROM jobs", [], |row| row.get(0))).unwrap();
            assert_eq!(jobs, 0);
        }
    }

    #[test]
    fn a_reader_makes_nothing_changes_nothing_and_sees_what_a_writer_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalogue.db");
        let jobs = |of: &Catalogue| of.read(|c| ledger::jobs(c, 9)).unwrap().len();
        let (empty, notice) = Catalogue::open_to_read(&path).unwrap();
        assert_eq!((jobs(&empty), notice), (0, None));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

        let writer = Catalogue::open(&path, Journal::Wal).unwrap().unwrap();
        let (reader, _) = Catalogue::open_to_read(&path).unwrap();
        writer.change(|t| ledger::start_job(t, "a", "", 0)).unwrap();
        assert_eq!(jobs(&reader), 1);
        reader.change(|t| ledger::start_job(t, "b", "", 0)).unwrap_err();
        assert_eq!(jobs(&writer), 1);
        drop((reader, writer));
        assert_eq!(jobs(&Catalogue::open_to_read(&path).unwrap().0), 1);
        let left = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        assert_eq!(left.collect::<Vec<_>>(), [path]);
    }

    #[test]
    fn who_was_refused_for_a_moment_reads_with_the_journal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalogue.db");
        drop(Catalogue::open(&path, Journal::Wal).unwrap().unwrap());
        // A folder where the log is to be: SQLite cannot open it, as while another process removes its own.
        let log = files::with_ending(&path, "-wal");
        std::fs::create_dir(&log).unwrap();
        assert!(is_refused(&connect_to_read(&path).unwrap_err()));
        let other = std::thread::spawn(move || {
            std::thread::sleep(TRY_EVERY);
            std::fs::remove_dir(log).unwrap();
        });
        assert!(!Catalogue::open_to_read(&path).unwrap().0.frozen);
        other.join().unwrap();
    }

    #[test]
    fn a_reader_without_the_journal_sees_what_is_new_when_it_looks_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalogue.db");
        let jobs = |of: &Catalogue| of.read(|c| ledger::jobs(c, 9)).unwrap().len();
        drop(Catalogue::open(&path, Journal::Wal).unwrap().unwrap());
        let connection = Mutex::new(connect_immutable(&path).unwrap());
        let reader = Catalogue { path: path.clone(), journal: Journal::Wal, frozen: true, connection };
        assert_eq!(jobs(&reader), 0);
        let writer = Catalogue::open(&path, Journal::Wal).unwrap().unwrap();
        writer.change(|t| ledger::start_job(t, "a", "", 0)).unwrap();
        assert_eq!(jobs(&reader), 0, "else there is nothing to look at again for");
        reader.look_again().unwrap();
        assert_eq!(jobs(&reader), 1);
    }
}
