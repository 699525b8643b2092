//! Verbs that list: jobs, series, providers.

use std::collections::HashMap;

use serde_json::{Value, json};
use zbus::{OwnedVariant, Variant};

use super::Context;
use super::error::{Outcome, of_bus};
use super::print::{bytes, date, harmless, instant, span};
use super::service::Start;
use super::values::{Object, object};
use crate::bus;
use crate::exit::Exit;

/// The jobs, oldest first.
pub(super) fn jobs_of(objects: &[Object]) -> Vec<&Object> {
    let mut jobs: Vec<&Object> = objects.iter().filter(|object| object.interface == bus::JOB).collect();
    jobs.sort_by_key(|job| job.number("Id"));
    jobs
}

/// The providers, by name.
pub(super) fn providers_of(objects: &[Object]) -> Vec<&Object> {
    let mut providers: Vec<&Object> =
        objects.iter().filter(|object| object.interface == bus::PROVIDER).collect();
    providers.sort_by_key(|provider| provider.text("Name"));
    providers
}

pub(super) async fn jobs(context: &Context) -> Outcome {
    let objects = context.service.objects().await?;
    let jobs = jobs_of(&objects);
    if context.global.json {
        return context.json(&jobs.iter().map(|job| job.json()).collect());
    }
    if jobs.is_empty() {
        context.line("no job so far; `vortexctl update` makes one")?;
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = jobs.iter().map(|job| job_row(context, job)).collect();
    let header = ["JOB", "STATE", "SERIES", "FAILED", "BARS", "ORIGIN", "FINISHED", "TOOK"];
    context.paper.list(&context.paper.table(&header, &rows))?;
    Ok(Exit::Done)
}

/// The one word that says most: how it ended, else where it stands.
fn word(job: &Object) -> &str {
    match job.text("Result") {
        "" => job.text("State"),
        result => result,
    }
}

fn job_row(context: &Context, job: &Object) -> Vec<String> {
    let (started, finished) = (job.number("StartedUSec"), job.number("FinishedUSec"));
    let took = if finished > started && started > 0 {
        span((finished - started) / 1_000_000)
    } else {
        String::new()
    };
    let failed = job.number("SeriesFailed");
    vec![
        job.number("Id").to_string(),
        context.paper.state(word(job)),
        format!("{}/{}", job.number("SeriesDone"), job.number("SeriesTotal")),
        if failed > 0 { failed.to_string() } else { String::new() },
        job.number("RowsAdded").to_string(),
        job.text("Origin").to_owned(),
        if finished > 0 { instant(finished) } else { String::new() },
        took,
    ]
}

pub(super) async fn job(context: &Context, id: u32) -> Outcome {
    let job =
        context.service.object(&bus::job_path(id), bus::JOB).await.map_err(|error| match error.exit {
            Exit::NoSuchObject => super::Error::new(
                error.exit,
                format!("there is no job {id}; `vortexctl jobs` lists those of late"),
            ),
            _ => error,
        })?;
    if context.global.json {
        return context.json(&job.json());
    }
    let series = format!(
        "{} of {} done, {} current, {} failed",
        job.number("SeriesDone"),
        job.number("SeriesTotal"),
        job.number("SeriesCurrent"),
        job.number("SeriesFailed")
    );
    let added = format!("{} bars, {} fetched", job.number("RowsAdded"), bytes(job.number("BytesFetched")));
    let rows = [
        ("Job", id.to_string()),
        ("State", context.paper.state(word(&job))),
        ("Asked by", format!("{} ({})", harmless(job.text("Client")), job.text("Origin"))),
        ("Series", series),
        ("Added", added),
        ("Now at", harmless(job.text("Current"))),
        ("Started", instant(job.number("StartedUSec"))),
        ("Finished", instant(job.number("FinishedUSec"))),
        ("Error", harmless(job.text("Error"))),
    ];
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        context.line(format!("{name:>10}: {value}"))?;
    }
    Ok(Exit::Done)
}

/// Rows of `ListSeries`.
pub(super) type Row = HashMap<String, OwnedVariant>;

/// Asks for the series that pass a filter.
pub(super) async fn list_series(
    context: &Context,
    filter: &HashMap<&str, Variant<'_>>,
) -> Result<Vec<Row>, super::Error> {
    let reply = context.service.call(Start::No, (bus::ROOT, bus::MANAGER, "ListSeries"), filter).await?;
    let body = reply.body();
    body.deserialize().map_err(|error| of_bus(error, context.service.system))
}

