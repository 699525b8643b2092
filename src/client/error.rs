//! How a verb ends, and what is said of an error.

use std::fmt;
use std::path::Path;
use std::time::Duration;

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
        let start = match (has_systemd(), system) {
            (true, true) => "systemctl start vortex",
            (true, false) => "systemctl --user start vortex",
            (false, _) => "vortex daemon",
        };
        Error::new(Exit::NoService, format!("the service does not run; `{start}` starts it"))
    }

    /// The service runs, as a process where that is known, and does not answer.
    pub(super) fn no_answer(process: Option<u32>, patience: Duration) -> Error {
        let process = process.map_or(String::new(), |process| format!(" (process {process})"));
        let said = format!(
            "the service{process} does not answer within {} s: it is stopped, or the machine is overloaded",
            patience.as_secs()
        );
        Error::new(Exit::Failed, said)
    }
}

/// Whether systemd runs, which starts the service and keeps the timers (sd_booted(3)).
pub(super) fn has_systemd() -> bool {
    Path::new("/run/systemd/system").exists()
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
