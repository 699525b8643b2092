//! `vortex archive rebuild`: the catalogue again from the files.

use serde_json::json;

use super::args::SeriesFilter;
use super::error::{Error, Exit, Outcome};
use super::writer::{self, archive_error};
use super::{Context, output};
use crate::archive::Archive;
use crate::archive::rebuild::{Outcome as Rebuilt, Rebuilt as Row};

/// Who holds the lock, to others.
const HOLDER: &str = "vortex archive rebuild";

/// Runs the command.
pub(super) fn run(context: &Context, filter: &SeriesFilter) -> Outcome {
    if filter.provider.is_some() || filter.period.is_some() {
        return Err(Error::usage(
            "a rebuild takes a SYMBOL, or nothing for all; leave out --provider and --period",
        ));
    }
    let config = context.config();
    if config.dry_run {
        return Err(Error::usage(
            "a rebuild has no dry run; `vortex validate` shows what is not as it should be",
        ));
    }
    if !config.archive.is_dir() {
        let said = format!("{} is no folder; -o names another", config.archive.display());
        return Err(Error::new(Exit::NoSuchObject, anyhow::Error::msg(said)));
    }
    let (archive, aside) =
        Archive::open_for_rebuild(&config.archive, &config.state_directory, HOLDER).map_err(archive_error)?;
    if let Some(aside) = &aside {
        tracing::warn!("the damaged catalogue was put aside as {}", aside.display());
    }
    let writer = writer::take(&archive, HOLDER, false)?;
    let done = writer.rebuild(filter.symbol.as_deref()).map_err(archive_error)?;
    if let Some(symbol) = filter.symbol.as_ref().filter(|_| done.is_empty()) {
        let said = format!("the archive has no file of {symbol}");
        return Err(Error::new(Exit::NoSuchObject, anyhow::Error::msg(said)));
    }
    report(context, &done)
}

fn report(context: &Context, done: &[Row]) -> Outcome {
    let left = done.iter().filter(|row| matches!(row.outcome, Rebuilt::LeftAlone(_))).count();
    let exit = if left > 0 { Exit::Partly } else { Exit::Done };
    if context.global.json {
        let rows: Vec<_> = done
            .iter()
            .map(|row| {
                let (path, reason) = (row.path.display().to_string(), reason(&row.outcome));
                json!({ "path": path, "outcome": word(&row.outcome), "reason": reason })
            })
            .collect();
        output::json(&rows)?;
        return Ok(exit);
    }
    let told = done.iter().filter(|row| row.outcome != Rebuilt::AsItIs);
    let rows: Vec<Vec<String>> =
        told.map(|row| vec![row.path.display().to_string(), words(&row.outcome)]).collect();
    if !rows.is_empty() {
        output::table(&["File", "What was done"], &rows)?;
    }
    let (taken, made) = (done.len() - left, rows.len() - left);
    output::line(format!("file pairs: {taken} in the catalogue ({made} made whole), {left} left alone"))?;
    Ok(exit)
}

/// One word for programs.
fn word(outcome: &Rebuilt) -> &'static str {
    match outcome {
        Rebuilt::AsItIs => "as-it-is",
        Rebuilt::ParquetMade => "parquet-made",
        Rebuilt::CsvMade => "csv-made",
        Rebuilt::LeftAlone(_) => "left-alone",
    }
}

fn reason(outcome: &Rebuilt) -> Option<&str> {
    match outcome {
        Rebuilt::LeftAlone(why) => Some(why),
        _ => None,
    }
}

fn words(outcome: &Rebuilt) -> String {
    match outcome {
        Rebuilt::AsItIs => "as it is".to_owned(),
        Rebuilt::ParquetMade => "the CSV holds, its Parquet was made again".to_owned(),
        Rebuilt::CsvMade => "the CSV was made again from the Parquet".to_owned(),
        Rebuilt::LeftAlone(why) => format!("left alone: {why}"),
    }
}
