//! The readers of the archive's own bytes, for the fuzzer alone. Each takes anything and may refuse it; what it
//! takes it must give back.

use std::path::Path;

use super::catalogue::sessions;
use super::intent::Intent;
use super::parquet::{Kept, Notes};
use super::raw::RawAbout;
use super::{SeriesState, csv, parquet};
use crate::model::{Class, Contract, Period, SeriesKey};

fn keys() -> [SeriesKey; 3] {
    let key = |class, contract, period| SeriesKey {
        provider: "yahoo".to_owned(),
        class,
        symbol: "AAPL".to_owned(),
        contract,
        period,
    };
    [
        key(Class::Stock, None, Period::D1),
        key(Class::Forex, None, Period::M1),
        key(Class::Future, Some(Contract { year: 2024, month: 2 }), Period::D1),
    ]
}

/// A CSV: what is read is written back as the same bars.
pub fn csv(bytes: &[u8]) {
    for key in keys() {
        let _ = csv::decode_last(bytes, csv::count_since(bytes, 0), key.columns());
        if let Ok(bars) = csv::decode(bytes, key.columns()) {
            let Ok(again) = csv::encode(&bars) else { continue };
            assert!(csv::decode(&again, key.columns()).is_ok_and(|read| read.same(&bars)));
        }
    }
    let _ = csv::columns_of(bytes);
}

/// A Parquet file, which lies at `path` too.
pub fn parquet(bytes: &[u8], path: &Path) {
    let rows = bytes.first().map_or(0, |byte| usize::from(*byte));
    for key in keys() {
        let Ok((bars, notes)) = parquet::read(path, &key, "") else { continue };
        let _ = parquet::encode(&key, "", &Kept::nothing(), &bars, &notes);
    }
    let _ = Kept::of(bytes.to_vec(), rows, rows);
}

/// A Parquet file with two bars, to begin with.
pub fn some_parquet() -> Vec<u8> {
    let [key, ..] = keys();
    let mut bars = crate::model::Bars::new(key.columns());
    bars.push(0, &[1.5; 9]);
    bars.push(86_400, &[f64::NAN, 2.0, 1.0, 1.5, 1e9]);
    let notes = Notes { state: SeriesState::default(), fetched_at: 0 };
    parquet::encode(&key, "", &Kept::nothing(), &bars, &notes).unwrap_or_default()
}

/// The catalogue's texts and blobs, and what stands beside a raw answer.
pub fn records(bytes: &[u8]) {
    let _ = sessions::decode(bytes);
    let _ = serde_json::from_slice::<Intent>(bytes);
    let _ = serde_json::from_slice::<RawAbout>(bytes);
    if let Ok(state) = serde_json::from_slice::<SeriesState>(bytes)
        && let Ok(text) = serde_json::to_vec(&state)
    {
        assert!(serde_json::from_slice::<SeriesState>(&text).is_ok_and(|again| again == state));
    }
}
