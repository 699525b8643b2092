//! What all connections share: the set-up, the counters, the clocks, the door.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::connection::Connection;
use super::contracts::{Numbers, Quoted};
use super::message::{Answer, Contract, History, SentBar};
use super::pacing::Pacing;
use super::rules::{Action, Kind, Rule};
use super::{Clock, Counts, Options, Seen};

/// Connections that wait for the broker's servers to be reached again.
#[derive(Default)]
pub(super) struct Outage {
    down: bool,
    /// How many outages there were after which everything asked was lost.
    losses: u64,
}

pub(super) struct Shared {
    pub(super) options: Mutex<Options>,
    pub(super) clock: Clock,
    started: Instant,
    /// Seconds by which the pacing clock was set forward.
    pub(super) ahead: Mutex<f64>,
    pub(super) rules: Mutex<Vec<Rule>>,
    pub(super) counts: Mutex<Counts>,
    pub(super) pacing: Mutex<Pacing>,
    pub(super) numbers: Mutex<Numbers>,
    /// Bars of somebody else's, by symbol.
    pub(super) served: Mutex<HashMap<String, Vec<SentBar>>>,
    pub(super) connections: Mutex<Vec<Arc<Connection>>>,
    outage: Mutex<Outage>,
    restored: Condvar,
    door: Mutex<Option<Door>>,
    /// Held while the door is opened or shut; true where that is for ever.
    pub(super) ended: Mutex<bool>,
    pub(super) address: Mutex<SocketAddr>,
}

/// The open door: a thread that accepts.
pub(super) struct Door {
    closing: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

impl Shared {
    /// All that is shared, before the door opens.
    pub(super) fn new(clock: Clock, options: Options) -> Shared {
        Shared {
            address: Mutex::new(SocketAddr::from((Ipv4Addr::LOCALHOST, options.port))),
            options: Mutex::new(options),
            clock,
            started: Instant::now(),
            ahead: Mutex::default(),
            rules: Mutex::default(),
            counts: Mutex::default(),
            pacing: Mutex::default(),
            numbers: Mutex::default(),
            served: Mutex::default(),
            connections: Mutex::default(),
            outage: Mutex::default(),
            restored: Condvar::new(),
            door: Mutex::default(),
            ended: Mutex::default(),
        }
    }

    /// Seconds since the epoch.
    pub(super) fn now(&self) -> i64 {
        match &self.clock {
            Clock::Set(clock) => clock.load(Ordering::SeqCst),
            Clock::System => {
                SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
            }
        }
    }

    /// Seconds of the pacing clock.
    pub(super) fn pace(&self) -> f64 {
        self.started.elapsed().as_secs_f64() * lock(&self.options).speed + *lock(&self.ahead)
    }

    pub(super) fn options(&self) -> Options {
        lock(&self.options).clone()
    }

    /// The actions of the rules that hold for what a client is about to do.
    pub(super) fn actions(&self, kind: Kind, symbol: &str, bar_size: &str) -> Vec<Action> {
        let mut rules = lock(&self.rules);
        let holding = rules.iter_mut().filter_map(|rule| {
            let holds = rule.holds(kind, symbol, bar_size);
            holds.then(|| rule.action.clone())
        });
        holding.collect()
    }

    pub(super) fn resolve(&self, contract: &Contract) -> Vec<Quoted> {
        lock(&self.numbers).resolve(contract, self.now())
    }

    /// Takes note of a request for bars; whether it may be answered.
    pub(super) fn paced(&self, asked: &History) -> bool {
        let at = self.pace();
        let (broken, of_ten_minutes) = lock(&self.pacing).history(asked, at);
        let mut counts = lock(&self.counts);
        counts.history.push(Seen {
            symbol: asked.contract.symbol.clone(),
            bar_size: asked.bar_size.clone(),
            duration: asked.duration.clone(),
            end: asked.end.clone(),
            what_to_show: asked.what_to_show.clone(),
            at,
        });
        counts.ten_minutes_most = counts.ten_minutes_most.max(of_ten_minutes);
        let fine = broken.is_empty();
        counts.violations.extend(broken);
        fine || !lock(&self.options).refuse
    }

    pub(super) fn notice(&self, code: i32, text: &str) {
        let answer = Answer::Error { id: -1, code, text: text.to_owned(), at: self.now() };
        let connections = lock(&self.connections).clone();
        for connection in connections {
            connection.say(&answer);
        }
    }

    pub(super) fn lose_servers(&self) {
        lock(&self.outage).down = true;
        self.notice(1100, "Connectivity between IBKR and Trader Workstation has been lost.");
    }

    pub(super) fn restore_servers(&self, code: i32) {
        let text = match code {
            1101 => "Connectivity between IBKR and Trader Workstation has been restored - data lost.",
            _ => "Connectivity between IBKR and Trader Workstation has been restored - data maintained.",
        };
        {
            let mut outage = lock(&self.outage);
            outage.down = false;
            outage.losses += u64::from(code == 1101);
        }
        self.notice(code, text);
        self.restored.notify_all();
    }

    /// How many losses there were when something was asked.
    pub(super) fn losses(&self) -> u64 {
        lock(&self.outage).losses
    }

    /// Waits while the servers cannot be reached; whether what was asked before is still known.
    pub(super) fn reached(&self, losses: u64) -> bool {
        let outage = lock(&self.outage);
        let outage = self.restored.wait_while(outage, |outage| outage.down).unwrap();
        outage.losses == losses
    }

    pub(super) fn open(self: &Arc<Shared>, ended: &bool) -> io::Result<()> {
        if *ended {
            return Ok(());
        }
        let listener = TcpListener::bind(*lock(&self.address))?;
        *lock(&self.address) = listener.local_addr()?;
        let closing = Arc::new(AtomicBool::new(false));
        let (shared, told) = (Arc::clone(self), Arc::clone(&closing));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if told.load(Ordering::SeqCst) {
                    break;
                }
                if let Ok(stream) = stream {
                    Connection::accept(&shared, stream);
                }
            }
        });
        *lock(&self.door) = Some(Door { closing, thread });
        Ok(())
    }

    pub(super) fn shut(&self, _ended: &bool) {
        let door = lock(&self.door).take();
        if let Some(Door { closing, thread }) = door {
            closing.store(true, Ordering::SeqCst);
            // Wakes the thread that accepts.
            let _ = TcpStream::connect(*lock(&self.address));
            let _ = thread.join();
        }
        let connections = std::mem::take(&mut *lock(&self.connections));
        for connection in connections {
            connection.close();
        }
    }

    /// Goes away, and comes back after a while.
    pub(super) fn restart(self: &Arc<Shared>, away: Duration) {
        let ended = lock(&self.ended);
        self.shut(&ended);
        std::thread::sleep(away);
        // Nobody is there to be told; the clients see that it does not come back.
        let _ = self.open(&ended);
    }
}
