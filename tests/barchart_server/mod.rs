//! A server that plays Barchart: login, pages, allowance and downloads of the site, its chart proxy, and the OnDemand
//! service, over the sample market; with a clock that a test sets, a count of each account's downloads by the day in
//! Chicago, and rules by which it misbehaves.
//!
//! Tests say `mod barchart_server;` and start one with [`Server::start`]; `cargo run --example barchart-server --
//! --help` runs it by hand.
#![allow(dead_code)] // Each test target uses its own part of this.

mod account;
mod answer;
#[path = "../yahoo_server/door.rs"]
pub(crate) mod door;
mod export;
mod market;
#[path = "../yahoo_server/message.rs"]
mod message;
mod pages;
pub(crate) mod rules;

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::json;
use vortex::model::{Day, Days};

pub(crate) use account::Download;
use account::{Account, Accounts};
use door::{Door, Hands, Identity, Peer};
use message::{Asked, Reply};
#[allow(unused_imports)] // Each test target uses its own part of this.
pub(crate) use rules::{Action, Generation, Rule, Step};

/// The account that is there from the start, with [`PASSWORD`] and [`LIMIT`] downloads a day.
pub(crate) const EMAIL: &str = "trader@example.com";
/// Its password.
pub(crate) const PASSWORD: &str = "battery&staple=9";
/// Its downloads a day.
pub(crate) const LIMIT: u32 = 250;

/// What the server takes the time to be.
#[derive(Clone)]
pub(crate) enum Clock {
    /// Seconds since the epoch, as somebody sets them.
    Set(Arc<AtomicI64>),
    /// This machine's clock.
    System,
}

/// What has been asked of the server.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Counts {
    /// All requests but those to the server itself.
    pub(crate) total: u64,
    /// How many for each method and path.
    pub(crate) paths: BTreeMap<String, u64>,
    /// Downloads and calls of the service that were given, in order.
    pub(crate) downloads: Vec<Download>,
    /// Downloads and calls that were asked for beyond the day's limit.
    pub(crate) over_limit: u64,
    /// The User-Agents that came.
    pub(crate) agents: BTreeMap<String, u64>,
}

impl Counts {
    /// How many downloads each day in Chicago had, of all accounts.
    pub(crate) fn by_day(&self) -> BTreeMap<String, u64> {
        let mut days = BTreeMap::new();
        for download in &self.downloads {
            *days.entry(download.day.clone()).or_default() += 1;
        }
        days
    }
}

struct Shared {
    clock: Clock,
    rules: Mutex<Vec<Rule>>,
    counts: Mutex<Counts>,
    accounts: Mutex<Accounts>,
    hands: Arc<Hands>,
    chicago: TimeZone,
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
    /// Starts one on a free port of the loopback address, with the clock at an instant in seconds since the epoch.
    pub(crate) fn start(now: i64) -> Server {
        Server::listen(Clock::Set(Arc::new(AtomicI64::new(now))), 0, None).unwrap()
    }

