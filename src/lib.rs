//! Vortex keeps a market-data archive complete by itself. The rooms, in reading order:
//!
//! - [`model`]: pure values of the field, no I/O.
//! - [`config`]: TOML layers, environment and credentials become one validated configuration.
//! - [`provider`]: where bars come from.
//! - [`archive`]: where they are kept.
//! - [`download`]: what is missing, and bringing it from the one to the other.
//! - [`continuous`]: continuous futures, put together from stored contracts.
//! - [`import`]: files of a person, and folders of other programs, become part of the archive.
//! - [`request`]: what somebody asks for, and the series it means.
//! - [`schedule`]: the schedules of a configuration, and systemd's timers made of them.
//! - [`service`]: the daemon, with its queue, its bus and its place under systemd.
//! - [`cli`]: one file a command of `vortex`, and how things are printed.
//! - [`observe`]: logging, to the terminal, a file or the journal.
//! - [`bus`]: what the service says on D-Bus, for both sides.
//! - [`client`] is `vortexctl`.
//! - [`exit`]: the exit codes of both programs.
//!
//! `disk` tells of a disk that is full, for `archive` and `provider`; `escape` makes texts from elsewhere harmless.

#[cfg(feature = "service")]
pub mod archive;
pub mod bus;
#[cfg(feature = "service")]
pub mod cli;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "service")]
pub mod config;
#[cfg(feature = "service")]
pub mod continuous;
#[cfg(feature = "service")]
mod disk;
#[cfg(feature = "service")]
pub mod download;
#[cfg(feature = "service")]
mod escape;
pub mod exit;
#[cfg(feature = "service")]
pub mod import;
#[cfg(feature = "service")]
pub mod model;
#[cfg(feature = "service")]
pub mod observe;
#[cfg(feature = "service")]
pub mod provider;
#[cfg(feature = "service")]
pub mod request;
#[cfg(feature = "service")]
pub mod schedule;
#[cfg(feature = "service")]
pub mod service;
