//! `vortex-generator`: makes systemd's timers from the configuration's schedules (systemd.generator(7)). The
//! same program as `vortex`, called by this name at boot, at login and at each `daemon-reload`; it has to be
//! fast and quiet, and never to stand in the way.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::unistd::Uid;

use super::{Entry, JITTER, entries};
use crate::config::{Config, Overrides, Sources};
use crate::request::Request;

/// The name by which the program is called.
pub const NAME: &str = "vortex-generator";

/// What the service brings along; its timers are linked here.
const WANTS: &str = "vortex.service.wants";
/// The timer of the whole list, of which a packaged one exists.
const WHOLE: &str = "update";
/// A folder that is nowhere: no system-wide configuration is read below it.
const NOWHERE: &str = "/var/empty/vortex";

/// Whose timers are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of the user's own service, from his own configuration.
    User,
    /// Those of the machine's service, from `/etc/vortex`.
    System,
}

/// Runs as systemd's generator; `args` are the folders it gives, of which the first is used.
pub fn run(args: impl IntoIterator<Item = OsString>) {
    let Some(folder) = args.into_iter().nth(1).map(PathBuf::from) else {
        eprintln!("{NAME}: systemd calls this with the folder for units");
        return;
    };
    let scope = match std::env::var("SYSTEMD_SCOPE").as_deref() {
        Ok("user") => Scope::User,
        Ok("system") => Scope::System,
        _ if Uid::effective().is_root() => Scope::System,
        _ => Scope::User,
    };
    let made = sources(scope).and_then(|sources| make(&sources, scope, &folder));
    if let Err(said) = made {
        // systemd takes this into the journal. The packaged timer stands.
        eprintln!("{NAME}: no timers are made from the configuration: {said}");
    }
}

fn sources(scope: Scope) -> Result<Sources, String> {
    let of_process = Sources::of_process(None).map_err(|error| error.to_string())?;
    let folders = ["HOME", "XDG_CONFIG_HOME"];
    let env: BTreeMap<String, String> =
        of_process.env.into_iter().filter(|(name, _)| folders.contains(&name.as_str())).collect();
    Ok(match scope {
        Scope::User => Sources { root: PathBuf::from(NOWHERE), env, dotenv: false, ..of_process },
        Scope::System => {
            Sources { home: PathBuf::from(NOWHERE), env: BTreeMap::new(), dotenv: false, ..of_process }
        }
    })
}

/// Makes the timers that the configuration asks for. Nothing is made where any of it is wrong.
pub fn make(sources: &Sources, scope: Scope, folder: &Path) -> Result<(), String> {
    let loaded = Config::load(sources, &Overrides::default()).map_err(|error| error.to_string())?;
    let origin = format!("# Made by {NAME} from the configuration: {}\n", loaded.files.join(", "));
    let write = || -> io::Result<()> {
        // Also where there is no schedule yet: its age tells `vortexctl status` which configuration was read.
        fs::create_dir_all(folder.join(WANTS))?;
        for entry in entries(&loaded.config, &Request::default()) {
            timer(folder, &entry, &origin)?;
            if entry.name != WHOLE {
                service(folder, &entry, scope, &origin)?;
            }
        }
        let schedule = &loaded.config.schedule;
        if schedule.switched_off && schedule.on_calendar.is_none() {
            // The packaged timer would fire all the same.
            symlink("/dev/null", folder.join("vortex-update.timer"))?;
        }
        Ok(())
    };
    write().map_err(|error| format!("{}: {error}", folder.display()))
}

fn timer(folder: &Path, entry: &Entry, origin: &str) -> io::Result<()> {
    let name = format!("vortex-{}.timer", entry.name);
    let when: String =
        entry.calendar.expressions().iter().map(|expression| format!("OnCalendar={expression}\n")).collect();
    let text = format!(
        "{origin}[Unit]\nDescription=Schedule of {}\nDocumentation=man:vortex.service(8)\nPartOf=vortex.service\n\n\
         [Timer]\n{when}Persistent=true\nRandomizedDelaySec={JITTER}\n",
        what(entry)
    );
    fs::write(folder.join(&name), text)?;
    symlink(Path::new("..").join(&name), folder.join(WANTS).join(&name))
}

