//! A log file that is rotated by size: `vortex.log`, `vortex.log.1` (the newest old one), ….
//!
//! Several processes may write one file; whoever finds it too large rotates it, the others go on in
//! what is then an old file until they find that one too large.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// An open log file.
#[derive(Debug)]
pub(super) struct RotatingFile {
    path: PathBuf,
    file: File,
    size: u64,
    max_size: u64,
    keep: u8,
}

impl RotatingFile {
    /// Opens or makes the file, and its folder. Only the user may read it.
    pub(super) fn open(path: &Path, max_size: u64, keep: u8) -> io::Result<RotatingFile> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = append_to(path)?;
        let size = file.metadata()?.len();
        Ok(RotatingFile { path: path.to_owned(), file, size, max_size, keep })
    }

    /// Moves every old file one number up, and the last one away.
    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..self.keep).rev() {
            let old = self.numbered(number);
            if old.exists() {
                fs::rename(old, self.numbered(number + 1))?;
            }
        }
        fs::rename(&self.path, self.numbered(1))?;
        self.file = append_to(&self.path)?;
        self.size = self.file.metadata()?.len();
        Ok(())
    }

    fn numbered(&self, number: u8) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

impl Write for RotatingFile {
    /// Writes a whole line; a line is never cut in two by a rotation.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let length = line.len() as u64;
        if self.size > 0 && self.size + length > self.max_size {
            // Where the folder may no longer be written, a larger file is better than a lost line.
            let _ = self.rotate();
        }
        self.file.write_all(line)?;
        self.size += length;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn old_files_are_numbered_and_the_last_one_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/vortex.log");
        let mut log = RotatingFile::open(&path, 10, 2).unwrap();
        for line in ["first 1\n", "second 2\n", "third 3\n", "fourth 4\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        let read = |end: &str| fs::read_to_string(format!("{}{end}", path.display())).ok();
        assert_eq!(read("").as_deref(), Some("fourth 4\n"));
        assert_eq!(read(".1").as_deref(), Some("third 3\n"));
        assert_eq!(read(".2").as_deref(), Some("second 2\n"));
        assert_eq!(read(".3"), None);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_there_is_continued() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vortex.log");
        for _ in 0..2 {
            let mut log = RotatingFile::open(&path, 100, 2).unwrap();
            log.write_all(b"line\n").unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "line\nline\n");
    }
}
