//! The writer's lock: a file lock, which the kernel releases when its holder dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use super::ArchiveError;
use super::files::io;
use crate::provider::answer::instant;

/// Held while it lives.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Takes the lock and writes into its file who holds it. Where another has it, `on_wait` is told who
/// and this waits; without `on_wait` it is an error.
pub(super) fn take(path: &Path, holder: &str, on_wait: Option<&dyn Fn(&str)>) -> Result<Lock, ArchiveError> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(io("open", path))?;
    match (file.try_lock(), on_wait) {
        (Ok(()), _) => {}
        (Err(TryLockError::WouldBlock), None) => {
            return Err(ArchiveError::Locked { holder: holder_of(&mut file) });
        }
        (Err(TryLockError::WouldBlock), Some(on_wait)) => {
            on_wait(&holder_of(&mut file));
            file.lock().map_err(io("lock", path))?;
        }
        (Err(TryLockError::Error(error)), _) => return Err(io("lock", path)(error)),
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
    use std::sync::mpsc;

    #[test]
    fn a_second_taker_is_told_who_holds_it_and_may_wait() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = take(&path, "vortex download", None).unwrap();
        let error = take(&path, "vortex daemon", None).unwrap_err().to_string();
        assert!(error.contains("vortex download (process "), "{error}");
        let (told, hears) = mpsc::channel();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let told = move |who: &str| told.send(who.to_owned()).unwrap();
                take(&path, "vortex daemon", Some(&told)).unwrap();
            });
            assert!(hears.recv().unwrap().starts_with("vortex download"));
            drop(first);
            waiting.join().unwrap();
        });
        assert!(std::fs::read_to_string(&path).unwrap().starts_with("vortex daemon"));
    }
}
