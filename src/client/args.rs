//! The command line of `vortexctl`: every verb and option with a sentence.

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Asks the Vortex service, and tells it what to do.
#[derive(Debug, Parser)]
#[command(
    name = "vortexctl",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  vortexctl status                     is it well, what is it doing, when next
  vortexctl update --follow            bring everything up to date, and watch
  vortexctl update --symbol AAPL       one instrument
  vortexctl series 'A*'                what there is
  vortexctl logs --job 7               what the journal has of a job

Exit codes: 0 done, 1 failed, 2 usage, 3 partly done, 4 no such object,
69 service not running, 75 try later, 130 interrupted."
)]
pub struct Cli {
    /// Options that every verb has.
    #[command(flatten)]
    pub global: Global,
    /// What to do; without one, `status`.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// Options that every verb has.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The service of this user, on the session bus
    #[arg(long, global = true, conflicts_with_all = ["system", "address"])]
    pub user: bool,
    /// The service of the machine, on the system bus
    #[arg(long, global = true, conflicts_with = "address")]
    pub system: bool,
    /// The service at this D-Bus address, such as unix:path=/run/vortex/bus
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub address: Option<String>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Do not pipe long lists into a pager
    #[arg(long, global = true)]
    pub no_pager: bool,
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

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show on one screen whether all is well, what runs, and what comes next
    Status {
        /// Go on showing it as it changes
        #[arg(long)]
        watch: bool,
    },
    /// Bring series up to date: all of the list, or those that are named
    Update(UpdateArgs),
    /// List the jobs that wait, run, and ran of late
    Jobs,
    /// Show a job
    Job {
        /// Its number
        id: u32,
    },
    /// Take a job out of the queue, or end it at the next commit
    Cancel {
        /// Its number
        id: u32,
    },
    /// List series and how current they are
    Series {
        /// Only symbols of this name; * stands for any characters, ? for any one
        pattern: Option<String>,
        /// Only series of this provider
        #[arg(long)]
        provider: Option<String>,
        /// Only series in this state: current, late, unlisted, suspect, failed, held
        #[arg(long = "state", value_name = "STATE", value_delimiter = ',')]
        states: Vec<String>,
    },
    /// Show the providers, their limits and what they last refused; or test them
    Providers {
        /// Ask each for a small answer
        #[arg(long)]
        test: bool,
    },
    /// Stop work at the next commit, and start none until resume
    Pause,
    /// Go on after a pause
    Resume,
    /// Have the service read its configuration again, and systemd its timers
    Reload,
    /// Forget a provider's cool-down
    Reset {
        /// Its name
        provider: String,
    },
    /// Show what happens as it happens
    Monitor,
    /// Show the journal of the service
    Logs(LogsArgs),
    /// List the timers that start updates
    Timers,
    /// Ask whether the service answers, and how fast
    Ping,
    /// Print the versions of this program and of the service
    Version,
    /// Print words for completion
    #[command(name = "__complete", hide = true)]
    Complete {
        /// jobs, series, providers
        what: String,
    },
}

/// `vortexctl update`.
#[derive(Clone, Debug, Default, Args)]
pub struct UpdateArgs {
    /// Ask this provider
    #[arg(short, long)]
    pub provider: Option<String>,
    /// Only these: names of the instruments file, or codes of the provider
    #[arg(short, long = "symbol", value_name = "SYMBOL", num_args = 1..)]
    pub symbols: Vec<String>,
    /// Only this watchlist of the configuration
    #[arg(short = 'l', long)]
    pub watchlist: Option<String>,
    /// Only these bar periods
    #[arg(long = "period", value_name = "PERIOD", value_delimiter = ',')]
    pub periods: Vec<String>,
    /// First trading date wanted
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub start: Option<String>,
    /// Last trading date wanted
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub end: Option<String>,
    /// Fetch the whole range again, whatever is stored
    #[arg(long)]
    pub force: bool,
    /// Wait for the end, and exit as the job ended
    #[arg(long)]
    pub wait: bool,
    /// The same, and show progress
    #[arg(long)]
    pub follow: bool,
}

/// `vortexctl logs`.
#[derive(Clone, Debug, Default, Args)]
pub struct LogsArgs {
    /// Only lines of this job
    #[arg(long, value_name = "ID")]
    pub job: Option<u32>,
    /// Only lines of this provider
    #[arg(long)]
    pub provider: Option<String>,
    /// Only lines of this symbol
    #[arg(long)]
    pub symbol: Option<String>,
    /// Go on as lines come
    #[arg(short, long)]
    pub follow: bool,
    /// So many of the newest lines
    #[arg(short = 'n', long, value_name = "LINES")]
    pub lines: Option<u32>,
    /// Lines since then, as journalctl takes it: "1 hour ago", 2026-11-24
    #[arg(short = 'S', long, value_name = "TIME")]
    pub since: Option<String>,
}
