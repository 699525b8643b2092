//! Series and partitions.

use std::collections::HashMap;
use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{bad_text, json};
use crate::archive::{PartitionRecord, SeriesRecord, SeriesState};
use crate::model::{Class, Contract, Day, SeriesKey};

const SERIES: &str =
    "SELECT id, provider, class, symbol, contract, period, state, bars, first, last FROM series";

fn series_of(row: &Row<'_>) -> rusqlite::Result<SeriesRecord> {
    let state = serde_json::from_str(row.get_ref(6)?.as_str().map_err(bad_text)?);
    Ok(SeriesRecord {
        id: row.get(0)?,
        key: key_of(row)?,
        state: state.unwrap_or_else(unreadable),
        bars: row.get(7)?,
        first: row.get(8)?,
        last: row.get(9)?,
    })
}

fn key_of(row: &Row<'_>) -> rusqlite::Result<SeriesKey> {
    let text = |at: usize| row.get_ref(at)?.as_str().map_err(bad_text);
    let contract = match text(4)? {
        "" => None,
        name => {
            let (_, contract) = Contract::of_stored_name(name)
                .ok_or_else(|| bad_text(format!("{name:?} is not a contract")))?;
            Some(contract)
        }
    };
    Ok(SeriesKey {
        provider: row.get(1)?,
        class: text(2)?.parse::<Class>().map_err(bad_text)?,
        symbol: row.get(3)?,
        contract,
        period: text(5)?.parse().map_err(bad_text)?,
    })
}

/// What stands for a state that cannot be read, so that one series does not make the others
/// unreadable: nothing is known, not even the code, and nothing is added until a rebuild.
fn unreadable(error: serde_json::Error) -> SeriesState {
    let said = format!(
        "what the catalogue knew of it cannot be read ({error}): `vortex archive rebuild` makes it again"
    );
    SeriesState { suspect: Some(said), ..SeriesState::default() }
}

/// The contract column of a key.
fn contract_text(key: &SeriesKey) -> String {
    key.contract.map_or_else(String::new, |_| key.name())
}

/// One series.
pub(in crate::archive) fn series(
    connection: &Connection,
    key: &SeriesKey,
) -> rusqlite::Result<Option<SeriesRecord>> {
    let sql =
        format!("{SERIES} WHERE provider = ? AND class = ? AND symbol = ? AND contract = ? AND period = ?");
    connection
        .prepare_cached(&sql)?
        .query_row(
            params![key.provider, key.class.name(), key.symbol, contract_text(key), key.period.name()],
            series_of,
        )
        .optional()
}

/// Every series, in the order of their keys.
pub(in crate::archive) fn all_series(connection: &Connection) -> rusqlite::Result<Vec<SeriesRecord>> {
    let mut statement = connection.prepare_cached(SERIES)?;
    let mut all: Vec<_> = statement.query_map([], series_of)?.collect::<Result<_, _>>()?;
    all.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(all)
}

/// Every wanted series, one after the other, in no order.
pub(in crate::archive) fn each_series(
    connection: &Connection,
    mut wanted: impl FnMut(&SeriesKey) -> bool,
    mut take: impl FnMut(SeriesRecord),
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(SERIES)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        // To read a state costs a hundred times what its key does.
        if wanted(&key_of(row)?) {
            take(series_of(row)?);
        }
    }
    Ok(())
}

/// The series of a provider; of those that are complete, since which day. Reads an index, no state.
pub(in crate::archive) fn known_series(
    connection: &Connection,
    provider: &str,
) -> rusqlite::Result<HashMap<SeriesKey, Option<Day>>> {
    let sql = "SELECT complete.since, provider, class, symbol, contract, period
               FROM series LEFT JOIN complete ON complete.series = series.id WHERE provider = ?";
    let mut statement = connection.prepare_cached(sql)?;
    let row = |row: &Row<'_>| Ok((key_of(row)?, row.get::<_, Option<i32>>(0)?.map(Day::new)));
    statement.query_map([provider], row)?.collect()
}

