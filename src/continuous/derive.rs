//! From stored contracts to the bars of a continuous series.

use thiserror::Error;

use super::PROVIDER;
use super::adjust::{self, Adjust, Shift};
use super::rolls::{self, Hold, Leg, Rule, Why};
use super::source::{Part, Source};
use super::table::Roll;
use crate::archive::{Archive, ArchiveError};
use crate::model::{Bars, Class, Contract, Day, Period, SeriesKey, SeriesMeta};

/// What is to be put together, and how.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The instrument whose contracts are taken.
    pub symbol: String,
    /// Whose contracts: `barchart`, `ibkr`, `sample`.
    pub source: String,
    /// The name of the series that is made.
    pub name: String,
    /// Its bar length: `1d` or intraday.
    pub period: Period,
    /// When it rolls.
    pub rule: Rule,
    /// What becomes of earlier prices.
    pub adjust: Adjust,
    /// Only contracts of these months, by their letters; all that are stored where it is `None`.
    pub cycle: Option<String>,
    /// Its first trading date; the contracts' first where it is `None`.
    pub start: Option<Day>,
}

impl Recipe {
    /// The series that is made.
    pub fn key(&self) -> SeriesKey {
        let (provider, symbol) = (PROVIDER.to_owned(), self.name.clone());
        SeriesKey { provider, class: Class::Future, symbol, contract: None, period: self.period }
    }

    /// The recipe in words, which stands in place of a provider's symbol.
    pub(super) fn code(&self) -> String {
        let rule = match self.rule {
            Rule::Volume(sessions) | Rule::OpenInterest(sessions) => format!("{sessions} sessions"),
            Rule::Calendar(days) => format!("{days} days before"),
        };
        let cycle = self.cycle.as_ref().map_or(String::new(), |cycle| format!(", months {cycle}"));
        format!(
            "{} of {}, rolled by {} ({rule}{cycle}), adjusted by {}",
            self.symbol,
            self.source,
            self.rule.name(),
            self.adjust.name()
        )
    }
}

/// A series that was put together.
#[derive(Clone, Debug)]
pub struct Derived {
    /// Its bars.
    pub bars: Bars,
    /// The contracts held, and the rolls between them.
    pub rolls: Vec<Roll>,
    /// A roll that is decided and takes place with the next session: to which contract, and why.
    pub next: Option<(Contract, String)>,
    /// Things a person may want to know.
    pub notes: Vec<String>,
    /// The trading dates with bars, ascending.
    pub days: Vec<Day>,
    /// What is said of the series: as of the last contract held.
    pub meta: SeriesMeta,
}

/// Why a series cannot be put together.
#[derive(Debug, Error)]
pub enum DeriveError {
    /// There is nothing to take.
    #[error("{0}")]
    Nothing(String),
    /// The rolls cannot be worked out, or not adjusted over.
    #[error("{0}")]
    Impossible(String),
    /// The archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// Puts a series together. Reads the stored contracts alone.
pub fn derive(archive: &Archive, recipe: &Recipe) -> Result<Derived, DeriveError> {
    let source = Source::open(archive, recipe)?;
    let legs = source.legs()?;
    let measured = |leg: &Leg| leg.measures.iter().any(|measure| measure.is_finite());
    if !matches!(recipe.rule, Rule::Calendar(_)) && !legs.iter().any(measured) {
        return Err(DeriveError::Impossible(format!(
            "the daily bars of {}'s {} have no {}; roll by another rule",
            recipe.source,
            recipe.symbol,
            measure_words(recipe.rule)
        )));
    }
    let holds = rolls::holds(&legs, recipe.rule);
    let parts = source.parts(&legs, &holds)?;
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
        let said = format!(
            "no contract of {} has a {} bar on a day on which it is held",
            recipe.symbol, recipe.period
        );
        return Err(DeriveError::Nothing(said));
    };
    let maker = Maker { recipe, source: &source, legs: &legs };
    // A roll takes place where a bar stands behind it, and one before.
    let held = holds.get(first.hold..=last.hold).unwrap_or_default();
    let mut derived = maker.put_together(held, first.hold, &parts)?;
    let newest = legs.iter().filter_map(|leg| leg.days.last().copied()).max();
    let next = holds.get(last.hold + 1).filter(|next| newest.is_some_and(|newest| newest < next.from));
    derived.next = next.map(|next| (maker.contract(next), maker.why(next, held.last())));
    Ok(derived)
}

/// What a rule looks at, in words.
fn measure_words(rule: Rule) -> &'static str {
    if matches!(rule, Rule::OpenInterest(_)) { "open interest" } else { "volume" }
}

/// Makes a series of the contracts held.
struct Maker<'a> {
    recipe: &'a Recipe,
    source: &'a Source<'a>,
    legs: &'a [Leg],
}

