//! Vortex keeps a market-data archive complete by itself. The rooms, in reading order:
//!
//! - [`model`]: pure values of the field, no I/O.
//! - [`config`]: TOML layers, environment and credentials become one validated configuration.
//! - [`provider`]: where bars come from.
//! - [`archive`]: where they are kept.

pub mod archive;
pub mod config;
pub mod download;
pub mod model;
pub mod provider;
