//! What is to be done for each series of a job, before anything is asked: a look at what the archive has of it.

use std::cell::Cell;
use std::collections::HashMap;

use super::events::Outcome;
use super::plan::{Plan, Standpoint, plan, today_of};
use super::series::Target;
use super::sessions::Judge;
use crate::archive::{Archive, ArchiveError, Failure, SeriesRecord, SeriesState, SessionCounts};
use crate::model::day::instant;
use crate::model::{Contract, Day, Mark, SeriesKey};
use crate::provider::Limits;

/// A symbol the provider does not know is asked for again after this many seconds …
const UNKNOWN_EVERY: i64 = 24 * 3600;
/// … and a contract, of which there are many a symbol, after this many.
pub(super) const UNKNOWN_CONTRACT_EVERY: i64 = 7 * 24 * 3600;

/// No contract has a bar, or a hole that may still be filled, so many days behind its month: those of three-month
/// rates trade a quarter longer.
const LONGEST_LATE: i32 = 92 + super::sessions::PENDING_DAYS;

/// What is to be done for a target, before anything is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Survey {
    /// Nothing, and why.
    Settled(Outcome),
    /// The Parquet twins of these partitions are to be made again; no request.
    TwinsGone(Vec<String>),
    /// Requests.
    Missing {
        /// What to ask for.
        plan: Plan,
        /// When the provider was last asked for the newest part, in seconds since the epoch; 0 = never.
        asked_at: i64,
        /// The Parquet twins of these partitions are to be made again as well.
        twins: Vec<String>,
    },
}

/// Looks at the series of a provider. Writes nothing.
#[derive(Debug)]
pub struct Surveyor<'a> {
    archive: Option<&'a Archive>,
    counts: &'a SessionCounts,
    /// The series there are; of those that are complete, since which day.
    known: HashMap<SeriesKey, Option<Day>>,
    now: i64,
    /// The newest clock of the provider among the series looked at, in seconds since the epoch.
    told: Cell<i64>,
}

impl<'a> Surveyor<'a> {
    /// For the series of a provider, by its name in the archive, at `now`, in seconds since the epoch. Without an
    /// archive everything is missing.
    pub fn new(
        archive: Option<&'a Archive>,
        counts: &'a SessionCounts,
        provider: &str,
        now: i64,
    ) -> Result<Surveyor<'a>, ArchiveError> {
        let known = archive.map(|archive| archive.known_series(provider)).transpose()?;
        Ok(Surveyor { archive, counts, known: known.unwrap_or_default(), now, told: Cell::new(0) })
    }

    /// Whether nothing further can come of an expired contract that is current: then it is not looked at again,
    /// which is most of an archive of futures. Its key, and since which day it is so. That its time is over the
    /// provider has to have said, of this series or another one: this machine's clock may run ahead.
    pub fn completes(&self, target: &Target) -> Option<(SeriesKey, Day)> {
        let (key, wanted) = (&target.key, &target.wanted);
        let new = self.known.get(key) == Some(&None);
        // Nothing is due of a contract that the provider did not list time after time, for a year.
        let refused = |archive: &Archive| match archive.series(key) {
            Ok(record) => record.is_some_and(|record| record.state.failure.is_some()),
            Err(_) => true,
        };
        let over = is_over(key, self.now.min(self.told.get()));
        let to_its_end = wanted.to.is_none() || wanted.to >= key.contract.map(Contract::last_day);
        let whole = wanted.backfill && !wanted.force && to_its_end;
        (new && over && whole && !self.archive.is_some_and(refused)).then(|| (key.clone(), wanted.from))
    }

    /// Looks at what the archive has of a target and works out what is missing.
    pub fn look(&self, target: &Target, limits: Limits) -> Result<Survey, ArchiveError> {
        let known = self.known.get(&target.key);
        let complete = known.copied().flatten().is_some_and(|since| since <= target.wanted.from);
        if complete && !target.wanted.force && is_over(&target.key, self.now) {
            return Ok(Survey::Settled(Outcome::Current));
        }
        let archive = self.archive.filter(|_| known.is_some());
        let record = match archive {
            Some(archive) => archive.series(&target.key)?,
            None => None,
        };
        let asked_at = record.as_ref().map_or(0, |record| record.state.asked_at);
        self.told.set(self.told.get().max(asked_at));
        survey(archive, record, self.counts, target, limits, self.now)
    }
}

/// Whether nothing further can come of a contract at an instant.
fn is_over(key: &SeriesKey, now: i64) -> bool {
    key.contract.is_some_and(|contract| contract.last_day().plus(LONGEST_LATE) < Day::of_utc(now))
}

