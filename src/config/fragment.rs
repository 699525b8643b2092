//! What one layer says: a flat list of keys and checked values, each with its origin.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, statvfs};
use toml::de::{DeTable, DeValue};

use super::error::Problem;
use super::file::{self, Accept, FileError};
use super::keys::{self, OLD_NAMES};
use super::kind::{Kind, Value};

/// A value and where it comes from.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The checked value.
    pub value: Value,
    /// A file with its line, a variable, an option, or `default`.
    pub origin: String,
}

/// What one layer says.
#[derive(Debug, Default)]
pub(super) struct Fragment {
    /// By dotted path.
    pub(super) values: BTreeMap<String, Entry>,
    /// What is wrong with it.
    pub(super) problems: Vec<Problem>,
    /// What a person should look at: old names, files that others may read.
    pub(super) warnings: Vec<String>,
    /// What is only worth a word to who asks for more.
    pub(super) notices: Vec<String>,
    /// It is the system's and may not be read.
    pub(super) skipped: bool,
}

/// Whose file it is; a system file may be readable by its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    System,
    User,
    /// The user's, named on the command line: it may be a pipe.
    Named,
}

impl Fragment {
    /// Reads a file that may be missing; one of the system's that may not be read is skipped.
    /// `None`: there is nothing to read.
    pub(super) fn of_file(path: &Path, owner: Owner) -> Option<Fragment> {
        let mut fragment = Fragment::default();
        let accept = if owner == Owner::Named { Accept::FileOrPipe } else { Accept::File };
        let bytes = match file::read(path, accept) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return None,
            Err(error) => {
                fragment.unreadable(path, owner, error);
                return Some(fragment);
            }
        };
        match std::str::from_utf8(&bytes) {
            Ok(text) => {
                fragment.read_toml(&path.display().to_string(), text);
                let secret = ["providers.barchart.password", "providers.barchart.api_key"];
                if secret.iter().any(|key| fragment.values.contains_key(*key)) {
                    fragment.check_mode(path, owner);
                }
            }
            Err(error) => {
                let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let line = 1 + before.iter().filter(|b| **b == b'\n').count();
                fragment.problems.push(Problem::new(
                    format!("{}:{line}", path.display()),
                    "is not UTF-8; save the file as UTF-8",
                ));
            }
        }
        Some(fragment)
    }

    /// Reads the text of a TOML file called `name`.
    pub(super) fn read_toml(&mut self, name: &str, text: &str) {
        // Some editors begin a file with a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (table, errors) = DeTable::parse_recoverable(text);
        if let Some(error) = errors.first() {
            // Only the parser's message: its own display quotes the line, which may hold a secret.
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            let message = error.message().trim().replace('\n', ", ");
            let problem = Problem::new(format!("{name}:{line}"), format!("is not TOML: {message}"));
            self.problems.push(problem);
            return;
        }
        self.read_table(&File { name, text }, "", table.get_ref());
    }

    fn read_table(&mut self, file: &File<'_>, above: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let plain = name.get_ref();
            let path = match above {
                // A quoted key with a dot is one name, not two.
                _ if plain.contains('.') => format!("{above}.\"{plain}\""),
                "" => plain.to_string(),
                _ => format!("{above}.{plain}"),
            };
            let place = file.place(name.span().start);
            self.read_key(file, &path, place, value.get_ref());
        }
    }

    fn read_key(&mut self, file: &File<'_>, path: &str, place: String, value: &DeValue<'_>) {
        let current = OLD_NAMES.iter().find(|(old, _)| *old == path);
        let path = match current {
            Some((old, new)) => {
                self.warnings.push(format!("{place}: {old} is an old name of {new}"));
                if self.values.contains_key(*new) {
                    return;
                }
                new
            }
            None => path,
        };
        match (keys::find(path), value) {
            (Some(key), value) => {
                self.note_old_provider(key.kind, &place, path, value.as_str());
                match key.kind.read_toml(value) {
                    Ok(value) => self.insert(path, value, place),
                    Err(said) => self.problems.push(Problem::new(place, format!("{path} {said}"))),
                }
            }
            (None, DeValue::Table(table)) if is_watchlist(path) && !is_good_name(path) => {
                let known = table.len();
                self.problems.push(Problem::new(place, format!(
                    "{path} (with {known} keys) has a name that cannot be used; allowed: letters, digits, - and _"
                )));
            }
            (None, DeValue::Table(table)) if keys::is_section(path) => {
                self.read_table(file, path, table);
            }
            (None, _) if keys::is_section(path) => {
                let said = format!("{path} is a section: write [{path}] and its keys below");
                self.problems.push(Problem::new(place, said));
            }
            (None, _) => self.problems.push(Problem::new(place, unknown("key", path))),
        }
    }

    /// Tells that `mock` is an old name, where it is used.
    pub(super) fn note_old_provider(&mut self, kind: Kind, place: &str, path: &str, text: Option<&str>) {
        if kind == Kind::Provider && text == Some("mock") {
            self.warnings.push(format!("{place}: {path}: mock is an old name of sample"));
        }
    }

    /// Takes a checked value.
    pub(super) fn insert(&mut self, path: &str, value: Value, origin: String) {
        self.values.insert(path.to_owned(), Entry { value, origin });
    }

    /// Something of the system's that may not be read is skipped, anything else is a problem.
    pub(super) fn unreadable(&mut self, path: &Path, owner: Owner, error: FileError) {
        match error {
            FileError::Io(error)
                if error.kind() == io::ErrorKind::PermissionDenied && owner == Owner::System =>
            {
                let said = "skipped, it may not be read";
                self.notices.push(format!("{}: {said}", path.display()));
                self.skipped = true;
            }
            error => self.problem(path, error.to_string()),
        }
    }

    fn problem(&mut self, path: &Path, said: String) {
        self.problems.push(Problem::new(path.display().to_string(), said));
    }

    /// A file with a password must not be readable by others. Where that is not in the user's hands
    /// (somebody else's file, a read-only mount) it is a warning.
    fn check_mode(&mut self, path: &Path, owner: Owner) {
        let Ok(metadata) = fs::metadata(path) else {
            return;
        };
        let (forbidden, wanted) = match owner {
            Owner::System => (0o007, "0640"),
            Owner::User | Owner::Named => (0o077, "0600"),
        };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & forbidden == 0 {
            return;
        }
        let said = format!(
            "holds a password or key and may be read by others (mode {mode:04o}): chmod {wanted} {}",
            path.display()
        );
        let own = metadata.uid() == nix::unistd::geteuid().as_raw();
        let read_only = statvfs(path).is_ok_and(|fs| fs.flags().contains(FsFlags::ST_RDONLY));
        if own && !read_only {
            self.problem(path, said);
        } else {
            self.warnings.push(format!("{}: {said}", path.display()));
        }
    }
}

