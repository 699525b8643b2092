//! `vortex download`.

use super::Context;
use super::args::DownloadArgs;
use super::error::{Error, Outcome};

/// Runs the command.
pub(super) fn run(_context: &Context, _args: &DownloadArgs) -> Outcome {
    Err(Error::usage("`vortex download` is not built yet"))
}
