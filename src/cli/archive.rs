//! `vortex archive`.

use super::Context;
use super::args::ArchiveArgs;
use super::error::{Error, Outcome};

/// Runs the command.
pub(super) fn run(_context: &Context, _args: &ArchiveArgs) -> Outcome {
    Err(Error::usage("`vortex archive` is not built yet"))
}
