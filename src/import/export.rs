//! Exports of Barchart.com.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::name;
use super::report::{FileReport, UNFINISHED};
use super::source::{self, Source};
use crate::download::Piece;
use crate::model::day::instant;
use crate::provider::RawAnswer;
use crate::provider::barchart;
use crate::provider::barchart::csv::{self, Export};
use crate::provider::cut::LeftOut;

/// More of a file than this at each end is not needed to know what it is of, in bytes.
const ENDS: usize = 64 << 10;
/// A file is read whole into memory. An export has 20,000 rows at most; ten years of minutes have this.
const MOST_BYTES: u64 = 256 << 20;

/// Reads enough of a file to know what it is of: its first and its last rows.
pub(super) fn look_into(path: &Path) -> Result<Export, String> {
    if let Ok(Some(ends)) = both_ends(path)
        && let Ok(export) = csv::read(&ends)
    {
        return Ok(export);
    }
    // What is wrong in it is told by its own lines.
    csv::read(&read_file(path)?).map_err(|refused| refused.to_string())
}

/// Whether the first line of a file is that of an export.
pub(super) fn begins_as_one(path: &Path) -> bool {
    let mut line = Vec::new();
    let read = File::open(path).and_then(|file| file.take(ENDS as u64).read_to_end(&mut line));
    let first = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    read.is_ok() && std::str::from_utf8(first).is_ok_and(csv::is_header)
}

/// The whole lines at the beginning and at the end of a file; of a small one nothing.
fn both_ends(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() <= 3 * ENDS as u64 {
        return Ok(None);
    }
    let (mut head, mut tail) = (vec![0; ENDS], vec![0; ENDS]);
    file.read_exact(&mut head)?;
    file.seek(SeekFrom::End(-(ENDS as i64)))?;
    file.read_exact(&mut tail)?;
    let newline = |byte: &u8| *byte == b'\n';
    head.truncate(head.iter().rposition(newline).map_or(ENDS, |at| at + 1));
    let from = tail.iter().position(newline).map_or(0, |at| at + 1);
    head.extend_from_slice(&tail[from..]);
    Ok(Some(head))
}

/// Reads a file whole.
pub(super) fn read(source: &Source, symbol: &str, now: i64, told: &mut FileReport) -> Result<Piece, String> {
    let bytes = read_file(&source.path)?;
    let export = csv::read(&bytes).map_err(|refused| refused.to_string())?;
    told.rows = export.len() as u64;
    told.hash = Some(hash(&source.path, &bytes));
    source::check(source, symbol, &export)?;
    let zone = barchart::zone(source.key.class);
    let taken = export.bars(source.key.columns(), &zone).map_err(|refused| refused.to_string())?;
    for (why, rows) in taken.left_out {
        told.leave_out(why, rows);
    }
    told.notes.extend(taken.notes);
    let made = made(export.exported, now)?;
    let scope = source.scope(&zone, made);
    let nothing = || "it has no bar to take".to_owned();
    let (rows, days) = (taken.bars.len(), scope.span(&taken.bars).ok_or_else(nothing)?);
    let request = source.request(days);
    let answer = barchart::finished_answer(&request, taken.bars, made, LeftOut::default(), Vec::new());
    told.leave_out(UNFINISHED, rows - answer.bars.len());
    let covered = scope.covered(&answer.bars, export.len()).ok_or_else(nothing)?;
    told.notes.extend(scope.open_end(covered, now));
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

/// When a file was made, by its closing line; clocks may differ by less than a day.
fn made(exported: i64, now: i64) -> Result<i64, String> {
    if exported > now + 86_400 {
        return Err(format!(
            "its closing line says that it was made at {}, which is yet to come: correct the line, or the clock of this machine ({})",
            instant(exported),
            instant(now)
        ));
    }
    Ok(exported.min(now))
}

/// The hash that tells whether a file was imported before: of its content, and of what its name says of the series.
pub(super) fn hash(path: &Path, bytes: &[u8]) -> String {
    finish(path, blake3::Hasher::new().update(bytes))
}

/// The same of a file, which is not held in memory.
pub fn hash_of_file(path: &Path) -> std::io::Result<String> {
    Ok(finish(path, blake3::Hasher::new().update_reader(File::open(path)?)?))
}

fn finish(path: &Path, hasher: &mut blake3::Hasher) -> String {
    let file_name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let named = match name::of_plain(path) {
        Some(_) => file_name.to_owned(),
        None => format!("{:?}", name::of_export(file_name)),
    };
    hasher.update(named.as_bytes()).finalize().to_hex().to_string()
}

/// The bytes of a file.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let fail = |error: std::io::Error| format!("it cannot be read: {error}");
    let bytes = std::fs::metadata(path).map_err(fail)?.len();
    if bytes > MOST_BYTES {
        return Err(format!(
            "it has {} MB, and files of up to {} MB are read: is it bars? Cut it into parts",
            bytes >> 20,
            MOST_BYTES >> 20
        ));
    }
    std::fs::read(path).map_err(fail)
}
