//! The cookie and crumb that the service wants now and then, and its consent form.
//!
//! A chart needs neither, as a rule; both are tried only after a 401 or a page in place of data.

use std::sync::{Mutex, PoisonError};

use url::Url;
use url::form_urlencoded::Serializer;

use crate::provider::http::html;

/// What is kept between requests.
#[derive(Default)]
pub struct Session {
    crumb: Mutex<Option<String>>,
    /// One refresh at a time.
    pub(super) refreshing: tokio::sync::Mutex<()>,
    /// Agree to the consent form on the person's behalf.
    pub(super) agree: bool,
}

impl Session {
    /// The crumb in use.
    pub(super) fn crumb(&self) -> Option<String> {
        let crumb = self.crumb.lock();
        crumb.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Uses another crumb from now on.
    pub(super) fn set_crumb(&self, crumb: Option<String>) {
        *self.crumb.lock().unwrap_or_else(PoisonError::into_inner) = crumb;
    }
}

/// A crumb is a secret: it is only told whether there is one.
impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let crumb = self.crumb().is_some();
        write!(f, "Session {{ crumb: {crumb}, agree: {} }}", self.agree)
    }
}

/// The crumb in the body of a `getcrumb` answer. Pages and error texts come with status 200 too.
pub fn crumb_of(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let plausible = (4..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && !text.contains(['<', '{']);
    plausible.then(|| text.to_owned())
}

/// Whether an address belongs to the consent form.
pub fn is_consent(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host == "guce.yahoo.com"
        || host == "consent.yahoo.com"
        || host.ends_with(".consent.yahoo.com")
        || url.path().ends_with("/collectConsent")
}

/// The filled-in consent form: where to send it, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentForm {
    /// Where it goes.
    pub action: Url,
    /// URL-encoded.
    pub body: String,
    /// The form's session, which the last step needs too.
    pub session: String,
}

/// Fills in the consent form of a page; `None` where the page has none.
pub fn consent_form(page: &Url, html: &str) -> Option<ConsentForm> {
    let of_page = |name: &str| {
        let mut pairs = page.query_pairs();
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    let token = html::hidden(html, "csrfToken")?;
    let session = html::hidden(html, "sessionId").or_else(|| of_page("sessionId"))?;
    let done =
        html::hidden(html, "originalDoneUrl").unwrap_or_else(|| "https://finance.yahoo.com/".to_owned());
    let body = Serializer::new(String::new())
        .append_pair("csrfToken", &token)
        .append_pair("sessionId", &session)
        .append_pair("originalDoneUrl", &done)
        .append_pair("namespace", "yahoo")
        .append_pair("consentUUID", "default")
        .append_pair("agree", "agree")
        .append_pair("agree", "agree")
        .finish();
    let action = page.join("/v2/collectConsent").ok()?;
    Some(ConsentForm { action: with_session(action, &session), body, session })
}

/// An address of the consent service with the form's session.
pub(super) fn with_session(mut url: Url, session: &str) -> Url {
    url.query_pairs_mut().clear().append_pair("sessionId", session);
    url
}
