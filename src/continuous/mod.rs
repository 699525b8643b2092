//! Continuous futures series, put together from the stored contracts of an instrument.
//!
//! In reading order: [`rolls`] decides which contract is held on which day, [`adjust`] what the prices of
//! earlier contracts become; `source` reads the contracts, [`derive`] makes the bars, `store` commits them with
//! the table of rolls (`table`). The first two are pure: the same contracts always give the same series.

pub mod adjust;
mod derive;
pub mod rolls;
mod source;
mod store;
mod table;

pub use adjust::Adjust;
pub use derive::{DeriveError, Derived, Recipe, derive};
pub use rolls::Rule;
pub use source::sources;
pub use store::Changes;
pub use table::Roll;

/// The provider name under which derived series are archived.
pub const PROVIDER: &str = "vortex";
