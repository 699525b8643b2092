//! Runs the server that plays Barchart by hand.

#[path = "mod.rs"]
mod barchart_server;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use barchart_server::door::{Certificate, Identity};
use barchart_server::{Clock, EMAIL, LIMIT, PASSWORD, Server};
use clap::Parser;

/// Plays Barchart.com and its OnDemand service on the loopback address, with the sample market behind it.
///
/// Point Vortex at it with providers.barchart.base_url = "http://127.0.0.1:8098". There is one account,
/// trader@example.com with the password battery&staple=9, which has 250 downloads a day of Chicago's calendar.
#[derive(Parser)]
#[command(after_long_help = "\
Make it misbehave (tests/barchart_server/rules.rs has every action and step), set the clock (with --now), see
what was asked:

  at=http://127.0.0.1:8098/_vortex
  curl -d '{\"action\":{\"no_token\":{}}}' $at/rules
  curl -d '{\"step\":\"download\",\"times\":1,\"action\":{\"log_out\":{}}}' $at/rules
  curl -d '{\"step\":\"download\",\"symbol\":\"GCG24\",\"action\":{\"no_footer\":{}}}' $at/rules
  curl -d '{\"action\":{\"layout\":{\"generation\":\"of2020\"}}}' $at/rules
  curl -d '{\"step\":\"page\",\"action\":{\"challenge\":{}}}' $at/rules
  curl -X DELETE $at/rules
  curl -d 1717430400 $at/clock
  curl $at/counts")]
struct Arguments {
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 8098)]
    port: u16,
    /// What the time is, such as 2024-06-03T22:00:00Z; it stands still. Without it the clock is this machine's.
    #[arg(long)]
    now: Option<jiff::Timestamp>,
    /// Downloads a day of the account, and calls a day of the key.
    #[arg(long, default_value_t = LIMIT)]
    limit: u32,
    /// A key of the OnDemand service.
    #[arg(long)]
    key: Option<String>,
    /// Log the account in as a browser would, and write that browser's cookies to this file.
    #[arg(long)]
    cookies: Option<PathBuf>,
    /// Speak TLS with such a certificate; base_url is https://localhost:PORT then. The certificate of the
    /// authority, for providers.barchart.ca_file, is written to the file of --authority.
    #[arg(long, value_enum, requires = "authority")]
    tls: Option<Certificate>,
    /// Where to write the authority's certificate.
    #[arg(long, requires = "tls")]
    authority: Option<PathBuf>,
}

fn main() -> ExitCode {
    match play(Arguments::parse()) {
        Ok(server) => {
            println!("Playing Barchart at {}", server.base_url());
            server.wait();
            ExitCode::SUCCESS
        }
        Err(said) => {
            eprintln!("barchart-server: {said}");
            ExitCode::FAILURE
        }
    }
}

fn play(arguments: Arguments) -> Result<Server, String> {
    let clock =
        arguments.now.map_or(Clock::System, |now| Clock::Set(Arc::new(AtomicI64::new(now.as_second()))));
    let identity = arguments.tls.map(Identity::new);
    let write = |path: &PathBuf, text: &str| {
        std::fs::write(path, text).map_err(|error| format!("write {}: {error}", path.display()))
    };
    if let (Some(identity), Some(path)) = (&identity, &arguments.authority) {
        write(path, &identity.authority)?;
    }
    let server = Server::listen(clock, arguments.port, identity.as_ref())
        .map_err(|error| refusal(&error, arguments.port))?;
    server.add_account(EMAIL, PASSWORD, arguments.limit);
    if let Some(key) = &arguments.key {
        server.add_key(key, arguments.limit);
    }
    if let Some(path) = &arguments.cookies {
        let cookies = server.browser_session(EMAIL);
        let line =
            |(name, value): &(&str, String)| format!(".barchart.com\tTRUE\t/\tTRUE\t0\t{name}\t{value}\n");
        let lines: String = cookies.iter().map(line).collect();
        write(path, &format!("# Netscape HTTP Cookie File\n{lines}"))?;
    }
    Ok(server)
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
