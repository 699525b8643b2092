//! Configuration: TOML layers, environment and credentials become one validated [`Config`].
//!
//! [`keys`] is the one table of all keys. `fragment` and `environment` read what each layer says,
//! [`load`] puts the layers over each other, `resolve` makes the [`settings`] of the result.

pub mod assets;
mod document;
mod environment;
pub mod error;
pub mod file;
pub mod fragment;
pub mod keys;
pub mod kind;
pub mod load;
pub mod render;
mod resolve;
pub mod settings;
pub mod sources;
pub mod store;

pub use error::{ConfigError, Problem};
pub use load::Loaded;
pub use settings::*;
pub use sources::{Overrides, Sources};

#[cfg(test)]
mod tests;
