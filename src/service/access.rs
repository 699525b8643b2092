//! Who calls, and who may change anything.
//!
//! On the session bus and the private socket only the user can call (the bus and the socket's folder see to
//! that). On the system bus everybody may read; root, the service's own user and members of group `vortex` may
//! change, anyone else if polkit says so.

use std::collections::HashMap;
use std::sync::Arc;

use nix::unistd::{Gid, Group, Uid, User};
use zbus::fdo::{ConnectionCredentials, DBusProxy};
use zbus::message::{Flags, Header};
use zbus::names::BusName;
use zbus::{Connection, Variant};

use crate::bus::{Error, MANAGE_ACTION};

/// Members of this group may manage a system service.
const GROUP: &str = "vortex";
/// What polkit is to do: ask the person, if the message allows it (`CheckAuthorizationFlags`).
const ASK_PERSON: u32 = 1;

/// By which way a caller comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// A session bus.
    Session,
    /// The system bus: anybody can call.
    System,
    /// A private socket: the peer is the only caller.
    Private,
}

/// Refuses a caller that may only read.
pub(super) async fn check(door: Door, connection: &Connection, header: &Header<'_>) -> Result<(), Error> {
    if door != Door::System {
        return Ok(());
    }
    let who = credentials(door, connection, header).await;
    let Some(who) = who else { return Err(denied("who called is not known any more")) };
    let user = who.unix_user_id();
    if user.is_some_and(|uid| uid == 0 || uid == Uid::effective().as_raw()) || is_member(&who) {
        return Ok(());
    }
    match polkit(connection, header).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(denied("polkit does not allow it")),
        Err(error) => Err(denied(&format!("polkit cannot be asked: {error}"))),
    }
}

fn denied(why: &str) -> Error {
    Error::NotAuthorized(format!(
        "{why}; root and members of group {GROUP} may, and whom polkit allows {MANAGE_ACTION}"
    ))
}

fn is_member(who: &ConnectionCredentials) -> bool {
    let group = Group::from_name(GROUP).ok().flatten().map(|group| group.gid);
    let groups = who.unix_group_ids();
    group.is_some_and(|gid| groups.is_some_and(|groups| groups.iter().any(|of| Gid::from_raw(*of) == gid)))
}

/// Asks polkit (`org.freedesktop.PolicyKit1.Authority.CheckAuthorization`).
async fn polkit(connection: &Connection, header: &Header<'_>) -> zbus::Result<bool> {
    let sender = header.sender().map(ToString::to_string).unwrap_or_default();
    let subject = ("system-bus-name", HashMap::from([("name", Variant::from(sender))]));
    let details: HashMap<&str, &str> = HashMap::new();
    let may_ask = header.primary().flags().contains(Flags::ALLOW_INTERACTIVE_AUTH);
    let flags = if may_ask { ASK_PERSON } else { 0 };
    let reply = connection
        .call_method(
            Some("org.freedesktop.PolicyKit1"),
            "/org/freedesktop/PolicyKit1/Authority",
            Some("org.freedesktop.PolicyKit1.Authority"),
            "CheckAuthorization",
            &(subject, MANAGE_ACTION, details, flags, ""),
        )
        .await?;
    let (allowed, _, _): (bool, bool, HashMap<String, String>) = reply.body().deserialize()?;
    Ok(allowed)
}

/// Somebody who asked for something.
#[derive(Debug, Default)]
pub(super) struct Caller {
    user: Option<u32>,
    process: Option<u32>,
    /// The program's name.
    program: String,
    /// The systemd unit it runs in, where it is one of ours.
    unit: Option<String>,
}

impl Caller {
    /// `timer` for a run that a timer started, else `request`.
    pub(super) fn origin(&self) -> &'static str {
        if self.unit.is_some() { "timer" } else { "request" }
    }

    /// Who it is: program, process, user, unit.
    pub(super) fn words(&self) -> String {
        if let Some(unit) = &self.unit {
            return unit.clone();
        }
        let user = self.user.map(|uid| match User::from_uid(Uid::from_raw(uid)) {
            Ok(Some(user)) => user.name,
            _ => uid.to_string(),
        });
        let program = if self.program.is_empty() { "somebody" } else { &self.program };
        match (self.process, user) {
            (Some(process), Some(user)) => format!("{program} (process {process}, user {user})"),
            (None, Some(user)) => format!("{program} (user {user})"),
            _ => program.to_owned(),
        }
    }
}

/// Who called.
pub(super) async fn caller(door: Door, connection: &Connection, header: &Header<'_>) -> Caller {
    let Some(who) = credentials(door, connection, header).await else { return Caller::default() };
    let process = who.process_id();
    let read = |file: &str| {
        let path = process.map(|process| format!("/proc/{process}/{file}"));
        path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default()
    };
    Caller {
        user: who.unix_user_id(),
        process,
        program: read("comm").trim().to_owned(),
        unit: unit_of(&read("cgroup")),
    }
}

/// Our own oneshot unit in the last part of a control group's path, such as `vortex-update.service`.
fn unit_of(cgroups: &str) -> Option<String> {
    let units = cgroups.lines().filter_map(|line| line.rsplit('/').next());
    let ours = |unit: &&str| unit.starts_with("vortex-update") && unit.ends_with(".service");
    units.map(str::trim).find(ours).map(str::to_owned)
}

async fn credentials(
    door: Door,
    connection: &Connection,
    header: &Header<'_>,
) -> Option<Arc<ConnectionCredentials>> {
    if door == Door::Private {
        return connection.peer_creds().await.ok().cloned();
    }
    let sender = header.sender()?.to_owned();
    let bus = DBusProxy::new(connection).await.ok()?;
    bus.get_connection_credentials(BusName::from(sender)).await.ok().map(Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timers_unit_is_known_by_its_control_group() {
        let of_timer =
            "0::/user.slice/user-1000.slice/user@1000.service/app.slice/vortex-update-us.service\n";
        assert_eq!(unit_of(of_timer).as_deref(), Some("vortex-update-us.service"));
        assert_eq!(unit_of("0::/user.slice/session-1.scope\n"), None);
        assert_eq!(unit_of("0::/system.slice/vortex.service\n"), None);
    }
}
