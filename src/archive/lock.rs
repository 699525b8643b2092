//! The locks of the writer and of the service: file locks, each of which the kernel releases when its holder dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;

use super::ArchiveError;
use super::files::io;
use crate::model::day::instant;

/// Held while it lives.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Takes the lock and writes into its file who holds it. Where another has it, the error says who.
pub(super) fn take(path: &Path, holder: &str) -> Result<Lock, ArchiveError> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        // What a link leads to is somebody else's.
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(path)
        .map_err(io("open for writing", path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(ArchiveError::Locked { holder: holder_of(&mut file) }),
        Err(TryLockError::Error(error)) => return Err(io("lock", path)(error)),
    }
    let now = jiff::Timestamp::now().as_second();
    let who = format!("{holder} (process {}, since {})", std::process::id(), instant(now));
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(who.as_bytes()))
        .map_err(io("write", path))?;
    Ok(Lock { _file: file })
}

/// What the holder wrote about itself.
fn holder_of(file: &mut File) -> String {
    let mut text = String::new();
    match file.rewind().and_then(|()| file.read_to_string(&mut text)) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_is_told_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = take(&path, "vortex download").unwrap();
        let error = take(&path, "vortex daemon").unwrap_err().to_string();
        assert!(error.contains("vortex download (process "), "{error}");
        drop(first);
        let _second = take(&path, "vortex daemon").unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().starts_with("vortex daemon"));
    }
}
