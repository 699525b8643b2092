//! How many series of each exchange were asked for a day, and how many have a bar.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension, params};

use super::bad_text;
use crate::archive::{SeriesState, SessionCounts};
use crate::model::{Day, Mark, Period, SeriesKey};

/// What is added to (asked, with a bar) of each day, by provider and exchange.
#[derive(Debug, Default)]
pub(in crate::archive) struct Deltas {
    by_exchange: HashMap<(String, String), BTreeMap<Day, (i64, i64)>>,
}

impl Deltas {
    /// Takes out what a series counted for with its state of before.
    pub(in crate::archive) fn remove(&mut self, key: &SeriesKey, state: &SeriesState) {
        self.count(key, state, -1);
    }

    /// Adds what a series counts for with its state of now.
    pub(in crate::archive) fn add(&mut self, key: &SeriesKey, state: &SeriesState) {
        self.count(key, state, 1);
    }

    /// Only series of a day and shorter say which days had a session.
    fn count(&mut self, key: &SeriesKey, state: &SeriesState, by: i64) {
        let (Some(exchange), Some(known)) = (&state.meta.exchange, state.coverage.known()) else {
            return;
        };
        if key.period > Period::D1 {
            return;
        }
        let days = self.by_exchange.entry((key.provider.clone(), exchange.clone())).or_default();
        for day in known.iter() {
            let with_bar = match state.coverage.get(day) {
                Mark::Present => by,
                Mark::Empty | Mark::EmptySession => 0,
                _ => continue,
            };
            let (asked, bars) = days.entry(day).or_default();
            *asked += by;
            *bars += with_bar;
        }
    }

    /// Stores the new counts.
    pub(in crate::archive) fn apply(self, connection: &Connection) -> rusqlite::Result<()> {
        for ((provider, exchange), days) in self.by_exchange {
            if days.values().all(|delta| *delta == (0, 0)) {
                continue;
            }
            let stored: Option<Vec<u8>> = connection
                .prepare_cached("SELECT counts FROM sessions WHERE provider = ? AND exchange = ?")?
                .query_row(params![provider, exchange], |row| row.get(0))
                .optional()?;
            let mut counts = stored.map_or_else(|| Ok(HashMap::new()), |blob| decode(&blob))?;
            for (day, (asked, bars)) in days {
                let count: &mut (u32, u32) = counts.entry(day).or_default();
                let moved = |from: u32, by: i64| u32::try_from(i64::from(from) + by).unwrap_or(0);
                *count = (moved(count.0, asked), moved(count.1, bars));
            }
            connection
                .prepare_cached("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?)")?
                .execute(params![provider, exchange, encode(&counts)?])?;
        }
        Ok(())
    }
}

/// The counts of a provider's exchanges.
pub(in crate::archive) fn session_counts(
    connection: &Connection,
    provider: &str,
) -> rusqlite::Result<SessionCounts> {
    let mut statement =
        connection.prepare_cached("SELECT exchange, counts FROM sessions WHERE provider = ?")?;
    let mut rows = statement.query([provider])?;
    let mut counts = SessionCounts::default();
    while let Some(row) = rows.next()? {
        let blob: Vec<u8> = row.get(1)?;
        counts.by_exchange.insert(row.get(0)?, decode(&blob)?);
    }
    Ok(counts)
}

/// Makes the counts of every provider again from the series, as a rebuild needs.
pub(in crate::archive) fn recount<'a>(
    connection: &Connection,
    series: impl Iterator<Item = (&'a SeriesKey, &'a SeriesState)>,
) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM sessions", [])?;
    let mut deltas = Deltas::default();
    series.for_each(|(key, state)| deltas.add(key, state));
    deltas.apply(connection)
}

/// The first day, then asked and with-a-bar of each day on, all as four little-endian bytes; zstd.
fn encode(counts: &HashMap<Day, (u32, u32)>) -> rusqlite::Result<Vec<u8>> {
    let held = || counts.iter().filter(|(_, count)| **count != (0, 0)).map(|(day, _)| day.number());
    let (Some(first), Some(last)) = (held().min(), held().max()) else {
        return Ok(Vec::new());
    };
    let mut plain = first.to_le_bytes().to_vec();
    for day in first..=last {
        let (asked, bars) = counts.get(&Day::new(day)).copied().unwrap_or_default();
        plain.extend_from_slice(&asked.to_le_bytes());
        plain.extend_from_slice(&bars.to_le_bytes());
    }
    zstd::bulk::compress(&plain, 1).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
}

/// Ten thousand years of days.
const LARGEST: usize = 1 << 25;

fn decode(blob: &[u8]) -> rusqlite::Result<HashMap<Day, (u32, u32)>> {
    if blob.is_empty() {
        return Ok(HashMap::new());
    }
    let plain = zstd::bulk::decompress(blob, LARGEST).map_err(bad_text)?;
    let (first, days) =
        plain.split_first_chunk::<4>().ok_or_else(|| bad_text("session counts are too short"))?;
    let first = i32::from_le_bytes(*first);
    let (days, _) = days.as_chunks::<8>();
    Ok(days
        .iter()
        .zip(first..)
        .map(|([a, b, c, d, e, f, g, h], day)| {
            let asked = u32::from_le_bytes([*a, *b, *c, *d]);
            let bars = u32::from_le_bytes([*e, *f, *g, *h]);
            (Day::new(day), (asked, bars))
        })
        .filter(|(_, count)| *count != (0, 0))
        .collect())
}
