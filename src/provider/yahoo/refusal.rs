//! What an answer without bars means. Told apart by HTTP status and the service's own error envelope,
//! never by looking for numbers in texts: an instant in a text may well contain 429.

use std::borrow::Cow;

use serde::Deserialize;

use super::NAME;
use super::chart::{Chart, Fault, INSTANTS, Reply};
use crate::provider::{RawAnswer, Refusal};

/// How long a rate limit is taken to hold where nothing else is known, in seconds.
const LIMITED_FOR: i64 = 15 * 60;

/// How much of an answer's text goes into a message.
const SAID_CHARS: usize = 160;

/// What the service sends when it is down, also with status 200.
const DOWN: &str = "Will be right back";

/// What comes before the days of the reach, where a window begins too early.
const WITHIN: &str = "must be within the last";

/// The chart in an answer, or why there is none.
pub(super) fn chart_of(raw: &RawAnswer, code: &str) -> Result<Chart, Refusal> {
    if raw.status != 200 {
        return Err(refusal(raw, fault(&raw.body), code));
    }
    if !looks_like_json(&raw.body) {
        return Err(not_json(raw));
    }
    let reply: Reply = serde_json::from_slice(&raw.body)
        .map_err(|error| unusable(format!("the JSON cannot be read: {error}")))?;
    let Some(body) = reply.chart else {
        return Err(refusal(raw, fault(&raw.body), code));
    };
    if let Some(fault) = body.error {
        return Err(refusal(raw, Some(fault), code));
    }
    let chart = body.result.and_then(|charts| charts.into_iter().next());
    let chart = chart.ok_or_else(|| unusable("neither a result nor an error is in it".to_owned()))?;
    let strange = chart.instants().find(|(_, stamp)| !INSTANTS.contains(stamp));
    match strange {
        Some((field, stamp)) => {
            Err(unusable(format!("its {field} {stamp} is no instant of the years 1800 to 2300")))
        }
        None => Ok(chart),
    }
}

/// Whether the service is down for a while: worth a retry.
pub(super) fn is_down(raw: &RawAnswer) -> bool {
    raw.status >= 500 || (!looks_like_json(&raw.body) && text(&raw.body).contains(DOWN))
}

/// Whether this is a page for a person in place of data, as the consent form is.
pub(super) fn is_page(raw: &RawAnswer) -> bool {
    raw.status == 200 && !looks_like_json(&raw.body) && !is_down(raw)
}

fn refusal(raw: &RawAnswer, fault: Option<Fault>, code: &str) -> Refusal {
    let enveloped = fault.is_some();
    let fault = fault.unwrap_or_else(|| Fault { code: String::new(), description: Some(said(raw)) });
    let said = fault.description.unwrap_or_default();
    // An error may come with status 200; its code then says which it is.
    let status = match (raw.status, fault.code.to_ascii_lowercase().as_str()) {
        (200, "not found") => 404,
        (200, "bad request") => 400,
        (200, "unauthorized") => 401,
        (200, "unprocessable entity") => 422,
        (status, _) => status,
    };
    match status {
        404 if enveloped => Refusal::Unknown { provider: NAME, code: code.to_owned(), said },
        400 if said.starts_with("Data doesn't exist") => {
            Refusal::EmptyWindow { clock: raw.date().unwrap_or(raw.received), said }
        }
        422 if said.contains(WITHIN) => Refusal::TooOld { reach_days: reach_days(&said), said },
        422 if said.contains("worth of") && said.contains("per request") => Refusal::TooWide { said },
        400 | 422 if enveloped => Refusal::Invalid { provider: NAME, said },
        401 => Refusal::Denied { provider: NAME, said: format!("{said} (also with a fresh session)") },
        403 => Refusal::Denied {
            provider: NAME,
            said: format!("{said}; this address may be blocked, try another network"),
        },
        429 => Refusal::Limited { provider: NAME, until: raw.received + LIMITED_FOR, said },
        500.. => Refusal::Unavailable { provider: NAME, said: format!("status {status}: {said}") },
        _ => unusable(format!("status {status}: {said}")),
    }
}

fn not_json(raw: &RawAnswer) -> Refusal {
    if is_down(raw) {
        return Refusal::Unavailable { provider: NAME, said: "Yahoo says \"Will be right back\"".to_owned() };
    }
    if is_html(&raw.body) {
        return Refusal::Denied {
            provider: NAME,
            said: "it sends a page for a person in place of data, most likely its consent form for European addresses; providers.yahoo.agree_to_consent = true agrees to it on your behalf".to_owned(),
        };
    }
    unusable(format!("no JSON but: {}", said(raw)))
}

/// The error in an envelope, of whichever kind.
fn fault(body: &[u8]) -> Option<Fault> {
    #[derive(Deserialize)]
    struct Envelope {
        #[serde(alias = "finance")]
        chart: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        error: Option<Fault>,
    }
    serde_json::from_slice::<Envelope>(body).ok()?.chart.error
}

/// The days in "... must be within the last 60 days."
fn reach_days(said: &str) -> Option<i32> {
    let (_, after) = said.split_once(WITHIN)?;
    let mut words = after.split_whitespace();
    let days = words.next()?.parse().ok()?;
    words.next()?.starts_with("day").then_some(days)
}

/// The provider's own words, short and on one line.
fn said(raw: &RawAnswer) -> String {
    if is_html(&raw.body) {
        return "a page for a person".to_owned();
    }
    let words: Vec<String> = text(&raw.body).split_whitespace().map(str::to_owned).collect();
    match words.is_empty() {
        true => "no words".to_owned(),
        false => words.join(" ").chars().take(SAID_CHARS).collect(),
    }
}

/// The beginning of a body, as text.
fn text(body: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(body.get(..64 << 10).unwrap_or(body))
}

fn looks_like_json(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'{')
}

fn is_html(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'<')
}

pub(super) fn unusable(said: String) -> Refusal {
    Refusal::Unusable { provider: NAME, said }
}
