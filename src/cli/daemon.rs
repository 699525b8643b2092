//! `vortex daemon`: the service.

use super::Context;
use super::args::{BusName, Cli, Command, DaemonArgs, Scheduler};
use super::error::{Error, Exit, Outcome};
use super::writer;
use clap::Parser;
use clap::error::ErrorKind;
use jiff::tz::TimeZone;

use crate::config::file::Accept;
use crate::config::{Config, ConfigError, Loaded, Overrides, Problem, Sources, assets};
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
    check_zone(&context.sources)?;
    check(&context.loaded)?;
    let Context { sources, loaded, .. } = context;
    let place = writer::Place::of(&loaded);
    let open = || Engine::open(sources.clone(), Overrides::default(), loaded.clone(), (whole_list, check));
    let served = runtime.block_on(service::serve(open, bus, args.schedule == Scheduler::Internal));
    // A job that did not come to its commit in time is left where it is; the next start goes on with it.
    runtime.shutdown_background();
    match served {
        Ok(()) => Ok(Exit::Done),
        Err(ServiceError::Open(OpenError::Archive(error))) => Err(place.open_error(error)),
        Err(error) => Err(Error::new(Exit::Failed, error)),
    }
}

/// Refuses a `TZ` that names no zone: schedules would silently be those of UTC.
pub(super) fn check_zone(sources: &Sources) -> Result<(), ConfigError> {
    match sources.variable("TZ") {
        Some(zone) if TimeZone::try_system().is_err() => Err(ConfigError::one(
            "environment TZ",
            format!(
                "is {zone:?}; allowed: a zone of the installed tzdata such as \"Europe/Paris\", or a POSIX one such as \"CET-1CEST,M3.5.0,M10.5.0/3\"; not set: the machine's own"
            ),
        )),
        _ => Ok(()),
    }
}

/// Checks what the runs of the service would use and no other layer knows: the options of `vortex download`, and the
/// instruments files that are named.
pub(super) fn check(loaded: &Loaded) -> Result<(), ConfigError> {
    let config = &loaded.config;
    let mut problems = Vec::new();
    let origin =
        |key: &str| loaded.values.get(key).map_or_else(|| key.to_owned(), |entry| entry.origin.clone());
    let default = &config.default_provider;
    let mut named = vec![("general.assets_file".to_owned(), config.assets_file.clone(), default.clone())];
    match whole_list(config) {
        Err(said) => problems.push(Problem::new(origin("schedule.download_args"), said)),
        Ok(Request { assets, provider, .. }) => {
            named.push((
                "schedule.download_args".to_owned(),
                assets,
                provider.unwrap_or_else(|| default.clone()),
            ));
        }
    }
    for (name, list) in &config.watchlists {
        let provider = list.provider.as_ref().unwrap_or(default);
        named.push((format!("watchlists.{name}.assets"), list.assets.clone(), provider.clone()));
    }
    for (key, file, provider) in named {
        let Some(file) = file else { continue };
        if let Err(error) = assets::find(&provider, Some((&file, Accept::File)), &config.config_directory) {
            let said = error.problems.iter().map(|problem| format!("{key}: {problem}"));
            problems.extend(said.map(|said| Problem::new(origin(&key), said)));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(ConfigError::new(problems)) }
}

/// What a scheduled run of the whole list asks for: `schedule.download_args` are split as by a shell, and read
/// as those of `vortex download`.
pub(super) fn whole_list(config: &Config) -> Result<Request, String> {
    let Some(text) = &config.download_args else { return Ok(Request::default()) };
    let fail = |said: String| format!("schedule.download_args (VORTEX_DOWNLOAD_ARGS) {text:?}: {said}");
    let words = shell_words::split(text).map_err(|error| fail(error.to_string()))?;
    let line = ["vortex", "download"].into_iter().map(str::to_owned).chain(words);
    let cli = Cli::try_parse_from(line).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            fail("--help and --version only print, and nothing would be downloaded; take them out".to_owned())
        }
        _ => fail(super::sentence(&error)),
    })?;
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
