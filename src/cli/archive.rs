//! `vortex archive`: what there is, how complete it is, and taking things back.

use std::io::IsTerminal;
use std::path::Path;

use serde_json::{Value, json};

use super::args::{ArchiveArgs, ArchiveCommand, RevertArgs, SeriesFilter};
use super::daemon::whole_list;
use super::error::{Error, Exit, Outcome};
use super::output::count;
use super::providers::archived;
use super::writer::{self, archive_error};
use super::{Context, chart, output};
use crate::archive::{Archive, ArchiveError, RevisionRecord, SeriesRecord};
use crate::download::completeness::{Completeness, SeriesStatus, survey};
use crate::download::sessions::Standing;
use crate::model::day::instant;
use crate::model::{Bars, Day, SeriesKey};
use crate::request::{Lists, source};

/// More spans than this are left out of a table; `--json` has all.
const MANY_SPANS: usize = 24;

/// Runs the command.
pub(super) fn run(context: &Context, args: &ArchiveArgs) -> Outcome {
    match &args.command {
        ArchiveCommand::List(args) => super::list::run(context, args),
        ArchiveCommand::Show(filter) => show(context, filter),
        ArchiveCommand::Rebuild(filter) => super::rebuild::run(context, filter),
        ArchiveCommand::Revert(args) => revert(context, args),
    }
}

/// The archive, which must exist.
pub(super) fn open(context: &Context) -> Result<Archive, Error> {
    let config = context.config();
    if !Archive::exists(&config.archive) {
        let said = format!(
            "{} is no archive; `vortex download` makes one, -o names another",
            config.archive.display()
        );
        return Err(Error::new(Exit::NoSuchObject, anyhow::Error::msg(said)));
    }
    open_to_read(context, &config.archive)
}

/// An archive opened for reading only; what a person should know of it is told.
pub(super) fn open_to_read(context: &Context, root: &Path) -> Result<Archive, Error> {
    let archive = Archive::open_to_read(root, &context.config().state_directory).map_err(archive_error)?;
    for notice in archive.notices() {
        tracing::warn!("{notice}");
    }
    Ok(archive)
}

/// Gives `tell` the series a filter names, and returns what it makes of them, in the order of their keys;
/// an error where the filter names none.
pub(super) fn chosen<T>(
    context: &Context,
    archive: &Archive,
    filter: &SeriesFilter,
    tell: impl Fn(SeriesRecord, Completeness, SeriesStatus) -> T,
) -> Result<Vec<T>, Error> {
    if let Some(provider) = &filter.provider {
        archived(provider)?;
    }
    let wanted = |key: &SeriesKey| {
        filter.symbol.as_ref().is_none_or(|symbol| *symbol == key.symbol || *symbol == key.name())
            && filter.provider.as_ref().is_none_or(|provider| *provider == key.provider)
            && filter.period.is_none_or(|period| period == key.period)
    };
    let mut chosen: Vec<(SeriesKey, T)> = Vec::new();
    let take = |record: SeriesRecord, told: Completeness, status: SeriesStatus| {
        chosen.push((record.key.clone(), tell(record, told, status)));
    };
    let config = context.config();
    // What cannot be read of the service's own options is told by the service.
    let lists = Lists::of(config, &whole_list(config).unwrap_or_default());
    survey(archive, (source::clock())(), wanted, |key| lists.has(key), take).map_err(archive_error)?;
    if let Some(symbol) = &filter.symbol
        && chosen.is_empty()
    {
        let near = nearest(archive, symbol)?.map(|name| format!("; did you mean {name}?"));
        let said = format!("the archive has no series {symbol} like that{}", near.unwrap_or_default());
        return Err(Error::new(Exit::NoSuchObject, anyhow::Error::msg(said)));
    }
    chosen.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(chosen.into_iter().map(|(_, told)| told).collect())
}

/// The name in the archive that is most like this one, where any is.
fn nearest(archive: &Archive, symbol: &str) -> Result<Option<String>, Error> {
    let mut nearest = (0.7, None);
    let compare = |key: &SeriesKey| {
        let name = key.name();
        let likeness = strsim::jaro_winkler(&name, symbol);
        if likeness > nearest.0 {
            nearest = (likeness, Some(name));
        }
        false
    };
    archive.each_series(compare, |_| {}).map_err(archive_error)?;
    Ok(nearest.1)
}

/// Days without a bar that need none, with the reasons.
fn absences(told: &Completeness) -> String {
    let parts: Vec<String> =
        told.absent.iter().map(|(why, days)| format!("{days} {}", why.words())).collect();
    parts.join(", ")
}

