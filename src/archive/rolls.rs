//! The table of rolls beside a continuous series that Vortex derived. It can be made again from the contracts,
//! so the catalogue does not know it; it is written after the commit of its bars, and whole.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Archive, ArchiveError, Writer, files, layout};
use crate::model::SeriesKey;

/// The end of its name.
const ENDING: &str = ".rolls.tsv";

/// Whether a file in an archive is such a table.
pub(super) fn is_table(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(ENDING))
}

impl Archive {
    /// Where the table of a series lies: beside its CSV, or beside the folder of its parts.
    pub fn rolls_path(&self, key: &SeriesKey) -> Result<PathBuf, ArchiveError> {
        let series = layout::series_path(key)?.with_extension("");
        Ok(self.root().join(files::with_ending(&series, ENDING)))
    }

    /// The table of a series, as it is there.
    pub fn rolls(&self, key: &SeriesKey) -> Result<Option<Vec<u8>>, ArchiveError> {
        files::read(&self.rolls_path(key)?)
    }
}

impl Writer {
    /// Replaces the table of a series.
    pub fn write_rolls(&self, key: &SeriesKey, table: &[u8]) -> Result<(), ArchiveError> {
        let (root, path) = (self.archive.root(), self.archive.rolls_path(key)?);
        files::check_target(root, &path)?;
        let folder = path.parent().unwrap_or(root);
        let mut touched = BTreeSet::from([folder.to_owned()]);
        files::make_folder(root, folder, &mut touched)?;
        let temp = root.join(layout::TMP).join("rolls");
        files::remove(&temp)?;
        files::write_synced(&temp, &[table])?;
        files::rename(&temp, &path)?;
        touched.iter().try_for_each(|folder| files::sync_folder(folder))
    }
}
