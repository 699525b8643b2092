//! `vortexctl update`: asks for a job, and may wait for its end.

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};

use serde_json::json;
use zbus::{MessageStream, OwnedObjectPath, Variant};

use super::args::UpdateArgs;
use super::error::{Error, Outcome, of_bus};
use super::follow::{Heard, exit_of, hear};
use super::print::harmless;
use super::service::Start;
use super::values::Object;
use super::{Context, bus_error};
use crate::bus;
use crate::exit::Exit;

pub(super) async fn run(context: &Context, args: &UpdateArgs) -> Outcome {
    let waits = args.wait || args.follow;
    // Listening begins before the job does, so that nothing of it is missed.
    let mut signals = if waits { Some(context.service.signals().await?) } else { None };
    let asked =
        context.service.call(Start::Allowed, (bus::ROOT, bus::MANAGER, "Update"), &options(args)).await?;
    let body = asked.body();
    let (id, path): (u32, OwnedObjectPath) =
        body.deserialize().map_err(|error| of_bus(error, context.service.system))?;
    let Some(signals) = &mut signals else {
        if context.global.json {
            return context.json(&json!({ "job": id, "path": path.to_string() }));
        }
        context.line(format!("job {id} is queued; `vortexctl job {id}` shows it"))?;
        return Ok(Exit::Done);
    };
    let mut progress = Progress::new(context, args.follow);
    let waited = tokio::select! {
        result = wait(context, signals, id, &mut progress) => result,
        () = interrupted() => {
            progress.clear();
            let _ = writeln!(io::stderr(), "vortexctl: job {id} goes on; `vortexctl cancel {id}` ends it");
            return Ok(Exit::Interrupted);
        }
    };
    progress.clear();
    let result = waited?;
    report(context, id, &result).await
}

/// SIGINT or SIGTERM.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(mut interrupt), Ok(mut terminate)) => {
            tokio::select! { _ = interrupt.recv() => {} _ = terminate.recv() => {} }
        }
        _ => std::future::pending().await,
    }
}

fn options(args: &UpdateArgs) -> HashMap<&'static str, Variant<'_>> {
    let mut options: HashMap<&'static str, Variant<'_>> = HashMap::new();
    let texts = [
        ("provider", &args.provider),
        ("watchlist", &args.watchlist),
        ("start", &args.start),
        ("end", &args.end),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            options.insert(name, value.as_str().into());
        }
    }
    for (name, values) in [("symbols", &args.symbols), ("periods", &args.periods)] {
        if !values.is_empty() {
            options.insert(name, values.clone().into());
        }
    }
    if args.force {
        options.insert("force", true.into());
    }
    options
}

/// Waits for the end of a job, over a restart of the service too; the word it ended with.
async fn wait(
    context: &Context,
    signals: &mut MessageStream,
    id: u32,
    progress: &mut Progress<'_>,
) -> Result<String, Error> {
    let job = context.service.object(&bus::job_path(id), bus::JOB).await?;
    if !job.text("Result").is_empty() {
        return Ok(job.text("Result").to_owned());
    }
    progress.show(&job)?;
    loop {
        match hear(signals).await {
            Some(Heard::JobRemoved(ended, result)) if ended == id => return Ok(result),
            Some(Heard::Changed(job)) if job.path == bus::job_path(id) => progress.show(&job)?,
            Some(Heard::Service(false)) => {
                progress.note("the service is gone; waiting for it to come back")?
            }
            // The job goes on in the new one, or came to its end in between.
            Some(Heard::Service(true)) => {
                if let Some(result) = ended(context, id).await? {
                    return Ok(result);
                }
            }
            Some(_) => {}
            None => return Err(bus_error(context, "the connection to the service broke")),
        }
    }
}

/// The word a job ended with, if it did.
async fn ended(context: &Context, id: u32) -> Result<Option<String>, Error> {
    let job = context.service.object(&bus::job_path(id), bus::JOB).await?;
    let result = job.text("Result");
    Ok((!result.is_empty()).then(|| result.to_owned()))
}

async fn report(context: &Context, id: u32, result: &str) -> Outcome {
    let job = context.service.object(&bus::job_path(id), bus::JOB).await;
    let exit = exit_of(result);
    let job = match job {
        Ok(job) => job,
        // It ended, and so did the service.
        Err(_) => {
            context.line(format!("job {id}: {}", context.paper.state(result)))?;
            return Ok(exit);
        }
    };
    if context.global.json {
        context.json(&job.json())?;
        return Ok(exit);
    }
    let mut said = format!("job {id}: {}, {}", context.paper.state(result), harmless(job.text("Summary")));
    if !job.text("Error").is_empty() {
        said.push_str(&format!("\n{}", harmless(job.text("Error"))));
    }
    context.line(said)?;
    Ok(exit)
}

/// One line that changes, on a terminal; a line at a time elsewhere.
struct Progress<'a> {
    context: &'a Context,
    wanted: bool,
    terminal: bool,
    job: Object,
    /// What it was last said to wait for.
    waits: String,
}

impl Progress<'_> {
    fn new(context: &Context, wanted: bool) -> Progress<'_> {
        let terminal = io::stderr().is_terminal();
        Progress { context, wanted, terminal, job: Object::default(), waits: String::new() }
    }

    fn show(&mut self, changed: &Object) -> Result<(), Error> {
        for (name, value) in &changed.properties {
            if let Ok(value) = value.try_clone() {
                self.job.properties.insert(name.clone(), value);
            }
        }
        let (job, at) = (&self.job, harmless(self.job.text("Current")));
        if job.text("State") == "running" {
            return self.note(&format!("{}; {at}", harmless(job.text("Summary"))));
        }
        // Who waits is told why, watching or not.
        if !at.is_empty() && at != self.waits && !self.context.global.json {
            self.clear();
            writeln!(io::stderr(), "vortexctl: job {} waits: {at}", job.number("Id"))?;
            self.waits = at;
        }
        Ok(())
    }

    fn note(&self, line: &str) -> Result<(), Error> {
        if !self.wanted || self.context.global.json {
            return Ok(());
        }
        let mut err = io::stderr().lock();
        if self.terminal {
            write!(err, "\r\u{1b}[K{line}")?;
        } else {
            writeln!(err, "{line}")?;
        }
        Ok(err.flush()?)
    }

    /// Takes the changing line away.
    fn clear(&self) {
        if self.wanted && self.terminal && !self.context.global.json {
            // A terminal that is gone needs no clearing.
            let _ = write!(io::stderr(), "\r\u{1b}[K");
        }
    }
}
