//! Types of configuration values: what is allowed, and reading them from TOML and from text.

use std::net::{IpAddr, SocketAddr};

use secrecy::SecretString;
use toml::de::DeValue;
use url::{Host, Url};

use super::keys::PROVIDERS;
use crate::model::{Calendar, Period};

/// The type of a key, with its allowed values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number, both bounds included.
    Integer {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// Days, 1 to 365, or `none`.
    Retention,
    /// Any text.
    Text,
    /// Text that is never shown.
    Secret,
    /// A file or folder.
    Path,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Some of these words.
    Choices(&'static [&'static str]),
    /// A log level, in upper or lower case.
    Level,
    /// The name of a provider.
    Provider,
    /// Some texts.
    Texts,
    /// Some bar periods.
    Periods,
    /// Scheme, host and port that speak HTTPS, or HTTP on loopback.
    BaseUrl,
    /// The same with any path.
    Url,
    /// An address of this machine, with or without port.
    Listen,
    /// A host name or address.
    Host,
    /// A path of a URL.
    HttpPath,
    /// Text that may stand in an HTTP header.
    Header,
    /// Five cron fields, or nothing.
    Cron,
    /// A calendar expression of systemd.
    Calendar,
}

/// A checked value.
#[derive(Clone, Debug)]
pub enum Value {
    /// A truth value.
    Bool(bool),
    /// A number.
    Integer(i64),
    /// A text.
    Text(String),
    /// Some texts.
    List(Vec<String>),
    /// A text that is never shown.
    Secret(SecretString),
}

const LEVELS: &[&str] = &["TRACE", "DEBUG", "INFO", "WARNING", "ERROR"];

