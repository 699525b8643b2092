//! The folder of `providers.barchart.import_directory`: what a person puts there is imported by itself, and stays.
//!
//! The folder is looked through every few seconds: that works on any file system, where notices of the kernel do
//! not. A file is taken once it is whole and has not changed between two looks. What was imported is noted in the
//! catalogue by the hash of its content and of the series that it names, so that neither a restart nor a copy has it
//! imported again; what was
//! refused is tried again when it changes, or when the service starts anew. What had no turn, because the job failed
//! or was cancelled, or for the archive's sake, is tried again after a pause that grows.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::{File, Metadata};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::engine::{Engine, blocking};
use super::state::{JobPhase, many};
use crate::import::files::{self, Aside};
use crate::import::hash_of_file;
use crate::import::report::{FileReport, Outcome, shown};
use crate::provider::barchart::csv;
use crate::request::Request;

/// How often the folder is looked through.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A file that does not end as a whole one does is tried all the same when it has not changed for so many looks:
/// then it is said what is wrong with it.
const UNCHANGED_LOOKS: u32 = 30;
/// A job has so many files at most.
const MANY: usize = 500;
/// Whether a file is whole is told by so many of its last bytes.
const TAIL: u64 = 4 << 10;
/// How long files wait that had no turn, the first time; twice as long each further time, up to …
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// … so long.
const LONGEST_PAUSE: Duration = Duration::from_secs(1800);

/// What a look saw of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    bytes: u64,
    /// When its content was changed, and when anything of it was: who may read it too.
    changed: [(i64, i64); 2],
}

impl Seen {
    fn of(about: &Metadata) -> Seen {
        let changed = [(about.mtime(), about.mtime_nsec()), (about.ctime(), about.ctime_nsec())];
        Seen { bytes: about.len(), changed }
    }
}

/// What a job did with a file.
#[derive(Clone, Debug)]
pub(super) struct Dealt {
    /// Nothing, for the archive's sake: it is tried again as it is.
    again: bool,
    /// Why nothing of it was taken.
    refused: Option<String>,
}

/// A file that is not tried for a while.
#[derive(Clone, Debug)]
struct Pausing {
    seen: Seen,
    until: Instant,
    /// How long the pause is.
    pause: Duration,
    /// What is said of it.
    why: String,
}

/// What is known of the folder between two looks.
#[derive(Debug, Default)]
struct Memory {
    /// Each file, and for how many looks it has been as it is.
    seen: HashMap<PathBuf, (Seen, u32)>,
    /// Files that were dealt with as they are, and why where they were refused.
    settled: HashMap<PathBuf, (Seen, Option<String>)>,
    /// What the job under way takes: its number and its files.
    job: Option<(u32, Vec<(PathBuf, Seen)>)>,
    /// Files that had no turn as they are.
    pausing: HashMap<PathBuf, Pausing>,
    /// What the look before said of the folder, and what this one says.
    said: BTreeSet<String>,
    saying: BTreeSet<String>,
}

