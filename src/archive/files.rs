//! Writing, syncing and hashing files; errors with the path they are about.

use std::collections::BTreeSet;
use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use nix::unistd::{AccessFlags, access, geteuid};
use rustix::fs::{AtFlags, CWD, StatxFlags, statx};

use super::{ArchiveError, layout};
use crate::disk;

/// What is tried where a folder is looked at before a commit promises to write in it.
pub(super) const WRITE_IN: &str = "write in the folder";

/// Gives an I/O error its path and what was tried.
pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ArchiveError {
    let path = path.to_owned();
    move |source| ArchiveError::Io { what, path, source }
}

/// blake3 in hex.
pub(super) fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// A path with something at the end of its name.
pub(super) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// A file's content, `None` where there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, ArchiveError> {
    // A pipe would be waited for, a folder is no file.
    if let Some(found) = fs::metadata(path).ok().filter(|found| !found.is_file()) {
        return Err(in_the_way(path, found.file_type(), "file"));
    }
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io("read", path)(error)),
    }
}

/// The last `length` bytes of a file; `None` where it is shorter, no file, or was written to after `written`,
/// in seconds since the epoch.
pub(super) fn end_of(path: &Path, written: i64, length: usize) -> Result<Option<Vec<u8>>, ArchiveError> {
    // A pipe would be waited for when it is opened.
    if !fs::metadata(path).is_ok_and(|found| found.is_file() && found.mtime() <= written) {
        return Ok(None);
    }
    let read = || {
        let file = File::open(path)?;
        let Some(from) = file.metadata()?.len().checked_sub(length as u64) else { return Ok(None) };
        let mut end = vec![0; length];
        file.read_exact_at(&mut end, from)?;
        Ok(Some(end))
    };
    read().map_err(io("read", path))
}

/// Writes a new file, given in parts, and syncs it. After a failed sync the kernel may have dropped the pages and
/// say nothing the next time, so it is never tried again on the same file.
pub(super) fn write_synced(path: &Path, parts: &[&[u8]]) -> Result<(), ArchiveError> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(io("create", path))?;
    parts.iter().try_for_each(|part| file.write_all(part)).map_err(io("write", path))?;
    file.sync_all().map_err(io("fsync", path))
}

/// Syncs a folder, so that what was created, renamed or removed in it stays so.
pub(super) fn sync_folder(path: &Path) -> Result<(), ArchiveError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(io("fsync", path))
}

/// Syncs the folders above a path, as far as this user may read them.
pub(super) fn sync_above(path: &Path) -> Result<(), ArchiveError> {
    let mut above = path.ancestors().skip(1).take_while(|folder| access(*folder, AccessFlags::R_OK).is_ok());
    above.try_for_each(sync_folder)
}

/// Makes a folder with its parents where they are not there, each on disk when this returns.
pub(super) fn make_lasting_folder(path: &Path) -> Result<(), ArchiveError> {
    if path.is_dir() {
        return Ok(());
    }
    // The parent of a relative name without one is where we are.
    let parent = path.parent().map(|parent| if parent == Path::new("") { Path::new(".") } else { parent });
    // One that is there and no folder is told below, with the name that was wanted.
    if let Some(parent) = parent.filter(|parent| !parent.exists()) {
        make_lasting_folder(parent)?;
    }
    fs::create_dir(path)
        .or_else(|error| if path.is_dir() { Ok(()) } else { Err(error) })
        .map_err(io("make the folder", path))?;
    parent.map_or(Ok(()), sync_folder)
}

/// Makes a folder below `root` with its parents, but not `root`: where that is gone, so is its disk.
/// Every folder that got a new entry is added to `touched`.
pub(super) fn make_folder(
    root: &Path,
    path: &Path,
    touched: &mut BTreeSet<PathBuf>,
) -> Result<(), ArchiveError> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|_| path != root) {
        make_folder(root, parent, touched)?;
        touched.insert(parent.to_owned());
    } else {
        return Err(io("open", path)(io::ErrorKind::NotFound.into()));
    }
    fs::create_dir(path)
        .or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Ok(()),
            _ => Err(error),
        })
        .map_err(io("make the folder", path))
}

