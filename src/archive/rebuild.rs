//! Making the catalogue again from the files, and taking edited CSVs over.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::catalogue::{ledger, sessions};
use super::parquet::Notes;
use super::prepare::{self, InPlace};
use super::{
    Archive, ArchiveError, Change, Content, PartitionRecord, SeriesRecord, SeriesState, Writer, csv, files,
    gaps, layout, lock, now, parquet, partition_name, revision, verify,
};
use crate::model::{Bars, Day, Days, Mark, Period, SeriesKey};

/// What a rebuild made of a file pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Both files agree; nothing was written.
    AsItIs,
    /// The CSV was edited, or its Parquet was bad or lost: the CSV holds, the Parquet was made again.
    ParquetMade,
    /// The CSV was gone and was made again from the Parquet.
    CsvMade,
    /// It cannot be read and was left alone; why.
    LeftAlone(String),
}

/// One file pair a rebuild came by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// The CSV, or whatever file it is that was left alone.
    pub path: PathBuf,
    /// What was done.
    pub outcome: Outcome,
}

impl Archive {
    /// Opens an archive whose catalogue may be damaged: such a catalogue is put aside under another
    /// name, which is returned, and an empty one takes its place, for [`Writer::rebuild`] to fill.
    pub fn open_for_rebuild(
        root: &Path,
        state: &Path,
        holder: &str,
    ) -> Result<(Archive, Option<PathBuf>), ArchiveError> {
        let path = match Archive::open(root, state).and_then(|archive| archive.check_catalogue()) {
            Ok(archive) => return Ok((archive, None)),
            Err(ArchiveError::Damaged { path, .. }) => path,
            Err(error) => return Err(error),
        };
        let lock = lock::take(&root.join(layout::OWN).join("lock"), holder)?;
        let aside = put_aside(&path)?;
        drop(lock);
        Ok((Archive::open(root, state)?, Some(aside)))
    }

    /// SQLite's own check of the whole database.
    fn check_catalogue(self) -> Result<Archive, ArchiveError> {
        let answer: String =
            self.inner.catalogue.read(|c| c.pragma_query_value(None, "quick_check", |row| row.get(0)))?;
        if answer == "ok" {
            return Ok(self);
        }
        Err(ArchiveError::Damaged { path: self.catalogue_path().to_owned(), said: answer })
    }
}

/// Renames a database with its journals.
fn put_aside(path: &Path) -> Result<PathBuf, ArchiveError> {
    let with = |ending: &str| files::with_ending(path, ending);
    let aside = format!(".damaged-{}", now());
    for journal in ["-wal", "-shm", "-journal", ""] {
        let from = with(journal);
        if from.symlink_metadata().is_ok() {
            files::rename(&from, &with(&format!("{aside}{journal}")))?;
        }
    }
    Ok(with(&aside))
}

/// What the files of one series say.
#[derive(Default)]
struct Found {
    /// The rows of pairs that stay as they are.
    rows: Vec<PartitionRecord>,
    /// The bars of pairs that have to be written again.
    write: Vec<(String, Content)>,
    /// What each readable Parquet says, with its partition.
    notes: Vec<(String, Notes)>,
    /// The stamps of the bars.
    stamps: Vec<i64>,
    /// Whether the series is kept with Parquet twins.
    twins: bool,
}

impl Writer {
    /// Makes the catalogue again from the files: of every series, or of those of one symbol, whose
    /// edited CSVs are taken over. What a catalogue still knows of a series is kept, with the days
    /// set right by the bars; else it comes from the Parquet's metadata, else from the bars.
    pub fn rebuild(&self, symbol: Option<&str>) -> Result<Vec<Rebuilt>, ArchiveError> {
        let root = self.archive.root();
        let mut done = Vec::new();
        let mut places: BTreeMap<SeriesKey, BTreeSet<String>> = BTreeMap::new();
        for series in self.archive.all_series()? {
            let partitions = self.standing(&series)?;
            places.entry(series.key).or_default().extend(partitions);
        }
        let below = verify::bar_files(root)?;
        for path in below.files {
            match path.strip_prefix(root).ok().and_then(layout::place_of) {
                Some((key, partition)) => {
                    places.entry(key).or_default().insert(partition);
                }
                None if symbol.is_none() => done.push(Rebuilt {
                    path,
                    outcome: Outcome::LeftAlone("no series has a file of this name here".to_owned()),
                }),
                None => {}
            }
        }
        places.retain(|key, _| symbol.is_none_or(|symbol| key.symbol == symbol));
        // First, so that no series is known again before what can be put back of it is.
        let unread = self.find_revisions()?;
        // Of one symbol only what stands in its own way is told.
        done.extend(unread.into_iter().filter(|_| symbol.is_none()));
        for (folder, why) in below.closed.iter().filter(|_| symbol.is_none()) {
            let why = format!("this folder cannot be looked into: {why}");
            done.push(Rebuilt { path: folder.clone(), outcome: Outcome::LeftAlone(why) });
        }
        for (key, partitions) in places {
            let path = root.join(layout::series_path(&key)?);
            // What lies there is not known.
            let mut closed = below.closed.iter();
            let closed = closed.find(|(folder, _)| path.starts_with(folder) || folder.starts_with(&path));
            if let Some((folder, why)) = closed {
                if symbol.is_some() {
                    let why = format!("{} cannot be looked into: {why}", folder.display());
                    done.push(Rebuilt { path, outcome: Outcome::LeftAlone(why) });
                }
                continue;
            }
            match self.rebuild_series(key, partitions) {
                Ok(pairs) => done.extend(pairs),
                Err(error) if error.is_of_one_series() => {
                    done.push(Rebuilt { path, outcome: Outcome::LeftAlone(error.to_string()) });
                }
                Err(error) => return Err(error),
            }
        }
        let all = self.archive.all_series()?;
        self.catalogue
            .change(|t| sessions::recount(t, all.iter().map(|series| (&series.key, &series.state))))?;
        Ok(done)
    }

