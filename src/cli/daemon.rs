//! `vortex daemon`: the service.

use super::Context;
use super::args::{BusName, Cli, Command, DaemonArgs, Scheduler};
use super::error::{Error, Exit, Outcome};
use super::writer::archive_error;
use clap::Parser;

use crate::config::{Config, Overrides};
use crate::request::Request;
use crate::service::engine::OpenError;
use crate::service::{self, Bus, Engine, ServiceError};

/// Runs the service until it is told to stop.
pub(super) fn run(context: Context, args: &DaemonArgs) -> Outcome {
    if context.config().dry_run {
        return Err(Error::usage("the service does what it is asked; --dry-run is for single commands"));
    }
    let bus = args.bus.map(|bus| match bus {
        BusName::User => Bus::User,
        BusName::System => Bus::System,
        BusName::Private => Bus::Private,
        BusName::None => Bus::None,
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .thread_keep_alive(std::time::Duration::from_secs(2))
        .build()?;
    let Context { sources, loaded, .. } = context;
    whole_list(&loaded.config).map_err(Error::usage)?;
    let open = || Engine::open(sources.clone(), Overrides::default(), loaded.clone(), whole_list);
    let served = runtime.block_on(service::serve(open, bus, args.schedule == Scheduler::Internal));
    // A job that did not come to its commit in time is left where it is; the next start goes on with it.
    runtime.shutdown_background();
    match served {
        Ok(()) => Ok(Exit::Done),
        Err(ServiceError::Open(OpenError::Archive(error))) => Err(archive_error(error)),
        Err(error) => Err(Error::new(Exit::Failed, error)),
    }
}

/// What a scheduled run of the whole list asks for: `schedule.download_args` are split as by a shell, and read
/// as those of `vortex download`.
fn whole_list(config: &Config) -> Result<Request, String> {
    let Some(text) = &config.download_args else { return Ok(Request::default()) };
    let fail = |said: String| format!("schedule.download_args (VORTEX_DOWNLOAD_ARGS) {text:?}: {said}");
    let words = shell_words::split(text).map_err(|error| fail(error.to_string()))?;
    let line = ["vortex", "download"].into_iter().map(str::to_owned).chain(words);
    let cli = Cli::try_parse_from(line).map_err(|error| fail(super::sentence(&error)))?;
    let Command::Download(args) = cli.command else { return Err(fail("is another command".to_owned())) };
    let not_here = [
        (args.output_dir.is_some(), "--output-dir"),
        (args.raw_dir.is_some(), "--raw-dir"),
        (args.from.is_some(), "--from"),
        (cli.global.config.is_some(), "--config"),
    ];
    if let Some((_, option)) = not_here.iter().find(|(given, _)| *given) {
        return Err(fail(format!("{option} is not for runs of the service; set it in the configuration")));
    }
    let parquet = if args.no_backup { Some(false) } else { args.backup.then_some(true) };
    let request = super::download::request(&args).map_err(|error| fail(error.cause.to_string()))?;
    Ok(Request { provider: args.provider, parquet, dry_run: cli.global.dry_run, ..request })
}
