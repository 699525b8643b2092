//! The cookies of one provider: by name, in memory, sent only to that provider's hosts.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// More cookies than any provider sets.
const MOST_COOKIES: usize = 50;

/// A cookie jar. Domain, path and lifetime are left aside: all hosts are one provider's, and the jar
/// lives no longer than the process.
#[derive(Default)]
pub(super) struct Cookies(Mutex<BTreeMap<String, String>>);

impl Cookies {
    /// Takes in a Set-Cookie header.
    pub(super) fn keep(&self, header: &str) {
        let pair = header.split(';').next().unwrap_or_default();
        let Some((name, value)) = pair.split_once('=') else {
            return;
        };
        let sound = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let mut jar = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (name, value) = (name.trim(), value.trim());
        if !name.is_empty() && sound(name) && sound(value) && jar.len() < MOST_COOKIES {
            jar.insert(name.to_owned(), value.to_owned());
        }
    }

    /// The value of a cookie.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        let jar = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jar.get(name).cloned()
    }

    /// Forgets all.
    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The Cookie header, where there is anything to send.
    pub(super) fn header(&self) -> Option<String> {
        let jar = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pairs: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

/// Cookies are secrets: only their number is told.
impl std::fmt::Debug for Cookies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let jar = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        write!(f, "Cookies({})", jar.len())
    }
}
