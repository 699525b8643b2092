//! Power loss: what a commit does to the disk is recorded, every state in which a crash could leave the disk is
//! built (`disk.rs` says which those are), and each is opened: no committed bar may be lost in any.

#[path = "../support/archives.rs"]
mod archives;
#[path = "../support/binary.rs"]
mod binary;
mod disk;
#[path = "../faults/mod.rs"]
mod faults;
mod scenarios;
#[path = "../yahoo_server/mod.rs"]
mod yahoo_server;

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use vortex::archive::verify::{Finding, Kind};
use vortex::archive::{Archive, SeriesState};

use disk::{Tree, build, fingerprint};
use scenarios::Recording;

/// What is stored of a series: what is known of it, the text of each CSV, and the files of its revisions.
type Stored = (SeriesState, BTreeMap<String, String>, BTreeMap<PathBuf, Vec<u8>>);
type Content = BTreeMap<String, Stored>;

/// Fewer states, and the recordings or the model have lost something.
const FEWEST: usize = 7_000;

/// Which version of each series a state gave: `true` is the new one.
type Outcome = BTreeMap<String, bool>;

#[test]
fn no_power_loss_takes_a_committed_bar() {
    // Memory, where there is such a disk: nothing here needs to last.
    let shared = Path::new("/dev/shm");
    let place = if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() }.unwrap();
    let mut total = 0;
    for recording in scenarios::record_all(place.path()) {
        let (name, changes) = (recording.name, recording.changes.len());
        let states = examine(recording, &place.path().join("states"));
        tell(&format!("{name}: {changes} changes, {states} states"));
        total += states;
    }
    tell(&format!("{total} states in all, none of them lost a committed bar"));
    assert!(total >= FEWEST, "only {total} states");
}

/// Past the capture of what a passing test prints: how much was tried is part of what the suite says.
fn tell(line: &str) {
    std::io::stderr().write_all(format!("power loss: {line}\n").as_bytes()).unwrap();
}

/// Builds and opens every state of a recording; how many.
fn examine(mut recording: Recording, place: &Path) -> usize {
    let (before, after) = (content(&recording.before), content(&recording.after));
    let changed: Vec<&String> = after.keys().filter(|key| before.get(*key) != after.get(*key)).collect();
    assert!(!changed.is_empty(), "{}: nothing changed", recording.name);

    // The states after each change; equal ones are one.
    let mut found: HashMap<[u8; 32], usize> = HashMap::new();
    let mut trees: Vec<Tree> = Vec::new();
    let mut moments: Vec<Vec<usize>> = Vec::new();
    let mut look = |states: Vec<Tree>| {
        let numbers = states.into_iter().map(|tree| {
            *found.entry(fingerprint(&tree)).or_insert_with(|| {
                trees.push(tree);
                trees.len() - 1
            })
        });
        moments.push(numbers.collect());
    };
    look(recording.disk.states());
    for change in &recording.changes {
        if recording.disk.change(change) {
            look(recording.disk.states());
        }
    }

    let outcomes = open_all(&recording, &trees, &before, &after, place);
    // The first state of a moment is what is certain then. Once that has the new version, no later state of
    // any kind may have the old one; and when the program has ended, all have the new one.
    for key in changed {
        let is_new = |state: &usize| outcomes[*state].get(key).copied().unwrap_or(false);
        let committed = moments.iter().position(|states| is_new(&states[0]));
        let committed = committed.unwrap_or_else(|| panic!("{}: {key} is never certain", recording.name));
        for (moment, states) in moments.iter().enumerate().skip(committed) {
            let lost = states.iter().find(|state| !is_new(state));
            assert!(
                lost.is_none(),
                "{}: {key} was committed at {committed} and lost at {moment}",
                recording.name
            );
        }
    }
    trees.len()
}

/// Opens every state as the next start does, and checks it.
fn open_all(
    recording: &Recording,
    trees: &[Tree],
    before: &Content,
    after: &Content,
    place: &Path,
) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(vec![Outcome::new(); trees.len()]);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (next, outcomes) = (&next, &outcomes);
            scope.spawn(move || {
                let root = place.join(thread.to_string());
                while let Some((at, tree)) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    trees.get(at).map(|tree| (at, tree))
                } {
                    build(tree, &root);
                    let outcome = open(&root, recording, before, after);
                    let outcome =
                        outcome.unwrap_or_else(|said| panic!("{}: state {at}: {said}", recording.name));
                    outcomes.lock().unwrap()[at] = outcome;
                    std::fs::remove_dir_all(&root).unwrap();
                }
            });
        }
    });
    outcomes.into_inner().unwrap()
}

/// Recovers one state; which version each series has then, or what is wrong with it.
fn open(root: &Path, recording: &Recording, before: &Content, after: &Content) -> Result<Outcome, String> {
    scenarios::bring_catalogue(root);
    let archive = Archive::open(root, root).map_err(|error| error.to_string())?;
    let writer = archive.write("power loss").map_err(|error| error.to_string())?;
    drop(writer);
    let left: Vec<PathBuf> =
        std::fs::read_dir(root.join(".vortex/tmp")).unwrap().map(|entry| entry.unwrap().path()).collect();
    if !left.is_empty() {
        return Err(format!("left in tmp: {left:?}"));
    }
    let wrong = archive.verify(None).map_err(|error| error.to_string())?;
    // Anything else is wrong, be it a file that the catalogue does not know or a revision without its files.
    let mut excused = vec![Kind::Inconsistent, Kind::NotPositive, Kind::Unrecorded];
    // Before a rebuild the files are in no catalogue: that is what it is for.
    excused.extend(recording.rebuilds.then_some(Kind::Unknown));
    let emptied = |of: &Finding| recording.rebuilds && of.path.ends_with(".vortex/catalogue.db");
    if let Some(finding) = wrong.iter().find(|of| !excused.contains(&of.kind) && !emptied(of)) {
        return Err(format!("{}: {} {}", finding.path.display(), finding.kind, finding.detail));
    }
    let now = content(root);
    if let Some(strange) = now.keys().find(|key| !before.contains_key(*key) && !after.contains_key(*key)) {
        return Err(format!("{strange} is in neither version"));
    }
    let keys = before.keys().chain(after.keys());
    keys.map(|key| match now.get(key) {
        is if is == after.get(key) => Ok((key.clone(), true)),
        is if is == before.get(key) => Ok((key.clone(), false)),
        is => Err(format!("{key} is neither old nor new: {is:?}, but {:?}", after.get(key))),
    })
    .collect()
}

fn content(root: &Path) -> Content {
    scenarios::bring_catalogue(root);
    if !Archive::exists(root).unwrap() {
        return Content::new();
    }
    // Not only to read: one of an older schema is to be brought up to date.
    let archive = Archive::open(root, root).unwrap();
    let mut content = Content::new();
    for series in archive.all_series().unwrap() {
        let parts = archive.partitions(series.id).unwrap().into_iter();
        let texts =
            parts.map(|part| (part.name, std::fs::read_to_string(root.join(&part.csv)).unwrap_or_default()));
        let revisions = archive.revisions(Some(&series.key)).unwrap();
        let folders = revisions.iter().map(|of| root.join(".vortex/revisions").join(of.id.to_string()));
        let files = folders.flat_map(files_in).map(|path| {
            let bytes = std::fs::read(&path).unwrap();
            (path.strip_prefix(root).unwrap().to_owned(), bytes)
        });
        content.insert(series.key.to_string(), (series.state, texts.collect(), files.collect()));
    }
    content
}

/// The files in a folder; one that is not there has none, and the comparison tells.
fn files_in(folder: PathBuf) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}
