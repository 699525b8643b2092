//! The command line: every command and option with a sentence.

use std::path::PathBuf;

use clap::{ArgAction, ArgGroup, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::completion;
use crate::model::{Class, Day, Period, contract};

/// Keeps a market-data archive (CSV and Parquet) complete by itself.
#[derive(Debug, Parser)]
#[command(
    name = "vortex",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  vortex download -p sample -s AAPL -o ./data   a first archive, with no network
  vortex download -s AAPL --period 1d,1h        a stock from Yahoo Finance
  vortex archive list                           what there is, what is late
  vortex config --show --origin                 the configuration in force

Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 partly done,
4 no such object, 69 service not running, 75 try later, 130 interrupted."
)]
pub struct Cli {
    /// Options that every command has.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command has.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Read this file in place of the user's config.toml and conf.d
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Say more: -v is DEBUG, -vv is TRACE
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Plan and print, fetch nothing, write nothing
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// Print JSON: what is listed, and errors
    #[arg(long, global = true)]
    pub json: bool,
    /// Use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// What was asked for; `None` leaves it to the terminal.
    pub fn asked(self) -> Option<bool> {
        match self {
            Color::Auto => None,
            Color::Always => Some(true),
            Color::Never => Some(false),
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fetch what is missing into the archive
    Download(DownloadArgs),
    /// Take files downloaded by hand, or another program's folder, into the archive
    Import(ImportArgs),
    /// Run the service: keep the archive current, and answer vortexctl
    Daemon(DaemonArgs),
    /// Show, check, export or change the configuration
    Config(ConfigArgs),
    /// List, describe or test the providers
    Providers(ProvidersArgs),
    /// Check files or the whole archive, and repair what can be repaired
    Validate(ValidateArgs),
    /// Look at the archive, rebuild its catalogue, take back a restatement
    Archive(ArchiveArgs),
    /// Put the contracts of a future together into one series
    Continuous(ContinuousArgs),
    /// Ask what a first configuration needs, and write it
    Wizard,
    /// Show or reset the providers' limits, cool-downs and circuits
    Resilience(ResilienceArgs),
    /// Print the completion script of a shell
    #[command(after_help = "\
Example:
  vortex completion bash > ~/.local/share/bash-completion/completions/vortex")]
    Completion(CompletionArgs),
    /// Write the man pages to a folder
    #[command(after_help = "\
Example:
  vortex man ~/.local/share/man/man1")]
    Man(ManArgs),
}

/// `vortex download`.
#[derive(Clone, Debug, Default, Args)]
#[command(after_help = "\
Examples:
  vortex download                                the whole instruments file
  vortex download -s AAPL MSFT --period 1d,1h    two stocks, daily and hourly
  vortex download -p sample --assets list.json   another provider, another list
  vortex download -s AAPL --force                fetch it all again")]
pub struct DownloadArgs {
    /// Ask this provider
    #[arg(short, long, value_name = "P", value_parser = completion::served())]
    pub provider: Option<String>,
    /// Only these: names of the instruments file, or codes of the provider
    #[arg(short, long = "symbol", value_name = "SYMBOL", num_args = 1.., action = ArgAction::Append)]
    pub symbols: Vec<String>,
    /// Only the symbols in this file, one a line
    #[arg(long, value_name = "FILE")]
    pub symbols_file: Option<PathBuf>,
    /// The instruments file
    #[arg(long, visible_alias = "assets-file", value_name = "FILE")]
    pub assets: Option<PathBuf>,
    /// First trading date wanted
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = Day::asked)]
    pub start_date: Option<Day>,
    /// Last trading date wanted
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = Day::asked)]
    pub end_date: Option<Day>,
    /// The archive's folder
    #[arg(short, long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
    /// Keep answers as received in this folder
    #[arg(long, value_name = "DIR")]
    pub raw_dir: Option<PathBuf>,
    /// Write a Parquet twin beside each CSV, also where nothing is new
    #[arg(long, conflicts_with = "no_backup")]
    pub backup: bool,
    /// Write CSV alone
    #[arg(long)]
    pub no_backup: bool,
    /// Fetch the whole range again, whatever is stored
    #[arg(long)]
    pub force: bool,
    /// Ask for at most so many new days in one request
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=365))]
    pub chunk_size: Option<u16>,
    /// Do not ask before a large download
    #[arg(short, long)]
    pub yes: bool,
    /// Only these bar periods: 1m 2m 5m 10m 15m 20m 30m 1h 1d 1W 1M 3M
    #[arg(long = "period", value_name = "PERIOD", value_delimiter = ',', value_parser = completion::period(), hide_possible_values = true)]
    pub periods: Vec<Period>,
    /// Exit with 75 where another process writes the archive
    #[arg(long)]
    pub no_wait: bool,
    /// The raw trail to read again, with --provider replay
    #[arg(long, value_name = "RAW")]
    pub from: Option<PathBuf>,
}

