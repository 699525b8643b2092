//! What an answer without bars means, told apart by where it came from and what it is; each with what to do.

use serde_json::Value;

use super::csv::Refused;
use super::page::{self, Page};
use super::read::clock;
use super::request::symbol;
use super::{FEWER_ROWS, MOST_ROWS, NAME, ZONE};
use crate::model::Day;
use crate::provider::http::html;
use crate::provider::limits::RESET_MARGIN;
use crate::provider::{RawAnswer, Refusal, Request};

/// How much of an answer's text goes into a message.
const SAID_CHARS: usize = 160;

/// The ways that are left to who cannot log in.
const OTHER_WAYS: &str = "log in with your own browser and store its session (`vortex providers --login barchart`), set providers.barchart.api_key, or import files downloaded by hand (`vortex import`)";

/// All ways there are, the one that works best first.
pub const WAYS: &str = "log in with your own browser and store its session (`vortex providers --login barchart`); or set providers.barchart.api_key; or import files downloaded by hand (`vortex import`); or, while the site takes them from programs, set username and password (`vortex config --provider barchart --set-credentials`)";

/// Nobody said as whom to ask.
pub(super) fn no_account() -> Refusal {
    denied(format!("there is no account for it here: {WAYS}"))
}

/// The login form came in place of what follows a login.
pub(super) fn login(raw: &RawAnswer) -> Refusal {
    match (raw.status, page_of(raw)) {
        (200, Some(Page::Login)) => denied(
            "it does not accept this username and password; set them anew with `vortex config --provider barchart --set-credentials`"
                .to_owned(),
        ),
        (200, _) => denied(format!("its login page has no token for us: it lets browsers alone log in, and Vortex does not pass for one; {OTHER_WAYS}")),
        _ => by_status(raw, "its login"),
    }
}

/// The page of a symbol's history is none from which something can be downloaded.
pub(super) fn history_page(request: &Request, raw: &RawAnswer) -> Refusal {
    match (raw.status, page_of(raw)) {
        (200, Some(Page::Login)) => logged_out(),
        (200, Some(Page::Limit)) => limited(raw, said(raw)),
        (200, _) => challenged(),
        (404 | 410, _) => not_there(request, format!("its page of historical data answers {}", raw.status)),
        _ => by_status(raw, "its page of historical data"),
    }
}

/// It says that there is no such symbol, which it says of each one whose page has moved as well: of a contract
/// nothing is concluded from that.
pub(super) fn not_there(request: &Request, said: String) -> Refusal {
    let (provider, code) = (NAME, symbol(request));
    match request.contract {
        Some(_) => Refusal::Unlisted { provider, code, said },
        None => Refusal::Unknown { provider, code, said },
    }
}

/// What came in place of an export; `None` where it may be one.
pub(super) fn no_export(raw: &RawAnswer) -> Option<Refusal> {
    if raw.status != 200 {
        return Some(by_status(raw, "its download"));
    }
    match page_of(raw) {
        Some(Page::Login) => return Some(logged_out()),
        Some(Page::Challenge) => return Some(challenged()),
        Some(Page::Limit) => return Some(limited(raw, said(raw))),
        Some(Page::Other) => {
            return Some(unusable(format!("a web page in place of the CSV: {}", said(raw))));
        }
        None => {}
    }
    if !raw.body.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let error = serde_json::from_slice::<Value>(&raw.body).ok().and_then(|value| error_of(&value));
    Some(match error {
        Some(error) if speaks_of_limit(&error) => limited(raw, error),
        Some(error) if speaks_of_login(&error) => logged_out(),
        _ => unusable(format!("JSON in place of the CSV: {}", said(raw))),
    })
}

/// The question for the allowance was not answered with a count.
pub(super) fn allowance(raw: &RawAnswer) -> Refusal {
    match no_export(raw) {
        Some(Refusal::Unusable { .. }) | None => Refusal::Unavailable {
            provider: NAME,
            said: format!("it does not tell how many of the day's downloads are used: {}", said(raw)),
        },
        Some(refusal) => refusal,
    }
}

/// An answer with as many rows as one can have may be cut off.
pub(super) fn too_many(rows: usize) -> Result<(), Refusal> {
    if rows < MOST_ROWS && rows != FEWER_ROWS {
        return Ok(());
    }
    let said = format!("the answer has {rows} rows, as many as one can have, and may lack some");
    Err(Refusal::TooWide { said })
}