fn survey(
    archive: Option<&Archive>,
    record: Option<SeriesRecord>,
    counts: &SessionCounts,
    target: &Target,
    limits: Limits,
    now: i64,
) -> Result<Survey, ArchiveError> {
    let files = match (archive, &record) {
        (Some(archive), Some(record)) => match target.wanted.force {
            true => twins(archive, record)?,
            false => files(archive, record)?,
        },
        _ => Files::TwinsGone(Vec::new()),
    };
    let twins = match files {
        Files::Bad(why) => return Ok(Survey::Settled(Outcome::Failed(why))),
        Files::TwinsGone(twins) => twins,
    };
    let mut state = record.map(|record| record.state).unwrap_or_default();
    let same_code = state.code == target.instrument.code;
    if !target.wanted.force
        && let Some(outcome) = refused_earlier(&state, target, now)
    {
        return Ok(Survey::Settled(outcome));
    }
    if !same_code && state.coverage.known().is_none() {
        state = SeriesState::default();
    }
    let today = today_of(&state.meta, now);
    let judge = Judge::new(counts, &target.key, &state.meta, today);
    let at = Standpoint { key: &target.key, state: &state, judge, limits, today, now };
    let plan = plan(&at, &target.wanted);
    let nothing = plan.windows.is_empty();
    if nothing && let Some(why) = &state.suspect {
        // What was to be fetched again may be out of reach by now: then that is to be noted.
        let settled = plan.out_of_reach.is_empty();
        return Ok(match settled {
            true => Survey::Settled(Outcome::Suspect(why.clone())),
            false => Survey::Missing { plan, asked_at: state.asked_at, twins },
        });
    }
    Ok(match nothing {
        false => Survey::Missing { plan, asked_at: state.asked_at, twins },
        true if twins.is_empty() => Survey::Settled(Outcome::Current),
        true => Survey::TwinsGone(twins),
    })
}

/// What a look at the files of a series tells.
enum Files {
    /// The Parquet twins of these partitions are gone or not as recorded; of none, where all is sound.
    TwinsGone(Vec<String>),
    Bad(String),
}

/// Reads the Parquet twins of a series that is fetched again anyhow.
fn twins(archive: &Archive, record: &SeriesRecord) -> Result<Files, ArchiveError> {
    let mut twins = archive.partitions(record.id)?;
    twins.retain(|part| !archive.is_twin_sound(part));
    Ok(Files::TwinsGone(twins.into_iter().map(|part| part.name).collect()))
}

/// Looks whether the files of a series are there in their recorded sizes; reads those that are not.
fn files(archive: &Archive, record: &SeriesRecord) -> Result<Files, ArchiveError> {
    let size = |path: &std::path::Path| std::fs::metadata(path).map(|file| file.len()).ok();
    let mut twins = Vec::new();
    for part in archive.partitions(record.id)? {
        let csv = archive.root().join(&part.csv);
        let twin = part.parquet_hash.as_ref().map(|_| size(&csv.with_extension("parquet")));
        let bytes = size(&csv).zip(twin.unwrap_or(Some(0))).map(|(csv, twin)| csv + twin);
        if bytes == Some(part.bytes) || archive.is_damaged(&record.key, &part.name)? {
            continue;
        }
        match archive.read_partition(&record.key, &part) {
            Ok(_) => twins.push(part.name),
            Err(error @ ArchiveError::Damaged { .. }) if error.is_of_one_series() => {
                let how = "`vortex validate --fix` mends it, or has it fetched again";
                return Ok(Files::Bad(format!("{error}; {how}")));
            }
            Err(error) if error.is_of_one_series() => return Ok(Files::Bad(error.to_string())),
            Err(error) => return Err(error),
        }
    }
    Ok(Files::TwinsGone(twins))
}

/// A series that waits for a person, or that the provider said it does not know.
fn refused_earlier(state: &SeriesState, target: &Target, now: i64) -> Option<Outcome> {
    let same_code = state.code == target.instrument.code;
    if let Some(held) = &state.held {
        return Some(Outcome::Held(format!("{held}; `vortex download --force` lets it go on")));
    }
    if let Some(why) = &state.suspect
        && !state.coverage.has(Mark::Suspect)
    {
        return Some(Outcome::Suspect(format!("{why}; `vortex download --force` tries again")));
    }
    let failure = state.failure.as_ref().filter(|_| same_code)?;
    let age = now - failure.at;
    if age >= 0 && now < failure.again && failure.version == Failure::VERSION {
        if failure.later {
            return Some(Outcome::Current);
        }
        let (hours, again) = (age / 3600, instant(failure.again));
        let said = format!("{} (asked {hours} hours ago, again {again} or with --force)", failure.text);
        return Some(Outcome::Failed(said));
    }
    if !failure.unknown {
        return None;
    }
    let (every, again) = match target.contract {
        None => (UNKNOWN_EVERY, "tomorrow"),
        Some(_) => (UNKNOWN_CONTRACT_EVERY, "a week later"),
    };
    (0..every).contains(&age).then(|| {
        let hours = age / 3600;
        let why = format!("{} (asked {hours} hours ago, again {again} or with --force)", failure.text);
        if failure.later { Outcome::Unlisted(why) } else { Outcome::Failed(why) }
    })
}

#[cfg(test)]
mod tests;
