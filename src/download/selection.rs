//! From what a person asks for to the series that are to be brought up to date.

use std::collections::HashSet;

use super::plan::Wanted;
use super::series::Target;
use crate::model::{Class, Contract, Day, Days, Instrument, Period, SeriesKey, contract, symbol};
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
    for chosen in chosen(selection)? {
        symbol::encode(&chosen.instrument.name)?;
        for period in periods(selection, &chosen.instrument) {
            for target in of_instrument(selection, provider, &chosen, period)? {
                if seen.insert(target.key.clone()) {
                    targets.push(target);
                }
            }
        }
    }
    Ok(targets)
}

/// The names of a selection with their periods, whichever contracts they come to.
pub fn listed(selection: &Selection) -> Result<Vec<(String, Vec<Period>)>, String> {
    let chosen = chosen(selection)?.into_iter();
    let told = chosen.map(|Chosen { instrument, .. }| (periods(selection, &instrument), instrument));
    Ok(told.map(|(periods, instrument)| (instrument.name, periods)).collect())
}

/// An instrument, or one contract of it.
struct Chosen {
    instrument: Instrument,
    contract: Option<Contract>,
}

/// The instruments named, or all of the file. A name is looked up in the file, also as that of a contract
/// (`GOLD_20240200`, `GCG24`), then taken as a code.
fn chosen(selection: &Selection) -> Result<Vec<Chosen>, String> {
    let whole = |instrument| Chosen { instrument, contract: None };
    if selection.symbols.is_empty() {
        return Ok(selection.instruments.iter().cloned().map(whole).collect());
    }
    let mut chosen = Vec::new();
    for name in &selection.symbols {
        symbol::encode(name)?;
        let known = selection.instruments.iter().find(|instrument| instrument.name == *name);
        let known = known.cloned().map(whole).or_else(|| of_contract_name(selection, name));
        chosen.push(known.unwrap_or_else(|| whole(Instrument::of_code(name))));
    }
    Ok(chosen)
}

/// The contract of the file's instruments that is called so, by its stored name or the provider's code.
fn of_contract_name(selection: &Selection, name: &str) -> Option<Chosen> {
    let stored = Contract::of_stored_name(name);
    let code = Contract::of_code(name, selection.today?);
    let mut dated = selection.instruments.iter().filter(|instrument| instrument.cycle.is_some());
    dated.find_map(|instrument| {
        let stored = stored.filter(|(symbol, _)| *symbol == instrument.name);
        let code = code.filter(|(root, _)| *root == instrument.code);
        let (_, contract) = stored.or(code)?;
        Some(Chosen { instrument: instrument.clone(), contract: Some(contract) })
    })
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
    chosen: &Chosen,
    period: Period,
) -> Result<Vec<Target>, String> {
    let instrument = &chosen.instrument;
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
    let range = Days::new(from, last);
    let of_contract = |contract: Contract| {
        let life = contract.life(instrument.days_count);
        target(Some(contract), Wanted { from: from.max(life.first), ..wanted })
    };
    if let Some(contract) = chosen.contract {
        let life = contract.life(instrument.days_count);
        return match range.and_then(|range| range.intersection(life)) {
            Some(_) => Ok(vec![of_contract(contract)]),
            None => Err(format!(
                "{} is taken to trade from {} to {} (days_count {}): there is nothing of it from {from} to {last}",
                contract.stored_name(&instrument.name),
                life.first,
                life.last,
                instrument.days_count
            )),
        };
    }
    let contracts = range.map(|range| contract::of_cycle(cycle, instrument.days_count, range));
    Ok(contracts.into_iter().flatten().map(of_contract).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::sample::Sample;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    fn gold(today: &str) -> Selection {
        let mut gold = Instrument::plain("GOLD", "GC", Class::Future);
        gold.cycle = Some("GJMQVZ".to_owned());
        gold.start_date = Some(day("2024-02-15"));
        gold.tick_date = Some(day("2024-07-01"));
        gold.days_count = 100;
        gold.periods = Some(vec![Period::D1, Period::H1]);
        Selection { instruments: vec![gold], today: Some(day(today)), backfill: true, ..Selection::default() }
    }

    /// Period, contract and first wanted day of each target.
    fn told(selection: &Selection) -> Vec<String> {
        let targets = targets(selection, &Sample::new(|| 0)).unwrap();
        let line = |target: &Target| {
            let (wanted, code) = (target.wanted, target.contract.unwrap().code("GC"));
            format!("{} {code} {}", target.key.period, wanted.from)
        };
        targets.iter().map(line).collect()
    }

    #[test]
    fn contracts_that_can_have_bars_join_as_time_goes_on() {
        let daily = |today| -> Vec<String> {
            told(&gold(today)).into_iter().filter(|line| line.starts_with("1d")).collect()
        };
        let feb_apr = ["1d GCG24 2024-02-15", "1d GCJ24 2024-02-15"];
        assert_eq!(daily("2024-03-21"), feb_apr);
        assert_eq!(daily("2024-03-22"), [&feb_apr[..], &["1d GCM24 2024-03-22"]].concat());
    }

    #[test]
    fn intraday_has_no_contract_that_ended_before_the_tick_date() {
        let hourly: Vec<String> =
            told(&gold("2024-08-01")).into_iter().filter(|line| line.starts_with("1h")).collect();
        assert_eq!(hourly, ["1h GCQ24 2024-07-01", "1h GCV24 2024-07-23"]);
    }

    #[test]
    fn one_contract_can_be_named() {
        for name in ["GOLD_20240400", "GCJ24", "GCJ4"] {
            let one =
                Selection { symbols: vec![name.to_owned()], periods: vec![Period::D1], ..gold("2024-08-01") };
            assert_eq!(told(&one), ["1d GCJ24 2024-02-15"], "{name}");
        }
        let far = Selection { symbols: vec!["GCJ30".to_owned()], ..gold("2024-08-01") };
        let said = targets(&far, &Sample::new(|| 0)).err().unwrap();
        assert!(said.contains("GOLD_20300400 is taken to trade from 2030-01-20 to 2030-04-30"), "{said}");
    }
}
