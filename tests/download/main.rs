//! `vortex download` through the binary: against a server that plays Yahoo, on this machine's clock, and
//! against the sample market.

#[path = "../support/binary.rs"]
mod binary;
#[path = "../yahoo_server/mod.rs"]
mod yahoo_server;

mod asking;
mod care;
mod futures;
mod json;
mod refusals;
mod trouble;

use binary::Home;
use yahoo_server::{Clock, Server};

/// A server on this machine's clock, and a home that knows nothing but its address.
fn yahoo() -> (Server, Home) {
    yahoo_with("")
}

/// The same with more lines of configuration.
fn yahoo_with(lines: &str) -> (Server, Home) {
    let server = Server::listen(Clock::System, 0).unwrap();
    let address = server.base_url();
    let home = Home::configured(&format!("providers.yahoo.base_url = \"{address}\"\n{lines}"));
    (server, home)
}

/// So fast that no test waits for the limit.
const FAST: &str = "providers.yahoo.requests_per_minute = 1_000_000\n";
