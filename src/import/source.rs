//! Which series a file is of: its name, its path, its side file and its content put together. Where they disagree
//! the file is refused, and both are named.

use std::ffi::OsStr;
use std::path::PathBuf;

use super::days::Scope;
use super::files::Listed;
use super::known::{Known, LATE_DAYS, is_code};
use super::name::{self, NamedBars, PlainName, PlainWriter};
use super::report::FileReport;
use super::side::SideFile;
use super::{Wish, export, plain};
use crate::config::ConfigError;
use crate::download::Piece;
use crate::model::{Contract, Day, Days, Instrument, Period, SeriesKey, symbol};
use crate::provider::barchart::csv::Export;
use crate::provider::{Request, barchart};

/// A file and the series it is of.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// The series.
    pub key: SeriesKey,
    /// The instrument.
    pub instrument: Instrument,
    /// The dated contract.
    pub contract: Option<Contract>,
    /// What a person should know of how it was found.
    pub notes: Vec<String>,
    kind: Kind,
}

/// How a file is written.
#[derive(Clone, Debug)]
enum Kind {
    /// Of this symbol.
    Export(String),
    Plain(Option<SideFile>),
}

/// Finds the series of a file; the inner error says why there is none.
pub fn identify(
    listed: &Listed,
    wish: &Wish,
    mut known: impl FnMut(&str) -> Result<Known, ConfigError>,
    now: i64,
) -> Result<Result<Source, String>, ConfigError> {
    // An export may lie among the files of another program.
    let plain = name::of_plain(&listed.path).or_else(|| plain::without_period(&listed.path));
    let plain = plain.filter(|_| !export::begins_as_one(&listed.path));
    if let Some(name) = plain {
        let side = match SideFile::beside(&listed.path) {
            Ok(side) => side,
            Err(why) => return Ok(Err(why)),
        };
        let said = side.as_ref().and_then(|side| side.provider.clone()).or_else(|| wish.provider.clone());
        let of_writer = (name.writer == PlainWriter::BcUtils).then(|| barchart::NAME.to_owned());
        let Some(provider) = said.or(of_writer) else {
            return Ok(Err("nothing says whose bars these are (there is no side file .csv.json): name it with --provider".to_owned()));
        };
        let known = known(&provider)?;
        return Ok(of_plain(listed, name, provider, side, &known));
    }
    if let Some(provider) = wish.provider.as_deref().filter(|provider| *provider != barchart::NAME) {
        return Ok(Err(format!(
            "its name and path are none of older Vortex, and exports are read of barchart alone, not of {provider}"
        )));
    }
    let known = known(barchart::NAME)?;
    Ok(of_export(listed, &known, now))
}

fn of_plain(
    listed: &Listed,
    name: PlainName,
    provider: String,
    side: Option<SideFile>,
    known: &Known,
) -> Result<Source, String> {
    if let Some(period) = side.as_ref().and_then(|side| side.period).filter(|period| *period != name.period) {
        return Err(format!("it lies among the {} bars and its side file says {period}", name.period));
    }
    symbol::encode(&name.instrument)?;
    let code = side.as_ref().and_then(|side| side.code.clone());
    let root = code.as_deref().map(|code| match name.contract {
        Some(contract) => {
            Contract::of_code(code, contract.last_day()).map_or(code, |(root, _)| root).to_owned()
        }
        None => code.to_owned(),
    });
    let mut notes = Vec::new();
    let instrument = known.named(&name.instrument, name.class).cloned().unwrap_or_else(|| {
        notes.push(format!("{} is not in the instruments file", name.instrument));
        Instrument::plain(&name.instrument, root.as_deref().unwrap_or(&name.instrument), name.class)
    });
    let key = SeriesKey {
        provider,
        class: name.class,
        symbol: name.instrument,
        contract: name.contract,
        period: name.period,
    };
    let (path, kind) = (listed.path.clone(), Kind::Plain(side));
    Ok(Source { path, key, instrument, contract: name.contract, notes, kind })
}

fn of_export(listed: &Listed, known: &Known, now: i64) -> Result<Source, String> {
    let file_name = listed.path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let named = name::of_export(file_name);
    let export = export::look_into(&listed.path)?;
    let symbol = symbol_of(named.symbol.as_deref(), &export)?;
    let last = export.walls.last().map(|wall| Day::of_utc(*wall));
    let nearby = named.nearby || (!is_dated(&symbol) && export.symbols.iter().any(|symbol| is_dated(symbol)));
    let meant = known.meaning(&symbol, last, Day::of_utc(now), nearby);
    let period = period_of(named.bars.as_ref(), &export)?;
    let (instrument, contract) = (meant.instrument, meant.contract);
    if let (Some(contract), Some(last)) = (contract, last)
        && last > contract.last_day().plus(LATE_DAYS)
    {
        return Err(format!("it is called {symbol} and has rows until {last}, when that contract was over"));
    }
    symbol::encode(&instrument.name)?;
    let key = SeriesKey {
        provider: barchart::NAME.to_owned(),
        class: instrument.class,
        symbol: instrument.name.clone(),
        contract,
        period,
    };
    let notes = meant.note.into_iter().collect();
    Ok(Source { path: listed.path.clone(), key, instrument, contract, notes, kind: Kind::Export(symbol) })
}

