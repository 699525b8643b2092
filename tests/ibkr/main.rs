//! Updates through a gateway, played by `ibkr_gateway`: the bars, the limits, and everything that goes wrong.

#[path = "../support/binary.rs"]
mod binary;
#[path = "../ibkr_gateway/mod.rs"]
mod ibkr_gateway;
#[path = "../support/place.rs"]
mod place;

mod cases;
mod command;
mod doubts;
mod lab;
mod numbers;
#[cfg(feature = "recorded")]
mod recorded;
mod service;
mod whole;
