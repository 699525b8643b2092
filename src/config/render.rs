//! The configuration as text: what is in force, the reference and the example file, all from the
//! table of keys.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use url::Url;

use super::fragment::Entry;
use super::keys::{Fallback, KEYS, Key, OLD_NAMES};
use super::kind::{Kind, Value};
use super::load::Loaded;

const MASK: &str = "********";

/// The name of a key in its section, the key, and its value where it has one.
type Line<'a> = (String, &'static Key, Option<&'a Entry>);

impl Loaded {
    /// The configuration in force as TOML, secrets masked; with `origin`, where each value comes
    /// from.
    pub fn to_toml(&self, origin: bool) -> String {
        let mut text = String::new();
        for file in &self.files {
            text.push_str(&format!("# read: {file}\n"));
        }
        for warning in &self.warnings {
            text.push_str(&format!("# warning: {warning}\n"));
        }
        let folder = self.config.config_directory.display();
        text.push_str(&format!("# configuration folder: {folder}\n"));
        let folder = self.config.state_directory.display();
        text.push_str(&format!("# state folder: {folder}\n"));
        for (section, lines) in self.sections() {
            text.push_str(&format!("\n[{section}]\n"));
            for (name, key, entry) in lines {
                text.push_str(&match (entry, key.default) {
                    (Some(entry), _) if origin => {
                        format!("{name} = {}  # {}\n", key.masked(entry).shown(), entry.origin)
                    }
                    (Some(entry), _) => format!("{name} = {}\n", key.masked(entry).shown()),
                    (None, Fallback::Words(words)) => format!("# {name}: {words}\n"),
                    (None, Fallback::Is(_)) => String::new(),
                });
            }
        }
        text
    }

    /// The same for programs: `{"values": {path: {"value", "origin"}}, …}`. Keys that are not set
    /// are null.
    pub fn to_json(&self) -> serde_json::Value {
        let values: BTreeMap<_, _> = self
            .paths()
            .into_iter()
            .map(|(path, key)| {
                let shown = |entry| key.masked(entry).to_json();
                let entry = self
                    .values
                    .get(&path)
                    .map(|entry| json!({ "value": shown(entry), "origin": entry.origin }));
                (path, entry)
            })
            .collect();
        json!({
            "values": values,
            "config_directory": self.config.config_directory,
            "state_directory": self.config.state_directory,
            "files": self.files,
            "warnings": self.warnings,
            "notices": self.notices,
        })
    }

    /// What differs from the built-in values, as a file that can be imported; without secrets.
    pub fn to_export(&self) -> String {
        let mut text = "# Exported by Vortex. Passwords and webhooks are not exported.\n".to_owned();
        for (section, lines) in self.sections() {
            let mut body = String::new();
            for (name, key, entry) in lines {
                match entry {
                    Some(entry) if entry.origin == "default" => {}
                    Some(entry) if key.kind.may_hold_secret() => {
                        let shown = key.masked(entry).shown();
                        body.push_str(&format!("# {name} is set ({shown}), and not exported\n"));
                    }
                    Some(entry) => body.push_str(&format!("{name} = {}\n", entry.value.shown())),
                    None => {}
                }
            }
            if !body.is_empty() {
                text.push_str(&format!("\n[{section}]\n{body}"));
            }
        }
        text
    }

    /// Every path with its key, in the order of the table; those of each watchlist too.
    fn paths(&self) -> Vec<(String, &'static Key)> {
        let lists: BTreeSet<&str> = self
            .values
            .keys()
            .filter_map(|path| path.strip_prefix("watchlists.")?.split('.').next())
            .collect();
        let plain = KEYS.iter().filter(|key| !key.path.contains('*')).map(|key| (key.path.to_owned(), key));
        let named = lists.iter().flat_map(|list| {
            let of_lists = KEYS.iter().filter(|key| key.path.contains('*'));
            of_lists.map(move |key| (key.path.replace('*', list), key))
        });
        plain.chain(named).collect()
    }

