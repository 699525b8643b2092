//! `vortex import`: files of a person, and folders of other programs, become part of the archive.

use serde_json::{Value, json};

use super::args::ImportArgs;
use super::error::{Error, Exit, Outcome};
use super::output::count;
use super::providers::known;
use super::writer::{self, archive_error, on_signal};
use super::{Context, output, progress};
use crate::archive::raw::RawTrail;
use crate::config::LogFormat;
use crate::download::{self, Summary};
use crate::import::report::{self, FileReport};
use crate::import::{How, Sorted, Wish, import, sort_out};
use crate::model::symbol;
use crate::request::source;

/// More files than this are listed only where something of them was not taken.
const MANY_FILES: usize = 40;

/// Runs the command.
pub(super) fn run(context: &Context, args: &ImportArgs) -> Outcome {
    let config = context.config();
    let now = (source::clock())();
    for path in &args.paths {
        if !path.exists() {
            let said = format!("{}: there is no such file or folder", path.display());
            return Err(Error::new(Exit::NoSuchObject, anyhow::Error::msg(said)));
        }
    }
    let sorted = sort_out(&wish(args)?, config, now)?;
    if config.dry_run {
        return dry_run(context, sorted, now);
    }
    let writer = writer::open(context, "vortex import", args.no_wait)?;
    let archive = writer.archive().clone();
    let detail = format!("import of {}", count(sorted.files.len(), "file"));
    let number = archive.start_job("command line", &detail).map_err(archive_error)?;
    let runtime = download::runtime()?;
    let (summary, files) = runtime.block_on(async {
        let how = How {
            number,
            raw: RawTrail::new(&config.raw),
            parquet: config.parquet,
            force: args.force,
            observer: progress::observer(context.global.json || config.logging.format == LogFormat::Json),
            now: source::clock(),
            cancelled: on_signal()?,
        };
        import(writer, sorted, how).await.map_err(archive_error)
    })?;
    if let Err(error) = archive.finish_job(number, summary.result().word(), &summary.detail()) {
        // What the import did is told all the same.
        tracing::warn!("how job {number} ended could not be noted: {error}");
    }
    report(context, &summary, &files)
}

fn wish(args: &ImportArgs) -> Result<Wish, Error> {
    if let Some(provider) = &args.provider {
        known(provider, false)?;
    }
    let mut names = Vec::new();
    for pair in &args.symbols {
        let Some((name, code)) = pair.split_once('=').filter(|(_, code)| !code.is_empty()) else {
            return Err(Error::usage(format!(
                "--symbol {pair}: write NAME=CODE, such as AUD=A6: the name of the files, and the symbol of the provider"
            )));
        };
        symbol::encode(name).map_err(|why| Error::usage(format!("--symbol {pair}: {why}")))?;
        names.push((name.to_owned(), code.to_owned()));
    }
    Ok(Wish {
        paths: args.paths.clone(),
        provider: args.provider.clone(),
        class: args.class,
        names,
        force: args.force,
    })
}

fn dry_run(context: &Context, sorted: Sorted, now: i64) -> Outcome {
    let series = sorted.series().count();
    let files = sorted.read_only(now);
    if context.global.json {
        output::json(&json!({ "dry_run": true, "files": files.iter().map(file_json).collect::<Vec<_>>() }))?;
        return Ok(report::exit(&files));
    }
    table(&files, true)?;
    let bars: u64 = files.iter().map(|file| file.readable).sum();
    output::line(format!(
        "{} of {series} series, {}; nothing was written",
        count(files.len(), "file"),
        count(bars, "bar"),
    ))?;
    Ok(report::exit(&files))
}

/// Tells what came of an import, and the exit code.
fn report(context: &Context, summary: &Summary, files: &[FileReport]) -> Outcome {
    let exit = match () {
        () if summary.interrupted => Exit::Interrupted,
        () if summary.fatal.is_some() => Exit::Failed,
        () => report::exit(files),
    };
    if context.global.json {
        output::json(&json!({
            "job": summary.job, "exit": exit as u8, "error": summary.fatal,
            "files": files.iter().map(file_json).collect::<Vec<_>>(),
        }))?;
        return Ok(exit);
    }
    table(files, false)?;
    if let Some(why) = &summary.fatal {
        output::line(format!("The import ended early: {why}"))?;
    }
    let sum = |rows: fn(&FileReport) -> u64| files.iter().map(rows).sum::<u64>();
    output::line(format!(
        "{} ({}), {}: {} taken, {} there already, {} not taken; in {}",
        count(files.len(), "file"),
        outcomes(files),
        count(sum(|file| file.rows), "row"),
        sum(|file| file.taken),
        sum(|file| file.already),
        sum(FileReport::refused_rows),
        context.config().archive.display()
    ))?;
    Ok(exit)
}

/// `3 imported, 1 refused`.
fn outcomes(files: &[FileReport]) -> String {
    let counted = ["imported", "refused", "passed over", "waiting"].map(|word| {
        let count = files.iter().filter(|file| file.outcome.word() == word).count();
        (count, word)
    });
    let told: Vec<String> = counted
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    if told.is_empty() { "none".to_owned() } else { told.join(", ") }
}

fn table(files: &[FileReport], dry: bool) -> Result<(), Error> {
    let all = files.len() <= MANY_FILES;
    let told = |file: &&FileReport| all || file.refused_rows() > 0 || file.outcome.reason().is_some();
    let rows: Vec<Vec<String>> = files.iter().filter(told).map(|file| row(file, dry)).collect();
    if !rows.is_empty() {
        let taken = if dry { "Bars" } else { "Taken" };
        output::table(&["File", "Series", "Result", "Rows", taken, "Already", "Not taken", "Note"], &rows)?;
    }
    if rows.len() < files.len() {
        output::line(format!(
            "{} more, whose every row was taken or there already",
            count(files.len() - rows.len(), "file")
        ))?;
    }
    Ok(())
}

fn row(file: &FileReport, dry: bool) -> Vec<String> {
    let number = |n: u64| if n == 0 { String::new() } else { n.to_string() };
    let series =
        file.series.as_ref().map_or_else(String::new, |key| format!("{} {}", key.name(), key.period));
    let mut notes: Vec<String> = file.outcome.reason().map(str::to_owned).into_iter().collect();
    if notes.is_empty() {
        notes.extend(file.refused.iter().map(|(why, rows)| format!("{} {why}", count(*rows, "row"))));
        if file.corrected > 0 {
            notes.push(format!("{} corrected", count(file.corrected, "stored bar")));
        }
    }
    notes.extend(file.notes.iter().cloned());
    let word = if dry && file.outcome.reason().is_none() { "readable" } else { file.outcome.word() };
    let taken = if dry { file.readable } else { file.taken };
    vec![
        file.shown(),
        series,
        word.to_owned(),
        number(file.rows),
        number(taken),
        number(file.already),
        number(file.refused_rows()),
        notes.join("; "),
    ]
}

fn file_json(file: &FileReport) -> Value {
    let refused: Vec<Value> =
        file.refused.iter().map(|(why, rows)| json!({ "reason": why, "rows": rows })).collect();
    let series = file.series.as_ref().map(|key| {
        json!({
            "provider": key.provider, "class": key.class, "symbol": key.symbol,
            "contract": key.contract.map(|_| key.name()), "period": key.period.name(),
        })
    });
    json!({
        "file": file.path.to_string_lossy(), "series": series, "result": file.outcome.word(),
        "reason": file.outcome.reason(), "rows": file.rows, "taken": file.taken, "corrected": file.corrected,
        "already": file.already, "not_taken": refused, "notes": file.notes,
    })
}
