//! The CSV files that Barchart.com exports, as its pages and its download form give them: four generations of
//! headers and dates, daily and intraday. Pure and strict: what is not understood whole is refused, because a
//! doubtful row must never be stored as data.

mod bars;
mod cell;
mod footer;
mod header;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use thiserror::Error;

pub use bars::{FILLER, TWICE, Taken, WITHOUT_PRICE};
pub use header::Layout;

use cell::Cells;

/// The longest excerpt of a refused text in a message, in characters.
const EXCERPT: usize = 120;

/// A whole export, its rows oldest first.
#[derive(Clone, Debug)]
pub struct Export {
    /// How it is written.
    pub layout: Layout,
    /// The symbols of its `Symbol` column, in the order in which they come; a nearby export has several.
    pub symbols: Vec<String>,
    /// When it was made, in seconds since the epoch, as its last line says (CST or CDT).
    pub exported: i64,
    /// Whether its stamps have a time of day; `None` without rows.
    pub intraday: Option<bool>,
    /// The stamps as the exchange's wall shows them, in seconds since 1970-01-01 00:00 on that wall; a daily row has midnight
    /// of its trading date.
    pub walls: Vec<i64>,
    /// Open, High, Low, Last, Volume, Open Interest: each as long as `walls`, missing values are NaN. A column
    /// that the export lacks is empty.
    pub values: [Vec<f64>; 6],
    /// Whether each row says that nothing changed; empty where the export has no column `Change`.
    unchanged: Vec<bool>,
}

/// Why a text is no export that can be taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It is no text.
    #[error("it is not UTF-8 text: byte {0} cannot be read")]
    NotText(usize),
    /// A page: a login, a challenge, an error.
    #[error("it is a web page and no CSV: {0}")]
    Page(String),
    /// The day's downloads are used up.
    #[error("it says that the limit of downloads is reached: {0}")]
    Limit(String),
    /// The site could not give the data.
    #[error("the site had an error instead of data: {0}")]
    NoData(String),
    /// The closing line is not there, so rows may be missing.
    #[error("it is cut off: the last line is no \"Downloaded from Barchart.com as of …\"; download it again")]
    Truncated,
    /// Not written in any known way; both count from 1.
    #[error("line {line}, column {column}: {said}")]
    Layout {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// What was found and what is allowed.
        said: String,
    },
}

impl Refused {
    fn at(line: usize, column: usize, said: impl fmt::Display) -> Refused {
        Refused::Layout { line, column, said: said.to_string() }
    }
}

/// Whether a text ends as a whole export does; so a file that is still being written can be told.
pub fn is_whole(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| footer::split(text).is_some())
}

/// Whether a line is the first one of an export.
pub fn is_header(line: &str) -> bool {
    header::read(line.strip_prefix('\u{feff}').unwrap_or(line)).is_ok()
}

/// Reads an export.
pub fn read(bytes: &[u8]) -> Result<Export, Refused> {
    let text = std::str::from_utf8(bytes).map_err(|error| Refused::NotText(error.valid_up_to() + 1))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Refused::Empty);
    }
    let first = text.lines().next().unwrap_or_default();
    let layout = match header::read(first) {
        Ok(layout) => layout,
        Err(layout) => return Err(no_csv(text).unwrap_or(layout)),
    };
    let Some((body, closing)) = footer::split(text) else {
        return Err(no_data(text).unwrap_or(Refused::Truncated));
    };
    let lines = 1 + body.bytes().filter(|byte| *byte == b'\n').count();
    let exported = footer::instant(closing).ok_or_else(|| {
        Refused::at(
            lines,
            1,
            format_args!("{closing:?} has no date such as \"as of 03-05-2026 06:11am CST\""),
        )
    })?;
    let mut export = Export {
        unchanged: Vec::new(),
        symbols: Vec::new(),
        exported,
        intraday: None,
        walls: Vec::new(),
        values: Default::default(),
        layout,
    };
    let rows = body.get(first.len()..).unwrap_or_default();
    export.reserve(lines);
    export.push_rows(rows.strip_prefix('\r').unwrap_or(rows).strip_prefix('\n').unwrap_or(rows))?;
    export.oldest_first();
    Ok(export)
}

impl Export {
    /// How many rows.
    pub fn len(&self) -> usize {
        self.walls.len()
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.walls.is_empty()
    }

