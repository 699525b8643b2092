//! Reading the files that configuration names, looked at before they are opened: a pipe that nobody
//! writes to would be waited for without end, and a device does more than be read.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::disk;

/// The longest file that is read; a list of a hundred thousand instruments has a few of them.
const LONGEST: u64 = 16 << 20;
/// The longest file that holds one value, such as a password.
const LONGEST_VALUE: u64 = 64 << 10;

/// What may stand where a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept {
    /// A regular file, for all that is looked up.
    File,
    /// A pipe too, where the person names it on the command line: `--assets <(make-list)`.
    FileOrPipe,
}

/// Why a file cannot be read or written; told after its path.
#[derive(Debug, Error)]
pub enum FileError {
    /// Nothing is there.
    #[error("is not there")]
    Missing,
    /// A folder, a pipe or a device stands there.
    #[error("is not a regular file but a {0}; put a file there, or take it away")]
    NotRegular(&'static str),
    /// A symbolic link that leads nowhere.
    #[error("is a link to {}, which is not there; make that file, or remove the link", .0.display())]
    Dangling(PathBuf),
    /// The text has another encoding.
    #[error("is not UTF-8; save the file as UTF-8")]
    NotUtf8,
    /// More than any such file has.
    #[error("is longer than {} KiB, which no such file is; is it the right one?", .0 >> 10)]
    TooLong(u64),
    /// The system's words. They are told here, so they are no `source` to be told again.
    #[error("cannot be read: {0}")]
    Io(io::Error),
}

/// What a path leads to, links followed; `None` where there is nothing.
pub fn look(path: &Path) -> Result<Option<Metadata>, FileError> {
    match fs::metadata(path) {
        Ok(there) => Ok(Some(there)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::read_link(path) {
            Ok(target) => Err(FileError::Dangling(target)),
            Err(_) => Ok(None),
        },
        Err(error) => Err(FileError::Io(error)),
    }
}

/// Reads a file; `None` where there is none.
pub fn read(path: &Path, accept: Accept) -> Result<Option<Vec<u8>>, FileError> {
    read_up_to(path, accept, LONGEST)
}

/// Reads a file that holds one value, without the end of its line; `None` where there is none.
pub fn read_value(path: &Path) -> Result<Option<String>, FileError> {
    let Some(bytes) = read_up_to(path, Accept::File, LONGEST_VALUE)? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|_| FileError::NotUtf8)?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Reads a file of at most so many bytes; `None` where there is none.
pub fn read_up_to(path: &Path, accept: Accept, longest: u64) -> Result<Option<Vec<u8>>, FileError> {
    let Some(there) = look(path)? else { return Ok(None) };
    let kind = there.file_type();
    let accepted = kind.is_file() || (accept == Accept::FileOrPipe && kind.is_fifo());
    if !accepted {
        return Err(FileError::NotRegular(disk::kind(kind)));
    }
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(longest + 1).read_to_end(&mut bytes)) {
        Ok(_) if bytes.len() as u64 > longest => Err(FileError::TooLong(longest)),
        Ok(_) => Ok(Some(bytes)),
        // It went away since it was looked at.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::Io(error)),
    }
}

/// Reads a file of text; `None` where there is none.
pub fn read_text(path: &Path, accept: Accept) -> Result<Option<String>, FileError> {
    let Some(bytes) = read(path, accept)? else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|_| FileError::NotUtf8)
}

/// Reads a file of text that must be there.
pub fn read_named(path: &Path, accept: Accept) -> Result<String, FileError> {
    read_text(path, accept)?.ok_or(FileError::Missing)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    #[test]
    fn only_a_regular_file_is_read_where_it_is_looked_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "text").unwrap();
        symlink(path("file"), path("link")).unwrap();
        mkfifo(&path("pipe"), Mode::S_IRWXU).unwrap();
        assert_eq!(read_text(&path("link"), Accept::File).unwrap().as_deref(), Some("text"));
        assert!(read(&path("nothing"), Accept::File).unwrap().is_none());
        for (place, kind) in [(path("pipe"), "pipe"), (path(""), "folder"), ("/dev/zero".into(), "device")] {
            let said = read(&place, Accept::File).unwrap_err().to_string();
            assert!(said.contains(&format!("is not a regular file but a {kind}")), "{said}");
        }
    }

    #[test]
    fn a_file_that_is_too_long_is_refused_and_not_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        // With holes: as long as memory is not.
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let said = [read(&path, Accept::File).unwrap_err(), read_value(&path).unwrap_err()];
        let [file, value] = said.map(|error| error.to_string());
        assert!(file.contains("16384 KiB") && value.contains("64 KiB"), "{file} {value}");
        File::create(&path).unwrap().set_len(LONGEST_VALUE).unwrap();
        assert!(read_value(&path).is_ok());
    }

    #[test]
    fn a_pipe_that_is_named_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        let to = pipe.clone();
        let writer = std::thread::spawn(move || fs::write(to, "text").unwrap());
        assert_eq!(read_named(&pipe, Accept::FileOrPipe).unwrap(), "text");
        writer.join().unwrap();
    }

    #[test]
    fn a_link_that_leads_nowhere_is_not_a_missing_file() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        symlink("/nowhere/else.toml", &link).unwrap();
        let said = read(&link, Accept::File).unwrap_err().to_string();
        assert!(said.contains("is a link to /nowhere/else.toml, which is not there"), "{said}");
    }
}
