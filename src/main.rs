//! The `vortex` command, and under another name systemd's generator of its timers.

use std::path::Path;
use std::process::ExitCode;

use vortex::schedule::generator;

fn main() -> ExitCode {
    let called = std::env::args_os().next().unwrap_or_default();
    if Path::new(&called).file_name().is_some_and(|name| name == generator::NAME) {
        generator::run(std::env::args_os());
        return ExitCode::SUCCESS;
    }
    vortex::cli::run(std::env::args_os())
}
