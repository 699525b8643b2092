//! Barchart.com.

pub mod csv;
