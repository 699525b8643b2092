//! Where configuration comes from: folders, environment and command line, as one value, so that
//! nothing below it reads the state of the process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, Problem};

/// The outside world as configuration sees it.
#[derive(Clone, Debug)]
pub struct Sources {
    /// `/`; below it lie `etc/vortex`, `config` and `app/config`.
    pub root: PathBuf,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// The home folder of the user.
    pub home: PathBuf,
    /// The folder to which relative paths belong.
    pub working: PathBuf,
    /// Read `.env` and `.env.local` of the working folder; the service does not.
    pub dotenv: bool,
    /// Stands in place of the user's `config.toml` and `conf.d`.
    pub config_file: Option<PathBuf>,
    /// The year of today in UTC, which an unset `date_range.end_year` stands for.
    pub this_year: i16,
}

/// What the command line sets, each as (key, value as text, the option's name).
#[derive(Clone, Debug, Default)]
pub struct Overrides(pub Vec<(&'static str, String, &'static str)>);

impl Overrides {
    /// Sets a key where the option was given.
    pub fn set(&mut self, key: &'static str, value: Option<String>, option: &'static str) {
        self.0.extend(value.map(|value| (key, value, option)));
    }
}

impl Sources {
    /// The sources of this process, for a command. Variables that are not UTF-8 are refused where
    /// they are Vortex's own.
    pub fn of_process(config_file: Option<PathBuf>) -> Result<Sources, ConfigError> {
        let mut env = BTreeMap::new();
        let mut problems = Vec::new();
        for (name, value) in std::env::vars_os() {
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => drop(env.insert(name, value)),
                (Ok(name), Err(_)) if name.starts_with("VORTEX_") => {
                    problems.push(Problem::new(format!("environment {name}"), "is not UTF-8"));
                }
                _ => {}
            }
        }
        let home = env.get("HOME").filter(|home| !home.is_empty());
        let home = home.map(PathBuf::from).or_else(home_of_user);
        let working = std::env::current_dir();
        match (home, working) {
            (Some(home), Ok(working)) if problems.is_empty() => Ok(Sources {
                root: PathBuf::from("/"),
                env,
                home,
                working,
                dotenv: true,
                config_file,
                this_year: jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).year(),
            }),
            (home, working) => {
                if home.is_none() {
                    problems.push(Problem::new(
                        "environment HOME",
                        "is not set and the user has no home folder: set HOME",
                    ));
                }
                if let Err(error) = working {
                    problems.push(Problem::new("the working folder", error.to_string()));
                }
                Err(ConfigError::new(problems))
            }
        }
    }

    /// The user's configuration folder: `$VORTEX_CONFIG_DIR`, else `$XDG_CONFIG_HOME/vortex`, else
    /// `~/.config/vortex`.
    pub fn config_directory(&self) -> PathBuf {
        match self.variable("VORTEX_CONFIG_DIR") {
            Some(folder) => self.absolute(folder),
            None => self.xdg("XDG_CONFIG_HOME", ".config"),
        }
    }

    /// The state folder: `$XDG_STATE_HOME/vortex`, else `~/.local/state/vortex`.
    pub fn state_directory(&self) -> PathBuf {
        self.xdg("XDG_STATE_HOME", ".local/state")
    }

    /// The archive where none is configured: `$XDG_DATA_HOME/vortex`, else `~/.local/share/vortex`,
    /// and `/var/lib/vortex/data` for the user of the system service.
    pub fn default_archive(&self) -> PathBuf {
        if self.home == Path::new("/var/lib/vortex") && self.absolute_variable("XDG_DATA_HOME").is_none() {
            return self.home.join("data");
        }
        self.xdg("XDG_DATA_HOME", ".local/share")
    }

    /// The file a command that changes the configuration writes: `--config`, else the user's.
    pub fn user_file(&self) -> PathBuf {
        match &self.config_file {
            Some(file) => self.absolute(&file.to_string_lossy()),
            None => self.config_directory().join("config.toml"),
        }
    }

    /// A path as a person writes it: `~` is the home folder, relative ones belong to the working
    /// folder.
    pub fn absolute(&self, path: &str) -> PathBuf {
        let joined = match path.strip_prefix('~') {
            Some("") => self.home.clone(),
            Some(rest) if rest.starts_with('/') => self.home.join(rest.trim_start_matches('/')),
            _ => self.working.join(path),
        };
        // `./data` and `data` are one folder, and shown as one.
        joined.components().collect()
    }

    /// A variable that is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn xdg(&self, variable: &str, below_home: &str) -> PathBuf {
        match self.absolute_variable(variable) {
            Some(folder) => Path::new(folder).join("vortex"),
            None => self.home.join(below_home).join("vortex"),
        }
    }

    /// The XDG rule: a relative folder counts as not set.
    fn absolute_variable(&self, name: &str) -> Option<&str> {
        self.variable(name).filter(|folder| Path::new(folder).is_absolute())
    }
}

fn home_of_user() -> Option<PathBuf> {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok()??;
    Some(user.dir).filter(|dir| !dir.as_os_str().is_empty())
}
