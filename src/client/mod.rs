//! `vortexctl`: asks the service, and tells people and programs. It knows nothing but the bus, so that it
//! stays small.

pub mod args;
mod complete;
mod control;
mod error;
mod follow;
mod lists;
mod print;
mod service;
mod status;
mod update;
mod values;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::exit::Exit;
use crate::usage;
use args::{Cli, Global, Verb};
use error::{Error, Outcome};
use print::{Paper, harmless};
use service::Service;

/// What a verb works with.
struct Context {
    global: Global,
    paper: Paper,
    service: Service,
}

impl Context {
    /// Prints a value for programs.
    fn json(&self, value: &serde_json::Value) -> Outcome {
        writeln!(io::stdout(), "{value:#}")?;
        Ok(Exit::Done)
    }

    /// Prints a line for people.
    fn line(&self, text: impl std::fmt::Display) -> Result<(), Error> {
        Ok(writeln!(io::stdout(), "{text}")?)
    }
}

/// The connection is of no use any more.
fn bus_error(context: &Context, said: &str) -> Error {
    match context.service.private {
        true => Error::no_service(false),
        false => Error::new(Exit::NoService, said),
    }
}

/// Runs the command line and prints its error, if any.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let json = args.iter().any(|arg| arg == "--json");
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => {
            let no_error = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            if json && !no_error {
                return report(&Error::new(Exit::Usage, usage::sentence(&error)), json).into();
            }
            // Where the reader went away there is nobody to tell.
            let _ = error.print();
            return if no_error { Exit::Done } else { Exit::Usage }.into();
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(interruptible(cli)),
        Err(error) => Err(error.into()),
    };
    outcome.unwrap_or_else(|error| report(&error, json)).into()
}

/// SIGINT and SIGTERM end a verb by its exit code, so that scripts see what happened.
async fn interruptible(cli: Cli) -> Outcome {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        outcome = dispatch(cli) => outcome,
        _ = interrupt.recv() => Ok(Exit::Interrupted),
        _ = terminate.recv() => Ok(Exit::Interrupted),
    }
}

async fn dispatch(cli: Cli) -> Outcome {
    let Cli { global, verb } = cli;
    let verb = verb.unwrap_or(Verb::Status { watch: false });
    let paper = Paper::new(&global);
    match &verb {
        Verb::Logs(args) => return control::logs(&global, args),
        Verb::Timers if error::has_systemd() => return control::timers(&global),
        Verb::Complete { what } => return complete::run(&global, what).await,
        _ => {}
    }
    let service = match Service::find(&global).await {
        Ok(service) => service,
        Err(error) if matches!(verb, Verb::Version) => return control::version_alone(&global, &error),
        Err(error) => return Err(error),
    };
    let context = Context { global, paper, service };
    match verb {
        Verb::Status { watch } => status::run(&context, watch).await,
        Verb::Update(args) => update::run(&context, &args).await,
        Verb::Jobs => lists::jobs(&context).await,
        Verb::Job { id } => lists::job(&context, id).await,
        Verb::Cancel { id } => control::cancel(&context, id).await,
        Verb::Series { pattern, provider, states } => {
            lists::series(&context, pattern.as_deref(), provider.as_deref(), &states).await
        }
        Verb::Providers { test } => lists::providers(&context, test).await,
        Verb::Pause => control::order(&context, "Pause", "paused; `vortexctl resume` goes on").await,
        Verb::Resume => control::order(&context, "Resume", "goes on").await,
        Verb::Reload => control::reload(&context).await,
        Verb::Reset { provider } => control::reset(&context, &provider).await,
        Verb::Monitor => follow::monitor(&context).await,
        Verb::Ping => control::ping(&context).await,
        Verb::Version => control::version(&context).await,
        Verb::Timers => control::next_run(&context).await,
        Verb::Logs(_) | Verb::Complete { .. } => Ok(Exit::Done),
    }
}

fn report(error: &Error, json: bool) -> Exit {
    let Error { exit, said } = error;
    if *exit == Exit::Done {
        return Exit::Done;
    }
    // Nobody is left to tell where neither stream can be written.
    let _ = if json {
        let error =
            serde_json::json!({ "causes": [], "code": exit.word(), "exit": *exit as u8, "message": said });
        writeln!(io::stdout(), "{}", serde_json::json!({ "error": error }))
    } else {
        said.lines().enumerate().try_for_each(|(at, line)| {
            let name = if at == 0 { "vortexctl: " } else { "" };
            writeln!(io::stderr(), "{name}{}", harmless(line))
        })
    };
    *exit
}
