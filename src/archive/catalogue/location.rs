//! Where the catalogue of an archive lives.

use std::path::{Path, PathBuf};

use nix::sys::statfs::statfs;

use super::{Catalogue, Journal};
use crate::archive::{ArchiveError, files, layout};

/// NFS, SMB 1 to 3, CIFS: file systems whose clients do not share memory between machines.
const NETWORK: [u32; 4] = [0x6969, 0x517b, 0xfe53_4d42, 0xff53_4d42];

/// Opens the catalogue of an archive: beside its files, or in the state folder where their file
/// system cannot do a WAL. The second value is what a person should know of it.
pub(in crate::archive) fn open_for(
    root: &Path,
    state: &Path,
) -> Result<(Catalogue, Vec<String>), ArchiveError> {
    if !is_network(root) {
        let own = own(root);
        if let Some(catalogue) = Catalogue::open(&own, Journal::Wal)? {
            return Ok((catalogue, Vec::new()));
        }
    }
    open_in_state(root, state)
}

/// Opens the catalogue of an archive for reading, wherever it lives; nothing is made. The second value
/// is what a person should know of it.
pub(in crate::archive) fn open_to_read(
    root: &Path,
    state: &Path,
) -> Result<(Catalogue, Vec<String>), ArchiveError> {
    let (own, elsewhere) = (own(root), in_state(root, state));
    let path = if elsewhere.exists() && (is_network(root) || !own.exists()) { elsewhere } else { own };
    let (catalogue, notice) = Catalogue::open_to_read(&path)?;
    Ok((catalogue, notice.into_iter().collect()))
}

/// The database's path beside the files.
pub(in crate::archive) fn own(root: &Path) -> PathBuf {
    root.join(layout::OWN).join("catalogue.db")
}

fn open_in_state(root: &Path, state: &Path) -> Result<(Catalogue, Vec<String>), ArchiveError> {
    files::make_lasting_folder(state)?;
    let path = in_state(root, state);
    if !path.exists() {
        // Others make this folder as well, and do not wait until it lasts.
        files::sync_above(state)?;
    }
    let catalogue = Catalogue::open(&path, Journal::Rollback)?
        .ok_or_else(|| ArchiveError::Refused(format!("{} cannot be opened", path.display())))?;
    let notice = format!(
        "the file system of {} cannot hold the catalogue's write-ahead log; the catalogue lives in {}",
        root.display(),
        path.display()
    );
    Ok((catalogue, vec![notice]))
}

/// The database's path in the state folder, named after the archive's.
pub(in crate::archive) fn in_state(root: &Path, state: &Path) -> PathBuf {
    let hash = files::hash(root.as_os_str().as_encoded_bytes());
    state.join(format!("catalogue-{:.16}.db", hash))
}

fn is_network(root: &Path) -> bool {
    // The kernel's numbers are 32 bits wide, whatever the field that carries them.
    statfs(root).is_ok_and(|of| NETWORK.contains(&(of.filesystem_type().0 as u32)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalogue_in_the_state_folder_says_so_and_works() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let (catalogue, notices) = open_in_state(folder.path(), &state).unwrap();
        assert!(catalogue.path().starts_with(&state));
        assert!(notices[0].contains("write-ahead log"));
        catalogue.change(|t| crate::archive::ledger::start_job(t, "a", "", 0)).unwrap();
        let again = catalogue.again().unwrap();
        assert_eq!(again.read(|c| crate::archive::ledger::jobs(c, 9)).unwrap().len(), 1);
        assert_ne!(in_state(Path::new("/a"), &state), in_state(Path::new("/b"), &state));
        assert!(!is_network(folder.path()));
    }
}
