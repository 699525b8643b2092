//! The gateway that plays TWS and IB Gateway has the broker's shapes, limits and errors.

mod bars;
mod client;
mod contracts;
#[path = "../ibkr_gateway/mod.rs"]
mod ibkr_gateway;
mod limits;
mod trouble;

use ibkr_gateway::Gateway;
use vortex::model::Days;

/// Seconds since the epoch of an instant such as `2024-01-02T14:30:00Z`.
fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_second()
}

fn days(first: &str, last: &str) -> Days {
    Days::new(first.parse().unwrap(), last.parse().unwrap()).unwrap()
}

/// An evening in New York.
const EVENING: &str = "2024-06-04T22:00:00Z";

fn evening() -> Gateway {
    Gateway::start(at(EVENING))
}
