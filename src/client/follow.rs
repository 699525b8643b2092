//! Listening: what happens, as it happens.

use std::collections::HashMap;

use serde_json::json;
use zbus::{Message, MessageStream, OwnedObjectPath, OwnedVariant};

use super::error::{Error, Outcome};
use super::print::harmless;
use super::service::next;
use super::values::{self, Object};
use super::{Context, bus_error};
use crate::bus;
use crate::exit::Exit;

/// Something that the service, or the bus about it, said.
#[derive(Debug)]
pub(super) enum Heard {
    JobNew(u32),
    JobRemoved(u32, String),
    /// Properties of an object that changed.
    Changed(Object),
    /// The service is there (again), or is gone.
    Service(bool),
}

/// The next thing said; `None` once the connection is closed.
pub(super) async fn hear(signals: &mut MessageStream) -> Option<Heard> {
    loop {
        let message = next(signals).await?.ok()?;
        if let Some(heard) = understand(&message) {
            return Some(heard);
        }
    }
}

fn understand(message: &Message) -> Option<Heard> {
    let header = message.header();
    let body = message.body();
    match header.member()?.as_str() {
        "JobNew" => body.deserialize::<(u32, OwnedObjectPath)>().ok().map(|(id, _)| Heard::JobNew(id)),
        "JobRemoved" => {
            let removed = body.deserialize::<(u32, OwnedObjectPath, String)>().ok();
            removed.map(|(id, _, result)| Heard::JobRemoved(id, result))
        }
        "PropertiesChanged" => {
            type Body = (String, HashMap<String, OwnedVariant>, Vec<String>);
            let (interface, properties, _) = body.deserialize::<Body>().ok()?;
            let path = header.path()?.to_string();
            interface.starts_with(bus::NAME).then(|| Heard::Changed(Object::new(path, interface, properties)))
        }
        "NameOwnerChanged" => {
            let (name, _, owner) = body.deserialize::<(String, String, String)>().ok()?;
            (name == bus::NAME).then_some(Heard::Service(!owner.is_empty()))
        }
        _ => None,
    }
}

/// `vortexctl monitor`.
pub(super) async fn monitor(context: &Context) -> Outcome {
    let mut signals = context.service.signals().await?;
    // The service has to be there to be listened to.
    context.service.object(bus::ROOT, bus::MANAGER).await?;
    while let Some(heard) = hear(&mut signals).await {
        tell(context, &heard)?;
    }
    Err(bus_error(context, "the bus went away"))
}

fn tell(context: &Context, heard: &Heard) -> Result<(), Error> {
    if context.global.json {
        let value = match heard {
            Heard::JobNew(id) => json!({ "event": "job_new", "job": id }),
            Heard::JobRemoved(id, result) => json!({ "event": "job_removed", "job": id, "result": result }),
            Heard::Changed(object) => {
                json!({ "event": "changed", "object": object.path, "properties": object.json() })
            }
            Heard::Service(there) => json!({ "event": if *there { "service_up" } else { "service_gone" } }),
        };
        return context.line(value);
    }
    match heard {
        Heard::JobNew(id) => context.line(format!("job {id}: new")),
        Heard::JobRemoved(id, result) => context.line(format!("job {id}: {}", context.paper.state(result))),
        Heard::Service(true) => context.line("the service is there"),
        Heard::Service(false) => context.line("the service is gone"),
        Heard::Changed(object) => {
            let name = object.path.strip_prefix(bus::ROOT).unwrap_or(&object.path).trim_start_matches('/');
            let name = if name.is_empty() { "manager".to_owned() } else { name.replace('/', " ") };
            let mut parts: Vec<String> = object
                .properties
                .iter()
                .map(|(key, value)| format!("{key}={}", harmless(&values::json(value).to_string())))
                .collect();
            parts.sort();
            context.line(format!("{name}: {}", parts.join(" ")))
        }
    }
}

/// How a job ended, by the exit code of both programs.
pub(super) fn exit_of(result: &str) -> Exit {
    match result {
        "done" => Exit::Done,
        "partial" => Exit::Partly,
        "limited" => Exit::Later,
        "cancelled" => Exit::Interrupted,
        _ => Exit::Failed,
    }
}
