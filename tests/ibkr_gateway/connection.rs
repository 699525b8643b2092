//! One client: handshake, start, and a thread for each thing asked.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::message::{self, Answer, Asked, History};
use super::rules::{Action, Kind};
use super::shared::{Shared, lock};
use super::{answers, pacing};

/// A client's connection.
pub(super) struct Connection {
    shared: Arc<Shared>,
    stream: TcpStream,
    writer: Mutex<TcpStream>,
    /// 0 until the handshake is over.
    version: AtomicI32,
    /// -1 until it has been said.
    client: AtomicI32,
    /// Requests for bars and heads that have no answer yet.
    open: Mutex<HashSet<i32>>,
}

impl Connection {
    /// Serves a client in a thread of its own.
    pub(super) fn accept(shared: &Arc<Shared>, stream: TcpStream) {
        let (Ok(writer), Ok(reader)) = (stream.try_clone(), stream.try_clone()) else {
            return;
        };
        // Segments end where writes do.
        let _ = stream.set_nodelay(true);
        let connection = Arc::new(Connection {
            shared: Arc::clone(shared),
            stream,
            writer: Mutex::new(writer),
            version: AtomicI32::new(0),
            client: AtomicI32::new(-1),
            open: Mutex::default(),
        });
        lock(&shared.connections).push(Arc::clone(&connection));
        lock(&shared.counts).connections += 1;
        std::thread::spawn(move || {
            // A client that says nonsense, or goes away, is hung up on.
            let _ = connection.serve(reader);
            connection.close();
            lock(&connection.shared.connections).retain(|other| !Arc::ptr_eq(other, &connection));
        });
    }

    pub(super) fn close(&self) {
        // It may be closed already.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    pub(super) fn version(&self) -> i32 {
        self.version.load(Ordering::SeqCst)
    }

    fn serve(self: &Arc<Connection>, mut reader: TcpStream) -> io::Result<()> {
        for action in self.shared.actions(Kind::Connect, "", "") {
            match action {
                Action::HangUp {} => return Ok(()),
                // It is read and never answered.
                Action::Silent {} => return io::copy(&mut reader, &mut io::sink()).map(drop),
                Action::Delay { milliseconds } => std::thread::sleep(Duration::from_millis(milliseconds)),
                _ => {}
            }
        }
        self.handshake(&mut reader)?;
        while let Some(body) = message::read_frame(&mut reader)? {
            let asked = message::decode(self.version(), &body)?;
            if !self.is_slow_enough() || !self.take(asked) {
                // Closed with something unread, the last words would be lost on their way.
                self.stream.shutdown(Shutdown::Write)?;
                return io::copy(&mut reader, &mut io::sink()).map(drop);
            }
        }
        Ok(())
    }

    fn handshake(&self, reader: &mut TcpStream) -> io::Result<()> {
        let mut hello = [0; 4];
        reader.read_exact(&mut hello)?;
        let versions = message::read_frame(reader)?.unwrap_or_default();
        let versions = String::from_utf8_lossy(&versions).into_owned();
        let newest = versions
            .strip_prefix('v')
            .and_then(|range| range.split(' ').next()?.split_once("..")?.1.parse::<i32>().ok())
            .filter(|_| hello == *b"API\0")
            .ok_or_else(|| io::Error::other(format!("{versions:?} is no handshake")))?;
        let options = self.shared.options();
        let version = options.version.min(newest);
        self.version.store(version, Ordering::SeqCst);
        self.write(&message::frame(&message::hello_back(version, self.shared.now(), &options.host_zone)))
    }

    /// Whether the client keeps to the rate of messages; who does not for long is hung up on.
    fn is_slow_enough(&self) -> bool {
        let at = self.shared.pace();
        let (too_many, count) = lock(&self.shared.pacing).message(at);
        {
            let mut counts = lock(&self.shared.counts);
            counts.messages_most = counts.messages_most.max(count);
            if too_many {
                counts.violations.push(super::Violation::Messages);
            }
        }
        if too_many && lock(&self.shared.options).refuse {
            let text = format!("Max rate of messages per second has been exceeded:max=50 rec={count} (1)");
            self.error(-1, 100, &text);
            return false;
        }
        true
    }

