//! Barchart through the binary, against a server that plays it: by name and password, by the
//! session of a browser, by a key of the service; each refusal; and where secrets must not be.

#[path = "../barchart_server/mod.rs"]
mod barchart_server;
#[path = "../support/binary.rs"]
mod binary;
mod course;
mod modes;
mod refusals;
mod secrets;
mod server;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use barchart_server::{EMAIL, PASSWORD, Server};
use binary::Home;
use vortex::model::{Day, Days};

/// Contracts of two months after each other, so that a few trade at any time.
const ASSETS: &str = r#"{
    "future": {"GOLD": {"code": "GC", "cycle": "FGHJKMNQUVXZ", "days_count": 60, "periods": "1d"}},
    "stock": {"AAPL": {"code": "AAPL", "periods": "1d"}}, "forex": {"EURUSD": {"code": "^EURUSD", "periods": "1d"}}}"#;

/// A server, and a home whose configuration knows its address and these further lines.
fn barchart(lines: &str) -> (Server, Home) {
    // Its clock stands still, so that it has the same afterwards.
    let server = Server::start(jiff::Timestamp::now().as_second());
    let home = Home::configured(&format!(
        "general.default_provider = \"barchart\"\ngeneral.random_sleep_max = 0\ngeneral.assets_file = \"assets.json\"\n\
         providers.barchart.base_url = \"{}\"\nproviders.barchart.requests_per_minute = 1_000_000\n{lines}",
        server.base_url()
    ));
    let config = home.path(".config/vortex/config.toml");
    fs::set_permissions(config, PermissionsExt::from_mode(0o600)).unwrap();
    fs::write(home.path("assets.json"), ASSETS).unwrap();
    (server, home)
}

/// The lines of the account that the server knows.
fn account() -> String {
    format!("providers.barchart.username = \"{EMAIL}\"\nproviders.barchart.password = \"{PASSWORD}\"\n")
}

/// A server that knows a browser's session, and a home that has its cookies in `cookies.txt`.
fn with_browser() -> (Server, Home) {
    let (server, home) = barchart("");
    let cookies = server.browser_session(EMAIL);
    let lines: String = cookies
        .iter()
        .map(|(name, value)| format!(".barchart.com\tTRUE\t/\tTRUE\t0\t{name}\t{value}\n"))
        .collect();
    fs::write(home.path("cookies.txt"), format!("# Netscape HTTP Cookie File\n{lines}")).unwrap();
    (server, home)
}

/// The same with the session taken over.
fn with_session() -> (Server, Home) {
    let (server, home) = with_browser();
    home.expect(0, &["providers", "--login", "barchart", "--cookies", "cookies.txt"]);
    server.reset_counts();
    (server, home)
}

/// The last days, by Chicago's clock, up to the trading date of this evening.
fn last_days(count: i32) -> Days {
    let now = jiff::Timestamp::now().as_second();
    let today = Day::of_local(now, &jiff::tz::TimeZone::get("America/Chicago").unwrap());
    Days { first: today.plus(1 - count), last: today.plus(1) }
}

/// Downloads of these symbols since so many days ago; ends with this code.
#[track_caller]
fn download(home: &Home, code: i32, days: i32, symbols: &[&str]) -> binary::Ran {
    let start = last_days(days).first.to_string();
    let mut args = vec!["download", "--yes", "--start-date", &start];
    for symbol in symbols {
        args.extend(["-s", symbol]);
    }
    home.expect(code, &args)
}

/// Time and close of each row of a CSV.
fn closes(csv: &str) -> Vec<(i64, f64)> {
    let mut lines = csv.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let close = header.iter().position(|name| *name == "Close").unwrap();
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let time = jiff::fmt::strtime::parse("%Y-%m-%dT%H:%M:%S%z", fields[0]).unwrap();
            (time.to_timestamp().unwrap().as_second(), fields[close].parse().unwrap())
        })
        .collect()
}

/// The contract that a CSV is of, as the site calls it: `GCG24` of `GOLD_20240200.csv`.
fn symbol_of(path: &std::path::Path) -> String {
    let name = path.file_stem().unwrap().to_str().unwrap();
    let (_, contract) = vortex::model::Contract::of_stored_name(name).unwrap();
    contract.code("GC")
}
