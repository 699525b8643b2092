//! What `scripts/bench` needs beside Vortex and the scripts: a server, archives that could not be downloaded,
//! and the least that a program can do.

mod bare;
mod contracts;
mod fill;
mod server;
#[path = "../yahoo_server/mod.rs"]
mod yahoo_server;

use std::error::Error;

use clap::Parser;

/// What every symbol is in truth: American shares with more than twenty years of history.
const LISTINGS: [&str; 4] = ["AAPL", "MSFT", "GE", "SPY"];

/// The server, the archives and the bare program of the bench.
#[derive(Parser)]
enum Command {
    /// Plays Yahoo at almost no cost; prints its address.
    Serve,
    /// Makes an archive of what the server has.
    Fill(fill::Arguments),
    /// Downloads with nothing but what a download needs.
    Bare(bare::Arguments),
    /// Makes an archive of dated contracts.
    Contracts(contracts::Arguments),
}

/// The listing behind a symbol, by the number in its name.
fn listing(symbol: &str) -> &'static str {
    let digits = symbol.chars().filter(char::is_ascii_digit);
    let number = digits.fold(0, |number, digit| number * 10 + digit as usize - '0' as usize);
    LISTINGS[number % LISTINGS.len()]
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    match Command::parse() {
        Command::Serve => Ok(server::serve()?),
        Command::Fill(arguments) => fill::fill(&arguments),
        Command::Bare(arguments) => bare::run(&arguments),
        Command::Contracts(arguments) => contracts::fill(&arguments),
    }
}
