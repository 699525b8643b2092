//! Whether it was for want of room that a database could not be written: to SQLite a full disk may be an I/O error,
//! or a file that cannot be opened.

use std::io::{self, ErrorKind};
use std::path::Path;

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
