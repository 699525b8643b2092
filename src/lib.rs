//! Vortex keeps a market-data archive complete by itself. The rooms, in reading order:
//!
//! - [`model`]: pure values of the field, no I/O.
//! - [`config`]: TOML layers, environment and credentials become one validated configuration.
//! - [`provider`]: where bars come from.
//! - [`archive`]: where they are kept.
//! - [`download`]: what is missing, and bringing it from the one to the other.
//! - [`cli`]: one file a command of `vortex`, and how things are printed.
//! - [`observe`]: logging, to the terminal, a file or the journal.

pub mod archive;
pub mod cli;
pub mod config;
pub mod download;
pub mod model;
pub mod observe;
pub mod provider;
