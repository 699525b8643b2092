//! `vortexctl`: asks the service, and tells people and programs.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::exit::Exit;

/// Runs the command line.
pub fn run(_args: impl IntoIterator<Item = OsString>) -> ExitCode {
    Exit::NoService.into()
}
