//! A server that plays Yahoo Finance: the sample market in Yahoo's shapes, limits and errors, with a
//! clock that a test sets, counters, and rules by which it misbehaves.
//!
//! Tests say `mod yahoo_server;` and start one with [`Server::start`]; `cargo run --example
//! yahoo-server -- --help` runs it by hand.
#![allow(dead_code)] // Each test target uses its own part of this.

mod account;
mod bodies;
mod chart;
pub(crate) mod door;
mod message;
mod query;
pub(crate) mod rules;

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};
use vortex::provider::sample::listing::Listing;

use door::{Door, Hands, Identity, Peer};
use message::{Asked, Reply};
use query::{Query, refused};
pub(crate) use rules::{Action, Rule};

/// What Yahoo's edge says to an address it is tired of.
pub(crate) const TOO_MANY: &str = "Edge: Too Many Requests";

/// What the server takes the time to be.
#[derive(Clone)]
pub(crate) enum Clock {
    /// Seconds since the epoch, as somebody sets them.
    Set(Arc<AtomicI64>),
    /// This machine's clock.
    System,
}

/// What has been asked of the server.
#[derive(Clone, Default, Serialize)]
pub(crate) struct Counts {
    /// All requests but those to the server itself.
    pub(crate) total: u64,
    /// How many for each path.
    pub(crate) paths: BTreeMap<String, u64>,
    /// The most that were being answered at once.
    pub(crate) in_flight_most: u64,
    /// Each request's path and query, and when it came, in milliseconds since the server started.
    pub(crate) arrivals: Vec<(String, u128)>,
    #[serde(skip)]
    in_flight: u64,
}

struct Shared {
    clock: Clock,
    started: Instant,
    rules: Mutex<Vec<Rule>>,
    counts: Mutex<Counts>,
    hands: Arc<Hands>,
}

