//! From what a person asks for to the series that are to be brought up to date.

use std::collections::HashSet;

use super::plan::Wanted;
use super::series::Target;
use crate::model::instrument::MONTH_CODES;
use crate::model::{Class, Contract, Day, Instrument, Period, SeriesKey, symbol};
use crate::provider::Provider;

/// What a person asks for.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The instruments file.
    pub instruments: Vec<Instrument>,
    /// Names or codes; none means every instrument of the file.
    pub symbols: Vec<String>,
    /// Periods; none means each instrument's own, else `1d`.
    pub periods: Vec<Period>,
    /// First trading date; stands before an instrument's own and the configuration's.
    pub start: Option<Day>,
    /// The configuration's first trading date.
    pub default_start: Option<Day>,
    /// Last trading date.
    pub end: Option<Day>,
    /// Ask for everything.
    pub force: bool,
    /// Ask for history older than the first stored bar.
    pub backfill: bool,
    /// At most this many days a request.
    pub chunk: Option<i32>,
    /// The date now.
    pub today: Option<Day>,
}

/// The series of a selection, each once, in its order. Errors name the symbol and say what is allowed.
pub fn targets(selection: &Selection, provider: &dyn Provider) -> Result<Vec<Target>, String> {
    let mut targets = Vec::new();
    let mut seen = HashSet::new();
    for instrument in chosen(selection)? {
        symbol::encode(&instrument.name)?;
        for period in periods(selection, &instrument) {
            for target in of_instrument(selection, provider, &instrument, period)? {
                if seen.insert(target.key.clone()) {
                    targets.push(target);
                }
            }
        }
    }
    Ok(targets)
}

/// The instruments named, or all of the file. A name is looked up in the file, then taken as a code.
fn chosen(selection: &Selection) -> Result<Vec<Instrument>, String> {
    if selection.symbols.is_empty() {
        return Ok(selection.instruments.clone());
    }
    let mut chosen = Vec::new();
    for name in &selection.symbols {
        symbol::encode(name)?;
        let known = selection.instruments.iter().find(|instrument| instrument.name == *name);
        chosen.push(known.cloned().unwrap_or_else(|| Instrument::of_code(name)));
    }
    Ok(chosen)
}

/// The periods of an instrument; an instrument whose periods are empty is disabled unless the person
/// names periods.
fn periods(selection: &Selection, instrument: &Instrument) -> Vec<Period> {
    match (&instrument.periods, selection.periods.is_empty()) {
        (_, false) => selection.periods.clone(),
        (Some(own), true) => own.clone(),
        (None, true) => vec![Period::D1],
    }
}

/// One series, or one a dated contract.
fn of_instrument(
    selection: &Selection,
    provider: &dyn Provider,
    instrument: &Instrument,
    period: Period,
) -> Result<Vec<Target>, String> {
    let start = selection.start.or(instrument.start_date).or(selection.default_start);
    let ticks = instrument.tick_date.filter(|_| period.is_intraday());
    let start = start.unwrap_or(Day::new(0));
    let from = ticks.map_or(start, |ticks| ticks.max(start));
    let wanted = Wanted {
        from,
        to: selection.end,
        force: selection.force,
        backfill: selection.backfill,
        chunk: selection.chunk,
    };
    let target = |contract: Option<Contract>, wanted: Wanted| Target {
        instrument: instrument.clone(),
        contract,
        key: SeriesKey {
            provider: provider.archive_name().to_owned(),
            class: instrument.class,
            symbol: instrument.name.clone(),
            contract,
            period,
        },
        wanted,
    };
    let Some(cycle) = instrument.cycle.as_deref().filter(|_| instrument.class == Class::Future) else {
        return Ok(vec![target(None, wanted)]);
    };
    if !provider.serves_contracts() {
        return Err(format!(
            "{}: {} has no dated contracts; leave out `cycle` for its continuous series (such as GC=F), or choose barchart or ibkr",
            instrument.name,
            provider.name()
        ));
    }
    let last = selection.end.into_iter().chain(selection.today).min().unwrap_or(from);
    let days = i32::try_from(instrument.days_count).unwrap_or(i32::MAX / 4);
    Ok(contracts(cycle, from, last.plus(days))
        .map(|contract| (contract, contract.last_day().plus(-days), contract.last_day()))
        .filter(|(_, first, expiry)| *first <= last && *expiry >= from)
        .map(|(contract, first, expiry)| {
            let to = Some(selection.end.map_or(expiry, |end| end.min(expiry)));
            target(Some(contract), Wanted { from: from.max(first), to, ..wanted })
        })
        .collect())
}

/// The contracts of a cycle whose months lie between two days, oldest first.
fn contracts(cycle: &str, from: Day, to: Day) -> impl Iterator<Item = Contract> + use<'_> {
    let (from, to) = (from.date(), to.date());
    (from.year()..=to.year()).flat_map(move |year| {
        (1u8..=12).filter_map(move |month| {
            let letter = MONTH_CODES.get(usize::from(month) - 1)?;
            let within = (year, month as i8) >= (from.year(), from.month())
                && (year, month as i8) <= (to.year(), to.month());
            (within && cycle.contains(*letter)).then_some(Contract { year, month })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contracts_follow_the_cycle() {
        let day = |text: &str| text.parse::<Day>().unwrap();
        let names: Vec<_> =
            contracts("HMUZ", day("2023-07-01"), day("2024-06-30")).map(|c| c.code("ES")).collect();
        assert_eq!(names, ["ESU23", "ESZ23", "ESH24", "ESM24"]);
    }
}
