//! Changing the user's configuration file: whole or not at all, mode 0600, the rest of it as it was.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Table, TableLike};

use super::error::ConfigError;
use super::load::check_syntax;
use super::settings::Config;
use super::sources::Sources;

/// Sets keys, given as (dotted path, value), in the file, which may be missing; comments and other
/// keys stay. Nothing is written where the result would not be valid.
pub fn set(sources: &Sources, file: &Path, values: &[(&str, toml_edit::Value)]) -> Result<(), ConfigError> {
    let name = file.display().to_string();
    let old = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(ConfigError::one(name, format!("cannot be read: {error}"))),
    };
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

/// Puts a whole new text in the place of the file, readable by the user alone.
pub fn replace(file: &Path, text: &str) -> Result<(), ConfigError> {
    // Where the file is a link, as with dotfiles kept elsewhere, the link stays.
    let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    write_whole(&target, text).map_err(|error| cannot_write(file, &error))
}

/// Keeps the file beside itself as `config.toml.old`; `None` where there is no file.
pub fn keep_old(file: &Path) -> Result<Option<PathBuf>, ConfigError> {
    let mut kept = file.as_os_str().to_owned();
    kept.push(".old");
    let kept = PathBuf::from(kept);
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot_write(&kept, &error)),
    };
    write_whole(&kept, &text).map_err(|error| cannot_write(&kept, &error))?;
    Ok(Some(kept))
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

fn cannot_write(file: &Path, error: &io::Error) -> ConfigError {
    let said = format!("cannot be written: {error}; nothing was changed");
    ConfigError::one(file.display().to_string(), said)
}
