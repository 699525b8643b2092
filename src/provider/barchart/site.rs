//! The way through the site's pages, as its own download button goes: the page of a symbol, the question what the
//! account may still download, the download. Who has no session of a browser logs in before and out behind.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::time::Instant;
use tracing::debug;
use url::Url;

use super::ask::NoReply;
use super::page::{self, Page};
use super::read::refusal_of;
use super::refusal::{error_of, no_account, speaks_of_login};
use super::request::{self, DOWNLOAD, QUESTION, encoded, form, symbol};
use super::session::XSRF;
use super::{Access, Aside, Barchart, NAME};
use crate::model::Class;
use crate::model::day::instant;
use crate::provider::http::{Call, HeaderValue, html};
use crate::provider::limits::{Spent, jitter, note};
use crate::provider::{RawAnswer, Refusal, Request};

/// The longest that logging out may take.
const GOODBYE: Duration = Duration::from_secs(4);

const HTML: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";
const ANY: &str = "*/*";

/// What is known of the visit to the site.
#[derive(Debug, Default)]
pub(super) struct Visit {
    /// The site knows who we are, as far as we know.
    known: bool,
    /// When the last download ended.
    last: Option<Instant>,
}

/// Why a step leads to no next one.
enum Ended {
    /// Nothing to read came.
    Refused(NoReply),
    /// This came, and it says why.
    Answer(RawAnswer),
    /// This came because the site does not know us any more.
    LoggedOut(RawAnswer),
}

/// What the site is visited for.
#[derive(Clone, Copy)]
enum Errand<'a> {
    /// A download.
    Download(&'a Request),
    /// To see whether all is well.
    Look,
}

type Step<T> = Result<T, Ended>;

/// The page of a symbol: where it is, and the token for its forms.
struct HistoryPage {
    url: Url,
    token: String,
}

impl Barchart {
    /// One download through the site, or the answer of the step at which it ended.
    pub(super) async fn fetch_from_site(
        &self,
        request: &Request,
        aside: Aside<'_>,
    ) -> Result<RawAnswer, Refusal> {
        let mut visit = self.visit.lock().await;
        self.check_allowance()?;
        self.pause(&visit).await;
        let answered = self.run(&mut visit, Errand::Download(request), aside).await;
        visit.last = Some(Instant::now());
        answered?.ok_or_else(no_account)
    }

    /// Asks what may still be downloaded today, which costs nothing.
    pub(super) async fn look_at_site(&self) -> Result<String, Refusal> {
        let mut visit = self.visit.lock().await;
        match self.run(&mut visit, Errand::Look, &|_| {}).await? {
            None => Ok(format!("{}, {}", self.access.words(), self.used_today())),
            Some(raw) => match refusal_of(&raw) {
                // All is well: tomorrow it goes on by itself.
                Refusal::Limited { until, said, .. } if raw.status == 200 => Ok(format!(
                    "{}, {}, more from {} on ({said})",
                    self.access.words(),
                    self.used_today(),
                    instant(until)
                )),
                refusal => Err(refusal),
            },
        }
    }

    /// Runs an errand at the site, known to it; where it turns out to have forgotten who logged in, once more.
    async fn run(
        &self,
        visit: &mut Visit,
        errand: Errand<'_>,
        aside: Aside<'_>,
    ) -> Result<Option<RawAnswer>, Refusal> {
        let mut again = matches!(self.access, Access::Login { .. });
        loop {
            let stepped = match self.introduce(visit).await {
                Ok(()) => match errand {
                    Errand::Download(request) => self.download(request).await.map(Some),
                    Errand::Look => self.look_around().await.map(|()| None),
                },
                Err(ended) => Err(ended),
            };
            match stepped {
                Ok(done) => return Ok(done),
                Err(Ended::Refused(nothing)) => return Err(self.refused(nothing, aside)),
                Err(Ended::Answer(raw)) => return Ok(Some(self.kept(raw))),
                Err(Ended::LoggedOut(raw)) => {
                    visit.known = false;
                    if !std::mem::take(&mut again) {
                        return Ok(Some(self.kept(raw)));
                    }
                    aside(&self.kept(raw));
                    debug!("barchart logged us out, logging in again");
                }
            }
        }
    }

    async fn look_around(&self) -> Step<()> {
        let page = self.history_page(Class::Stock, "AAPL").await?;
        self.ask_allowance(&page).await
    }

    /// Makes us known to the site, where we are not.
    async fn introduce(&self, visit: &mut Visit) -> Step<()> {
        if visit.known {
            return Ok(());
        }
        match &self.access {
            Access::Session(cookies) => self.http.replace_cookies(cookies.pairs()),
            Access::Login { username, password } => {
                self.http.replace_cookies([]);
                self.log_in(username.expose_secret(), password.expose_secret()).await?;
            }
            Access::Key(_) | Access::None => {}
        }
        visit.known = true;
        Ok(())
    }

    async fn log_in(&self, username: &str, password: &str) -> Step<()> {
        let url = request::site("/login")?;
        let page = self.ask(get(url.clone())).await?;
        let token = page::form_token(&text(&page.raw)).filter(|_| page.raw.status == 200);
        let Some(token) = token else { return Err(Ended::Answer(page.raw)) };
        let fields = [("email", username), ("password", password), ("_token", token.as_str())];
        let call = Call { form: Some(encoded(fields)), headers: referer(&url), ..get(url) };
        let answer = self.ask(call).await?;
        // A refused login is the form again, with status 200.
        match answer.raw.status >= 400 || answer.last.path() == "/login" {
            true => Err(Ended::Answer(answer.raw)),
            false => Ok(()),
        }
    }