    /// Answers what is asked; `false` ends the connection.
    fn take(self: &Arc<Connection>, asked: Asked) -> bool {
        match asked {
            Asked::Start { client } => return self.start(client),
            Asked::Details { id, contract } => {
                lock(&self.shared.counts).details += 1;
                let actions = self.shared.actions(Kind::Details, &contract.symbol, "");
                self.answer(id, actions, move |connection, _| {
                    answers::details(&connection.shared, id, &contract)
                });
            }
            Asked::History { id, history } => self.history(id, history),
            Asked::Head { id, history } => {
                lock(&self.shared.counts).heads += 1;
                let actions = self.shared.actions(Kind::Head, &history.contract.symbol, "");
                self.hold(id);
                self.answer(id, actions, move |connection, actions| {
                    answers::head(&connection.shared, id, &history, actions)
                });
            }
            Asked::CancelHistory { id } => {
                lock(&self.shared.counts).cancels += 1;
                let text = format!("API historical data query cancelled: {id}");
                match self.release(id) {
                    true => self.say(&answers::service(&self.shared, id, &text)),
                    false => {
                        self.error(id, 366, &format!("No historical data query found for ticker id:{id}"))
                    }
                }
            }
            // It is often cancelled when it was answered; nobody is told.
            Asked::CancelHead { id } => drop(self.release(id)),
            Asked::Time => self.say(&Answer::Time(self.shared.now())),
            Asked::Positions => self.say(&Answer::PositionsEnd),
            Asked::Other { number } => {
                lock(&self.shared.counts).others.push(number);
                if lock(&self.shared.options).read_only {
                    let cause = "The API interface is currently in Read-Only mode.";
                    self.error(-1, 321, &format!("Error validating request.-'cg' : cause - {cause}"));
                }
            }
        }
        true
    }

    fn start(&self, client: i32) -> bool {
        let options = self.shared.options();
        let actions = self.shared.actions(Kind::Start, "", "");
        let others = lock(&self.shared.connections).clone();
        let taken = options.taken.contains(&client)
            || actions.contains(&Action::IdInUse {})
            || others.iter().any(|other| other.client.load(Ordering::SeqCst) == client);
        if taken {
            self.error(
                -1,
                326,
                "Unable to connect as the client id is already in use. Retry with a unique client id.",
            );
            return false;
        }
        if actions.contains(&Action::HangUp {}) {
            return false;
        }
        if !options.logged_in {
            self.error(-1, 2110, "Connectivity between Trader Workstation and server is broken. It will be restored automatically.");
            return true;
        }
        self.client.store(client, Ordering::SeqCst);
        lock(&self.shared.counts).clients.push(client);
        self.say(&Answer::Accounts(options.accounts));
        self.say(&Answer::NextId(1));
        self.error(-1, 2104, "Market data farm connection is OK:usfarm");
        self.error(-1, 2106, "HMDS data farm connection is OK:ushmds");
        self.error(-1, 2158, "Sec-def data farm connection is OK:secdefnj");
        true
    }

    fn history(self: &Arc<Connection>, id: i32, history: History) {
        let may = self.shared.paced(&history);
        let actions = self.shared.actions(Kind::History, &history.contract.symbol, &history.bar_size);
        let open = self.hold(id);
        if open > pacing::OPEN {
            lock(&self.shared.counts).violations.push(super::Violation::Open);
        }
        if !may || open > pacing::OPEN && lock(&self.shared.options).refuse {
            self.release(id);
            self.say(&answers::service(&self.shared, id, "Historical data request pacing violation"));
            return;
        }
        self.answer(id, actions, move |connection, actions| {
            answers::history(&connection.shared, id, &history, actions, connection.version())
        });
    }

    /// Takes note of an open request; how many there are then, of all clients.
    fn hold(&self, id: i32) -> usize {
        lock(&self.open).insert(id);
        let connections = lock(&self.shared.connections).clone();
        let open = connections.iter().map(|other| lock(&other.open).len()).sum();
        let mut counts = lock(&self.shared.counts);
        counts.open_most = counts.open_most.max(open);
        open
    }