/// `vortex import`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  vortex import ~/Downloads                  CSV files of Barchart.com
  vortex import --dry-run ~/vortex-old/data  what an older Vortex left
  vortex import --symbol AUD=A6 a6h24.csv    A6H24 is stored as AUD_20240300

The files are only read. Every row is accounted for: taken, there already, or
not taken and why.")]
pub struct ImportArgs {
    /// CSV files, and folders of them
    #[arg(required = true, value_name = "FILE|FOLDER")]
    pub paths: Vec<PathBuf>,
    /// Whose bars they are, where the files of an older Vortex do not say
    #[arg(short, long, value_name = "P", value_parser = completion::provider())]
    pub provider: Option<String>,
    /// The class of symbols that the instruments file does not have: stock, future or forex
    #[arg(long, value_name = "CLASS", value_parser = completion::class())]
    pub class: Option<Class>,
    /// Store the symbol CODE under this name
    #[arg(short, long = "symbol", value_name = "NAME=CODE", action = ArgAction::Append)]
    pub symbols: Vec<String>,
    /// The instruments file
    #[arg(long, visible_alias = "assets-file", value_name = "FILE")]
    pub assets: Option<PathBuf>,
    /// The archive's folder
    #[arg(short, long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
    /// Take values also where most of a file differ from what is stored; that is kept as a revision
    #[arg(long)]
    pub force: bool,
    /// Exit with 75 where another process writes the archive
    #[arg(long)]
    pub no_wait: bool,
}

/// `vortex daemon`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  systemctl --user start vortex   as a service of systemd, which runs this
  vortex daemon --bus private     by hand, or under another supervisor
  vortexctl status                what it does

SIGTERM ends it at the next commit, SIGHUP has it read the configuration again.")]
pub struct DaemonArgs {
    /// Where vortexctl finds it; by default the session bus where there is one, else a private socket
    #[arg(long, value_name = "BUS")]
    pub bus: Option<BusName>,
    /// Who starts scheduled runs
    #[arg(long, value_name = "WHO", default_value = "internal")]
    pub schedule: Scheduler,
}

/// A bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BusName {
    /// The session bus of this user
    User,
    /// The system bus
    System,
    /// A socket of its own, for this user alone
    Private,
    /// None: it cannot be spoken to
    None,
}

/// Who starts scheduled runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scheduler {
    /// The service itself
    Internal,
    /// Timers of systemd
    Systemd,
}

