//! `vortex resilience`.

use super::Context;
use super::args::ResilienceArgs;
use super::error::{Error, Outcome};

/// Runs the command.
pub(super) fn run(_context: &Context, _args: &ResilienceArgs) -> Outcome {
    Err(Error::usage("`vortex resilience` is not built yet"))
}
