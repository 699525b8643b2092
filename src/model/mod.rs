//! Pure values of the field, with no I/O: instruments and contracts, periods, columns, bars, trading
//! dates and the coverage of a series.

pub mod bars;
pub mod by_day;
pub mod calendar;
pub mod column;
pub mod contract;
pub mod coverage;
pub mod day;
pub mod instrument;
pub(crate) mod packed;
pub mod period;
pub mod series;
pub mod symbol;

pub use bars::Bars;
pub use by_day::ByDay;
pub use calendar::Calendar;
pub use column::Column;
pub use contract::Contract;
pub use coverage::{Absence, Coverage, Mark};
pub use day::{Day, Days};
pub use instrument::{Class, Instrument};
pub use period::{Parts, Period};
pub use series::{SeriesKey, SeriesMeta};
