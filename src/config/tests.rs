use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::*;

mod values;

/// A world of its own: `/`, home and working folder in one temporary folder.
struct World {
    folder: TempDir,
    sources: Sources,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        for name in ["home/.config/vortex/conf.d", "etc/vortex/conf.d", "work"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        let sources = Sources {
            env: BTreeMap::new(),
            home: root.join("home"),
            working: root.join("work"),
            dotenv: true,
            config_file: None,
            this_year: 2026,
            root,
        };
        World { folder, sources }
    }

    fn file(self, name: &str, text: &str) -> World {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        self
    }

    fn user(self, text: &str) -> World {
        self.file("home/.config/vortex/config.toml", text)
    }

    fn env(mut self, name: &str, value: &str) -> World {
        self.sources.env.insert(name.to_owned(), value.to_owned());
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn load(&self) -> Result<Loaded, ConfigError> {
        Config::load(&self.sources, &Overrides::default())
    }

    fn good(&self) -> Config {
        self.load().unwrap_or_else(|error| panic!("{error}")).config
    }

    fn wrong(&self) -> String {
        self.load().map(|_| ()).unwrap_err().to_string()
    }
}

const PRODUCTION: &str = r#"
[general]
output_directory = "/data"
backup_enabled = true
default_provider = "barchart"
[general.logging]
level = "INFO"
format = "json"
output = ["file", "console"]
[providers.barchart]
username = "production_user@company.com"
password = "secure_production_password"
daily_limit = 200
[date_range]
start_year = 2020
backfill_enabled = true
"#;

#[test]
fn the_production_file_means_what_it_says() {
    let world = World::new().user(PRODUCTION);
    let config = world.good();
    assert_eq!(config.archive, PathBuf::from("/data"));
    assert_eq!(config.raw.directory, PathBuf::from("/data/raw"));
    assert_eq!(config.default_provider, "barchart");
    assert_eq!(config.logging.format, LogFormat::Json);
    assert_eq!(config.logging.output, [LogOutput::File, LogOutput::Console]);
    let log = world.path("home/.local/state/vortex/logs/vortex.log");
    assert_eq!(config.logging.file_path, log);
    assert_eq!(config.barchart.daily_limit, 200);
    assert_eq!(config.start_day.to_string(), "2020-01-01");
    let password = config.barchart.password.unwrap();
    assert_eq!(password.expose_secret(), "secure_production_password");
}

#[test]
fn built_in_values_are_those_of_the_manual() {
    let world = World::new();
    let config = world.good();
    assert_eq!(config.archive, world.path("home/.local/share/vortex"));
    assert_eq!(config.state_directory, world.path("home/.local/state/vortex"));
    assert_eq!(config.config_directory, world.path("home/.config/vortex"));
    assert_eq!(config.default_provider, "yahoo");
    assert!(config.parquet && config.backfill && !config.dry_run && !config.force_parquet);
    assert_eq!(config.random_sleep_max, 10);
    assert_eq!(config.logging.level, LogLevel::Info);
    assert_eq!(config.logging.max_file_size, 10_485_760);
    assert_eq!(config.logging.backup_count, 5);
    assert_eq!(config.raw.retention_days, Some(30));
    assert_eq!(config.yahoo.requests_per_minute, 60);
    assert_eq!((config.yahoo.concurrency, config.yahoo.timeout), (2, 30));
    assert_eq!(config.barchart.daily_limit, 150);
    assert_eq!((config.ibkr.port, config.ibkr.client_id), (7497, 1));
    assert_eq!(config.start_day.to_string(), "2000-01-01");
    assert_eq!(config.end_day, None);
    assert_eq!(config.metrics.listen, None);
}

#[test]
fn a_later_layer_wins_and_its_origin_is_told() {
    let level = |n: u16| format!("[general]\nrandom_sleep_max = {n}\n");
    let mut world = World::new();
    let steps = [
        "etc/vortex/config.toml",
        "etc/vortex/conf.d/10-a.toml",
        "etc/vortex/conf.d/20-b.toml",
        "home/.config/vortex/config.toml",
        "home/.config/vortex/conf.d/x.toml",
    ];
    for (n, name) in (1..).zip(steps) {
        world = world.file(name, &level(n));
        let loaded = world.load().unwrap();
        assert_eq!(loaded.config.random_sleep_max, n);
        let origin = &loaded.values["general.random_sleep_max"].origin;
        assert_eq!(*origin, format!("{}:2", world.path(name).display()));
    }
    let variable = "VORTEX__GENERAL__RANDOM_SLEEP_MAX";
    for (n, name) in (11..).zip(["work/.env", "work/.env.local"]) {
        world = world.file(name, &format!("# c\nOTHER=1\nexport {variable}=\"{n}\" # c\n"));
        assert_eq!(world.good().random_sleep_max, n);
    }
    world = world.env(variable, "13");
    assert_eq!(world.good().random_sleep_max, 13);
    let set = Overrides(vec![("general.random_sleep_max", "14".to_owned(), "--x")]);
    let loaded = Config::load(&world.sources, &set).unwrap();
    assert_eq!(loaded.config.random_sleep_max, 14);
    assert_eq!(loaded.values["general.random_sleep_max"].origin, "option --x");
    world.sources.dotenv = false;
    world.sources.env.clear();
    assert_eq!(world.good().random_sleep_max, 5);
}

#[test]
fn unknown_plain_variables_are_only_noticed_and_empty_ones_not_set() {
    let world = World::new()
        .env("VORTEX_PORT", "tcp://10.0.0.1:80")
        .env("VORTEX_CONFIG_DIR", "")
        .env("VORTEX_OUTPUT_DIR", "");
    let loaded = world.load().unwrap();
    assert_eq!(loaded.notices.len(), 1, "{:?}", loaded.notices);
    assert!(loaded.notices[0].contains("VORTEX_PORT"));
    assert!(!loaded.notices[0].contains("10.0.0.1"));
}

#[test]
fn a_mistyped_variable_is_warned_of_with_the_nearest_name() {
    let world = World::new().env("VORTEX_SCHEDUL", "x").env("VORTEX_BARCHART_PASWORD_FILE", "y");
    let loaded = world.load().unwrap();
    assert_eq!(
        loaded.warnings,
        [
            "environment VORTEX_BARCHART_PASWORD_FILE: is not a variable of Vortex and was not read; did you mean VORTEX_BARCHART_PASSWORD_FILE?",
            "environment VORTEX_SCHEDUL: is not a variable of Vortex and was not read; did you mean VORTEX_SCHEDULE?",
        ]
    );
}

#[test]
fn old_names_are_taken_with_a_warning() {
    let world = World::new().user("general.log_level = 'DEBUG'\ngeneral.default_provider = 'mock'\n");
    let loaded = world.load().unwrap();
    assert_eq!(loaded.config.logging.level, LogLevel::Debug);
    assert_eq!(loaded.config.default_provider, "sample");
    assert_eq!(loaded.warnings.len(), 2, "{:?}", loaded.warnings);
}

#[test]
fn credentials_have_an_order() {
    let password = |world: &World| {
        let secret = world.good().barchart.password;
        secret.map(|secret| secret.expose_secret().to_owned())
    };
    let world = World::new()
        .user("[providers.barchart]\nusername = 'u'\npassword = 'file'\n")
        .file("work/secret", "mounted\n")
        .file("work/barchart.password", "credential\n");
    assert_eq!(password(&world).as_deref(), Some("file"));
    let world = world.env("VORTEX_BARCHART_PASSWORD", "variable");
    assert_eq!(password(&world).as_deref(), Some("variable"));
    let world = world.env("VORTEX_BARCHART_PASSWORD_FILE", "secret");
    assert_eq!(password(&world).as_deref(), Some("mounted"));
    let folder = world.path("work").display().to_string();
    let world = world.env("CREDENTIALS_DIRECTORY", &folder);
    assert_eq!(password(&world).as_deref(), Some("credential"));
    let world = world.file("work/barchart.api_key", "key\n");
    assert_eq!(world.good().barchart.api_key.unwrap().expose_secret(), "key");
}

#[test]
fn a_password_is_for_its_owner_alone() {
    let world = World::new().user(PRODUCTION);
    let file = world.path("home/.config/vortex/config.toml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let wrong = world.wrong();
    assert!(wrong.contains("chmod 0600") && wrong.contains("0640"), "{wrong}");
    assert!(!wrong.contains("secure_production_password"));
    fs::write(&file, "providers.barchart.api_key = \"k3y\"\n").unwrap();
    assert!(world.wrong().contains("chmod 0600"));
    fs::write(&file, "").unwrap();
    world.good();
    let world = world.file("etc/vortex/config.toml", PRODUCTION);
    let file = world.path("etc/vortex/config.toml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    world.good();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(world.wrong().contains("chmod 0640"));
}

#[test]
fn secrets_are_shown_nowhere() {
    let world = World::new().user(PRODUCTION);
    let loaded = world.load().unwrap();
    let everything = format!("{}{}{}{loaded:?}", loaded.to_toml(true), loaded.to_json(), loaded.to_export());
    assert!(!everything.contains("secure_production_password"));
    assert!(!everything.contains("production_user"));
    let broken = World::new().user("[providers.barchart]\npassword = \"hunter2 \nx");
    assert!(!broken.wrong().contains("hunter2"));
}

#[test]
fn a_webhook_shows_where_it_goes_and_not_its_token() {
    let world = World::new().user("notify.webhook = 'https://hooks.example.com:8443/T1/tok3n?key=tok3n'");
    let loaded = world.load().unwrap();
    for text in [loaded.to_toml(true), loaded.to_json().to_string(), loaded.to_export()] {
        assert!(
            text.contains("https://hooks.example.com:8443/********") && !text.contains("tok3n"),
            "{text}"
        );
    }
    // What is exported can be imported.
    Config::check_text("exported", &loaded.to_export(), &world.sources).unwrap();
    let plain = World::new().user("notify.webhook = 'https://hooks.example.com'").load().unwrap();
    assert!(plain.to_toml(false).contains("webhook = \"https://hooks.example.com\"\n"));
    let wrong = World::new().user("notify.webhook = 'https://me:tok3n@hooks.example.com/'").wrong();
    assert!(wrong.contains("allowed: https://") && !wrong.contains("tok3n"), "{wrong}");
}

#[test]
fn who_sets_a_key_that_nothing_acts_on_is_told() {
    let world =
        World::new().user("general.metrics.port = 9100\nnotify.command = 'mail'\ngeneral.dry_run = true");
    let warnings = world.load().unwrap().warnings;
    let [said] = &warnings[..] else { panic!("{warnings:?}") };
    assert!(said.starts_with("this version does not act on general.metrics.port ("), "{said}");
    assert!(said.contains("config.toml:1") && said.contains("notify.command"), "{said}");
    assert!(said.ends_with(" yet") && !said.contains("dry_run"), "{said}");
    assert!(World::new().load().unwrap().warnings.is_empty());
}

#[test]
fn all_problems_are_told_at_once() {
    let world = World::new().user("general.dry_run = 1\nnonsense = 2\n").env("VORTEX_IBKR_PORT", "x");
    assert_eq!(world.load().map(|_| ()).unwrap_err().problems.len(), 3);
}

#[test]
fn text_that_is_not_utf8_is_refused_with_its_line() {
    let world = World::new();
    let file = world.path("home/.config/vortex/config.toml");
    fs::write(&file, b"a\nb = \xff").unwrap();
    assert!(world.wrong().contains(":2: is not UTF-8"));
}

#[test]
fn folders_follow_one_rule() {
    let world = World::new()
        .env("XDG_STATE_HOME", "/s")
        .env("XDG_DATA_HOME", "relative")
        .env("XDG_CONFIG_HOME", "/c");
    assert_eq!(world.sources.state_directory(), PathBuf::from("/s/vortex"));
    assert_eq!(world.sources.default_archive(), world.path("home/.local/share/vortex"));
    assert_eq!(world.sources.config_directory(), PathBuf::from("/c/vortex"));
    let mut world = world.env("VORTEX_CONFIG_DIR", "here");
    assert_eq!(world.sources.config_directory(), world.path("work/here"));
    world.sources.home = PathBuf::from("/var/lib/vortex");
    assert_eq!(world.sources.default_archive(), PathBuf::from("/var/lib/vortex/data"));
}

#[test]
fn an_export_can_be_imported() {
    let world = World::new()
        .user(&PRODUCTION.replace("daily_limit = 200", "timeout = 12"))
        .file("home/.config/vortex/conf.d/a.toml", "watchlists.tech.symbols = ['A\"B']\n");
    let exported = world.load().unwrap().to_export();
    let exported = exported.as_str();
    Config::check_text("exported", exported, &world.sources).unwrap();
    let other = World::new().user(exported);
    let config = other.good();
    assert_eq!(config.barchart.http.timeout, 12);
    assert_eq!(config.watchlists["tech"].symbols, ["A\"B"]);
}

#[test]
fn what_is_stored_keeps_the_rest_of_the_file() {
    let world = World::new().user("# mine\n[general] # here\ndry_run = true\n");
    let file = world.sources.user_file();
    let values =
        [("providers.barchart.username", "u".into()), ("providers.barchart.password", "p\"#".into())];
    store::set(&world.sources, &file, &values).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# mine\n[general] # here\ndry_run = true\n"), "{text}");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let config = world.good();
    assert_eq!(config.barchart.password.unwrap().expose_secret(), "p\"#");
    let bad = [("general.random_sleep_max", 999.into())];
    assert!(store::set(&world.sources, &file, &bad).is_err());
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn the_reference_and_the_example_are_those_of_the_program() {
    let again = "is not up to date: `cargo run -- config --reference > docs/configuration.md`, `cargo run -- config --example > config/config.toml`";
    let reference = include_str!("../../docs/configuration.md");
    assert!(reference == render::reference(), "docs/configuration.md {again}");
    let example = include_str!("../../config/config.toml");
    assert!(example == render::example(), "config/config.toml {again}");
}

#[test]
fn the_example_loads_as_it_is_and_with_every_key_set() {
    let world = World::new().user(&render::example());
    world.good();
    let is_code = |line: &str| {
        line.starts_with('[')
            || line.split(" = ").next().is_some_and(|key| {
                line.contains(" = ") && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            })
    };
    let all: String = render::example()
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(code) if is_code(code) => format!("{code}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let world = World::new().user(&all);
    let loaded = world.load().unwrap_or_else(|error| panic!("{error}\n{all}"));
    let set = loaded.values.values().filter(|e| e.origin != "default").count();
    assert_eq!(set, keys::KEYS.len());
}