/// Renames a file, or says that a mount is in the way.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), ArchiveError> {
    fs::rename(from, to).map_err(|error| match error.kind() {
        io::ErrorKind::CrossesDevices => mounted(to),
        _ => io("rename to", to)(error),
    })
}

/// Removes a file that may be gone already.
pub(super) fn remove(path: &Path) -> Result<(), ArchiveError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Refuses a path below `root` that no file could be renamed to or removed from: what stands in the way
/// is told before an intent promises the rename, for whoever cannot keep that promise can write nothing
/// more. Another file system is in the way too: renaming onto it would be a copy, which can be half-written.
pub(super) fn check_target(root: &Path, path: &Path) -> Result<(), ArchiveError> {
    if let Ok(found) = fs::symlink_metadata(path)
        && !found.is_file()
        && !found.is_symlink()
    {
        return Err(in_the_way(path, found.file_type(), "file"));
    }
    let nearest = path.ancestors().find(|place| place.exists()).unwrap_or(root);
    let of = fs::metadata(nearest).map_err(io("look at", nearest))?;
    if mount(nearest)? != mount(root)? {
        return Err(mounted(nearest));
    }
    let folder = if nearest == path { path.parent().unwrap_or(root) } else { nearest };
    if nearest != path && !of.is_dir() {
        return Err(in_the_way(nearest, of.file_type(), "folder"));
    }
    if is_kept_from_us(folder, path) {
        return Err(io(WRITE_IN, path)(io::ErrorKind::PermissionDenied.into()));
    }
    access(folder, AccessFlags::W_OK | AccessFlags::X_OK).map_err(|errno| io(WRITE_IN, folder)(errno.into()))
}

/// Whether a file is another user's in a folder where everybody may replace his own alone, as `/tmp` is.
fn is_kept_from_us(folder: &Path, file: &Path) -> bool {
    let me = geteuid();
    let theirs = |path: &Path| fs::symlink_metadata(path).is_ok_and(|of| of.uid() != me.as_raw());
    let sticky = fs::metadata(folder).is_ok_and(|of| of.mode() & Mode::S_ISVTX.bits() != 0);
    sticky && !me.is_root() && theirs(folder) && theirs(file)
}

/// The number of the mount that holds a path: names are moved within one alone. Devices do not tell, as those
/// of an overlay's files differ, and those of two mounts of one disk do not.
fn mount(path: &Path) -> Result<u64, ArchiveError> {
    let told = statx(CWD, path, AtFlags::empty(), StatxFlags::MNT_ID);
    told.map(|told| told.stx_mnt_id).map_err(|errno| io("look at", path)(errno.into()))
}

/// Something else stands where a file or folder is to be.
fn in_the_way(path: &Path, found: FileType, wanted: &str) -> ArchiveError {
    let said = format!("is a {}, and a {wanted} is to be here", disk::kind(found));
    ArchiveError::InTheWay { path: path.to_owned(), said }
}

/// Refuses links in Vortex's own folder, and whatever stands in its place: what is written and emptied there must
/// lie in the archive.
pub(super) fn check_own(root: &Path) -> Result<(), ArchiveError> {
    for folder in [layout::OWN, layout::TMP, layout::REVISIONS].map(|name| root.join(name)) {
        match fs::symlink_metadata(&folder) {
            Ok(found) if !found.is_dir() => return Err(in_the_way(&folder, found.file_type(), "folder")),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(io("look at", &folder)(error)),
        }
        for entry in fs::read_dir(&folder).map_err(io("list", &folder))? {
            let entry = entry.map_err(io("list", &folder))?;
            let found = entry.file_type().map_err(io("list", &folder))?;
            if found.is_symlink() {
                let said = "is a link, and nothing in this folder may be one".to_owned();
                return Err(ArchiveError::InTheWay { path: entry.path(), said });
            }
        }
    }
    Ok(())
}

