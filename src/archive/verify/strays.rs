//! What lies in an archive and belongs to no series.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::super::{Archive, ArchiveError, files, layout, rolls};
use super::{Finding, Kind, finding};
use crate::config::keys::PROVIDERS;
use crate::model::Class;

impl Archive {
    /// Files that no series of the catalogue has, and what was left in tmp.
    pub(super) fn verify_strays(&self, known: &HashSet<PathBuf>) -> Result<Vec<Finding>, ArchiveError> {
        let root = self.root();
        let mut found = Vec::new();
        let below = bar_files(root)?;
        found.extend(below.closed.iter().map(closed));
        for path in below.files {
            if path.strip_prefix(root).is_ok_and(|relative| !known.contains(relative)) {
                let said =
                    "the catalogue does not know it; `vortex archive rebuild` takes it over where it can";
                found.push(finding(&path, Kind::Unknown, said));
            }
        }
        let tmp = root.join(layout::TMP);
        let mut below = files::Below::default();
        below.walk(&tmp);
        found.extend(below.closed.iter().map(closed));
        for path in below.files {
            found.push(match path.parent() == Some(&tmp) {
                true => {
                    let said = "left by a commit that did not happen; the next writer removes it";
                    finding(&path, Kind::Leftover, said)
                }
                false => finding(&path, Kind::Unknown, "it is none of Vortex's; move it away"),
            });
        }
        Ok(found)
    }
}

/// A folder that cannot be looked into.
pub(super) fn closed((path, why): &(PathBuf, std::io::Error)) -> Finding {
    finding(path, Kind::Unreadable, format!("this folder cannot be looked into: {why}"))
}

/// Every file in the folders of providers and classes, whatever it is, but tables of rolls.
pub(in crate::archive) fn bar_files(root: &Path) -> Result<files::Below, ArchiveError> {
    let mut found = files::Below::default();
    let mut providers: Vec<PathBuf> = std::fs::read_dir(root)
        .map_err(files::io("list", root))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    providers.sort();
    for provider in providers {
        match std::fs::read_dir(&provider) {
            Ok(_) => Class::ALL.iter().for_each(|class| found.walk(&provider.join(class.folder()))),
            // Other folders beside them, as `lost+found`, are nobody's business.
            Err(error) if PROVIDERS.iter().any(|name| provider.ends_with(name)) => {
                found.closed.push((provider, error));
            }
            Err(_) => {}
        }
    }
    found.files.retain(|path| !rolls::is_table(path));
    Ok(found)
}
