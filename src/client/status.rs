//! `vortexctl status`: is it well, what is it doing, what happened last, when next.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use nix::unistd::{Uid, User};
use serde_json::{Value, json};
use zbus::Variant;

use super::error::{Error, Outcome};
use super::follow::{Heard, hear};
use super::lists::{jobs_of, list_series, providers_of, quota, series_name};
use super::print::{Ink, bytes, harmless, instant};
use super::values::Object;
use super::{Context, bus_error};
use crate::bus;
use crate::exit::Exit;

/// So many series with something wrong are named.
const NAMED: usize = 5;

pub(super) async fn run(context: &Context, watch: bool) -> Outcome {
    if !watch {
        return show(context).await;
    }
    let mut signals = context.service.signals().await?;
    loop {
        if !context.global.json {
            context.line("\u{1b}[H\u{1b}[2J")?;
        }
        match show(context).await {
            Ok(_) => {}
            Err(error) if error.exit == Exit::NoService => context.line(&error.said)?,
            Err(error) => return Err(error),
        }
        match hear(&mut signals).await {
            Some(Heard::Changed(_) | Heard::JobNew(_) | Heard::JobRemoved(..) | Heard::Service(_)) => {}
            None => return Err(bus_error(context, "the connection to the service broke")),
        }
    }
}

async fn show(context: &Context) -> Outcome {
    // First: for a list of series the service looks at the archive again, which others may have written.
    let wrong = match wrong_series(context).await {
        Err(error) if error.exit == Exit::NoService => return Err(why_not(context, error).await),
        wrong => wrong?,
    };
    let objects = context.service.objects().await?;
    let Some(manager) = objects.iter().find(|object| object.interface == bus::MANAGER) else {
        return Err(Error::new(Exit::Failed, "the service has no manager; is it another program?"));
    };
    let hints = hints(context, manager);
    if context.global.json {
        return context.json(&as_json(&objects, manager, &wrong, &hints));
    }
    context.line(screen(context, &objects, manager, &wrong, &hints).trim_end())?;
    Ok(Exit::Done)
}

/// Why the service does not run, where it said so.
async fn why_not(context: &Context, error: Error) -> Error {
    match context.service.last_words().await {
        Some(words) => Error::new(error.exit, format!("{}; it said last: {}", error.said, harmless(&words))),
        None => error,
    }
}

/// The first few series that are late or failed or need a person.
async fn wrong_series(context: &Context) -> Result<Vec<Object>, Error> {
    let states: Variant<'_> = vec!["late", "failed", "suspect", "held"].into();
    let rows = list_series(context, &HashMap::from([("states", states)])).await?;
    Ok(rows.into_iter().map(|row| Object::new(String::new(), String::new(), row)).collect())
}

fn as_json(objects: &[Object], manager: &Object, wrong: &[Object], hints: &[String]) -> Value {
    let mut value = manager.json();
    value["providers"] = providers_of(objects).iter().map(|provider| provider.json()).collect();
    let open = jobs_of(objects).into_iter().filter(|job| job.text("State") != "finished");
    value["jobs"] = open.map(Object::json).collect();
    value["attention"] = wrong.iter().map(Object::json).collect();
    value["hints"] = json!(hints);
    value
}

