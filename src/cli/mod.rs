//! The `vortex` command: parse, read the configuration, start logging, run one command, map what
//! came of it to an exit code. One file a command.

mod archive;
pub mod args;
mod chart;
mod completion;
mod config;
mod continuous;
mod daemon;
mod download;
pub mod error;
mod foresee;
mod import;
mod list;
mod login;
mod man;
pub mod output;
mod progress;
mod prompt;
mod providers;
mod rebuild;
mod replay;
mod resilience;
mod validate;
mod wizard;
mod writer;

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::config::{Config, Loaded, Overrides, Sources};
use crate::escape;
use crate::observe::{self, logging::Console};
use args::{Cli, Command, Global};
use error::{Error, Exit, Outcome};

/// What a command works with.
#[derive(Debug)]
pub struct Context {
    /// Options that every command has.
    pub global: Global,
    /// Where the configuration comes from.
    pub sources: Sources,
    /// The configuration in force, with its origins.
    pub loaded: Loaded,
}

impl Context {
    /// Reads the configuration, with what the command line sets over it, and starts logging, of a command or of
    /// the service.
    fn start(global: Global, mut overrides: Overrides, service: bool) -> Result<Context, Error> {
        let dry_run = global.dry_run.then(|| "true".to_owned());
        overrides.set("general.dry_run", dry_run, "--dry-run");
        let sources = Sources::of_process(global.config.clone())?;
        let loaded = Config::load(&sources, &overrides)?;
        let colour = observe::logging::colour_allowed(&io::stderr(), global.color.asked());
        let console = Console { colour, service };
        observe::init(&loaded.config.logging, global.verbose, console).map_err(Error::usage)?;
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        for notice in &loaded.notices {
            tracing::debug!("{notice}");
        }
        Ok(Context { global, sources, loaded })
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.loaded.config
    }
}

/// Runs the command line and prints its error, if any.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let json = args.iter().any(|arg| arg == "--json");
    let outcome = match Cli::try_parse_from(&args) {
        Ok(cli) => dispatch(cli),
        Err(error) => refuse(&error, json),
    };
    outcome.unwrap_or_else(|error| error.report(json)).into()
}

fn dispatch(cli: Cli) -> Outcome {
    let global = cli.global;
    let service = matches!(cli.command, Command::Daemon(_));
    let start = |overrides| Context::start(global.clone(), overrides, service);
    match cli.command {
        Command::Download(args) => {
            let context = start(overrides::download(&args))?;
            match context.config().default_provider.as_str() {
                "replay" => replay::run(&context, &args),
                _ => download::run(&context, &args),
            }
        }
        Command::Import(args) => import::run(&start(overrides::import(&args))?, &args),
        Command::Daemon(args) => daemon::run(start(Overrides::default())?, &args),
        Command::Config(args) => config::run(&global, &args),
        Command::Providers(args) => providers::run(&start(Overrides::default())?, &args),
        Command::Validate(args) => validate::run(&start(Overrides::default())?, &args),
        Command::Continuous(args) => continuous::run(&start(overrides::output_dir(&args.output_dir))?, &args),
        Command::Archive(args) => archive::run(&start(overrides::output_dir(&args.output_dir))?, &args),
        Command::Wizard => wizard::run(&global),
        Command::Resilience(args) => resilience::run(&start(Overrides::default())?, &args),
        Command::Completion(args) => completion::run(&args),
        Command::Man(args) => man::run(&args),
    }
}

/// What clap says: help and version are no errors.
fn refuse(error: &clap::Error, json: bool) -> Outcome {
    let no_error = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if json && !no_error {
        return Err(Error::usage(sentence(error)));
    }
    // Where the reader went away there is nobody to tell.
    let _ = match escape::lines(&error.render().to_string()) {
        Cow::Owned(safe) if !no_error => write!(io::stderr(), "{safe}"),
        _ => error.print(),
    };
    Ok(if no_error { Exit::Done } else { Exit::Usage })
}

/// What clap says over several paragraphs, with usage and help, as one sentence.
fn sentence(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "the command line says too little; --help lists what there is".to_owned();
    }
    let text = error.render().to_string();
    let mut paragraphs = text.trim_start_matches("error: ").split("\n\n").map(str::trim);
    let said = paragraphs.next().unwrap_or_default();
    let tips = paragraphs.filter_map(|paragraph| paragraph.strip_prefix("tip: "));
    let parts: Vec<String> = std::iter::once(said)
        .chain(tips)
        .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    parts.join("; ")
}

/// Options that stand for keys of the configuration.
mod overrides {
    use std::path::{Path, PathBuf};

    use super::args::{DownloadArgs, ImportArgs};
    use crate::config::Overrides;

    pub(super) fn download(args: &DownloadArgs) -> Overrides {
        let mut set = Overrides::default();
        set.set("general.default_provider", args.provider.clone(), "--provider");
        set.set("general.output_directory", text(&args.output_dir), "--output-dir");
        set.set("general.raw_directory", text(&args.raw_dir), "--raw-dir");
        set.set("general.assets_file", text(&args.assets), "--assets");
        let backup = args.backup.then(|| "true".to_owned());
        set.set("general.backup_enabled", backup.clone(), "--backup");
        set.set("general.force_backup", backup, "--backup");
        let no_backup = args.no_backup.then(|| "false".to_owned());
        set.set("general.backup_enabled", no_backup, "--no-backup");
        set
    }

    pub(super) fn import(args: &ImportArgs) -> Overrides {
        let mut set = Overrides::default();
        set.set("general.output_directory", text(&args.output_dir), "--output-dir");
        set.set("general.assets_file", text(&args.assets), "--assets");
        set
    }

    pub(super) fn output_dir(folder: &Option<PathBuf>) -> Overrides {
        let mut set = Overrides::default();
        set.set("general.output_directory", text(folder), "--output-dir");
        set
    }

    fn text(path: &Option<impl AsRef<Path>>) -> Option<String> {
        path.as_ref().map(|path| path.as_ref().to_string_lossy().into_owned())
    }
}
