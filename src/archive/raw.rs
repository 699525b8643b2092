//! The raw trail: answers as received, with what was asked, so that bars can be read from them again.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use flate2::bufread::MultiGzDecoder;
use serde::{Deserialize, Serialize};

use super::files;
use crate::config::RawSettings;
use crate::config::file::{self, Accept, FileError};
use crate::config::keys::PROVIDERS;
use crate::model::{Class, Contract, Day, Days, Instrument, Period, symbol};
use crate::provider::{RawAnswer, Request, http};

/// Faster than zstd's first: most of what is kept here is never read.
const LEVEL: i32 = -1;
/// Headers that could carry a secret, whoever filled them in.
const SECRET_HEADERS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "set-cookie"];

/// The ends of the names of its files: what stands beside a body, and the kinds of bodies.
const ENDINGS: [&str; 4] = [".json", ".body", ".body.gz", ".body.zst"];

/// What stands beside a body is never longer.
const LONGEST_ABOUT: usize = 1 << 20;

/// Where answers are kept.
#[derive(Clone, Debug)]
pub struct RawTrail {
    settings: RawSettings,
    /// Set once the trail's own folder was made.
    made: Arc<OnceLock<()>>,
}

/// What stands beside a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawAbout {
    /// Who answered; the first folder.
    pub provider: String,
    /// The address asked, without secrets.
    pub url: String,
    /// HTTP status.
    pub status: u16,
    /// Names and values, without secrets.
    pub headers: Vec<(String, String)>,
    /// When it arrived, in seconds since the epoch.
    pub received: i64,
    /// The instrument's name.
    pub name: String,
    /// The provider's symbol.
    pub code: String,
    /// The instrument's class.
    pub class: Class,
    /// The dated contract.
    pub contract: Option<Contract>,
    /// The bar length.
    pub period: Period,
    /// The first trading date asked for.
    pub first: String,
    /// The last trading date asked for.
    pub last: String,
    /// The id that the log has as well.
    pub correlation: String,
    /// Which Vortex wrote this.
    pub version: String,
    /// The body's file, beside this one.
    pub body: String,
    /// How many bytes the body has, unpacked; by that one is known that was cut off.
    #[serde(default)]
    pub bytes: Option<u64>,
}

/// One answer of the trail; its body is read when it is wanted.
#[derive(Clone, Debug)]
pub struct RawEntry {
    /// What was asked and how it was answered.
    pub about: RawAbout,
    body: PathBuf,
}

impl RawTrail {
    /// A trail as configured.
    pub fn new(settings: &RawSettings) -> RawTrail {
        RawTrail { settings: settings.clone(), made: Arc::default() }
    }

    /// The folder of it.
    pub fn directory(&self) -> &Path {
        &self.settings.directory
    }

    /// A trail that keeps nothing.
    pub fn off() -> RawTrail {
        RawTrail::new(&RawSettings {
            enabled: false,
            directory: PathBuf::new(),
            retention_days: None,
            compress: false,
            include_metadata: false,
        })
    }

    /// Keeps an answer; where its body lies, `None` where the trail is switched off. Nothing waits
    /// for the disk: what a power loss takes was not needed.
    pub fn keep(&self, provider: &str, request: &Request, answer: &RawAnswer) -> io::Result<Option<PathBuf>> {
        if !self.settings.enabled {
            return Ok(None);
        }
        let at = jiff::Timestamp::from_second(answer.received).map_err(io::Error::other)?;
        let folder = self.folder(provider, &at.strftime("%Y/%m/%d").to_string())?;
        let stem = stem(request, &at.strftime("%H%M%S").to_string())?;
        let (extension, body) = match &answer.gzip {
            _ if !self.settings.compress => ("body", Cow::from(&answer.body)),
            Some(as_it_came) => ("body.gz", Cow::from(as_it_came)),
            None => ("body.zst", Cow::from(zstd::bulk::compress(&answer.body, LEVEL)?)),
        };
        let name = free_name(&folder, &stem);
        let path = folder.join(format!("{name}.{extension}"));
        put(&path, &body)?;
        if self.settings.include_metadata {
            let about = about(provider, request, answer, format!("{name}.{extension}"));
            put(&folder.join(format!("{name}.json")), &serde_json::to_vec_pretty(&about)?)?;
        }
        Ok(Some(path))
    }

