//! `org.freedesktop.LogControl1`: what `systemctl service-log-level` speaks to.

use zbus::interface;

/// The log levels and targets of this process (org.freedesktop.LogControl1(5)).
pub(in crate::service) struct LogControl {
    pub(in crate::service) door: crate::service::access::Door,
}

#[interface(interface = "org.freedesktop.LogControl1")]
impl LogControl {
    #[zbus(property)]
    async fn syslog_identifier(&self) -> String {
        "vortex".to_owned()
    }
}
