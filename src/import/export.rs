//! Exports of Barchart.com.

use std::path::Path;

use jiff::tz::TimeZone;

use super::days;
use super::report::FileReport;
use super::source::Source;
use crate::download::Piece;
use crate::model::SeriesMeta;
use crate::provider::barchart::csv::{self, Export};
use crate::provider::{Answer, RawAnswer, Request};

/// More of a file than this at each end is not needed to know what it is of, in bytes.
const ENDS: usize = 64 << 10;

/// Reads enough of a file to know what it is of: its first and its last rows.
pub(super) fn look_into(path: &Path) -> Result<Export, String> {
    let bytes = read_file(path)?;
    let ends = match bytes.len() > 3 * ENDS {
        true => csv::read(&both_ends(&bytes)),
        false => csv::read(&bytes),
    };
    // What is wrong in it is told by its own lines.
    ends.or_else(|_| csv::read(&bytes)).map_err(|refused| refused.to_string())
}

/// The whole lines at the beginning and at the end of a text.
fn both_ends(bytes: &[u8]) -> Vec<u8> {
    let (head, tail) = (&bytes[..ENDS], &bytes[bytes.len() - ENDS..]);
    let newline = |byte: &u8| *byte == b'\n';
    let head = head.iter().rposition(newline).map_or(head, |at| &head[..=at]);
    let tail = tail.iter().position(newline).map_or(tail, |at| &tail[at + 1..]);
    [head, tail].concat()
}

/// Reads a file whole.
pub(super) fn read(source: &Source, now: i64, told: &mut FileReport) -> Result<Piece, String> {
    let bytes = read_file(&source.path)?;
    let export = csv::read(&bytes).map_err(|refused| refused.to_string())?;
    told.rows = export.len() as u64;
    let zone_name = source.zone_name();
    let zone = TimeZone::get(zone_name).map_err(|error| error.to_string())?;
    let taken = export.bars(source.key.columns(), &zone).map_err(|refused| refused.to_string())?;
    let mut bars = taken.bars;
    for (why, rows) in taken.left_out {
        told.leave_out(why, rows);
    }
    let unfinished = days::drop_unfinished(&mut bars, source.key.period, export.exported, &zone);
    told.leave_out("of a bar that was not over", unfinished);
    told.notes.extend(taken.notes);
    let scope = source.scope(&zone, export.exported);
    let Some(days) = scope.covered(&bars) else { return Err("it has no bar to take".to_owned()) };
    let meta = SeriesMeta { zone: Some(zone_name.to_owned()), ..SeriesMeta::default() };
    let answer = Answer {
        bars,
        meta,
        splits: Vec::new(),
        sessions: Vec::new(),
        first_day: None,
        finished: Some(days::finished(export.exported, &zone)),
        clock: export.exported,
        dropped: Vec::new(),
        notes: Vec::new(),
    };
    let name = source.path.file_name().unwrap_or_default().to_string_lossy();
    let raw = RawAnswer {
        url: format!("file:{name}"),
        status: 200,
        headers: vec![("content-type".to_owned(), "text/csv".to_owned())],
        received: now,
        body: bytes,
    };
    let request = Request {
        instrument: source.instrument.clone(),
        contract: source.contract,
        period: source.key.period,
        days,
        correlation: "import".to_owned(),
    };
    Ok(Piece { request, answer, raw: Some(raw) })
}

/// The bytes of a file.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("it cannot be read: {error}"))
}
