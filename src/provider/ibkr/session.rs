//! The connection to the gateway: made when it is first needed, with the next client id where one is taken,
//! made again when it is lost, and waited for while the gateway is without the broker.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::NAME;
use super::api::{Asking, Fault, Gateway, Link};
use super::tws::{Tws, Unconnected};
use crate::config::IbkrSettings;
use crate::model::day::instant;
use crate::provider::limits::Throttle;
use crate::provider::{Clock, Refusal};

/// How many client ids are tried; a gateway serves 32 clients.
const CLIENT_IDS: u16 = 32;
/// How long a job waits for a gateway that restarts, or for its way to the broker: the nightly restart takes
/// minutes, the broker's own up to three quarters of an hour.
pub(super) const PATIENCE: Duration = Duration::from_secs(50 * 60);
/// The first pause between attempts to connect again, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long the gateway may take to tell its clock.
const CLOCK_PATIENCE: Duration = Duration::from_secs(3);
/// How long a port takes to say whether anybody listens there.
const KNOCK: Duration = Duration::from_millis(500);
/// The ports of TWS and of the gateway, live and paper, in words.
const PORTS: [(u16, &str); 4] = [
    (7496, "TWS, live account"),
    (7497, "TWS, paper account"),
    (4001, "IB Gateway, live account"),
    (4002, "IB Gateway, paper account"),
];

/// The gateway waits for its own connection to the broker.
pub(super) const WITHOUT_BROKER: &str = "the gateway has no connection to Interactive Brokers (1100): it makes it again by itself; look at it if that takes longer than a quarter of an hour";

/// One connection after the other.
pub(super) struct Session {
    settings: IbkrSettings,
    throttle: Throttle,
    /// How long a gateway that is lost, or without the broker, is waited for.
    waits: Duration,
    trouble: std::sync::Mutex<Trouble>,
    /// What is waited for, in words, for who watches.
    waiting: watch::Sender<Option<String>>,
    /// Questions that were answered.
    answers: AtomicU64,
    current: Mutex<Option<Arc<dyn Gateway>>>,
    /// There was a connection: one that is lost is worth waiting for.
    connected: AtomicBool,
    now: Clock,
    /// By how many seconds the gateway's clock is ahead of this machine's.
    ahead: AtomicI64,
}

/// What goes on since the last answer. A connection that is made and lost again is no end of it.
#[derive(Debug, Default)]
struct Trouble {
    since: Option<Instant>,
    pause: Option<Duration>,
    told: bool,
}

impl Trouble {
    /// When it began; now where there was none.
    fn since(&mut self, now: Instant) -> Instant {
        *self.since.get_or_insert(now)
    }

    /// The pause before the next attempt, longer each time.
    fn next_pause(&mut self) -> Duration {
        let pause = self.pause.map_or(FIRST_PAUSE, |last| (last * 2).min(LONGEST_PAUSE));
        self.pause = Some(pause);
        pause
    }
}

impl Session {
    /// The session of a gateway that is waited for so long when it is lost.
    pub(super) fn new(settings: &IbkrSettings, throttle: Throttle, now: Clock, waits: Duration) -> Session {
        Session {
            settings: settings.clone(),
            throttle,
            waits,
            trouble: std::sync::Mutex::default(),
            waiting: watch::Sender::new(None),
            answers: AtomicU64::new(0),
            current: Mutex::default(),
            connected: AtomicBool::new(false),
            now,
            ahead: AtomicI64::new(0),
        }
    }

    /// The gateway's clock, in seconds since the epoch; this machine's before it told.
    pub(super) fn clock(&self) -> i64 {
        (self.now)() + self.ahead.load(Ordering::Relaxed)
    }

    /// Compares the gateway's clock with this machine's; without an answer they are taken to agree.
    async fn compare_clocks(&self, gateway: &Arc<dyn Gateway>) {
        if let Ok(Ok(told)) = timeout(CLOCK_PATIENCE, Arc::clone(gateway).clock()).await {
            self.ahead.store(told - (self.now)(), Ordering::Relaxed);
        }
    }

    /// How long an answer may take.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(u64::from(self.settings.timeout))
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many questions were answered so far.
    pub(super) fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// A question was answered: the trouble, if there was any, is over.
    pub(super) fn answered(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
        if std::mem::take(&mut *self.trouble()).told {
            self.waiting.send_replace(None);
            tracing::info!("the gateway answers again");
        }
    }

    /// Until when the trouble there is, or that begins now, is waited out.
    fn waits_until(&self) -> Instant {
        self.trouble().since(Instant::now()) + self.waits
    }

