//! Merged values become the settings the program works with.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use jiff::civil::date;
use secrecy::SecretString;

use super::fragment::Entry;
use super::kind::{Value, parse_listen, parse_url};
use super::settings::*;
use super::sources::Sources;
use crate::model::Day;

const METRICS_PORT: u16 = 8000;

/// The settings of checked values. Every key with a built-in value is among them.
pub(super) fn resolve(values: &BTreeMap<String, Entry>, sources: &Sources) -> Config {
    let values = Values(values);
    Config {
        archive: values.folder("general.output_directory"),
        config_directory: sources.config_directory(),
        state_directory: sources.state_directory(),
        assets_file: values.path("general.assets_file"),
        raw: RawSettings {
            enabled: values.yes("general.raw.enabled"),
            directory: values.folder("general.raw_directory"),
            retention_days: values.number("general.raw.retention_days"),
            compress: values.yes("general.raw.compress"),
            include_metadata: values.yes("general.raw.include_metadata"),
        },
        default_provider: values.word("general.default_provider"),
        parquet: values.yes("general.backup_enabled"),
        force_parquet: values.yes("general.force_backup"),
        dry_run: values.yes("general.dry_run"),
        random_sleep_max: values.count("general.random_sleep_max"),
        logging: logging(&values),
        metrics: metrics(&values),
        yahoo: http(&values, "yahoo"),
        yahoo_consent: values.yes("providers.yahoo.agree_to_consent"),
        barchart: BarchartSettings {
            http: http(&values, "barchart"),
            username: values.secret("providers.barchart.username"),
            password: values.secret("providers.barchart.password"),
            api_key: values.secret("providers.barchart.api_key"),
            daily_limit: values.count("providers.barchart.daily_limit"),
            import_directory: values.path("providers.barchart.import_directory"),
        },
        ibkr: IbkrSettings {
            host: values.word("providers.ibkr.host"),
            port: values.count("providers.ibkr.port"),
            client_id: values.count("providers.ibkr.client_id"),
            timeout: values.count("providers.ibkr.timeout"),
            what_to_show: values.text("providers.ibkr.what_to_show").map(str::to_owned),
            use_rth: values.truth("providers.ibkr.use_rth"),
        },
        start_day: Day::of_date(date(values.count("date_range.start_year"), 1, 1)),
        end_day: values.number("date_range.end_year").map(|year| Day::of_date(date(year, 12, 31))),
        backfill: values.yes("date_range.backfill_enabled"),
        schedule: schedule(&values, "schedule"),
        download_args: values.text("schedule.download_args").map(str::to_owned),
        watchlists: watchlists(&values),
        notify: NotifySettings {
            command: values.text("notify.command").map(str::to_owned),
            webhook: values.text("notify.webhook").and_then(parse_url),
        },
    }
}

/// What is allowed and yet worth a word.
pub(super) fn warnings(values: &BTreeMap<String, Entry>) -> Vec<String> {
    let host = Values(values).word("providers.ibkr.host");
    let private = match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        // A name without a dot is a machine or container of this network.
        Err(_) => !host.contains('.') || host.ends_with(".local") || host.ends_with(".internal"),
    };
    let said = "is not a private address, and the gateway's protocol is not encrypted";
    let warning = format!("providers.ibkr.host {host:?} {said}");
    (!private).then_some(warning).into_iter().collect()
}

fn logging(values: &Values<'_>) -> LoggingSettings {
    let level = match values.word("general.logging.level").as_str() {
        "TRACE" => LogLevel::Trace,
        "DEBUG" => LogLevel::Debug,
        "WARNING" => LogLevel::Warning,
        "ERROR" => LogLevel::Error,
        _ => LogLevel::Info,
    };
    let format = match values.word("general.logging.format").as_str() {
        "json" => LogFormat::Json,
        "rich" => LogFormat::Rich,
        _ => LogFormat::Console,
    };
    let output = values.list("general.logging.output").into_iter().map(|word| match word.as_str() {
        "file" => LogOutput::File,
        "journald" => LogOutput::Journald,
        _ => LogOutput::Console,
    });
    let set = |path: &str| values.0.get(path).is_some_and(|entry| entry.origin != "default");
    LoggingSettings {
        level,
        format,
        output: output.collect(),
        file_of_service: set("general.logging.file_path") && !set("general.logging.output"),
        file_path: values.folder("general.logging.file_path"),
        max_file_size: values.count("general.logging.max_file_size"),
        backup_count: values.count("general.logging.backup_count"),
    }
}

