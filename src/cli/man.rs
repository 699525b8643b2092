//! `vortex man`: a man page for each command.

use std::fs;

use anyhow::Context as _;
use clap::CommandFactory;

use super::args::{Cli, ManArgs};
use super::error::{Exit, Outcome};

/// Writes `vortex.1`, `vortex-download.1`, … to a folder.
pub(super) fn run(args: &ManArgs) -> Outcome {
    let folder = &args.folder;
    fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
        .with_context(|| format!("the man pages cannot be written to {}", folder.display()))?;
    Ok(Exit::Done)
}
