//! The stored contracts that a continuous series is put together from.

use std::collections::BTreeMap;

use super::PROVIDER;
use super::derive::{DeriveError, Recipe};
use super::rolls::{Hold, Leg, Rule};
use crate::archive::{Archive, ArchiveError, SeriesRecord};
use crate::model::{Bars, Class, Column, Contract, Day, Days, Mark, Period, SeriesKey};

/// The providers that have daily bars of contracts of an instrument.
pub fn sources(archive: &Archive, symbol: &str) -> Result<Vec<String>, ArchiveError> {
    let mut sources = Vec::new();
    let wanted = |key: &SeriesKey| {
        key.symbol == symbol && key.contract.is_some() && key.period == Period::D1 && key.provider != PROVIDER
    };
    archive.each_series(wanted, |record| {
        if record.last.is_some() {
            sources.push(record.key.provider);
        }
    })?;
    sources.sort();
    sources.dedup();
    Ok(sources)
}

/// The stored contracts of a recipe.
pub(super) struct Source<'a> {
    archive: &'a Archive,
    recipe: &'a Recipe,
    /// Daily series, which the rolls are worked out from.
    daily: BTreeMap<Contract, SeriesRecord>,
    /// Series of the period that is made.
    wanted: BTreeMap<Contract, SeriesRecord>,
}

/// The bars of one contract while it is held.
pub(super) struct Part {
    /// The place of the hold.
    pub(super) hold: usize,
    /// They.
    pub(super) bars: Bars,
    /// The trading date of each.
    pub(super) days: Vec<Day>,
}

impl<'a> Source<'a> {
    pub(super) fn open(archive: &'a Archive, recipe: &'a Recipe) -> Result<Source<'a>, DeriveError> {
        let in_cycle = |contract: Contract| {
            recipe.cycle.as_ref().is_none_or(|cycle| cycle.contains(contract.month_code()))
        };
        let wanted = |key: &SeriesKey| {
            (key.provider == recipe.source && key.class == Class::Future && key.symbol == recipe.symbol)
                && key.contract.is_some_and(in_cycle)
                && (key.period == Period::D1 || key.period == recipe.period)
        };
        let mut source = Source { archive, recipe, daily: BTreeMap::new(), wanted: BTreeMap::new() };
        archive.each_series(wanted, |record| {
            let Some(contract) = record.key.contract.filter(|_| record.last.is_some()) else { return };
            if record.key.period == Period::D1 {
                source.daily.insert(contract, record.clone());
            }
            if record.key.period == recipe.period {
                source.wanted.insert(contract, record);
            }
        })?;
        for (what, found) in [(Period::D1, &source.daily), (recipe.period, &source.wanted)] {
            if found.is_empty() {
                return Err(DeriveError::Nothing(format!(
                    "the archive has no {what} bars of contracts of {} from {}: `vortex download -p {} -s {} --period {what}` fetches them",
                    recipe.symbol, recipe.source, recipe.source, recipe.symbol
                )));
            }
        }
        Ok(source)
    }

    fn bars(&self, record: &SeriesRecord) -> Result<Bars, ArchiveError> {
        let mut bars = Bars::new(record.key.columns());
        for part in self.archive.partitions(record.id)? {
            bars.append(&self.archive.read_partition(&record.key, &part)?);
        }
        Ok(bars)
    }

    pub(super) fn legs(&self) -> Result<Vec<Leg>, ArchiveError> {
        let column = match self.recipe.rule {
            Rule::OpenInterest(_) => Column::OpenInterest,
            _ => Column::Volume,
        };
        let mut legs = Vec::with_capacity(self.daily.len());
        for (contract, record) in &self.daily {
            let bars = self.bars(record)?;
            let values =
                |column| bars.column(column).map_or_else(|| vec![f64::NAN; bars.len()], <[f64]>::to_vec);
            legs.push(Leg {
                contract: *contract,
                days: bars.utc_days(),
                closes: values(Column::Close),
                measures: values(column),
                last: contract.last_day(),
            });
        }
        // What is settled has had its last bar.
        let newest = legs.iter().filter_map(|leg| leg.days.last().copied()).max();
        for leg in legs.iter_mut().filter(|leg| newest.is_some_and(|newest| leg.contract.settled() <= newest))
        {
            leg.last = leg.days.last().copied().unwrap_or(leg.last);
        }
        Ok(legs)
    }

    /// The bars of each contract on the days on which it is held, where there are any.
    pub(super) fn parts(&self, legs: &[Leg], holds: &[Hold]) -> Result<Vec<Part>, ArchiveError> {
        let start = self.recipe.start.unwrap_or(Day::EARLIEST);
        let mut parts = Vec::new();
        for (at, hold) in holds.iter().enumerate() {
            let last = holds.get(at + 1).map_or(Day::new(i32::MAX), |next| next.from.plus(-1));
            let record = legs.get(hold.leg).and_then(|leg| self.wanted.get(&leg.contract));
            let (Some(held), Some(record)) = (Days::new(hold.from.max(start), last), record) else {
                continue;
            };
            let bars = self.bars(record)?;
            let trading_day = record.state.meta.trading_days();
            let day = |stamp: &i64| match record.key.period.is_intraday() {
                true => trading_day(*stamp),
                false => Day::of_utc(*stamp),
            };
            let from = bars.times.partition_point(|stamp| day(stamp) < held.first);
            let to = bars.times.partition_point(|stamp| day(stamp) <= held.last).max(from);
            let bars = bars.slice(from..to);
            let days: Vec<Day> = bars.times.iter().map(day).collect();
            if !bars.is_empty() {
                parts.push(Part { hold: at, bars, days });
            }
        }
        Ok(parts)
    }

    /// The series of a contract that bars are taken from.
    /// The last day that is stored of a contract, where it was not asked for all days behind it.
    pub(super) fn asked_until(&self, contract: Contract) -> Option<Day> {
        let coverage = &self.daily.get(&contract)?.state.coverage;
        let last = coverage.last_where(|mark| mark == Mark::Present)?;
        let behind = Days::new(last.plus(1), contract.last_day())?;
        let open = |day: Day, mark: Mark| {
            matches!(mark, Mark::Unknown | Mark::Suspect | Mark::EmptySession) && !day.is_weekend()
        };
        (!coverage.runs(behind, open).is_empty()).then_some(last)
    }

    pub(super) fn record(&self, contract: Contract) -> Option<&SeriesRecord> {
        self.wanted.get(&contract)
    }
}
