//! The points at which a commit can be cut off, so that a test can stop at each of them.

use super::ArchiveError;

/// Where a process may die. `docs/architecture.md` says what recovery does after each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CrashPoint {
    /// A file is in tmp; others of the change may be missing.
    FileWritten,
    /// All files and the tmp folder are on disk; no intent yet.
    TempSynced,
    /// The intent is on disk; no file is in its place.
    IntentCommitted,
    /// One more file is in its place.
    Renamed,
    /// One more file that goes is gone.
    Removed,
    /// All files are in their places and the folders on disk; the catalogue knows the old ones.
    FoldersSynced,
    /// The catalogue knows the new files and the intent is gone.
    Recorded,
}

/// Outside of tests nothing happens here.
#[cfg(not(test))]
#[inline(always)]
pub(super) fn reached(_: CrashPoint) -> Result<(), ArchiveError> {
    Ok(())
}

/// Outside of tests a process that was stopped does not run.
#[cfg(not(test))]
#[inline(always)]
pub(super) fn stopped() -> bool {
    false
}

#[cfg(test)]
pub(super) use hook::{reached, stop_at, stopped, survive};

#[cfg(test)]
mod hook {
    use std::cell::Cell;

    use super::{ArchiveError, CrashPoint};

    thread_local! {
        static STOP: Cell<Option<(CrashPoint, u32)>> = const { Cell::new(None) };
        static STOPPED: Cell<bool> = const { Cell::new(false) };
    }

    /// This thread "dies" the `nth` time (from 0) it comes by `point`.
    pub(in crate::archive) fn stop_at(point: CrashPoint, nth: u32) {
        STOP.set(Some((point, nth)));
    }

    /// Whether it died; alive again from now on.
    pub(in crate::archive) fn survive() -> bool {
        STOP.set(None);
        STOPPED.replace(false)
    }

    pub(in crate::archive) fn stopped() -> bool {
        STOPPED.get()
    }

    pub(in crate::archive) fn reached(point: CrashPoint) -> Result<(), ArchiveError> {
        match STOP.get() {
            Some((at, 0)) if at == point => {
                STOPPED.set(true);
                Err(ArchiveError::Refused(format!("stopped at {point:?}")))
            }
            Some((at, nth)) if at == point => {
                STOP.set(Some((at, nth - 1)));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
