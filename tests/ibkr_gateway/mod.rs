//! A gateway that plays TWS and IB Gateway: the sample market in the broker's shapes, limits and
//! errors, with a clock that a test sets, limits it keeps itself, counters, and rules by which it
//! misbehaves.
//!
//! Tests say `mod ibkr_gateway;` and start one with [`Gateway::start`]; what it takes for true is
//! [`Gateway::truth`]. `cargo run --example ibkr-gateway -- --help` runs it by hand. Its messages are
//! its own, not those of the client library, and other people's clients judge it (`ibkr_judges.rs`).
#![allow(dead_code)] // Each test target uses its own part of this.

mod answers;
mod by_proto;
mod by_text;
mod connection;
pub(crate) mod contracts;
pub(crate) mod history;
pub(crate) mod message;
mod pacing;
pub(crate) mod proto;
pub(crate) mod rules;
mod shared;
pub(crate) mod stamps;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde::Serialize;
use vortex::model::Days;

use contracts::Quoted;
use history::{Show, Size, TrueBar};
use message::{Contract, SentBar};
#[allow(unused_imports)] // As above.
pub(crate) use pacing::Violation;
#[allow(unused_imports)] // As above.
pub(crate) use rules::{Action, Kind, Rule};
use shared::{Shared, lock};
use stamps::Zone;

/// What the gateway takes the time to be.
#[derive(Clone)]
pub(crate) enum Clock {
    /// Seconds since the epoch, as somebody sets them.
    Set(Arc<AtomicI64>),
    /// This machine's clock.
    System,
}

/// How a gateway is set up.
#[derive(Clone)]
pub(crate) struct Options {
    /// The port; 0 takes a free one.
    pub(crate) port: u16,
    /// Its server version: 157 to 200 speaks text, from 213 on protobuf. A client that knows less gets
    /// the newest version it knows.
    pub(crate) version: i32,
    /// The accounts; those of paper trading begin with `DU`.
    pub(crate) accounts: String,
    /// The name of the host's time zone in the handshake.
    pub(crate) host_zone: String,
    /// How the ends of an answer are written.
    pub(crate) end_zone: Zone,
    /// What errors of the history service begin with, by the language of the program.
    pub(crate) prefix: String,
    /// Whether somebody is logged in at the broker.
    pub(crate) logged_in: bool,
    /// Whether it takes no orders.
    pub(crate) read_only: bool,
    /// Client ids that somebody else uses.
    pub(crate) taken: Vec<i32>,
    /// How many seconds of the limits a second is.
    pub(crate) speed: f64,
    /// Whether requests over a limit are refused; they are counted in any case.
    pub(crate) refuse: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            port: 0,
            version: 222,
            accounts: "DU0000001".to_owned(),
            host_zone: "US/Eastern".to_owned(),
            end_zone: Zone::Instrument,
            prefix: "Historical Market Data Service error message".to_owned(),
            logged_in: true,
            read_only: true,
            taken: Vec::new(),
            speed: 1.0,
            refuse: true,
        }
    }
}

/// What has been asked of the gateway.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Counts {
    /// Connections that were accepted.
    pub(crate) connections: u64,
    /// Client ids that were let in, in their order.
    pub(crate) clients: Vec<i32>,
    /// Requests for contract details.
    pub(crate) details: u64,
    /// Requests for the first instant with data.
    pub(crate) heads: u64,
    /// Requests for bars or a schedule, in their order.
    pub(crate) history: Vec<Seen>,
    /// Cancellations of such requests.
    pub(crate) cancels: u64,
    /// Messages that this gateway knows nothing of, by number.
    pub(crate) others: Vec<i32>,
    /// Each limit that was broken.
    pub(crate) violations: Vec<Violation>,
    /// The most requests for bars in ten minutes; those for bid and ask count twice.
    pub(crate) ten_minutes_most: u32,
    /// The most requests open at once.
    pub(crate) open_most: usize,
    /// The most messages in a second.
    pub(crate) messages_most: usize,
    /// Bars that were sent, and the most in one answer.
    pub(crate) bars: usize,
    pub(crate) bars_most: usize,
}

/// A request for bars.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Seen {
    pub(crate) symbol: String,
    pub(crate) bar_size: String,
    pub(crate) duration: String,
    pub(crate) end: String,
    pub(crate) what_to_show: String,
    /// Seconds of the pacing clock.
    pub(crate) at: f64,
}