pub(super) fn series_json(record: &SeriesRecord, told: &Completeness, status: SeriesStatus) -> Value {
    let (key, known) = (&record.key, &record.state);
    let absent: serde_json::Map<String, Value> =
        told.absent.iter().map(|(why, days)| (why.words().to_owned(), json!(days))).collect();
    json!({
        "provider": key.provider, "class": key.class, "symbol": key.symbol,
        "contract": key.contract.map(|_| key.name()), "period": key.period.name(), "code": known.code,
        "currency": known.meta.currency, "exchange": known.meta.exchange, "time_zone": known.meta.zone,
        "bars": record.bars, "first": record.first.and_then(output::stamp), "last": record.last.and_then(output::stamp),
        "state": status.word(), "held": known.held, "suspect": known.suspect,
        "failure": known.failure.as_ref().map(|failure| &failure.text),
        "expected": told.expected, "present": told.present, "absent": absent,
        "pending": told.pending.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "suspect_sessions": told.suspect, "never_asked": told.unknown,
        "judged_from_series": told.judged_from,
        "spans": told.spans.iter().map(|span| json!({
            "first": span.days.first.to_string(), "last": span.days.last.to_string(),
            "standing": standing_word(span.standing), "reason": absence_words(span.standing),
        })).collect::<Vec<_>>(),
    })
}

/// A standing in one word.
fn standing_word(standing: Standing) -> &'static str {
    match standing {
        Standing::Unknown => "unknown",
        Standing::Present => "present",
        Standing::Pending => "pending",
        Standing::Suspect => "suspect",
        Standing::Absent(_) => "absent",
    }
}

fn absence_words(standing: Standing) -> Option<&'static str> {
    match standing {
        Standing::Absent(why) => Some(why.words()),
        _ => None,
    }
}

/// A standing in words.
fn standing(standing: Standing) -> String {
    match (standing, absence_words(standing)) {
        (Standing::Unknown, _) => "never asked for".to_owned(),
        (_, Some(why)) => format!("absent: {why}"),
        _ => standing_word(standing).to_owned(),
    }
}

fn show(context: &Context, filter: &SeriesFilter) -> Outcome {
    let Some(symbol) = &filter.symbol else {
        return Err(Error::usage(
            "name a symbol: `vortex archive show SYMBOL`; `vortex archive list` has them all",
        ));
    };
    let archive = open(context)?;
    let mut values = Vec::new();
    tracing::debug!("showing {symbol}");
    for (record, told, status) in
        chosen(context, &archive, filter, |record, told, status| (record, told, status))?
    {
        if context.global.json {
            let revisions = archive.revisions(Some(&record.key)).map_err(archive_error)?;
            let mut value = series_json(&record, &told, status);
            value["revisions"] = revisions.iter().map(revision_json).collect();
            value["files"] = files(&archive, &record)?.into();
            values.push(value);
        } else {
            show_text(&archive, &record, &told, status)?;
        }
    }
    if context.global.json {
        output::json(&values)?;
    }
    Ok(Exit::Done)
}

fn show_text(
    archive: &Archive,
    record: &SeriesRecord,
    told: &Completeness,
    status: SeriesStatus,
) -> Result<(), Error> {
    let (key, known) = (&record.key, &record.state);
    let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
    output::line(format!("{} {} from {} ({})", key.name(), key.period, key.provider, known.code))?;
    let meta = &known.meta;
    let (currency, exchange, zone) =
        (or_unknown(&meta.currency), or_unknown(&meta.exchange), or_unknown(&meta.zone));
    output::line(format!(
        "     State  {}{}",
        status.word(),
        if known.asked_at == 0 { String::new() } else { format!("; asked {}", instant(known.asked_at)) }
    ))?;
    for why in [&known.held, &known.suspect].into_iter().flatten() {
        output::line(format!("            {why}"))?;
    }
    if let Some(failure) = &known.failure {
        output::line(format!("            {} ({})", failure.text, instant(failure.at)))?;
    }
    output::line(format!("    Market  {exchange}, {zone}, in {currency}"))?;
    output::line(format!("      Bars  {}", bars_text(record)))?;
    output::line(format!("  Sessions  {}", sessions_text(told)))?;
    for span in told.spans.iter().rev().take(MANY_SPANS).rev() {
        let days = format!("{} to {}", span.days.first, span.days.last);
        output::line(format!("            {days}  {}", standing(span.standing)))?;
    }
    if told.spans.len() > MANY_SPANS {
        let older = count(told.spans.len() - MANY_SPANS, "older span");
        output::line(format!("            ({older}; --json has all)"))?;
    }
    let revisions = archive.revisions(Some(key)).map_err(archive_error)?;
    for revision in revisions.iter().rev().take(5) {
        output::line(format!(
            "  Revision  {} of {}: {}",
            revision.id,
            instant(revision.at),
            revision.reason
        ))?;
    }
    match latest_bars(archive, record) {
        Ok(bars) => {
            for line in chart::closes(&bars) {
                output::line(line)?;
            }
        }
        Err(error) => output::line(format!("     Chart  none: {error}"))?,
    }
    let files = files(archive, record)?;
    for file in files.iter().rev().take(2).rev() {
        output::line(format!("      File  {file}"))?;
    }
    if files.len() > 2 {
        output::line(format!("            and {} more beside", files.len() - 2))?;
    }
    output::line("")
}