/// A running server; it stops when dropped.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    secure: bool,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Starts one on a free port of the loopback address, with the clock at an instant in seconds
    /// since the epoch.
    pub(crate) fn start(now: i64) -> Server {
        let clock = Clock::Set(Arc::new(AtomicI64::new(now)));
        Server::listen(clock, 0).unwrap()
    }

    /// Starts one on a port.
    pub(crate) fn listen(clock: Clock, port: u16) -> io::Result<Server> {
        Server::listen_with(clock, port, None)
    }

    /// Starts one on a port that speaks TLS, where it has what it needs for that.
    pub(crate) fn listen_with(clock: Clock, port: u16, tls: Option<&Identity>) -> io::Result<Server> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            clock,
            started: Instant::now(),
            rules: Mutex::default(),
            counts: Mutex::default(),
            hands: Arc::default(),
        });
        let hands = Arc::clone(&shared.hands);
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let router = axum::Router::new().fallback(handle).with_state(Arc::clone(&shared));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let door = {
            let _inside = runtime.enter();
            Door::new(tokio::net::TcpListener::from_std(listener)?, tls, hands)
        };
        let thread = std::thread::spawn(move || {
            runtime.block_on(async move {
                let service = router.into_make_service_with_connect_info::<Peer>();
                tokio::select! {
                    served = axum::serve(door, service) => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Ok(Server { address, shared, secure: tls.is_some(), stop: Some(stop), thread: Some(thread) })
    }

    /// What to set as `providers.yahoo.base_url`.
    pub(crate) fn base_url(&self) -> String {
        match self.secure {
            // Its certificate is for the name.
            true => format!("https://localhost:{}", self.address.port()),
            false => format!("http://{}", self.address),
        }
    }

    /// Sets the clock.
    pub(crate) fn set_now(&self, now: i64) {
        if let Clock::Set(clock) = &self.shared.clock {
            clock.store(now, Ordering::SeqCst);
        }
    }

    /// Adds a rule.
    pub(crate) fn rule(&self, rule: Rule) {
        lock(&self.shared.rules).push(rule);
    }

    /// Forgets all rules.
    pub(crate) fn clear_rules(&self) {
        lock(&self.shared.rules).clear();
    }

    /// What has been asked so far.
    pub(crate) fn counts(&self) -> Counts {
        lock(&self.shared.counts).clone()
    }

    /// Counts from nothing again.
    pub(crate) fn reset_counts(&self) {
        *lock(&self.shared.counts) = Counts::default();
    }

    /// Waits until the server ends, which is for ever.
    pub(crate) fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = percent_encoding::percent_decode_str(uri.path()).decode_utf8_lossy();
    let query = uri.query().unwrap_or_default();
    let asked = Asked {
        method,
        path: path.into_owned(),
        parameters: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers,
        body,
    };
    let gzip = asked.header("accept-encoding").contains("gzip");
    if asked.path.starts_with("/_vortex/") {
        return shared.control(&asked).pack(shared.now(), false);
    }
    let _in_flight = shared.count(&asked, uri.to_string());
    let actions = shared.actions(&asked);
    for action in &actions {
        if let Action::Delay { milliseconds } = action {
            tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
        }
    }
    let reply = shared.answer(&asked, &actions);
    bodies::spoilt(reply, &actions, &shared.hands, peer)
        .unwrap_or_else(|reply| reply.pack(shared.now(), gzip))
}

impl Shared {
    fn now(&self) -> i64 {
        match &self.clock {
            Clock::Set(clock) => clock.load(Ordering::SeqCst),
            Clock::System => {
                SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
            }
        }
    }

    /// Counts a request, until the guard is dropped as one in flight.
    fn count<'a>(&'a self, asked: &Asked, target: String) -> impl Drop + use<'a> {
        let mut counts = lock(&self.counts);
        counts.total += 1;
        *counts.paths.entry(asked.path.clone()).or_default() += 1;
        counts.arrivals.push((target, self.started.elapsed().as_millis()));
        counts.in_flight += 1;
        counts.in_flight_most = counts.in_flight_most.max(counts.in_flight);
        InFlight(self)
    }

    /// The actions of the rules that hold for a request.
    fn actions(&self, asked: &Asked) -> Vec<Action> {
        let interval = asked.parameter("interval").unwrap_or("1d");
        let mut rules = lock(&self.rules);
        let holding = rules
            .iter_mut()
            .filter_map(|rule| rule.holds(&asked.path, asked.symbol(), interval).then_some(&rule.action));
        holding.cloned().collect()
    }

    fn answer(&self, asked: &Asked, actions: &[Action]) -> Reply {
        if !asked.header("user-agent").starts_with("Mozilla/") {
            return Reply::text(429, "text/plain", TOO_MANY);
        }
        for action in actions {
            match action {
                Action::Reply { status, body } => return Reply::text(*status, "text/html", body),
                Action::RetryAfter { value } => {
                    return Reply::text(429, "text/plain", TOO_MANY).header("retry-after", value);
                }
                Action::NeedCrumb {} if !account::is_authorized(asked) => {
                    return account::unauthorized("Unauthorized", "Invalid Crumb");
                }
                Action::NeedConsent {} if !asked.has_cookie("GUC") => {
                    return account::redirect("/consent?brandType=nonEu");
                }
                Action::Redirect { to } => return account::redirect(to),
                _ => {}
            }
        }
        let Some(symbol) = asked.symbol() else {
            return account::answer(asked);
        };
        let (status, body) = self.chart(symbol, asked, actions);
        let mut reply = Reply::json(status, &body)
            .header("cache-control", "public, max-age=10, stale-while-revalidate=20");
        for action in actions {
            if let Action::Truncate { bytes } = action {
                reply.body.truncate(*bytes);
            }
        }
        reply
    }

    fn chart(&self, symbol: &str, asked: &Asked, actions: &[Action]) -> (u16, Value) {
        let now = self.now();
        let listed = |listing: &Listing| listing.hours(listing.first_day).open <= now;
        let Some(listing) = Listing::of(symbol).filter(listed) else {
            return refused(404, "Not Found", "No data found, symbol may be delisted".into());
        };
        let mut query = match Query::read(&asked.parameters, &listing, now) {
            Ok(query) => query,
            Err(refused) => return refused,
        };
        for action in actions {
            if let Action::Granularity { interval } = action {
                query.switch(interval);
            }
        }
        (200, chart::chart(&listing, &query, actions, now))
    }

    /// Requests to the server itself: its rules, its counters, its clock.
    fn control(&self, asked: &Asked) -> Reply {
        match (asked.method.as_str(), asked.path.as_str()) {
            ("POST", "/_vortex/rules") => match serde_json::from_slice(&asked.body) {
                Ok(rule) => {
                    lock(&self.rules).push(rule);
                    Reply::json(200, &json!(*lock(&self.rules)))
                }
                Err(error) => Reply::text(400, "text/plain", &format!("not a rule: {error}\n")),
            },
            ("DELETE", "/_vortex/rules") => {
                lock(&self.rules).clear();
                Reply::json(200, &json!([]))
            }
            ("GET", "/_vortex/rules") => Reply::json(200, &json!(*lock(&self.rules))),
            ("GET", "/_vortex/counts") => Reply::json(200, &json!(*lock(&self.counts))),
            ("POST", "/_vortex/clock") => {
                let text = String::from_utf8_lossy(&asked.body);
                match (text.trim().parse(), &self.clock) {
                    (Ok(now), Clock::Set(clock)) => {
                        clock.store(now, Ordering::SeqCst);
                        Reply::json(200, &json!(now))
                    }
                    (Err(_), _) => Reply::text(400, "text/plain", "the body is seconds since the epoch\n"),
                    (_, Clock::System) => Reply::text(409, "text/plain", "start the server with --now\n"),
                }
            }
            _ => Reply::text(404, "text/plain", "here are /_vortex/rules, counts and clock\n"),
        }
    }
}

/// A request being answered.
struct InFlight<'a>(&'a Shared);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        lock(&self.0.counts).in_flight -= 1;
    }
}