    /// What is waited for, as that changes.
    pub(super) fn waits(&self) -> watch::Receiver<Option<String>> {
        self.waiting.subscribe()
    }

    /// Tells what the trouble is and until when it is waited out: whoever watches as it changes, log and ledger once.
    fn tell(&self, what: &str) {
        let IbkrSettings { host, port, .. } = &self.settings;
        let left = self.waits_until().saturating_duration_since(Instant::now());
        let until = instant((self.now)() + left.as_secs() as i64);
        let said = format!("waiting for the gateway at {host}:{port} until {until}: {what}");
        let new = !std::mem::replace(&mut self.trouble().told, true);
        self.waiting.send_replace(Some(said.clone()));
        if new {
            tracing::warn!("{said}");
            // Where whoever looks at the provider sees it.
            self.throttle.failed(NAME, &said);
        }
    }

    /// The pause before the next attempt; an error where it is waited no longer, with why the last one failed.
    async fn pause(&self, refusal: Refusal) -> Result<(), Refusal> {
        if Instant::now() >= self.waits_until() {
            return Err(refusal);
        }
        self.tell(&refusal.to_string());
        let pause = self.trouble().next_pause();
        sleep(pause).await;
        Ok(())
    }

    /// Whether the gateway is connected to us and to the broker now.
    pub(super) async fn is_up(&self) -> bool {
        let current = self.current.lock().await;
        current.as_ref().is_some_and(|gateway| matches!(*gateway.link().borrow(), Link::Up { .. }))
    }

    /// A gateway that is connected to us and to the broker.
    pub(super) async fn gateway(&self) -> Result<Arc<dyn Gateway>, Refusal> {
        loop {
            let gateway = self.connection().await?;
            let mut link = gateway.link();
            let state = *link.borrow_and_update();
            match state {
                Link::Up { .. } => return Ok(gateway),
                Link::Closed => {}
                Link::Down { .. } => {
                    let until = self.waits_until();
                    if Instant::now() >= until {
                        return Err(unavailable(WITHOUT_BROKER.to_owned()));
                    }
                    self.tell(WITHOUT_BROKER);
                    tokio::select! { _ = link.changed() => {} () = sleep_until(until) => {} }
                }
            }
        }
    }

    /// Has this gateway in place of one that it connects to.
    #[cfg(test)]
    pub(super) async fn put(&self, gateway: Arc<dyn Gateway>) {
        *self.current.lock().await = Some(gateway);
    }

    /// The connection there is, else a new one.
    async fn connection(&self) -> Result<Arc<dyn Gateway>, Refusal> {
        let mut current = self.current.lock().await;
        if let Some(gateway) = current.as_ref().filter(|gateway| *gateway.link().borrow() != Link::Closed) {
            return Ok(Arc::clone(gateway));
        }
        *current = None;
        // One that took us before is worth waiting for, one that never did is not.
        if self.connected.load(Ordering::Relaxed) {
            self.pause(unavailable(LOST.to_owned())).await?;
        }
        loop {
            match self.connect().await {
                Ok(gateway) => {
                    self.connected.store(true, Ordering::Relaxed);
                    self.compare_clocks(&gateway).await;
                    *current = Some(Arc::clone(&gateway));
                    return Ok(gateway);
                }
                Err(refusal) if !self.connected.load(Ordering::Relaxed) => return Err(refusal),
                Err(refusal) => self.pause(refusal).await?,
            }
        }
    }

    /// Connects as the client that is configured, or as the next that is free.
    async fn connect(&self) -> Result<Arc<dyn Gateway>, Refusal> {
        let IbkrSettings { host, port, client_id, .. } = &self.settings;
        let address = match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        for id in *client_id..client_id.saturating_add(CLIENT_IDS) {
            let connected = timeout(self.patience(), Tws::connect(&address, id)).await;
            let why = match connected {
                Ok(Ok(gateway)) => {
                    if id != *client_id {
                        tracing::warn!("{}", taken(*client_id, id));
                    }
                    return Ok(Arc::new(gateway));
                }
                Ok(Err(Unconnected::ClientIdTaken)) => continue,
                Ok(Err(why)) => self.words(why).await,
                Err(_) => format!(
                    "{address} took the connection and says nothing: is somebody logged in there, and does it ask whether to accept us?"
                ),
            };
            return Err(unavailable(why));
        }
        let last = client_id.saturating_add(CLIENT_IDS - 1);
        Err(unavailable(format!(
            "the client ids {client_id} to {last} are all taken: close other programs that use the gateway"
        )))
    }

