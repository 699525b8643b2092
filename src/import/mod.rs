//! Files of a person become part of the archive: exports of Barchart.com downloaded by hand, and whole folders of
//! older Vortex or of bc-utils. The sources are only read.
//!
//! In reading order: [`files`] lists what there is; [`name`] and [`known`] say which series a file is of; [`source`]
//! puts name and content together; [`export`] and [`plain`] read the two kinds of files, and [`days`] says which
//! days each covers; [`report`] accounts for every row. What is read goes the way of a download
//! (`download::take`).

pub mod days;
mod export;
pub mod files;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
pub mod known;
pub mod name;
mod plain;
pub mod report;
mod side;
pub mod source;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::archive::raw::RawTrail;
use crate::archive::{ArchiveError, Writer};
use crate::config::file::Accept;
use crate::config::{Config, ConfigError, assets};
use crate::download::{self, Clock, Delivery, Intake, Observer, Summary, Target, Wanted};
use crate::model::{Class, Day, SeriesKey};

pub use export::hash_of_file;
use files::Aside;
use known::Known;
use report::{FileReport, Outcome};
use source::Source;

/// What a person wants to be imported.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Files and folders.
    pub paths: Vec<PathBuf>,
    /// Whose bars they are, where a file does not say.
    pub provider: Option<String>,
    /// The class of symbols that the instruments file does not have.
    pub class: Option<Class>,
    /// Names of symbols: name and code.
    pub names: Vec<(String, String)>,
    /// Take values that differ from what is stored in most bars.
    pub force: bool,
}

/// What is to be imported, sorted out: nothing is stored yet.
#[derive(Debug)]
pub struct Sorted {
    /// Every file that was found, in the order of its name; those of a series wait for being read.
    pub files: Vec<FileReport>,
    /// The files of each series, by their place in `files`.
    series: BTreeMap<SeriesKey, Vec<(usize, Source)>>,
}

/// Finds the files and the series each is of.
pub fn sort_out(wish: &Wish, config: &Config, now: i64) -> Result<Sorted, ConfigError> {
    let mut lists: BTreeMap<String, Known> = BTreeMap::new();
    let mut sorted = Sorted { files: Vec::new(), series: BTreeMap::new() };
    for listed in files::list(&wish.paths, &config.archive) {
        let place = sorted.files.len();
        let mut told = FileReport::new(listed.path.clone());
        match &listed.aside {
            Some(Aside::PassedOver(why)) => told.passed_over(why.clone()),
            Some(Aside::Unreadable(why)) => told.refuse(why.clone()),
            None => {
                let known = |provider: &str| instruments(&mut lists, provider, wish, config);
                match source::identify(&listed, wish, known, now)? {
                    Ok(source) => {
                        told.series = Some(source.key.clone());
                        told.notes.extend(source.notes.iter().cloned());
                        sorted.series.entry(source.key.clone()).or_default().push((place, source));
                    }
                    Err(why) => told.refuse(why),
                }
            }
        }
        sorted.files.push(told);
    }
    Ok(sorted)
}

/// The instruments of a provider, read once.
fn instruments(
    lists: &mut BTreeMap<String, Known>,
    provider: &str,
    wish: &Wish,
    config: &Config,
) -> Result<Known, ConfigError> {
    if let Some(known) = lists.get(provider) {
        return Ok(known.clone());
    }
    let explicit = config.assets_file.as_deref().map(|file| (file, Accept::File));
    let (_, instruments) = assets::find(provider, explicit, &config.config_directory)?;
    let known = Known::new(instruments, &wish.names, wish.class);
    lists.insert(provider.to_owned(), known.clone());
    Ok(known)
}

impl Sorted {
    /// The series that files were found of.
    pub fn series(&self) -> impl Iterator<Item = &SeriesKey> {
        self.series.keys()
    }

    /// Reads every file and stores nothing: what an import would find in them.
    pub fn read_only(mut self, now: i64) -> Vec<FileReport> {
        for (place, source) in self.series.into_values().flatten() {
            let read = source.read(now, &mut self.files[place]);
            match read {
                Ok(piece) => self.files[place].readable = piece.answer.bars.len() as u64,
                Err(why) => self.files[place].refuse(why),
            }
        }
        self.files
    }
}

/// How files are imported.
pub struct How {
    /// The job's number in the ledger.
    pub number: i64,
    /// The raw audit trail.
    pub raw: RawTrail,
    /// Write Parquet twins.
    pub parquet: bool,
    /// See [`Wish::force`].
    pub force: bool,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
    /// The clock, in seconds since the epoch.
    pub now: Clock,
    /// Becomes true when the import is to end at the next commit boundary.
    pub cancelled: watch::Receiver<bool>,
}

/// Imports what was sorted out: each series is one commit.
pub async fn import(
    writer: Writer,
    sorted: Sorted,
    how: How,
) -> Result<(Summary, Vec<FileReport>), ArchiveError> {
    let Sorted { files, series } = sorted;
    let files = Arc::new(Mutex::new(files));
    let now = (how.now)();
    let deliveries = series.into_iter().map(|(key, sources)| delivery(key, sources, Arc::clone(&files), now));
    let intake = Intake {
        number: how.number,
        deliveries: deliveries.collect(),
        raw: how.raw,
        parquet: how.parquet,
        force: how.force,
        observer: how.observer,
        now: how.now,
        cancelled: how.cancelled,
    };
    let (mut summary, taken) = download::take(writer, intake).await?;
    let mut files = std::mem::take(&mut *files.lock().unwrap_or_else(PoisonError::into_inner));
    for taken in taken {
        if let Some(file) = files.get_mut(taken.file) {
            file.take(&taken);
        }
    }
    let refused = files.iter().filter_map(|file| match &file.outcome {
        Outcome::Refused(why) => Some(format!("{}: {why}", file.shown())),
        _ => None,
    });
    summary.refused = refused.collect();
    Ok((summary, files))
}

fn delivery(
    key: SeriesKey,
    sources: Vec<(usize, Source)>,
    files: Arc<Mutex<Vec<FileReport>>>,
    now: i64,
) -> Delivery {
    let (instrument, contract) = match sources.first() {
        Some((_, source)) => (source.instrument.clone(), source.contract),
        None => (crate::model::Instrument::plain(&key.symbol, &key.symbol, key.class), key.contract),
    };
    let wanted = Wanted { from: Day::EARLIEST, to: None, force: false, backfill: true, chunk: None };
    let from = days::earliest(contract, wanted.from);
    let target = Target { instrument, contract, key, wanted: Wanted { from, ..wanted } };
    let read = move || {
        let read = |(place, source): (usize, Source)| {
            let path = source.path.clone();
            let mut told = FileReport::new(path);
            let piece = source.read(now, &mut told);
            if let Some(file) = files.lock().unwrap_or_else(PoisonError::into_inner).get_mut(place) {
                file.add_reading(told);
            }
            (place, piece)
        };
        sources.into_iter().map(read).collect()
    };
    Delivery { target, read: Box::new(read) }
}