impl Kind {
    /// The type in a word or two, for the reference.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Bool => "bool",
            Kind::Integer { .. } => "integer",
            Kind::Retention => "integer or \"none\"",
            Kind::Path => "path",
            Kind::Choices(_) | Kind::Texts | Kind::Periods => "list",
            Kind::BaseUrl | Kind::Url => "URL",
            _ => "string",
        }
    }

    /// What is allowed, in words.
    pub fn allowed(self) -> String {
        match self {
            Kind::Bool => "true or false".to_owned(),
            Kind::Integer { min, max: i64::MAX } => format!("a whole number from {min} up"),
            Kind::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Kind::Retention => "a whole number of days from 1 to 365, or \"none\"".to_owned(),
            Kind::Text => "a text that is not empty".to_owned(),
            Kind::Secret => "one line of text, not empty and without control characters".to_owned(),
            Kind::Path => "the path of a file or folder".to_owned(),
            Kind::Choice(words) => words.join(", "),
            Kind::Choices(words) => format!("a list of {}", words.join(", ")),
            Kind::Level => LEVELS.join(", "),
            Kind::Provider => PROVIDERS.join(", "),
            Kind::Texts => "a list of texts".to_owned(),
            Kind::Periods => format!("a list of {}", Period::ALL.map(Period::name).join(", ")),
            Kind::BaseUrl => {
                "https://host[:port], or http:// where the host is a loopback address; no path".to_owned()
            }
            Kind::Url => {
                "https://host[:port]/path, or http:// where the host is a loopback address".to_owned()
            }
            Kind::Listen => "an address such as 127.0.0.1 or [::1]:9100".to_owned(),
            Kind::Host => "a host name or an address, without a port".to_owned(),
            Kind::HttpPath => "a path that begins with /".to_owned(),
            Kind::Header => "printable ASCII characters".to_owned(),
            Kind::Calendar => "an expression of systemd such as \"Mon..Fri 08:00 Europe/London\"".to_owned(),
            Kind::Cron => "five cron fields such as \"0 8 * * *\", or nothing".to_owned(),
        }
    }

    /// Whether values of this type are never shown.
    pub fn is_secret(self) -> bool {
        self == Kind::Secret
    }

    /// Whether values of this type may hold a secret, and are exported and quoted nowhere.
    pub fn may_hold_secret(self) -> bool {
        matches!(self, Kind::Secret | Kind::Url)
    }

    /// Reads a value of a TOML file; the error says what is wrong and what is allowed.
    pub fn read_toml(self, value: &DeValue<'_>) -> Result<Value, String> {
        let read = match (self, value) {
            (Kind::Bool, DeValue::Boolean(yes)) => Some(Value::Bool(*yes)),
            (Kind::Integer { .. } | Kind::Retention, DeValue::Integer(number)) => {
                let digits = number.as_str().replace('_', "");
                let number = i64::from_str_radix(&digits, number.radix());
                number.ok().map(Value::Integer)
            }
            (Kind::Bool | Kind::Integer { .. }, _) => None,
            (Kind::Choices(_) | Kind::Texts | Kind::Periods, DeValue::Array(items)) => {
                let texts = items.iter().map(|item| item.get_ref().as_str());
                let texts: Option<Vec<_>> = texts.map(|t| t.map(str::to_owned)).collect();
                texts.map(Value::List)
            }
            (Kind::Choices(_) | Kind::Texts | Kind::Periods, _) => None,
            (_, DeValue::String(text)) => Some(self.text(text)),
            _ => None,
        };
        match read.and_then(|value| self.check(value)) {
            Some(value) => Ok(value),
            None => Err(self.refusal(&shown(value))),
        }
    }

    /// Reads a value as written in the environment or on the command line; lists by commas.
    pub fn read_text(self, text: &str) -> Result<Value, String> {
        let trimmed = text.trim();
        let read = match self {
            Kind::Bool => match trimmed.to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Some(Value::Bool(true)),
                "false" | "0" | "no" | "off" => Some(Value::Bool(false)),
                _ => None,
            },
            Kind::Integer { .. } => trimmed.parse().ok().map(Value::Integer),
            Kind::Retention => match trimmed.parse() {
                Ok(days) => Some(Value::Integer(days)),
                Err(_) => Some(self.text(trimmed)),
            },
            Kind::Choices(_) | Kind::Texts | Kind::Periods => {
                let items = trimmed.split(',').map(str::trim);
                let items = items.filter(|item| !item.is_empty());
                Some(Value::List(items.map(str::to_owned).collect()))
            }
            Kind::Secret => Some(self.text(text)),
            _ => Some(self.text(trimmed)),
        };
        read.and_then(|value| self.check(value)).ok_or_else(|| self.refusal(&format!("{text:?}")))
    }

    fn text(self, text: &str) -> Value {
        if self.is_secret() { Value::Secret(SecretString::from(text)) } else { Value::Text(text.to_owned()) }
    }

    /// Checks a value of the right type, and puts it in the one form the program knows.
    fn check(self, value: Value) -> Option<Value> {
        use secrecy::ExposeSecret;
        let good = match (self, &value) {
            (Kind::Integer { min, max }, Value::Integer(n)) => (min..=max).contains(n),
            (Kind::Retention, Value::Integer(days)) => (1..=365).contains(days),
            (Kind::Retention, Value::Text(text)) => text.eq_ignore_ascii_case("none"),
            (Kind::Level, Value::Text(text)) => return level(text),
            (Kind::Provider, Value::Text(text)) if text == "mock" => {
                return Some(Value::Text("sample".to_owned()));
            }
            (Kind::Provider, Value::Text(text)) => PROVIDERS.contains(&text.as_str()),
            (Kind::Choice(words), Value::Text(text)) => words.contains(&text.as_str()),
            (Kind::Choices(words), Value::List(items)) => {
                !items.is_empty() && items.iter().all(|item| words.contains(&item.as_str()))
            }
            (Kind::Texts, Value::List(items)) => items.iter().all(|item| !item.trim().is_empty()),
            (Kind::Periods, Value::List(items)) => items.iter().all(|item| item.parse::<Period>().is_ok()),
            (Kind::Secret, Value::Secret(text)) => {
                let text = text.expose_secret();
                !text.trim().is_empty() && !text.chars().any(char::is_control)
            }
            (_, Value::Text(text)) => self.accepts(text),
            (_, Value::Bool(_)) => true,
            _ => false,
        };
        good.then_some(value)
    }

    fn accepts(self, text: &str) -> bool {
        match self {
            Kind::Cron => {
                text.trim().is_empty()
                    || text.trim_start().starts_with('#')
                    || Calendar::of_cron(text).is_ok()
            }
            Kind::Calendar => Calendar::of_expression(text).is_ok(),
            Kind::BaseUrl => parse_url(text).is_some_and(|url| url.path() == "/" && url.query().is_none()),
            Kind::Url => parse_url(text).is_some(),
            Kind::Listen => parse_listen(text).is_some(),
            Kind::Host => Host::parse(text).is_ok() || text.parse::<IpAddr>().is_ok(),
            Kind::HttpPath => text.starts_with('/') && text.bytes().all(|b| b.is_ascii_graphic()),
            Kind::Header => {
                !text.trim().is_empty() && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
            }
            Kind::Path => !text.trim().is_empty() && !text.contains('\0'),
            _ => !text.trim().is_empty(),
        }
    }

    fn refusal(self, value: &str) -> String {
        let allowed = self.allowed();
        // An address may come with a user and a password, or a key in its query.
        if self.may_hold_secret() || (self == Kind::BaseUrl && value.contains(['@', '?'])) {
            return format!("is not usable; allowed: {allowed}");
        }
        let words = match self {
            Kind::Choice(words) => words,
            Kind::Level => LEVELS,
            Kind::Provider => PROVIDERS,
            _ => &[],
        };
        let plain = value.trim_matches('"');
        let near = words.iter().find(|word| strsim::damerau_levenshtein(word, plain) <= 2);
        match near {
            Some(word) => format!("is {value}; allowed: {allowed}; did you mean {word:?}?"),
            None => format!("is {value}; allowed: {allowed}"),
        }
    }
}

