//! The session of the person's own browser: cookies as browsers and their add-ons export them, and the file that
//! keeps them.
//!
//! Only the cookies that say who somebody is are taken. Those by which a site tells browsers from programs are left
//! where they belong: a program that showed them would pass for what it is not.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::config::file::{self, Accept};
use crate::config::store;

/// The cookie of a session.
pub(super) const SESSION: &str = "laravel_session";
/// The cookie whose value goes back as a header with each form.
pub(super) const XSRF: &str = "XSRF-TOKEN";
/// How the cookie begins that makes new sessions for who ticked "remember me".
const REMEMBER: &str = "remember_web_";
/// The longest value of a cookie that browsers keep.
const LONGEST: usize = 4096;

const HEAD: &str = "\
# The session of a browser at barchart.com, stored by `vortex providers --login barchart`.
# It is as good as a password: keep it to yourself (mode 0600), delete it to log out here.
";

/// The cookies of a session, as (name, value).
#[derive(Clone, Debug)]
pub struct Cookies(Vec<(String, SecretString)>);

impl Cookies {
    /// The cookies in what a browser exports: the `cookies.txt` of Netscape's time, a JSON list, a `Cookie:` header
    /// line, or the stored file. `now`, in seconds since the epoch, tells which have run out. Errors name cookies,
    /// never their values.
    pub fn read(text: &str, now: i64) -> Result<Cookies, String> {
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            return Err("there is nothing in it".to_owned());
        }
        let found = if text.starts_with(['[', '{']) { of_json(text)? } else { of_lines(text) };
        if found.is_empty() {
            return Err("no cookie was found in it; give cookies.txt, the JSON of a cookie add-on, or the browser's line \"Cookie: name=value; …\"".to_owned());
        }
        let own = found.iter().filter(|cookie| cookie.is_of_barchart());
        let kept: Vec<&Found> = own.filter(|cookie| is_wanted(&cookie.name)).collect();
        let is_of_session = |cookie: &&&Found| cookie.name != XSRF;
        if kept.iter().find(is_of_session).is_none() {
            return Err(format!(
                "there is no {SESSION} of barchart.com among its {} cookies; log in at www.barchart.com with the browser and export the cookies of that site",
                found.len()
            ));
        }
        let live = |cookie: &&Found| cookie.expires.is_none_or(|expires| expires > now);
        if kept.iter().filter(is_of_session).all(|cookie| !live(cookie)) {
            return Err(format!("its {SESSION} has run out; log in with the browser again and export anew"));
        }
        let mut cookies: Vec<(String, SecretString)> = Vec::new();
        for cookie in kept.into_iter().filter(live) {
            let Found { name, value, .. } = cookie;
            let sound = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b';' | b'"' | b',');
            if value.is_empty() || value.len() > LONGEST || !value.bytes().all(sound) {
                return Err(format!("the value of {name} is none that a cookie can have; export it again"));
            }
            cookies.retain(|(known, _)| known != name);
            cookies.push((name.clone(), value.clone().into()));
        }
        Ok(Cookies(cookies))
    }

    /// Their names, for a message.
    pub fn names(&self) -> String {
        self.0.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Names and values, to be sent.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.expose_secret()))
    }

    /// Keeps them in a file that nobody else can read.
    pub fn store(&self, file: &Path) -> Result<(), String> {
        let mut text = HEAD.to_owned();
        for (name, value) in self.pairs() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name}={value}");
        }
        store::replace(file, &text).map_err(|error| error.to_string())
    }
}

/// The stored session; `None` where there is no file.
pub(super) fn load(file: &Path) -> Result<Option<Cookies>, String> {
    let said = |what: String| format!("{}: {what}", file.display());
    let Some(text) = file::read_text(file, Accept::File).map_err(|error| said(error.to_string()))? else {
        return Ok(None);
    };
    let mode = fs::metadata(file).map_err(|error| said(error.to_string()))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(said(format!(
            "holds a session and may be read by others (mode {mode:04o}): chmod 0600 {}",
            file.display()
        )));
    }
    let again = "; store it again with `vortex providers --login barchart`, or delete the file";
    Cookies::read(&text, 0).map(Some).map_err(|error| said(format!("{error}{again}")))
}

/// Whether a cookie says who somebody is.
fn is_wanted(name: &str) -> bool {
    matches!(name, SESSION | XSRF | "laravel_token") || name.starts_with(REMEMBER)
}

/// One cookie of an export.
struct Found {
    name: String,
    value: String,
    domain: Option<String>,
    /// Seconds since the epoch; `None` for as long as the browser runs.
    expires: Option<i64>,
}

impl Found {
    fn is_of_barchart(&self) -> bool {
        let domain = self.domain.as_deref().map(|domain| domain.trim_start_matches('.'));
        domain.is_none_or(|domain| domain == "barchart.com" || domain.ends_with(".barchart.com"))
    }
}

/// A list of objects, alone or under `cookies`, as add-ons and automation tools write it.
fn of_json(text: &str) -> Result<Vec<Found>, String> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| format!("it is not JSON: line {}", error.line()))?;
    let list = value.get("cookies").unwrap_or(&value);
    let list = list.as_array().ok_or("its JSON is no list of cookies")?;
    let text = |cookie: &Value, name: &str| cookie.get(name).and_then(Value::as_str).map(str::to_owned);
    Ok(list
        .iter()
        .filter_map(|cookie| {
            let expires = ["expirationDate", "expires"].iter().find_map(|name| cookie.get(*name)?.as_f64());
            Some(Found {
                name: text(cookie, "name")?,
                value: text(cookie, "value")?,
                domain: text(cookie, "domain").or_else(|| text(cookie, "host")),
                expires: expires.filter(|expires| *expires > 0.0).map(|expires| expires as i64),
            })
        })
        .collect())
}

/// Lines of `cookies.txt`, which have seven fields between tabs, or pairs between semicolons.
fn of_lines(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.strip_prefix("#HttpOnly_").unwrap_or(line);
        let fields: Vec<&str> = line.split('\t').collect();
        if let [domain, _, _, _, expires, name, value] = fields.as_slice() {
            found.push(Found {
                name: (*name).to_owned(),
                value: value.trim().to_owned(),
                domain: Some((*domain).to_owned()),
                expires: expires.parse().ok().filter(|expires| *expires > 0),
            });
        } else if !line.trim_start().starts_with('#') {
            let line = line.trim();
            let is_header = line.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("cookie:"));
            let pairs = if is_header { line.get(7..).unwrap_or_default() } else { line };
            found.extend(pairs.split(';').filter_map(|pair| {
                let (name, value) = pair.trim().split_once('=')?;
                let name = name.trim().to_owned();
                Some(Found { name, value: value.trim().to_owned(), domain: None, expires: None })
            }));
        }
    }
    found
}
