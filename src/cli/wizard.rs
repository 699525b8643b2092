//! `vortex wizard`: asks what a first configuration needs, and writes it.

use std::io::{self, IsTerminal};

use dialoguer::{Confirm, Input, Password, Select};
use toml_edit::Value;

use super::args::Global;
use super::error::{Error, Exit, Outcome};
use super::output;
use crate::config::{Sources, store};

/// Runs the command. Nothing is written before the last answer.
pub(super) fn run(global: &Global) -> Outcome {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Error::usage(
            "`vortex wizard` asks questions and needs a terminal; without one, write the file yourself: `vortex config --example` prints every key",
        ));
    }
    let sources = Sources::of_process(global.config.clone())?;
    let file = sources.user_file();
    output::line(format_args!("This writes {}.", file.display()))?;
    let values = ask(&sources)?;
    let Some(values) = values.filter(|_| !global.dry_run) else {
        output::line("Nothing was written.")?;
        return Ok(Exit::Done);
    };
    store::set(&sources, &file, &values)?;
    output::line(format_args!("Written. Next: {}", next_step(&values)))?;
    Ok(Exit::Done)
}

type Answers = Vec<(&'static str, Value)>;

/// The answers as keys; `None` where the person does not want them written.
fn ask(sources: &Sources) -> dialoguer::Result<Option<Answers>> {
    let archive: String = Input::new()
        .with_prompt("Folder of the archive")
        .default(sources.default_archive().display().to_string())
        .interact_text()?;
    let providers = ["yahoo", "barchart", "ibkr", "sample"];
    let at = Select::new().with_prompt("Provider").items(providers).default(0).interact()?;
    let provider = providers.get(at).copied().unwrap_or("yahoo");
    let parquet = Confirm::new().with_prompt("Write Parquet beside CSV").default(true).interact()?;
    let start: i64 = Input::new().with_prompt("First year of history").default(2000).interact_text()?;
    let mut values: Answers = vec![
        ("general.output_directory", archive.into()),
        ("general.default_provider", provider.into()),
        ("general.backup_enabled", parquet.into()),
        ("date_range.start_year", start.into()),
    ];
    match provider {
        "barchart" => {
            let username: String = Input::new().with_prompt("Barchart username").interact_text()?;
            let password = Password::new().with_prompt("Barchart password").interact()?;
            values.push(("providers.barchart.username", username.into()));
            values.push(("providers.barchart.password", password.into()));
        }
        "ibkr" => {
            let host: String = Input::new()
                .with_prompt("Host of TWS or the gateway")
                .default("localhost".to_owned())
                .interact_text()?;
            let port: i64 = Input::new().with_prompt("Its port").default(7497).interact_text()?;
            values.push(("providers.ibkr.host", host.into()));
            values.push(("providers.ibkr.port", port.into()));
        }
        _ => {}
    }
    let write = Confirm::new().with_prompt("Write it").default(true).interact()?;
    Ok(write.then_some(values))
}

fn next_step(values: &Answers) -> &'static str {
    let is_sample = values.iter().any(|(_, value)| value.as_str() == Some("sample"));
    if is_sample { "vortex download" } else { "vortex download -s AAPL" }
}
