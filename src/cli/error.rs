//! How a command ends: errors, and the one place that prints them.

use std::fmt;
use std::io::{self, Write};

use crate::config::ConfigError;
use crate::escape;
pub use crate::exit::Exit;
use crate::provider::limits::ThrottleError;
use crate::request::Refused;

/// Why a command did not end well.
#[derive(Debug)]
pub struct Error {
    /// The exit code.
    pub exit: Exit,
    /// The causes, outermost first.
    pub cause: anyhow::Error,
}

/// How a command ends.
pub type Outcome = Result<Exit, Error>;

impl Error {
    /// An error with an exit code.
    pub fn new(exit: Exit, cause: impl Into<anyhow::Error>) -> Error {
        let cause = cause.into();
        Error { exit, cause }
    }

    /// The command line or the configuration is wrong.
    pub fn usage(said: impl fmt::Display) -> Error {
        Error::new(Exit::Usage, anyhow::Error::msg(said.to_string()))
    }

    /// Prints the error, to standard error for people, to standard output as JSON for programs, and
    /// gives the exit code. A reader that went away is no error.
    pub(super) fn report(&self, json: bool) -> Exit {
        let io_error = self.cause.downcast_ref::<io::Error>();
        if io_error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            return Exit::Done;
        }
        // Nobody is left to tell where neither stream can be written.
        let _ = if json {
            writeln!(io::stdout(), "{}", escape::json(&self.json().to_string()))
        } else {
            writeln!(io::stderr(), "vortex: {}", escape::lines(&self.text()))
        };
        self.exit
    }

    fn text(&self) -> String {
        let causes: Vec<_> = self.cause.chain().map(ToString::to_string).collect();
        causes.join("\n  because: ")
    }

    fn json(&self) -> serde_json::Value {
        let mut causes = self.cause.chain().map(ToString::to_string);
        let message = causes.next().unwrap_or_default();
        let mut error = serde_json::json!({
            "code": self.exit.word(),
            "exit": self.exit as u8,
            "message": message,
            "causes": causes.collect::<Vec<_>>(),
        });
        if let Some(config) = self.cause.downcast_ref::<ConfigError>() {
            let problems = config.problems.iter();
            error["code"] = "configuration".into();
            error["problems"] = problems
                .map(|problem| serde_json::json!({ "place": problem.place, "message": problem.said }))
                .collect();
        }
        serde_json::json!({ "error": error })
    }
}

impl From<anyhow::Error> for Error {
    fn from(cause: anyhow::Error) -> Error {
        Error::new(Exit::Failed, cause)
    }
}

impl From<ThrottleError> for Error {
    fn from(cause: ThrottleError) -> Error {
        Error::new(Exit::Failed, cause)
    }
}

impl From<io::Error> for Error {
    fn from(cause: io::Error) -> Error {
        Error::new(Exit::Failed, cause)
    }
}

impl From<dialoguer::Error> for Error {
    fn from(cause: dialoguer::Error) -> Error {
        // Its own words only repeat those of the cause.
        let dialoguer::Error::IO(error) = cause;
        let exit = match error.kind() {
            io::ErrorKind::Interrupted => Exit::Interrupted,
            _ => Exit::Failed,
        };
        Error::new(exit, error)
    }
}

impl From<Refused> for Error {
    fn from(cause: Refused) -> Error {
        match cause {
            Refused::Configuration(error) => error.into(),
            Refused::Limits(error) => error.into(),
            other => Error::new(Exit::Usage, other),
        }
    }
}

impl From<ConfigError> for Error {
    fn from(cause: ConfigError) -> Error {
        Error::new(Exit::Usage, cause)
    }
}