    fn rebuild_series(
        &self,
        key: SeriesKey,
        partitions: BTreeSet<String>,
    ) -> Result<Vec<Rebuilt>, ArchiveError> {
        let mut done = Vec::new();
        let root = self.archive.root();
        let series = self.archive.series(&key)?;
        let mut found = Found::default();
        for record in series.iter().map(|series| self.archive.partitions(series.id)) {
            found.twins |= record?.iter().any(|record| record.parquet_hash.is_some());
        }
        for name in &partitions {
            found.twins |= root.join(layout::parquet_path(&key, name)?).exists();
        }
        for name in partitions {
            let path = root.join(layout::csv_path(&key, &name)?);
            let outcome = self.read_pair(&key, name, &mut found)?;
            done.push(Rebuilt { path, outcome });
        }
        // Every state has a code but one that could not be read.
        let known = series.map(|series| series.state).filter(|state| !state.code.is_empty());
        if known.is_none() && found.rows.is_empty() && found.write.is_empty() {
            return Ok(done);
        }
        found.stamps.sort_unstable();
        let state = state_of(&key, known, &found);
        let mut prepared = prepare::prepare(
            self,
            Change {
                key,
                state,
                partitions: found.write,
                restated: None,
                fetched_at: found.notes.iter().map(|(_, notes)| notes.fetched_at).max().unwrap_or(0),
                parquet: true,
            },
            InPlace::MayBeAnything,
        )?;
        // One commit with the files that are written: cut off anywhere, the catalogue knows all or nothing.
        prepared.series.rebuilt = Some(found.rows);
        self.commit(vec![prepared])?;
        Ok(done)
    }

    /// The partitions of a series of the catalogue in whose places something stands, be it no file.
    fn standing(&self, series: &SeriesRecord) -> Result<Vec<String>, ArchiveError> {
        let stands = |path: &Path| self.archive.root().join(path).symlink_metadata().is_ok();
        let mut records = self.archive.partitions(series.id)?;
        records.retain(|record| stands(&record.csv) || stands(&record.csv.with_extension("parquet")));
        Ok(records.into_iter().map(|record| record.name).collect())
    }

    /// Reads one pair and decides which of its files holds.
    fn read_pair(&self, key: &SeriesKey, name: String, found: &mut Found) -> Result<Outcome, ArchiveError> {
        let csv_path = layout::csv_path(key, &name)?;
        let twin_path = self.archive.root().join(layout::parquet_path(key, &name)?);
        let text = files::read(&self.archive.root().join(&csv_path))?;
        let twin_bytes = files::read(&twin_path)?;
        let twin = twin_bytes.as_ref().map(|_| parquet::read(&twin_path, key, &name));
        let belongs = |bars: Bars| {
            let own = bars.times.iter().all(|time| partition_name(key, *time) == name);
            match (own && bars.is_ascending(), bars.is_empty()) {
                (true, false) => Ok(bars),
                (true, true) => Err("there is no bar in it".to_owned()),
                (false, _) => Err("its bars are not ascending, or belong to another file".to_owned()),
            }
        };
        let csv = text
            .as_ref()
            .map(|text| csv::decode(text, key.columns()).map_err(|e| e.to_string()).and_then(belongs));
        let twin = match twin {
            Some(Ok((bars, notes))) => {
                found.notes.push((name.clone(), notes));
                Some(belongs(bars))
            }
            Some(Err(said)) => Some(Err(said)),
            None => None,
        };
        let bad_twin = twin.as_ref().and_then(|twin| twin.as_ref().err()).cloned();
        let twin = twin.and_then(Result::ok);
        let record = |text: &[u8], bars: &Bars, twin: Option<&Vec<u8>>| {
            let (first, last) = bars.bounds().unwrap_or_default();
            PartitionRecord {
                name: name.clone(),
                csv: csv_path.clone(),
                csv_hash: files::hash(text),
                parquet_hash: twin.map(|bytes| files::hash(bytes)),
                bytes: (text.len() + twin.map_or(0, Vec::len)) as u64,
                bars: bars.len() as u64,
                first,
                last,
                written: now(),
            }
        };
        match (csv, text, twin) {
            (Some(Ok(bars)), Some(text), twin)
                if (twin_bytes.is_none() && !found.twins)
                    || twin.as_ref().is_some_and(|twin| twin.same(&bars)) =>
            {
                found.rows.push(record(&text, &bars, twin_bytes.as_ref()));
                found.stamps.extend(&bars.times);
                Ok(Outcome::AsItIs)
            }
            (Some(Ok(bars)), _, _) => {
                found.stamps.extend(&bars.times);
                found.write.push((name, Content::Whole(bars)));
                Ok(Outcome::ParquetMade)
            }
            (Some(Err(said)), _, Some(twin)) => {
                // Recorded as its Parquet says it was, so that `validate --fix` can restore it.
                let text = csv::encode(&twin).map_err(ArchiveError::Refused)?;
                found.rows.push(record(&text, &twin, twin_bytes.as_ref()));
                found.stamps.extend(&twin.times);
                Ok(Outcome::LeftAlone(format!(
                    "{said}; `vortex validate --fix` restores it from its Parquet"
                )))
            }
            (None, _, Some(twin)) => {
                found.stamps.extend(&twin.times);
                found.write.push((name, Content::Whole(twin)));
                Ok(Outcome::CsvMade)
            }
            (csv, _, None) => {
                let said = csv
                    .and_then(Result::err)
                    .into_iter()
                    .chain(bad_twin.map(|said| format!("its Parquet: {said}")));
                Ok(Outcome::LeftAlone(said.collect::<Vec<_>>().join("; ")))
            }
        }
    }

