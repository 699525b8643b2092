//! `vortex download`: fetch what is missing into the archive.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::args::DownloadArgs;
use super::error::{Error, Exit, Outcome};
use super::output::count;
use super::prompt::interruptible;
use super::writer::{self, archive_error, on_signal};
use super::{Context, foresee, output, progress};
use crate::archive::Writer;
use crate::archive::raw::RawTrail;
use crate::config::LogFormat;
use crate::config::file::{self, Accept};
use crate::download::{self, Job, SeriesResult, Summary, Target};
use crate::model::day;
use crate::provider::Provider;
use crate::request::{Request, source};

/// More series than this are only fetched after a question, on a terminal without `--yes`.
const MANY_SERIES: usize = 1000;
/// More updated series than this are not listed one by one.
pub(super) const MANY_ROWS: usize = 40;

/// Runs the command.
pub(super) fn run(context: &Context, args: &DownloadArgs) -> Outcome {
    let config = context.config();
    if args.from.is_some() {
        return Err(Error::usage("--from goes with --provider replay"));
    }
    let request = request(args)?;
    request.check_dates(("--start-date", "--end-date"))?;
    let (provider, targets) = request.resolve(config)?;
    let unready = provider.unready();
    if config.dry_run {
        if let Some(why) = unready {
            tracing::warn!("{why}");
        }
        return foresee::run(context, &targets, provider.as_ref());
    }
    if let Some(why) = unready {
        return Err(Error::new(Exit::Failed, why));
    }
    confirm(args, targets.len())?;
    let writer = writer::open(context, "vortex download", args.no_wait)?;
    let summary = work(context, args, provider, targets, writer)?;
    report(context, &summary)
}

/// The request of the options. What stands in the configuration by them is not repeated here.
pub(super) fn request(args: &DownloadArgs) -> Result<Request, Error> {
    let mut symbols = args.symbols.clone();
    if let Some(file) = &args.symbols_file {
        symbols.extend(symbols_of(file)?);
    }
    Ok(Request {
        symbols,
        periods: args.periods.clone(),
        start: args.start_date,
        end: args.end_date,
        force: args.force,
        chunk: args.chunk_size,
        assets: args.assets.clone(),
        force_parquet: args.backup,
        ..Request::default()
    })
}

/// One symbol a line; empty lines and what follows a `#` are left out.
fn symbols_of(file: &Path) -> Result<Vec<String>, Error> {
    let text = file::read_named(file, Accept::FileOrPipe)
        .map_err(|error| Error::usage(format!("--symbols-file {} {error}", file.display())))?;
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let symbols: Vec<String> = lines.filter(|line| !line.is_empty()).map(str::to_owned).collect();
    if symbols.is_empty() {
        return Err(Error::usage(format!(
            "--symbols-file {} names no symbol; write one a line",
            file.display()
        )));
    }
    Ok(symbols)
}

fn confirm(args: &DownloadArgs, series: usize) -> Result<(), Error> {
    if args.yes || series <= MANY_SERIES || !io::stdin().is_terminal() {
        return Ok(());
    }
    let question = format!("{series} series are asked for. Go on?");
    let ask = || dialoguer::Confirm::new().with_prompt(question).default(true).interact();
    match interruptible(ask)? {
        true => Ok(()),
        false => Err(Error::new(Exit::Interrupted, anyhow::anyhow!("nothing was asked for"))),
    }
}

fn work(
    context: &Context,
    args: &DownloadArgs,
    provider: Arc<dyn Provider>,
    targets: Vec<Target>,
    writer: Writer,
) -> Result<Summary, Error> {
    let config = context.config();
    let number = writer.archive().start_job("command line", &format!("{} series", targets.len()));
    let number = number.map_err(archive_error)?;
    let archive = writer.archive().clone();
    let runtime = download::runtime()?;
    let summary = runtime.block_on(async {
        let job = Job {
            number,
            provider,
            targets,
            raw: RawTrail::new(&config.raw),
            parquet: config.parquet,
            force_parquet: config.force_parquet || args.backup,
            observer: progress::observer(context.global.json || config.logging.format == LogFormat::Json),
            now: source::clock(),
            cancelled: on_signal()?,
        };
        download::run(writer, job).await.map_err(archive_error)
    })?;
    if let Err(error) = archive.finish_job(number, summary.result().word(), &summary.detail()) {
        // What the job did is told all the same.
        tracing::warn!("how job {number} ended could not be noted: {error}");
    }
    Ok(summary)
}

