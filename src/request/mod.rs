//! What somebody asks for, on the command line, over the bus or by a schedule, and the series it means.

mod listed;
mod names;
pub mod source;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use listed::Lists;

use crate::config::file::Accept;
use crate::config::{Config, ConfigError, Watchlist, assets};
use crate::download::{self, Selection, Target};
use crate::model::{Day, Instrument, Period};
use crate::provider::Provider;
use crate::provider::limits::ThrottleError;

/// A wish to bring series up to date. What it leaves open the configuration says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Request {
    /// Ask this provider.
    pub provider: Option<String>,
    /// The series of this watchlist of the configuration; further fields narrow it.
    pub watchlist: Option<String>,
    /// Names of the instruments file, or codes of the provider; none means all of the file.
    pub symbols: Vec<String>,
    /// Bar periods; none means each instrument's own.
    pub periods: Vec<Period>,
    /// First trading date.
    pub start: Option<Day>,
    /// Last trading date.
    pub end: Option<Day>,
    /// Fetch the whole range again.
    pub force: bool,
    /// At most so many new days a request.
    pub chunk: Option<u16>,
    /// The instruments file.
    pub assets: Option<PathBuf>,
    /// Whether Parquet twins are written.
    pub parquet: Option<bool>,
    /// Whether they are written also where nothing is new.
    pub force_parquet: bool,
    /// Files to import, in place of asking a provider.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub import: Vec<PathBuf>,
    /// Tell what would be asked for, and nothing else.
    pub dry_run: bool,
}

/// Why a request cannot become a job.
#[derive(Debug, Error)]
pub enum Refused {
    /// The provider is unknown, switched off, or not in this version.
    #[error("{0}")]
    Provider(String),
    /// A symbol or a watchlist cannot be.
    #[error("{0}")]
    Instrument(String),
    /// Another part of the request says what cannot be.
    #[error("{0}")]
    Invalid(String),
    /// The instruments file, or a file it needs.
    #[error(transparent)]
    Configuration(#[from] ConfigError),
    /// The ledger of limits cannot be used.
    #[error(transparent)]
    Limits(#[from] ThrottleError),
}

impl Request {
    /// The provider that is asked, and the series, in the order in which they are told.
    pub fn resolve(&self, config: &Config) -> Result<(Arc<dyn Provider>, Vec<Target>), Refused> {
        let list = self.of_watchlist(config)?;
        let provider = source::provider(config, self.provider_name(config, list))?;
        let targets = self.targets(config, list, provider.as_ref())?;
        Ok((provider, targets))
    }

    fn provider_name<'a>(&'a self, config: &'a Config, list: Option<&'a Watchlist>) -> &'a str {
        let named = self.provider.as_ref().or(list.and_then(|list| list.provider.as_ref()));
        named.unwrap_or(&config.default_provider)
    }