/// A running gateway; it stops when dropped.
pub(crate) struct Gateway(Arc<Shared>);

impl Gateway {
    /// Starts one on a free port of the loopback address, with the clock at an instant in seconds
    /// since the epoch.
    pub(crate) fn start(now: i64) -> Gateway {
        Gateway::with(now, Options::default())
    }

    /// Starts one that is set up in some way.
    pub(crate) fn with(now: i64, options: Options) -> Gateway {
        Gateway::listen(Clock::Set(Arc::new(AtomicI64::new(now))), options).unwrap()
    }

    /// Starts one by a clock.
    pub(crate) fn listen(clock: Clock, options: Options) -> io::Result<Gateway> {
        let shared = Arc::new(Shared::new(clock, options));
        shared.open(&lock(&shared.ended))?;
        Ok(Gateway(shared))
    }

    /// The port it listens on.
    pub(crate) fn port(&self) -> u16 {
        lock(&self.0.address).port()
    }

    /// Sets the clock.
    pub(crate) fn set_now(&self, now: i64) {
        if let Clock::Set(clock) = &self.0.clock {
            clock.store(now, Ordering::SeqCst);
        }
    }

    /// Sets the clock of the limits forward.
    pub(crate) fn advance(&self, seconds: f64) {
        *lock(&self.0.ahead) += seconds;
    }

    /// Changes how it is set up, for what comes.
    pub(crate) fn configure(&self, change: impl FnOnce(&mut Options)) {
        change(&mut lock(&self.0.options));
    }

    /// Adds a rule.
    pub(crate) fn rule(&self, rule: Rule) {
        lock(&self.0.rules).push(rule);
    }

    /// Forgets all rules.
    pub(crate) fn clear_rules(&self) {
        lock(&self.0.rules).clear();
    }

    /// What has been asked so far.
    pub(crate) fn counts(&self) -> Counts {
        lock(&self.0.counts).clone()
    }

    /// Counts from nothing again.
    pub(crate) fn reset_counts(&self) {
        *lock(&self.0.counts) = Counts::default();
    }

    /// Serves these bars of a symbol instead of the market's, whatever is asked of it.
    pub(crate) fn serve(&self, symbol: &str, bars: Vec<SentBar>) {
        lock(&self.0.served).insert(symbol.to_owned(), bars);
    }

    /// Gives the contracts of a symbol other numbers, as after a reorganisation; the old ones are not known any more.
    pub(crate) fn renumber(&self, symbol: &str) {
        lock(&self.0.numbers).renumber(symbol);
    }

    /// What a contract means; more than one where it is ambiguous.
    pub(crate) fn resolve(&self, contract: &Contract) -> Vec<Quoted> {
        self.0.resolve(contract)
    }

    /// The bars of a contract over trading dates that are over by the gateway's clock.
    pub(crate) fn truth(&self, contract: &Contract, bar_size: &str, show: &str, days: Days) -> Vec<TrueBar> {
        let quoted = self.resolve(contract);
        let [quoted] = &quoted[..] else {
            panic!("{contract:?} is {} contracts", quoted.len());
        };
        let (size, show) = (Size::named(bar_size).unwrap(), Show::named(show).unwrap());
        history::truth(&quoted.listing, size, show, days, self.0.now())
    }

    /// Says something to every client.
    pub(crate) fn notice(&self, code: i32, text: &str) {
        self.0.notice(code, text);
    }

    /// The broker's servers cannot be reached: 1100. Requests wait.
    pub(crate) fn lose_servers(&self) {
        self.0.lose_servers();
    }

    /// They can be reached again: 1101, and everything asked is lost, or 1102, and it is answered.
    pub(crate) fn restore_servers(&self, code: i32) {
        self.0.restore_servers(code);
    }

    /// Goes away with all connections: from now on they are refused.
    pub(crate) fn shut(&self) {
        self.0.shut(&lock(&self.0.ended));
    }

    /// Comes back on the same port.
    pub(crate) fn open(&self) {
        self.0.open(&lock(&self.0.ended)).unwrap();
    }

    /// Waits until the gateway ends, which is for ever.
    pub(crate) fn wait(&self) {
        loop {
            std::thread::park();
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let mut ended = lock(&self.0.ended);
        *ended = true;
        self.0.shut(&ended);
    }
}