/// A value of a TOML file as a person wrote it, cut where it is long.
fn shown(value: &DeValue<'_>) -> String {
    let text = match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(yes) => yes.to_string(),
        DeValue::Datetime(when) => when.to_string(),
        DeValue::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| shown(item.get_ref())).collect();
            format!("[{}]", items.join(", "))
        }
        DeValue::Table(_) => "a section".to_owned(),
    };
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn level(text: &str) -> Option<Value> {
    let upper = text.to_ascii_uppercase();
    let known = LEVELS.contains(&upper.as_str()) && (text == upper || text == upper.to_lowercase());
    known.then_some(Value::Text(upper))
}

/// An address that may be spoken to: HTTPS, or HTTP on loopback, without user, query or fragment.
pub(super) fn parse_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let loopback = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let scheme = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    (plain && scheme).then_some(url)
}

/// An address to listen on, and its port where it has one.
pub(super) fn parse_listen(text: &str) -> Option<(IpAddr, Option<u16>)> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some((address.ip(), Some(address.port())));
    }
    text.trim_matches(['[', ']']).parse().ok().map(|ip| (ip, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_alone() {
        assert!(Kind::Url.read_text("https://example.com/hook?x=1").is_ok());
        assert!(Kind::BaseUrl.read_text("https://example.com/v8").is_err());
        for good in ["https://example.com", "http://127.0.0.1:8080", "http://[::1]:1", "http://localhost:9"] {
            assert!(Kind::Url.read_text(good).is_ok(), "{good}");
        }
        for bad in ["http://example.com", "ftp://127.0.0.1", "example.com", "https://a:b@example.com"] {
            assert!(Kind::Url.read_text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn levels_and_old_providers_take_one_form() {
        assert!(matches!(Kind::Level.read_text("debug"), Ok(Value::Text(t)) if t == "DEBUG"));
        assert!(matches!(Kind::Provider.read_text("mock"), Ok(Value::Text(t)) if t == "sample"));
        let said = Kind::Provider.read_text("yahooo").unwrap_err();
        assert!(said.contains("did you mean \"yahoo\""), "{said}");
    }

    #[test]
    fn a_secret_is_one_line_and_never_shows_in_an_error() {
        for text in ["hunter2\nhunter3", "hunter2\0", "\u{1b}hunter2", " "] {
            let said = Kind::Secret.read_text(text).unwrap_err();
            assert!(said.contains("one line of text") && !said.contains("hunter2"), "{said}");
        }
        let value = DeValue::Integer(Default::default());
        assert!(!Kind::Secret.read_toml(&value).unwrap_err().contains('0'));
    }
}
