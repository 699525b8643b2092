//! Jobs, revisions and unfinished commits.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{bad_text, json};
use crate::archive::intent::Intent;
use crate::archive::{JobRecord, RevisionRecord};
use crate::model::SeriesKey;

/// Notes that a job starts; its number.
pub(in crate::archive) fn start_job(
    connection: &Connection,
    origin: &str,
    detail: &str,
    now: i64,
) -> rusqlite::Result<i64> {
    connection.query_row(
        "INSERT INTO jobs (origin, detail, started) VALUES (?, ?, ?) RETURNING id",
        params![origin, detail, now],
        |row| row.get(0),
    )
}

/// Notes how a job ended; whether there is such a job.
pub(in crate::archive) fn finish_job(
    connection: &Connection,
    id: i64,
    result: &str,
    outcome: &str,
    now: i64,
) -> rusqlite::Result<bool> {
    let changed = connection.execute(
        "UPDATE jobs SET finished = ?, result = ?, outcome = ? WHERE id = ?",
        params![now, result, outcome, id],
    )?;
    Ok(changed == 1)
}

/// Puts a job of the service at the end of its queue; its number.
pub(in crate::archive) fn queue_job(
    connection: &Connection,
    origin: &str,
    client: &str,
    request: &str,
    now: i64,
) -> rusqlite::Result<i64> {
    connection.query_row(
        "INSERT INTO jobs (origin, detail, started, request, client, queued)
         VALUES (?, '', 0, ?, ?, ?) RETURNING id",
        params![origin, request, client, now],
        |row| row.get(0),
    )
}

/// Notes what a job brought so far.
pub(in crate::archive) fn note_job(connection: &Connection, id: i64, outcome: &str) -> rusqlite::Result<()> {
    connection.execute("UPDATE jobs SET outcome = ? WHERE id = ?", params![outcome, id])?;
    Ok(())
}

/// Notes that the turn of a queued job has come; one that goes on started before.
pub(in crate::archive) fn begin_job(
    connection: &Connection,
    id: i64,
    detail: &str,
    now: i64,
) -> rusqlite::Result<()> {
    let started = "CASE started WHEN 0 THEN ? ELSE started END";
    let sql = format!("UPDATE jobs SET started = {started}, detail = ? WHERE id = ?");
    connection.execute(&sql, params![now, detail, id])?;
    Ok(())
}

const JOBS: &str = "SELECT id, origin, detail, started, finished, result, outcome, request, client, queued
     FROM jobs";

fn job_of(row: &Row<'_>) -> rusqlite::Result<JobRecord> {
    Ok(JobRecord {
        id: row.get(0)?,
        origin: row.get(1)?,
        detail: row.get(2)?,
        started: row.get(3)?,
        finished: row.get(4)?,
        result: row.get(5)?,
        outcome: row.get(6)?,
        request: row.get(7)?,
        client: row.get(8)?,
        queued: row.get(9)?,
    })
}

/// The newest jobs, newest first.
pub(in crate::archive) fn jobs(connection: &Connection, limit: u32) -> rusqlite::Result<Vec<JobRecord>> {
    let sql = format!("{JOBS} ORDER BY id DESC LIMIT ?");
    connection.prepare_cached(&sql)?.query_map([limit], job_of)?.collect()
}

/// The newest jobs of the service that are finished, newest first.
pub(in crate::archive) fn finished_jobs(
    connection: &Connection,
    limit: u32,
) -> rusqlite::Result<Vec<JobRecord>> {
    let sql = format!("{JOBS} WHERE request IS NOT NULL AND finished IS NOT NULL ORDER BY id DESC LIMIT ?");
    connection.prepare_cached(&sql)?.query_map([limit], job_of)?.collect()
}

/// The jobs of the service that are not finished, oldest first.
pub(in crate::archive) fn open_jobs(connection: &Connection) -> rusqlite::Result<Vec<JobRecord>> {
    let sql = format!("{JOBS} WHERE request IS NOT NULL AND finished IS NULL ORDER BY id");
    connection.prepare_cached(&sql)?.query_map([], job_of)?.collect()
}

/// What the service noted under a name.
pub(in crate::archive) fn note(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached("SELECT value FROM notes WHERE name = ?")?
        .query_row([name], |row| row.get(0))
        .optional()
}

/// Notes a value under a name.
pub(in crate::archive) fn set_note(connection: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    connection.execute("INSERT OR REPLACE INTO notes (name, value) VALUES (?, ?)", [name, value])?;
    Ok(())
}

/// Notes a revision; its number. One with a number already, from its files, keeps it.
pub(in crate::archive) fn put_revision(
    connection: &Connection,
    id: Option<i64>,
    key: &SeriesKey,
    at: i64,
    reason: &str,
    partitions: &[String],
) -> rusqlite::Result<i64> {
    connection.query_row(
        "INSERT OR REPLACE INTO revisions (id, key, at, reason, partitions)
         VALUES (?, ?, ?, ?, ?) RETURNING id",
        params![id, json(key)?, at, reason, json(&partitions)?],
        |row| row.get(0),
    )
}

/// The revisions, oldest first; of one series or of all.
pub(in crate::archive) fn revisions(
    connection: &Connection,
    key: Option<&SeriesKey>,
) -> rusqlite::Result<Vec<RevisionRecord>> {
    let key = key.map(json).transpose()?;
    connection
        .prepare_cached(
            "SELECT id, key, at, reason, partitions FROM revisions
             WHERE ?1 IS NULL OR key = ?1 ORDER BY id",
        )?
        .query_map([key], revision_of)?
        .collect()
}

fn revision_of(row: &Row<'_>) -> rusqlite::Result<RevisionRecord> {
    let text = |at: usize| row.get_ref(at)?.as_str().map_err(bad_text);
    Ok(RevisionRecord {
        id: row.get(0)?,
        key: serde_json::from_str(text(1)?).map_err(bad_text)?,
        at: row.get(2)?,
        reason: row.get(3)?,
        partitions: serde_json::from_str(text(4)?).map_err(bad_text)?,
    })
}

/// Notes a commit that is about to rename its files; its number.
pub(in crate::archive) fn put_intent(connection: &Connection, intent: &Intent) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("INSERT INTO intents (payload) VALUES (?) RETURNING id")?
        .query_row([json(intent)?], |row| row.get(0))
}

/// The commits that were not finished, in their order.
pub(in crate::archive) fn intents(connection: &Connection) -> rusqlite::Result<Vec<(i64, Intent)>> {
    connection
        .prepare("SELECT id, payload FROM intents ORDER BY id")?
        .query_map([], |row| {
            let payload: String = row.get(1)?;
            Ok((row.get(0)?, serde_json::from_str(&payload).map_err(bad_text)?))
        })?
        .collect()
}

/// Notes that a commit is finished.
pub(in crate::archive) fn drop_intent(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM intents WHERE id = ?")?.execute([id])?;
    Ok(())
}
