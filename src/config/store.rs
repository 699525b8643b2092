//! Changing the user's configuration file: whole or not at all, mode 0600, the rest of it as it was.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Table, TableLike};

use super::error::ConfigError;
use super::file::{self, Accept};
use super::load::check_syntax;
use super::settings::Config;
use super::sources::Sources;

/// Sets keys, given as (dotted path, value), in the file, which may be missing; comments and other
/// keys stay. Nothing is written where the result would not be valid.
pub fn set(sources: &Sources, file: &Path, values: &[(&str, toml_edit::Value)]) -> Result<(), ConfigError> {
    let name = file.display().to_string();
    let old = read_old(file)?.unwrap_or_default();
    // The reader's message may quote a line that holds a secret: ours does not.
    check_syntax(&name, &old)?;
    let mut document: DocumentMut =
        old.parse().map_err(|_| ConfigError::one(&name, "is not TOML; correct it first"))?;
    for (path, value) in values {
        let (sections, key) = path.rsplit_once('.').unwrap_or(("", path));
        let Some(table) = section(document.as_table_mut(), sections) else {
            let said = format!("{sections} is not a section; correct it first");
            return Err(ConfigError::one(&name, said));
        };
        table.insert(key, Item::Value(value.clone()));
    }
    let text = document.to_string();
    Config::check_text(&name, &text, sources)?;
    replace(file, &text)
}

/// The table of a dotted section, made where it is missing.
fn section<'a>(root: &'a mut dyn TableLike, path: &str) -> Option<&'a mut dyn TableLike> {
    let mut table = root;
    for part in path.split('.') {
        let mut new = Table::new();
        new.set_implicit(true);
        table = table.entry(part).or_insert(Item::Table(new)).as_table_like_mut()?;
    }
    Some(table)
}

/// Puts a whole new text in the place of the file, readable by the user alone. A pipe or a device
/// that stands there is written to and stays.
pub fn replace(file: &Path, text: &str) -> Result<(), ConfigError> {
    let name = file.display().to_string();
    let written = match file::look(file) {
        Err(error) => return Err(ConfigError::one(name, error.to_string())),
        Ok(None) => write_whole(file, text),
        // Where the file is a link, as with dotfiles kept elsewhere, the link stays.
        Ok(Some(there)) if there.is_file() => {
            fs::canonicalize(file).and_then(|target| write_whole(&target, text))
        }
        Ok(Some(_)) => {
            let written = write_into(file, text);
            return written.map_err(|error| ConfigError::one(name, format!("cannot be written: {error}")));
        }
    };
    let said = |error| format!("cannot be written: {error}; nothing was changed");
    written.map_err(|error| ConfigError::one(name, said(error)))
}

/// Keeps the file beside itself as `config.toml.old`; `None` where there is no file.
pub fn keep_old(file: &Path) -> Result<Option<PathBuf>, ConfigError> {
    let mut kept = file.as_os_str().to_owned();
    kept.push(".old");
    let kept = PathBuf::from(kept);
    let Some(text) = read_old(file)? else { return Ok(None) };
    replace(&kept, &text)?;
    Ok(Some(kept))
}

fn read_old(file: &Path) -> Result<Option<String>, ConfigError> {
    let old = file::read_text(file, Accept::File);
    old.map_err(|error| ConfigError::one(file.display().to_string(), error.to_string()))
}

/// Writes to what is no regular file, and is neither made nor cut.
fn write_into(file: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(file)?.write_all(text.as_bytes())
}

fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut new = file.as_os_str().to_owned();
    new.push(format!(".{}.new", std::process::id()));
    let new = PathBuf::from(new);
    let written = write_new(&new, text)
        .and_then(|()| fs::rename(&new, file))
        .and_then(|()| File::open(folder)?.sync_all());
    if written.is_err() {
        // Whether or not it is there: the first error is the one to tell.
        let _ = fs::remove_file(&new);
    }
    written
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