/// Notes since which day a series is complete.
pub(in crate::archive) fn note_complete(
    connection: &Connection,
    key: &SeriesKey,
    since: Day,
) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO complete SELECT id, ?1 FROM series
               WHERE provider = ?2 AND class = ?3 AND symbol = ?4 AND contract = ?5 AND period = ?6";
    let key_text = (key.class.name(), contract_text(key), key.period.name());
    connection
        .prepare_cached(sql)?
        .execute(params![since.number(), key.provider, key_text.0, key.symbol, key_text.1, key_text.2])
        .map(drop)
}

/// The providers that have series.
pub(in crate::archive) fn providers(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement =
        connection.prepare_cached("SELECT DISTINCT provider FROM series ORDER BY provider")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// Stores what is known of a series, which is to be looked at again; its number.
pub(in crate::archive) fn put_series(
    connection: &Connection,
    key: &SeriesKey,
    state: &SeriesState,
) -> rusqlite::Result<i64> {
    let id: i64 = connection
        .prepare_cached(
            "INSERT INTO series (provider, class, symbol, contract, period, state)
             VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET state = excluded.state
             RETURNING id",
        )?
        .query_row(
            params![
                key.provider,
                key.class.name(),
                key.symbol,
                contract_text(key),
                key.period.name(),
                json(state)?
            ],
            |row| row.get(0),
        )?;
    connection.prepare_cached("DELETE FROM complete WHERE series = ?")?.execute([id])?;
    Ok(id)
}

/// The partitions of a series, oldest first.
pub(in crate::archive) fn partitions(
    connection: &Connection,
    series: i64,
) -> rusqlite::Result<Vec<PartitionRecord>> {
    connection
        .prepare_cached(
            "SELECT name, csv, csv_hash, parquet_hash, bytes, bars, first, last, written
             FROM partitions WHERE series = ? ORDER BY name",
        )?
        .query_map([series], |row| {
            Ok(PartitionRecord {
                name: row.get(0)?,
                csv: PathBuf::from(row.get::<_, String>(1)?),
                csv_hash: row.get(2)?,
                parquet_hash: row.get(3)?,
                bytes: row.get(4)?,
                bars: row.get(5)?,
                first: row.get(6)?,
                last: row.get(7)?,
                written: row.get(8)?,
            })
        })?
        .collect()
}

/// Stores a partition. The sums of its series are brought up to date by [`sum_series`].
pub(in crate::archive) fn put_partition(
    connection: &Connection,
    series: i64,
    partition: &PartitionRecord,
) -> rusqlite::Result<()> {
    let csv = partition.csv.to_str().ok_or_else(|| bad_text("a path is not UTF-8"))?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO partitions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?
        .execute(params![
            series,
            partition.name,
            csv,
            partition.csv_hash,
            partition.parquet_hash,
            partition.bytes,
            partition.bars,
            partition.first,
            partition.last,
            partition.written
        ])?;
    Ok(())
}

/// Forgets one partition of a series.
pub(in crate::archive) fn drop_partition(
    connection: &Connection,
    series: i64,
    name: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM partitions WHERE series = ? AND name = ?")?
        .execute(params![series, name])?;
    Ok(())
}

/// Forgets every partition of a series.
pub(in crate::archive) fn drop_partitions(connection: &Connection, series: i64) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM partitions WHERE series = ?", [series])?;
    Ok(())
}

/// Brings a series' number of bars, first and last stamp up to date with its partitions.
pub(in crate::archive) fn sum_series(connection: &Connection, series: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE series SET (bars, first, last) =
                 (SELECT coalesce(sum(bars), 0), min(first), max(last)
                  FROM partitions WHERE series = ?1)
             WHERE id = ?1",
        )?
        .execute([series])?;
    Ok(())
}
