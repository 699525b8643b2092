//! Checking files that need not belong to an archive.

use std::path::{Path, PathBuf};

use super::super::{ArchiveError, csv, files, layout, parquet, rolls};
use super::strays::closed;
use super::{Finding, Kind, check_bars, compare_twin, content, finding};

/// Checks CSV and Parquet files that need not belong to an archive: what can be told from them alone.
pub fn verify_path(path: &Path) -> Result<Vec<Finding>, ArchiveError> {
    let mut below = files::Below::default();
    match path.is_dir() {
        true => below.walk(path),
        false => below.files.push(path.to_owned()),
    }
    let mut found: Vec<Finding> = below.closed.iter().map(closed).collect();
    for path in below.files.into_iter().filter(|path| !rolls::is_table(path)) {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("csv") => check_loose_csv(&path, &mut found)?,
            Some("parquet") => {
                if let Err(said) = parquet::open(&path) {
                    found.push(finding(&path, Kind::Unreadable, said));
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Whether a file is a CSV or a Parquet by its name.
pub fn is_of_bars(path: &Path) -> bool {
    path.extension().is_some_and(|of| of == "csv" || of == "parquet")
}

fn check_loose_csv(path: &Path, found: &mut Vec<Finding>) -> Result<(), ArchiveError> {
    let Some(bytes) = content(path, found)? else {
        return Ok(());
    };
    let Some(columns) = csv::columns_of(&bytes) else {
        let said = "line 1, column 1: not a header of a Vortex CSV, which begins with Datetime,Open,High,Low,Close,Volume";
        found.push(finding(path, Kind::Unreadable, said));
        return Ok(());
    };
    match csv::decode(&bytes, columns) {
        Ok(bars) => check_bars(path, &bars, found),
        Err(error) => found.push(finding(path, Kind::Unreadable, error.to_string())),
    }
    let twin = path.with_extension("parquet");
    let words: Vec<_> = path.iter().rev().take(5).collect();
    let place =
        (4..=words.len()).find_map(|n| layout::place_of(&words.iter().take(n).rev().collect::<PathBuf>()));
    if let (Some((key, partition)), Ok(bars), true) = (place, csv::decode(&bytes, columns), twin.exists()) {
        compare_twin(&twin, &key, &partition, &bars, found);
    }
    Ok(())
}