    /// Makes the folder of a day. The trail's own is made once: where it is gone later, so is the disk
    /// it was on, and nothing is to be written in its place.
    fn folder(&self, provider: &str, day: &str) -> io::Result<PathBuf> {
        let mut folder = self.settings.directory.clone();
        if self.made.get().is_none() {
            fs::create_dir_all(&folder)?;
            self.made.get_or_init(|| ());
        }
        for name in Path::new(provider).join(day).iter() {
            folder.push(name);
            match fs::create_dir(&folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        Ok(folder)
    }

    /// Removes the days older than the retention; how many. `now` is in seconds since the epoch.
    /// Only files of a trail are removed, below folders of providers, and only the folders that
    /// leaves empty: the trail's folder may be one that others use too.
    pub fn sweep(&self, now: i64) -> io::Result<u64> {
        let Some(days) = self.settings.retention_days else {
            return Ok(0);
        };
        let oldest = Day::of_utc(now).plus(-i32::from(days));
        let mut removed = 0;
        for provider in PROVIDERS.iter().map(|name| self.settings.directory.join(name)) {
            for year in folders(&provider)? {
                let mut year_shrank = false;
                for month in folders(&year)? {
                    let mut month_shrank = false;
                    for day in folders(&month)? {
                        if day_of(&day).is_some_and(|day| day < oldest) && sweep_day(&day)? {
                            removed += 1;
                            month_shrank |= remove_empty(&day)?;
                        }
                    }
                    year_shrank |= month_shrank && remove_empty(&month)?;
                }
                if year_shrank {
                    remove_empty(&year)?;
                }
            }
        }
        Ok(removed)
    }
}

/// The answers below a folder of a raw trail, in the order of their time. Bodies kept without
/// metadata are not among them: nobody knows what they answer. Where one cannot be read, that says so in its place.
pub fn entries(folder: &Path) -> io::Result<impl Iterator<Item = io::Result<RawEntry>>> {
    let mut abouts = files::walk(folder)?;
    abouts.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    // Year, month, day and file name, whatever folder lies above.
    abouts.sort_by_cached_key(|path| {
        let mut words: Vec<_> = path.iter().rev().take(4).map(ToOwned::to_owned).collect();
        words.reverse();
        words
    });
    Ok(abouts.into_iter().map(|path| read_about(&path)))
}

/// Reads a file of a trail, which is regular and no longer than so many bytes; the error names it.
fn read_file(path: &Path, longest: usize) -> io::Result<Vec<u8>> {
    let read =
        file::read_up_to(path, Accept::File, longest as u64).and_then(|it| it.ok_or(FileError::Missing));
    read.map_err(|error| io::Error::other(format!("{} {error}", path.display())))
}

/// Unpacks a body; of one that does not end no more than an answer may have.
fn unpack(packed: impl Read) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    packed.take(http::BODY_LIMIT as u64 + 1).read_to_end(&mut body)?;
    match body.len() > http::BODY_LIMIT {
        true => Err(io::Error::other(format!("it has more than {} MiB unpacked", http::BODY_LIMIT >> 20))),
        false => Ok(body),
    }
}

fn read_about(path: &Path) -> io::Result<RawEntry> {
    let said = |what: String| io::Error::other(format!("{}: {what}", path.display()));
    let text = read_file(path, LONGEST_ABOUT)?;
    let about: RawAbout = serde_json::from_slice(&text).map_err(|error| said(error.to_string()))?;
    // The name of a file, never a path out of the folder.
    if Path::new(&about.body).file_name() != Some(about.body.as_ref()) {
        return Err(said(format!("body {:?} is not a file name", about.body)));
    }
    Ok(RawEntry { body: path.with_file_name(&about.body), about })
}

impl RawEntry {
    /// What was asked.
    pub fn request(&self) -> Result<Request, String> {
        let about = &self.about;
        let days = Days::new(about.first.parse()?, about.last.parse()?)
            .ok_or_else(|| format!("the days {} to {} are reversed", about.first, about.last))?;
        Ok(Request {
            instrument: Instrument::plain(&about.name, &about.code, about.class),
            contract: about.contract,
            period: about.period,
            days,
            correlation: about.correlation.clone(),
        })
    }

    /// The body's file.
    pub fn file(&self) -> &Path {
        &self.body
    }