    /// Logs out where we logged in; whether or not that works, the session is forgotten here.
    pub(super) async fn log_out(&self) {
        let mut visit = self.visit.lock().await;
        if !matches!(self.access, Access::Login { .. }) || !std::mem::take(&mut visit.known) {
            return;
        }
        if let Ok(url) = request::site("/logout") {
            let goodbye = tokio::time::timeout(GOODBYE, self.http.send(get(url))).await;
            debug!("logged out of barchart: {}", matches!(goodbye, Ok(Ok(_))));
        }
        self.http.replace_cookies([]);
    }

    async fn history_page(&self, class: Class, symbol: &str) -> Step<HistoryPage> {
        let url = request::page(class, symbol)?;
        let reply = self.ask(get(url.clone())).await?;
        let html = text(&reply.raw);
        if reply.last.path() == "/login" || page::of(&html) == Page::Login {
            return Err(Ended::LoggedOut(reply.raw));
        }
        match page::page_token(&html).filter(|_| reply.raw.status == 200) {
            Some(token) => Ok(HistoryPage { url, token }),
            None => Err(Ended::Answer(reply.raw)),
        }
    }

    /// Asks how many of the day's downloads are used, which costs none.
    async fn ask_allowance(&self, page: &HistoryPage) -> Step<()> {
        let question = [(QUESTION, "true".to_owned())];
        let reply = self.send_form(page, &question, None).await?;
        let Ok(said) = serde_json::from_slice::<Value>(&reply.body) else {
            return Err(ended(reply));
        };
        let now = (self.now)();
        if let Some(error) = error_of(&said) {
            if speaks_of_login(&error) {
                return Err(Ended::LoggedOut(reply));
            }
            self.note_limit(&reply);
            return Err(Ended::Answer(reply));
        }
        match count_of(&said) {
            Some(count) => note(NAME, self.throttle.correct(&self.quota, count, now)),
            None => return Err(ended(reply)),
        }
        Ok(())
    }

    async fn download(&self, request: &Request) -> Step<RawAnswer> {
        let page = self.history_page(request.instrument.class, &symbol(request)).await?;
        self.ask_allowance(&page).await?;
        let spent = self.throttle.spend(&self.quota, (self.now)())?;
        let fields = form(request);
        let raw = self.send_form(&page, &fields, Some(spent)).await?;
        if matches!(page_of(&raw), Some(Page::Login)) || raw.status == 419 {
            return Err(Ended::LoggedOut(raw));
        }
        self.note_limit(&raw);
        Ok(self.kept(raw))
    }

    /// Sends a form of the page, for a download with the page's token; its answer says in its address what was asked,
    /// but for that token.
    async fn send_form(
        &self,
        page: &HistoryPage,
        fields: &[(&'static str, String)],
        spent: Option<Spent>,
    ) -> Step<RawAnswer> {
        let plain = || fields.iter().map(|(name, value)| (*name, value.as_str()));
        let token = spent.as_ref().map(|_| ("_token", page.token.as_str()));
        let form = encoded(plain().chain(token));
        let mut headers = referer(&page.url);
        if let Some(token) = self.xsrf() {
            headers.push(("x-xsrf-token", token));
        }
        let call = Call { accept: ANY, form: Some(form), headers, ..get(request::site(DOWNLOAD)?) };
        let mut reply = match spent {
            Some(spent) => self.ask_counted(call, spent).await?,
            None => self.ask(call).await?,
        };
        if let Ok(mut asked) = Url::parse(&reply.raw.url) {
            asked.query_pairs_mut().extend_pairs(plain());
            reply.raw.url = asked.into();
        }
        Ok(reply.raw)
    }

    /// The token of the cookie, as the header has it.
    fn xsrf(&self) -> Option<HeaderValue> {
        let cookie = self.http.cookie(XSRF)?;
        let token = percent_decode_str(&cookie).decode_utf8().ok()?;
        let mut value = HeaderValue::from_str(&token).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Waits a while between two downloads, as long as chance says.
    async fn pause(&self, visit: &Visit) {
        let Some(last) = visit.last else { return };
        let longest = u64::from(self.longest_pause) * 1000;
        if longest > 0 {
            let pause = jitter(longest + 1);
            tracing::debug!("the next download comes {pause} ms after the last one");
            tokio::time::sleep_until(last + Duration::from_millis(pause)).await;
        }
    }
}

impl From<NoReply> for Ended {
    fn from(nothing: NoReply) -> Ended {
        Ended::Refused(nothing)
    }
}

impl From<Refusal> for Ended {
    fn from(refusal: Refusal) -> Ended {
        Ended::Refused(refusal.into())
    }
}

/// An answer that is not the one of the question: most often the login page.
fn ended(raw: RawAnswer) -> Ended {
    match page_of(&raw) {
        Some(Page::Login) => Ended::LoggedOut(raw),
        _ if raw.status == 419 => Ended::LoggedOut(raw),
        _ => Ended::Answer(raw),
    }
}

fn page_of(raw: &RawAnswer) -> Option<Page> {
    html::is_page(&raw.body).then(|| page::of(&text(raw)))
}

/// Today's downloads in the answer to the question for the allowance: a number, which may come as a text.
fn count_of(said: &Value) -> Option<u32> {
    match said.get("count")? {
        Value::String(text) => text.trim().parse().ok(),
        count => u32::try_from(count.as_u64()?).ok(),
    }
}

fn text(raw: &RawAnswer) -> String {
    String::from_utf8_lossy(&raw.body).into_owned()
}

fn get(url: Url) -> Call<'static> {
    Call { url, accept: HTML, form: None, headers: Vec::new() }
}

fn referer(page: &Url) -> Vec<(&'static str, HeaderValue)> {
    HeaderValue::from_str(page.as_str()).map(|page| ("referer", page)).into_iter().collect()
}
