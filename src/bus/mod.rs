//! What the service says on D-Bus: names, paths, errors and options, for the service and its client.
//! Every `…USec` is in µs since the epoch, 0 being never.

pub mod address;

use zbus::DBusError;

/// The well-known name.
pub const NAME: &str = "org.vortexdata.Vortex1";
/// The root object, with the manager and the object manager.
pub const ROOT: &str = "/org/vortexdata/Vortex1";
/// The manager's interface, at [`ROOT`].
pub const MANAGER: &str = "org.vortexdata.Vortex1.Manager";
/// A job's interface, at [`job_path`].
pub const JOB: &str = "org.vortexdata.Vortex1.Job";
/// A provider's interface, at [`provider_path`].
pub const PROVIDER: &str = "org.vortexdata.Vortex1.Provider";
/// The action that polkit is asked about.
pub const MANAGE_ACTION: &str = "org.vortexdata.Vortex1.manage";

/// Options of `Update`, with their signatures. An unknown one is [`Error::InvalidRequest`].
pub const UPDATE_OPTIONS: &[(&str, &str)] = &[
    ("provider", "s"),
    ("symbols", "as"),
    ("watchlist", "s"),
    ("periods", "as"),
    ("start", "s"),
    ("end", "s"),
    ("force", "b"),
];

/// Filters of `ListSeries`, with their signatures: equality with the row's field of that name; in
/// `symbol`, `*` and `?` stand for any characters and any one, `states` has several.
pub const SERIES_FILTERS: &[(&str, &str)] = &[
    ("provider", "s"),
    ("symbol", "s"),
    ("class", "s"),
    ("contract", "s"),
    ("period", "s"),
    ("states", "as"),
];

/// The providers that series can be of; `vortex` has the continuous ones.
pub const ARCHIVED: &[&str] = &["yahoo", "barchart", "ibkr", "sample", "vortex"];

/// The object path of a job.
pub fn job_path(id: u32) -> String {
    format!("{ROOT}/job/{id}")
}

/// The object path of a provider.
pub fn provider_path(name: &str) -> String {
    format!("{ROOT}/provider/{name}")
}

/// What a method is refused with; the text is for the person.
#[derive(Clone, Debug, DBusError, PartialEq)]
#[zbus(prefix = "org.vortexdata.Vortex1.Error")]
pub enum Error {
    /// Transport, and what D-Bus itself refuses.
    #[zbus(error)]
    ZBus(zbus::Error),
    /// An option is unknown, of the wrong type, or says what cannot be.
    InvalidRequest(String),
    /// No such provider, or not in this version.
    UnknownProvider(String),
    /// No such instrument or watchlist.
    UnknownInstrument(String),
    /// No such job, or its object is gone.
    NoSuchJob(String),
    /// The service is paused.
    Paused(String),
    /// The service is stopping.
    ShuttingDown(String),
    /// The caller may read only.
    NotAuthorized(String),
    /// The archive cannot be used now.
    ArchiveBusy(String),
    /// The configuration cannot be used; the one before stays in force.
    ConfigurationInvalid(String),
}

impl Error {
    /// The reason for a person, without the name that the bus has for it.
    pub fn said(&self) -> String {
        match self {
            Error::ZBus(error) => error.to_string(),
            Error::InvalidRequest(said)
            | Error::UnknownProvider(said)
            | Error::UnknownInstrument(said)
            | Error::NoSuchJob(said)
            | Error::Paused(said)
            | Error::ShuttingDown(said)
            | Error::NotAuthorized(said)
            | Error::ArchiveBusy(said)
            | Error::ConfigurationInvalid(said) => said.clone(),
        }
    }
}