impl Maker<'_> {
    fn contract(&self, hold: &Hold) -> Contract {
        self.legs[hold.leg].contract
    }

    fn name(&self, hold: &Hold) -> String {
        self.contract(hold).stored_name(&self.recipe.symbol)
    }

    /// The series of these holds; the first one has that place among all.
    fn put_together(&self, held: &[Hold], place: usize, parts: &[Part]) -> Result<Derived, DeriveError> {
        let shifts = self.shifts(held)?;
        let mut derived = Derived {
            bars: Bars::new(self.recipe.key().columns()),
            rolls: Vec::with_capacity(held.len()),
            next: None,
            notes: Vec::new(),
            days: Vec::new(),
            meta: SeriesMeta::default(),
        };
        let mut before: Option<&Hold> = None;
        for (at, (hold, shift)) in held.iter().zip(shifts).enumerate() {
            let part = parts.iter().find(|part| part.hold == place + at);
            match part {
                Some(part) => self.add(&mut derived, part, shift, hold)?,
                None => {
                    derived.notes.push(format!(
                        "{} has no {} bar while it is held",
                        self.name(hold),
                        self.recipe.period
                    ));
                }
            }
            if let Some(before) = before.filter(|_| matches!(hold.why, Why::Ended | Why::Gap))
                && let Some(last) = self.source.asked_until(self.contract(before))
            {
                let (name, to) = (self.name(before), self.name(hold));
                derived.notes.push(format!(
                    "{name} is stored to {last} and was not asked for all days after it: the roll to {to} may lie elsewhere; `vortex download -p {} -s {name} --period 1d` asks for them",
                    self.recipe.source
                ));
            }
            derived.rolls.push(Roll {
                date: part.and_then(|part| part.days.first().copied()).unwrap_or(hold.from),
                from: before.map(|before| self.name(before)),
                to: self.name(hold),
                closes: before.and(hold.closes),
                why: self.why(hold, before),
            });
            before = Some(hold);
        }
        derived.days.dedup();
        derived.bars.sort_keep_last();
        Ok(derived)
    }

    /// Adds the bars of one contract.
    fn add(&self, derived: &mut Derived, part: &Part, shift: Shift, hold: &Hold) -> Result<(), DeriveError> {
        let columns = derived.bars.columns();
        let mut values = Vec::with_capacity(columns.len());
        for column in columns {
            let Some(own) = part.bars.column(*column) else {
                values.push(vec![f64::NAN; part.bars.len()]);
                continue;
            };
            let moved: Option<Vec<f64>> = match column.is_price() {
                true => own.iter().map(|price| shift.apply(*price)).collect(),
                false => Some(own.to_vec()),
            };
            values.push(moved.ok_or_else(|| {
                let (name, column) = (self.name(hold), column.name());
                DeriveError::Impossible(format!(
                    "{name}: a value of {column} has more digits than can be added exactly"
                ))
            })?);
        }
        derived.bars.times.extend(&part.bars.times);
        for (column, values) in derived.bars.values.iter_mut().zip(values) {
            column.extend(values);
        }
        derived.days.extend(&part.days);
        if let Some(record) = self.source.record(self.contract(hold)) {
            derived.meta = record.state.meta.clone();
            if let Some(why) = &record.state.suspect {
                derived.notes.push(format!("{} is suspect: {why}", self.name(hold)));
            }
        }
        Ok(())
    }

    fn shifts(&self, held: &[Hold]) -> Result<Vec<Shift>, DeriveError> {
        let rolls: Vec<_> =
            held.iter().skip(1).map(|hold| hold.closes.map(|(_, old, new)| (old, new))).collect();
        adjust::shifts(self.recipe.adjust, &rolls).map_err(|at| {
            let (earlier, later) = (self.name(&held[at]), self.name(&held[at + 1]));
            let (from, how) = (held[at + 1].from, self.recipe.adjust.name());
            let why = match held[at + 1].closes {
                None => format!("have no session in common before {from}"),
                Some((day, old, new)) => format!("closed at {old} and {new} on {day}"),
            };
            DeriveError::Impossible(format!(
                "{earlier} and {later} {why}: nothing before can be adjusted by {how}; --start-date {from} begins after it, --adjust none adjusts nothing"
            ))
        })
    }

    fn why(&self, hold: &Hold, before: Option<&Hold>) -> String {
        let open = before.and_then(|before| self.source.asked_until(self.contract(before)));
        let before = before.map_or_else(String::new, |before| self.name(before));
        match (&hold.why, self.recipe.rule) {
            (Why::Ended | Why::Gap, _) if let Some(last) = open => {
                format!("{before} is stored to {last} and was not asked for all days after it")
            }
            (Why::First, _) => "the first contract".to_owned(),
            (Why::More { held, later, sessions }, rule) => {
                let sessions =
                    if *sessions == 1 { "1 session".to_owned() } else { format!("{sessions} sessions") };
                format!("{} {later} > {held} after {sessions}", measure_words(rule))
            }
            (Why::Calendar, Rule::Calendar(days)) => {
                format!("{days} weekdays before the month of {before}")
            }
            (Why::Calendar | Why::Ended, _) => format!("{before} had its last session"),
            (Why::Gap, _) => "no contract was stored between".to_owned(),
        }
    }
}
