//! How a verb ends, and what is said of an error.

use std::fmt;

use zbus::fdo;

use crate::exit::Exit;

/// Why a verb did not end well.
#[derive(Debug)]
pub(super) struct Error {
    pub(super) exit: Exit,
    pub(super) said: String,
}

/// How a verb ends.
pub(super) type Outcome = Result<Exit, Error>;

impl Error {
    pub(super) fn new(exit: Exit, said: impl fmt::Display) -> Error {
        Error { exit, said: said.to_string() }
    }

    /// The service does not run.
    pub(super) fn no_service(system: bool) -> Error {
        let manager = if system { "systemctl" } else { "systemctl --user" };
        Error::new(Exit::NoService, format!("the service does not run; `{manager} start vortex` starts it"))
    }
}

/// An error of the bus in words, with the exit code of what it means.
pub(super) fn of_bus(error: zbus::Error, system: bool) -> Error {
    match error {
        zbus::Error::MethodError(name, said, _) => {
            let text = said.unwrap_or_else(|| name.to_string());
            let short = name.as_str().rsplit('.').next().unwrap_or_default();
            match short {
                "ServiceUnknown" | "NameHasNoOwner" | "Disconnected" => Error::no_service(system),
                "NoSuchJob" | "UnknownObject" | "UnknownInstrument" | "UnknownProvider" => {
                    Error::new(Exit::NoSuchObject, text)
                }
                "InvalidRequest" | "ConfigurationInvalid" | "InvalidArgs" => Error::new(Exit::Usage, text),
                "Paused" | "ShuttingDown" | "ArchiveBusy" => Error::new(Exit::Later, text),
                "NoReply" => Error::new(Exit::Failed, "the service went away, or did not answer in time"),
                _ => Error::new(Exit::Failed, text),
            }
        }
        zbus::Error::FDO(error) => match *error {
            fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_) => Error::no_service(system),
            fdo::Error::UnknownObject(said) => Error::new(Exit::NoSuchObject, said),
            fdo::Error::ZBus(error) => of_bus(error, system),
            other => Error::new(Exit::Failed, other),
        },
        zbus::Error::InputOutput(_) => Error::no_service(system),
        other => Error::new(Exit::Failed, other),
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        // A reader that went away is no error.
        let gone = error.kind() == std::io::ErrorKind::BrokenPipe;
        Error::new(if gone { Exit::Done } else { Exit::Failed }, error)
    }
}