fn screen(
    context: &Context,
    objects: &[Object],
    manager: &Object,
    wrong: &[Object],
    hints: &[String],
) -> String {
    let paper = &context.paper;
    let mut text = String::new();
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:>10}: {value}");
        }
    };
    row(
        "State",
        format!("{}; since {}", paper.state(manager.text("State")), instant(manager.number("StartedUSec"))),
    );
    row("Status", harmless(manager.text("Status")));
    let running =
        jobs_of(objects).into_iter().find(|job| ["running", "waiting"].contains(&job.text("State")));
    row("Job", running.map_or_else(String::new, job_line));
    row(
        "Waiting",
        match manager.number("QueuedJobs") {
            0 => String::new(),
            1 => "1 job".to_owned(),
            jobs => format!("{jobs} jobs"),
        },
    );
    row(
        "Last run",
        match manager.number("LastFinishedUSec") {
            0 => "never".to_owned(),
            at => format!("{}; {}", paper.state(manager.text("LastResult")), instant(at)),
        },
    );
    row(
        "Next run",
        match manager.number("NextRunUSec") {
            0 => "none is scheduled".to_owned(),
            at => instant(at),
        },
    );
    row(
        "Archive",
        format!("{}, {}", harmless(manager.text("ArchivePath")), bytes(manager.number("ArchiveBytes"))),
    );
    row("Series", series_line(context, manager));
    for series in wrong.iter().take(NAMED) {
        let reason = series.text("reason");
        row(
            "",
            format!(
                "{} {}: {}{}{}",
                series_name(series),
                series.text("period"),
                paper.state(series.text("state")),
                if reason.is_empty() { "" } else { ", " },
                harmless(reason)
            ),
        );
    }
    if wrong.len() > NAMED {
        row(
            "",
            format!("and {} more; `vortexctl series --state late,failed,suspect,held`", wrong.len() - NAMED),
        );
    }
    for provider in providers_of(objects) {
        row(provider.text("Name"), provider_line(context, provider));
    }
    for hint in hints {
        row("Hint", paper.ink(Ink::Warn, hint));
    }
    text
}

fn job_line(job: &Object) -> String {
    format!("{}: {}; {}", job.number("Id"), harmless(job.text("Summary")), harmless(job.text("Current")))
}

fn series_line(context: &Context, manager: &Object) -> String {
    let mut line = manager.number("SeriesCount").to_string();
    for (name, word) in [
        ("SeriesLate", "late"),
        ("SeriesFailed", "failed"),
        ("SeriesSuspect", "suspect"),
        ("SeriesHeld", "held"),
    ] {
        let number = manager.number(name);
        if number > 0 {
            line.push_str(&format!(", {number} {}", context.paper.state(word)));
        }
    }
    line
}

fn provider_line(context: &Context, provider: &Object) -> String {
    let mut line =
        format!("{}, {} requests today", context.paper.state(provider.text("State")), quota(provider));
    if provider.number("RetryAfterUSec") > 0 {
        line.push_str(&format!(", again {}", instant(provider.number("RetryAfterUSec"))));
    }
    if provider.text("State") != "ready" && !provider.text("LastError").is_empty() {
        line.push_str(&format!("; {}", harmless(provider.text("LastError"))));
    }
    line
}

/// What a person would want to know and did not ask.
fn hints(context: &Context, manager: &Object) -> Vec<String> {
    let mut hints: Vec<String> =
        another_version(manager.text("Version"), context.service.system).into_iter().collect();
    if context.service.private {
        return hints;
    }
    if !context.service.system
        && let Ok(Some(user)) = User::from_uid(Uid::effective())
        && !Path::new("/var/lib/systemd/linger").join(&user.name).exists()
    {
        hints.push(format!(
            "lingering is off: the service stops when you log out; `loginctl enable-linger {}` keeps it",
            user.name
        ));
    }
    if let Some(made) = timers_made(context.service.system)
        && manager.number("ConfigurationChangedUSec") > made
    {
        hints.push("the configuration is newer than the timers: `vortexctl reload`".to_owned());
    }
    hints
}

/// What to do where another version runs than is installed.
fn another_version(running: &str, system: bool) -> Option<String> {
    let (installed, restart) =
        (env!("CARGO_PKG_VERSION"), if system { "systemctl" } else { "systemctl --user" });
    (running != installed)
        .then(|| format!("version {running} runs and {installed} is installed: `{restart} restart vortex`"))
}

/// When the generator last made timers, in µs since the epoch.
fn timers_made(system: bool) -> Option<u64> {
    let folder = if system {
        "/run/systemd/generator".into()
    } else {
        Path::new(&std::env::var_os("XDG_RUNTIME_DIR")?).join("systemd/generator")
    };
    let made = std::fs::metadata(folder.join("vortex.service.wants")).ok()?.modified().ok()?;
    let since = made.duration_since(std::time::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_micros()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_than_the_installed_one_is_to_be_restarted() {
        assert_eq!(another_version(env!("CARGO_PKG_VERSION"), true), None);
        let said = another_version("0.0.9", false).unwrap();
        assert!(
            said.starts_with("version 0.0.9 runs") && said.contains("systemctl --user restart"),
            "{said}"
        );
        assert!(!another_version("0.0.9", true).unwrap().contains("--user"));
    }
}