    /// What was answered, with the body. The error names the file.
    pub fn answer(&self) -> io::Result<RawAnswer> {
        let stored = read_file(&self.body, http::BODY_LIMIT)?;
        let body = match self.body.extension().and_then(OsStr::to_str) {
            Some("zst") => zstd::stream::read::Decoder::with_buffer(stored.as_slice()).and_then(unpack),
            Some("gz") => unpack(MultiGzDecoder::new(stored.as_slice())),
            _ => Ok(stored),
        };
        let said = |what: String| io::Error::other(format!("{}: {what}", self.body.display()));
        let body = body.map_err(|error| said(error.to_string()))?;
        let (there, whole) = (body.len() as u64, self.about.bytes);
        if whole.is_some_and(|whole| whole != there) {
            return Err(said(format!(
                "it has {there} bytes, not the {} that came",
                whole.unwrap_or_default()
            )));
        }
        Ok(RawAnswer {
            url: self.about.url.clone(),
            status: self.about.status,
            headers: self.about.headers.clone(),
            received: self.about.received,
            body,
            gzip: None,
        })
    }
}

fn about(provider: &str, request: &Request, answer: &RawAnswer, body: String) -> RawAbout {
    let public = |(name, _): &&(String, String)| !SECRET_HEADERS.contains(&name.to_lowercase().as_str());
    RawAbout {
        provider: provider.to_owned(),
        url: without_secrets(&answer.url),
        status: answer.status,
        headers: answer.headers.iter().filter(public).cloned().collect(),
        received: answer.received,
        name: request.instrument.name.clone(),
        code: request.instrument.code.clone(),
        class: request.instrument.class,
        contract: request.contract,
        period: request.period,
        first: request.days.first.to_string(),
        last: request.days.last.to_string(),
        correlation: request.correlation.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        body,
        bytes: Some(answer.body.len() as u64),
    }
}

/// The address without parameters that could be secrets; whatever cannot be read as one is dropped.
fn without_secrets(address: &str) -> String {
    url::Url::parse(address).map_or_else(|_| String::new(), |url| http::without_secrets(url).into())
}

fn stem(request: &Request, clock: &str) -> io::Result<String> {
    let name = request.contract.map_or_else(
        || request.instrument.name.clone(),
        |contract| contract.stored_name(&request.instrument.name),
    );
    let name = symbol::encode(&name).map_err(io::Error::other)?;
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }
    };
    let correlation: String = request.correlation.chars().map(plain).take(40).collect();
    Ok(format!("{clock}_{name}_{}_{correlation}", request.period))
}

/// The stem, or the stem with a number where one second brought two answers to one request.
fn free_name(folder: &Path, stem: &str) -> String {
    // Of one kind of body or another: what stands beside it has one name.
    let taken = |name: &str| ENDINGS.iter().any(|ending| folder.join(format!("{name}{ending}")).exists());
    let mut name = stem.to_owned();
    let mut number = 2;
    while taken(&name) {
        name = format!("{stem}-{number}");
        number += 1;
    }
    name
}

/// Written under another name first, so that nobody reads half of it.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    let temporary = path.with_file_name(name);
    fs::write(&temporary, bytes)?;
    fs::rename(&temporary, path)
}

fn folders(path: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Removes the files of a trail from a folder; whether there were any.
fn sweep_day(folder: &Path) -> io::Result<bool> {
    let mut found = false;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() && entry.file_name().to_str().is_some_and(is_of_a_trail) {
            fs::remove_file(entry.path())?;
            found = true;
        }
    }
    Ok(found)
}

/// Whether a file is named as [`RawTrail::keep`] names them, or as [`put`] does before.
fn is_of_a_trail(name: &str) -> bool {
    let name = name.strip_prefix('.').unwrap_or(name);
    let stem = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending));
    let Some((clock, words)) = stem.and_then(|stem| stem.split_once('_')) else {
        return false;
    };
    let is_clock = clock.len() == 6 && clock.bytes().all(|byte| byte.is_ascii_digit());
    // The name and the correlation around the period may have underscores of their own.
    is_clock && words.split('_').skip(1).any(|word| word.parse::<Period>().is_ok())
}

/// Removes a folder where nothing is in it; whether it did.
fn remove_empty(folder: &Path) -> io::Result<bool> {
    let empty = fs::read_dir(folder)?.next().is_none();
    if empty {
        fs::remove_dir(folder)?;
    }
    Ok(empty)
}

/// The date of a folder `…/2024/03/31`.
fn day_of(folder: &Path) -> Option<Day> {
    let mut words = folder.iter().rev().map(|word| word.to_str());
    let (day, month, year) = (words.next()??, words.next()??, words.next()??);
    format!("{year}-{month}-{day}").parse().ok()
}

#[cfg(test)]
mod tests;
