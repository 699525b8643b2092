//! Each key's values, from files and from the environment.

use std::path::PathBuf;

use rstest::rstest;

use super::World;
use crate::config::{LogFormat, LogLevel, LogOutput};

#[rstest]
#[case("general.output_directory = ''", "allowed: the path")]
#[case("general.default_provider = 'yahooo'", "did you mean \"yahoo\"")]
#[case("general.backup_enabled = 'yes'", "general.backup_enabled is \"yes\"; allowed: true or false")]
#[case(
    "general.random_sleep_max = 301",
    "general.random_sleep_max is 301; allowed: a whole number from 0 to 300"
)]
#[case("general.random_sleep_max = -1", "is -1")]
#[case("general.random_sleep_max = 1.5", "is 1.5")]
#[case("general.logging.level = 'LOUD'", "allowed: TRACE, DEBUG, INFO, WARNING, ERROR")]
#[case("general.logging.format = 'xml'", "allowed: console, json, rich")]
#[case("general.logging.output = 'console'", "allowed: a list of console, file, journald")]
#[case("general.logging.output = ['screen']", "[\"screen\"]")]
#[case("general.logging.output = []", "is []")]
#[case("general.logging.max_file_size = 1023", "from 1024 up")]
#[case("general.logging.backup_count = 21", "from 1 to 20")]
#[case("general.logging.backup_count = 0", "from 1 to 20")]
#[case("general.metrics.port = 1023", "from 1024 to 65535")]
#[case("general.metrics.path = 'metrics'", "begins with /")]
#[case("general.metrics.listen = 'example.com'", "127.0.0.1")]
#[case("general.raw.retention_days = 366", "from 1 to 365, or \"none\"")]
#[case("general.raw.retention_days = 'never'", "from 1 to 365, or \"none\"")]
#[case("providers.barchart.daily_limit = 1001", "from 1 to 1000")]
#[case("providers.yahoo.timeout = 0", "from 1 to 300")]
#[case("providers.yahoo.requests_per_minute = 1000001", "from 1 to 1000000")]
#[case("providers.yahoo.concurrency = 33", "from 1 to 32")]
#[case("providers.yahoo.base_url = 'http://example.com'", "loopback")]
#[case("providers.yahoo.user_agent = \"a\\nb\"", "ASCII")]
#[case("providers.ibkr.port = 65536", "from 1 to 65535")]
#[case("providers.ibkr.client_id = 1000", "from 0 to 999")]
#[case("providers.ibkr.timeout = 301", "from 1 to 300")]
#[case("date_range.start_year = 1979", "from 1980")]
#[case("date_range.start_year = 2027", "after date_range.end_year 2026")]
#[case("date_range.end_year = 1999", "after date_range.end_year 1999")]
#[case("schedule.schedule = 'daily'", "five cron fields")]
#[case("watchlists.a.periods = ['4h']", "a list of 1m")]
#[case("watchlists.a.provider = 'x'", "allowed: yahoo")]
#[case("watchlists.\"a b\".symbols = ['A']", "letters, digits")]
#[case("notify.webhook = 'x'", "https://")]
#[case(
    "general.ouput_directory = 'x'",
    "unknown key general.ouput_directory; did you mean general.output_directory?"
)]
#[case("genral.x = 1", "unknown key genral; did you mean general?")]
#[case("general = 1", "general is a section")]
#[case("general.logging = 'INFO'", "general.logging is a section")]
#[case("general.", "is not TOML")]
#[case("providers.barchart.username = 'someone'", "both credentials or neither")]
fn a_bad_file_is_refused_with_its_line(#[case] line: &str, #[case] said: &str) {
    let world = World::new().user(&format!("# a comment\n{line}\n"));
    let file = world.path("home/.config/vortex/config.toml");
    let wrong = world.wrong();
    assert!(wrong.contains(said), "{wrong}");
    assert!(wrong.starts_with(&format!("{}:2: ", file.display())), "{wrong}");
}

#[rstest]
#[case("VORTEX_BACKUP_ENABLED", "maybe")]
#[case("VORTEX_DRY_RUN", "2")]
#[case("VORTEX_DEFAULT_PROVIDER", "nobody")]
#[case("VORTEX_LOG_LEVEL", "LOUD")]
#[case("VORTEX_LOGGING_LEVEL", "Info")]
#[case("VORTEX_LOGGING_FORMAT", "xml")]
#[case("VORTEX_LOGGING_OUTPUT", "console,screen")]
#[case("VORTEX_BARCHART_DAILY_LIMIT", "0")]
#[case("VORTEX_BARCHART_TIMEOUT", "301")]
#[case("VORTEX_YAHOO_TIMEOUT", "1s")]
#[case("VORTEX_IBKR_PORT", "0")]
#[case("VORTEX_IBKR_CLIENT_ID", "1000")]
#[case("VORTEX_IBKR_TIMEOUT", "x")]
#[case("VORTEX_METRICS_PORT", "80")]
#[case("VORTEX_METRICS_PATH", "x")]
#[case("VORTEX_RAW_ENABLED", "x")]
#[case("VORTEX_RAW_RETENTION_DAYS", "0")]
#[case("VORTEX_SCHEDULE", "0 8 * *")]
#[case("VORTEX__PROVIDERS__YAHOO__CONCURRENCY", "0")]
#[case("VORTEX__PROVIDERS__YAHO__CONCURRENCY", "1")]
#[case("VORTEX_OUTPUT_DIR_FILE", "/nowhere/at/all")]
fn a_bad_variable_is_refused_by_name(#[case] name: &str, #[case] value: &str) {
    let wrong = World::new().env(name, value).wrong();
    assert!(wrong.starts_with(&format!("environment {name}: ")), "{wrong}");
}

