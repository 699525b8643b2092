//! The first line of an export.

use std::fmt;

use super::Refused;
use super::cell::Cells;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Symbol,
    Time,
    Change,
    Percent,
    /// A place in [`super::Export::values`], and the name it goes by.
    Value(usize, &'static str),
}

/// The place of `Last` and its kind in [`super::Export::values`].
pub(super) const CLOSE: usize = 3;
pub(super) const VOLUME: usize = 4;
pub(super) const OPEN_INTEREST: usize = 5;

/// Every name a column was seen under; the newest of each last.
const NAMES: [(&str, Column); 12] = [
    ("Symbol", Column::Symbol),
    ("Time", Column::Time),
    ("Open", Column::Value(0, "Open")),
    ("High", Column::Value(1, "High")),
    ("Low", Column::Value(2, "Low")),
    ("Last", Column::Value(CLOSE, "Last")),
    ("Latest", Column::Value(CLOSE, "Latest")),
    ("Change", Column::Change),
    ("%Chg", Column::Percent),
    ("%Change", Column::Percent),
    ("Volume", Column::Value(VOLUME, "Volume")),
    ("Open Int", Column::Value(OPEN_INTEREST, "Open Int")),
];

impl Column {
    pub(super) fn name(self) -> &'static str {
        match self {
            Column::Symbol => "Symbol",
            Column::Time => "Time",
            Column::Change => "Change",
            Column::Percent => "%Change",
            Column::Value(_, name) => name,
        }
    }

    pub(super) fn value(self) -> Option<usize> {
        match self {
            Column::Value(at, _) => Some(at),
            _ => None,
        }
    }

    /// The same quantity, whatever it is called.
    fn is_same(self, other: Column) -> bool {
        match (self, other) {
            (Column::Value(a, _), Column::Value(b, _)) => a == b,
            _ => self == other,
        }
    }
}

/// How the dates of an export are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dates {
    /// `01/10/20`.
    TwoDigitYear,
    /// `11/18/2021`.
    Slashes,
    /// `2026-03-04`.
    Dashes,
}

/// How an export is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    pub(super) columns: Vec<Column>,
    /// How its dates are written; `None` without rows.
    pub dates: Option<Dates>,
    /// Whether its newest row came first.
    pub newest_first: bool,
}

impl Layout {
    /// Whether it has open interest.
    pub fn has_open_interest(&self) -> bool {
        self.columns.iter().any(|column| column.value() == Some(OPEN_INTEREST))
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name()).collect();
        let dates = match self.dates {
            None => "no rows",
            Some(Dates::TwoDigitYear) => "MM/DD/YY",
            Some(Dates::Slashes) => "MM/DD/YYYY",
            Some(Dates::Dashes) => "YYYY-MM-DD",
        };
        write!(f, "{} ({dates})", names.join(","))
    }
}

/// Reads the header. The order of the columns is free, since each is named; an unknown one is refused.
pub(super) fn read(line: &str) -> Result<Layout, Refused> {
    let mut columns: Vec<Column> = Vec::new();
    for (nth, cell) in Cells::of(line.strip_suffix('\r').unwrap_or(line)).enumerate() {
        let place = |said: String| Refused::at(1, nth + 1, said);
        let name = cell.map_err(&place)?.trim();
        let Some((_, column)) = NAMES.iter().find(|(known, _)| *known == name) else {
            let known: Vec<&str> = NAMES.iter().map(|(known, _)| *known).collect();
            let name: String = name.chars().take(40).collect();
            // The first line of any other file is nothing to repeat.
            let name = if knows_some(line) { format!("{name:?}") } else { "this".to_owned() };
            return Err(place(format!(
                "{name} is no column of a Barchart export; known are {}",
                known.join(", ")
            )));
        };
        if columns.iter().any(|other| other.is_same(*column)) {
            return Err(place(format!("{name} comes twice")));
        }
        columns.push(*column);
    }
    let has = |wanted: Column| columns.iter().any(|column| column.is_same(wanted));
    let needed = [
        Column::Time,
        Column::Value(0, "Open"),
        Column::Value(1, "High"),
        Column::Value(2, "Low"),
        Column::Value(CLOSE, "Latest"),
        Column::Value(VOLUME, "Volume"),
    ];
    match needed.into_iter().find(|wanted| !has(*wanted)) {
        Some(missing) => {
            Err(Refused::at(1, columns.len() + 1, format_args!("there is no column {}", missing.name())))
        }
        None => Ok(Layout { columns, dates: None, newest_first: false }),
    }
}

/// Whether a line is a header by most of what it has.
fn knows_some(line: &str) -> bool {
    let known = |cell: &&str| NAMES.iter().any(|(known, _)| known == cell);
    line.split(',').map(|cell| cell.trim().trim_matches('"')).filter(known).count() >= 3
}
