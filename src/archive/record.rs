//! What the catalogue knows, as plain values, and what can go wrong with an archive.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{AccessFlags, access};
use rusqlite::ErrorCode;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{files, layout};
use crate::disk;
use crate::model::{Bars, ByDay, Coverage, Day, SeriesKey, SeriesMeta};

/// What is known of a series beside its bars. A commit stores it whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SeriesState {
    /// The provider's symbol.
    pub code: String,
    /// What the provider says of the series.
    pub meta: SeriesMeta,
    /// What was asked for and what came of it.
    #[serde(with = "coverage_text")]
    pub coverage: Coverage,
    /// The first trading date of the provider's whole history, as days since the epoch.
    pub first_day: Option<i32>,
    /// The provider's clock at the last answer that reached up to now, in seconds since the epoch;
    /// 0 = never.
    pub asked_at: i64,
    /// The provider's clock at the newest answer with bars, in seconds since the epoch; 0 = not known.
    pub given_at: i64,
    /// When pending sessions were last asked for again; 0 = never.
    pub pending_asked_at: i64,
    /// Why updates skip the series until `download --force`: it was reverted.
    pub held: Option<String>,
    /// Why nothing is added to the series: a scale that could not be confirmed, a damaged file.
    pub suspect: Option<String>,
    /// What went wrong when it was last asked for.
    pub failure: Option<Failure>,
}

/// A provider's refusal of one series.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Failure {
    /// When, in seconds since the epoch.
    pub at: i64,
    /// In words.
    pub text: String,
    /// The provider does not know the symbol: asked again once a day at most.
    pub unknown: bool,
    /// That is no failure of the series: it is left for later.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub later: bool,
    /// How many times in a row it came out so.
    pub times: u32,
    /// Not asked again before, in seconds since the epoch, by the version below; 0 = by the next run.
    pub again: i64,
    /// Which Vortex could not use the answer: a newer one may.
    pub version: String,
}

impl Failure {
    /// This Vortex.
    pub const VERSION: &str = env!("CARGO_PKG_VERSION");
}

/// A series in the catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesRecord {
    /// Row number; stays the same for the life of the catalogue.
    pub id: i64,
    /// Which series.
    pub key: SeriesKey,
    /// What is known of it.
    pub state: SeriesState,
    /// How many bars are stored.
    pub bars: u64,
    /// Stamp of the first stored bar, in seconds since the epoch.
    pub first: Option<i64>,
    /// Stamp of the last stored bar.
    pub last: Option<i64>,
}

/// One file pair in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionRecord {
    /// Empty, `2024` or `2024-03`; see `partition_name`.
    pub name: String,
    /// Where the CSV lies, below the archive's folder.
    pub csv: PathBuf,
    /// blake3 of the CSV, in hex.
    pub csv_hash: String,
    /// blake3 of the Parquet twin, in hex; `None` where there is none.
    pub parquet_hash: Option<String>,
    /// Bytes of both.
    pub bytes: u64,
    /// How many bars.
    pub bars: u64,
    /// Stamp of the first bar.
    pub first: i64,
    /// Stamp of the last bar.
    pub last: i64,
    /// When it was written, in seconds since the epoch.
    pub written: i64,
}

/// One set of old files kept by a restatement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionRecord {
    /// Number, for `archive revert`.
    pub id: i64,
    /// Which series.
    pub key: SeriesKey,
    /// When, in seconds since the epoch.
    pub at: i64,
    /// Why the files were replaced.
    pub reason: String,
    /// The partitions whose old content is kept.
    pub partitions: Vec<String>,
}

/// A run of Vortex in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRecord {
    /// Number; never used again.
    pub id: i64,
    /// Who asked: `download`, `schedule`, `bus`, ….
    pub origin: String,
    /// What was asked for, as JSON.
    pub detail: String,
    /// When, in seconds since the epoch; 0 while it waits for its turn.
    pub started: i64,
    /// When it ended; `None` while it runs or where it was cut off.
    pub finished: Option<i64>,
    /// `done`, `partial`, `limited`, `failed` or `cancelled`.
    pub result: Option<String>,
    /// What came of it, as JSON.
    pub outcome: Option<String>,
    /// What the service was asked for, as JSON; `None` for a command's own run.
    pub request: Option<String>,
    /// Who asked the service, in words.
    pub client: Option<String>,
    /// When the service was asked, in seconds since the epoch.
    pub queued: Option<i64>,
}

