//! The table of rolls beside a continuous series that Vortex derived. It can be made again from the contracts,
//! so the catalogue does not know it; it is written whole, by the commit of its bars.

use std::path::{Path, PathBuf};

use super::{Archive, ArchiveError, Prepared, Writer, files, layout, prepare};
use crate::model::SeriesKey;

/// The end of its name.
const ENDING: &str = ".rolls.tsv";

/// Whether a file in an archive is such a table.
pub(super) fn is_table(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(ENDING))
}

/// Where it lies below the archive's folder: beside the CSV of its series, or beside the folder of its parts.
fn place(key: &SeriesKey) -> Result<PathBuf, ArchiveError> {
    Ok(files::with_ending(&layout::series_path(key)?.with_extension(""), ENDING))
}

impl Archive {
    /// Where the table of a series lies.
    pub fn rolls_path(&self, key: &SeriesKey) -> Result<PathBuf, ArchiveError> {
        Ok(self.root().join(place(key)?))
    }

    /// The table of a series, as it is there.
    pub fn rolls(&self, key: &SeriesKey) -> Result<Option<Vec<u8>>, ArchiveError> {
        files::read(&self.rolls_path(key)?)
    }
}

/// Adds a table to what is to be committed.
pub(super) fn prepare(writer: &Writer, prepared: &mut Prepared, table: &[u8]) -> Result<(), ArchiveError> {
    let place = place(&prepared.series.key)?;
    let root = writer.archive.root();
    files::check_target(root, &root.join(&place))?;
    let hash = files::hash(table);
    prepared.series.rolls = Some(prepare::temp(writer, &mut prepared.temps, place, &[table], hash)?);
    Ok(())
}