    fn of_watchlist<'a>(&self, config: &'a Config) -> Result<Option<&'a Watchlist>, Refused> {
        let Some(name) = &self.watchlist else { return Ok(None) };
        config.watchlists.get(name).map(Some).ok_or_else(|| {
            let known: Vec<&str> = config.watchlists.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Refused::Instrument(format!("there is no watchlist {name:?}; the configuration has {known}"))
        })
    }

    fn targets(
        &self,
        config: &Config,
        list: Option<&Watchlist>,
        provider: &dyn Provider,
    ) -> Result<Vec<Target>, Refused> {
        let today = Day::of_utc((source::clock())());
        let explicit = self.instruments_file(config, list);
        let (source, mut instruments) = assets::find(provider.name(), explicit, &config.config_directory)?;
        tracing::debug!("instruments from {source}");
        check_starts(&source, &instruments, today)?;
        let symbols = either(&self.symbols, list.map(|list| list.symbols.as_slice()));
        let names = names::Names { config, provider, file: &source, today };
        names.complete(&symbols, &mut instruments).map_err(Refused::Instrument)?;
        let selection = self.selection(config, list, instruments, today);
        let targets = download::targets(&selection, provider).map_err(Refused::Instrument)?;
        if targets.is_empty() {
            Err(Refused::Invalid(nothing_of(&selection, &source, today)))
        } else {
            Ok(targets)
        }
    }

    fn selection(
        &self,
        config: &Config,
        list: Option<&Watchlist>,
        instruments: Vec<Instrument>,
        today: Day,
    ) -> Selection {
        Selection {
            instruments,
            symbols: either(&self.symbols, list.map(|list| list.symbols.as_slice())),
            periods: either(&self.periods, list.map(|list| list.periods.as_slice())),
            start: self.start,
            default_start: Some(config.start_day),
            end: self.end.or(config.end_day),
            force: self.force,
            backfill: config.backfill,
            chunk: self.chunk.map(i32::from),
            today: Some(today),
        }
    }

    fn instruments_file<'a>(
        &'a self,
        config: &'a Config,
        list: Option<&'a Watchlist>,
    ) -> Option<(&'a Path, Accept)> {
        let own = self.assets.as_deref().map(|file| (file, Accept::FileOrPipe));
        let of_list = list.and_then(|list| list.assets.as_deref());
        own.or_else(|| of_list.or(config.assets_file.as_deref()).map(|file| (file, Accept::File)))
    }

    /// Refuses dates that are reversed or in the future; `names` are those of start and end.
    pub fn check_dates(&self, names: (&str, &str)) -> Result<(), Refused> {
        let today = Day::of_utc((source::clock())());
        let (first, last) = names;
        for (name, day) in [(first, self.start), (last, self.end)] {
            if let Some(day) = day.filter(|day| is_future(*day, today)) {
                return Err(Refused::Invalid(format!("{name} {day} {}", in_the_future(today))));
            }
        }
        match (self.start, self.end) {
            (Some(start), Some(end)) if start > end => {
                Err(Refused::Invalid(format!("{first} {start} lies after {last} {end}; exchange them")))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a day lies in the future wherever one is on Earth, where it may be tomorrow already.
fn is_future(day: Day, today: Day) -> bool {
    day > today.plus(1)
}

fn in_the_future(today: Day) -> String {
    format!(
        "lies in the future; by this machine's clock today is {today}, and tomorrow is the last day allowed"
    )
}

/// Refuses instruments that begin in the future, all of a file in one message.
fn check_starts(file: &str, instruments: &[Instrument], today: Day) -> Result<(), Refused> {
    let dates = |of: &Instrument| [("start_date", of.start_date), ("tick_date", of.tick_date)];
    let wrong: Vec<String> = instruments
        .iter()
        .flat_map(|of| dates(of).map(|(field, day)| (of, field, day)))
        .filter_map(|(of, field, day)| {
            let day = day.filter(|day| is_future(*day, today))?;
            Some(format!("{file}: {}.{}.{field} {day} {}", of.class, of.name, in_the_future(today)))
        })
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(Refused::Invalid(wrong.join("\n"))) }
}

/// Why a selection has no series at all.
fn nothing_of(selection: &Selection, file: &str, today: Day) -> String {
    if selection.instruments.is_empty() {
        return format!(
            "there is nothing to download: {file} is empty; list an instrument there, or name one with --symbol"
        );
    }
    let enabled =
        selection.instruments.iter().filter(|one| one.periods.as_ref().is_none_or(|all| !all.is_empty()));
    let starts = enabled.filter_map(|one| selection.start.or(one.start_date).or(selection.default_start));
    let last = selection.end.into_iter().chain([today]).min().unwrap_or(today);
    match starts.min().filter(|start| *start > last) {
        Some(start) => format!(
            "there is nothing to download: no instrument is wanted before {start} (its start_date, or date_range.start_year), and {last} is the last day wanted"
        ),
        None => "there is nothing to download: every instrument of the list is disabled".to_owned(),
    }
}

/// The request's own values, else those of its watchlist.
fn either<T: Clone>(own: &[T], of_list: Option<&[T]>) -> Vec<T> {
    match of_list {
        Some(list) if own.is_empty() => list.to_vec(),
        _ => own.to_vec(),
    }
}
