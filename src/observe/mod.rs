//! Logging: to the terminal, to a rotated file, to the journal.

pub mod logging;
pub mod messages;
mod rotate;

pub use logging::init;