    /// Section by section, in the order of the table.
    fn sections(&self) -> Vec<(String, Vec<Line<'_>>)> {
        let mut sections: Vec<(String, Vec<_>)> = Vec::new();
        for (path, key) in self.paths() {
            let (section, name) = path.rsplit_once('.').unwrap_or(("", &path));
            let line = (name.to_owned(), key, self.values.get(&path));
            match sections.iter_mut().find(|(known, _)| known == section) {
                Some((_, lines)) => lines.push(line),
                None => sections.push((section.to_owned(), vec![line])),
            }
        }
        sections
    }
}

impl Value {
    /// As TOML, a secret masked.
    pub fn shown(&self) -> String {
        match self {
            Value::Bool(yes) => yes.to_string(),
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => quoted(text),
            Value::List(items) => {
                let items: Vec<_> = items.iter().map(|item| quoted(item)).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Secret(_) => quoted(MASK),
        }
    }

    fn to_json(&self) -> serde_json::Value {
        match self {
            Value::Bool(yes) => json!(yes),
            Value::Integer(number) => json!(number),
            Value::Text(text) => json!(text),
            Value::List(items) => json!(items),
            Value::Secret(_) => json!(MASK),
        }
    }
}

fn masked_address(text: &str) -> String {
    match Url::parse(text) {
        Ok(url) if text.trim_end_matches('/') == url.origin().ascii_serialization() => text.to_owned(),
        Ok(url) => format!("{}/{MASK}", url.origin().ascii_serialization()),
        Err(_) => MASK.to_owned(),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A key in words, for people; names and values between backquotes.
struct Described {
    path: String,
    kind: &'static str,
    default: String,
    allowed: String,
    variables: String,
    help: &'static str,
}

impl Described {
    fn of(key: &Key) -> Described {
        let default = match key.default {
            Fallback::Is(_) => format!("`{}`", key.fallback().unwrap_or_default()),
            Fallback::Words(words) => words.to_owned(),
        };
        let variables: Vec<_> = key.env.iter().map(|name| format!("`{name}`")).collect();
        Described {
            path: format!("`{}`", key.path.replace('*', "<name>")),
            kind: key.kind.name(),
            default,
            allowed: key.kind.allowed(),
            variables: variables.join(", "),
            help: key.help,
        }
    }
}

/// What the reference says of each key, for the man page: its path, and a paragraph, without backquotes.
pub fn key_paragraphs() -> impl Iterator<Item = [String; 2]> {
    KEYS.iter().map(|key| {
        let Described { path, kind, default, allowed, variables, help } = Described::of(key);
        let mut text = format!("{help} {kind}; allowed: {allowed}. Default: {default}.");
        if !variables.is_empty() {
            text.push_str(&format!(" Environment: {variables}."));
        }
        [path, text].map(|words| words.replace('`', ""))
    })
}

/// What the reference begins with, for the man page: the paragraphs on layers and on variables.
pub fn layers() -> impl Iterator<Item = String> {
    REFERENCE_HEAD.split("\n\n").skip(2).map(|text| text.trim().replace('`', ""))
}

/// The reference of all keys, as Markdown.
pub fn reference() -> String {
    let mut text = REFERENCE_HEAD.to_owned();
    let mut section = "";
    for key in KEYS {
        let (of, _) = key.path.split_once('.').unwrap_or((key.path, ""));
        if of != section {
            section = of;
            text.push_str(&format!("\n## {section}\n\n"));
            text.push_str("| key | type | default | allowed | environment | meaning |\n");
            text.push_str("| --- | --- | --- | --- | --- | --- |\n");
        }
        let Described { path, kind, default, allowed, variables, help } = Described::of(key);
        text.push_str(&format!("| {path} | {kind} | {default} | {allowed} | {variables} | {help} |\n"));
    }
    text.push_str("\n## Old names\n\n");
    for (old, new) in OLD_NAMES {
        text.push_str(&format!("- `{old}` is an old name of `{new}`.\n"));
    }
    text.push_str("- The provider `mock` is an old name of `sample`.\n");
    text
}

const REFERENCE_HEAD: &str = "\
# Configuration reference

Made by `vortex config --reference`; a test compares this page with the program.

Layers, a later one wins: built-in values, `/etc/vortex/config.toml`, `/etc/vortex/conf.d/*.toml`, the user's
`config.toml` (in `$VORTEX_CONFIG_DIR`, else `$XDG_CONFIG_HOME/vortex`, else `~/.config/vortex`), the user's
`conf.d/*.toml`, `.env` and `.env.local` of the working folder (commands only), the environment, the command line.
`vortex config --show --origin` prints the result and where each value comes from. Unknown keys are errors; of a variable `VORTEX_…` that is none
the program warns where a name is near, for others may have such variables (Kubernetes makes `VORTEX_PORT`).

Each variable below may also be given as `<NAME>_FILE`: the contents of that file, which come before `<NAME>`.
Every key can be set as `VORTEX__SECTION__KEY`, such as `VORTEX__PROVIDERS__YAHOO__CONCURRENCY=1`. Lists are
separated by commas there. Credentials of systemd (`barchart.username`, `barchart.password`,
`barchart.api_key`) come before all else. A file that holds a password or key must have mode 0600 (under `/etc` 0640
will do).
";

/// A file with every key, all commented out, at their built-in values.
pub fn example() -> String {
    let mut text = "\
# Vortex configuration: every key with its built-in value; where it has none, with an example, and that is said.
# Take away the # of a section and of the keys in it that you want to set.
# What each means in full: vortex.toml(5), docs/configuration.md. What is in force: vortex config --show --origin
"
    .to_owned();
    let mut section = String::new();
    for key in KEYS {
        let path = key.path.replace('*', "example");
        let (of, name) = path.rsplit_once('.').unwrap_or(("", &path));
        if of != section {
            section = of.to_owned();
            text.push_str(&format!("\n# [{section}]\n"));
        }
        let (value, origin) = match (key.fallback(), key.default) {
            (Some(value), _) => (value, String::new()),
            (None, Fallback::Words("not set")) | (None, Fallback::Is(_)) => {
                (key.kind.example(name), " An example; it is not set.".to_owned())
            }
            (None, Fallback::Words(words)) => {
                (key.kind.example(name), format!(" An example; not set: {words}."))
            }
        };
        text.push_str(&format!("# {}{origin}\n# {name} = {value}\n", key.help));
    }
    text
}

impl Key {
    /// The value as it may be shown: of an address scheme, host and port alone, because a webhook
    /// carries its token in the path, the query or before the host.
    fn masked(&self, entry: &Entry) -> Value {
        match (self.kind, &entry.value) {
            (Kind::Url, Value::Text(text)) => Value::Text(masked_address(text)),
            (_, value) => value.clone(),
        }
    }

    /// The built-in value as TOML.
    fn fallback(&self) -> Option<String> {
        match self.default {
            Fallback::Is(text) => self.kind.read_text(text).ok().map(|value| value.shown()),
            Fallback::Words(_) => None,
        }
    }
}

impl Kind {
    /// A value for the example file, of a key that has no built-in one.
    fn example(self, name: &str) -> String {
        let path = format!("~/vortex/{name}");
        let text = match self {
            Kind::Integer { min: 1980, .. } => "2030",
            Kind::Integer { .. } => "8000",
            Kind::Path => &path,
            Kind::Provider => "yahoo",
            Kind::Bool => "true",
            Kind::Choice(choices) => choices.first().copied().unwrap_or_default(),
            Kind::Texts => "AAPL, MSFT",
            Kind::Periods => "1d, 1h",
            Kind::BaseUrl | Kind::Url => "https://example.com",
            Kind::Listen => "127.0.0.1:8000",
            Kind::Cron => "0 8 * * *",
            Kind::Calendar => "Mon..Fri 08:00",
            _ => "text",
        };
        self.read_text(text).map_or_else(
            |_| quoted(text),
            |value| match value {
                Value::Secret(_) => quoted(text),
                value => value.shown(),
            },
        )
    }
}
