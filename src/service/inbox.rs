//! The folder of `providers.barchart.import_directory`: what a person puts there is imported by itself, and stays.
//!
//! The folder is looked through every few seconds: that works on any file system, where notices of the kernel do
//! not. A file is taken once it is whole and has not changed between two looks. What was imported is noted in the
//! catalogue by the hash of its content and of the series that it names, so that neither a restart nor a copy has it
//! imported again; what was
//! refused is tried again when it changes, or when the service starts anew.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::engine::{Engine, blocking};
use super::state::JobPhase;
use crate::import::report::{FileReport, Outcome};
use crate::import::{files, hash};
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
    /// What the job under way takes: its number and its files.
    job: Option<(u32, Vec<(PathBuf, Seen)>)>,
    /// What was said of the folder.
    said: Option<String>,
}

/// Watches until the service ends.
pub(super) async fn keep(engine: Arc<Engine>) {
    let mut memory = Memory::default();
    loop {
        // The folder is another one where the configuration was read again.
        let reloaded = engine.schedule_changes();
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
        match engine.look(|state| state.jobs.get(id).map(|job| job.phase)) {
            Some(JobPhase::Queued | JobPhase::Running) => return memory,
            Some(JobPhase::Finished) | None => memory.settle(),
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
    let paths = new.iter().map(|(path, _)| path.clone()).collect();
    let request = Request { import: paths, ..Request::default() };
    match engine.update(request, "import", "the watched folder").await {
        Ok(id) => memory.job = Some((id, new)),
        // A paused service, a full queue: the next look asks again.
        Err(error) => memory.say(format!("new files wait: {error}")),
    }
    memory
}

/// Under which name a file is noted in the catalogue.
fn note_name(hash: &str) -> String {
    format!("imported {hash}")
}

impl Engine {
    /// Notes the files that a job imported.
    pub(super) fn note_imported(&self, files: &[FileReport]) {
        let imported = files.iter().filter(|file| file.outcome == Outcome::Imported);
        for (file, hash) in imported.filter_map(|file| Some((file, file.hash.as_ref()?))) {
            if let Err(error) = self.archive().set_note(&note_name(hash), "yes") {
                tracing::warn!("that {} was imported cannot be noted: {error}", file.path.display());
            }
        }
    }
}

impl Memory {
    /// The job is over: its files were dealt with as they are.
    fn settle(&mut self) {
        let files = self.job.take().map(|(_, files)| files).unwrap_or_default();
        self.settled.extend(files);
    }

    /// Says something once.
    fn say(&mut self, what: String) {
        if self.said.as_ref() != Some(&what) {
            tracing::warn!("{what}");
            self.said = Some(what);
        }
    }

    /// The files that are new, whole, and as they were at the look before.
    fn new_files(&mut self, engine: &Engine, folder: &Path) -> Vec<(PathBuf, Seen)> {
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
            if looks > 0 && self.is_to_be_taken(engine, &path, looks) {
                new.push((path, seen));
            }
        }
        self.seen.retain(|path, _| there.contains(path));
        self.settled.retain(|path, _| there.contains(path));
        if !new.is_empty() {
            self.said = None;
        }
        new
    }

    /// Whether a file is to be imported now.
    fn is_to_be_taken(&mut self, engine: &Engine, path: &Path, looks: u32) -> bool {
        let Some((seen, _)) = self.seen.get(path).copied() else { return false };
        let Ok(bytes) = std::fs::read(path) else { return false };
        if !csv::is_whole(&bytes) && looks < UNCHANGED_LOOKS {
            return false;
        }
        if path.to_str().is_none() {
            self.say(format!("{}: its name is not UTF-8; give it another", path.display()));
            return false;
        }
        match engine.archive().note(&note_name(&hash(path, &bytes))) {
            Ok(None) => true,
            Ok(Some(_)) => {
                self.settled.insert(path.to_owned(), seen);
                false
            }
            Err(error) => {
                self.say(format!("the catalogue cannot be read for what was imported: {error}"));
                false
            }
        }
    }
}
