//! Layers become one configuration: built-in values, system files, the user's files, environment,
//! command line. A later layer wins, key by key.

use std::collections::BTreeMap;
use std::path::Path;

use super::environment;
use super::error::{ConfigError, Problem};
use super::fragment::{Entry, Fragment, Owner, files_of};
use super::keys::{Fallback, KEYS, find, is_idle};
use super::kind::{Kind, Value};
use super::resolve;
use super::settings::Config;
use super::sources::{Overrides, Sources};

/// A configuration that is in force.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What is true.
    pub config: Config,
    /// Every value by dotted path, with its origin.
    pub values: BTreeMap<String, Entry>,
    /// The files that were read or skipped, first to last.
    pub files: Vec<String>,
    /// What a person should look at: old names, files that others may read.
    pub warnings: Vec<String>,
    /// What is only worth a word to who asks for more, such as unknown variables.
    pub notices: Vec<String>,
}

impl Config {
    /// Reads all layers. The error names everything that is wrong, not only the first thing.
    pub fn load(sources: &Sources, overrides: &Overrides) -> Result<Loaded, ConfigError> {
        let mut layers = Layers::default();
        layers.add(built_in());
        layers.add_files(sources);
        layers.add(environment::read(sources));
        layers.add(command_line(overrides));
        layers.finish(sources)
    }

    /// Checks the text of a file that is to become the user's configuration, without the other
    /// layers; `name` is what errors call it.
    pub fn check_text(name: &str, text: &str, sources: &Sources) -> Result<Loaded, ConfigError> {
        let mut layers = Layers::default();
        layers.add(built_in());
        let mut fragment = Fragment::default();
        fragment.read_toml(name, text);
        layers.add(fragment);
        layers.finish(sources)
    }
}

/// Checks the text of a file for itself; `name` is what errors call it.
pub(super) fn check_syntax(name: &str, text: &str) -> Result<(), ConfigError> {
    let mut fragment = Fragment::default();
    fragment.read_toml(name, text);
    if fragment.problems.is_empty() { Ok(()) } else { Err(ConfigError::new(fragment.problems)) }
}

#[derive(Default)]
struct Layers {
    merged: Fragment,
    files: Vec<String>,
}

impl Layers {
    /// Puts a layer over what is there.
    fn add(&mut self, layer: Fragment) {
        self.merged.values.extend(layer.values);
        self.merged.problems.extend(layer.problems);
        self.merged.warnings.extend(layer.warnings);
        self.merged.notices.extend(layer.notices);
    }

    fn add_file(&mut self, path: &Path, owner: Owner) -> bool {
        let Some(fragment) = Fragment::of_file(path, owner) else {
            return false;
        };
        let how = if fragment.skipped { " (skipped: it may not be read)" } else { "" };
        self.files.push(format!("{}{how}", path.display()));
        self.add(fragment);
        true
    }

    fn add_folder(&mut self, folder: &Path, owner: Owner) {
        self.add_file(&folder.join("config.toml"), owner);
        let parts = folder.join("conf.d");
        match files_of(&parts) {
            Ok(files) => {
                for file in files {
                    self.add_file(&file, owner);
                }
            }
            Err(error) => self.merged.unreadable(&parts, owner, error),
        }
    }

    fn add_files(&mut self, sources: &Sources) {
        self.add_folder(&sources.root.join("etc/vortex"), Owner::System);
        // Where containers mount a configuration.
        self.add_folder(&sources.root.join("config"), Owner::User);
        if sources.config_file.is_none() {
            self.add_folder(&sources.config_directory(), Owner::User);
        } else {
            let file = sources.user_file();
            if !self.add_file(&file, Owner::Named) {
                let said = "there is no such file; --config names an existing configuration";
                let problem = Problem::new(file.display().to_string(), said);
                self.merged.problems.push(problem);
            }
        }
    }

    fn finish(self, sources: &Sources) -> Result<Loaded, ConfigError> {
        let Fragment { mut values, mut problems, mut warnings, notices, .. } = self.merged;
        make_paths_absolute(&mut values, sources);
        fill_folders(&mut values, sources);
        check_together(&values, sources, &mut problems);
        if !problems.is_empty() {
            return Err(ConfigError::new(problems));
        }
        warnings.extend(resolve::warnings(&values));
        warnings.extend(idle(&values));
        let config = resolve::resolve(&values, sources);
        Ok(Loaded { config, values, files: self.files, warnings, notices })
    }
}

/// What somebody set and nothing acts on, in one line.
fn idle(values: &BTreeMap<String, Entry>) -> Option<String> {
    let set = values.iter().filter(|(path, entry)| is_idle(path) && entry.origin != "default");
    let set: Vec<String> = set.map(|(path, entry)| format!("{path} ({})", entry.origin)).collect();
    (!set.is_empty()).then(|| format!("this version does not act on {} yet", set.join(", ")))
}

