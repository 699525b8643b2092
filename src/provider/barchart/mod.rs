//! Barchart.com.

pub mod csv;

/// The name in configuration, paths and messages.
pub const NAME: &str = "barchart";
