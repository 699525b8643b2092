//! The archive opened for writing, and how a command that holds it is told to end.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;

use super::Context;
use super::error::{Error, Exit};
use crate::archive::{Archive, ArchiveError, Writer};
use crate::config::{ConfigError, Loaded};

/// How often a taken lock is tried again; between two tries a signal ends the wait.
const TRY_EVERY: Duration = Duration::from_millis(200);

/// Opens the archive and takes its lock, waiting for another writer unless told not to.
pub(super) fn open(context: &Context, command: &str, no_wait: bool) -> Result<Writer, Error> {
    let config = context.config();
    let archive = Archive::open(&config.archive, &config.state_directory)
        .map_err(|error| Place::of(&context.loaded).open_error(error))?;
    for notice in archive.notices() {
        tracing::warn!("{notice}");
    }
    refuse_lost_catalogue(&archive)?;
    take(&archive, command, no_wait)
}

/// The archive's folder, and what set it.
pub(super) struct Place {
    folder: PathBuf,
    origin: String,
}

impl Place {
    /// That of a configuration.
    pub(super) fn of(loaded: &Loaded) -> Place {
        let set = loaded.values.get("general.output_directory");
        let origin = set.map_or_else(String::new, |entry| entry.origin.clone());
        Place { folder: loaded.config.archive.clone(), origin }
    }

    /// Why the archive cannot be opened: where no folder can be made the configuration is wrong, and trying again
    /// cannot help.
    pub(super) fn open_error(&self, error: ArchiveError) -> Error {
        let never = [
            ErrorKind::NotFound,
            ErrorKind::NotADirectory,
            ErrorKind::PermissionDenied,
            ErrorKind::ReadOnlyFilesystem,
        ];
        match &error {
            ArchiveError::Io { source, path, .. }
                if never.contains(&source.kind()) && !self.folder.exists() =>
            {
                let said = format!(
                    "general.output_directory is {:?}, and {} cannot be made: {source}; name another folder, or make it and give it to this user",
                    self.folder.display().to_string(),
                    path.display()
                );
                ConfigError::one(&self.origin, said).into()
            }
            _ => archive_error(error),
        }
    }
}

/// An archive with files and a catalogue that knows of nothing has lost its own: nothing could be added.
fn refuse_lost_catalogue(archive: &Archive) -> Result<(), Error> {
    if !archive.has_lost_catalogue().map_err(archive_error)? {
        return Ok(());
    }
    let said = format!(
        "the catalogue of {} is gone and its files are there: `vortex archive rebuild` makes it again from them",
        archive.root().display()
    );
    Err(Error::new(Exit::Failed, anyhow::Error::msg(said)))
}

/// Whether SIGHUP is ignored, as `nohup` does; bit 0 of the mask is signal 1.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// Takes the lock of an archive for a command.
pub(super) fn take(archive: &Archive, command: &str, no_wait: bool) -> Result<Writer, Error> {
    match archive.write(command) {
        Err(ArchiveError::Locked { holder }) if !no_wait => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(wait(archive, command, &holder))
        }
        taken => taken.map_err(archive_error),
    }
}

async fn wait(archive: &Archive, command: &str, holder: &str) -> Result<Writer, Error> {
    let mut cancelled = on_signal()?;
    let leave = if ["vortex download", "vortex import"].iter().any(|leaves| command.starts_with(leaves)) {
        " (--no-wait to leave)"
    } else {
        ""
    };
    tracing::warn!("the archive is in use by {holder}; waiting{leave}");
    loop {
        tokio::select! {
            () = tokio::time::sleep(TRY_EVERY) => {}
            _ = cancelled.wait_for(|cancelled| *cancelled) => {
                return Err(Error::new(Exit::Interrupted, anyhow::anyhow!("interrupted while waiting; nothing was done")));
            }
        }
        match archive.write(command) {
            Err(ArchiveError::Locked { .. }) => {}
            taken => return taken.map_err(archive_error),
        }
    }
}

/// A locked archive is for later; one of a newer version asks for another program; anything else has
/// failed.
pub(super) fn archive_error(error: ArchiveError) -> Error {
    let exit = match error {
        ArchiveError::Locked { .. } => Exit::Later,
        ArchiveError::Newer { .. } => Exit::Usage,
        _ => Exit::Failed,
    };
    Error::new(exit, error)
}

/// Becomes true when the person or the system asks to end.
pub(super) fn on_signal() -> io::Result<watch::Receiver<bool>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (tell, cancelled) = watch::channel(false);
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    // A terminal that goes away ends the command, unless `nohup` says otherwise.
    let mut hangup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
    tokio::spawn(async move {
        let gone = async {
            match &mut hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! { _ = interrupt.recv() => (), _ = terminate.recv() => (), _ = gone => () }
        tracing::warn!("ending at the next commit boundary");
        // The job is over where nobody listens any more.
        let _ = tell.send(true);
        tell.closed().await;
    });
    Ok(cancelled)
}
