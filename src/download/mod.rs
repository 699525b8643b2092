//! Bringing series up to date: what is missing, fetch, check, merge, commit. The daemon and the command
//! line both come here and have no logic of their own.
//!
//! In reading order: [`selection`] turns what a person asks for into series; [`plan`] works out what is
//! missing of each, as `survey` finds it, with [`sessions`] judging empty days; [`order`] says whose turn it is, [`forecast`] on which
//! day where a provider has an allowance; [`run`] works many series at once, each by `series`, which asks
//! by `ask`, lets [`compare`] and `absorb` judge the answer against what is stored, and commits through `committer`, all by the `clock` of the provider; `refused`
//! says what a refusal means; where history moved, `refetch` fetches it again and [`restate`] puts it on its
//! scale. [`replay`] stores the raw trail again, `intake` files of a person; [`events`] tell it all.

mod absorb;
mod ask;
mod clock;
mod committer;
pub mod compare;
pub mod completeness;
pub mod events;
pub mod forecast;
mod intake;
mod number;
pub mod order;
pub mod plan;
mod refetch;
mod refused;
mod replay;
pub mod restate;
mod run;
pub mod selection;
mod series;
pub mod sessions;
mod survey;

pub use events::{Event, JobResult, Observer, Outcome, SeriesResult, Summary, Tally};
pub use intake::{Delivery, Intake, Piece, ReadFile, Taken, take};
pub use plan::Wanted;
pub use replay::{Replay, replay, series_period};
pub use run::{Job, run, runtime};
pub use selection::{Selection, listed, targets};
pub use series::Target;
pub use survey::{Survey, Surveyor};

pub use crate::provider::Clock;
