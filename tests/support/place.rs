//! The service on a real `dbus-daemon`.
#![allow(dead_code)] // Each test target uses its own part of this.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use zbus::connection::Builder;
use zbus::{Connection, MatchRule, Message, MessageStream, OwnedObjectPath, OwnedVariant, Variant};

pub(crate) const NAME: &str = "org.vortexdata.Vortex1";
pub(crate) const ROOT: &str = "/org/vortexdata/Vortex1";
pub(crate) const MANAGER: &str = "org.vortexdata.Vortex1.Manager";
/// Longer than anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A home with a bus and a service on it.
pub(crate) struct Place {
    pub(crate) home: tempfile::TempDir,
    pub(crate) bus: Child,
    pub(crate) address: String,
    pub(crate) service: Option<Child>,
    /// What the service tells its manager, line by line.
    pub(crate) notified: Option<Receiver<String>>,
    /// More of the environment of what is started here.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// The service is started where there is no network.
    pub(crate) offline: bool,
}

impl Place {
    /// Starts a bus and the service, and waits until the service says it is ready.
    pub(crate) fn new() -> Place {
        let mut place = Place::with_bus();
        place.environment = vec![("VORTEX_DEFAULT_PROVIDER", "sample".to_owned())];
        place.start(&["--bus", "user"]);
        place
    }

    /// The same with this configuration, which names a provider.
    pub(crate) fn configured(toml: &str) -> Place {
        let mut place = Place::with_bus();
        place.configure(toml);
        place.start(&["--bus", "user"]);
        place
    }

    /// A bus, and no service yet.
    pub(crate) fn with_bus() -> Place {
        let mut bus = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("dbus-daemon is not installed");
        let mut address = String::new();
        BufReader::new(bus.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let home = tempfile::tempdir().unwrap();
        let address = address.trim().to_owned();
        Place { home, bus, address, service: None, notified: None, environment: Vec::new(), offline: false }
    }

    /// Writes the configuration, for its owner alone.
    pub(crate) fn configure(&self, toml: &str) {
        let folder = self.home.path().join(".config/vortex");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("config.toml");
        fs::write(&file, toml).unwrap();
        fs::set_permissions(file, PermissionsExt::from_mode(0o600)).unwrap();
    }

    /// Starts the service and waits for READY=1.
    pub(crate) fn start(&mut self, args: &[&str]) {
        let socket = self.home.path().join("notify");
        let _ = fs::remove_file(&socket);
        self.notified = Some(listen(&socket));
        let log = fs::File::create(self.home.path().join("log")).unwrap();
        let mut service = match self.offline {
            true => self.command("unshare"),
            false => self.command(env!("CARGO_BIN_EXE_vortex")),
        };
        if self.offline {
            service.args(["--net", env!("CARGO_BIN_EXE_vortex")]);
        }
        service.arg("daemon").args(args).env("NOTIFY_SOCKET", &socket).stderr(log);
        self.service = Some(service.spawn().unwrap());
        self.told("READY=1");
    }

    /// Waits until the service tells its manager this.
    pub(crate) fn told(&self, wanted: &str) {
        let lines = self.notified.as_ref().unwrap();
        while lines.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{error}: {}", self.log())) != wanted
        {
        }
    }

    /// Tells the service to stop, and waits for it.
    pub(crate) fn stop(&mut self) {
        let mut service = self.service.take().unwrap();
        let process = nix::unistd::Pid::from_raw(service.id() as i32);
        nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGTERM).unwrap();
        assert!(service.wait().unwrap().success(), "{}", self.log());
    }

    /// Waits for what nothing announces.
    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < PATIENCE, "in vain: {what}: {}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.home.path())
            .env("XDG_RUNTIME_DIR", self.home.path())
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address)
            .env("MALLOC_ARENA_MAX", "1")
            .env("MALLOC_TRIM_THRESHOLD_", "65536")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn ctl(&self, args: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_vortexctl")).args(args).output().unwrap()
    }

    pub(crate) async fn connect(&self) -> Connection {
        Builder::address(self.address.as_str()).build().await.unwrap()
    }

    /// The process of the service.
    pub(crate) fn process(&self) -> u32 {
        self.service.as_ref().unwrap().id()
    }

    /// Memory of its own that the service holds, in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for child in self.service.iter_mut().chain([&mut self.bus]) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Reads what comes to a notify socket as a manager does, at once: the service waits where it is full.
fn listen(socket: &Path) -> Receiver<String> {
    let notify = UnixDatagram::bind(socket).unwrap();
    let (tell, lines) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length) = notify.recv(&mut buffer) {
            let said = std::str::from_utf8(&buffer[..length]).unwrap();
            if said.lines().any(|line| tell.send(line.to_owned()).is_err()) {
                return;
            }
        }
    });
    lines
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

pub(crate) async fn update(
    connection: &Connection,
    options: &HashMap<&str, Variant<'_>>,
) -> zbus::Result<Message> {
    connection.call_method(Some(NAME), ROOT, Some(MANAGER), "Update", options).await
}

/// The next message that a stream brings.
pub(crate) async fn next(stream: &mut MessageStream) -> Message {
    use futures_util::StreamExt;
    tokio::time::timeout(PATIENCE, stream.next()).await.expect("no signal came").unwrap().unwrap()
}

pub(crate) async fn signals(connection: &Connection) -> MessageStream {
    let rule = MatchRule::builder().msg_type(zbus::message::Type::Signal).sender(NAME).build().unwrap();
    MessageStream::for_match_rule(rule, connection, Some(100_000.try_into().unwrap())).await.unwrap()
}

/// That many clients who listen to every signal, each on a connection of its own.
pub(crate) async fn watchers(place: &Place, count: usize) -> Vec<(Connection, MessageStream)> {
    let mut watchers = Vec::new();
    for _ in 0..count {
        let connection = place.connect().await;
        let stream = signals(&connection).await;
        watchers.push((connection, stream));
    }
    watchers
}

/// Waits for the end of a job; its result.
pub(crate) async fn ended(stream: &mut MessageStream, wanted: u32) -> String {
    loop {
        let message = next(stream).await;
        if message.header().member().is_some_and(|member| member.as_str() == "JobRemoved") {
            let (id, _, result): (u32, OwnedObjectPath, String) = message.body().deserialize().unwrap();
            if id == wanted {
                return result;
            }
        }
    }
}

/// Follows one job by signals to its end: new once, its count never back, removed last. How many were done.
pub(crate) async fn follow(stream: &mut MessageStream, job: u32, path: &str) -> u32 {
    let (mut seen, mut new) = (0, false);
    loop {
        let message = next(stream).await;
        let (header, body) = (message.header(), message.body());
        match header.member().unwrap().as_str() {
            "JobNew" => {
                let (id, _): (u32, OwnedObjectPath) = body.deserialize().unwrap();
                assert!(id != job || !new, "new twice");
                new |= id == job;
            }
            "PropertiesChanged" if header.path().unwrap().as_str() == path => {
                type Changed = (String, HashMap<String, OwnedVariant>, Vec<String>);
                let (_, changed, _): Changed = body.deserialize().unwrap();
                if let Some(Variant::U32(done)) = changed.get("SeriesDone").map(|value| &**value) {
                    assert!(new && *done >= seen, "{done} after {seen}");
                    seen = *done;
                }
            }
            "JobRemoved" => {
                let (id, _, result): (u32, OwnedObjectPath, String) = body.deserialize().unwrap();
                if id == job {
                    assert_eq!(result, "done");
                    return seen;
                }
            }
            _ => {}
        }
    }
}
