//! The service as its client sees it: found, called, listened to.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::Uid;
use zbus::connection::Builder;
use zbus::message::{Flags, Type};
use zbus::{Connection, MatchRule, Message, MessageStream, OwnedObjectPath, OwnedVariant};

use super::args::Global;
use super::error::{Error, of_bus};
use super::values::Object;
use crate::bus::{self, address};
use crate::exit::Exit;

/// What a service that is alive may take for an answer: the usual limit of D-Bus.
const PATIENCE: Duration = Duration::from_secs(25);
/// A service that does not answer for this long when it is asked whether it is there hangs; health checks give up
/// after 5 s.
const PING_PATIENCE: Duration = Duration::from_secs(3);
/// An answer that takes longer makes us ask whether somebody is there.
const QUICK: Duration = Duration::from_secs(1);
/// The same where a person may be asked for a password meanwhile.
const PERSONS_PATIENCE: Duration = Duration::from_secs(300);
/// Signals that may wait to be read while a call waits for its answer, which comes behind them.
const MOST_QUEUED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);

/// A connection on which the service can be called.
pub(super) struct Service {
    connection: Connection,
    /// It is the system bus.
    pub(super) system: bool,
    /// There is no bus between.
    pub(super) private: bool,
}

/// Whether a call may start a service that does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Allowed,
    No,
}

impl Service {
    /// Finds the service: where it is asked for, else `$VORTEX_BUS_ADDRESS`, the session bus, the private
    /// socket, and for root at last the system bus.
    pub(super) async fn find(global: &Global) -> Result<Service, Error> {
        if global.system {
            return Service::on_bus(true).await;
        }
        if global.user {
            return Service::on_bus(false).await;
        }
        let named = global.address.clone().or_else(|| std::env::var(address::VARIABLE).ok());
        if let Some(address) = named.filter(|named| !named.is_empty()) {
            return Service::at(&address).await;
        }
        let mut last = Error::no_service(false);
        if std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some() || runtime_bus() {
            match Service::on_bus(false).await {
                Ok(service) if service.is_there().await => return Ok(service),
                Ok(service) if !private_socket_answers() => return Ok(service),
                Ok(_) => {}
                Err(error) => last = error,
            }
        }
        for socket in address::private_sockets(|name| std::env::var_os(name), Uid::effective().as_raw()) {
            if !is_own(&socket) {
                continue;
            }
            match Service::at(&address::of_socket(&socket)).await {
                Ok(service) => return Ok(service),
                // Who hangs is who was looked for.
                Err(error) if error.exit == Exit::Failed => return Err(error),
                Err(_) => {}
            }
        }
        if Uid::effective().is_root()
            && let Ok(service) = Service::on_bus(true).await
        {
            return Ok(service);
        }
        Err(last)
    }

    async fn on_bus(system: bool) -> Result<Service, Error> {
        let builder = if system { Builder::system() } else { Builder::session() };
        let which = if system { "system" } else { "session" };
        let connection = builder.max_queued(MOST_QUEUED).build().await.map_err(|error| {
            Error::new(Exit::NoService, format!("the {which} bus cannot be reached: {error}"))
        })?;
        Ok(Service { connection, system, private: false })
    }

    async fn at(address: &str) -> Result<Service, Error> {
        let no_service = |said: &dyn std::fmt::Display| {
            Error::new(Exit::NoService, format!("no service answers at {address}: {said}"))
        };
        let connecting = Builder::address(address).p2p().max_queued(MOST_QUEUED).build();
        let Ok(connected) = tokio::time::timeout(PING_PATIENCE, connecting).await else {
            return Err(Error::no_answer(listener(address).await, PING_PATIENCE));
        };
        let connection = connected.map_err(|error| no_service(&error))?;
        Ok(Service { connection, system: false, private: true })
    }

    async fn is_there(&self) -> bool {
        let has = self.ask_bus("NameHasOwner", bus::NAME).await;
        has.is_ok_and(|reply| reply.body().deserialize().unwrap_or(false))
    }

    /// Asks the bus itself.
    async fn ask_bus(&self, method: &str, argument: &str) -> zbus::Result<Message> {
        let (bus, path) = ("org.freedesktop.DBus", "/org/freedesktop/DBus");
        self.connection.call_method(Some(bus), path, Some(bus), method, &argument).await
    }

