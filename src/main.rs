//! The `vortex` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    vortex::cli::run(std::env::args_os())
}
