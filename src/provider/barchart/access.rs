//! By which way it is asked: what the person has decides, not a switch.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::session::{self, Cookies};
use crate::config::BarchartSettings;

/// What gives access to Barchart.
#[derive(Clone, Debug)]
pub enum Access {
    /// A key of the OnDemand service.
    Key(SecretString),
    /// The session of the person's own browser.
    Session(Cookies),
    /// Name and password, through the site's login form.
    Login {
        /// The account's name.
        username: SecretString,
        /// Its password.
        password: SecretString,
    },
    /// Nothing: files that were downloaded by hand can be imported.
    None,
}

impl Access {
    /// The way that the settings and the stored session allow: a key before a session, a session before a login.
    /// An error says what is wrong with the session's file.
    pub fn of(settings: &BarchartSettings, session_file: &Path) -> Result<Access, String> {
        if let Some(key) = &settings.api_key {
            return Ok(Access::Key(key.clone()));
        }
        if let Some(cookies) = session::load(session_file)? {
            return Ok(Access::Session(cookies));
        }
        Ok(match (&settings.username, &settings.password) {
            (Some(username), Some(password)) => {
                Access::Login { username: username.clone(), password: password.clone() }
            }
            _ => Access::None,
        })
    }

    /// In words, for lists.
    pub fn words(&self) -> &'static str {
        match self {
            Access::Key(_) => "OnDemand key",
            Access::Session(_) => "session of a browser",
            Access::Login { .. } => "name and password",
            Access::None => "none: imported files only",
        }
    }

    /// Whose allowance is spent; a hash of it alone is kept. Of a session nobody knows whose it is: that is one
    /// person's here.
    pub(super) fn identity(&self) -> String {
        match self {
            Access::Key(key) => format!("key {}", key.expose_secret()),
            Access::Session(_) | Access::None => "session".to_owned(),
            Access::Login { username, .. } => {
                format!("account {}", username.expose_secret().trim().to_lowercase())
            }
        }
    }
}
