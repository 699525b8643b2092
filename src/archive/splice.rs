//! What a partition holds after a change. New bars go behind what stays, and what stays is copied as it
//! is, so that the cost of an update follows what is new.

use super::PartitionRecord;
use super::csv;
use super::parquet::Kept;
use crate::model::{Bars, SeriesKey};

/// The Parquet twin that stands beside a CSV.
pub(super) enum Twin {
    /// None is to be written.
    Unwanted,
    /// One is to be written, and there is none to copy from.
    Lost,
    /// The file, as the catalogue has it.
    AsRecorded(Vec<u8>),
}

/// A CSV, cut before the first row that news touch.
pub(super) struct Cut<'a> {
    csv: &'a [u8],
    /// Where the rows begin that news touch, and how many they are.
    at: usize,
    touched: usize,
    /// Has hashed what stays, for the old file and the new one.
    hasher: blake3::Hasher,
}

impl<'a> Cut<'a> {
    /// Cuts a file that is looked at for the first time: nothing of it is taken for granted.
    pub(super) fn before(csv: &'a [u8], news: &Bars) -> Cut<'a> {
        let touched = csv::count_since(csv, news.times.first().copied().unwrap_or(i64::MAX));
        let mut cut = Cut { csv, at: csv::last_rows(csv, touched), touched, hasher: blake3::Hasher::new() };
        cut.hasher.update(cut.kept());
        cut
    }

    /// What stays, header included.
    fn kept(&self) -> &'a [u8] {
        self.csv.get(..self.at).unwrap_or_default()
    }

    /// The file's hash, in hex.
    pub(super) fn hash_of_all(&self) -> String {
        hex(&self.hasher, self.csv.get(self.at..).unwrap_or_default())
    }
}

/// The hash of what was hashed already and what follows.
fn hex(hasher: &blake3::Hasher, rest: &[u8]) -> String {
    hasher.clone().update(rest).finalize().to_hex().to_string()
}

/// The bars of a partition after a change, some of them as the bytes they already are.
pub(super) struct Body<'a> {
    /// The beginning of the old CSV, header included; empty where all is written anew. And its hash.
    csv: &'a [u8],
    hasher: blake3::Hasher,
    /// The beginning of the old twin.
    pub(super) twin: Kept,
    /// How many bars stand before `bars`, and the stamp of the first of them.
    before: Option<(usize, i64)>,
    /// The bars behind the kept beginning of the twin.
    pub(super) bars: Bars,
    /// Where in `bars` those begin that the kept CSV does not hold.
    from: usize,
    /// Bars that were not there.
    pub(super) added: u64,
    /// Bars that were there with other values.
    pub(super) changed: u64,
}

impl<'a> Body<'a> {
    /// These bars, and nothing of what was there.
    pub(super) fn whole(bars: Bars) -> Body<'a> {
        let added = bars.len() as u64;
        Body {
            csv: &[],
            hasher: blake3::Hasher::new(),
            twin: Kept::nothing(),
            before: None,
            bars,
            from: 0,
            added,
            changed: 0,
        }
    }

    /// Stored bars with news among or behind them; `cut` is the file as recorded, cut before those news. An
    /// error says what is wrong with it.
    pub(super) fn splice(
        key: &SeriesKey,
        record: &PartitionRecord,
        cut: Cut<'a>,
        twin: Twin,
        news: &Bars,
    ) -> Result<Body<'a>, String> {
        let stored = usize::try_from(record.bars).map_err(|e| e.to_string())?;
        let touched = cut.touched.min(stored);
        let (twin, before) = match twin {
            Twin::Unwanted => (Kept::nothing(), stored - touched),
            Twin::Lost => (Kept::nothing(), 0),
            Twin::AsRecorded(file) => {
                // One that cannot be read is made anew.
                let kept = Kept::of(file, stored, stored - touched).unwrap_or_else(|_| Kept::nothing());
                let before = kept.rows;
                (kept, before)
            }
        };
        let old = csv::decode_last(cut.csv, stored - before, key.columns()).map_err(|e| e.to_string())?;
        if old.len() != stored - before {
            return Err(format!("it does not have the {stored} bars of the catalogue"));
        }
        let bars = Bars::merge(&old, news);
        let added = bars.len() - old.len();
        Ok(Body {
            csv: cut.kept(),
            hasher: cut.hasher,
            twin,
            before: (before > 0).then_some((before, record.first)),
            bars,
            from: old.len() - touched,
            added: added as u64,
            changed: (news.len() - added) as u64,
        })
    }

    /// The CSV, as the bytes that stay and those behind them. An error names a value that no CSV can hold.
    pub(super) fn csv(&self) -> Result<(&'a [u8], Vec<u8>), String> {
        let rows = match self.csv {
            [] => csv::encode(&self.bars)?,
            _ => csv::encode_rows(&self.bars, self.from)?,
        };
        Ok((self.csv, rows))
    }

    /// The hash of the CSV that ends with these rows, in hex.
    pub(super) fn hash_with(&self, rows: &[u8]) -> String {
        hex(&self.hasher, rows)
    }

    /// How many bars in all.
    pub(super) fn len(&self) -> usize {
        self.before.map_or(0, |(count, _)| count) + self.bars.len()
    }

    /// The first and last stamp of all.
    pub(super) fn bounds(&self) -> Option<(i64, i64)> {
        let (first, last) = self.bars.bounds()?;
        Some((self.before.map_or(first, |(_, first)| first), last))
    }
}