#[test]
fn every_variable_of_the_manual_sets_its_key() {
    let mut world = World::new();
    for (name, value) in [
        ("VORTEX_OUTPUT_DIR", "~/archive"),
        ("VORTEX_RAW_DIR", "raw"),
        ("VORTEX_RAW_BASE_DIRECTORY", "/other"),
        ("VORTEX_LOG_LEVEL", "debug"),
        ("VORTEX_LOGGING_LEVEL", "ERROR"),
        ("VORTEX_LOGGING_FORMAT", "rich"),
        ("VORTEX_LOGGING_OUTPUT", "file, console"),
        ("VORTEX_LOGGING_FILE_PATH", "/log"),
        ("VORTEX_BACKUP_ENABLED", "false"),
        ("VORTEX_DRY_RUN", "1"),
        ("VORTEX_DEFAULT_PROVIDER", "mock"),
        ("VORTEX_BARCHART_USERNAME", "u"),
        ("VORTEX_BARCHART_PASSWORD", "p"),
        ("VORTEX_BARCHART_DAILY_LIMIT", "7"),
        ("VORTEX_BARCHART_TIMEOUT", "8"),
        ("VORTEX_YAHOO_TIMEOUT", "9"),
        ("VORTEX_IBKR_HOST", "127.0.0.1"),
        ("VORTEX_IBKR_PORT", "4001"),
        ("VORTEX_IBKR_CLIENT_ID", "5"),
        ("VORTEX_IBKR_TIMEOUT", "6"),
        ("VORTEX_METRICS_PORT", "9100"),
        ("VORTEX_METRICS_PATH", "/m"),
        ("VORTEX_RAW_ENABLED", "no"),
        ("VORTEX_RAW_RETENTION_DAYS", "none"),
        ("VORTEX_RAW_COMPRESS", "off"),
        ("VORTEX_RAW_INCLUDE_METADATA", "FALSE"),
        ("VORTEX_SCHEDULE", "0 8 * * *"),
        ("VORTEX_RUN_ON_STARTUP", "true"),
        ("VORTEX_DOWNLOAD_ARGS", "--yes"),
        ("VORTEX_ASSETS_FILE", "list.json"),
        ("VORTEX__WATCHLISTS__TECH__SYMBOLS", "AAPL, MSFT"),
        ("VORTEX__PROVIDERS__YAHOO__CA_FILE", "/ca.pem"),
    ] {
        world = world.env(name, value);
    }
    let config = world.good();
    assert_eq!(config.archive, world.path("home/archive"));
    assert_eq!(config.raw.directory, world.path("work/raw"));
    assert_eq!(config.logging.level, LogLevel::Debug);
    assert_eq!(config.logging.format, LogFormat::Rich);
    assert_eq!(config.logging.output, [LogOutput::File, LogOutput::Console]);
    assert_eq!(config.logging.file_path, PathBuf::from("/log"));
    assert!(!config.parquet && config.dry_run);
    assert_eq!(config.default_provider, "sample");
    assert_eq!((config.barchart.daily_limit, config.barchart.http.timeout), (7, 8));
    assert_eq!(config.yahoo.timeout, 9);
    assert_eq!((config.ibkr.port, config.ibkr.client_id, config.ibkr.timeout), (4001, 5, 6));
    assert_eq!(config.metrics.listen, "127.0.0.1:9100".parse().ok());
    assert_eq!(config.metrics.path, "/m");
    assert!(!config.raw.enabled && !config.raw.compress && !config.raw.include_metadata);
    assert_eq!(config.raw.retention_days, None);
    assert_eq!(config.schedule.cron.as_deref(), Some("0 8 * * *"));
    assert!(config.schedule.run_on_startup);
    assert_eq!(config.download_args.as_deref(), Some("--yes"));
    assert_eq!(config.assets_file, Some(world.path("work/list.json")));
    assert_eq!(config.watchlists["tech"].symbols, ["AAPL", "MSFT"]);
    assert_eq!(config.yahoo.ca_file, Some(PathBuf::from("/ca.pem")));
    world = world.env("VORTEX_METRICS_ENABLED", "false").env("VORTEX_SCHEDULE", "# DISABLED");
    assert_eq!(world.good().metrics.listen, None);
    assert_eq!(world.good().schedule.cron, None);
}