/// Watches until the service ends.
pub(super) async fn keep(engine: Arc<Engine>) {
    let mut memory = Memory::default();
    loop {
        // The folder is another one where the configuration was read again.
        let reloaded = engine.schedule_changes();
        let Some(folder) = engine.config().barchart.import_directory.clone() else {
            engine.show_inbox(String::new());
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
            Some(JobPhase::Finished) | None => memory.settle(engine),
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
        engine.show_inbox(memory.words());
        return memory;
    }
    let paths = new.iter().map(|(path, _)| path.clone()).collect();
    let request = Request { import: paths, ..Request::default() };
    match engine.update(request, "import", "the watched folder").await {
        Ok(id) => memory.job = Some((id, new)),
        // A paused service, a full queue: the next look asks again.
        Err(error) => memory.say(format!("new files wait: {error}")),
    }
    engine.show_inbox(memory.words());
    memory
}

/// Under which name a file is noted in the catalogue.
fn note_name(hash: &str) -> String {
    format!("imported {hash}")
}

impl Engine {
    /// Notes what a job did with its files.
    pub(super) fn note_imported(&self, files: &[FileReport]) {
        let had_turn = files.iter().filter(|file| file.outcome != Outcome::Waiting);
        let dealt = |file: &FileReport| Dealt {
            again: file.again,
            refused: file.outcome.reason().map(str::to_owned),
        };
        let mut dealt_with = self.dealt_with.lock().unwrap_or_else(PoisonError::into_inner);
        dealt_with.extend(had_turn.map(|file| (file.path.clone(), dealt(file))));
        drop(dealt_with);
        let imported = files.iter().filter(|file| file.outcome == Outcome::Imported);
        for (file, hash) in imported.filter_map(|file| Some((file, file.hash.as_ref()?))) {
            if let Err(error) = self.archive().set_note(&note_name(hash), "yes") {
                tracing::warn!("that {} was imported cannot be noted: {error}", file.shown());
            }
        }
    }

    /// Shows what waits in the folder, where that is something else than before.
    fn show_inbox(&self, words: String) {
        if self.look(|state| state.inbox != words) {
            self.change(|state| state.inbox = words);
        }
    }
}

impl Memory {
    /// The job is over: files that had their turn are settled as they are, others wait.
    fn settle(&mut self, engine: &Engine) {
        let Some((id, files)) = self.job.take() else { return };
        let error = engine.look(|state| state.jobs.get(&id).map(|job| job.error.clone()));
        let error = error.filter(|error| !error.is_empty());
        let mut dealt_with =
            std::mem::take(&mut *engine.dealt_with.lock().unwrap_or_else(PoisonError::into_inner));
        for (path, seen) in files {
            let before = self.pausing.remove(&path);
            let why = match dealt_with.remove(&path) {
                Some(Dealt { again: false, refused }) => {
                    self.settled.insert(path, (seen, refused));
                    continue;
                }
                dealt => dealt.and_then(|dealt| dealt.refused).or_else(|| error.clone()),
            };
            let pause = before.map_or(FIRST_PAUSE, |before| (before.pause * 2).min(LONGEST_PAUSE));
            let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
            let why = format!("{} could not be taken yet; it is tried again{why}", shown(&path));
            self.say(why.clone());
            self.pausing.insert(path, Pausing { seen, until: Instant::now() + pause, pause, why });
        }
    }

    /// What waits in the folder and what of it is refused, each with the first reason there is; empty for nothing.
    fn words(&self) -> String {
        let of_file = |path: &Path, why: &str| {
            format!("{}: {why}", shown(Path::new(path.file_name().unwrap_or_default())))
        };
        let waiting = self.seen.keys().filter(|path| !self.settled.contains_key(*path)).count();
        let mut refused: Vec<String> =
            self.settled.iter().filter_map(|(path, (_, why))| Some(of_file(path, why.as_ref()?))).collect();
        refused.sort();
        let mut words = Vec::new();
        if waiting > 0 {
            words.push(format!("{} waiting in the import folder", many(waiting, "file")));
        }
        words.extend(self.saying.first().cloned());
        if let Some(first) = refused.first() {
            words.push(format!("{} there refused, such as {first}", many(refused.len(), "file")));
        }
        words.join("; ")
    }

    /// Says something once.
    fn say(&mut self, what: String) {
        if !self.said.contains(&what) && !self.saying.contains(&what) {
            tracing::warn!("{what}");
        }
        self.saying.insert(what);
    }

    /// The files that are new, whole, and as they were at the look before.
    fn new_files(&mut self, engine: &Engine, folder: &Path) -> Vec<(PathBuf, Seen)> {
        self.said = std::mem::take(&mut self.saying);
        if !folder.is_dir() {
            self.say(format!(
                "providers.barchart.import_directory {}: there is no such folder; it is looked for",
                folder.display()
            ));
            return Vec::new();
        }
        let listed = files::list(&[folder.to_owned()], engine.archive().root());
        let (mut new, mut there) = (Vec::new(), HashSet::new());
        for files::Listed { path, aside } in listed {
            match aside {
                None => {}
                Some(Aside::PassedOver(_)) => continue,
                Some(Aside::Unreadable(why)) => {
                    self.say(format!("{}: {why}", shown(&path)));
                    continue;
                }
            }
            there.insert(path.clone());
            let Ok(about) = std::fs::metadata(&path) else { continue };
            let seen = Seen::of(&about);
            if self.settled.get(&path).is_some_and(|(before, _)| *before == seen) {
                continue;
            }
            self.settled.remove(&path);
            let waits = |pausing: &Pausing| pausing.seen == seen && Instant::now() < pausing.until;
            if let Some(why) = self.pausing.get(&path).filter(|it| waits(it)).map(|it| it.why.clone()) {
                self.say(why);
                continue;
            }
            let looks = match self.seen.get(&path) {
                Some((before, looks)) if *before == seen => looks + 1,
                _ => 0,
            };
            self.seen.insert(path.clone(), (seen, looks));
            if looks > 0 && new.len() < MANY && self.is_to_be_taken(engine, folder, &path, looks) {
                new.push((path, seen));
            }
        }
        self.seen.retain(|path, _| there.contains(path));
        self.settled.retain(|path, _| there.contains(path));
        self.pausing.retain(|path, _| there.contains(path));
        new
    }

    /// Whether a file is to be imported now.
    fn is_to_be_taken(&mut self, engine: &Engine, folder: &Path, path: &Path, looks: u32) -> bool {
        let Some((seen, _)) = self.seen.get(path).copied() else { return false };
        // What cannot be read is told by a job, as is what is not whole.
        let whole = tail(path).is_ok_and(|tail| csv::is_whole(&tail));
        if !whole && looks < UNCHANGED_LOOKS {
            return false;
        }
        if leads_out(folder, path) {
            self.say(format!("{}: a link out of the folder is not followed", shown(path)));
            return false;
        }
        if path.to_str().is_none() {
            self.say(format!("{}: its name is not UTF-8; give it another", shown(path)));
            return false;
        }
        let Ok(hash) = hash_of_file(path) else { return true };
        match engine.archive().note(&note_name(&hash)) {
            Ok(None) => true,
            Ok(Some(_)) => {
                self.settled.insert(path.to_owned(), (seen, None));
                false
            }
            Err(error) => {
                self.say(format!("the catalogue cannot be read for what was imported: {error}"));
                false
            }
        }
    }
}

/// The last whole lines of a file.
fn tail(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let bytes = file.metadata()?.len();
    file.seek(SeekFrom::Start(bytes.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail)?;
    if bytes > TAIL {
        // A character may have been cut through.
        let line = tail.iter().position(|byte| *byte == b'\n').map_or(tail.len(), |at| at + 1);
        tail.drain(..line);
    }
    Ok(tail)
}

/// Whether a path is a link to a file elsewhere: who may write here need not be who may read there.
fn leads_out(folder: &Path, path: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    real(folder).zip(real(path)).is_some_and(|(folder, path)| !path.starts_with(folder))
}
