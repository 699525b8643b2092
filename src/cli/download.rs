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
use super::{Context, output, progress};
use crate::archive::raw::RawTrail;
use crate::archive::{Archive, SessionCounts, Writer};
use crate::config::LogFormat;
use crate::config::file::{self, Accept};
use crate::download::{self, Job, SeriesResult, Summary, Survey, Target};
use crate::model::{Day, Days};
use crate::provider::Provider;
use crate::request::{Request, source};

/// More series than this are only fetched after a question, on a terminal without `--yes`.
const MANY_SERIES: usize = 1000;
/// More updated series than this are not listed one by one.
const MANY_ROWS: usize = 40;

/// Runs the command.
pub(super) fn run(context: &Context, args: &DownloadArgs) -> Outcome {
    let config = context.config();
    if args.from.is_some() {
        return Err(Error::usage("--from goes with --provider replay"));
    }
    let request = request(args)?;
    request.check_dates(("--start-date", "--end-date"))?;
    let (provider, targets) = request.resolve(config)?;
    if config.dry_run {
        return dry_run(context, &targets, provider.as_ref());
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

/// What would be asked for.
fn dry_run(context: &Context, targets: &[Target], provider: &dyn Provider) -> Outcome {
    let config = context.config();
    let exists = Archive::exists(&config.archive);
    let archive = match exists {
        true => Some(Archive::open_to_read(&config.archive, &config.state_directory).map_err(archive_error)?),
        false => None,
    };
    let counts = match &archive {
        Some(archive) => archive.session_counts(provider.archive_name()).map_err(archive_error)?,
        None => SessionCounts::default(),
    };
    let now = (source::clock())();
    let mut rows = Vec::new();
    for target in targets {
        rows.push(foreseen(archive.as_ref(), &counts, target, provider, now)?);
    }
    let requests: usize = rows.iter().map(|row| row.windows.len()).sum();
    if context.global.json {
        let series: Vec<_> = rows.iter().map(Foreseen::json).collect();
        let name = provider.archive_name();
        output::json(&json!({ "provider": name, "dry_run": true, "requests": requests, "series": series }))?;
        return Ok(Exit::Done);
    }
    let cells: Vec<Vec<String>> = rows.iter().map(Foreseen::cells).collect();
    output::table(&["Series", "Period", "Missing", "Requests", "Note"], &cells)?;
    output::line(format!(
        "{} series, {} to {}; nothing was asked or written",
        rows.len(),
        count(requests, "request"),
        provider.name()
    ))?;
    Ok(Exit::Done)
}

/// What a dry run says of one series.
struct Foreseen<'a> {
    target: &'a Target,
    state: &'static str,
    reason: Option<String>,
    windows: Vec<Days>,
}

fn foreseen<'a>(
    archive: Option<&Archive>,
    counts: &SessionCounts,
    target: &'a Target,
    provider: &dyn Provider,
    now: i64,
) -> Result<Foreseen<'a>, Error> {
    let none = Vec::new();
    let limits = match provider.limits(target.instrument.class, target.key.period) {
        Ok(limits) => limits,
        Err(why) => return Ok(Foreseen { target, state: "failed", reason: Some(why), windows: none }),
    };
    let survey = download::survey(archive, counts, target, limits, now).map_err(archive_error)?;
    Ok(match survey {
        Survey::Settled(outcome) => {
            let reason = outcome.reason().map(str::to_owned);
            Foreseen { target, state: outcome.word(), reason, windows: none }
        }
        Survey::TwinsGone(_) => {
            let reason = Some("its Parquet is made again".to_owned());
            Foreseen { target, state: "current", reason, windows: none }
        }
        Survey::Missing(plan) => {
            // The exchange may be a day ahead of us; nobody needs to read that.
            let today = Day::of_utc(now);
            let until_today =
                |window: &Days| Days { last: window.last.min(today.max(window.first)), ..*window };
            let windows = plan.windows.iter().map(until_today).collect();
            Foreseen { target, state: "missing", reason: None, windows }
        }
    })
}

impl Foreseen<'_> {
    fn json(&self) -> serde_json::Value {
        let key = &self.target.key;
        let windows: Vec<_> = self
            .windows
            .iter()
            .map(|window| json!([window.first.to_string(), window.last.to_string()]))
            .collect();
        json!({
            "symbol": key.symbol, "contract": key.contract.map(|_| key.name()), "period": key.period.name(),
            "state": self.state, "reason": self.reason, "requests": windows.len(), "windows": windows,
        })
    }

    fn cells(&self) -> Vec<String> {
        let bounds = (self.windows.iter().map(|w| w.first).min(), self.windows.iter().map(|w| w.last).max());
        let span = match bounds {
            (Some(first), Some(last)) => format!("{first} to {last}"),
            _ => self.state.to_owned(),
        };
        let requests = if self.windows.is_empty() { String::new() } else { self.windows.len().to_string() };
        let (key, note) = (&self.target.key, self.reason.clone().unwrap_or_default());
        vec![key.name(), key.period.to_string(), span, requests, note]
    }
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
            "requests": requests(summary), "bytes_fetched": summary.bytes_fetched, "files": summary.files,
            "series": series,
        }))?;
        return Ok(exit);
    }
    let told: Vec<&SeriesResult> = told_rows(summary);
    if !told.is_empty() {
        let rows: Vec<Vec<String>> = told.iter().map(|result| series_row(result)).collect();
        output::table(&["Series", "Period", "Result", "Added", "Changed", "Note"], &rows)?;
    }
    if let Some(why) = &summary.fatal {
        output::line(format!("The job ended early: {why}"))?;
    }
    output::line(closing_line(context, summary))?;
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
    let series = |word: &str| summary.results.iter().filter(|r| r.outcome.word() == word).count();
    let words = ["updated", "current", "suspect", "held", "failed", "later", "interrupted"];
    let counts: Vec<String> = words
        .iter()
        .map(|word| (series(word), word))
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {word}"))
        .collect();
    let added: u64 = summary.results.iter().map(|r| r.added).sum();
    format!(
        "{}: {} series ({}), {} added, {}, {} fetched, in {}",
        summary.result().word(),
        summary.results.len(),
        counts.join(", "),
        count(added, "bar"),
        count(requests(summary), "request"),
        indicatif::HumanBytes(summary.bytes_fetched),
        context.config().archive.display()
    )
}

fn requests(summary: &Summary) -> u64 {
    summary.results.iter().map(|result| u64::from(result.requests)).sum()
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
