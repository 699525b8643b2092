//! One request at the site or the service: where it stands, and its answer.

use std::collections::BTreeMap;

use serde_json::json;
use vortex::model::{Class, Day, Days};

use super::export::{self, Shape};
use super::market::{self, Quoted, Row};
use super::message::{Asked, Reply};
use super::rules::{Action, Generation, Step};
use super::{Download, Shared, lock, pages};

const HTML: &str = "text/html";
/// The most rows of one export.
const MOST_ROWS: usize = 20_000;
const LIMIT_WORDS: &str = "You have reached your daily limit of downloads. Please try again tomorrow.";

/// A request with what it is about.
pub(super) struct Visit<'a> {
    shared: &'a Shared,
    pub(super) asked: Asked,
    form: BTreeMap<String, String>,
    pub(super) step: Step,
    pub(super) symbol: String,
    class: Class,
    /// The session's cookie, as it came.
    cookie: String,
}

impl<'a> Visit<'a> {
    pub(super) fn of(shared: &'a Shared, asked: Asked) -> Visit<'a> {
        let form: BTreeMap<String, String> = url::form_urlencoded::parse(&asked.body).into_owned().collect();
        let parts: Vec<&str> = asked.path.trim_start_matches('/').split('/').collect();
        let (mut symbol, mut class) = (String::new(), Class::Stock);
        let step = match (asked.method.as_str(), parts.as_slice()) {
            ("GET", ["login"]) => Step::LoginPage,
            ("POST", ["login"]) => Step::Login,
            ("GET", [place @ ("futures" | "stocks" | "forex"), "quotes", of, "historical-download"]) => {
                symbol = (*of).to_owned();
                class = match *place {
                    "futures" => Class::Future,
                    "forex" => Class::Forex,
                    _ => Class::Stock,
                };
                Step::Page
            }
            ("POST", ["my", "download"]) if form.contains_key("onlyCheckPermissions") => Step::Allowance,
            ("POST", ["my", "download"]) => Step::Download,
            ("GET", ["proxies", "timeseries", "historical", "queryeod.ashx" | "queryminutes.ashx"]) => {
                Step::Proxy
            }
            ("GET", ["getHistory.json" | "getHistory.csv"]) => Step::Service,
            _ => Step::Other,
        };
        if step == Step::Download {
            symbol = form.get("symbol").cloned().unwrap_or_default();
            class = market::class_of(&symbol);
        }
        if matches!(step, Step::Service | Step::Proxy) {
            symbol = asked.parameter("symbol").unwrap_or_default().to_owned();
            class = market::class_of(&symbol);
        }
        let cookies = asked.header("cookie").to_owned();
        let cookie = cookies.split("; ").find_map(|cookie| cookie.strip_prefix("laravel_session="));
        let cookie = cookie.unwrap_or_default().to_owned();
        Visit { shared, asked, form, step, symbol, class, cookie }
    }

    pub(super) fn answer(&self, actions: &[Action]) -> Reply {
        for action in actions {
            match action {
                Action::Reply { status, body } => return Reply::text(*status, HTML, body),
                Action::RetryAfter { value } => {
                    return Reply::text(429, "text/plain", "Too Many Requests").header("retry-after", value);
                }
                Action::Challenge {} => {
                    let text = "Please verify you are human by completing the captcha.";
                    return Reply::text(200, HTML, &pages::plain("Just a moment...", text));
                }
                Action::LogOut {} => drop(lock(&self.shared.accounts).sessions.remove(&self.cookie)),
                _ => {}
            }
        }
        if self.step == Step::Service {
            return self.service(actions);
        }
        let blind = actions.contains(&Action::NoToken {});
        let reply = match self.step {
            Step::LoginPage => self.login_page("", blind),
            Step::Login => self.login(),
            Step::Page => self.page(blind),
            Step::Allowance => self.allowance(),
            Step::Download => self.download(actions),
            Step::Proxy => self.proxy(),
            Step::Service | Step::Other => self.other(),
        };
        if blind { reply } else { self.with_cookies(reply) }
    }

    /// Every page sets the session's cookies anew.
    fn with_cookies(&self, reply: Reply) -> Reply {
        // A login has set those of its own session.
        if reply.headers.iter().any(|(name, _)| *name == "set-cookie") {
            return reply;
        }
        match lock(&self.shared.accounts).new_xsrf(&self.cookie) {
            None => reply,
            Some(xsrf) => set_cookies(reply, &self.cookie, &xsrf),
        }
    }

    fn login_page(&self, message: &str, blind: bool) -> Reply {
        if blind {
            return Reply::text(200, HTML, &pages::login("", message));
        }
        let mut accounts = lock(&self.shared.accounts);
        let known = accounts.sessions.contains_key(&self.cookie);
        let cookie = if known { self.cookie.clone() } else { accounts.open(None) };
        let xsrf = accounts.new_xsrf(&cookie).unwrap();
        let page = pages::login(&accounts.sessions[&cookie].token, message);
        set_cookies(Reply::text(200, HTML, &page), &cookie, &xsrf)
    }

    fn login(&self) -> Reply {
        let field = |name: &str| self.form.get(name).map(String::as_str).unwrap_or_default();
        let mut accounts = lock(&self.shared.accounts);
        let Some(session) = accounts.sessions.get(&self.cookie) else { return expired() };
        if session.token != field("_token") {
            return expired();
        }
        let (email, password) = (field("email"), field("password"));
        let known =
            accounts.accounts.iter().any(|account| account.email == email && account.password == password);
        if !known {
            return redirect("/login");
        }
        accounts.sessions.remove(&self.cookie);
        let cookie = accounts.open(Some(email));
        let xsrf = accounts.new_xsrf(&cookie).unwrap();
        set_cookies(redirect("/my/account"), &cookie, &xsrf)
    }

    /// The account's address, its limit and the token of its forms.
    fn account(&self) -> Option<(String, u32, String)> {
        let accounts = lock(&self.shared.accounts);
        let account = accounts.account(&self.cookie)?;
        Some((account.email.clone(), account.limit, accounts.sessions[&self.cookie].token.clone()))
    }

    fn page(&self, blind: bool) -> Reply {
        let Some((email, _, token)) = self.account() else { return redirect("/login") };
        match self.quoted() {
            None => Reply::text(404, HTML, &pages::plain("Page Not Found", "There is no such symbol.")),
            Some(_) => {
                let token = if blind { "" } else { &token };
                Reply::text(200, HTML, &pages::history(&self.symbol, token, &email))
            }
        }
    }

    fn quoted(&self) -> Option<Quoted> {
        market::find(self.class, &self.symbol, self.shared.now())
    }

    /// Whether the request shows the token of its session's cookie.
    fn shows_xsrf(&self) -> bool {
        let accounts = lock(&self.shared.accounts);
        let session = accounts.sessions.get(&self.cookie);
        session.is_some_and(|session| session.xsrf == self.asked.header("x-xsrf-token"))
    }

    fn allowance(&self) -> Reply {
        let Some((email, limit, _)) = self.account() else { return self.login_page("", false) };
        if !self.shows_xsrf() {
            return expired();
        }
        let used = lock(&self.shared.accounts).used(&email, self.shared.chicago_day());
        match used < limit {
            true => Reply::json(200, &json!({ "success": true, "count": used.to_string() })),
            false => Reply::json(200, &json!({ "success": false, "error": LIMIT_WORDS })),
        }
    }

    fn download(&self, actions: &[Action]) -> Reply {
        let Some((email, limit, token)) = self.account() else { return self.login_page("", false) };
        if !self.shows_xsrf() || self.form.get("_token") != Some(&token) {
            return expired();
        }
        let field = |name: &str| self.form.get(name).map(String::as_str).unwrap_or_default();
        let what = match field("type") {
            "minutes" => format!("minutes {}", field("interval")),
            kind => format!("{kind} {}", field("period")),
        };
        let (Ok(first), Ok(last)) = (field("startDate").parse(), field("endDate").parse()) else {
            return Reply::text(200, "text/plain", "Error retrieving data: no dates");
        };
        if actions.contains(&Action::LimitPage {}) || !self.spend(&email, limit, &what, (first, last)) {
            return Reply::text(200, HTML, &pages::plain("Daily Download Limit", LIMIT_WORDS));
        }
        if actions.contains(&Action::NoData {}) {
            return Reply::text(200, "text/csv", "Error retrieving data");
        }
        let Some((quoted, days)) = self.quoted().zip(Days::new(first, last)) else {
            return Reply::text(200, "text/csv", "Error retrieving data");
        };
        let intraday = field("type") == "minutes";
        let generation = actions.iter().find_map(|action| match action {
            Action::Layout { generation } => Some(*generation),
            _ => None,
        });
        let shape = Shape {
            generation: generation.unwrap_or(Generation::Of2026),
            intraday,
            interest: field("fields").contains("openInterest"),
            newest_first: field("orderDir") != "asc",
        };
        let now = self.shared.now();
        let (mut rows, before) = self.rows(&quoted, &what, days);
        for action in actions {
            if let Action::Rows { most } = action {
                rows.truncate(*most);
            }
        }
        let text = altered(export::csv(&rows, before, &shape, now), actions);
        Reply::text(200, "text/csv", &text)
    }

    /// The rows of a download, and the close before them.
    fn rows(&self, quoted: &Quoted, what: &str, days: Days) -> (Vec<Row>, Option<f64>) {
        let now = self.shared.now();
        let mut rows = match what.split_once(' ') {
            Some(("minutes", minutes)) => quoted.intraday(days, minutes.parse().unwrap_or(60), now),
            Some((_, "weekly")) => longer(quoted.daily(days, now), Day::monday),
            Some((_, "monthly")) => longer(quoted.daily(days, now), Day::first_of_month),
            _ => quoted.daily(days, now),
        };
        rows.truncate(MOST_ROWS);
        let earlier = Days { first: days.first.plus(-10), last: days.first.plus(-1) };
        (rows, quoted.daily(earlier, now).last().map(|row| row.close))
    }

    /// Counts a download of the account; false where it has none left.
    fn spend(&self, who: &str, limit: u32, what: &str, (first, last): (Day, Day)) -> bool {
        let day = self.shared.chicago_day();
        let given = lock(&self.shared.accounts).spend(who, day, limit);
        let mut counts = lock(&self.shared.counts);
        match given {
            false => counts.over_limit += 1,
            true => counts.downloads.push(Download {
                account: who.to_owned(),
                day: day.to_string(),
                symbol: self.symbol.clone(),
                what: what.to_owned(),
                start: first.to_string(),
                end: last.to_string(),
            }),
        }
        given
    }

    /// What the site's charts are drawn from: no allowance, no closing line, and for sessions alone.
    fn proxy(&self) -> Reply {
        if self.account().is_none() || !self.shows_xsrf() {
            return Reply::json(403, &json!({ "error": "Forbidden" }));
        }
        let Some(quoted) = self.quoted() else { return Reply::text(200, "text/plain", "") };
        let number = |name: &str| self.asked.parameter(name).and_then(|value| value.parse::<usize>().ok());
        let intraday = self.asked.path.ends_with("queryminutes.ashx");
        let what = format!("minutes {}", number("interval").unwrap_or(60));
        let today = self.shared.chicago_day();
        let days = Days { first: today.plus(if intraday { -400 } else { -8000 }), last: today.plus(1) };
        let (rows, _) = self.rows(&quoted, if intraday { &what } else { "eod daily" }, days);
        let most = number("maxrecords").unwrap_or(500).min(5000);
        let text = export::proxy(&self.symbol, &rows[rows.len().saturating_sub(most)..], intraday);
        Reply::text(200, "text/plain", &text).header("x-ratelimit-remaining", "56")
    }

    fn service(&self, actions: &[Action]) -> Reply {
        let refused = |status: u16, code: u16, message: &str| {
            Reply::json(status, &json!({ "status": { "code": code, "message": message }, "results": null }))
        };
        let key = self.asked.parameter("apikey").unwrap_or_default();
        let limit = lock(&self.shared.accounts).keys.get(key).copied();
        let Some(limit) = limit else { return refused(401, 401, "Invalid API key.") };
        let parameter = |name: &str| self.asked.parameter(name).unwrap_or_default();
        let day = |name: &str| {
            let text = parameter(name);
            let dashed = format!("{}-{}-{}", text.get(..4)?, text.get(4..6)?, text.get(6..8)?);
            dashed.parse::<Day>().ok()
        };
        let Some(days) =
            day("startDate").zip(day("endDate")).and_then(|(first, last)| Days::new(first, last))
        else {
            return refused(400, 400, "startDate and endDate are needed.");
        };
        let what = match parameter("type") {
            "minutes" => format!("minutes {}", parameter("interval")),
            kind => format!("service {kind}"),
        };
        if !self.spend(key, limit, &what, (days.first, days.last)) {
            return refused(200, 403, "Daily query limit exceeded.");
        }
        let Some(quoted) = self.quoted() else { return refused(200, 404, "Unknown symbol.") };
        let (rows, _) = self.rows(&quoted, &what, days);
        if rows.is_empty() {
            return refused(200, 204, "Success, but no content to return.");
        }
        let text = match self.asked.path.as_str() {
            "/getHistory.csv" => export::service_csv(&self.symbol, &rows, &quoted.zone),
            _ => export::service_json(&self.symbol, &rows, &quoted.zone).to_string(),
        };
        let kind = if self.asked.path.ends_with("csv") { "text/csv" } else { "application/json" };
        Reply::text(200, kind, &altered(text, actions))
    }

    fn other(&self) -> Reply {
        match (self.asked.method.as_str(), self.asked.path.as_str()) {
            ("GET", "/logout") => {
                lock(&self.shared.accounts).sessions.remove(&self.cookie);
                redirect("/")
            }
            ("GET", "/" | "/my/account") => Reply::text(200, HTML, &pages::plain("Barchart.com", "Welcome.")),
            _ => Reply::text(404, HTML, &pages::plain("Page Not Found", "Nothing is here.")),
        }
    }
}

/// An export as the rules want it.
fn altered(mut text: String, actions: &[Action]) -> String {
    for action in actions {
        match action {
            Action::NoFooter {} => {
                let end = text.trim_end().rfind('\n').map_or(0, |end| end + 1);
                text.truncate(end);
            }
            Action::Truncate { bytes } => text.truncate(*bytes),
            Action::Rename { from, to } => {
                let (header, rows) = text.split_once('\n').unwrap_or((&text, ""));
                text = format!("{}\n{rows}", header.replace(from, to));
            }
            _ => {}
        }
    }
    text
}

/// Days joined to longer bars, each stamped with the first day of its own.
fn longer(days: Vec<Row>, first: impl Fn(Day) -> Day) -> Vec<Row> {
    let mut joined: Vec<Row> = Vec::new();
    for day in days {
        let of = first(day.day);
        match joined.last_mut() {
            Some(last) if last.day == of => {
                last.high = last.high.max(day.high);
                last.low = last.low.min(day.low);
                last.close = day.close;
                last.volume += day.volume;
            }
            _ => joined.push(Row { day: of, wall: of.midnight(), ..day }),
        }
    }
    joined
}

fn set_cookies(reply: Reply, session: &str, xsrf: &str) -> Reply {
    let session = format!("laravel_session={session}; path=/; httponly; samesite=lax");
    let xsrf = format!("XSRF-TOKEN={xsrf}; path=/; samesite=lax");
    reply.header("set-cookie", &session).header("set-cookie", &xsrf)
}

fn redirect(to: &str) -> Reply {
    Reply::text(302, HTML, "").header("location", to)
}

fn expired() -> Reply {
    Reply::text(419, HTML, &pages::plain("Page Expired", "The page has expired."))
}