/// Nothing listens unless an address or a port is set.
fn metrics(values: &Values<'_>) -> MetricsSettings {
    let enabled = values.yes("general.metrics.enabled");
    let port: Option<u16> = values.number("general.metrics.port");
    let address = values.text("general.metrics.listen").and_then(parse_listen);
    let listen = match (address, port) {
        (Some((ip, own)), _) => Some(SocketAddr::new(ip, own.or(port).unwrap_or(METRICS_PORT))),
        (None, Some(port)) => Some(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)),
        (None, None) => None,
    };
    MetricsSettings {
        enabled,
        listen: listen.filter(|_| enabled),
        path: values.word("general.metrics.path"),
        textfile: values.path("general.metrics.textfile"),
    }
}

fn http(values: &Values<'_>, provider: &str) -> HttpSettings {
    let key = |name: &str| format!("providers.{provider}.{name}");
    HttpSettings {
        enabled: values.truth(&key("enabled")).unwrap_or(true),
        base_url: values.text(&key("base_url")).and_then(parse_url),
        ca_file: values.path(&key("ca_file")),
        timeout: values.count(&key("timeout")),
        requests_per_minute: values.count(&key("requests_per_minute")),
        concurrency: values.count(&key("concurrency")),
        user_agent: values.word(&key("user_agent")),
    }
}

/// An empty schedule, or one that is commented out, is none.
fn schedule(values: &Values<'_>, section: &str) -> ScheduleSettings {
    let key = |name: &str| format!("{section}.{name}");
    let cron = values.text(&key("schedule")).map(str::trim);
    ScheduleSettings {
        cron: cron.filter(|c| !c.is_empty() && !c.starts_with('#')).map(str::to_owned),
        on_calendar: values.text(&key("on_calendar")).map(str::to_owned),
        switched_off: cron.is_some_and(|c| c.is_empty() || c.starts_with('#')),
        run_on_startup: values.truth(&key("run_on_startup")).unwrap_or(false),
    }
}

fn watchlists(values: &Values<'_>) -> BTreeMap<String, Watchlist> {
    let names: BTreeSet<&str> =
        values.0.keys().filter_map(|path| path.strip_prefix("watchlists.")?.split('.').next()).collect();
    let list = |name: &str| {
        let key = |end: &str| format!("watchlists.{name}.{end}");
        let periods = values.list(&key("periods"));
        Watchlist {
            provider: values.text(&key("provider")).map(str::to_owned),
            assets: values.path(&key("assets")),
            symbols: values.list(&key("symbols")),
            periods: periods.iter().filter_map(|period| period.parse().ok()).collect(),
            schedule: schedule(values, &format!("watchlists.{name}")),
        }
    };
    names.into_iter().map(|name| (name.to_owned(), list(name))).collect()
}

/// Typed reading of checked values.
struct Values<'a>(&'a BTreeMap<String, Entry>);

impl<'a> Values<'a> {
    fn get(&self, path: &str) -> Option<&'a Value> {
        self.0.get(path).map(|entry| &entry.value)
    }

    fn text(&self, path: &str) -> Option<&'a str> {
        match self.get(path)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A text that has a built-in value.
    fn word(&self, path: &str) -> String {
        self.text(path).unwrap_or_default().to_owned()
    }

    fn path(&self, path: &str) -> Option<PathBuf> {
        self.text(path).map(PathBuf::from)
    }

    /// A path that has a built-in value.
    fn folder(&self, path: &str) -> PathBuf {
        self.path(path).unwrap_or_default()
    }

    fn truth(&self, path: &str) -> Option<bool> {
        match self.get(path)? {
            Value::Bool(yes) => Some(*yes),
            _ => None,
        }
    }

    /// A truth value that has a built-in value.
    fn yes(&self, path: &str) -> bool {
        self.truth(path).unwrap_or_default()
    }

    /// A number, where it is set and one: `none` is not.
    fn number<T: TryFrom<i64>>(&self, path: &str) -> Option<T> {
        match self.get(path)? {
            Value::Integer(number) => T::try_from(*number).ok(),
            _ => None,
        }
    }

    /// A number that has a built-in value.
    fn count<T: TryFrom<i64> + Default>(&self, path: &str) -> T {
        self.number(path).unwrap_or_default()
    }

    fn list(&self, path: &str) -> Vec<String> {
        match self.get(path) {
            Some(Value::List(items)) => items.clone(),
            _ => Vec::new(),
        }
    }

    fn secret(&self, path: &str) -> Option<SecretString> {
        match self.get(path)? {
            Value::Secret(secret) => Some(secret.clone()),
            _ => None,
        }
    }
}