    /// Whether the request was open.
    fn release(&self, id: i32) -> bool {
        lock(&self.open).remove(&id)
    }

    /// Answers in a thread of its own, as the rules want it.
    fn answer(
        self: &Arc<Connection>,
        id: i32,
        actions: Vec<Action>,
        make: impl FnOnce(&Connection, &[Action]) -> Vec<Answer> + Send + 'static,
    ) {
        let connection = Arc::clone(self);
        let held = lock(&self.open).contains(&id);
        let losses = self.shared.losses();
        std::thread::spawn(move || {
            if !connection.is_answered(id, &actions) || !connection.shared.reached(losses) {
                return;
            }
            let answers = match error_of(&actions) {
                Some((code, text)) => {
                    let at = connection.shared.now();
                    vec![Answer::Error { id, code, text: text.to_owned(), at }]
                }
                None => make(&connection, &actions),
            };
            // A request that was cancelled in the meantime has had its answer. Its number is free as soon
            // as the client has seen the end.
            let open = match actions.contains(&Action::NoEnd {}) {
                true => lock(&connection.open).contains(&id),
                false => connection.release(id),
            };
            if open || !held {
                connection.send(&answers, &actions);
            }
        });
    }

    /// What the rules do before an answer; whether there is one.
    fn is_answered(&self, id: i32, actions: &[Action]) -> bool {
        for action in actions {
            match action {
                Action::Delay { milliseconds } => std::thread::sleep(Duration::from_millis(*milliseconds)),
                Action::NoticeBefore { code, text } => self.error(id, *code, text),
                Action::Silent {} => return false,
                Action::HangUp {} => {
                    self.close();
                    return false;
                }
                Action::Outage { milliseconds, code } => {
                    self.shared.lose_servers();
                    std::thread::sleep(Duration::from_millis(*milliseconds));
                    self.shared.restore_servers(*code);
                }
                Action::Restart { milliseconds } => {
                    self.shared.restart(Duration::from_millis(*milliseconds));
                    return false;
                }
                _ => {}
            }
        }
        true
    }

    /// Sends an answer as the rules want it.
    fn send(&self, answers: &[Answer], actions: &[Action]) {
        let version = self.version();
        let mut frames: Vec<Vec<u8>> = Vec::new();
        for answer in answers {
            if let Answer::HistoryEnd { .. } = answer {
                for action in actions {
                    if let Action::NoticeBetween { code, text } = action {
                        let notice =
                            Answer::Error { id: -1, code: *code, text: text.clone(), at: self.shared.now() };
                        frames.extend(message::encode(version, &notice));
                    }
                }
                if actions.contains(&Action::NoEnd {}) {
                    break;
                }
            }
            frames.extend(message::encode(version, answer));
        }
        for action in actions {
            match action {
                Action::CloseAfter { bytes } => {
                    let mut all = frames.concat();
                    all.truncate(*bytes);
                    let _ = self.write(&all);
                    self.close();
                    return;
                }
                Action::Split { bytes } => {
                    frames = frames.concat().chunks(*bytes).map(<[u8]>::to_vec).collect();
                }
                Action::Together {} => frames = vec![frames.concat()],
                _ => {}
            }
        }
        let mut writer = lock(&self.writer);
        for frame in frames {
            if writer.write_all(&frame).is_err() {
                return;
            }
            std::thread::yield_now();
        }
    }

    /// Says something, once the handshake is over. A client that is gone hears nothing.
    pub(super) fn say(&self, answer: &Answer) {
        if self.version() == 0 {
            return;
        }
        if let Some(frame) = message::encode(self.version(), answer) {
            let _ = self.write(&frame);
        }
    }

    fn error(&self, id: i32, code: i32, text: &str) {
        self.say(&Answer::Error { id, code, text: text.to_owned(), at: self.shared.now() });
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        lock(&self.writer).write_all(bytes)
    }
}

fn error_of(actions: &[Action]) -> Option<(i32, &str)> {
    actions.iter().find_map(|action| match action {
        Action::Error { code, text } => Some((*code, text.as_str())),
        _ => None,
    })
}
