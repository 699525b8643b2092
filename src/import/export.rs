//! Exports of Barchart.com.

use std::ffi::OsStr;
use std::path::Path;

use super::name;
use super::report::{FileReport, UNFINISHED};
use super::source::Source;
use crate::download::Piece;
use crate::provider::RawAnswer;
use crate::provider::barchart;
use crate::provider::barchart::csv::{self, Export};

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
    told.hash = Some(hash(&source.path, &bytes));
    let zone = barchart::zone(source.key.class);
    let taken = export.bars(source.key.columns(), &zone).map_err(|refused| refused.to_string())?;
    for (why, rows) in taken.left_out {
        told.leave_out(why, rows);
    }
    told.notes.extend(taken.notes);
    let scope = source.scope(&zone, export.exported);
    let nothing = || "it has no bar to take".to_owned();
    let (rows, days) = (taken.bars.len(), scope.span(&taken.bars).ok_or_else(nothing)?);
    let request = source.request(days);
    let answer = barchart::finished_answer(&request, taken.bars, export.exported, Vec::new(), Vec::new());
    told.leave_out(UNFINISHED, rows - answer.bars.len());
    let covered = scope.covered(&answer.bars).ok_or_else(nothing)?;
    let name = source.path.file_name().unwrap_or_default().to_string_lossy();
    let raw = RawAnswer {
        url: format!("{}{name}", barchart::FILE),
        status: 200,
        headers: vec![("content-type".to_owned(), "text/csv".to_owned())],
        received: now,
        gzip: None,
        body: bytes,
    };
    Ok(Piece { request, covered, answer, raw: Some(raw) })
}

/// The hash that tells whether a file was imported before: of its content, and of what its name says of the series.
pub fn hash(path: &Path, bytes: &[u8]) -> String {
    let file_name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let named = match name::of_plain(path) {
        Some(_) => file_name.to_owned(),
        None => format!("{:?}", name::of_export(file_name)),
    };
    blake3::Hasher::new().update(bytes).update(named.as_bytes()).finalize().to_hex().to_string()
}

/// The bytes of a file.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("it cannot be read: {error}"))
}
