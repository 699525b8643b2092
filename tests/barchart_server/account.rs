//! Who may come in: accounts, the sessions of their browsers, keys of the service; and what each has downloaded.

use std::collections::BTreeMap;

use serde::Serialize;
use vortex::model::Day;

/// One account of the site.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) email: String,
    pub(super) password: String,
    /// Downloads a day.
    pub(super) limit: u32,
}

/// One session; guests have one too.
#[derive(Clone, Default)]
pub(super) struct Session {
    /// The account's address, once logged in.
    pub(super) email: Option<String>,
    /// The token of its forms.
    pub(super) token: String,
    /// The token of its cookie, as it was last set, decoded.
    pub(super) xsrf: String,
}

/// One download that was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Download {
    /// The account's address, or the service's key.
    pub(crate) account: String,
    /// The day in Chicago.
    pub(crate) day: String,
    pub(crate) symbol: String,
    /// `eod daily`, `minutes 60`.
    pub(crate) what: String,
    pub(crate) start: String,
    pub(crate) end: String,
}

/// Everybody, and what they did.
#[derive(Default)]
pub(super) struct Accounts {
    pub(super) accounts: Vec<Account>,
    pub(super) sessions: BTreeMap<String, Session>,
    /// Keys of the service and their calls a day.
    pub(super) keys: BTreeMap<String, u32>,
    /// What was downloaded by whom on which day in Chicago.
    pub(super) used: BTreeMap<(String, i32), u32>,
    made: u64,
}

impl Accounts {
    /// A new session, as the value of its cookie.
    pub(super) fn open(&mut self, email: Option<&str>) -> String {
        self.made += 1;
        let cookie = format!("session{:06}secret", self.made);
        let token = format!("token{:06}secret", self.made);
        self.sessions
            .insert(cookie.clone(), Session { email: email.map(str::to_owned), token, xsrf: String::new() });
        cookie
    }

    /// A new XSRF token of a session, as it is sent: its last character has to be encoded.
    pub(super) fn new_xsrf(&mut self, cookie: &str) -> Option<String> {
        self.made += 1;
        let session = self.sessions.get_mut(cookie)?;
        session.xsrf = format!("xsrf{:06}secret=", self.made);
        Some(session.xsrf.replace('=', "%3D"))
    }

    /// Whose session it is.
    pub(super) fn account(&self, cookie: &str) -> Option<&Account> {
        let email = self.sessions.get(cookie)?.email.as_ref()?;
        self.accounts.iter().find(|account| account.email == *email)
    }

    pub(super) fn used(&self, who: &str, day: Day) -> u32 {
        self.used.get(&(who.to_owned(), day.number())).copied().unwrap_or_default()
    }

    /// Counts one; false where the limit is reached, and nothing is counted.
    pub(super) fn spend(&mut self, who: &str, day: Day, limit: u32) -> bool {
        let used = self.used.entry((who.to_owned(), day.number())).or_default();
        let left = *used < limit;
        *used += u32::from(left);
        left
    }
}
