//! Printing what commands list: tables for people, JSON and CSV for programs.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::error::Error;
use crate::escape;

/// So many things, in words: `1 bar`, `2 bars`.
pub fn count(number: impl Display + PartialEq + From<u8>, thing: &str) -> String {
    let end = if number == 1.into() { "" } else { "s" };
    format!("{number} {thing}{end}")
}

/// Writes to standard output as it is, for programs and texts of our own. A reader that went away ends the command
/// quietly.
pub fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Writes one line, or several, to standard output, without what a terminal would obey.
pub fn line(text: impl Display) -> Result<(), Error> {
    print(&format!("{}\n", escape::lines(&text.to_string())))
}

/// Writes a value as JSON over several lines.
pub fn json(value: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).map_err(anyhow::Error::from)?;
    print(&format!("{}\n", escape::json(&text)))
}

/// An instant in seconds since the epoch for programs, by RFC 3339.
pub fn stamp(seconds: i64) -> Option<String> {
    jiff::Timestamp::from_second(seconds).ok().map(|at| at.to_string())
}

/// Writes rows as a table: fitted into a terminal, plain aligned columns anywhere else.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> Result<(), Error> {
    print(&format!("{}\n", render(header, &harmless(rows), io::stdout().is_terminal())))
}

/// Writes rows one line each, however wide: what is listed stays a line a row on any terminal.
pub fn listing(header: &[&str], rows: &[Vec<String>]) -> Result<(), Error> {
    let rows = harmless(rows);
    let mut widths: Vec<usize> = header.iter().map(|cell| cell.width()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.width().max(*width);
        }
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut aligned = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (cell, width) in cells.zip(&widths) {
            let room = width - cell.width();
            line.extend([" ", cell, " "]);
            line.extend(std::iter::repeat_n(' ', room));
        }
        writeln!(out, "{}", line.trim_end())
    };
    aligned(&mut header.iter().copied())?;
    for row in &rows {
        aligned(&mut row.iter().map(String::as_str))?;
    }
    Ok(out.flush()?)
}

/// Writes rows as CSV with a header.
pub fn csv(header: &[&str], rows: &[Vec<String>]) -> Result<(), Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header).map_err(anyhow::Error::from)?;
    for row in rows {
        writer.write_record(row).map_err(anyhow::Error::from)?;
    }
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    print(&String::from_utf8_lossy(&bytes))
}

/// Cells as they are shown: a name in one may hold what a terminal would obey.
fn harmless(rows: &[Vec<String>]) -> Vec<Vec<String>> {
    rows.iter().map(|row| row.iter().map(|cell| escape::text(cell).into_owned()).collect()).collect()
}

fn render(header: &[&str], rows: &[Vec<String>], terminal: bool) -> String {
    let mut table = Table::new();
    if terminal {
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_content_arrangement(ContentArrangement::Dynamic);
    } else {
        table.force_no_tty();
        table.load_style(presets::NOTHING);
    }
    table.set_header(header.to_vec());
    table.add_rows(rows.to_vec());
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_not_many() {
        assert_eq!(count(1usize, "bar"), "1 bar");
        assert_eq!([count(0u64, "bar"), count(21u32, "older span")], ["0 bars", "21 older spans"]);
    }

    #[test]
    fn a_piped_table_is_a_line_a_row() {
        let rows = vec![vec!["AAPL".to_owned(), "x".repeat(300)]];
        let text = render(&["Symbol", "Note"], &rows, false);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.lines().next().is_some_and(|line| line.contains("Symbol")));
        assert!(!text.contains('│') && !text.contains('\u{1b}'), "{text}");
    }
}