    /// The symbol of all rows, where the export says one.
    pub fn symbol(&self) -> Option<&str> {
        match self.symbols.as_slice() {
            [symbol] => Some(symbol),
            _ => None,
        }
    }

    /// The distance in minutes at which most rows follow each other.
    pub fn step_minutes(&self) -> Option<u32> {
        let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
        for pair in self.walls.windows(2) {
            *counts.entry(pair[1] - pair[0]).or_default() += 1;
        }
        let (step, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
        let most = count * 2 >= self.walls.len() - 1 && step > 0 && step % 60 == 0;
        u32::try_from(step / 60).ok().filter(|_| most)
    }

    fn reserve(&mut self, rows: usize) {
        self.walls.reserve(rows);
        let columns = self.layout.columns.iter();
        columns.filter_map(|column| column.value()).for_each(|at| self.values[at].reserve(rows));
    }

    fn push_rows(&mut self, rows: &str) -> Result<(), Refused> {
        let columns = std::mem::take(&mut self.layout.columns);
        let mut dates = cell::Stamps::default();
        for (at, line) in rows.split_terminator('\n').enumerate() {
            let mut cells = Cells::of(line.strip_suffix('\r').unwrap_or(line));
            for (nth, column) in columns.iter().enumerate() {
                let place = |said: String| Refused::at(at + 2, nth + 1, said);
                let Some(cell) = cells.next() else {
                    return Err(place(format!("the value of {} is missing", column.name())));
                };
                self.push_cell(*column, cell.map_err(&place)?, &mut dates).map_err(&place)?;
            }
            if cells.next().is_some() {
                return Err(Refused::at(at + 2, columns.len() + 1, "a value too many"));
            }
        }
        self.layout.columns = columns;
        self.layout.dates = dates.form;
        Ok(())
    }

    fn push_cell<'a>(
        &mut self,
        column: header::Column,
        cell: &'a str,
        stamps: &mut cell::Stamps<'a>,
    ) -> Result<(), String> {
        match column {
            header::Column::Time => {
                let (wall, timed) = stamps.read(cell)?;
                if *self.intraday.get_or_insert(timed) != timed {
                    let (this, others) = if timed { ("a", "no") } else { ("no", "a") };
                    return Err(format!("{cell:?} has {this} time of day and the rows before have {others}"));
                }
                self.walls.push(wall);
            }
            header::Column::Symbol if cell.is_empty() => return Err("the symbol is empty".to_owned()),
            header::Column::Symbol => {
                if self.symbols.last().is_none_or(|last| last != cell)
                    && !self.symbols.iter().any(|s| s == cell)
                {
                    self.symbols.push(cell.to_owned());
                }
            }
            header::Column::Change => self.unchanged.push(cell::change(cell)? == Some(0.0)),
            header::Column::Percent => {
                cell::percent(cell)?;
            }
            header::Column::Value(at, _) => self.values[at].push(cell::number(cell)?),
        }
        Ok(())
    }

    fn oldest_first(&mut self) {
        if self.walls.first() > self.walls.last() {
            self.walls.reverse();
            self.values.iter_mut().for_each(|column| column.reverse());
            self.unchanged.reverse();
            self.layout.newest_first = true;
        }
    }
}

/// What a text is whose first line is no header.
fn no_csv(text: &str) -> Option<Refused> {
    let start = text.trim_start();
    let lower = start.chars().take(4096).collect::<String>().to_ascii_lowercase();
    let limit = lower.contains("limit") && (lower.contains("download") || lower.contains("reached"));
    if limit {
        return Some(Refused::Limit(excerpt(start)));
    }
    if start.starts_with('<') {
        return Some(Refused::Page(title(start).unwrap_or_else(|| excerpt(start))));
    }
    no_data(text)
}

/// The site's words for a download that failed, wherever they stand: it may fail after the header.
fn no_data(text: &str) -> Option<Refused> {
    let at = text.find("Error retrieving data")?;
    Some(Refused::NoData(excerpt(text.get(at..)?)))
}

fn title(page: &str) -> Option<String> {
    let lower = page.to_ascii_lowercase();
    let from = lower.find("<title")?;
    let from = from + lower.get(from..)?.find('>')? + 1;
    let to = from + lower.get(from..)?.find('<')?;
    page.get(from..to).map(excerpt).filter(|title| !title.is_empty())
}

/// The beginning of a text in one line, without control characters.
fn excerpt(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|c| !c.is_control()).take(EXCERPT).collect()
}