fn mounted(path: &Path) -> ArchiveError {
    ArchiveError::Refused(format!(
        "{} lies on another file system than the archive around it: an archive must be one file system, so mount all of it or move this folder elsewhere",
        path.display()
    ))
}

/// What lies below a folder.
#[derive(Debug, Default)]
pub(super) struct Below {
    /// Every file, in the order of their paths.
    pub(super) files: Vec<PathBuf>,
    /// The folders that cannot be looked into, and why.
    pub(super) closed: Vec<(PathBuf, io::Error)>,
}

impl Below {
    /// Looks through a folder too; nothing where no such folder is there. Links are not followed, and what
    /// begins with a dot is not looked at.
    pub(super) fn walk(&mut self, folder: &Path) {
        match fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
            Ok(mut entries) => {
                entries.retain(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."));
                entries.sort_by_key(fs::DirEntry::file_name);
                for entry in entries {
                    match entry.file_type() {
                        Ok(kind) if kind.is_dir() => self.walk(&entry.path()),
                        Ok(kind) if kind.is_file() => self.files.push(entry.path()),
                        Ok(_) => {}
                        Err(error) => self.closed.push((entry.path(), error)),
                    }
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(error) => self.closed.push((folder.to_owned(), error)),
        }
    }
}

/// Every file below a folder, in the order of their paths; an error where any of it cannot be looked into.
pub(super) fn walk(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut below = Below::default();
    below.walk(folder);
    match below.closed.pop() {
        Some((path, error)) => Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
        None => Ok(below.files),
    }
}

/// Files in `.vortex/tmp` that are removed again unless they are kept.
#[derive(Debug)]
pub(super) struct TempFiles {
    folder: PathBuf,
    names: Vec<String>,
}

impl TempFiles {
    /// None yet.
    pub(super) fn new(folder: PathBuf) -> TempFiles {
        TempFiles { folder, names: Vec::new() }
    }

    /// Writes and syncs one.
    pub(super) fn write(&mut self, name: &str, parts: &[&[u8]]) -> Result<(), ArchiveError> {
        self.names.push(name.to_owned());
        write_synced(&self.folder.join(name), parts)
    }

    /// An intent answers for them from now on.
    pub(super) fn keep(&mut self) {
        self.names.clear();
    }
}

impl Drop for TempFiles {
    fn drop(&mut self) {
        // A stopped process would not get here either.
        if super::crash::stopped() {
            return;
        }
        for name in &self.names {
            // What stays is removed at the next start.
            let _ = fs::remove_file(self.folder.join(name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_inside_is_refused_in_words() {
        // /proc is another file system than / wherever tests run.
        let error = check_target(Path::new("/"), Path::new("/proc/self/x/y")).unwrap_err();
        assert!(error.to_string().contains("another file system"), "{error}");
    }

    #[test]
    fn whatever_stands_in_the_way_of_a_file_is_told() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        fs::create_dir_all(at("a/folder")).unwrap();
        fs::write(at("a/file"), "x").unwrap();
        for good in ["new", "a/new", "a/file", "b/c/new"] {
            check_target(root.path(), &at(good)).unwrap();
        }
        for (bad, said) in
            [("a/folder", "is a folder, and a file"), ("a/file/new", "is a file, and a folder")]
        {
            let error = check_target(root.path(), &at(bad)).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn temporary_files_go_unless_kept() {
        let folder = tempfile::tempdir().unwrap();
        for (keep, left) in [(false, 0), (true, 1)] {
            let mut temps = TempFiles::new(folder.path().to_owned());
            temps.write("a", &[b"x"]).unwrap();
            if keep {
                temps.keep();
            }
            drop(temps);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), left);
        }
    }
}
