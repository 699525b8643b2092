//! `vortex validate`.

use super::Context;
use super::args::ValidateArgs;
use super::error::{Error, Outcome};

/// Runs the command.
pub(super) fn run(_context: &Context, _args: &ValidateArgs) -> Outcome {
    Err(Error::usage("`vortex validate` is not built yet"))
}