fn bars_text(record: &SeriesRecord) -> String {
    match (record.first, record.last) {
        (Some(first), Some(last)) if record.key.period.is_intraday() => {
            format!("{}, {} to {}", record.bars, instant(first), instant(last))
        }
        (Some(first), Some(last)) => {
            format!("{}, {} to {}", record.bars, Day::of_utc(first), Day::of_utc(last))
        }
        _ => "none".to_owned(),
    }
}

fn sessions_text(told: &Completeness) -> String {
    let mut parts = vec![format!("{} expected, {} present", told.expected, told.present)];
    if !told.absent.is_empty() {
        parts.push(format!("absent: {}", absences(told)));
    }
    if !told.pending.is_empty() {
        let days: Vec<String> = told.pending.iter().map(ToString::to_string).collect();
        parts.push(format!("{} pending ({})", days.len(), days.join(", ")));
    }
    if told.suspect > 0 {
        parts.push(format!("{} suspect", told.suspect));
    }
    if told.unknown > 0 {
        parts.push(format!("{} never asked", told.unknown));
    }
    format!("{}; judged from up to {} series of the exchange", parts.join(", "), told.judged_from.max(1))
}

/// The bars of the newest partitions, enough for a chart.
fn latest_bars(archive: &Archive, record: &SeriesRecord) -> Result<Bars, ArchiveError> {
    let mut bars = Bars::new(record.key.columns());
    let parts = archive.partitions(record.id)?;
    for part in parts.iter().rev().take(3).rev() {
        bars.append(&archive.read_partition(&record.key, part)?);
    }
    Ok(bars)
}

fn files(archive: &Archive, record: &SeriesRecord) -> Result<Vec<String>, Error> {
    let parts = archive.partitions(record.id).map_err(archive_error)?;
    let mut files = Vec::new();
    for part in parts {
        let csv = archive.root().join(&part.csv);
        files.push(csv.display().to_string());
        if part.parquet_hash.is_some() {
            files.push(csv.with_extension("parquet").display().to_string());
        }
    }
    Ok(files)
}

fn revision_json(revision: &RevisionRecord) -> Value {
    json!({
        "id": revision.id, "at": output::stamp(revision.at), "reason": revision.reason,
        "series": revision.key.to_string(), "partitions": revision.partitions,
    })
}

fn revert(context: &Context, args: &RevertArgs) -> Outcome {
    let archive = open(context)?;
    let mut revisions = Vec::new();
    for record in chosen(context, &archive, &args.series, |record, _, _| record)? {
        revisions.extend(archive.revisions(Some(&record.key)).map_err(archive_error)?);
    }
    revisions.sort_by_key(|revision| revision.id);
    if args.list {
        return list_revisions(context, &revisions);
    }
    let wanted = match args.revision {
        Some(id) => revisions.iter().find(|revision| revision.id == id),
        None if args.series.symbol.is_none() => {
            return Err(Error::usage(
                "name a symbol or a --revision; `vortex archive revert --list` has them all",
            ));
        }
        None => revisions.last(),
    };
    let Some(revision) = wanted else {
        let said = "there is no such revision; `vortex archive revert --list` has them all";
        return Err(Error::new(Exit::NoSuchObject, anyhow::Error::msg(said)));
    };
    if context.config().dry_run {
        let said = format!("{} would be put back as it was before {}", revision.key, instant(revision.at));
        output::line(format!("{said} ({}); nothing was written", revision.reason))?;
        return Ok(Exit::Done);
    }
    drop(archive);
    let writer = writer::open(context, "vortex archive revert", false)?;
    writer.revert(revision.id).map_err(archive_error)?;
    output::line(format!(
        "{} is as it was before {} ({}); it is held until `vortex download --force -s {}`",
        revision.key,
        instant(revision.at),
        revision.reason,
        revision.key.symbol
    ))?;
    Ok(Exit::Done)
}

fn list_revisions(context: &Context, revisions: &[RevisionRecord]) -> Outcome {
    if context.global.json {
        output::json(&revisions.iter().map(revision_json).collect::<Vec<_>>())?;
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = revisions
        .iter()
        .map(|r| vec![r.id.to_string(), r.key.to_string(), instant(r.at), r.reason.clone()])
        .collect();
    output::table(&["Revision", "Series", "Made", "Why"], &rows)?;
    // What a pipe reads is the table alone.
    if rows.is_empty() && std::io::stdout().is_terminal() {
        output::line("nothing was restated so far")?;
    }
    Ok(Exit::Done)
}
