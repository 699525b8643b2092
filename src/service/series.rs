//! The series of the archive as the bus lists them: kept in memory, small, because people ask often and
//! the archive changes seldom.

use std::collections::HashSet;

use crate::archive::{Archive, ArchiveError, SeriesRecord};
use crate::download::completeness::{SeriesStatus, survey};
use crate::model::SeriesKey;
use crate::request::Lists;

/// Why a series of the list is late that nothing was ever fetched of.
const NEVER: &str = "never fetched";

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
    /// Why it is so, where that was told.
    pub(super) reason: String,
}

/// How many series there are of each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SeriesCounts {
    pub(super) all: u64,
    pub(super) current: u64,
    pub(super) late: u64,
    /// Of those, such as nothing was ever fetched of.
    pub(super) never: u64,
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
    /// Reads the catalogue, one series at a time, and adds what is `awaited` and not in it.
    pub(super) fn read(
        archive: &Archive,
        lists: &Lists,
        awaited: &[Awaited],
        now: i64,
    ) -> Result<SeriesIndex, ArchiveError> {
        let version = archive.version()?;
        let mut rows = Vec::new();
        survey(
            archive,
            now,
            |_| true,
            |key| lists.has(key),
            |record, _, status| {
                let reason = reason(&record, status);
                let SeriesRecord { key, first, last, bars, .. } = record;
                rows.push(SeriesRow { key, first, last, bars, status, reason });
            },
        )?;
        let stored: HashSet<&SeriesKey> = rows.iter().map(|row| &row.key).collect();
        let never = awaited.iter().filter(|of| !stored.contains(&of.key)).map(Awaited::row);
        let never: Vec<SeriesRow> = never.collect();
        rows.extend(never);
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

/// A series that runs bring up to date by themselves.
#[derive(Clone, Debug)]
pub(super) struct Awaited {
    pub(super) key: SeriesKey,
    /// Why the provider does not serve it.
    pub(super) unserved: Option<String>,
}

impl Awaited {
    /// What is shown of it as long as nothing was fetched.
    fn row(&self) -> SeriesRow {
        let (status, reason) = match &self.unserved {
            Some(why) => (SeriesStatus::Failed, why.clone()),
            None => (SeriesStatus::Late, NEVER.to_owned()),
        };
        SeriesRow { key: self.key.clone(), first: None, last: None, bars: 0, status, reason }
    }
}

/// What the catalogue has of the reason.
fn reason(record: &SeriesRecord, status: SeriesStatus) -> String {
    let state = &record.state;
    let told = match status {
        SeriesStatus::Held => state.held.clone(),
        SeriesStatus::Suspect => state.suspect.clone(),
        SeriesStatus::Failed => state.failure.as_ref().map(|failure| failure.text.clone()),
        SeriesStatus::Current | SeriesStatus::Late | SeriesStatus::Unlisted => None,
    };
    told.unwrap_or_default()
}

fn count(rows: &[SeriesRow]) -> SeriesCounts {
    let mut counts = SeriesCounts { all: rows.len() as u64, ..SeriesCounts::default() };
    for row in rows {
        match row.status {
            SeriesStatus::Current => counts.current += 1,
            SeriesStatus::Late => {
                counts.late += 1;
                counts.never += u64::from(row.reason == NEVER);
            }
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