/// Why an export cannot be read.
pub(super) fn export(raw: &RawAnswer, refused: Refused) -> Refusal {
    match refused {
        Refused::Limit(said) => limited(raw, said),
        Refused::Truncated => unusable(
            "the CSV is cut off: its last line is no \"Downloaded from Barchart.com as of …\"; nothing of it was taken, it is asked for again by the next run".to_owned(),
        ),
        Refused::NoData(said) => unusable(format!("it had an error instead of data, which often passes: {said}")),
        Refused::Layout { .. } => unusable(format!(
            "its CSV is written in a way that this version does not know: {refused}; the answer is kept in the raw trail, and `vortex download -p replay --from DIR` reads it once a newer version does"
        )),
        other => unusable(other.to_string()),
    }
}

/// The error in the answer to the question for the allowance, or in place of an export.
pub(super) fn error_of(value: &Value) -> Option<String> {
    let text = |value: &Value| match value {
        Value::Null | Value::Bool(false) => None,
        Value::String(text) => Some(short(text)),
        other => Some(short(&other.to_string())),
    };
    text(value.get("error")?).filter(|error| !error.is_empty())
}

/// Whether the site's words are about used up downloads.
pub(super) fn speaks_of_limit(said: &str) -> bool {
    let said = said.to_lowercase();
    ["limit", "exceeded", "allowance", "quota", "maximum"].iter().any(|word| said.contains(word))
}

/// Whether the site's words are about who we are.
pub(super) fn speaks_of_login(said: &str) -> bool {
    let said = said.to_lowercase();
    ["authenticat", "log in", "logged in", "login", "token"].iter().any(|word| said.contains(word))
}

/// The day's downloads are used up, by the provider's own words.
pub(super) fn limited(raw: &RawAnswer, said: String) -> Refusal {
    let zone = jiff::tz::TimeZone::get(ZONE).unwrap_or(jiff::tz::TimeZone::UTC);
    let until = Day::of_local(clock(raw), &zone).plus(1).instant(RESET_MARGIN, &zone);
    Refusal::Limited { provider: NAME, until, said: format!("the day's downloads are used up: {said}") }
}

/// What a status that is not 200 means.
pub(super) fn by_status(raw: &RawAnswer, what: &str) -> Refusal {
    let (status, said) = (raw.status, said(raw));
    match status {
        419 => logged_out(),
        401 | 403 => denied(format!(
            "{what} answers {status} ({said}): the session has ended, or this address or program is not let in; {OTHER_WAYS}"
        )),
        429 => limited(raw, said),
        500.. => Refusal::Unavailable { provider: NAME, said: format!("{what} answers {status}: {said}") },
        _ => unusable(format!("{what} answers {status}: {said}")),
    }
}

fn logged_out() -> Refusal {
    denied("we are not logged in, or no longer: a browser's session ends when it is not used or when you log out there; log in with the browser again and store its session with `vortex providers --login barchart`".to_owned())
}

fn challenged() -> Refusal {
    denied(format!(
        "it wants to see a browser and sends a page for one in place of data; Vortex does not pass for a browser; {OTHER_WAYS}"
    ))
}

pub(super) fn page_of(raw: &RawAnswer) -> Option<Page> {
    html::is_page(&raw.body).then(|| page::of(&String::from_utf8_lossy(&raw.body)))
}

/// The provider's own words, short and on one line; of a page its title.
pub(super) fn said(raw: &RawAnswer) -> String {
    let body = String::from_utf8_lossy(raw.body.get(..64 << 10).unwrap_or(&raw.body));
    if !html::is_page(&raw.body) {
        return short(&body);
    }
    let words = page::words(&body);
    if words.is_empty() { "a page without words".to_owned() } else { short(&words) }
}

fn short(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.is_empty() {
        true => "no words".to_owned(),
        false => words.join(" ").chars().filter(|c| !c.is_control()).take(SAID_CHARS).collect(),
    }
}

fn denied(said: String) -> Refusal {
    Refusal::Denied { provider: NAME, said }
}

pub(super) fn unusable(said: String) -> Refusal {
    Refusal::Unusable { provider: NAME, said }
}