/// The layer of built-in values.
fn built_in() -> Fragment {
    let mut fragment = Fragment::default();
    for key in KEYS {
        if let Fallback::Is(text) = key.default {
            match key.kind.read_text(text) {
                Ok(value) => fragment.insert(key.path, value, "default".to_owned()),
                Err(said) => fragment.problems.push(Problem::new(key.path, said)),
            }
        }
    }
    fragment
}

fn command_line(overrides: &Overrides) -> Fragment {
    let mut fragment = Fragment::default();
    for (path, text, option) in &overrides.0 {
        let Some(key) = find(path) else {
            let said = format!("sets {path}, which is no key");
            fragment.problems.push(Problem::new(*option, said));
            continue;
        };
        match key.kind.read_text(text) {
            Ok(value) => fragment.insert(path, value, format!("option {option}")),
            Err(said) => fragment.problems.push(Problem::new(format!("option {option}"), said)),
        }
    }
    fragment
}

fn make_paths_absolute(values: &mut BTreeMap<String, Entry>, sources: &Sources) {
    for (path, entry) in values {
        let is_path = find(path).is_some_and(|key| key.kind == Kind::Path);
        if let (true, Value::Text(text)) = (is_path, &entry.value) {
            let absolute = sources.absolute(text).to_string_lossy().into_owned();
            entry.value = Value::Text(absolute);
        }
    }
}

/// Defaults that follow from the user's folders or from other keys.
fn fill_folders(values: &mut BTreeMap<String, Entry>, sources: &Sources) {
    let mut fill = |path: &str, folder: &Path| -> String {
        let text = folder.to_string_lossy().into_owned();
        let entry = values
            .entry(path.to_owned())
            .or_insert_with(|| Entry { value: Value::Text(text.clone()), origin: "default".to_owned() });
        match &entry.value {
            Value::Text(set) => set.clone(),
            _ => text,
        }
    };
    let archive = fill("general.output_directory", &sources.default_archive());
    fill("general.raw_directory", &Path::new(&archive).join("raw"));
    let log = sources.state_directory().join("logs/vortex.log");
    fill("general.logging.file_path", &log);
}

/// The archive is a folder that may be there or be made: no file, nothing below a file, and not all of the machine.
fn check_archive(values: &BTreeMap<String, Entry>, problems: &mut Vec<Problem>) {
    let Some(Entry { value: Value::Text(folder), origin }) = values.get("general.output_directory") else {
        return;
    };
    let path = Path::new(folder);
    let file = path.ancestors().find(|above| above.exists()).filter(|above| !above.is_dir());
    let said = match file {
        Some(file) if file == path => "which is a file".to_owned(),
        Some(file) => format!("which cannot be made, because {} is a file", file.display()),
        None if path.canonicalize().is_ok_and(|real| real == Path::new("/")) => {
            "which is the root of all files".to_owned()
        }
        None => return,
    };
    problems.push(Problem::new(
        origin,
        format!("general.output_directory is {folder:?}, {said}; allowed: a folder of its own, which is made where it is not there"),
    ));
}

/// What no key can be checked for alone.
fn check_together(values: &BTreeMap<String, Entry>, sources: &Sources, problems: &mut Vec<Problem>) {
    check_archive(values, problems);
    let year = |path: &str| match values.get(path) {
        Some(Entry { value: Value::Integer(year), origin }) => Some((*year, origin.clone())),
        _ => None,
    };
    let this_year = (i64::from(sources.this_year), "default".to_owned());
    let end = year("date_range.end_year").unwrap_or(this_year);
    if let Some(start) = year("date_range.start_year")
        && start.0 > end.0
    {
        // A clock that was never set is in 1970.
        let clock = match end.1.as_str() {
            "default" => format!("; this machine's clock says that it is {}: is it right?", end.0),
            _ => String::new(),
        };
        let place = if start.1 == "default" { end.1 } else { start.1 };
        problems.push(Problem::new(place, format!(
            "date_range.start_year is {}, after date_range.end_year {}; allowed: start_year up to end_year, which is this year where not set{clock}",
            start.0, end.0
        )));
    }
    let username = values.get("providers.barchart.username");
    let password = values.get("providers.barchart.password");
    let (there, missing) = match (username, password) {
        (Some(entry), None) => (entry, "password"),
        (None, Some(entry)) => (entry, "username"),
        _ => return,
    };
    problems.push(Problem::new(&there.origin, format!(
        "providers.barchart.{missing} is missing; set both credentials or neither (`vortex config --provider barchart --set-credentials` asks for them)"
    )));
}
