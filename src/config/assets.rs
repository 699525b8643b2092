//! The instruments file: which one is in force, and what it says, fully checked.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::document::{Member, Node, of_json, of_toml};
use super::error::{ConfigError, Problem};
use super::file::{self, Accept};
use crate::model::instrument::DEFAULT_DAYS_COUNT;
use crate::model::{Class, Contract, Day, Instrument, Period, contract, symbol};

/// Where containers keep further lists: a mounted configuration, and the image's own.
const CONTAINER_FOLDERS: [&str; 2] = ["/config", "/app/config"];

/// The lists that come with the program.
const SHIPPED: [(&str, &str); 5] = [
    ("default", include_str!("../../config/assets/default.json")),
    ("yahoo", include_str!("../../config/assets/yahoo.json")),
    ("barchart", include_str!("../../config/assets/barchart.json")),
    ("ibkr", include_str!("../../config/assets/ibkr.json")),
    ("sample", include_str!("../../config/assets/sample.json")),
];

const FIELDS: &[&str] = &[
    "code",
    "periods",
    "start_date",
    "tick_date",
    "cycle",
    "days_count",
    "conId",
    "exchange",
    "currency",
    "multiplier",
    "localSymbol",
    "tradingClass",
];

/// Where a list is that comes with the program.
pub const BUILT_IN: &str = "built-in";

/// The list in force for a provider, and where it is: the file named, else `assets.json` in the
/// configuration folder, `assets/<provider>.json` or `assets/default.json` there (each also as
/// `.toml`), else the one that comes with the program, [`BUILT_IN`]. A file that is there and
/// broken is an error, never passed over.
pub fn find(
    provider: &str,
    explicit: Option<(&Path, Accept)>,
    folder: &Path,
) -> Result<(String, Vec<Instrument>), ConfigError> {
    if let Some((file, accept)) = explicit {
        return match read(file, accept, provider)? {
            Some(list) => Ok((file.display().to_string(), list)),
            None => {
                let said =
                    "there is no such instruments file; --assets and VORTEX_ASSETS_FILE name an existing one";
                Err(ConfigError::one(file.display().to_string(), said))
            }
        };
    }
    for file in candidates(provider, folder) {
        if let Some(list) = read(&file, Accept::File, provider)? {
            return Ok((file.display().to_string(), list));
        }
    }
    let shipped = |name: &str| SHIPPED.iter().find(|(known, _)| *known == name);
    let (name, text) = shipped(provider).unwrap_or(&SHIPPED[0]);
    let list = parse(&format!("built-in {name}.json"), text, provider)?;
    Ok((BUILT_IN.to_owned(), list))
}

fn candidates(provider: &str, folder: &Path) -> Vec<PathBuf> {
    let names = ["assets".to_owned(), format!("assets/{provider}"), "assets/default".to_owned()];
    let folders = std::iter::once(folder).chain(CONTAINER_FOLDERS.map(Path::new));
    folders
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .flat_map(|stem| ["json", "toml"].map(|end| PathBuf::from(format!("{}.{end}", stem.display()))))
        .collect()
}

/// Reads a file, `None` where there is none.
fn read(file: &Path, accept: Accept, provider: &str) -> Result<Option<Vec<Instrument>>, ConfigError> {
    let name = file.display().to_string();
    match file::read_text(file, accept) {
        Ok(Some(text)) => parse(&name, &text, provider).map(Some),
        Ok(None) => Ok(None),
        Err(error) => Err(ConfigError::one(name, error.to_string())),
    }
}

/// Reads the text of an instruments file, TOML where its name ends so, else JSON. The instruments
/// are in the order of a JSON file. The error names everything that is wrong.
pub fn parse(name: &str, text: &str, provider: &str) -> Result<Vec<Instrument>, ConfigError> {
    let root = if name.ends_with(".toml") { of_toml(name, text) } else { of_json(name, text) };
    let root = root.map_err(|problem| ConfigError::new(vec![problem]))?;
    let mut reader = Reader { file: name, provider, problems: Vec::new() };
    let list = reader.read_root(&root);
    if reader.problems.is_empty() { Ok(list) } else { Err(ConfigError::new(reader.problems)) }
}

