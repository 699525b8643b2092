//! The side file of an older Vortex: `X.csv.json` beside `X.csv`, with the provider and what was asked for.

use std::path::Path;

use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::config::file::{self, Accept};
use crate::model::Period;

/// What a side file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SideFile {
    /// The provider, by today's name.
    pub(super) provider: Option<String>,
    /// The provider's symbol.
    pub(super) code: Option<String>,
    /// The bar length.
    pub(super) period: Option<Period>,
    /// From when on bars were asked for, in seconds since the epoch.
    pub(super) start: Option<i64>,
    /// Until when.
    pub(super) end: Option<i64>,
    /// When it was written.
    pub(super) created: Option<i64>,
}

#[derive(Deserialize)]
struct Fields {
    symbol: Option<String>,
    period: Option<String>,
    start_date: Option<String>,
    end_date: Option<String>,
    data_provider: Option<String>,
    created_date: Option<String>,
}

impl SideFile {
    /// Reads the side file of a CSV; `None` where there is none.
    pub(super) fn beside(csv: &Path) -> Result<Option<SideFile>, String> {
        let mut name = csv.as_os_str().to_owned();
        name.push(".json");
        // Looked at as its CSV is: a pipe would be waited for, a device read without end.
        let text = file::read_text(Path::new(&name), Accept::File);
        let text = text.map_err(|error| format!("its side file .csv.json {error}"))?;
        text.map(|text| SideFile::read(&text))
            .transpose()
            .map_err(|why| format!("its side file .csv.json: {why}"))
    }

    /// Reads its text.
    pub(super) fn read(text: &str) -> Result<SideFile, String> {
        let fields: Fields = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let instant = |field: Option<String>| field.map(|text| instant(&text)).transpose();
        Ok(SideFile {
            provider: fields.data_provider.map(|name| provider(&name)).transpose()?,
            code: fields.symbol.filter(|code| !code.is_empty()),
            period: fields.period.map(|period| period.parse()).transpose()?,
            start: instant(fields.start_date)?,
            end: instant(fields.end_date)?,
            created: instant(fields.created_date)?,
        })
    }
}

/// A provider by the name it had in older side files, or has now.
fn provider(name: &str) -> Result<String, String> {
    let known = [
        ("yahoofinance", "yahoo"),
        ("interactivebrokers", "ibkr"),
        ("barchart", "barchart"),
        ("yahoo", "yahoo"),
        ("ibkr", "ibkr"),
    ];
    let lower = name.to_ascii_lowercase();
    let found = known.iter().find(|(older, _)| *older == lower);
    found.map(|(_, name)| (*name).to_owned()).ok_or_else(|| {
        format!("provider {name:?} is unknown; known are Barchart, YahooFinance and InteractiveBrokers")
    })
}

/// An instant such as `2024-01-02T06:00:00+00:00`; without a zone it is of UTC.
fn instant(text: &str) -> Result<i64, String> {
    let with_zone = text.parse::<jiff::Timestamp>().map(|at| at.as_second());
    with_zone
        .or_else(|_| {
            text.parse::<jiff::civil::DateTime>()
                .and_then(|at| TimeZone::UTC.to_timestamp(at))
                .map(|at| at.as_second())
        })
        .map_err(|_| format!("{text:?} is no time such as 2024-01-02T06:00:00+00:00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn side_files_are_read() {
        let text = r#"{"symbol":"GCG24","period":"1d","start_date":"2023-01-01T00:00:00-06:00","end_date":"2024-02-28T06:00:00",
            "first_row_date":"2023-01-03T06:00:00+00:00","data_provider":"Barchart","expiration_date":null,"created_date":"2024-02-28T09:00:00.123456"}"#;
        let read = SideFile::read(text).unwrap();
        assert_eq!(
            (read.provider.as_deref(), read.code.as_deref(), read.period),
            (Some("barchart"), Some("GCG24"), Some(Period::D1))
        );
        assert_eq!((read.start, read.end), (Some(1_672_552_800), Some(1_709_100_000)));
        assert_eq!(read.created, Some(1_709_110_800));
        for bad in
            ["", "[]", r#"{"data_provider":"Nobody"}"#, r#"{"period":"4h"}"#, r#"{"start_date":"yesterday"}"#]
        {
            assert!(SideFile::read(bad).is_err(), "{bad}");
        }
        assert_eq!(SideFile::read("{}"), Ok(SideFile::default()));
    }
}
