//! Configuration: TOML layers, environment and credentials become one validated [`Config`].

pub mod settings;

pub use settings::*;
