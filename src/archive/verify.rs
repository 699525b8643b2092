//! Checking what is stored. Nothing is changed here; `repair` mends what can be mended.

mod loose;
mod strays;

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

use super::catalogue::ledger;
use super::{
    Archive, ArchiveError, PartitionRecord, SeriesRecord, csv, files, gaps, layout, parquet, revision,
};
use crate::model::{Bars, Column, Day, Mark, Period, SeriesKey};

pub use loose::{is_of_bars, verify_path};
pub(super) use strays::bar_files;

/// Whether a finding makes a file bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file is bad.
    Error,
    /// Worth a look; providers do send such things.
    Warning,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A file of the catalogue is not there.
    Missing,
    /// A file is not as the catalogue has it.
    Altered,
    /// A file cannot be read.
    Unreadable,
    /// Bars are not ascending.
    Order,
    /// Two bars have one stamp.
    Duplicate,
    /// A bar stands in a file it does not belong to.
    Misplaced,
    /// CSV and Parquet hold different values.
    Different,
    /// A day is recorded as present and has no bar.
    Gap,
    /// A bar stands on a day that is not recorded as present.
    Unrecorded,
    /// Open, high, low and close contradict each other.
    Inconsistent,
    /// A price is zero or negative.
    NotPositive,
    /// The catalogue does not know the file.
    Unknown,
    /// A file was left in tmp, or a writer is at work.
    Leftover,
    /// The series is marked as suspect.
    Suspect,
    /// The file belongs to a commit that is under way or was interrupted.
    Unfinished,
    /// A file of a revision is gone or cannot be read, so that nothing can be taken back to it.
    Revision,
}

