//! The `vortexctl` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    vortex::client::run(std::env::args_os())
}
