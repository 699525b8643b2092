//! Logging: to the terminal, to a rotated file, to the journal.

pub mod logging;
mod rotate;

pub use logging::init;
