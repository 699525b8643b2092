//! Mending what can be mended from the other file of a pair. No value is ever invented: where both
//! are bad, the days are marked suspect, so that they are fetched again.

use std::path::PathBuf;

use super::prepare::{self, InPlace};
use super::{
    ArchiveError, Change, Content, PartitionRecord, SeriesRecord, SeriesState, Writer, csv, files, gaps,
    layout, parquet,
};
use crate::model::{Bars, Mark, SeriesKey};

/// What was done to a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// The Parquet was made again from the CSV.
    ParquetMade,
    /// The CSV was made again from the Parquet.
    CsvRestored,
    /// Neither can be trusted: the days are fetched again.
    MarkedSuspect,
    /// Days were recorded as present and had no bar: they are asked for again.
    GapsReopened,
    /// Something is in the way, and the series stays as it is; why.
    NotMended(String),
}

impl Repair {
    /// In words.
    pub fn words(&self) -> &str {
        match self {
            Repair::NotMended(why) => why,
            Repair::ParquetMade => "Parquet made again from the CSV",
            Repair::CsvRestored => "CSV restored from the Parquet",
            Repair::GapsReopened => "days without a bar; asked for again at the next update",
            Repair::MarkedSuspect => {
                "neither file can be trusted; fetched again at the next update, imported again by `vortex import`, or, a continuous series, made again by `vortex continuous`"
            }
        }
    }
}

/// One mended pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// The file that was bad; the CSV where both were, and where it has gaps or was not mended the file or
    /// folder of the series.
    pub path: PathBuf,
    /// What was done.
    pub repair: Repair,
}

/// Which file of a pair is to be believed.
enum Pair {
    Sound(Bars),
    /// The CSV is as recorded, the Parquet is not.
    Csv(Bars),
    /// The Parquet is as recorded, the CSV is not.
    Parquet(Bars),
    Neither,
}

impl Writer {
    /// Mends the pairs of the series that are `wanted`, or of all, and tells each as it is done. What is in the way
    /// of one series holds no other up. What was left in tmp is gone since this writer was opened.
    pub fn repair(
        &self,
        wanted: Option<&dyn Fn(&SeriesKey) -> bool>,
        tell: &mut dyn FnMut(Repaired),
    ) -> Result<(), ArchiveError> {
        for series in self.archive.all_series()? {
            if wanted.is_some_and(|wanted| !wanted(&series.key)) {
                continue;
            }
            let path = self.archive.root().join(layout::series_path(&series.key)?);
            match self.repair_series(series, tell) {
                Err(error) if error.is_of_one_series() => {
                    tell(Repaired { path, repair: Repair::NotMended(format!("not mended: {error}")) });
                }
                mended => mended?,
            }
        }
        Ok(())
    }

    fn repair_series(
        &self,
        series: SeriesRecord,
        tell: &mut dyn FnMut(Repaired),
    ) -> Result<(), ArchiveError> {
        let SeriesRecord { id, key, mut state, .. } = series;
        let mut stamps = Some(Vec::new());
        for record in self.archive.partitions(id)? {
            let csv = self.archive.root().join(&record.csv);
            let twin = self.archive.root().join(layout::parquet_path(&key, &record.name)?);
            let (path, repair, bars) = match self.judge(&key, &record)? {
                Pair::Sound(bars) => {
                    stamps.iter_mut().for_each(|stamps| stamps.extend(&bars.times));
                    continue;
                }
                Pair::Csv(bars) => (twin, Repair::ParquetMade, Some(bars)),
                Pair::Parquet(bars) => (csv, Repair::CsvRestored, Some(bars)),
                Pair::Neither => (csv, Repair::MarkedSuspect, None),
            };
            match &bars {
                Some(bars) => stamps.iter_mut().for_each(|stamps| stamps.extend(&bars.times)),
                None => {
                    mark_suspect(&key, &record.name, &mut state);
                    stamps = None;
                }
            }
            let prepared = prepare::prepare(
                self,
                Change {
                    key: key.clone(),
                    state: state.clone(),
                    partitions: bars
                        .map(|bars| (record.name.clone(), Content::Whole(bars)))
                        .into_iter()
                        .collect(),
                    restated: None,
                    fetched_at: record.written,
                    parquet: record.parquet_hash.is_some(),
                },
                InPlace::MayBeAnything,
            )?;
            self.commit(vec![prepared])?;
            tell(Repaired { path, repair });
        }
        match stamps {
            Some(stamps) => self.reopen_gaps(key, state, &stamps, tell),
            // With a part unread, every one of its days would look like a gap.
            None => Ok(()),
        }
    }

