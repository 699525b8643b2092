//! Which files there are.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

/// A file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Where it is.
    pub path: PathBuf,
    /// Why it is not looked into.
    pub aside: Option<Aside>,
}

/// Why a file or folder is not looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aside {
    /// It is nothing to import.
    PassedOver(String),
    /// Something to import may be in it, and it cannot be read.
    Unreadable(String),
}

/// Endings that a browser gives a file while it downloads it.
const UNFINISHED: [&str; 4] = ["crdownload", "part", "partial", "download"];

/// The files named, and those below the folders named, in the order of their paths. What belongs to a CSV (its side
/// file, its Parquet twin) is not listed. `archive` is never read from.
pub fn list(paths: &[PathBuf], archive: &Path) -> Vec<Listed> {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    let archive = std::fs::canonicalize(archive).ok();
    for path in paths {
        match std::fs::metadata(path) {
            Ok(about) if about.is_dir() => walk(path, archive.as_deref(), &mut found),
            Ok(about) if about.is_file() => found.push(look_at(path.clone(), true)),
            Ok(_) => found.push(pass_over(path.clone(), "it is neither a file nor a folder")),
            Err(error) => found.push(unreadable(path.clone(), &error)),
        }
    }
    found.retain(|listed| seen.insert(listed.path.clone()));
    found
}

fn pass_over(path: PathBuf, why: &str) -> Listed {
    Listed { path, aside: Some(Aside::PassedOver(why.to_owned())) }
}

fn unreadable(path: PathBuf, error: &io::Error) -> Listed {
    Listed { path, aside: Some(Aside::Unreadable(format!("it cannot be read: {error}"))) }
}

fn walk(folder: &Path, archive: Option<&Path>, found: &mut Vec<Listed>) {
    if archive.is_some() && std::fs::canonicalize(folder).ok().as_deref() == archive {
        return found.push(pass_over(folder.to_owned(), "it is the archive itself"));
    }
    if folder.join(".vortex").is_dir() {
        let why = "it is an archive of this Vortex: copy the folder whole, it needs no import";
        return found.push(pass_over(folder.to_owned(), why));
    }
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return found.push(unreadable(folder.to_owned(), &error)),
    };
    let entries = entries.map(|entry| entry.map(|entry| entry.path()));
    for path in sorted(folder, entries, found) {
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        // A link to a folder may lead in circles; one to a file is a file.
        let link = std::fs::symlink_metadata(&path).is_ok_and(|about| about.is_symlink());
        match std::fs::metadata(&path) {
            _ if hidden => {}
            Ok(about) if about.is_dir() && link => {
                found.push(pass_over(path, "it is a link to a folder: name it itself to import it"));
            }
            Ok(about) if about.is_dir() => walk(&path, archive, found),
            Ok(about) if about.is_file() && belongs_to_csv(&path) => {}
            Ok(about) if about.is_file() => found.push(look_at(path, false)),
            Ok(_) => found.push(pass_over(path, "it is neither a file nor a folder")),
            Err(error) => found.push(unreadable(path, &error)),
        }
    }
}

/// The entries of a folder in the order of their names. Where some cannot be read, that is told of the folder.
fn sorted(
    folder: &Path,
    entries: impl Iterator<Item = io::Result<PathBuf>>,
    found: &mut Vec<Listed>,
) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for entry in entries {
        match entry {
            Ok(path) => paths.push(path),
            Err(error) => found.push(unreadable(folder.to_owned(), &error)),
        }
    }
    paths.sort();
    paths
}

fn look_at(path: PathBuf, named: bool) -> Listed {
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    if UNFINISHED.contains(&ending.as_str()) {
        return pass_over(path, "it is still being downloaded");
    }
    match named || ending == "csv" {
        true => Listed { path, aside: None },
        false => pass_over(path, "it is no CSV"),
    }
}

/// Whether a file says something about a CSV beside it, or repeats it: `X.csv.json`, `X.parquet`,
/// `X.parquet.json`.
fn belongs_to_csv(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(OsStr::to_str) else { return false };
    let csv = match name.strip_suffix(".json") {
        Some(csv) if csv.ends_with(".csv") => csv.to_owned(),
        rest => match rest.unwrap_or(name).strip_suffix(".parquet") {
            Some(stem) => format!("{stem}.csv"),
            None => return false,
        },
    };
    path.with_file_name(csv).is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_csv_is_told_and_what_belongs_to_one_is_not() {
        let place = tempfile::tempdir().unwrap();
        let names = [
            "a.csv",
            "a.csv.json",
            "a.parquet",
            "a.parquet.json",
            "B.CSV",
            "b.parquet",
            "c.csv.crdownload",
            "d.txt",
            ".hidden.csv",
        ];
        for name in names {
            std::fs::write(place.path().join(name), "").unwrap();
        }
        std::fs::create_dir_all(place.path().join("mine/.vortex")).unwrap();
        let found = list(&[place.path().to_owned(), place.path().join("d.txt")], Path::new("/nowhere"));
        let told: Vec<_> = found
            .iter()
            .map(|listed| {
                let name = listed.path.file_name().unwrap().to_str().unwrap();
                let why = match &listed.aside {
                    Some(Aside::PassedOver(why)) => why.split(' ').nth(2).unwrap(),
                    Some(Aside::Unreadable(why)) => why.as_str(),
                    None => "taken",
                };
                (name, why)
            })
            .collect();
        let expected = [
            ("B.CSV", "taken"),
            ("a.csv", "taken"),
            ("b.parquet", "no"),
            ("c.csv.crdownload", "still"),
            ("d.txt", "no"),
            ("mine", "an"),
        ];
        assert_eq!(told, expected);
        let itself = list(&[place.path().join("mine")], &place.path().join("mine"));
        assert_eq!(itself[0].aside, Some(Aside::PassedOver("it is the archive itself".to_owned())));
    }

    #[test]
    fn links_to_folders_and_entries_that_cannot_be_read_are_told() {
        let place = tempfile::tempdir().unwrap();
        let (named, linked) = (place.path().join("named"), place.path().join("linked"));
        std::fs::create_dir_all(&named).unwrap();
        std::fs::create_dir_all(&linked).unwrap();
        std::fs::write(linked.join("a.csv"), "").unwrap();
        let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, named.join(name)).unwrap();
        link(&linked, "folder");
        link(&named, "circle");
        link(&linked.join("a.csv"), "file.csv");
        link(Path::new("/nowhere/at all"), "nothing.csv");
        let archive = Path::new("/nowhere");
        let found = list(std::slice::from_ref(&named), archive);
        let names: Vec<_> = found.iter().map(|listed| listed.path.strip_prefix(&named).unwrap()).collect();
        assert_eq!(names, ["circle", "file.csv", "folder", "nothing.csv"].map(Path::new));
        let words = "it is a link to a folder: name it itself to import it".to_owned();
        assert_eq!(found[2].aside, Some(Aside::PassedOver(words)), "{found:?}");
        assert!(found[1].aside.is_none(), "a link to a file is a file: {found:?}");
        assert!(matches!(found[3].aside, Some(Aside::Unreadable(_))), "{found:?}");
        assert_eq!(list(&[named.join("folder")], archive)[0].path, named.join("folder/a.csv"));

        let mut told = Vec::new();
        let entries = [Ok(named.join("b")), Err(io::Error::other("a torn page")), Ok(named.join("a"))];
        let paths = sorted(&named, entries.into_iter(), &mut told);
        assert_eq!(paths, [named.join("a"), named.join("b")]);
        assert_eq!(told, [unreadable(named.clone(), &io::Error::other("a torn page"))]);
    }
}