    /// Why there is no connection, and what to do.
    async fn words(&self, why: Unconnected) -> String {
        let IbkrSettings { host, port, .. } = &self.settings;
        match why {
            // `connect` goes on to the next.
            Unconnected::ClientIdTaken => "the client id is taken".to_owned(),
            Unconnected::TooOld { needed, found } => format!(
                "the gateway at {host}:{port} is too old: it speaks version {found} of the protocol, {needed} is needed; install the latest TWS or IB Gateway"
            ),
            Unconnected::Rejected => format!(
                "{host}:{port} closed the connection at once: in its API settings switch on \"Enable ActiveX and Socket Clients\" and add this machine to the trusted addresses"
            ),
            Unconnected::NoAccount => {
                format!("the gateway at {host}:{port} has no account: log in there")
            }
            Unconnected::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                let other = match self.other_port().await {
                    Some((port, words)) => {
                        format!("; port {port} ({words}) is open: set providers.ibkr.port to it")
                    }
                    None => "; start TWS or IB Gateway, log in, and enable its API".to_owned(),
                };
                let of = PORTS.iter().find(|(known, _)| known == port);
                let of = of.map_or(String::new(), |(_, words)| format!(" (the port of {words})"));
                format!("nothing listens at {host}:{port}{of}{other}")
            }
            Unconnected::Io(error) => format!("{host}:{port}: {error}"),
            Unconnected::Other(said) => format!("{host}:{port}: {said}"),
        }
    }

    /// One of the usual ports at which somebody listens.
    async fn other_port(&self) -> Option<(u16, &'static str)> {
        for (port, words) in PORTS.into_iter().filter(|(port, _)| *port != self.settings.port) {
            let knock = timeout(KNOCK, knock(&self.settings.host, port)).await;
            if knock.is_ok_and(|open| open) {
                return Some((port, words));
            }
        }
        None
    }

    /// Asks the gateway once, for as long as an answer may take; the time in which it is without the broker is
    /// not counted.
    pub(super) async fn ask<T>(&self, gateway: &dyn Gateway, mut asking: Asking<T>) -> Result<T, Fault> {
        let mut link = gateway.link();
        let losses_of = |link: Link| match link {
            Link::Up { losses } | Link::Down { losses } => Some(losses),
            Link::Closed => None,
        };
        let mut state = *link.borrow_and_update();
        let before = losses_of(state);
        loop {
            let down = matches!(state, Link::Down { .. });
            if down {
                self.tell(WITHOUT_BROKER);
            }
            let deadline = if down { self.waits_until() } else { Instant::now() + self.patience() };
            tokio::select! {
                biased;
                answer = &mut asking => return answer,
                changed = link.changed() => {
                    state = *link.borrow_and_update();
                    if changed.is_err() || state == Link::Closed {
                        return Err(Fault::Lost(LOST.to_owned()));
                    }
                    if losses_of(state) != before {
                        return Err(Fault::Dropped);
                    }
                }
                () = sleep_until(deadline) => {
                    return Err(if down { Fault::WithoutBroker } else { Fault::Silent(self.patience().as_secs()) });
                }
            }
        }
    }
}

/// The connection ended.
pub(super) const LOST: &str = "the gateway closed the connection: it may have been restarted or logged out; look whether it runs and somebody is logged in";

/// The client id that is used in the place of another.
pub(super) fn taken(wanted: u16, used: u16) -> String {
    format!("client id {wanted} is taken by another program, connected as client {used}")
}

/// Whether somebody listens.
async fn knock(host: &str, port: u16) -> bool {
    let Ok(addresses) = tokio::net::lookup_host((host, port)).await else { return false };
    let addresses: Vec<SocketAddr> = addresses.collect();
    TcpStream::connect(addresses.as_slice()).await.is_ok()
}

fn unavailable(said: String) -> Refusal {
    Refusal::Unavailable { provider: NAME, said }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_until_something_is_answered() {
        let (mut trouble, now) = (Trouble::default(), Instant::now());
        assert_eq!(trouble.since(now), now);
        let pauses: Vec<u128> = (0..9).map(|_| trouble.next_pause().as_millis()).collect();
        assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        let later = now + Duration::from_secs(60);
        assert_eq!(trouble.since(later), now, "as long as nothing is answered it is the same trouble");
        std::mem::take(&mut trouble);
        assert_eq!((trouble.since(later), trouble.next_pause()), (later, FIRST_PAUSE));
    }
}
