//! Exit codes, the same for all programs of Vortex.

use std::process::ExitCode;

/// How a run ended; the numbers are the same for all programs of Vortex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// Partly done.
    Partly = 3,
    /// There is no such object.
    NoSuchObject = 4,
    /// The service does not run.
    NoService = 69,
    /// A limit, a lock, no network: try later.
    Later = 75,
    /// Interrupted.
    Interrupted = 130,
}

impl Exit {
    /// A word for programs, as `error.code` in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Exit::Done => "done",
            Exit::Failed => "failed",
            Exit::Usage => "usage",
            Exit::Partly => "partly",
            Exit::NoSuchObject => "no_such_object",
            Exit::NoService => "no_service",
            Exit::Later => "later",
            Exit::Interrupted => "interrupted",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}