struct Reader<'a> {
    file: &'a str,
    provider: &'a str,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, line: usize, said: String) {
        let place = format!("{}:{line}", self.file);
        self.problems.push(Problem::new(place, said));
    }

    fn read_root(&mut self, root: &Node) -> Vec<Instrument> {
        let mut list = Vec::new();
        let Node::Table(classes) = root else {
            let said = format!("the file is {}; allowed: a table of classes", root.shown());
            self.problem(1, said);
            return list;
        };
        let mut seen = HashSet::new();
        for member in classes {
            let class: Option<Class> = member.name.parse().ok();
            match (class, &member.value) {
                (None, _) => {
                    let names = Class::ALL.map(Class::name);
                    let said = unknown("class", &member.name, &names);
                    self.problem(member.line, said);
                }
                (Some(_), _) if !seen.insert(class) => {
                    let said =
                        format!("class {} is there twice; put all its instruments in one", member.name);
                    self.problem(member.line, said);
                }
                (Some(class), Node::Table(members)) => self.read_class(class, members, &mut list),
                (Some(class), other) => {
                    let said = format!(
                        "class {class} is {}; allowed: a table of instruments by name",
                        other.shown()
                    );
                    self.problem(member.line, said);
                }
            }
        }
        list
    }

    fn read_class(&mut self, class: Class, members: &[Member], list: &mut Vec<Instrument>) {
        let mut seen = HashSet::new();
        for member in members {
            if let Err(said) = symbol::encode(&member.name) {
                self.problem(member.line, format!("{class}: {said}"));
            }
            if !seen.insert(&member.name) {
                let said = format!("{class}.{} is there twice; take one away", member.name);
                self.problem(member.line, said);
            }
            match &member.value {
                Node::Table(fields) => list.push(self.read_instrument(class, member, fields)),
                other => {
                    let said = format!(
                        "{class}.{} is {}; allowed: a table of fields such as {{\"code\": \"AAPL\"}}",
                        member.name,
                        other.shown()
                    );
                    self.problem(member.line, said);
                }
            }
        }
    }

    fn read_instrument(&mut self, class: Class, member: &Member, fields: &[Member]) -> Instrument {
        let mut instrument = Instrument::plain(&member.name, "", class);
        let mut seen = HashSet::new();
        for field in fields {
            let path = format!("{class}.{}.{}", member.name, field.name);
            if !seen.insert(&field.name) {
                self.problem(field.line, format!("{path} is there twice; take one away"));
            } else if !FIELDS.contains(&field.name.as_str()) {
                let said = unknown("field", &field.name, FIELDS);
                self.problem(field.line, format!("{class}.{}: {said}", member.name));
            } else if field.value == Node::Null && field.name != "code" {
                // The same as not being there.
            } else if let Err(allowed) = set_field(&mut instrument, &field.name, &field.value) {
                let value = field.value.shown();
                self.problem(field.line, format!("{path} is {value}; allowed: {allowed}"));
            }
        }
        let path = format!("{class}.{}", member.name);
        if !seen.iter().any(|name| *name == "code") {
            let said = format!("{path} has no code; set it to the provider's symbol");
            self.problem(member.line, said);
        }
        // Which century it would be does not matter.
        if instrument.cycle.is_some()
            && let Some((root, _)) = Contract::of_code(&instrument.code, Day::new(0))
        {
            let (code, contract) =
                (&instrument.code, "is one contract, and a cycle makes contracts of a root");
            let said =
                format!("{path}.code is {code:?}, which {contract}; write {root:?}, or leave out the cycle");
            self.problem(member.line, said);
        }
        let dated = class == Class::Future && matches!(self.provider, "barchart" | "ibkr");
        if dated && !seen.iter().any(|name| *name == "cycle") {
            let provider = self.provider;
            let said =
                format!("{path} has no cycle, which {provider} needs; allowed: month codes such as \"HMUZ\"");
            self.problem(member.line, said);
        }
        if dated && instrument.cycle.is_some() && instrument.broker.con_id.is_some() {
            let said = format!(
                "{path} has conId and cycle: the number is that of one contract, the cycle means many; leave conId out"
            );
            self.problem(member.line, said);
        }
        instrument
    }
}