    /// Starts one on a port; it speaks TLS where it has what it needs for that.
    pub(crate) fn listen(clock: Clock, port: u16, tls: Option<&Identity>) -> io::Result<Server> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            clock,
            rules: Mutex::default(),
            counts: Mutex::default(),
            accounts: Mutex::default(),
            hands: Arc::default(),
            chicago: TimeZone::get("America/Chicago").unwrap(),
        });
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let router = axum::Router::new().fallback(handle).with_state(Arc::clone(&shared));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let door = {
            let _inside = runtime.enter();
            Door::new(tokio::net::TcpListener::from_std(listener)?, tls, Arc::clone(&shared.hands))
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
        let server =
            Server { address, shared, secure: tls.is_some(), stop: Some(stop), thread: Some(thread) };
        server.add_account(EMAIL, PASSWORD, LIMIT);
        Ok(server)
    }

    /// What to set as `providers.barchart.base_url`.
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

    /// Adds an account, or gives a known one another password and limit.
    pub(crate) fn add_account(&self, email: &str, password: &str, limit: u32) {
        let accounts = &mut lock(&self.shared.accounts).accounts;
        accounts.retain(|account| account.email != email);
        accounts.push(Account { email: email.to_owned(), password: password.to_owned(), limit });
    }

    /// Adds a key of the service with so many calls a day.
    pub(crate) fn add_key(&self, key: &str, limit: u32) {
        lock(&self.shared.accounts).keys.insert(key.to_owned(), limit);
    }

    /// Logs an account in as its browser would; the cookies that the browser then has, as (name, value).
    pub(crate) fn browser_session(&self, email: &str) -> Vec<(&'static str, String)> {
        let mut accounts = lock(&self.shared.accounts);
        let session = accounts.open(Some(email));
        let xsrf = accounts.new_xsrf(&session).unwrap();
        vec![("laravel_session", session), ("XSRF-TOKEN", xsrf)]
    }

    /// The account's own downloads by hand: they count like any other.
    pub(crate) fn downloaded_by_hand(&self, email: &str, count: u32) {
        let day = self.shared.chicago_day();
        *lock(&self.shared.accounts).used.entry((email.to_owned(), day.number())).or_default() += count;
    }

    /// Nobody has downloaded anything today.
    pub(crate) fn reset_used(&self) {
        lock(&self.shared.accounts).used.clear();
    }

    /// The bars that the server has of a symbol now, days or so many minutes: how the archive stamps each, and its close.
    pub(crate) fn bars(&self, symbol: &str, minutes: Option<i64>, days: Days) -> Vec<(i64, f64)> {
        let now = self.shared.now();
        let quoted = market::find(market::class_of(symbol), symbol, now).unwrap();
        let Some(minutes) = minutes else {
            return quoted.daily(days, now).iter().map(|row| (row.day.midnight(), row.close)).collect();
        };
        quoted.intraday(days, minutes, now).iter().map(|row| (row.start, row.close)).collect()
    }

    /// Ends all sessions, as a restart of the site would.
    pub(crate) fn end_sessions(&self) {
        lock(&self.shared.accounts).sessions.clear();
    }

    /// Adds a rule.
    pub(crate) fn rule(&self, rule: Rule) {
        lock(&self.shared.rules).push(rule);
    }

    /// Forgets all rules.
    pub(crate) fn clear_rules(&self) {
        lock(&self.shared.rules).clear();
    }

    /// What the site has of a contract on a range of trading dates, as lines of the archive's CSV: daily, or of so
    /// many minutes.
    pub(crate) fn truth(&self, symbol: &str, minutes: Option<i64>, days: Days) -> Vec<String> {
        let now = self.shared.now();
        let Some(quoted) = market::find(market::class_of(symbol), symbol, now) else { return Vec::new() };
        let rows = match minutes {
            Some(minutes) => quoted.intraday(days, minutes, now),
            None => quoted.daily(days, now),
        };
        rows.iter().map(|row| export::archived(row, minutes.is_some())).collect()
    }

    /// What has been asked so far.
    pub(crate) fn counts(&self) -> Counts {
        lock(&self.shared.counts).clone()
    }

    /// Counts from nothing again; what accounts have used stays.
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
    let path = percent_encoding::percent_decode_str(uri.path()).decode_utf8_lossy().into_owned();
    let of_query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let asked = Asked { parameters: of_query.into_owned().collect(), method, path, headers, body };
    if asked.path.starts_with("/_vortex/") {
        return shared.control(&asked).pack(shared.now(), false);
    }
    shared.count(&asked);
    let visit = answer::Visit::of(&shared, asked);
    let actions = shared.actions(&visit);
    for action in &actions {
        match action {
            Action::Delay { milliseconds } => {
                tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
            }
            Action::HangUp {} => {
                shared.hands.hang_up(peer);
                return Response::new(Body::empty());
            }
            _ => {}
        }
    }
    let gzip = visit.asked.header("accept-encoding").contains("gzip");
    visit.answer(&actions).pack(shared.now(), gzip)
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

    /// The day by which downloads are counted.
    fn chicago_day(&self) -> Day {
        Day::of_local(self.now(), &self.chicago)
    }

    fn count(&self, asked: &Asked) {
        let mut counts = lock(&self.counts);
        counts.total += 1;
        *counts.paths.entry(format!("{} {}", asked.method, asked.path)).or_default() += 1;
        *counts.agents.entry(asked.header("user-agent").to_owned()).or_default() += 1;
    }

    /// The actions of the rules that hold for a request.
    fn actions(&self, visit: &answer::Visit<'_>) -> Vec<Action> {
        let mut rules = lock(&self.rules);
        let holding =
            rules.iter_mut().filter_map(|rule| rule.holds(visit.step, &visit.symbol).then_some(&rule.action));
        holding.cloned().collect()
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
