//! What a disk may hold after a power loss.
//!
//! The model is harsher than any file system in use. What is on disk for certain is what was there before and
//! what was synced: a file's bytes and length by fsync of the file, a name by fsync of its folder (a rename by
//! that of the new name's folder). Everything else since then may have happened or not:
//! - names: any subset of the pending ones where they are at most six, else each beginning of them, each one
//!   lost alone, each one kept alone. A rename whose file was never made cannot be kept; a file in a folder
//!   that was lost is lost.
//! - bytes of a file: none of the pending writes, each beginning of them, each one lost alone (later ones
//!   overtook it), the last and the middle one torn at a sector and at half, and the full length with zeros.
//!
//! Pending names are combined with none and all of the pending bytes, pending bytes of each file with none and
//! all of the names and with none and all of the other files' bytes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::faults::Change;

/// Pending names up to here are tried in every combination.
const EVERY_SUBSET: usize = 6;
const SECTOR: usize = 512;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Folder,
    File(usize),
}

#[derive(Clone, Debug)]
enum NameChange {
    Made(PathBuf, Node),
    Renamed(PathBuf, PathBuf),
    Removed(PathBuf),
}

impl NameChange {
    /// The folder whose fsync makes it last.
    fn folder(&self) -> &Path {
        match self {
            NameChange::Made(path, _) | NameChange::Renamed(_, path) | NameChange::Removed(path) => {
                path.parent().unwrap_or(Path::new(""))
            }
        }
    }
}

#[derive(Clone, Debug)]
enum ByteChange {
    Written(usize, Vec<u8>),
    Length(usize),
}

type Names = BTreeMap<PathBuf, Node>;
type Bytes = Arc<Vec<u8>>;

/// A whole tree: every file with its bytes, `None` for a folder.
pub(crate) type Tree = BTreeMap<PathBuf, Option<Bytes>>;

/// A disk on the way: what is certain, and what is pending.
pub(crate) struct Disk {
    names: Names,
    files: Vec<Bytes>,
    pending_names: Vec<NameChange>,
    pending_bytes: BTreeMap<usize, Vec<ByteChange>>,
    /// The file of each number now; numbers are given to new files again.
    numbers: BTreeMap<u64, usize>,
    /// What there would be without a power loss.
    now: Names,
}

/// What no crash needs: SQLite's index of its log lies in mapped memory, the lock's text is for people, and
/// the limits of the providers are another matter.
fn is_watched(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    !name.ends_with("-shm") && name != "lock" && !name.starts_with("limits.db")
}

impl Disk {
    /// The disk as it is before anything is recorded, all of it certain.
    pub(crate) fn of(root: &Path) -> Disk {
        let mut disk = Disk {
            names: Names::new(),
            files: Vec::new(),
            pending_names: Vec::new(),
            pending_bytes: BTreeMap::new(),
            numbers: BTreeMap::new(),
            now: Names::new(),
        };
        if root.exists() {
            disk.take_in(root, root);
        }
        disk.now = disk.names.clone();
        disk
    }

    fn take_in(&mut self, root: &Path, path: &Path) {
        let name = path.strip_prefix(root).unwrap().to_owned();
        if path.is_dir() {
            self.names.insert(name, Node::Folder);
            for entry in fs::read_dir(path).unwrap() {
                self.take_in(root, &entry.unwrap().path());
            }
        } else if is_watched(path) {
            let file = self.add(fs::metadata(path).unwrap().ino(), fs::read(path).unwrap());
            self.names.insert(name, Node::File(file));
        }
    }

    fn add(&mut self, number: u64, bytes: Vec<u8>) -> usize {
        self.files.push(Arc::new(bytes));
        self.numbers.insert(number, self.files.len() - 1);
        self.files.len() - 1
    }

    /// One more recorded change; whether it makes a difference.
    pub(crate) fn change(&mut self, change: &Change) -> bool {
        if !is_watched(&change.path) {
            return false;
        }
        let path = change.path.clone();
        match change.kind {
            'C' => {
                let file = self.add(change.number, Vec::new());
                self.name(NameChange::Made(path, Node::File(file)));
            }
            'M' => self.name(NameChange::Made(path, Node::Folder)),
            'R' => self.name(NameChange::Renamed(path, change.other.clone())),
            'U' => self.name(NameChange::Removed(path)),
            'S' if self.now.get(&path) == Some(&Node::Folder) => self.sync_folder(&path),
            'S' => self.sync_file(self.numbers[&change.number]),
            'T' => self.bytes(change.number, ByteChange::Length(0)),
            'L' => self.bytes(change.number, ByteChange::Length(change.at as usize)),
            'W' => self.bytes(change.number, ByteChange::Written(change.at as usize, change.bytes.clone())),
            kind => panic!("unknown change {kind}"),
        }
        true
    }

    fn name(&mut self, change: NameChange) {
        keep(&mut self.now, &change);
        self.pending_names.push(change);
    }

    fn bytes(&mut self, number: u64, change: ByteChange) {
        self.pending_bytes.entry(self.numbers[&number]).or_default().push(change);
    }

    fn sync_file(&mut self, file: usize) {
        for change in self.pending_bytes.remove(&file).unwrap_or_default() {
            write(Arc::make_mut(&mut self.files[file]), &change);
        }
    }

    /// The names of the folder last, and what they stand on.
    fn sync_folder(&mut self, folder: &Path) {
        let mut left = Vec::new();
        for change in std::mem::take(&mut self.pending_names) {
            if change.folder() == folder {
                if let NameChange::Renamed(from, _) = &change
                    && !self.names.contains_key(from)
                {
                    // The new name keeps the file, whose old name was never synced.
                    let made =
                        left.iter().position(|of| matches!(of, NameChange::Made(path, _) if path == from));
                    let made: NameChange = left.remove(made.unwrap());
                    keep(&mut self.names, &made);
                }
                keep(&mut self.names, &change);
            } else {
                left.push(change);
            }
        }
        self.pending_names = left;
    }

