//! The readers of a person's files, for the fuzzer alone. Each takes anything and may refuse it.

use std::path::Path;

use super::report::FileReport;
use super::side::SideFile;
use super::source::Source;
use crate::model::{Class, Contract, Period, SeriesKey};

/// In 2026, in seconds since the epoch.
const NOW: i64 = 1_795_514_400;

/// The CSV of an older Vortex or of bc-utils, which lies at `path`; `side` is what stands beside it. What is taken is
/// unique, ascending and finite.
pub fn rows(path: &Path, side: Option<&str>) {
    let Ok(side) = side.map(SideFile::read).transpose() else { return };
    let key = |provider: &str, class, contract, period| SeriesKey {
        provider: provider.to_owned(),
        class,
        symbol: "GOLD".to_owned(),
        contract,
        period,
    };
    let dated = Some(Contract { year: 2024, month: 2 });
    for key in [
        key("barchart", Class::Future, dated, Period::D1),
        key("barchart", Class::Future, dated, Period::H1),
        key("yahoo", Class::Stock, None, Period::D1),
        key("ibkr", Class::Forex, None, Period::M1),
    ] {
        let source = Source::of_another_program(path, key, side.clone());
        if let Ok(piece) = source.read(NOW, &mut FileReport::default()) {
            assert!(piece.answer.bars.is_ascending());
            assert!(piece.answer.bars.values.iter().flatten().all(|value| !value.is_infinite()));
            assert!(piece.covered.first <= piece.covered.last);
        }
    }
}