    /// Has the days asked for again that are recorded as present and have no bar.
    fn reopen_gaps(
        &self,
        key: SeriesKey,
        mut state: SeriesState,
        stamps: &[i64],
        tell: &mut dyn FnMut(Repaired),
    ) -> Result<(), ArchiveError> {
        let gaps = gaps::gaps(&key, &state, stamps);
        if gaps.is_empty() {
            return Ok(());
        }
        gaps.into_iter().for_each(|days| state.coverage.set(days, Mark::Unknown));
        // A gap at the end is not a day to come: it is due now.
        state.asked_at = 0;
        let path = self.archive.root().join(layout::series_path(&key)?);
        let only_state =
            Change { key, state, partitions: Vec::new(), restated: None, fetched_at: 0, parquet: false };
        let prepared = prepare::prepare(self, only_state, InPlace::MustBeAsRecorded)?;
        self.commit(vec![prepared])?;
        tell(Repaired { path, repair: Repair::GapsReopened });
        Ok(())
    }

    fn judge(&self, key: &SeriesKey, record: &PartitionRecord) -> Result<Pair, ArchiveError> {
        let csv = match self.archive.read_partition(key, record) {
            Ok(bars) => Some(bars),
            Err(ArchiveError::Edited { .. } | ArchiveError::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        let Some(hash) = &record.parquet_hash else {
            return Ok(csv.map_or(Pair::Neither, Pair::Sound));
        };
        let path = self.archive.root().join(layout::parquet_path(key, &record.name)?);
        let as_recorded = files::read(&path)?.is_some_and(|bytes| files::hash(&bytes) == *hash);
        let twin =
            as_recorded.then(|| parquet::read(&path, key, &record.name).ok()).flatten().map(|(bars, _)| bars);
        Ok(match (csv, twin) {
            (Some(csv), Some(twin)) if csv.same(&twin) => Pair::Sound(csv),
            (Some(csv), _) => Pair::Csv(csv),
            (None, Some(twin)) if restores(&twin, record) => Pair::Parquet(twin),
            (None, _) => Pair::Neither,
        })
    }
}

/// Whether the CSV of these bars is the recorded one: a twin left over from before a crash is not.
fn restores(twin: &Bars, record: &PartitionRecord) -> bool {
    csv::encode(twin).is_ok_and(|text| files::hash(&text) == record.csv_hash)
}

fn mark_suspect(key: &SeriesKey, partition: &str, state: &mut SeriesState) {
    let days = layout::partition_days(key, partition);
    if let Some(days) = state.coverage.known().and_then(|known| known.intersection(days)) {
        // Days without a session stay what they are.
        let with_bar = state.coverage.runs(days, |_, mark| mark == Mark::Present);
        for run in if with_bar.is_empty() { vec![days] } else { with_bar } {
            state.coverage.set(run, Mark::Suspect);
        }
    }
    state.suspect = Some(format!(
        "{} and its Parquet are both damaged",
        layout::csv_path(key, partition).map_or_else(|_| key.name(), |path| path.display().to_string())
    ));
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::archive::tests::{Place, bars, change, commit, key, stored};
    use crate::archive::verify::Kind;
    use crate::model::{Day, Period};

    const START: i64 = 1_701_388_800;

    fn mend(writer: &Writer) -> Vec<Repaired> {
        let mut done = Vec::new();
        writer.repair(None, &mut |repaired| done.push(repaired)).unwrap();
        done
    }

    #[test]
    fn each_file_is_made_again_from_the_other_and_verify_says_what_is_wrong() {
        let place = Place::new();
        let writer = place.writer();
        let archive = writer.archive();
        let key = key("AAPL", Period::D1);
        let good = bars(&key, START, 30, 5.0);
        commit(&writer, change(&key, &good));
        let csv = place.root().join("yahoo/stocks/1d/AAPL.csv");
        let twin = csv.with_extension("parquet");
        let kinds = || {
            let found = archive.verify(None).unwrap();
            found.into_iter().map(|finding| finding.kind).collect::<Vec<_>>()
        };
        assert_eq!(kinds(), []);
        for (bad, content, expected, repair) in [
            (&csv, Some("Datetime,Op"), vec![Kind::Altered, Kind::Unreadable], Repair::CsvRestored),
            (&csv, None, vec![Kind::Missing], Repair::CsvRestored),
            (&twin, Some("PAR1"), vec![Kind::Altered, Kind::Unreadable], Repair::ParquetMade),
            (&twin, None, vec![Kind::Missing], Repair::ParquetMade),
        ] {
            match content {
                Some(content) => fs::write(bad, content).unwrap(),
                None => fs::remove_file(bad).unwrap(),
            }
            assert_eq!(kinds(), expected);
            let done = mend(&writer);
            assert_eq!(done, [Repaired { path: bad.clone(), repair }]);
            assert_eq!(kinds(), []);
            assert!(stored(archive, &key).same(&good));
        }
        assert!(mend(&writer).is_empty());
    }

    #[test]
    fn a_present_day_without_a_bar_is_found_in_its_file_and_asked_for_again() {
        let place = Place::new();
        let writer = place.writer();
        let archive = writer.archive();
        for (key, bars_of, hole, file) in [
            (key("AAPL", Period::D1), 30, "2024-03-05", "1d/AAPL.csv"),
            (key("AAPL", Period::H1), 1000, "2023-12-30", "1h/AAPL/2023.csv"),
            (key("MSFT", Period::H1), 1000, "2025-01-02", "1h/MSFT"),
        ] {
            let mut change = change(&key, &bars(&key, START, bars_of, 5.0));
            let day: Day = hole.parse().unwrap();
            change.partitions.iter_mut().for_each(|(_, content)| {
                let mut bars = content.bars().between(0, day.midnight());
                bars.append(&content.bars().between(day.plus(2).midnight(), i64::MAX));
                *content = Content::Whole(bars);
            });
            change.state.coverage.set_day(day, Mark::Present);
            commit(&writer, change);
            let gaps: Vec<_> =
                archive.verify(None).unwrap().into_iter().filter(|of| of.kind == Kind::Gap).collect();
            let path = place.root().join("yahoo/stocks").join(file);
            assert!(gaps.iter().any(|of| of.path == path && of.detail.contains(hole)), "{gaps:?}");
            assert!(mend(&writer).iter().any(|of| of.repair == Repair::GapsReopened));
            assert_eq!(archive.series(&key).unwrap().unwrap().state.coverage.get(day), Mark::Unknown);
            assert!(archive.verify(None).unwrap().iter().all(|of| of.kind != Kind::Gap));
            assert!(mend(&writer).is_empty());
        }
    }

    #[test]
    fn where_both_are_bad_the_series_is_suspect_and_can_be_fetched_again() {
        let place = Place::new();
        let writer = place.writer();
        let key = key("AAPL", Period::D1);
        let good = bars(&key, START, 30, 5.0);
        commit(&writer, change(&key, &good));
        let csv = place.root().join("yahoo/stocks/1d/AAPL.csv");
        fs::write(&csv, "x").unwrap();
        fs::write(csv.with_extension("parquet"), "x").unwrap();
        assert_eq!(mend(&writer)[0].repair, Repair::MarkedSuspect);
        let state = writer.archive().series(&key).unwrap().unwrap().state;
        assert!(state.suspect.unwrap().contains("both damaged"));
        assert_eq!(fs::read_to_string(&csv).unwrap(), "x");
        commit(&writer, change(&key, &good));
        assert!(stored(writer.archive(), &key).same(&good));
    }
}