    /// Every tree that a power loss could leave now.
    pub(crate) fn states(&self) -> Vec<Tree> {
        let names: Vec<Names> = self.name_variants();
        let (no_names, all_names) = (&self.names, &self.now);
        let certain = self.files.clone();
        let mut all = certain.clone();
        for (file, changes) in &self.pending_bytes {
            all[*file] = applied(&self.files[*file], changes);
        }
        let mut states: Vec<Tree> = Vec::new();
        for names in &names {
            states.extend([tree(names, &certain), tree(names, &all)]);
        }
        for (file, changes) in &self.pending_bytes {
            for bytes in byte_variants(&self.files[*file], changes) {
                for (names, others) in
                    [(no_names, &certain), (no_names, &all), (all_names, &certain), (all_names, &all)]
                {
                    let mut files = others.clone();
                    files[*file] = Arc::clone(&bytes);
                    states.push(tree(names, &files));
                }
            }
        }
        states
    }

    fn name_variants(&self) -> Vec<Names> {
        let pending = &self.pending_names;
        let count = pending.len();
        let kept = |wanted: &dyn Fn(usize) -> bool| {
            let mut names = self.names.clone();
            pending
                .iter()
                .enumerate()
                .filter(|(at, _)| wanted(*at))
                .for_each(|(_, change)| keep(&mut names, change));
            names
        };
        if count <= EVERY_SUBSET {
            return (0..1_usize << count).map(|subset| kept(&|at| subset >> at & 1 == 1)).collect();
        }
        let beginnings = (0..=count).map(|end| kept(&|at| at < end));
        let lost = (0..count).map(|one| kept(&|at| at != one));
        let alone = (0..count).map(|one| kept(&|at| at == one));
        beginnings.chain(lost).chain(alone).collect()
    }
}

/// Carries out a change of names where that is possible.
fn keep(names: &mut Names, change: &NameChange) {
    match change {
        NameChange::Made(path, node) => {
            names.insert(path.clone(), *node);
        }
        NameChange::Renamed(from, to) => {
            if let Some(node) = names.remove(from) {
                names.insert(to.clone(), node);
            }
        }
        NameChange::Removed(path) => {
            names.remove(path);
        }
    }
}

fn write(bytes: &mut Vec<u8>, change: &ByteChange) {
    match change {
        ByteChange::Length(length) => bytes.resize(*length, 0),
        ByteChange::Written(at, new) => {
            let end = at + new.len();
            bytes.resize(bytes.len().max(end), 0);
            bytes[*at..end].copy_from_slice(new);
        }
    }
}

fn applied<'a>(before: &Bytes, changes: impl IntoIterator<Item = &'a ByteChange>) -> Bytes {
    let mut bytes = before.as_ref().clone();
    changes.into_iter().for_each(|change| write(&mut bytes, change));
    Arc::new(bytes)
}

fn byte_variants(before: &Bytes, changes: &[ByteChange]) -> Vec<Bytes> {
    let mut variants: Vec<Bytes> = (0..=changes.len()).map(|end| applied(before, &changes[..end])).collect();
    for lost in 0..changes.len() {
        variants.push(applied(
            before,
            changes.iter().enumerate().filter(|(at, _)| *at != lost).map(|(_, of)| of),
        ));
    }
    for torn in [changes.len() / 2, changes.len() - 1] {
        for half in halves(&changes[torn]) {
            let around = changes.iter().enumerate();
            variants.push(applied(before, around.map(|(at, of)| if at == torn { &half } else { of })));
        }
    }
    // The length is there and the bytes are not.
    let mut zeros = before.as_ref().clone();
    zeros.resize(variants[changes.len()].len().max(zeros.len()), 0);
    variants.push(Arc::new(zeros));
    variants
}

/// Parts of a write: its first sector, its first half, its second half.
fn halves(change: &ByteChange) -> Vec<ByteChange> {
    let ByteChange::Written(at, bytes) = change else {
        return Vec::new();
    };
    let half = bytes.len() / 2;
    let sector = SECTOR.min(half);
    vec![
        ByteChange::Written(*at, bytes[..sector].to_vec()),
        ByteChange::Written(*at, bytes[..half].to_vec()),
        ByteChange::Written(at + half, bytes[half..].to_vec()),
    ]
}

/// The tree of these names; what lies in a folder that is not there is lost.
fn tree(names: &Names, files: &[Bytes]) -> Tree {
    let mut tree = Tree::new();
    for (path, node) in names {
        let reachable = path.parent().is_none_or(|folder| matches!(tree.get(folder), Some(None)));
        if reachable {
            tree.insert(
                path.clone(),
                match node {
                    Node::Folder => None,
                    Node::File(file) => Some(Arc::clone(&files[*file])),
                },
            );
        }
    }
    tree
}

/// Builds a tree in a folder that is not there yet.
pub(crate) fn build(tree: &Tree, root: &Path) {
    fs::create_dir_all(root).unwrap();
    for (path, bytes) in tree {
        match bytes {
            None => fs::create_dir_all(root.join(path)).unwrap(),
            Some(bytes) => fs::write(root.join(path), bytes.as_slice()).unwrap(),
        }
    }
}

/// What tells two trees apart.
pub(crate) fn fingerprint(tree: &Tree) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for (path, bytes) in tree {
        hasher.update(path.to_str().unwrap().as_bytes());
        hasher.update(&[0]);
        match bytes {
            None => hasher.update(&u64::MAX.to_le_bytes()),
            Some(bytes) => hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes),
        };
    }
    hasher.finalize().into()
}
