//! One request of Barchart's, under its rate and its allowance, and what is noted of the answer.

use std::sync::atomic::Ordering;

use secrecy::ExposeSecret;

use super::refusal::no_export;
use super::{Access, Aside, Barchart, NAME, csv};
use crate::provider::http::{Call, HttpError, Reply, html};
use crate::provider::limits::{Spent, note, unavailable};
use crate::provider::{RawAnswer, Refusal};

/// How often a question that costs nothing is asked again where the connection broke.
const RETRIES: u32 = 2;

/// Why nothing to read came.
pub(super) struct NoReply {
    refusal: Refusal,
    /// A 429: it came, and is kept, but nobody reads it.
    came: Option<Box<RawAnswer>>,
}

impl From<Refusal> for NoReply {
    fn from(refusal: Refusal) -> NoReply {
        NoReply { refusal, came: None }
    }
}

impl Barchart {
    /// Refuses while nothing is left of the day's downloads, before anything is asked; where that is our own count
    /// alone, the site's is asked for first, which costs nothing.
    pub(super) fn check_allowance(&self) -> Result<(), Refusal> {
        let now = (self.now)();
        let allowance =
            self.throttle.allowance(&self.quota, now).map_err(|error| unavailable(NAME, &error))?;
        let ask =
            self.throttle.is_worth_asking(&self.quota, now).map_err(|error| unavailable(NAME, &error))?;
        match allowance.waits_until().filter(|_| !ask) {
            None => Ok(()),
            Some(until) => Err(Refusal::Limited {
                provider: NAME,
                until,
                said: format!("{} of the day's {} downloads are used", allowance.used, allowance.limit),
            }),
        }
    }

    /// Remembers that the provider said in an answer that the day's downloads are used up.
    pub(super) fn note_limit(&self, raw: &RawAnswer) {
        let limited = match no_export(raw) {
            Some(refusal) => matches!(refusal, Refusal::Limited { .. }),
            // An export is longer than such a sentence.
            None => raw.body.len() < 4096 && matches!(csv::read(&raw.body), Err(csv::Refused::Limit(_))),
        };
        if limited {
            note(NAME, self.throttle.exhausted(&self.quota, None, (self.now)()).map(drop));
        }
    }

    /// One request that spends a download, which is given back only where nothing was sent.
    pub(super) async fn ask_counted(&self, call: Call<'_>, spent: Spent) -> Result<Reply, NoReply> {
        if let Err(refusal) = self.throttle.admit(NAME, self.requests_per_minute).await {
            note(NAME, self.throttle.give_back(spent));
            return Err(refusal.into());
        }
        let sent = self.http.send(call).await;
        if let Err(HttpError::Connect { .. } | HttpError::Certificate { .. }) = &sent {
            note(NAME, self.throttle.give_back(spent));
        }
        self.judged(sent)
    }

    /// One request under the rate limit. Where the connection broke, a page is asked for again, a form never.
    pub(super) async fn ask(&self, call: Call<'_>) -> Result<Reply, NoReply> {
        let mut retries = if call.form.is_none() { RETRIES } else { 0 };
        loop {
            self.throttle.admit(NAME, self.requests_per_minute).await?;
            match self.http.send(call.clone()).await {
                Err(HttpError::Broken { .. }) if retries > 0 => retries -= 1,
                sent => return self.judged(sent),
            }
        }
    }

    /// Notes for everybody who asks this provider how it answered. A 429 opens its circuit.
    fn judged(&self, sent: Result<Reply, HttpError>) -> Result<Reply, NoReply> {
        let reply = match sent {
            Ok(reply) => reply,
            Err(error) => return Err(self.throttle.no_answer(NAME, error).into()),
        };
        if let Some(date) = reply.raw.date() {
            self.ahead.store(date - (self.now)(), Ordering::Relaxed);
        }
        match reply.raw.status {
            429 => {
                let refusal = self.throttle.too_many_requests(NAME, &reply.raw);
                Err(NoReply { refusal, came: Some(Box::new(reply.raw)) })
            }
            status @ 500.. => {
                self.throttle.failed(NAME, &format!("it answered {status}"));
                Ok(reply)
            }
            _ => {
                self.throttle.succeeded(NAME);
                Ok(reply)
            }
        }
    }

    /// Puts what came aside, where something did.
    pub(super) fn refused(&self, nothing: NoReply, aside: Aside<'_>) -> Refusal {
        if let Some(raw) = nothing.came {
            aside(&self.kept(*raw));
        }
        nothing.refusal
    }

    /// An answer as it may be kept: of pages without tokens and names.
    pub(super) fn kept(&self, raw: RawAnswer) -> RawAnswer {
        let mut raw = raw.without_secrets();
        if let Access::Login { username, .. } = &self.access
            && html::is_page(&raw.body)
        {
            let page = String::from_utf8_lossy(&raw.body).replace(username.expose_secret(), "removed");
            raw.body = page.into_bytes();
        }
        raw
    }
}