fn service(folder: &Path, entry: &Entry, scope: Scope, origin: &str) -> io::Result<()> {
    let list = entry.request.watchlist.as_deref().unwrap_or_default();
    let bus = if scope == Scope::System { "--system" } else { "--user" };
    let text = format!(
        "{origin}[Unit]\nDescription=Update of {}\nDocumentation=man:vortexctl(1)\nAfter=vortex.service\nPartOf=vortex.service\n\n\
         [Service]\nType=oneshot\nExecStart=/usr/bin/vortexctl {bus} update --wait --watchlist {list}\n\
         SuccessExitStatus=75 130\n",
        what(entry)
    );
    fs::write(folder.join(format!("vortex-{}.service", entry.name)), text)
}

/// What an entry brings up to date, in words.
fn what(entry: &Entry) -> String {
    match &entry.request.watchlist {
        Some(list) => format!("watchlist {list} of the market-data archive"),
        None => "the market-data archive".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(toml: &str) -> (tempfile::TempDir, Result<(), String>) {
        let folder = tempfile::tempdir().unwrap();
        let (home, units) = (folder.path().join("home"), folder.path().join("units"));
        fs::create_dir_all(home.join(".config/vortex")).unwrap();
        fs::create_dir_all(&units).unwrap();
        fs::write(home.join(".config/vortex/config.toml"), toml).unwrap();
        let sources = Sources {
            root: PathBuf::from(NOWHERE),
            env: BTreeMap::new(),
            home,
            working: folder.path().to_owned(),
            dotenv: false,
            config_file: None,
            this_year: 2026,
        };
        let made = make(&sources, Scope::User, &units);
        (folder, made)
    }

    #[test]
    fn schedules_become_timers() {
        let toml = "[schedule]\nschedule = \"30 7 * * 1-5\"\n[watchlists.us]\nsymbols = [\"SPY\"]\non_calendar = \"Sun 10:00 UTC\"\n";
        let (folder, made) = made(toml);
        made.unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join("units").join(name)).unwrap();
        let whole = read("vortex.service.wants/vortex-update.timer");
        assert!(whole.contains("OnCalendar=Mon,Tue,Wed,Thu,Fri *-*-* 07:30:00\n"), "{whole}");
        assert!(whole.contains("PartOf=vortex.service") && whole.contains("Persistent=true"), "{whole}");
        assert!(read("vortex-update-us.timer").contains("OnCalendar=Sun *-*-* 10:00:00 UTC\n"));
        let service = read("vortex-update-us.service");
        assert!(service.contains("vortexctl --user update --wait --watchlist us\n"), "{service}");
        // As the packaged one: what is later, or stopped with the service, has not failed.
        let packaged = include_str!("../../systemd/user/vortex-update.service");
        let no_failure = packaged.lines().find(|line| line.starts_with("SuccessExitStatus=")).unwrap();
        assert!(service.lines().any(|line| line == no_failure), "{service}");
        assert!(!folder.path().join("units/vortex-update.service").exists());
    }

    #[test]
    fn an_empty_schedule_takes_the_packaged_timer_away() {
        let (folder, made) = made("[schedule]\nschedule = \"\"\n");
        made.unwrap();
        let link = fs::read_link(folder.path().join("units/vortex-update.timer")).unwrap();
        assert_eq!(link, Path::new("/dev/null"));
    }

    #[test]
    fn nothing_is_made_of_a_broken_file_nor_of_one_without_schedules() {
        for toml in ["[schedule]\nschedule = \"61 * * * *\"\n[watchlists.a]\nschedule = \"0 8 * * *\"\n", ""]
        {
            let (folder, made) = made(toml);
            assert_eq!(made.is_err(), !toml.is_empty());
            let units = fs::read_dir(folder.path().join("units")).unwrap();
            let units: Vec<_> = units.map(|entry| entry.unwrap().file_name()).collect();
            // Of a sound one it is known that it was read.
            assert_eq!(units, if made.is_ok() { vec![WANTS] } else { vec![] });
            assert!(
                made.is_err()
                    || fs::read_dir(folder.path().join("units").join(WANTS)).unwrap().next().is_none()
            );
        }
    }
}
