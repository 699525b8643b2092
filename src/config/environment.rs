//! The layer of environment variables, with `.env` files and systemd's credentials.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::Problem;
use super::file::{self, Accept, FileError};
use super::fragment::{Fragment, unknown};
use super::keys::{self, KEYS, Key, OTHER_VARIABLES};
use super::kind::Kind;
use super::sources::Sources;

/// A variable and where it is set.
struct Variable {
    value: String,
    origin: String,
}

/// Reads `VORTEX_*`, with `<NAME>_FILE` before `<NAME>`, then systemd's credentials before both.
pub(super) fn read(sources: &Sources) -> Fragment {
    let mut fragment = Fragment::default();
    let mut variables = variables(sources, &mut fragment);
    for key in KEYS {
        // The first name wins, so it is read last.
        let plain = key.env.iter().rev().map(|name| (*name).to_owned());
        let files = key.env.iter().rev().map(|name| format!("{name}_FILE"));
        for name in plain {
            if let Some(variable) = variables.remove(&name) {
                fragment.take(key, key.path, &variable.value, variable.origin);
            }
        }
        for name in files {
            if let Some(variable) = variables.remove(&name) {
                fragment.take_file(sources, key, key.path, &variable);
            }
        }
    }
    for (name, variable) in variables {
        fragment.take_other(sources, &name, &variable);
    }
    fragment.read_credentials(sources);
    fragment
}

/// All `VORTEX_*` that are set and not empty: `.env`, `.env.local`, the environment; later wins.
fn variables(sources: &Sources, fragment: &mut Fragment) -> BTreeMap<String, Variable> {
    let mut variables = BTreeMap::new();
    if sources.dotenv {
        for file in [".env", ".env.local"] {
            read_dotenv(&sources.working.join(file), fragment, &mut variables);
        }
    }
    for (name, value) in &sources.env {
        if name.starts_with("VORTEX_") {
            let origin = format!("environment {name}");
            let value = value.clone();
            variables.insert(name.clone(), Variable { value, origin });
        }
    }
    // Compose files pass on what is not set as an empty text; only a schedule means something empty.
    variables.retain(|name, variable| !variable.value.is_empty() || name == "VORTEX_SCHEDULE");
    variables
}

/// Reads the `VORTEX_*` lines of a `.env` file; other lines belong to others.
fn read_dotenv(path: &Path, fragment: &mut Fragment, into: &mut BTreeMap<String, Variable>) {
    // A folder of that name is somebody's virtual environment.
    if path.is_dir() {
        return;
    }
    let text = match file::read_text(path, Accept::File) {
        Ok(Some(text)) => text,
        Ok(None) => return,
        // It may belong to somebody else.
        Err(FileError::Io(error)) => {
            fragment.notices.push(format!("{}: skipped: {error}", path.display()));
            return;
        }
        Err(error) => {
            fragment.problems.push(Problem::new(path.display().to_string(), error.to_string()));
            return;
        }
    };
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        if let Some((name, value)) = line.split_once('=')
            && name.starts_with("VORTEX_")
        {
            let variable =
                Variable { value: unquoted(value), origin: format!("{}:{}", path.display(), at + 1) };
            into.insert(name.trim_end().to_owned(), variable);
        }
    }
}

/// A value of a `.env` line: quoted, or up to a comment.
fn unquoted(value: &str) -> String {
    let value = value.trim();
    for quote in ['"', '\''] {
        if let Some((inner, _)) = value.strip_prefix(quote).and_then(|v| v.split_once(quote)) {
            return inner.to_owned();
        }
    }
    let end = value.find(" #").unwrap_or(value.len());
    value.get(..end).unwrap_or_default().trim_end().to_owned()
}

impl Fragment {
    fn take(&mut self, key: &Key, path: &str, text: &str, origin: String) {
        self.note_old_provider(key.kind, &origin, path, Some(text.trim()));
        match key.kind.read_text(text) {
            Ok(value) => self.insert(path, value, origin),
            Err(said) => self.problems.push(Problem::new(origin, format!("{path} {said}"))),
        }
    }

    /// Takes a value from the file that a `<NAME>_FILE` names.
    fn take_file(&mut self, sources: &Sources, key: &Key, path: &str, variable: &Variable) {
        let file = sources.absolute(&variable.value);
        match file::read_value(&file).and_then(|text| text.ok_or(FileError::Missing)) {
            Ok(text) => {
                let origin = format!("{} ({})", file.display(), variable.origin);
                self.take(key, path, &text, origin);
            }
            Err(error) => self
                .problems
                .push(Problem::new(variable.origin.clone(), format!("{} {error}", file.display()))),
        }
    }

    /// Takes `VORTEX__SECTION__KEY`; any other name is not known.
    fn take_other(&mut self, sources: &Sources, name: &str, variable: &Variable) {
        let Some(rest) = name.strip_prefix("VORTEX__") else {
            if OTHER_VARIABLES.contains(&name) {
                if !sources.env.contains_key(name) {
                    let said = format!("{name} is read from the environment alone");
                    self.warnings.push(format!("{}: {said}", variable.origin));
                }
            } else {
                let said = "is not a variable of Vortex and was not read";
                match keys::nearest_variable(name) {
                    Some(near) => {
                        self.warnings.push(format!("{}: {said}; did you mean {near}?", variable.origin));
                    }
                    // Such as those that Kubernetes makes of the name of a service.
                    None => self.notices.push(format!("{}: {said}", variable.origin)),
                }
            }
            return;
        };
        let path = rest.to_ascii_lowercase().replace("__", ".");
        let plain = path.strip_suffix("_file").unwrap_or(&path);
        if let Some(key) = keys::find(&path) {
            self.take(key, &path, &variable.value, variable.origin.clone());
        } else if let Some(key) = keys::find(plain) {
            self.take_file(sources, key, plain, variable);
        } else {
            let said = unknown("key", &path);
            self.problems.push(Problem::new(variable.origin.clone(), said));
        }
    }

    /// systemd's credentials come before everything else.
    fn read_credentials(&mut self, sources: &Sources) {
        let Some(folder) = sources.variable("CREDENTIALS_DIRECTORY") else {
            return;
        };
        for name in ["username", "password", "api_key"] {
            let file = Path::new(folder).join(format!("barchart.{name}"));
            let path = format!("providers.barchart.{name}");
            match file::read_value(&file) {
                Ok(Some(text)) => match Kind::Secret.read_text(&text) {
                    Ok(value) => self.insert(&path, value, format!("credential {}", file.display())),
                    Err(said) => {
                        let place = format!("credential {}", file.display());
                        self.problems.push(Problem::new(place, format!("{path} {said}")));
                    }
                },
                Ok(None) => {}
                Err(error) => {
                    self.problems.push(Problem::new(file.display().to_string(), error.to_string()));
                }
            }
        }
    }
}