/// `vortex config`.
#[derive(Clone, Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  vortex config --show --origin         where does each value come from
  vortex config --export backup.toml    all but the passwords
  vortex config --provider barchart --set-credentials"
)]
#[command(group(ArgGroup::new("config_action").required(true).args(["show", "set_credentials", "export", "import", "reset", "reference", "example"])))]
pub struct ConfigArgs {
    /// Print the configuration in force; fails where it is not valid
    #[arg(long)]
    pub show: bool,
    /// With --show: where each value comes from
    #[arg(long, requires = "show")]
    pub origin: bool,
    /// The provider whose credentials are set
    #[arg(short, long, value_name = "P", requires = "set_credentials", value_parser = completion::with_credentials())]
    pub provider: Option<String>,
    /// Ask for the credentials of --provider and store them (mode 0600)
    #[arg(long, requires = "provider")]
    pub set_credentials: bool,
    /// Write what differs from the built-in values to a file, without passwords
    #[arg(long, value_name = "FILE")]
    pub export: Option<PathBuf>,
    /// Take over a file, once it is known to be valid; the old one is kept beside it
    #[arg(long, value_name = "FILE")]
    pub import: Option<PathBuf>,
    /// Go back to the built-in values; the old file is kept beside it
    #[arg(long)]
    pub reset: bool,
    /// Print the reference of all keys (docs/configuration.md)
    #[arg(long)]
    pub reference: bool,
    /// Print an example file with every key (config/config.toml)
    #[arg(long)]
    pub example: bool,
}

/// `vortex providers`.
#[derive(Clone, Debug, Args)]
#[command(arg_required_else_help = true)]
#[command(group(ArgGroup::new("providers_action").required(true).args(["list", "test", "info", "login"])))]
pub struct ProvidersArgs {
    /// List all providers
    #[arg(long)]
    pub list: bool,
    /// Ask this provider for one small answer; without a name, all that are configured
    #[arg(long, value_name = "P|all", num_args = 0..=1, default_missing_value = "all", value_parser = completion::provider_or_all())]
    pub test: Option<String>,
    /// Describe one provider: periods, reach, limits
    #[arg(long, value_name = "P", value_parser = completion::provider())]
    pub info: Option<String>,
    /// Take over the session of your own browser; explains how
    #[arg(long, value_name = "P", value_parser = completion::with_credentials())]
    pub login: Option<String>,
    /// Where --login finds the cookies, as a browser exports them; - is standard input
    #[arg(long, value_name = "FILE", requires = "login")]
    pub cookies: Option<PathBuf>,
}

/// `vortex validate`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Exit code 1 where a file is bad.")]
pub struct ValidateArgs {
    /// A file, or a folder of the archive; without it, the whole archive
    #[arg(short, long, value_name = "PATH")]
    pub path: Option<PathBuf>,
    /// Only what this provider gave
    #[arg(long, value_name = "P", value_parser = completion::archived())]
    pub provider: Option<String>,
    /// Repair what can be repaired without inventing data
    #[arg(long)]
    pub fix: bool,
    /// Every finding
    #[arg(long, conflicts_with = "summary")]
    pub detailed: bool,
    /// Only the counts
    #[arg(long)]
    pub summary: bool,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
}

/// How to print what is listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
    /// For spreadsheets
    Csv,
}

/// `vortex archive`.
#[derive(Clone, Debug, Args)]
pub struct ArchiveArgs {
    /// The archive's folder
    #[arg(short, long, global = true, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: ArchiveCommand,
}

/// The commands of `vortex archive`.
#[derive(Clone, Debug, Subcommand)]
pub enum ArchiveCommand {
    /// One line a series, contracts together: bars, span, completeness
    List(ListArgs),
    /// Expected, present, absent, pending and suspect sessions of a series
    Show(SeriesFilter),
    /// Make the catalogue again from the files; with SYMBOL, take over its edited files
    Rebuild(SeriesFilter),
    /// Put back what a restatement replaced, and hold the series
    Revert(RevertArgs),
}

/// `vortex archive list`.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Which series.
    #[command(flatten)]
    pub series: SeriesFilter,
    /// Each contract of a future on a line of its own; --json always has each
    #[arg(long)]
    pub contracts: bool,
}

/// Which series.
#[derive(Clone, Debug, Args)]
pub struct SeriesFilter {
    /// Instrument name, or contract such as GOLD_20240200
    #[arg(value_name = "SYMBOL")]
    pub symbol: Option<String>,
    /// Only this provider; `vortex` made the continuous series
    #[arg(short, long, value_name = "P", value_parser = completion::archived())]
    pub provider: Option<String>,
    /// Only this period
    #[arg(long, value_name = "PERIOD", value_parser = completion::period())]
    pub period: Option<Period>,
}