    /// Notes the revisions whose folders are there and that the catalogue does not know.
    /// Tells those that cannot be read.
    fn find_revisions(&self) -> Result<Vec<Rebuilt>, ArchiveError> {
        let left_alone = |path, said: String| Rebuilt { path, outcome: Outcome::LeftAlone(said) };
        let folder = self.archive.root().join(layout::REVISIONS);
        let known: BTreeSet<i64> = self.archive.revisions(None)?.into_iter().map(|of| of.id).collect();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Ok(vec![left_alone(folder, error.to_string())]),
        };
        let mut unread = Vec::new();
        let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i64>().ok());
        for id in ids.filter(|id| !known.contains(id)) {
            match revision::about(self.archive.root(), id) {
                Ok(of) => {
                    self.catalogue.change(|t| {
                        ledger::put_revision(t, Some(id), &of.key, of.at, &of.reason, &of.partitions)
                    })?;
                }
                Err(error) => {
                    let why = format!("the revision is left out: {error}");
                    unread.push(left_alone(folder.join(id.to_string()), why));
                }
            }
        }
        Ok(unread)
    }
}

/// What is known of a series: by the catalogue, else by its newest Parquet, with the coverage of all.
fn state_of(key: &SeriesKey, known: Option<SeriesState>, found: &Found) -> SeriesState {
    let from_catalogue = known.is_some();
    let mut state = known.unwrap_or_else(|| {
        let newest = found.notes.iter().max_by_key(|(name, notes)| (notes.fetched_at, name));
        let mut state = newest.map_or_else(SeriesState::default, |(_, notes)| notes.state.clone());
        for (name, notes) in &found.notes {
            state.coverage.absorb(&notes.state.coverage.within(layout::partition_days(key, name)));
        }
        state
    });
    if state.code.is_empty() {
        state.code.clone_from(&key.symbol);
    }
    let derived = !from_catalogue && found.notes.is_empty();
    set_right(key, &mut state, &found.stamps, derived);
    state
}

/// Makes the marks agree with the bars: a day with a bar is present, a day recorded as present
/// without one is unknown. `derived`: nothing is known but the bars.
fn set_right(key: &SeriesKey, state: &mut SeriesState, stamps: &[i64], derived: bool) {
    for gap in gaps::gaps(key, state, stamps) {
        state.coverage.set(gap, Mark::Unknown);
        // A gap at the end is not a day to come: it is due now.
        state.asked_at = 0;
    }
    if !key.period.is_intraday() {
        for day in gaps::bar_days(key, state, stamps) {
            let last = if key.period == Period::D1 { day } else { key.period.last_day(day) };
            for day in Days::new(day, last).iter().flat_map(|days| days.iter()) {
                if !matches!(state.coverage.get(day), Mark::Suspect) {
                    state.coverage.set_day(day, Mark::Present);
                }
            }
        }
    } else if derived {
        // Sessions may begin the evening before, and the last may not be over: what was recorded is
        // better than what the stamps tell, except where nothing was.
        let mut days: Vec<Day> = stamps.iter().copied().map(state.meta.trading_days()).collect();
        days.dedup();
        days.pop();
        days.iter().for_each(|day| state.coverage.set_day(*day, Mark::Present));
    }
}

#[cfg(test)]
mod tests;
