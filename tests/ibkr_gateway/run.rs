//! Runs the gateway that plays TWS and IB Gateway by hand.

#[path = "mod.rs"]
mod ibkr_gateway;

use std::io::{self, BufRead};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use clap::Parser;
use ibkr_gateway::stamps::Zone;
use ibkr_gateway::{Clock, Gateway, Options, Rule};

/// Plays TWS and IB Gateway on the loopback address, with the sample market behind it.
///
/// Point Vortex at it with providers.ibkr.host = "127.0.0.1" and providers.ibkr.port = 7497. It keeps the
/// broker's limits itself and refuses what is over them.
#[derive(Parser)]
#[command(after_help = "\
Make it misbehave with --rule, which may come several times (tests/ibkr_gateway/rules.rs has every
action; without \"on\" a rule is for requests for bars):

  --rule '{\"symbol\":\"AAPL\",\"action\":{\"error\":{\"code\":200,\"text\":\"No security definition has been found for the request\"}}}'
  --rule '{\"times\":2,\"action\":{\"silent\":{}}}'
  --rule '{\"on\":\"start\",\"times\":1,\"action\":{\"id_in_use\":{}}}'
  --rule '{\"skip\":5,\"times\":1,\"action\":{\"outage\":{\"milliseconds\":2000,\"code\":1101}}}'
  --rule '{\"skip\":9,\"times\":1,\"action\":{\"restart\":{\"milliseconds\":5000}}}'
  --rule '{\"bar_size\":\"1 min\",\"action\":{\"close_after\":{\"bytes\":1000}}}'

Each line on its standard input is a command: a rule as above, `counts`, `clear` (forgets the rules),
`now SECONDS`, `advance SECONDS` (the clock of the limits), `notice CODE TEXT`, `shut`, `open`.")]
struct Arguments {
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 7497)]
    port: u16,
    /// What the time is, such as 2024-06-03T16:00:00Z; it stands still. Without it the clock is this
    /// machine's.
    #[arg(long)]
    now: Option<jiff::Timestamp>,
    /// The server version: 157 to 200 speaks text, from 213 on protobuf. A client that knows less gets
    /// the newest version it knows.
    #[arg(long, default_value_t = 222)]
    server_version: i32,
    /// The accounts, comma separated; those of paper trading begin with DU.
    #[arg(long, default_value = "DU0000001")]
    accounts: String,
    /// The name of the host's time zone, as the handshake says it.
    #[arg(long, default_value = "US/Eastern")]
    host_zone: String,
    /// How the ends of an answer are written: instrument, utc, or the name of a zone.
    #[arg(long, default_value = "instrument")]
    end_zone: String,
    /// What errors of the history service begin with.
    #[arg(long, default_value = "Historical Market Data Service error message")]
    prefix: String,
    /// Nobody is logged in at the broker.
    #[arg(long)]
    logged_out: bool,
    /// A client id that is in use.
    #[arg(long, value_name = "ID")]
    taken: Vec<i32>,
    /// How many seconds of the limits a second is.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Counts what is over a limit, but answers it.
    #[arg(long)]
    lenient: bool,
    /// How it misbehaves, as JSON.
    #[arg(long, value_name = "JSON", value_parser = rule)]
    rule: Vec<Rule>,
}

fn rule(text: &str) -> Result<Rule, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let clock =
        arguments.now.map_or(Clock::System, |now| Clock::Set(Arc::new(AtomicI64::new(now.as_second()))));
    let options = Options {
        port: arguments.port,
        version: arguments.server_version,
        accounts: arguments.accounts,
        host_zone: arguments.host_zone,
        end_zone: match arguments.end_zone.as_str() {
            "instrument" => Zone::Instrument,
            "utc" => Zone::Utc,
            name => Zone::Named(name.to_owned()),
        },
        prefix: arguments.prefix,
        logged_in: !arguments.logged_out,
        read_only: true,
        taken: arguments.taken,
        speed: arguments.speed,
        refuse: !arguments.lenient,
    };
    match Gateway::listen(clock, options) {
        Ok(gateway) => {
            arguments.rule.into_iter().for_each(|rule| gateway.rule(rule));
            println!("Playing IB Gateway at 127.0.0.1:{}", gateway.port());
            for line in io::stdin().lock().lines().map_while(Result::ok) {
                obey(&gateway, line.trim());
            }
            gateway.wait();
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("ibkr-gateway: {}", refusal(&error, arguments.port));
            ExitCode::FAILURE
        }
    }
}

/// Does what a line of the standard input says.
fn obey(gateway: &Gateway, line: &str) {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "" => {}
        "counts" => match serde_json::to_string(&gateway.counts()) {
            Ok(counts) => println!("{counts}"),
            Err(error) => eprintln!("ibkr-gateway: {error}"),
        },
        "clear" => gateway.clear_rules(),
        "shut" => gateway.shut(),
        "open" => gateway.open(),
        "now" if rest.parse::<i64>().is_ok() => gateway.set_now(rest.parse().unwrap_or_default()),
        "advance" if rest.parse::<f64>().is_ok() => gateway.advance(rest.parse().unwrap_or_default()),
        "notice" => match rest.split_once(' ').map(|(code, text)| (code.parse(), text)) {
            Some((Ok(code), text)) => gateway.notice(code, text),
            _ => eprintln!("ibkr-gateway: notice CODE TEXT"),
        },
        _ => match rule(line) {
            Ok(rule) => gateway.rule(rule),
            Err(error) => eprintln!("ibkr-gateway: no command, and not a rule: {error}"),
        },
    }
}

/// Why the gateway cannot listen, and what to do.
fn refusal(error: &io::Error, port: u16) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "port {port} of 127.0.0.1 is taken: stop who has it, or choose another with --port (0 takes a free one)"
        ),
        _ => format!("port {port} of 127.0.0.1 cannot be opened: {error}"),
    }
}
