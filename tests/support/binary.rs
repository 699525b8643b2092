//! The `vortex` binary as people run it: in a home of its own, with nothing of the real environment.
#![allow(dead_code)] // Each test target uses its own part of this.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

/// A person's home, and the archive where it is by default.
pub(crate) struct Home(TempDir);

/// How a run of the binary ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Home {
    pub(crate) fn new() -> Home {
        Home(tempfile::tempdir().unwrap())
    }

    /// A home whose configuration is this and nothing else.
    pub(crate) fn configured(text: &str) -> Home {
        let home = Home::new();
        let folder = home.path(".config/vortex");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("config.toml"), text).unwrap();
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file below the home, with its folders.
    pub(crate) fn put(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The archive's folder, as nobody configured another.
    pub(crate) fn archive(&self) -> PathBuf {
        self.path(".local/share/vortex")
    }

    /// A file of the archive.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.archive().join(name)
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vortex"));
        command
            .env_clear()
            .env("HOME", self.0.path())
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .args(args);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().unwrap())
    }

    /// Runs it, and fails the test where it does not end with this code.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32, args: &[&str]) -> Ran {
        self.run(args).ends(code)
    }

    pub(crate) fn start(&self, args: &[&str]) -> Running {
        Running(self.command(args).spawn().unwrap())
    }

    /// All CSVs of the archive, by their path in it.
    pub(crate) fn csvs(&self) -> BTreeMap<PathBuf, String> {
        csvs_below(&self.archive())
    }
}

impl Ran {
    pub(crate) fn of(output: Output) -> Ran {
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Fails the test where the run ended with another code, or by a panic.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "out: {}\nerr: {}", self.out, self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }

    /// Fails the test where this is nowhere in what was printed.
    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Ran {
        let said = format!("{}{}", self.out, self.err);
        assert!(said.contains(words), "no {words:?} in: {said}");
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error} in: {}\nerr: {}", self.out, self.err))
    }
}

/// A run that has not ended; it is killed where the test forgets it.
pub(crate) struct Running(Child);

impl Running {
    /// Reads standard error until a line has these words in it.
    #[track_caller]
    pub(crate) fn until_it_says(&mut self, words: &str) {
        let mut lines = BufReader::new(self.0.stderr.as_mut().unwrap()).lines();
        let found = lines.any(|line| line.unwrap().contains(words));
        assert!(found, "it ended without saying {words:?}");
    }

    /// Ctrl-C is SIGINT.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        nix::sys::signal::kill(id, signal).unwrap();
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ran {
        let (out, err) = (self.0.stdout.take().unwrap(), self.0.stderr.take().unwrap());
        let err = std::thread::spawn(move || std::io::read_to_string(err).unwrap());
        let out = std::io::read_to_string(out).unwrap();
        let status = self.0.wait().unwrap();
        Ran { code: status.code().unwrap_or(-1), out, err: err.join().unwrap() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// All CSVs below a folder, by their path in it.
pub(crate) fn csvs_below(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "csv") {
                let name = path.strip_prefix(root).unwrap().to_owned();
                found.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}
