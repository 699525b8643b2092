//! The connection to the gateway: made when it is first needed, with the next client id where one is taken,
//! made again when it is lost, and waited for while the gateway is without the broker.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::NAME;
use super::api::{Asking, Fault, Gateway, Link};
use super::tws::{Tws, Unconnected};
use crate::config::IbkrSettings;
use crate::provider::{Clock, Refusal};

/// How many client ids are tried; a gateway serves 32 clients.
const CLIENT_IDS: u16 = 32;
/// How long a job waits for a gateway that restarts, or for its way to the broker: the nightly restart takes
/// minutes, the broker's own up to three quarters of an hour.
const PATIENCE: Duration = Duration::from_secs(50 * 60);
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

/// One connection after the other.
pub(super) struct Session {
    settings: IbkrSettings,
    current: Mutex<Option<Arc<dyn Gateway>>>,
    /// There was a connection: one that is lost is worth waiting for.
    connected: AtomicBool,
    now: Clock,
    /// By how many seconds the gateway's clock is ahead of this machine's.
    ahead: AtomicI64,
}

impl Session {
    pub(super) fn new(settings: &IbkrSettings, now: Clock) -> Session {
        Session {
            settings: settings.clone(),
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
    fn patience(&self) -> Duration {
        Duration::from_secs(u64::from(self.settings.timeout))
    }

    /// A gateway that is connected to us and to the broker.
    pub(super) async fn gateway(&self) -> Result<Arc<dyn Gateway>, Refusal> {
        let until = Instant::now() + PATIENCE;
        loop {
            let gateway = self.connection(until).await?;
            let mut link = gateway.link();
            let state = *link.borrow_and_update();
            match state {
                Link::Up { .. } => return Ok(gateway),
                Link::Closed => {}
                Link::Down { .. } => {
                    tracing::warn!(
                        "the gateway has lost its connection to Interactive Brokers; waiting for it"
                    );
                    let waited = tokio::select! {
                        changed = link.changed() => changed.is_ok(),
                        () = sleep_until(until) => false,
                    };
                    if !waited && Instant::now() >= until {
                        return Err(unavailable(
                            "the gateway is without its connection to Interactive Brokers (1100)".to_owned(),
                        ));
                    }
                }
            }
        }
    }

    /// The connection there is, else a new one.
    async fn connection(&self, until: Instant) -> Result<Arc<dyn Gateway>, Refusal> {
        let mut current = self.current.lock().await;
        if let Some(gateway) = current.as_ref().filter(|gateway| *gateway.link().borrow() != Link::Closed) {
            return Ok(Arc::clone(gateway));
        }
        *current = None;
        let mut pause = FIRST_PAUSE;
        loop {
            match self.connect().await {
                Ok(gateway) => {
                    if self.connected.swap(true, Ordering::Relaxed) {
                        tracing::info!("connected to the gateway again");
                    }
                    self.compare_clocks(&gateway).await;
                    *current = Some(Arc::clone(&gateway));
                    return Ok(gateway);
                }
                Err(refusal) if !self.connected.load(Ordering::Relaxed) || Instant::now() >= until => {
                    return Err(refusal);
                }
                Err(refusal) => {
                    if pause == FIRST_PAUSE {
                        tracing::warn!("the connection to the gateway is lost; waiting for it: {refusal}");
                    }
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
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
        let patience = self.patience();
        let mut link = gateway.link();
        let losses_of = |link: Link| match link {
            Link::Up { losses } | Link::Down { losses } => Some(losses),
            Link::Closed => None,
        };
        let before = losses_of(*link.borrow_and_update());
        let mut deadline = Instant::now() + patience;
        loop {
            tokio::select! {
                biased;
                answer = &mut asking => return answer,
                changed = link.changed() => {
                    let now = *link.borrow_and_update();
                    match now {
                        _ if changed.is_err() || now == Link::Closed => {
                            return Err(Fault::Lost("the connection to the gateway was lost".to_owned()));
                        }
                        _ if losses_of(now) != before => return Err(Fault::Dropped),
                        Link::Down { .. } => deadline = Instant::now() + PATIENCE,
                        _ => deadline = Instant::now() + patience,
                    }
                }
                () = sleep_until(deadline) => return Err(Fault::Silent(patience.as_secs())),
            }
        }
    }
}

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
