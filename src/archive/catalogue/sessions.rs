//! How many series of each exchange were asked for a day, and how many have a bar.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::bad_text;
use crate::archive::{SeriesState, SessionCounts};
use crate::model::packed;
use crate::model::{ByDay, Coverage, Day, Days, Mark, Period, SeriesKey};

/// What is added to (asked, with a bar) of each day, by provider and exchange.
#[derive(Debug, Default)]
pub(in crate::archive) struct Deltas {
    by_exchange: HashMap<(String, String), ByDay<(i64, i64)>>,
}

impl Deltas {
    /// Takes out what a series counted for with its state of before, and adds what it counts for now.
    /// Only series of a day and shorter say which days had a session.
    pub(in crate::archive) fn moved(
        &mut self,
        key: &SeriesKey,
        before: Option<&SeriesState>,
        now: &SeriesState,
    ) {
        if key.period > Period::D1 {
            return;
        }
        let nothing = Coverage::default();
        let exchange = &now.meta.exchange;
        match before {
            Some(before) if before.meta.exchange == *exchange => {
                self.count(key, exchange, &before.coverage, &now.coverage);
            }
            _ => {
                if let Some(before) = before {
                    self.count(key, &before.meta.exchange, &before.coverage, &nothing);
                }
                self.count(key, exchange, &nothing, &now.coverage);
            }
        }
    }

    /// Counts what differs between two coverages of a series.
    fn count(&mut self, key: &SeriesKey, exchange: &Option<String>, before: &Coverage, now: &Coverage) {
        let (Some(exchange), Some(days)) = (exchange, either(before.known(), now.known())) else {
            return;
        };
        let deltas = self.by_exchange.entry((key.provider.clone(), exchange.clone())).or_default();
        let run = deltas.range_mut(days);
        for (day, before, now) in before.differences(now) {
            let at = usize::try_from(day.number() - days.first.number());
            if let Some((asked, bars)) = at.ok().and_then(|at| run.get_mut(at)) {
                let ((asked_before, bars_before), (asked_now, bars_now)) = (votes(before), votes(now));
                *asked += asked_now - asked_before;
                *bars += bars_now - bars_before;
            }
        }
    }

    /// Stores the new counts.
    pub(in crate::archive) fn apply(self, connection: &Connection) -> rusqlite::Result<()> {
        for ((provider, exchange), deltas) in self.by_exchange {
            let Some(days) = deltas.extent(|delta| delta != (0, 0)) else {
                continue;
            };
            let stored: Option<Vec<u8>> = connection
                .prepare_cached("SELECT counts FROM sessions WHERE provider = ? AND exchange = ?")?
                .query_row(params![provider, exchange], |row| row.get(0))
                .optional()?;
            let mut counts = stored.map_or_else(|| Ok(ByDay::default()), |blob| decode(&blob))?;
            for (day, count) in days.iter().zip(counts.range_mut(days)) {
                let (asked, bars) = deltas.get(day);
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

/// (asked, with a bar) that a mark stands for.
fn votes(mark: Mark) -> (i64, i64) {
    match mark {
        Mark::Present => (1, 1),
        Mark::Empty | Mark::EmptySession => (1, 0),
        _ => (0, 0),
    }
}

/// The days from the first of either to the last of either.
fn either(a: Option<Days>, b: Option<Days>) -> Option<Days> {
    let both = [a, b].into_iter().flatten();
    Days::new(both.clone().map(|days| days.first).min()?, both.map(|days| days.last).max()?)
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
    series.for_each(|(key, state)| deltas.moved(key, None, state));
    deltas.apply(connection)
}

/// The first day, then asked and with-a-bar of each day on, all as four little-endian bytes; zstd.
fn encode(counts: &ByDay<(u32, u32)>) -> rusqlite::Result<Vec<u8>> {
    let Some(days) = counts.extent(|count| count != (0, 0)) else {
        return Ok(Vec::new());
    };
    let mut plain = Vec::with_capacity(4 + 8 * days.len());
    plain.extend_from_slice(&days.first.number().to_le_bytes());
    for (asked, bars) in days.iter().map(|day| counts.get(day)) {
        plain.extend_from_slice(&asked.to_le_bytes());
        plain.extend_from_slice(&bars.to_le_bytes());
    }
    packed::pack(&plain).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
}

/// Ten thousand years of days.
const LARGEST: usize = 1 << 25;

pub(in crate::archive) fn decode(blob: &[u8]) -> rusqlite::Result<ByDay<(u32, u32)>> {
    if blob.is_empty() {
        return Ok(ByDay::default());
    }
    let plain = packed::unpack(blob, LARGEST).map_err(bad_text)?;
    let (first, days) =
        plain.split_first_chunk::<4>().ok_or_else(|| bad_text("session counts are too short"))?;
    let (days, _) = days.as_chunks::<8>();
    let counts = days.iter().map(|[a, b, c, d, e, f, g, h]| {
        (u32::from_le_bytes([*a, *b, *c, *d]), u32::from_le_bytes([*e, *f, *g, *h]))
    });
    Ok(ByDay::new(Day::new(i32::from_le_bytes(*first)), counts.collect()))
}