/// All that one fetch changes in one series.
#[derive(Clone, Debug)]
pub struct Change {
    /// Which series.
    pub key: SeriesKey,
    /// What is known of it afterwards.
    pub state: SeriesState,
    /// What becomes of each partition that changes, by partition name. Partitions not named keep what
    /// they have. None at all: only the catalogue changes.
    pub partitions: Vec<(String, Content)>,
    /// Why stored values change; the old content of the partitions then goes to the revisions.
    pub restated: Option<String>,
    /// When the bars were fetched, in seconds since the epoch.
    pub fetched_at: i64,
    /// Write the Parquet twin.
    pub parquet: bool,
}

/// What becomes of a partition.
#[derive(Clone, Debug)]
pub enum Content {
    /// It holds these bars and no others.
    Whole(Bars),
    /// These bars come to the stored ones; one with a stored stamp replaces that.
    News(Bars),
}

impl Content {
    /// The bars, whatever becomes of the others.
    pub(super) fn bars(&self) -> &Bars {
        match self {
            Content::Whole(bars) | Content::News(bars) => bars,
        }
    }
}

/// For each exchange and day: how many series were asked and how many have a bar. Only series of a
/// day and shorter count.
#[derive(Clone, Debug, Default)]
pub struct SessionCounts {
    /// By exchange, then day.
    pub by_exchange: HashMap<String, ByDay<(u32, u32)>>,
}

impl SessionCounts {
    /// (asked, with a bar) of an exchange on a day.
    pub fn get(&self, exchange: &str, day: Day) -> (u32, u32) {
        self.by_exchange.get(exchange).map_or((0, 0), |days| days.get(day))
    }
}

/// What can go wrong with an archive; each says what to do. Each message tells its cause, which is
/// therefore no [`source`](std::error::Error::source), to be told again: `r#source` is a field like
/// any other.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The operating system refused something.
    #[error("{what} {}: {source}{}", path.display(), remedy(what, source))]
    Io {
        /// What was tried: `write`, `rename`, ….
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's words.
        r#source: std::io::Error,
    },
    /// The catalogue refused something.
    #[error("catalogue {}: {source}{}", path.display(), catalogue_remedy(path, source))]
    Catalogue {
        /// The database file.
        path: PathBuf,
        /// SQLite's words.
        r#source: rusqlite::Error,
    },
    /// Another writer holds the archive.
    #[error("the archive is in use by {holder}")]
    Locked {
        /// Who, as written in the lock file.
        holder: String,
    },
    /// Made by a newer version.
    #[error("{} was written by a newer Vortex (schema {found}, this one knows {known}): install that version or a later one", path.display())]
    Newer {
        /// The database file.
        path: PathBuf,
        /// The schema version found.
        found: i64,
        /// The newest schema version known.
        known: i64,
    },
    /// Somebody changed a CSV.
    #[error("{} is not as Vortex wrote it: `vortex archive rebuild {symbol}` takes it over, `vortex validate --fix` restores it", path.display())]
    Edited {
        /// The CSV.
        path: PathBuf,
        /// The symbol, for the command.
        symbol: String,
    },
    /// A file is missing or unreadable.
    #[error("{}: {said}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column where there are any.
        said: String,
    },
    /// Something else stands where a file or folder is to be.
    #[error("{} {said}; move it away and run this again", path.display())]
    InTheWay {
        /// The place.
        path: PathBuf,
        /// What it is, as `is a pipe, and a file is to be here`.
        said: String,
    },
    /// What was asked cannot be done.
    #[error("{0}")]
    Refused(String),
}

