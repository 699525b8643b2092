//! What a derived series changes in the archive, and the commit of it.

use std::collections::BTreeMap;

use super::derive::{Derived, Recipe};
use super::table;
use crate::archive::{Archive, ArchiveError, Change, Content, SeriesState, Writer, partition_name};
use crate::model::{Bars, Coverage, Day, Days, Mark, SeriesKey};

/// What storing a derived series changes.
#[derive(Debug)]
pub struct Changes {
    /// Bars that were not stored.
    pub added: u64,
    /// Bars that were stored with other values.
    pub changed: u64,
    /// Bars that were stored and are no more.
    pub removed: u64,
    /// How the series was made before, where it was made otherwise.
    pub made_before: Option<String>,
    /// Stored rolls that are gone or take place on another day, one sentence each.
    pub moved: Vec<String>,
    key: SeriesKey,
    /// What is known of the series, where that changes or bars do.
    state: Option<SeriesState>,
    /// Partitions that are written. Each is written whole, so that its bytes follow from the contracts alone
    /// and not from earlier runs.
    partitions: Vec<(String, Bars)>,
    gone: Vec<String>,
    /// The table of rolls, where it is another one.
    table: Option<Vec<u8>>,
}

impl Changes {
    /// Compares a derived series with the stored one.
    pub fn of(archive: &Archive, recipe: &Recipe, derived: &Derived) -> Result<Changes, ArchiveError> {
        let key = recipe.key();
        let mut made: BTreeMap<String, Bars> = BTreeMap::new();
        for (at, stamp) in derived.bars.times.iter().enumerate() {
            let part = made.entry(partition_name(&key, *stamp)).or_insert_with(|| Bars::new(key.columns()));
            part.extend_from(&derived.bars, at..at + 1);
        }
        let mut changes = Changes {
            added: 0,
            changed: 0,
            removed: 0,
            made_before: None,
            moved: Vec::new(),
            key: key.clone(),
            state: None,
            partitions: Vec::new(),
            gone: Vec::new(),
            table: None,
        };
        let record = archive.series(&key)?;
        for part in
            record.iter().map(|record| archive.partitions(record.id)).collect::<Result<Vec<_>, _>>()?.concat()
        {
            let stored = match archive.read_partition(&key, &part) {
                // It is made again. What somebody edited is his, until it was found to be damage.
                Err(ArchiveError::Damaged { .. }) => Bars::new(key.columns()),
                Err(ArchiveError::Edited { .. }) if archive.is_damaged(&key, &part.name)? => {
                    Bars::new(key.columns())
                }
                stored => stored?,
            };
            let bars = made.remove(&part.name).unwrap_or_else(|| Bars::new(key.columns()));
            changes.compare(part.name, &stored, bars);
        }
        let none = Bars::new(key.columns());
        made.into_iter().for_each(|(name, bars)| changes.compare(name, &none, bars));
        let state = state(recipe, derived);
        let stored = record.map(|record| record.state);
        changes.made_before =
            stored.as_ref().map(|stored| stored.code.clone()).filter(|code| *code != state.code);
        if stored.is_none_or(|stored| stored != state) || !changes.partitions.is_empty() {
            changes.state = Some(state);
        }
        let (table, stored) = (table::to_text(&derived.rolls), archive.rolls(&key)?);
        if stored.as_ref() != Some(&table) {
            changes.moved = moved(&stored.unwrap_or_default(), &table);
            changes.table = Some(table);
        }
        Ok(changes)
    }

    /// Whether everything is as stored.
    pub fn is_nothing(&self) -> bool {
        self.state.is_none() && self.gone.is_empty() && self.table.is_none()
    }

    fn compare(&mut self, name: String, stored: &Bars, bars: Bars) {
        if stored.same(&bars) {
            return;
        }
        let before: BTreeMap<i64, usize> = stored.times.iter().copied().zip(0..).collect();
        let mut kept = 0;
        for (at, stamp) in bars.times.iter().enumerate() {
            let Some(old) = before.get(stamp) else {
                self.added += 1;
                continue;
            };
            kept += 1;
            let same = stored.row(*old).zip(bars.row(at)).all(|(old, new)| old.to_bits() == new.to_bits());
            self.changed += u64::from(!same);
        }
        self.removed += stored.len() as u64 - kept;
        if bars.is_empty() { self.gone.push(name) } else { self.partitions.push((name, bars)) }
    }

    /// Commits the changes. What they replace is not kept: the contracts that it was made of are stored.
    pub fn commit(self, writer: &Writer, parquet: bool) -> Result<(), ArchiveError> {
        let fetched_at = self.partitions.iter().filter_map(|(_, bars)| bars.times.last().copied()).max();
        let stored = writer.archive().series(&self.key)?.map(|record| record.state);
        if let Some(state) = self.state.or(stored) {
            let change = Change {
                key: self.key.clone(),
                state,
                partitions: self
                    .partitions
                    .into_iter()
                    .map(|(name, bars)| (name, Content::Whole(bars)))
                    .collect(),
                restated: None,
                // By the bars, not by a clock: the same contracts give the same file.
                fetched_at: fetched_at.unwrap_or(0),
                parquet,
            };
            writer.commit(vec![writer.prepare_replacement(change, &self.gone, self.table.as_deref())?])?;
        }
        Ok(())
    }
}

fn state(recipe: &Recipe, derived: &Derived) -> SeriesState {
    let mut coverage = Coverage::default();
    if let Some(days) = derived.days.first().zip(derived.days.last()).and_then(|(a, b)| Days::new(*a, *b)) {
        coverage.set(days, Mark::Empty);
    }
    derived.days.iter().for_each(|day| coverage.set_day(*day, Mark::Present));
    SeriesState { code: recipe.code(), meta: derived.meta.clone(), coverage, ..SeriesState::default() }
}

/// Rolls of the old table that are not in the new one, or at another date.
fn moved(old: &[u8], new: &[u8]) -> Vec<String> {
    let dates: BTreeMap<String, Day> = table::dates(new).into_iter().map(|(date, to)| (to, date)).collect();
    let told = |(date, to): (Day, String)| match dates.get(&to) {
        None => Some(format!("the roll to {to} on {date} does not take place")),
        Some(now) if *now != date => Some(format!("the roll to {to} was on {date} and is on {now}")),
        Some(_) => None,
    };
    table::dates(old).into_iter().filter_map(told).collect()
}