    /// Calls a method, and gives its answer.
    pub(super) async fn call<B>(
        &self,
        start: Start,
        (path, interface, method): (&str, &str, &str),
        body: &B,
    ) -> Result<Message, Error>
    where
        B: serde::Serialize + zbus::DynamicType,
    {
        let mut call = Message::method_call(path, method).interface(interface);
        if !self.private {
            call = call.destination(bus::NAME);
        }
        if start == Start::No {
            call = call.with_flags(Flags::NO_AUTO_START);
        }
        if self.is_interactive() {
            call = call.with_flags(Flags::ALLOW_INTERACTIVE_AUTH);
        }
        // What follows is the same for all kinds of bodies, and stands in the program once.
        self.exchange(call.build(body), method == "Ping").await
    }

    /// Whether a person may be asked for a password.
    fn is_interactive(&self) -> bool {
        self.system && std::io::stdin().is_terminal()
    }

    async fn exchange(&self, call: zbus::Result<Message>, ping: bool) -> Result<Message, Error> {
        let call = call.map_err(|error| of_bus(error, self.system))?;
        let patience = match () {
            () if ping => PING_PATIENCE,
            () if self.is_interactive() => PERSONS_PATIENCE,
            () => PATIENCE,
        };
        let answer = self.answer(&call);
        tokio::pin!(answer);
        let answer = match tokio::time::timeout(QUICK, &mut answer).await {
            Err(_) if !ping && !self.is_alive().await => Err(PING_PATIENCE),
            Err(_) => tokio::time::timeout(patience, &mut answer).await.map_err(|_| patience),
            Ok(answer) => Ok(answer),
        };
        match answer {
            Ok(answer) => answer.map_err(|error| of_bus(error, self.system)),
            Err(patience) => Err(Error::no_answer(self.process().await, patience)),
        }
    }

    /// Whether the service, or in its place the bus, answers to anything. One that is starting is not there yet.
    async fn is_alive(&self) -> bool {
        let mut ping = Message::method_call(bus::ROOT, "Ping")
            .interface("org.freedesktop.DBus.Peer")
            .with_flags(Flags::NO_AUTO_START);
        if !self.private {
            ping = ping.destination(bus::NAME);
        }
        let Ok(ping) = ping.build(&()) else { return true };
        tokio::time::timeout(PING_PATIENCE, self.answer(&ping)).await.is_ok()
    }

    /// The service's process, which the bus knows.
    async fn process(&self) -> Option<u32> {
        if self.private {
            return None;
        }
        let asked = self.ask_bus("GetConnectionUnixProcessID", bus::NAME);
        let reply = tokio::time::timeout(PING_PATIENCE, asked).await.ok()?.ok()?;
        reply.body().deserialize().ok()
    }

    /// Sends a call and waits for its answer.
    async fn answer(&self, call: &Message) -> zbus::Result<Message> {
        let serial = call.primary_header().serial_num();
        let mut answers = MessageStream::from(&self.connection);
        self.connection.send(call).await?;
        while let Some(message) = next(&mut answers).await {
            let message = message?;
            if message.header().reply_serial() == Some(serial) {
                return match message.message_type() {
                    Type::Error => Err(message.into()),
                    _ => Ok(message),
                };
            }
        }
        Err(zbus::Error::InputOutput(Arc::new(std::io::ErrorKind::BrokenPipe.into())))
    }

    /// A manager's method without arguments or answer.
    pub(super) async fn order(&self, start: Start, method: &str) -> Result<(), Error> {
        self.call(start, (bus::ROOT, bus::MANAGER, method), &()).await.map(drop)
    }

    /// All objects with all properties, in one call.
    pub(super) async fn objects(&self) -> Result<Vec<Object>, Error> {
        let manager = "org.freedesktop.DBus.ObjectManager";
        let reply = self.call(Start::No, (bus::ROOT, manager, "GetManagedObjects"), &()).await?;
        type All = HashMap<OwnedObjectPath, HashMap<String, HashMap<String, OwnedVariant>>>;
        let body = reply.body();
        let all: All = body.deserialize().map_err(|error| of_bus(error, self.system))?;
        let mut objects = Vec::new();
        for (path, interfaces) in all {
            for (interface, properties) in interfaces {
                if [bus::JOB, bus::PROVIDER, bus::MANAGER].contains(&interface.as_str()) {
                    objects.push(Object::new(path.to_string(), interface, properties));
                }
            }
        }
        objects.push(self.object(bus::ROOT, bus::MANAGER).await?);
        Ok(objects)
    }

