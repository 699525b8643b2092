//! The objects on the bus. They translate, and have no logic of their own: what they show is read from the
//! engine, what they are told is done by it.

mod job;
mod log_control;
mod manager;
mod options;
mod provider;

pub(super) use job::JobObject;
pub(super) use log_control::LogControl;
pub(super) use manager::Manager;
pub(super) use provider::ProviderObject;
