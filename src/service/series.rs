//! The series of the archive as the bus lists them: kept in memory, small, because people ask often and
//! the archive changes seldom.

use crate::archive::{Archive, ArchiveError, SeriesRecord};
use crate::download::completeness::{SeriesStatus, survey};
use crate::model::SeriesKey;
use crate::request::Lists;

/// One series.
#[derive(Clone, Debug)]
pub(super) struct SeriesRow {
    pub(super) key: SeriesKey,
    /// Stamp of the first stored bar, in seconds since the epoch.
    pub(super) first: Option<i64>,
    /// Stamp of the last stored bar.
    pub(super) last: Option<i64>,
    pub(super) bars: u64,
    pub(super) status: SeriesStatus,
}

/// How many series there are of each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SeriesCounts {
    pub(super) all: u64,
    pub(super) current: u64,
    pub(super) late: u64,
    /// Late, and on no list.
    pub(super) unlisted: u64,
    pub(super) suspect: u64,
    pub(super) failed: u64,
    pub(super) held: u64,
}

/// All series at one moment.
#[derive(Debug, Default)]
pub(super) struct SeriesIndex {
    pub(super) rows: Vec<SeriesRow>,
    /// Bytes of all files.
    pub(super) bytes: u64,
    /// When it was made, in seconds since the epoch.
    pub(super) made: i64,
    /// The catalogue's version then.
    pub(super) version: i64,
    counts: SeriesCounts,
}

impl SeriesIndex {
    /// Reads the catalogue, one series at a time.
    pub(super) fn read(archive: &Archive, lists: &Lists, now: i64) -> Result<SeriesIndex, ArchiveError> {
        let version = archive.version()?;
        let mut rows = Vec::new();
        survey(
            archive,
            now,
            |_| true,
            |key| lists.has(key),
            |record, _, status| {
                let SeriesRecord { key, first, last, bars, .. } = record;
                rows.push(SeriesRow { key, first, last, bars, status });
            },
        )?;
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        rows.shrink_to_fit();
        let counts = count(&rows);
        Ok(SeriesIndex { rows, bytes: archive.bytes()?, made: now, version, counts })
    }

    /// The series of each state, counted.
    pub(super) fn counts(&self) -> SeriesCounts {
        self.counts
    }
}

fn count(rows: &[SeriesRow]) -> SeriesCounts {
    let mut counts = SeriesCounts { all: rows.len() as u64, ..SeriesCounts::default() };
    for row in rows {
        match row.status {
            SeriesStatus::Current => counts.current += 1,
            SeriesStatus::Late => counts.late += 1,
            SeriesStatus::Unlisted => counts.unlisted += 1,
            SeriesStatus::Suspect => counts.suspect += 1,
            SeriesStatus::Failed => counts.failed += 1,
            SeriesStatus::Held => counts.held += 1,
        }
    }
    counts
}

/// Whether a name fits a pattern in which `*` stands for any characters and `?` for any one.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => (p, n) = (p + 1, n + 1),
            _ => match star {
                // The last star takes one more.
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, n) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("AAPL", "AAPL", true)]
    #[case("A*", "AAPL", true)]
    #[case("*PL", "AAPL", true)]
    #[case("?APL", "AAPL", true)]
    #[case("A*L*", "AAPL", true)]
    #[case("A?", "AAPL", false)]
    #[case("", "AAPL", false)]
    #[case("*", "", true)]
    #[case("A*B", "AAB1B", true)]
    fn patterns_fit(#[case] pattern: &str, #[case] name: &str, #[case] fit: bool) {
        assert_eq!(fits(pattern, name), fit);
    }
}