impl Kind {
    /// The name in tables, JSON and CSV.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Missing => "missing",
            Kind::Altered => "altered",
            Kind::Unreadable => "unreadable",
            Kind::Order => "order",
            Kind::Duplicate => "duplicate",
            Kind::Misplaced => "misplaced",
            Kind::Different => "different",
            Kind::Gap => "gap",
            Kind::Unrecorded => "unrecorded",
            Kind::Inconsistent => "inconsistent",
            Kind::NotPositive => "not-positive",
            Kind::Unknown => "unknown",
            Kind::Leftover => "leftover",
            Kind::Suspect => "suspect",
            Kind::Unfinished => "unfinished",
            Kind::Revision => "revision",
        }
    }

    /// What it does to the file.
    pub const fn severity(self) -> Severity {
        match self {
            Kind::Unrecorded
            | Kind::Inconsistent
            | Kind::NotPositive
            | Kind::Unknown
            | Kind::Leftover
            | Kind::Suspect
            | Kind::Unfinished
            | Kind::Revision => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether the file is bad.
    pub severity: Severity,
    /// The file.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// In words.
    pub detail: String,
}

fn finding(path: &Path, kind: Kind, detail: impl Into<String>) -> Finding {
    Finding { severity: kind.severity(), path: path.to_owned(), kind, detail: detail.into() }
}

impl Archive {
    /// Checks the series that are `wanted`; with `None` all of them, and also what lies beside them.
    pub fn verify(&self, wanted: Option<&dyn Fn(&SeriesKey) -> bool>) -> Result<Vec<Finding>, ArchiveError> {
        let mut found = Vec::new();
        if self.has_lost_catalogue()? {
            let said = "the catalogue knows of no series and files of some are there; `vortex archive rebuild` makes it again from them";
            found.push(finding(self.catalogue_path(), Kind::Missing, said));
        }
        let mut known = HashSet::new();
        for series in self.all_series()? {
            if wanted.is_none_or(|wanted| wanted(&series.key)) {
                found.extend(self.verify_series(&series)?);
            }
            for record in self.partitions(series.id)? {
                known.insert(layout::parquet_path(&series.key, &record.name)?);
                known.insert(record.csv);
            }
        }
        if wanted.is_none() {
            found.extend(self.verify_strays(&known)?);
            found.extend(self.verify_revisions()?);
        }
        self.excuse_unfinished(&mut found)?;
        Ok(found)
    }

    /// What an open intent is about to change is no damage: it may be old or new, and the catalogue
    /// still has the old.
    fn excuse_unfinished(&self, found: &mut Vec<Finding>) -> Result<(), ArchiveError> {
        let mut moving = HashSet::new();
        for (_, intent) in self.inner.catalogue.read(ledger::intents)? {
            for series in intent.series {
                moving.insert(layout::series_path(&series.key)?);
                moving.extend(series.moves().map(|of| Path::new(layout::TMP).join(&of.tmp)));
                moving.extend(series.goes().cloned());
                moving.extend(series.kept.iter().map(|of| of.target.clone()));
                moving.extend(series.pairs.into_iter().flat_map(|pair| {
                    [pair.csv.target].into_iter().chain(pair.parquet.map(|twin| twin.target))
                }));
            }
        }
        let root = self.root();
        let excused = found.extract_if(.., |one| {
            one.kind != Kind::Suspect && one.path.strip_prefix(root).is_ok_and(|path| moving.contains(path))
        });
        let paths: BTreeSet<PathBuf> = excused.map(|one| one.path).collect();
        let said = "part of a commit under way or interrupted; the next writer finishes it";
        found.extend(paths.iter().map(|path| finding(path, Kind::Unfinished, said)));
        Ok(())
    }

    /// Checks one series. What a commit of the meantime explains is looked at again: its intent is read before
    /// its rows, so that it is seen in one of them.
    pub fn verify_series(&self, series: &SeriesRecord) -> Result<Vec<Finding>, ArchiveError> {
        let mut series = series.clone();
        let mut records = self.partitions(series.id)?;
        loop {
            let mut found = self.verify_as_recorded(&series, &records)?;
            if found.is_empty() {
                return Ok(found);
            }
            self.inner.catalogue.look_again()?;
            self.excuse_unfinished(&mut found)?;
            let (now, rows) = (self.series(&series.key)?, self.partitions(series.id)?);
            match now {
                Some(now) if now != series || rows != records => (series, records) = (now, rows),
                _ => return Ok(found),
            }
        }
    }

    /// Checks one series against these rows of the catalogue.
    fn verify_as_recorded(
        &self,
        series: &SeriesRecord,
        records: &[PartitionRecord],
    ) -> Result<Vec<Finding>, ArchiveError> {
        let mut found = Vec::new();
        let mut all = Some(Bars::new(series.key.columns()));
        for record in records {
            let bars = self.verify_partition(&series.key, record, &mut found)?;
            all = all.zip(bars).map(|(mut all, bars)| {
                all.append(&bars);
                all
            });
        }
        let place = self.root().join(layout::series_path(&series.key)?);
        if let Some(why) = &series.state.suspect {
            found.push(finding(&place, Kind::Suspect, why));
        }
        // With a part unread, every one of its days would look like a gap.
        if let Some(all) = all {
            let of_day = |day: Day| {
                let holds = |record: &&PartitionRecord| {
                    layout::partition_days(&series.key, &record.name).contains(day)
                };
                records.iter().find(holds).map_or_else(|| place.clone(), |of| self.root().join(&of.csv))
            };
            check_coverage(of_day, series, &all, &mut found);
        }
        Ok(found)
    }

    /// Checks one file pair; its bars, where the CSV can be read.
    fn verify_partition(
        &self,
        key: &SeriesKey,
        record: &PartitionRecord,
        found: &mut Vec<Finding>,
    ) -> Result<Option<Bars>, ArchiveError> {
        let path = self.root().join(&record.csv);
        let Some(bytes) = content(&path, found)? else {
            return Ok(None);
        };
        if files::hash(&bytes) != record.csv_hash {
            found.push(finding(&path, Kind::Altered, "the file is not as Vortex wrote it"));
        }
        let bars = match csv::decode(&bytes, key.columns()) {
            Ok(bars) => bars,
            Err(error) => {
                found.push(finding(&path, Kind::Unreadable, error.to_string()));
                return Ok(None);
            }
        };
        check_bars(&path, &bars, found);
        if let Some(at) = bars.times.iter().position(|time| super::partition_name(key, *time) != record.name)
        {
            found.push(finding(&path, Kind::Misplaced, format!("line {} belongs to another file", at + 2)));
        }
        if let Some(hash) = &record.parquet_hash {
            let twin = self.root().join(layout::parquet_path(key, &record.name)?);
            if let Some(bytes) = content(&twin, found)? {
                if files::hash(&bytes) != *hash {
                    found.push(finding(&twin, Kind::Altered, "the file is not as Vortex wrote it"));
                }
                compare_twin(&twin, key, &record.name, &bars, found);
            }
        }
        Ok(Some(bars))
    }

    /// Revisions that could not be put back.
    fn verify_revisions(&self) -> Result<Vec<Finding>, ArchiveError> {
        let mut found = Vec::new();
        for of in self.revisions(None)? {
            let (path, said) = match revision::check(self.root(), of.id) {
                Ok(()) => continue,
                Err(ArchiveError::Damaged { path, said } | ArchiveError::InTheWay { path, said }) => {
                    (path, said)
                }
                Err(ArchiveError::Io { path, source, .. }) => (path, source.to_string()),
                Err(error) => return Err(error),
            };
            let said = format!("revision {} cannot be put back: {said}", of.id);
            found.push(finding(&path, Kind::Revision, said));
        }
        Ok(found)
    }
}

/// A file's content; what stands against reading it is a finding.
fn content(path: &Path, found: &mut Vec<Finding>) -> Result<Option<Vec<u8>>, ArchiveError> {
    match files::read(path) {
        Ok(Some(bytes)) => return Ok(Some(bytes)),
        Ok(None) => found.push(finding(path, Kind::Missing, "the file is not there")),
        Err(ArchiveError::InTheWay { said, .. }) => {
            found.push(finding(path, Kind::Unreadable, format!("it {said}; move it away")));
        }
        Err(ArchiveError::Damaged { said, .. }) => found.push(finding(path, Kind::Unreadable, said)),
        Err(ArchiveError::Io { source, .. }) => {
            found.push(finding(path, Kind::Unreadable, source.to_string()));
        }
        Err(error) => return Err(error),
    }
    Ok(None)
}

fn compare_twin(path: &Path, key: &SeriesKey, partition: &str, bars: &Bars, found: &mut Vec<Finding>) {
    match parquet::read(path, key, partition) {
        Err(said) => found.push(finding(path, Kind::Unreadable, said)),
        Ok((twin, _)) if !twin.same(bars) => {
            found.push(finding(path, Kind::Different, "the values are not those of the CSV"));
        }
        Ok(_) => {}
    }
}

/// What bars alone tell. One finding a kind and file: the first place and how many there are.
fn check_bars(path: &Path, bars: &Bars, found: &mut Vec<Finding>) {
    let pairs = || bars.times.iter().zip(bars.times.iter().skip(1));
    let after = |bad: fn((&i64, &i64)) -> bool| {
        pairs().enumerate().filter(move |(_, pair)| bad(*pair)).map(|(at, _)| at + 1)
    };
    report(path, Kind::Order, "is earlier than the one before", after(|(a, b)| b < a), found);
    report(path, Kind::Duplicate, "has the stamp of the one before", after(|(a, b)| b == a), found);
    let value = |column, at: usize| {
        let values: Option<&[f64]> = bars.column(column);
        values.and_then(|values| values.get(at)).copied().unwrap_or(f64::NAN)
    };
    // Comparisons with a missing value are false, so what is missing contradicts nothing.
    let inconsistent = (0..bars.len()).filter(|at| {
        let [open, high, low, close] =
            [Column::Open, Column::High, Column::Low, Column::Close].map(|column| value(column, *at));
        high < low || high < open || high < close || low > open || low > close
    });
    report(path, Kind::Inconsistent, "has a price outside of its high and low", inconsistent, found);
    let not_positive = (0..bars.len()).filter(|at| {
        [Column::Open, Column::High, Column::Low, Column::Close]
            .iter()
            .any(|column| value(*column, *at) <= 0.0)
    });
    report(path, Kind::NotPositive, "has a price that is zero or negative", not_positive, found);
    // Forex at Interactive Brokers comes with -1 for none; anywhere else it is a fault.
    let negative = (0..bars.len()).filter(|at| value(Column::Volume, *at) < 0.0);
    report(path, Kind::NotPositive, "has a negative volume", negative, found);
}

fn report(
    path: &Path,
    kind: Kind,
    said: &str,
    mut bars: impl Iterator<Item = usize>,
    found: &mut Vec<Finding>,
) {
    if let Some(first) = bars.next() {
        let more = match bars.count() {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        found.push(finding(path, kind, format!("line {} {said}{more}", first + 2)));
    }
}

/// Days recorded as present without a bar, and bars on days that are not; `place` is the file that
/// holds a day.
fn check_coverage(
    place: impl Fn(Day) -> PathBuf,
    series: &SeriesRecord,
    bars: &Bars,
    found: &mut Vec<Finding>,
) {
    let (key, coverage) = (&series.key, &series.state.coverage);
    for gap in gaps::gaps(key, &series.state, &bars.times) {
        let said = format!("{gap} is recorded as present and has no bar");
        found.push(finding(&place(gap.first), Kind::Gap, said));
    }
    // A session that is still running has intraday bars and no mark yet.
    if let Some(known) = coverage.known().filter(|_| key.period == Period::D1) {
        let days = gaps::bar_days(key, &series.state, &bars.times);
        let unmarked =
            |day: Day, _| days.contains(&day) && !matches!(coverage.get(day), Mark::Present | Mark::Suspect);
        for run in coverage.runs(known, unmarked) {
            let said = format!("{run} has a bar and is not recorded as present");
            found.push(finding(&place(run.first), Kind::Unrecorded, said));
        }
    }
}
