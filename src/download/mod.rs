//! Bringing series up to date: what is missing, fetch, check, merge, commit. The daemon and the command
//! line both come here and have no logic of their own.

pub mod compare;
pub mod plan;
pub mod restate;
pub mod sessions;
