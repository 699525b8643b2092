//! Runs the server that plays Yahoo by hand.

#[path = "mod.rs"]
mod yahoo_server;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use clap::Parser;
use yahoo_server::door::{Certificate, Identity};
use yahoo_server::{Clock, Server};

/// Plays Yahoo Finance on the loopback address, with the sample market behind it.
///
/// Point Vortex at it with providers.yahoo.base_url = "http://127.0.0.1:8099". Like Yahoo it answers
/// 429 to a User-Agent that is no browser's; with curl, pass -A 'Mozilla/5.0'.
#[derive(Parser)]
#[command(after_long_help = "\
Make it misbehave (tests/yahoo_server/rules.rs has every action), set the clock (with --now), see
what was asked:

  at=http://127.0.0.1:8099/_vortex
  curl -d '{\"symbol\":\"AAPL\",\"times\":2,\"action\":{\"need_crumb\":{}}}' $at/rules
  curl -d '{\"action\":{\"reply\":{\"status\":503,\"body\":\"down\"}}}' $at/rules
  curl -d '{\"action\":{\"retry_after\":{\"value\":\"120\"}}}' $at/rules
  curl -d '{\"action\":{\"endless\":{}}}' $at/rules
  curl -d '{\"action\":{\"drip\":{\"milliseconds\":200}}}' $at/rules
  curl -d '{\"action\":{\"bomb\":{\"mebibytes\":1024}}}' $at/rules
  curl -d '{\"action\":{\"reset\":{\"bytes\":1000}}}' $at/rules
  curl -X DELETE $at/rules
  curl -d 1717430400 $at/clock
  curl $at/counts")]
struct Arguments {
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 8099)]
    port: u16,
    /// What the time is, such as 2024-06-03T16:00:00Z; it stands still. Without it the clock is this
    /// machine's.
    #[arg(long)]
    now: Option<jiff::Timestamp>,
    /// Speak TLS with such a certificate; base_url is https://localhost:PORT then. The certificate of the
    /// authority, for providers.yahoo.ca_file, is written to the file of --authority.
    #[arg(long, value_enum, requires = "authority")]
    tls: Option<Certificate>,
    /// Where to write the authority's certificate.
    #[arg(long, requires = "tls")]
    authority: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let clock =
        arguments.now.map_or(Clock::System, |now| Clock::Set(Arc::new(AtomicI64::new(now.as_second()))));
    let identity = arguments.tls.map(Identity::new);
    if let (Some(identity), Some(path)) = (&identity, &arguments.authority)
        && let Err(error) = std::fs::write(path, &identity.authority)
    {
        eprintln!("yahoo-server: write {}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    match Server::listen_with(clock, arguments.port, identity.as_ref()) {
        Ok(server) => {
            println!("Playing Yahoo at {}", server.base_url());
            server.wait();
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("yahoo-server: {}", refusal(&error, arguments.port));
            ExitCode::FAILURE
        }
    }
}

/// Why the server cannot listen, and what to do.
fn refusal(error: &io::Error, port: u16) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "port {port} of 127.0.0.1 is taken: stop who has it, or choose another with --port (0 takes a free one)"
        ),
        _ => format!("port {port} of 127.0.0.1 cannot be opened: {error}"),
    }
}