pub(super) async fn series(
    context: &Context,
    pattern: Option<&str>,
    provider: Option<&str>,
    states: &[String],
) -> Outcome {
    let mut filter: HashMap<&str, Variant<'_>> = HashMap::new();
    if let Some(pattern) = pattern {
        filter.insert("symbol", pattern.into());
    }
    if let Some(provider) = provider {
        filter.insert("provider", provider.into());
    }
    if !states.is_empty() {
        filter.insert("states", states.to_vec().into());
    }
    let rows = list_series(context, &filter).await?;
    if context.global.json {
        let values: Vec<Value> = rows
            .iter()
            .map(|row| object(row.iter().map(|(name, value)| (name.as_str(), &**value))))
            .collect();
        return context.json(&json!(values));
    }
    if rows.is_empty() {
        let said = if filter.is_empty() { "the archive has no series yet" } else { "no series fits" };
        return Err(super::Error::new(Exit::NoSuchObject, said));
    }
    let cells: Vec<Vec<String>> = rows.into_iter().map(|row| series_row(context, row)).collect();
    let header = ["SERIES", "CLASS", "PERIOD", "BARS", "FIRST", "LAST", "STATE"];
    context.paper.list(&context.paper.table(&header, &cells))?;
    Ok(Exit::Done)
}

/// How a series is named to people: provider, and contract or symbol.
pub(super) fn series_name(row: &Object) -> String {
    let contract = row.text("contract");
    let name = if contract.is_empty() { row.text("symbol") } else { contract };
    harmless(&format!("{}/{name}", row.text("provider")))
}

fn series_row(context: &Context, row: Row) -> Vec<String> {
    let row = Object::new(String::new(), String::new(), row);
    vec![
        series_name(&row),
        row.text("class").to_owned(),
        row.text("period").to_owned(),
        row.number("bars").to_string(),
        date(row.number("first")),
        date(row.number("last")),
        context.paper.state(row.text("state")),
    ]
}

pub(super) async fn providers(context: &Context, test: bool) -> Outcome {
    if test {
        return test_providers(context).await;
    }
    let objects = context.service.objects().await?;
    let providers = providers_of(&objects);
    if context.global.json {
        return context.json(&providers.iter().map(|provider| provider.json()).collect());
    }
    let rows: Vec<Vec<String>> = providers
        .iter()
        .map(|provider| {
            vec![
                provider.text("Name").to_owned(),
                context.paper.state(provider.text("State")),
                quota(provider),
                instant_or_empty(provider.number("RetryAfterUSec")),
                instant(provider.number("LastSuccessUSec")),
                harmless(provider.text("LastError")),
            ]
        })
        .collect();
    let header = ["PROVIDER", "STATE", "REQUESTS TODAY", "AGAIN", "LAST ANSWER", "LAST ERROR"];
    context.paper.list(&context.paper.table(&header, &rows))?;
    Ok(Exit::Done)
}

/// Requests of the day, of how many where there is a limit.
pub(super) fn quota(provider: &Object) -> String {
    match provider.number("QuotaLimit") {
        0 => provider.number("QuotaUsed").to_string(),
        limit => format!("{} of {limit}", provider.number("QuotaUsed")),
    }
}

fn instant_or_empty(micros: u64) -> String {
    if micros == 0 { String::new() } else { instant(micros) }
}

async fn test_providers(context: &Context) -> Outcome {
    let objects = context.service.objects().await?;
    let (mut values, mut exit) = (Vec::new(), Exit::Done);
    for provider in providers_of(&objects).into_iter().filter(|provider| provider.text("State") != "off") {
        let reply = context.service.call(Start::No, (&provider.path, bus::PROVIDER, "Test"), &()).await?;
        let body = reply.body();
        let (ok, said, took): (bool, String, u32) =
            body.deserialize().map_err(|error| of_bus(error, context.service.system))?;
        if !ok {
            exit = Exit::Failed;
        }
        let name = provider.text("Name");
        if context.global.json {
            values.push(json!({ "provider": name, "ok": ok, "message": said, "milliseconds": took }));
        } else {
            let state = context.paper.state(if ok { "ready" } else { "failed" });
            context.line(format!("{name}: {state}, {} ({took} ms)", harmless(&said)))?;
        }
    }
    if context.global.json {
        context.json(&Value::from(values))?;
    }
    Ok(exit)
}