/// Sets one field; the error says what is allowed.
fn set_field(instrument: &mut Instrument, name: &str, value: &Node) -> Result<(), String> {
    let broker = &mut instrument.broker;
    match name {
        "code" => instrument.code = text(value)?,
        "periods" => instrument.periods = Some(periods(value)?),
        "start_date" => instrument.start_date = Some(day(value)?),
        "tick_date" => instrument.tick_date = Some(day(value)?),
        "cycle" => instrument.cycle = Some(cycle(instrument.class, value)?),
        "days_count" => instrument.days_count = days_count(value)?,
        "conId" => match value {
            Node::Integer(number) if *number > 0 => broker.con_id = Some(*number),
            _ => return Err("the broker's contract number, from 1 up".to_owned()),
        },
        "multiplier" => match value {
            Node::Integer(number) if *number > 0 => broker.multiplier = Some(number.to_string()),
            Node::Number(number) => broker.multiplier = Some(number.clone()),
            value => broker.multiplier = Some(text(value)?),
        },
        "exchange" => broker.exchange = Some(text(value)?),
        "currency" => broker.currency = Some(text(value)?),
        "localSymbol" => broker.local_symbol = Some(text(value)?),
        _ => broker.trading_class = Some(text(value)?),
    }
    Ok(())
}

fn text(value: &Node) -> Result<String, String> {
    match value {
        Node::Text(text)
            if !text.trim().is_empty() && text.len() <= 100 && !text.chars().any(char::is_control) =>
        {
            Ok(text.trim().to_owned())
        }
        _ => Err("a text of 1 to 100 bytes without control characters".to_owned()),
    }
}

/// A comma list; an empty one disables the instrument.
fn periods(value: &Node) -> Result<Vec<Period>, String> {
    let names = Period::ALL.map(Period::name).join(", ");
    let allowed = || format!("a comma list of {names}; \"\" disables the instrument");
    let Node::Text(text) = value else {
        return Err(allowed());
    };
    let mut periods = Vec::new();
    for name in text.split(',').filter(|_| !text.trim().is_empty()) {
        let period = name.trim().parse().map_err(|_| allowed())?;
        if !periods.contains(&period) {
            periods.push(period);
        }
    }
    Ok(periods)
}

fn day(value: &Node) -> Result<Day, String> {
    match value {
        Node::Text(text) => Day::asked(text).ok(),
        _ => None,
    }
    .ok_or_else(|| format!("a date such as \"2024-01-31\", not before {}", Day::EARLIEST))
}

fn cycle(class: Class, value: &Node) -> Result<String, String> {
    if class != Class::Future {
        return Err("none: only futures have a cycle".to_owned());
    }
    match value {
        Node::Text(text) => contract::cycle(text),
        _ => contract::cycle(""),
    }
}

const LONGEST_CONTRACT: i64 = 10_000;

fn days_count(value: &Node) -> Result<u32, String> {
    match value {
        Node::Integer(days) if (1..=LONGEST_CONTRACT).contains(days) => u32::try_from(*days).ok(),
        _ => None,
    }
    .ok_or_else(|| format!("days, 1 to {LONGEST_CONTRACT} (default {DEFAULT_DAYS_COUNT})"))
}

fn unknown(what: &str, name: &str, allowed: &[&str]) -> String {
    let near = allowed
        .iter()
        .min_by_key(|known| strsim::damerau_levenshtein(known, name))
        .filter(|known| strsim::damerau_levenshtein(known, name) <= 3)
        .map_or(String::new(), |known| format!("; did you mean {known}?"));
    format!("unknown {what} {name:?}; allowed: {}{near}", allowed.join(", "))
}

#[cfg(test)]
mod tests;