impl ArchiveError {
    /// Whether there was no room on the disk.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Io { source, .. } => disk::is_full(source),
            Self::Catalogue { path, source } => disk::make_room(path, source).is_some(),
            _ => false,
        }
    }

    /// Whether it is about the files of one series alone, so that the others can go on: something that was found
    /// by looking, before anything was promised. What is about Vortex's own folder, the catalogue, the disk or the
    /// archive as a whole is not.
    pub fn is_of_one_series(&self) -> bool {
        // Vortex's own files lie at most three folders deep there; files of bars lie deeper below a root of that name.
        let own = |path: &Path| {
            path.ancestors().take(4).any(|folder| folder.ends_with(layout::OWN))
                || path.extension().is_some_and(|of| of == "db")
        };
        match self {
            Self::Edited { .. } | Self::Refused(_) => true,
            Self::Damaged { path, .. } | Self::InTheWay { path, .. } => !own(path),
            Self::Io { what, path, source } => {
                let gone = matches!(source.kind(), ErrorKind::NotFound | ErrorKind::ReadOnlyFilesystem);
                (is_look(what) || *what == files::WRITE_IN) && !gone && !self.is_full() && !own(path)
            }
            Self::Catalogue { .. } | Self::Locked { .. } | Self::Newer { .. } => false,
        }
    }

    /// Whether the disk under the catalogue failed, so that nobody can say what of a change is on it.
    pub(super) fn is_of_the_disk(&self) -> bool {
        let Self::Catalogue { source, .. } = self else { return false };
        source.sqlite_error_code() == Some(rusqlite::ErrorCode::SystemIoFailure)
    }
}

/// Serde of coverage as text.
mod coverage_text {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::model::Coverage;

    pub(super) fn serialize<S: Serializer>(coverage: &Coverage, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&coverage.to_text())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Coverage, D::Error> {
        Coverage::from_text(&String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

const MAY_NOT_WRITE: &str = "; this user may not write there: change its owner or mode, or name another folder (--output-dir, VORTEX_OUTPUT_DIR)";
const MAY_NOT_READ: &str =
    "; this user may not read there: change its owner or mode, or have this user join its group";
const DISK_REFUSES: &str =
    "; its disk is failing or a quota is used up: see to that and run it again, what is stored stays whole";
const READ_ONLY: &str = "; it is mounted read-only: mount it for writing, or name another folder (--output-dir, VORTEX_OUTPUT_DIR)";

/// Whether nothing was to be written.
fn is_look(what: &str) -> bool {
    matches!(what, "read" | "list" | "look at" | "open")
}

/// What to do about what the system refused.
fn remedy(what: &str, refused: &std::io::Error) -> &'static str {
    match refused.kind() {
        _ if disk::is_full(refused) => disk::MAKE_ROOM,
        ErrorKind::PermissionDenied if is_look(what) => MAY_NOT_READ,
        ErrorKind::PermissionDenied => MAY_NOT_WRITE,
        ErrorKind::NotFound => "; its folder is gone: is its disk still mounted?",
        ErrorKind::ReadOnlyFilesystem => READ_ONLY,
        _ => "",
    }
}

/// The same for what SQLite refused. To it a used up quota may be an I/O error, or a file that cannot be opened.
fn catalogue_remedy(path: &Path, refused: &rusqlite::Error) -> &'static str {
    let disk = path.parent().and_then(|folder| statvfs(folder).ok());
    let read_only = disk.is_some_and(|of| of.flags().contains(FsFlags::ST_RDONLY));
    let forbidden = |to: AccessFlags| {
        [path.parent(), Some(path)].into_iter().flatten().any(|path| access(path, to) == Err(Errno::EACCES))
    };
    match refused.sqlite_error_code() {
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::SystemIoFailure) => match read_only {
            true => READ_ONLY,
            _ if forbidden(AccessFlags::R_OK) => MAY_NOT_READ,
            _ if forbidden(AccessFlags::W_OK) => MAY_NOT_WRITE,
            _ => disk::make_room(path, refused).unwrap_or(DISK_REFUSES),
        },
        _ => disk::make_room(path, refused).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn a_message_that_tells_its_cause_has_no_other() {
        let path = PathBuf::from("/a");
        let io = ArchiveError::Io { what: "write", path: path.clone(), source: std::io::Error::other("why") };
        let catalogue = ArchiveError::Catalogue { path, source: rusqlite::Error::InvalidQuery };
        assert_eq!(io.to_string(), "write /a: why");
        assert!(io.source().is_none() && catalogue.source().is_none());
    }
}