/// The `*.toml` files of a `conf.d` folder, by name; a folder that is missing has none.
pub(super) fn files_of(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let mut files = Vec::new();
    if file::look(folder)?.is_none() {
        return Ok(files);
    }
    for entry in fs::read_dir(folder).map_err(FileError::Io)? {
        let path = entry.map_err(FileError::Io)?.path();
        if path.extension().is_some_and(|end| end == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The words for a name that nothing knows.
pub(super) fn unknown(what: &str, path: &str) -> String {
    match keys::nearest(path) {
        Some(near) => format!("unknown {what} {path}; did you mean {near}?"),
        None => format!("unknown {what} {path}; `vortex config --show` lists all keys"),
    }
}

fn is_watchlist(path: &str) -> bool {
    path.strip_prefix("watchlists.").is_some_and(|name| !name.contains('.') || name.contains('"'))
}

/// Watchlist names become names of units.
fn is_good_name(path: &str) -> bool {
    let name = path.trim_start_matches("watchlists.");
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !name.is_empty() && name.chars().all(plain)
}

struct File<'a> {
    name: &'a str,
    text: &'a str,
}

impl File<'_> {
    fn place(&self, offset: usize) -> String {
        format!("{}:{}", self.name, line_of(self.text, offset))
    }
}

/// The line of a byte, counted from 1.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or_default();
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}
