//! Gets an answer: under the rate limit, tried again where that is worth it, with a fresh session
//! after a 401.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tracing::debug;
use url::Url;

use super::refusal::{is_down, is_page};
use super::request::chart_url;
use super::session::{consent_form, crumb_of, is_consent, with_session};
use super::{NAME, Yahoo};
use crate::provider::http::{Call, HttpError, Reply};
use crate::provider::limits::jitter;
use crate::provider::{Aside, RawAnswer, Refusal, Request};

/// How often a failing request is tried again.
const RETRIES: u32 = 3;

const JSON: &str = "application/json, text/plain, */*";
const HTML: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

impl Yahoo {
    /// The answer to a request, of any status but 429; see [`crate::provider::Provider::fetch`].
    pub(super) async fn fetch_chart(
        &self,
        request: &Request,
        aside: Aside<'_>,
    ) -> Result<RawAnswer, Refusal> {
        let mut retries = 0;
        let mut refreshed = false;
        loop {
            let crumb = self.session.crumb();
            let url = chart_url(request, self.clock(), crumb.as_deref())?;
            let reply = match self.ask(url, JSON, None).await {
                Err(Asked::Http(error @ HttpError::Broken { .. })) if retries < RETRIES => {
                    debug!(correlation = %request.correlation, "{error}, tried again");
                    self.pause(&mut retries).await;
                    continue;
                }
                Err(asked) => return Err(self.give_up(asked, aside)),
                Ok(reply) => reply,
            };
            if is_down(&reply.raw) {
                if retries < RETRIES {
                    aside(&reply.raw.without_secrets());
                    self.pause(&mut retries).await;
                    continue;
                }
                self.throttle.failed(NAME, "Yahoo is down");
                return Ok(reply.raw.without_secrets());
            }
            self.throttle.succeeded(NAME);
            if !refreshed && self.wants_session(&reply) {
                refreshed = true;
                match self.refresh(crumb.as_deref()).await {
                    Ok(false) => {}
                    Ok(true) => {
                        aside(&reply.raw.without_secrets());
                        continue;
                    }
                    Err(asked) => {
                        aside(&reply.raw.without_secrets());
                        return Err(self.give_up(asked, aside));
                    }
                }
            }
            return Ok(reply.raw.without_secrets());
        }
    }

    /// One request under the rate limit. A 429 opens the circuit.
    async fn ask(&self, url: Url, accept: &str, form: Option<String>) -> Result<Reply, Asked> {
        self.throttle.admit(NAME, self.requests_per_minute).await.map_err(Asked::Refused)?;
        let call = Call { url, accept, form, headers: Vec::new() };
        let reply = self.http.send(call).await.map_err(Asked::Http)?;
        if let Some(date) = reply.raw.date() {
            self.ahead.store(date - (self.now)(), Ordering::Relaxed);
        }
        if reply.raw.status == 429 {
            let refusal = self.throttle.too_many_requests(NAME, &reply.raw);
            return Err(Asked::Limited(refusal, Box::new(reply.raw)));
        }
        Ok(reply)
    }

    /// The refusal of a request that has no answer. What never left this machine or broke on the way
    /// counts against the provider; its own waiting time does not.
    fn give_up(&self, asked: Asked, aside: Aside<'_>) -> Refusal {
        match asked {
            Asked::Refused(refusal) => refusal,
            Asked::Limited(refusal, raw) => {
                aside(&raw.without_secrets());
                refusal
            }
            Asked::Http(error) => self.throttle.no_answer(NAME, error),
        }
    }

    async fn pause(&self, retries: &mut u32) {
        let base = self.retry_pause * 2u32.pow(*retries);
        let spread = u64::try_from(base.as_millis() / 2).unwrap_or(0);
        *retries += 1;
        tokio::time::sleep(base + Duration::from_millis(jitter(spread))).await;
    }

    /// Whether the answer asks for a session: refused without one, or a page to agree to.
    fn wants_session(&self, reply: &Reply) -> bool {
        let consent = is_consent(&reply.last) || is_page(&reply.raw);
        reply.raw.status == 401 || (consent && self.session.agree)
    }

    /// Gets new cookies and a new crumb, once for all requests that were refused with the `stale`
    /// one. Tells whether there is one.
    async fn refresh(&self, stale: Option<&str>) -> Result<bool, Asked> {
        let _alone = self.session.refreshing.lock().await;
        let current = self.session.crumb();
        if current.as_deref() != stale {
            return Ok(current.is_some());
        }
        self.session.set_crumb(None);
        // Any answer sets the cookie, and some networks block the host: what matters is the crumb.
        let _ = self.step("https://fc.yahoo.com/", HTML, None).await?;
        let mut crumb = self.crumb("https://query1.finance.yahoo.com/v1/test/getcrumb").await?;
        if crumb.is_none() && self.session.agree && self.consent().await? {
            crumb = self.crumb("https://query2.finance.yahoo.com/v1/test/getcrumb").await?;
        }
        let found = crumb.is_some();
        self.session.set_crumb(crumb);
        Ok(found)
    }

    async fn crumb(&self, address: &str) -> Result<Option<String>, Asked> {
        let reply = self.step(address, JSON, None).await?;
        let sound = reply.filter(|reply| reply.raw.status == 200 && !is_consent(&reply.last));
        Ok(sound.and_then(|reply| crumb_of(&reply.raw.body)))
    }

    /// Goes through the consent form; tells whether there was one.
    async fn consent(&self) -> Result<bool, Asked> {
        let page = self.step("https://guce.yahoo.com/consent", HTML, None).await?;
        let form = page.and_then(|page| consent_form(&page.last, &String::from_utf8_lossy(&page.raw.body)));
        let Some(form) = form else {
            return Ok(false);
        };
        self.step(form.action.as_str(), HTML, Some(form.body)).await?;
        let Ok(copy) = Url::parse("https://guce.yahoo.com/copyConsent") else {
            return Ok(false);
        };
        let copy = with_session(copy, &form.session);
        self.step(copy.as_str(), HTML, None).await?;
        Ok(true)
    }

    /// One step of a session: only a refusal of the rate limit ends it, anything else is a step that
    /// did not work out.
    async fn step(&self, address: &str, accept: &str, form: Option<String>) -> Result<Option<Reply>, Asked> {
        let Ok(url) = Url::parse(address) else {
            return Ok(None);
        };
        match self.ask(url, accept, form).await {
            Ok(reply) => Ok(Some(reply)),
            Err(Asked::Http(error)) => {
                debug!("a session step: {error}");
                Ok(None)
            }
            Err(asked) => Err(asked),
        }
    }
}

/// Why a request has no answer.
enum Asked {
    /// By our own rate limit or an open circuit: nothing was sent.
    Refused(Refusal),
    /// By a 429, which this is.
    Limited(Refusal, Box<RawAnswer>),
    /// On the way.
    Http(HttpError),
}
