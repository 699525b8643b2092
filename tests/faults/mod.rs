//! Runs the real binary with a library before it that records what it changes on the disk, or lets a change
//! fail (`faults.c` says how).
#![allow(dead_code)] // Each test target uses its own part of this.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The library, compiled once.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/faults.c");
        // Each process has its own: two may be at it at once.
        let library =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-{}.so", std::process::id()));
        let built =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).status();
        assert!(
            built.expect("missing: cc, the C compiler").success(),
            "tests/faults/faults.c does not compile"
        );
        library
    })
}

/// The command with the library before it, looking at what lies below `root`.
fn watched<'a>(command: &'a mut Command, root: &Path) -> &'a mut Command {
    command.env("LD_PRELOAD", library()).env("FAULTS_ROOT", root)
}

/// The command will record every change below `root` in `log`.
pub(crate) fn recorded<'a>(command: &'a mut Command, root: &Path, log: &Path) -> &'a mut Command {
    watched(command, root).env("FAULTS_LOG", log)
}

/// The command will take every file system for one of a network, where no write-ahead log works.
pub(crate) fn on_a_network(command: &mut Command) -> &mut Command {
    command.env("FAULTS_NETWORK", "1")
}

/// The command will write to `count` how many changes it made below `root`.
pub(crate) fn counted<'a>(command: &'a mut Command, root: &Path, count: &Path) -> &'a mut Command {
    watched(command, root).env("FAULTS_COUNT", count)
}

/// The `nth` change below `root` will fail with `errno`; `for_good` all from it on.
pub(crate) fn failing<'a>(
    command: &'a mut Command,
    root: &Path,
    nth: usize,
    errno: nix::errno::Errno,
    for_good: bool,
) -> &'a mut Command {
    let ending = if for_good { ":for-good" } else { "" };
    watched(command, root).env("FAULTS_FAIL", format!("{nth}:{}{ending}", errno as i32))
}

/// The `nth` opening or reading of a file below `root` will fail with an I/O error; where none is named, they are only
/// recorded.
pub(crate) fn unreadable<'a>(command: &'a mut Command, root: &Path, nth: Option<usize>) -> &'a mut Command {
    let nth = nth.map_or("-1".to_owned(), |nth| nth.to_string());
    watched(command, root).env("FAULTS_READ", format!("{nth}:{}", nix::errno::Errno::EIO as i32))
}

/// The command will be killed when it is about to make the `nth` change below `root`.
pub(crate) fn killed<'a>(command: &'a mut Command, root: &Path, nth: u64) -> &'a mut Command {
    watched(command, root).env("FAULTS_KILL", nth.to_string())
}

/// What the program changed, as `faults.c` writes it down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// C made, T emptied, W written, L cut to length, S synced, R renamed, U removed, M folder made, and where reading
    /// is watched O opened, I read; small letters for what was made to fail.
    pub(crate) kind: char,
    /// The file's number on its file system.
    pub(crate) number: u64,
    /// The place of the bytes, or the length.
    pub(crate) at: u64,
    /// Below the root.
    pub(crate) path: PathBuf,
    /// The new name of a rename.
    pub(crate) other: PathBuf,
    pub(crate) bytes: Vec<u8>,
}

/// Reads a log.
pub(crate) fn changes(log: &Path, root: &Path) -> Vec<Change> {
    let bytes = std::fs::read(log).unwrap();
    let mut rest = bytes.as_slice();
    let mut changes = Vec::new();
    while !rest.is_empty() {
        let mut number = || u64::from_le_bytes(*take(&mut rest, 8).as_array().unwrap());
        let [kind, file, at, name, other, count] = [(); 6].map(|()| number());
        let mut text = |length: u64| {
            let text = std::str::from_utf8(take(&mut rest, length)).unwrap();
            Path::new(text).strip_prefix(root).unwrap_or(Path::new(text)).to_owned()
        };
        let (path, other) = (text(name), text(other));
        let bytes = take(&mut rest, count).to_vec();
        let kind = char::from(u8::try_from(kind).unwrap());
        changes.push(Change { kind, number: file, at, path, other, bytes });
    }
    changes
}

fn take<'a>(rest: &mut &'a [u8], count: u64) -> &'a [u8] {
    let (taken, left) = rest.split_at(usize::try_from(count).unwrap());
    *rest = left;
    taken
}