/// Refuses an export whose rows, looked at whole, are of another symbol or period than its ends.
pub(super) fn check(source: &Source, symbol: &str, export: &Export) -> Result<(), String> {
    let named = name::of_export(source.path.file_name().and_then(OsStr::to_str).unwrap_or_default());
    let whole = symbol_of(named.symbol.as_deref(), export)?;
    if whole != symbol {
        return Err(format!("its first and last rows are of {symbol}, all of them of {whole}"));
    }
    let (period, ends) = (period_of(named.bars.as_ref(), export)?, source.key.period);
    if period != ends {
        return Err(format!("its first and last rows are {ends} bars, most of them {period} bars"));
    }
    Ok(())
}

/// The symbol by the column `Symbol` and by the name, which must be the same. In a continuous series the column
/// names the contracts it is made of.
fn symbol_of(named: Option<&str>, export: &Export) -> Result<String, String> {
    match (named, export.symbols.as_slice()) {
        (Some(named), [symbol]) if !is_code(symbol, named) => match is_dated(symbol) {
            true if named.contains('*') => Ok(named.to_owned()),
            _ => Err(format!("its name says {named} and its column Symbol {symbol}")),
        },
        (_, [symbol]) => Ok(symbol.clone()),
        (Some(named), []) => Ok(named.to_owned()),
        (Some(named), several) if !is_dated(named) => {
            tracing::debug!("{named} is made of {}", several.join(", "));
            Ok(named.to_owned())
        }
        (Some(named), several) => Err(format!("its name says {named} and its column Symbol {}", several.join(", "))),
        (None, several @ [_, _, ..]) => Err(format!("its column Symbol names {}, and its name does not say what is made of them", several.join(", "))),
        (None, _) => Err("neither its name (such as gcz26_daily_historical-data-11-25-2026.csv) nor a column Symbol says what it is of".to_owned()),
    }
}

/// Whether a symbol is that of a dated contract.
fn is_dated(symbol: &str) -> bool {
    Contract::of_code(symbol, Day::new(0)).is_some()
}

/// The period by the name and by the rows, which must agree.
fn period_of(named: Option<&NamedBars>, export: &Export) -> Result<Period, String> {
    let step = export.step_minutes();
    let from_rows = match (export.intraday, step) {
        (Some(false), _) => Some("daily".to_owned()),
        (Some(true), Some(step)) => Some(format!("{step}min")),
        _ => None,
    };
    let said = |named: &NamedBars| {
        let rows = from_rows.clone().unwrap_or_else(|| "intraday".to_owned());
        Err(format!("its name says {} and its rows are {rows}", named.words()))
    };
    let minutes = |minutes: u32| {
        name::period_of_minutes(minutes).ok_or_else(|| {
            format!("bars of {minutes} minutes are not kept; allowed are 1, 2, 5, 10, 15, 20, 30, 60")
        })
    };
    match (named, export.intraday) {
        (Some(NamedBars::Other(word)), _) => Err(format!("{word} exports are not imported: daily and intraday ones are")),
        (Some(named @ NamedBars::Daily), Some(true)) | (Some(named @ NamedBars::Intraday(_)), Some(false)) => said(named),
        (Some(NamedBars::Daily), _) | (None, Some(false)) => Ok(Period::D1),
        (Some(named @ NamedBars::Intraday(Some(wanted))), _) => match step {
            Some(step) if contradicts(export, step, *wanted) => said(named),
            _ => minutes(*wanted),
        },
        (Some(NamedBars::Intraday(None)) | None, _) => match step {
            Some(step) => minutes(step),
            None => Err("neither its name (such as nqh26_intraday-60min_historical-data-03-05-2026.csv) nor its rows say how long its bars are".to_owned()),
        },
    }
}

/// Rows that lie nearer to each other than the bars they are called; or that are many and all on the steps of
/// longer bars. Single sparse ones lie anywhere.
fn contradicts(export: &Export, step: u32, wanted: u32) -> bool {
    let on_steps = |step: u32| {
        let first = export.walls.first().copied().unwrap_or(0);
        export.walls.iter().all(|wall| (wall - first) % (i64::from(step) * 60) == 0)
    };
    step < wanted || (step > wanted && export.len() >= 10 && on_steps(step))
}

impl Source {
    /// Reads the file whole. What of its rows is no bar goes into `told`.
    pub fn read(self, now: i64, told: &mut FileReport) -> Result<Piece, String> {
        match self.kind.clone() {
            Kind::Export(symbol) => export::read(&self, &symbol, now, told),
            Kind::Plain(side) => plain::read(&self, side.as_ref(), now, told),
        }
    }

    /// A file of an older Vortex or of bc-utils that is known to be of this series.
    #[cfg(fuzzing)]
    pub(super) fn of_another_program(
        path: &std::path::Path,
        key: SeriesKey,
        side: Option<SideFile>,
    ) -> Source {
        let (contract, kind) = (key.contract, Kind::Plain(side));
        let instrument = Instrument::plain(&key.symbol, "GC", key.class);
        Source { path: path.to_owned(), key, instrument, contract, notes: Vec::new(), kind }
    }

    /// What the days of its rows depend on.
    pub(super) fn scope<'a>(&self, zone: &'a jiff::tz::TimeZone, clock: i64) -> Scope<'a> {
        let SeriesKey { class, contract, period, .. } = self.key;
        let opens = (self.key.provider == barchart::NAME).then(|| barchart::opens(class));
        Scope { class, contract, period, zone, opens, clock }
    }

    /// What the file answers, had it been asked for.
    pub(super) fn request(&self, days: Days) -> Request {
        Request {
            instrument: self.instrument.clone(),
            contract: self.contract,
            period: self.key.period,
            days,
            correlation: "import".to_owned(),
        }
    }
}
