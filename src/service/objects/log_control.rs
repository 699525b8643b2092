//! `org.freedesktop.LogControl1`: what `systemctl service-log-level` speaks to.

use zbus::message::Header;
use zbus::{Connection, fdo, interface};

use crate::config::LogLevel;
use crate::observe::logging;
use crate::service::access::{self, Door};

/// The levels of syslog(3), by name, and ours.
const LEVELS: &[(&str, LogLevel)] = &[
    ("emerg", LogLevel::Error),
    ("alert", LogLevel::Error),
    ("crit", LogLevel::Error),
    ("err", LogLevel::Error),
    ("warning", LogLevel::Warning),
    ("notice", LogLevel::Info),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
];

/// The log level of this process (org.freedesktop.LogControl1(5)).
pub(in crate::service) struct LogControl {
    pub(in crate::service) door: Door,
}

#[interface(interface = "org.freedesktop.LogControl1")]
impl LogControl {
    #[zbus(property)]
    async fn log_level(&self) -> String {
        let name = match logging::level() {
            LogLevel::Error => "err",
            LogLevel::Warning => "warning",
            LogLevel::Info => "info",
            LogLevel::Debug | LogLevel::Trace => "debug",
        };
        name.to_owned()
    }

    #[zbus(property)]
    async fn set_log_level(
        &self,
        name: String,
        #[zbus(header)] header: Option<Header<'_>>,
        #[zbus(connection)] connection: &Connection,
    ) -> fdo::Result<()> {
        if let Some(header) = header {
            let checked = access::check(self.door, connection, &header).await;
            checked.map_err(|error| fdo::Error::AccessDenied(error.to_string()))?;
        }
        let Some((_, level)) = LEVELS.iter().find(|(known, _)| *known == name) else {
            let known: Vec<&str> = LEVELS.iter().map(|(known, _)| *known).collect();
            return Err(fdo::Error::InvalidArgs(format!(
                "{name:?} is no level; there are {}",
                known.join(", ")
            )));
        };
        logging::set_level(*level).map_err(fdo::Error::Failed)?;
        tracing::info!("the log level is {name} from now on");
        Ok(())
    }

    /// Where lines go is for the configuration to say.
    #[zbus(property)]
    async fn log_target(&self) -> String {
        "auto".to_owned()
    }

    #[zbus(property)]
    async fn set_log_target(&self, name: String) -> fdo::Result<()> {
        match name.as_str() {
            "auto" => Ok(()),
            _ => Err(fdo::Error::NotSupported(format!(
                "the target stays auto, not {name:?}: set general.logging.output"
            ))),
        }
    }

    #[zbus(property)]
    async fn syslog_identifier(&self) -> String {
        "vortex".to_owned()
    }
}
