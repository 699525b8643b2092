//! `vortex config`: show, check, export and change the configuration.

use std::io::{self, BufRead, IsTerminal};
use std::path::Path;

use dialoguer::{Input, Password};

use super::args::{ConfigArgs, Global};
use super::error::{Error, Exit, Outcome};
use super::prompt::interruptible;
use super::{Context, daemon, output};
use crate::config::file::{self, Accept};
use crate::config::{Config, ConfigError, Overrides, Sources, keys, render, store};

/// Names of standard output, which is not opened again: a file it is sent to would be written over.
const STANDARD_OUTPUT: [&str; 2] = ["-", "/dev/stdout"];

/// Runs the command. Only what shows the configuration needs one that is valid.
pub(super) fn run(global: &Global, args: &ConfigArgs) -> Outcome {
    if args.reference {
        output::print(&render::reference())?;
        return Ok(Exit::Done);
    }
    if args.example {
        output::print(&render::example())?;
        return Ok(Exit::Done);
    }
    if args.show {
        return show(global, args.origin);
    }
    if let Some(file) = &args.export {
        return export(global, file);
    }
    let sources = Sources::of_process(global.config.clone())?;
    match (&args.import, &args.provider) {
        (Some(file), _) => import(&sources, file, global.dry_run),
        (None, Some(provider)) => set_credentials(&sources, provider, global.dry_run),
        (None, None) => reset(&sources, global.dry_run),
    }
}

fn show(global: &Global, origin: bool) -> Outcome {
    let context = Context::start(global.clone(), Overrides::default(), false)?;
    daemon::check_zone(&context.sources)?;
    daemon::check(&context.loaded)?;
    if global.json {
        output::json(&context.loaded.to_json())?;
    } else {
        output::print(&context.loaded.to_toml(origin))?;
    }
    Ok(Exit::Done)
}

fn export(global: &Global, file: &Path) -> Outcome {
    let context = Context::start(global.clone(), Overrides::default(), false)?;
    let text = context.loaded.to_export();
    if STANDARD_OUTPUT.iter().any(|name| file == Path::new(name)) {
        output::print(&text)?;
        return Ok(Exit::Done);
    }
    let file = context.sources.absolute(&file.to_string_lossy());
    if !global.dry_run {
        store::replace(&file, &text)?;
    }
    output::line(format_args!("exported to {}", file.display()))?;
    Ok(Exit::Done)
}

fn import(sources: &Sources, file: &Path, dry_run: bool) -> Outcome {
    let text = file::read_named(file, Accept::FileOrPipe)
        .map_err(|error| ConfigError::one(file.display().to_string(), error.to_string()))?;
    daemon::check(&Config::check_text(&file.display().to_string(), &text, sources)?)?;
    let target = sources.user_file();
    if !dry_run {
        tell_kept(&target)?;
        store::replace(&target, &text)?;
    }
    output::line(format_args!("{} is now {}", file.display(), target.display()))?;
    Ok(Exit::Done)
}

fn reset(sources: &Sources, dry_run: bool) -> Outcome {
    let target = sources.user_file();
    if !dry_run {
        tell_kept(&target)?;
        store::replace(&target, &render::example())?;
    }
    output::line(format_args!("{} holds the built-in values", target.display()))?;
    Ok(Exit::Done)
}

/// Keeps the old file beside the new one, and says so.
pub(super) fn tell_kept(target: &Path) -> Result<(), Error> {
    match store::keep_old(target)? {
        Some(kept) => output::line(format_args!("the old one is kept as {}", kept.display())),
        None => Ok(()),
    }
}

fn set_credentials(sources: &Sources, provider: &str, dry_run: bool) -> Outcome {
    if !keys::PROVIDERS.contains(&provider) {
        let allowed = keys::PROVIDERS.join(", ");
        let said = format!("--provider {provider:?} is not a provider; allowed: {allowed}");
        return Err(Error::usage(said));
    }
    if provider != "barchart" {
        return Err(Error::usage(format!("--provider {provider} needs no credentials; barchart does")));
    }
    let (username, password) = ask_credentials()?;
    let file = sources.user_file();
    if !dry_run {
        let values = [
            ("providers.barchart.username", username.into()),
            ("providers.barchart.password", password.into()),
        ];
        store::set(sources, &file, &values)?;
    }
    output::line(format_args!("stored in {} (mode 0600)", file.display()))?;
    Ok(Exit::Done)
}

/// Asks on a terminal, the password hidden; else reads a line for each from standard input.
fn ask_credentials() -> Result<(String, String), Error> {
    if io::stdin().is_terminal() {
        return interruptible(|| {
            let username = Input::new().with_prompt("Barchart username").interact_text()?;
            let password = Password::new().with_prompt("Barchart password").interact()?;
            Ok((username, password))
        });
    }
    let mut lines = io::stdin().lock().lines();
    let mut next = || lines.next().transpose();
    match (next()?, next()?) {
        (Some(username), Some(password)) => Ok((username, password)),
        _ => Err(Error::usage(
            "--set-credentials asks on a terminal; without one, write the username and the password as two lines to standard input",
        )),
    }
}