/// Tells what came of a job, and the exit code.
pub(super) fn report(context: &Context, summary: &Summary) -> Outcome {
    let result = summary.result();
    let exit = match result.exit_code() {
        0 => Exit::Done,
        1 => Exit::Failed,
        75 => Exit::Later,
        130 => Exit::Interrupted,
        _ => Exit::Partly,
    };
    if context.global.json {
        let series: Vec<_> = summary.results.iter().map(series_json).collect();
        output::json(&json!({
            "job": summary.job, "result": result.word(), "exit": exit as u8, "error": summary.fatal,
            "resumes": summary.resumes.and_then(output::stamp), "requests": requests(summary), "bytes_fetched": summary.bytes_fetched, "files": summary.files,
            "refused": summary.refused, "series": series,
        }))?;
        return Ok(exit);
    }
    let told: Vec<&SeriesResult> = told_rows(summary);
    if !told.is_empty() {
        let rows: Vec<Vec<String>> = told.chunk_by(|a, b| is_alike(a, b)).filter_map(rows_of_alike).collect();
        output::table(&["Series", "Period", "Result", "Added", "Changed", "Note"], &rows)?;
        let updated = |result: &&SeriesResult| result.outcome == download::Outcome::Done;
        let left_out =
            summary.results.iter().filter(updated).count() - told.iter().copied().filter(updated).count();
        if left_out > 0 {
            output::line(format!("{left_out} more series updated, with nothing to remark; --json has each"))?;
        }
    }
    if let Some(why) = &summary.fatal {
        output::line(format!("The job ended early: {why}"))?;
    }
    if !summary.refused.is_empty() {
        output::line(format!("{} left out; the warnings name each", count(summary.refused.len(), "answer")))?;
    }
    output::line(closing_line(context, summary))?;
    if let Some(at) = summary.resumes {
        output::line(format!(
            "The day's downloads are used up. The rest comes from {} on: by the same command, or by itself where the service runs",
            day::instant(at)
        ))?;
    }
    Ok(exit)
}

/// Every series with something to say; the updated ones only while they are few.
fn told_rows(summary: &Summary) -> Vec<&SeriesResult> {
    use download::Outcome::{Current, Done};
    let updated = summary.results.iter().filter(|r| r.outcome == Done).count();
    summary
        .results
        .iter()
        .filter(|result| match result.outcome {
            Current => false,
            Done => updated <= MANY_ROWS || !result.notes.is_empty() || result.changed > 0,
            _ => true,
        })
        .collect()
}

fn closing_line(context: &Context, summary: &Summary) -> String {
    let added: u64 = summary.results.iter().map(|r| r.added).sum();
    format!(
        "{}: {} series{}, {} added, {}, {} fetched, in {}",
        summary.result().word(),
        summary.results.len(),
        summary.tally().words(),
        count(added, "bar"),
        count(requests(summary), "request"),
        indicatif::HumanBytes(summary.bytes_fetched),
        context.config().archive.display()
    )
}

fn requests(summary: &Summary) -> u64 {
    summary.results.iter().map(|result| u64::from(result.requests)).sum()
}

/// Whether two series came out the same, with nothing to tell but why.
fn is_alike(a: &SeriesResult, b: &SeriesResult) -> bool {
    let plain = |result: &SeriesResult| result.added + result.changed == 0 && result.notes.is_empty();
    let why = a.outcome.reason().is_some() || a.outcome == download::Outcome::Interrupted;
    plain(a) && plain(b) && a.outcome == b.outcome && why
}

/// One row for series that came out the same.
fn rows_of_alike(alike: &[&SeriesResult]) -> Option<Vec<String>> {
    let mut row = series_row(alike.first()?);
    if alike.len() > 1
        && let Some(name) = row.first_mut()
    {
        name.push_str(&format!(" and {} more", alike.len() - 1));
    }
    Some(row)
}

fn series_row(result: &SeriesResult) -> Vec<String> {
    let note = result.outcome.reason().map_or_else(|| result.notes.join("; "), str::to_owned);
    let number = |n: u64| if n == 0 { String::new() } else { n.to_string() };
    let (key, word) = (&result.key, result.outcome.word().to_owned());
    vec![key.name(), key.period.to_string(), word, number(result.added), number(result.changed), note]
}

fn series_json(result: &SeriesResult) -> serde_json::Value {
    let key = &result.key;
    json!({
        "provider": key.provider, "class": key.class, "symbol": key.symbol,
        "contract": key.contract.map(|_| key.name()), "period": key.period.name(),
        "result": result.outcome.word(), "reason": result.outcome.reason(),
        "added": result.added, "changed": result.changed, "requests": result.requests, "notes": result.notes,
    })
}