/// `vortex archive revert`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "`vortex download --force -s SYMBOL` lets the series go again.")]
pub struct RevertArgs {
    /// Which series.
    #[command(flatten)]
    pub series: SeriesFilter,
    /// The number of the revision; without it, the latest
    #[arg(long, value_name = "N")]
    pub revision: Option<i64>,
    /// List the revisions, change nothing
    #[arg(long)]
    pub list: bool,
}

/// `vortex continuous`.
#[derive(Clone, Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  vortex continuous GOLD                          by volume, prices as they are
  vortex continuous GOLD --roll calendar --days-before 10
  vortex continuous GOLD --adjust ratio --name GOLD_RATIO
  vortex continuous GOLD SILVER --period 1d,1h --dry-run

It is stored under vortex/futures/ in the archive, with a table of its rolls
beside it, and made again from the stored contracts each time."
)]
pub struct ContinuousArgs {
    /// The instruments
    #[arg(value_name = "SYMBOL", required = true)]
    pub symbols: Vec<String>,
    /// When to go to the next contract
    #[arg(long, value_name = "RULE", default_value = "volume")]
    pub roll: RollName,
    /// How to bring earlier contracts to the level of later ones
    #[arg(long, value_name = "HOW", default_value = "none")]
    pub adjust: AdjustName,
    /// With volume and open-interest: on so many sessions in a row a later contract must have had more; 3 if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=60))]
    pub sessions: Option<u32>,
    /// With calendar: so many weekdays before the contract's month; negative ones lie in it; 5 if not given
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(-30..=250))]
    pub days_before: Option<i32>,
    /// Only contracts of these months, by their letters, such as GJMQZ
    #[arg(long, value_name = "LETTERS", value_parser = contract::cycle)]
    pub cycle: Option<String>,
    /// Bar periods: 1d, and intraday ones that roll between sessions
    #[arg(long = "period", value_name = "PERIOD", value_delimiter = ',', default_value = "1d", value_parser = completion::period(), hide_possible_values = true)]
    pub periods: Vec<Period>,
    /// Whose contracts
    #[arg(short, long, value_name = "P", value_parser = completion::provider())]
    pub provider: Option<String>,
    /// The name of the series; the instrument's without it
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The first trading date of the series
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = Day::asked)]
    pub start_date: Option<Day>,
    /// The archive's folder
    #[arg(short, long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
    /// Exit with 75 where another process writes the archive
    #[arg(long)]
    pub no_wait: bool,
}

/// When a continuous series goes to the next contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RollName {
    /// When a later contract had the greater volume
    Volume,
    /// When a later contract had the greater open interest
    OpenInterest,
    /// On a day before the contract's month
    Calendar,
}

/// How earlier contracts are brought to the level of later ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AdjustName {
    /// Not at all: each bar is its contract's own
    None,
    /// By adding the differences at the rolls
    Difference,
    /// By multiplying with the ratios at the rolls
    Ratio,
}

/// `vortex resilience`.
#[derive(Clone, Debug, Args)]
pub struct ResilienceArgs {
    /// What to do; without it, show.
    #[command(subcommand)]
    pub command: Option<ResilienceCommand>,
}

/// The commands of `vortex resilience`.
#[derive(Clone, Debug, Subcommand)]
pub enum ResilienceCommand {
    /// Show limits, cool-downs and circuits
    Show,
    /// Close a provider's circuit and end its cool-down; its quota stays counted
    Reset {
        /// Only this provider
        #[arg(value_name = "P", value_parser = completion::provider())]
        provider: Option<String>,
    },
}

/// `vortex completion`.
#[derive(Clone, Debug, Args)]
pub struct CompletionArgs {
    /// bash, zsh, fish, elvish or powershell
    pub shell: Shell,
}

/// `vortex man`.
#[derive(Clone, Debug, Args)]
pub struct ManArgs {
    /// The folder, made where it is missing
    pub folder: PathBuf,
}
