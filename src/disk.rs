//! What stands in the way of a file: something else in its place, or that there is no room. To SQLite a full disk
//! may be an I/O error, or a file that cannot be opened.

use std::fs::{self, FileType};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;
use rusqlite::ErrorCode;

/// What to do where the words before say that there is no room.
pub(crate) const MAKE_ROOM: &str = "; make room there and run it again, what is stored stays whole";
/// What to do where they do not.
const DISK_FULL: &str = "; the disk is full: make room there and run it again, what is stored stays whole";
/// Less than this is no room: the catalogue's log grows by so much at once.
const NO_ROOM: u64 = 1 << 16;

/// Whether the system refused for want of room.
pub(crate) fn is_full(refused: &io::Error) -> bool {
    matches!(refused.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// What to do where SQLite refused for want of room for this file; `None`: for something else.
pub(crate) fn make_room(path: &Path, refused: &rusqlite::Error) -> Option<&'static str> {
    match refused.sqlite_error_code()? {
        ErrorCode::DiskFull => Some(MAKE_ROOM),
        ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::SystemIoFailure => {
            let disk = statvfs(path.parent()?).ok()?;
            (disk.blocks_available() * disk.fragment_size() < NO_ROOM).then_some(DISK_FULL)
        }
        _ => None,
    }
}

/// What a file that is no regular one is, in a word.
pub(crate) fn kind(of: FileType) -> &'static str {
    match of {
        of if of.is_dir() => "folder",
        of if of.is_fifo() => "pipe",
        of if of.is_socket() => "socket",
        of if of.is_symlink() => "link",
        of if of.is_file() => "file",
        _ => "device",
    }
}

/// What stands in the place of a database or of one of its journals and is no regular file, and what it is. SQLite
/// would wait for a pipe, and follow a link to what is somebody else's.
pub(crate) fn in_place_of(database: &Path) -> Option<(PathBuf, &'static str)> {
    let places = ["", "-wal", "-shm", "-journal"].map(|ending| {
        let mut name = database.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    });
    places.into_iter().find_map(|path| {
        let of = fs::symlink_metadata(&path).ok()?.file_type();
        (!of.is_file()).then(|| (path, kind(of)))
    })
}
