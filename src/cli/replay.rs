//! `vortex download --provider replay --from RAW`: an archive from the raw trail of earlier runs.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use super::args::DownloadArgs;
use super::download::report;
use super::error::{Error, Exit, Outcome};
use super::output::count;
use super::writer::{self, archive_error, on_signal};
use super::{Context, output, progress};
use crate::archive::raw::{RawEntry, entries};
use crate::download::{self, Replay, Summary};
use crate::model::Day;
use crate::request::source;

/// Runs the command.
pub(super) fn run(context: &Context, args: &DownloadArgs) -> Outcome {
    let config = context.config();
    let Some(from) = &args.from else {
        return Err(Error::usage(
            "--provider replay needs --from: the folder of a raw trail, such as DIR/raw",
        ));
    };
    if !from.is_dir() {
        let said = format!("--from {}: there is no such folder", from.display());
        return Err(Error::new(Exit::NoSuchObject, anyhow::Error::msg(said)));
    }
    let (answers, broken) = by_provider(from, args)?;
    if answers.is_empty() && !broken.is_empty() {
        let said =
            format!("--from {}: of {} there none can be read", from.display(), count(broken.len(), "answer"));
        return Err(Error::new(Exit::Failed, anyhow::Error::msg(said)));
    }
    if answers.is_empty() {
        let said = format!("--from {}: no answer there matches", from.display());
        return Err(Error::new(Exit::NoSuchObject, anyhow::Error::msg(said)));
    }
    if config.dry_run {
        return dry_run(context, &answers);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut whole = Summary { refused: broken, ..Summary::default() };
    for (provider, entries) in answers {
        let reach = format!("{provider}: replaying {}, {}", count(entries.len(), "answer"), span(&entries));
        tracing::info!("{reach}; older ones are out of the trail's retention");
        let provider = source::provider(config, &provider)?;
        let writer = writer::open(context, "vortex download --provider replay", args.no_wait)?;
        let summary = runtime.block_on(async {
            let replay = Replay {
                provider,
                entries,
                parquet: config.parquet,
                observer: progress::observer(context.global.json),
                now: source::clock(),
                cancelled: on_signal()?,
            };
            download::replay(writer, replay).await.map_err(archive_error)
        })?;
        whole.job = summary.job;
        whole.results.extend(summary.results);
        whole.refused.extend(summary.refused);
        whole.files += summary.files;
        whole.bytes_fetched += summary.bytes_fetched;
        whole.fatal = whole.fatal.or(summary.fatal);
        whole.interrupted |= summary.interrupted;
    }
    report(context, &whole)
}

fn dry_run(context: &Context, answers: &ByProvider) -> Outcome {
    if context.global.json {
        let providers = answers.iter().map(|(provider, entries)| {
            let received =
                |entry: Option<&RawEntry>| entry.and_then(|entry| output::stamp(entry.about.received));
            json!({ "provider": provider, "answers": entries.len(),
                    "first_received": received(entries.first()), "last_received": received(entries.last()) })
        });
        output::json(&json!({ "dry_run": true, "providers": providers.collect::<Vec<_>>() }))?;
        return Ok(Exit::Done);
    }
    for (provider, entries) in answers {
        output::line(format!("{provider}: {}, {}", count(entries.len(), "answer"), span(entries)))?;
    }
    output::line("nothing was written")?;
    Ok(Exit::Done)
}

/// The answers of a trail by the provider that gave them, oldest first.
type ByProvider = BTreeMap<String, Vec<RawEntry>>;

/// The answers that are wanted; and of those that cannot be read, which are left out, why.
fn by_provider(from: &Path, args: &DownloadArgs) -> Result<(ByProvider, Vec<String>), Error> {
    let unreadable = |error: std::io::Error| Error::usage(format!("--from {}: {error}", from.display()));
    let (mut answers, mut broken) = (ByProvider::new(), Vec::new());
    for entry in entries(from).map_err(unreadable)? {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                tracing::warn!("{error}; this answer is left out");
                broken.push(error.to_string());
                continue;
            }
        };
        let about = &entry.about;
        let symbol = args.symbols.is_empty() || args.symbols.contains(&about.name);
        let period = args.periods.is_empty() || args.periods.contains(&download::series_period(&entry));
        if symbol && period {
            answers.entry(about.provider.clone()).or_default().push(entry);
        }
    }
    Ok((answers, broken))
}

fn span(entries: &[RawEntry]) -> String {
    let day = |entry: Option<&RawEntry>| {
        entry.map_or_else(String::new, |e| Day::of_utc(e.about.received).to_string())
    };
    format!("received from {} to {}", day(entries.first()), day(entries.last()))
}