    /// One object with all properties of an interface.
    pub(super) async fn object(&self, path: &str, interface: &str) -> Result<Object, Error> {
        let properties = "org.freedesktop.DBus.Properties";
        let reply = self.call(Start::No, (path, properties, "GetAll"), &interface).await?;
        let body = reply.body();
        let properties = body.deserialize().map_err(|error| of_bus(error, self.system))?;
        Ok(Object::new(path.to_owned(), interface.to_owned(), properties))
    }

    /// The signals of the service, and of the bus about its name.
    pub(super) async fn signals(&self) -> Result<MessageStream, Error> {
        let listen = async {
            if !self.private {
                let ours = MatchRule::builder().msg_type(Type::Signal).sender(bus::NAME).build()?;
                let name = MatchRule::builder()
                    .msg_type(Type::Signal)
                    .sender("org.freedesktop.DBus")
                    .member("NameOwnerChanged")
                    .add_arg(bus::NAME)
                    .build()?;
                for rule in [ours, name] {
                    self.ask_bus("AddMatch", &rule.to_string()).await?;
                }
            }
            Ok(MessageStream::from(&self.connection))
        };
        listen.await.map_err(|error| of_bus(error, self.system))
    }

    /// What a service that does not run told systemd last, where it cannot start: it waits for room on its disk,
    /// or has failed.
    pub(super) async fn last_words(&self) -> Option<String> {
        if self.private {
            return None;
        }
        let unit = "/org/freedesktop/systemd1/unit/vortex_2eservice";
        let text = async |interface: &str, name: &str| {
            let (systemd, properties) = ("org.freedesktop.systemd1", "org.freedesktop.DBus.Properties");
            let asked =
                self.connection.call_method(Some(systemd), unit, Some(properties), "GetAll", &interface);
            let properties = asked.await.ok()?.body().deserialize().ok()?;
            Some(Object::new(unit.to_owned(), interface.to_owned(), properties).text(name).to_owned())
        };
        let state = text("org.freedesktop.systemd1.Unit", "ActiveState").await?;
        if !["activating", "failed"].contains(&state.as_str()) {
            return None;
        }
        text("org.freedesktop.systemd1.Service", "StatusText").await.filter(|words| !words.is_empty())
    }

    /// Another service on the same bus is called, without an answer.
    pub(super) async fn call_other(&self, name: &str, path: &str, method: &str) -> zbus::Result<Message> {
        let interface = format!("{name}.Manager");
        self.connection.call_method(Some(name), path, Some(interface.as_str()), method, &()).await
    }
}

/// The next message; `None` once the connection is closed.
pub(super) async fn next(stream: &mut MessageStream) -> Option<zbus::Result<Message>> {
    use futures_core::Stream;
    std::future::poll_fn(|context| std::pin::Pin::new(&mut *stream).poll_next(context)).await
}

/// Whether `$XDG_RUNTIME_DIR` has a bus, which serves where no address is set.
fn runtime_bus() -> bool {
    std::env::var_os("XDG_RUNTIME_DIR").is_some_and(|folder| Path::new(&folder).join("bus").exists())
}

fn private_socket_answers() -> bool {
    let sockets = address::private_sockets(|name| std::env::var_os(name), Uid::effective().as_raw());
    sockets.iter().any(|socket| is_own(socket) && std::os::unix::net::UnixStream::connect(socket).is_ok())
}

/// The process that listens at the address of a socket, also where it does not answer.
async fn listener(address: &str) -> Option<u32> {
    let path = address.strip_prefix("unix:path=")?;
    let socket = tokio::net::UnixStream::connect(path).await.ok()?;
    u32::try_from(socket.peer_cred().ok()?.pid()?).ok()
}

/// A socket in a folder of somebody else is not trusted.
fn is_own(socket: &Path) -> bool {
    let owner = |path: &Path| std::fs::symlink_metadata(path).map(|about| about.uid()).ok();
    socket.parent().and_then(owner) == Some(Uid::effective().as_raw())
}
