//! What is true after all layers are merged: no field here means "use the default".

use std::collections::BTreeMap;
use std::path::PathBuf;

use secrecy::SecretString;

use crate::model::{Day, Period};

/// The whole configuration of a run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The archive's folder.
    pub archive: PathBuf,
    /// The configuration folder in force.
    pub config_directory: PathBuf,
    /// The state folder (`limits.db`, logs).
    pub state_directory: PathBuf,
    /// The instruments file, where one is named; else it is looked up.
    pub assets_file: Option<PathBuf>,
    /// The raw audit trail.
    pub raw: RawSettings,
    /// Which provider serves where none is named.
    pub default_provider: String,
    /// Write a Parquet twin beside each CSV.
    pub parquet: bool,
    /// Write the Parquet twin even where nothing is new.
    pub force_parquet: bool,
    /// Plan and print only.
    pub dry_run: bool,
    /// Upper bound, in seconds, of a random pause between requests of a provider that asks for one.
    pub random_sleep_max: u16,
    /// Logging.
    pub logging: LoggingSettings,
    /// Metrics.
    pub metrics: MetricsSettings,
    /// Yahoo Finance.
    pub yahoo: HttpSettings,
    /// Agree to Yahoo's consent form on the person's behalf.
    pub yahoo_consent: bool,
    /// Barchart.
    pub barchart: BarchartSettings,
    /// Interactive Brokers.
    pub ibkr: IbkrSettings,
    /// Nothing before the first of January of this year is asked for.
    pub start_day: Day,
    /// Nothing after the end of this year is asked for.
    pub end_day: Option<Day>,
    /// Whether history older than the first stored bar is asked for.
    pub backfill: bool,
    /// The schedule of the whole list.
    pub schedule: ScheduleSettings,
    /// Options of `vortex download` for the service's own runs, as typed.
    pub download_args: Option<String>,
    /// Named sets of instruments.
    pub watchlists: BTreeMap<String, Watchlist>,
    /// Where to tell a person.
    pub notify: NotifySettings,
}

/// The raw audit trail.
#[derive(Clone, Debug)]
pub struct RawSettings {
    /// Keep answers as received.
    pub enabled: bool,
    /// Where.
    pub directory: PathBuf,
    /// How many days; `None` for ever.
    pub retention_days: Option<u16>,
    /// zstd.
    pub compress: bool,
    /// Keep the request's metadata beside the body.
    pub include_metadata: bool,
}

/// What every provider spoken to over HTTP has.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// May be used.
    pub enabled: bool,
    /// Stands for scheme, host and port of every host of the provider.
    pub base_url: Option<url::Url>,
    /// PEM file with further certificate authorities to trust.
    pub ca_file: Option<PathBuf>,
    /// Seconds a request may take.
    pub timeout: u16,
    /// Requests a minute, over all processes of this user.
    pub requests_per_minute: u32,
    /// Requests in flight at once.
    pub concurrency: usize,
    /// The User-Agent header.
    pub user_agent: String,
}

/// Barchart's own keys.
#[derive(Clone, Debug)]
pub struct BarchartSettings {
    /// Common keys.
    pub http: HttpSettings,
    /// Account name.
    pub username: Option<SecretString>,
    /// Password.
    pub password: Option<SecretString>,
    /// Key of the OnDemand service.
    pub api_key: Option<SecretString>,
    /// Downloads a day that the account or the key allows.
    pub daily_limit: u16,
    /// The folder that is watched for files downloaded by hand.
    pub import_directory: Option<PathBuf>,
}

/// Interactive Brokers' gateway.
#[derive(Clone, Debug)]
pub struct IbkrSettings {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// API client id.
    pub client_id: u16,
    /// Seconds an answer may take.
    pub timeout: u16,
    /// Which data, by the protocol's name; `None` is what was traded, for forex the midpoint.
    pub what_to_show: Option<String>,
    /// Bars of regular trading hours alone; `None` is so for stocks alone.
    pub use_rth: Option<bool>,
}

/// Log level, as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything.
    Trace,
    /// For developers.
    Debug,
    /// The normal course.
    Info,
    /// What a person should look at some day.
    Warning,
    /// What a person should look at now.
    Error,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Human text.
    Console,
    /// One JSON object a line.
    Json,
    /// Human text with colour.
    Rich,
}

/// Where log lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogOutput {
    /// Standard error.
    Console,
    /// A file, rotated.
    File,
    /// systemd's journal.
    Journald,
}

/// Logging.
#[derive(Clone, Debug)]
pub struct LoggingSettings {
    /// The least severe level that is logged.
    pub level: LogLevel,
    /// Format of console and file.
    pub format: LogFormat,
    /// Outputs.
    pub output: Vec<LogOutput>,
    /// The service logs to the file too: it was named, and the outputs were not.
    pub file_of_service: bool,
    /// The file, where `output` has one.
    pub file_path: PathBuf,
    /// Bytes after which the file is rotated.
    pub max_file_size: u64,
    /// Rotated files kept.
    pub backup_count: u8,
}

/// Metrics.
#[derive(Clone, Debug)]
pub struct MetricsSettings {
    /// Count at all.
    pub enabled: bool,
    /// Listen here; `None` opens no port.
    pub listen: Option<std::net::SocketAddr>,
    /// HTTP path.
    pub path: String,
    /// Write a textfile for node_exporter here.
    pub textfile: Option<PathBuf>,
}

/// When a schedule fires.
#[derive(Clone, Debug, Default)]
pub struct ScheduleSettings {
    /// Five-field cron; empty or absent means none.
    pub cron: Option<String>,
    /// systemd calendar expression.
    pub on_calendar: Option<String>,
    /// There is none, in so many words: an empty `schedule`.
    pub switched_off: bool,
    /// Also once at the start.
    pub run_on_startup: bool,
}

/// A named set of instruments with an optional schedule.
#[derive(Clone, Debug, Default)]
pub struct Watchlist {
    /// Provider, where not the default.
    pub provider: Option<String>,
    /// Instruments file.
    pub assets: Option<PathBuf>,
    /// Names or codes.
    pub symbols: Vec<String>,
    /// Periods, where not the instruments' own.
    pub periods: Vec<Period>,
    /// When it is brought up to date by itself.
    pub schedule: ScheduleSettings,
}

/// Where to tell a person.
#[derive(Clone, Debug, Default)]
pub struct NotifySettings {
    /// Command line.
    pub command: Option<String>,
    /// Address for a POST.
    pub webhook: Option<url::Url>,
}
