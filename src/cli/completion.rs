//! `vortex completion`: the completion script of a shell.

use clap::CommandFactory;

use super::args::{Cli, CompletionArgs};
use super::error::{Exit, Outcome};
use super::output;

/// Prints the script.
pub(super) fn run(args: &CompletionArgs) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "vortex", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
