//! The folder of `providers.barchart.import_directory`: what a person puts there is imported by itself, and stays.
//!
//! The folder is looked through every few seconds: that works on any file system, where notices of the kernel do
//! not. A file is taken once it is whole and has not changed between two looks. What was dealt with is noted in the
//! catalogue by the hash of its content, so that neither a restart nor a new name has it imported again.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::engine::{Engine, blocking};
use super::state::JobPhase;
use crate::import::files;
use crate::provider::barchart::csv;
use crate::request::Request;

/// How often the folder is looked through.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A file that does not end as a whole one does is tried all the same when it has not changed for so many looks:
/// then it is said what is wrong with it.
const UNCHANGED_LOOKS: u32 = 30;
/// A job has so many files at most.
const MANY: usize = 500;

/// What a look saw of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    bytes: u64,
    changed: Option<SystemTime>,
}

/// What is known of the folder between two looks.
#[derive(Debug, Default)]
struct Memory {
    /// Each file, and for how many looks it has been as it is.
    seen: HashMap<PathBuf, (Seen, u32)>,
    /// Files that were dealt with as they are.
    settled: HashMap<PathBuf, Seen>,
    /// What the job under way takes: its number, its files, their hashes.
    job: Option<(u32, Vec<(PathBuf, Seen, String)>)>,
    /// What was said of the folder.
    said: Option<String>,
}

/// Watches until the service ends.
pub(super) async fn keep(engine: Arc<Engine>) {
    let mut memory = Memory::default();
    loop {
        let reloaded = engine.reloaded();
        let Some(folder) = engine.config().barchart.import_directory.clone() else {
            reloaded.await;
            continue;
        };
        memory = look(&engine, &folder, memory).await;
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = reloaded => {}
        }
    }
}

/// One look: settles the job that is over, and asks for one where there is something new.
async fn look(engine: &Arc<Engine>, folder: &Path, mut memory: Memory) -> Memory {
    if let Some((id, _)) = &memory.job {
        match engine.look(|state| state.jobs.get(id).map(|job| (job.phase, job.result.clone()))) {
            Some((JobPhase::Queued | JobPhase::Running, _)) => return memory,
            // What was cancelled, or failed as a whole, is tried again when the service starts anew.
            Some((JobPhase::Finished, result)) => {
                settle(engine, &mut memory, matches!(result.as_str(), "done" | "partial")).await;
            }
            None => settle(engine, &mut memory, true).await,
        }
    }
    let (reader, folder) = (Arc::clone(engine), folder.to_owned());
    let Ok((mut memory, new)) = blocking(move || {
        let new = memory.new_files(&reader, &folder);
        (memory, new)
    })
    .await
    else {
        return Memory::default();
    };
    if new.is_empty() {
        return memory;
    }
    let paths = new.iter().map(|(path, _, _)| path.clone()).collect();
    let request = Request { import: paths, ..Request::default() };
    match engine.update(request, "import", "the watched folder").await {
        Ok(id) => memory.job = Some((id, new)),
        // A paused service, a full queue: the next look asks again.
        Err(error) => memory.say(format!("new files wait: {error}")),
    }
    memory
}

/// Notes what the job dealt with.
async fn settle(engine: &Arc<Engine>, memory: &mut Memory, for_good: bool) {
    let Some((id, files)) = memory.job.take() else { return };
    for (path, seen, hash) in files {
        if for_good {
            let (writer, note) = (Arc::clone(engine), note_name(&hash));
            let noted = blocking(move || writer.archive().set_note(&note, &format!("job {id}"))).await;
            if let Ok(Err(error)) = noted {
                tracing::warn!("that {} was imported cannot be noted: {error}", path.display());
            }
        }
        memory.settled.insert(path, seen);
    }
}

fn note_name(hash: &str) -> String {
    format!("imported {hash}")
}

impl Memory {
    /// Says something once.
    fn say(&mut self, what: String) {
        if self.said.as_ref() != Some(&what) {
            tracing::warn!("{what}");
            self.said = Some(what);
        }
    }

    /// The files that are new, whole, and as they were at the look before.
    fn new_files(&mut self, engine: &Engine, folder: &Path) -> Vec<(PathBuf, Seen, String)> {
        if !folder.is_dir() {
            self.say(format!(
                "providers.barchart.import_directory {}: there is no such folder; it is looked for",
                folder.display()
            ));
            return Vec::new();
        }
        let listed = files::list(&[folder.to_owned()], engine.archive().root());
        let candidates = listed.into_iter().filter(|listed| listed.passed_over.is_none());
        let (mut new, mut there) = (Vec::new(), HashSet::new());
        for path in candidates.map(|listed| listed.path) {
            there.insert(path.clone());
            let Ok(about) = std::fs::metadata(&path) else { continue };
            let seen = Seen { bytes: about.len(), changed: about.modified().ok() };
            if self.settled.get(&path) == Some(&seen) || new.len() == MANY {
                continue;
            }
            let looks = match self.seen.get(&path) {
                Some((before, looks)) if *before == seen => looks + 1,
                _ => 0,
            };
            self.seen.insert(path.clone(), (seen, looks));
            if looks > 0
                && let Some(hash) = self.take(engine, &path, looks)
            {
                new.push((path, seen, hash));
            }
        }
        self.seen.retain(|path, _| there.contains(path));
        self.settled.retain(|path, _| there.contains(path));
        if !new.is_empty() {
            self.said = None;
        }
        new
    }

    /// The hash of a file that is to be imported now.
    fn take(&mut self, engine: &Engine, path: &Path, looks: u32) -> Option<String> {
        let (seen, _) = *self.seen.get(path)?;
        let bytes = std::fs::read(path).ok()?;
        if !csv::is_whole(&bytes) && looks < UNCHANGED_LOOKS {
            return None;
        }
        if path.to_str().is_none() {
            self.say(format!("{}: its name is not UTF-8; give it another", path.display()));
            return None;
        }
        let hash = blake3::hash(&bytes).to_hex().to_string();
        match engine.archive().note(&note_name(&hash)) {
            Ok(None) => Some(hash),
            Ok(Some(_)) => {
                self.settled.insert(path.to_owned(), seen);
                None
            }
            Err(error) => {
                self.say(format!("the catalogue cannot be read for what was imported: {error}"));
                None
            }
        }
    }
}
