//! `vortex continuous`: one series out of the contracts of a future.

use serde_json::{Value, json};

use super::args::{AdjustName, ContinuousArgs, RollName};
use super::error::{Error, Exit, Outcome};
use super::output::count;
use super::writer::{self, archive_error};
use super::{Context, archive, output};
use crate::archive::{Archive, Writer};
use crate::continuous::{self, Adjust, Changes, DeriveError, Derived, Recipe, Roll, Rule};
use crate::model::{Contract, Day, Period, symbol};

/// More rolls than this are left out of a listing; the table beside the series has all.
const MANY_ROLLS: usize = 12;
/// What `--sessions` is where it is not given.
const SESSIONS: u32 = 3;
/// What `--days-before` is where it is not given.
const DAYS_BEFORE: i32 = 5;

/// Runs the command.
pub(super) fn run(context: &Context, args: &ContinuousArgs) -> Outcome {
    if args.name.is_some() && args.symbols.len() > 1 {
        return Err(Error::usage("--name names one series; give it one instrument"));
    }
    let dry_run = context.config().dry_run;
    // The writer holds the lock, so that no download changes a contract in between.
    let writer = if dry_run { None } else { Some(open(context, args)?) };
    let archive = match &writer {
        Some(writer) => writer.archive().clone(),
        None => archive::open(context)?,
    };
    let mut told = Vec::new();
    for instrument in &args.symbols {
        for period in &args.periods {
            let recipe = recipe(context, &archive, args, instrument, *period)?;
            let derived = continuous::derive(&archive, &recipe).map_err(derive_error)?;
            let changes = Changes::of(&archive, &recipe, &derived).map_err(archive_error)?;
            if context.global.json {
                told.push(series_json(&archive, &recipe, &derived, &changes)?);
            } else {
                tell(&archive, &recipe, &derived, &changes, dry_run)?;
            }
            if let Some(writer) = writer.as_ref().filter(|_| !changes.is_nothing()) {
                changes.commit(writer, context.config().parquet).map_err(archive_error)?;
            }
        }
    }
    if context.global.json {
        output::json(&json!({ "dry_run": dry_run, "series": told }))?;
    }
    Ok(Exit::Done)
}

/// The archive, which must be there, opened for writing.
fn open(context: &Context, args: &ContinuousArgs) -> Result<Writer, Error> {
    drop(archive::open(context)?);
    writer::open(context, "vortex continuous", args.no_wait)
}

fn recipe(
    context: &Context,
    archive: &Archive,
    args: &ContinuousArgs,
    instrument: &str,
    period: Period,
) -> Result<Recipe, Error> {
    if period > Period::D1 {
        let said =
            format!("a continuous series is made of 1d and intraday bars; make {period} bars of its 1d ones");
        return Err(Error::usage(said));
    }
    let name = args.name.clone().unwrap_or_else(|| instrument.to_owned());
    symbol::encode(&name).map_err(Error::usage)?;
    if Contract::of_stored_name(&name).is_some() {
        return Err(Error::usage(format!("--name {name} is the name of a contract; choose another")));
    }
    let rule = rule(args)?;
    let adjust = match args.adjust {
        AdjustName::None => Adjust::None,
        AdjustName::Difference => Adjust::Difference,
        AdjustName::Ratio => Adjust::Ratio,
    };
    let source = source(context, archive, args, instrument)?;
    let (symbol, cycle, start) = (instrument.to_owned(), args.cycle.clone(), args.start_date);
    Ok(Recipe { symbol, source, name, period, rule, adjust, cycle, start })
}

fn rule(args: &ContinuousArgs) -> Result<Rule, Error> {
    let sessions = args.sessions.unwrap_or(SESSIONS);
    match (args.roll, args.sessions, args.days_before) {
        (RollName::Calendar, Some(_), _) => Err(Error::usage(
            "--sessions goes with --roll volume and open-interest; with calendar it is --days-before",
        )),
        (RollName::Volume | RollName::OpenInterest, _, Some(_)) => Err(Error::usage(
            "--days-before goes with --roll calendar; with volume and open-interest it is --sessions",
        )),
        (RollName::Volume, ..) => Ok(Rule::Volume(sessions)),
        (RollName::OpenInterest, ..) => Ok(Rule::OpenInterest(sessions)),
        (RollName::Calendar, _, days) => Ok(Rule::Calendar(days.unwrap_or(DAYS_BEFORE))),
    }
}

/// Whose contracts are taken: those that are there, where several are the default provider's.
fn source(
    context: &Context,
    archive: &Archive,
    args: &ContinuousArgs,
    symbol: &str,
) -> Result<String, Error> {
    if let Some(provider) = &args.provider {
        return Ok(provider.clone());
    }
    let sources = continuous::sources(archive, symbol).map_err(archive_error)?;
    let default = &context.config().default_provider;
    match sources.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(no_such(format!(
            "the archive has no daily bars of contracts of {symbol}; `vortex archive list --contracts` has what there is"
        ))),
        several if several.contains(default) => Ok(default.clone()),
        several => Err(Error::usage(format!(
            "{symbol} has contracts of {}; name one with --provider",
            several.join(" and ")
        ))),
    }
}

fn no_such(said: String) -> Error {
    Error::new(Exit::NoSuchObject, anyhow::Error::msg(said))
}

fn derive_error(error: DeriveError) -> Error {
    match error {
        DeriveError::Nothing(said) => no_such(said),
        DeriveError::Impossible(said) => Error::new(Exit::Failed, anyhow::Error::msg(said)),
        DeriveError::Archive(error) => archive_error(error),
    }
}

fn tell(
    archive: &Archive,
    recipe: &Recipe,
    derived: &Derived,
    changes: &Changes,
    dry_run: bool,
) -> Result<(), Error> {
    let rolls = derived.rolls.len() - 1;
    output::line(format!(
        "{}: {} of {}, {}",
        recipe.key(),
        count(derived.bars.len(), "bar"),
        count(derived.rolls.len(), "contract"),
        count(rolls, "roll")
    ))?;
    for note in &derived.notes {
        output::line(format!("  note: {note}"))?;
    }
    if let Some(before) = &changes.made_before {
        output::line(format!("  it was {before}"))?;
    }
    for moved in &changes.moved {
        output::line(format!("  {moved}"))?;
    }
    if rolls > MANY_ROLLS {
        output::line(format!(
            "  {} before; {} has all",
            count(rolls - MANY_ROLLS, "roll"),
            table(archive, recipe)?
        ))?;
    }
    for roll in derived.rolls.iter().skip(1.max(derived.rolls.len().saturating_sub(MANY_ROLLS))) {
        output::line(format!("  {}  {}", roll.date, roll_text(roll)))?;
    }
    if let Some((contract, why)) = &derived.next {
        output::line(format!("  next session  to {} ({why})", contract.stored_name(&recipe.symbol)))?;
    }
    let written = if dry_run { "; nothing was written" } else { "" };
    output::line(match changes.is_nothing() {
        true => "  nothing is new".to_owned(),
        false => format!(
            "  {} added, {} changed, {} removed{written}",
            count(changes.added, "bar"),
            changes.changed,
            changes.removed
        ),
    })
}

fn roll_text(roll: &Roll) -> String {
    let closes = roll.closes.map_or(String::new(), |(session, old, new)| {
        let gap = roll.gap().map_or(String::new(), |gap| format!(", gap {gap}"));
        format!(": {old} to {new} on {session}{gap}")
    });
    format!("{} to {}{closes} ({})", roll.from.as_deref().unwrap_or_default(), roll.to, roll.why)
}

fn table(archive: &Archive, recipe: &Recipe) -> Result<String, Error> {
    Ok(archive.rolls_path(&recipe.key()).map_err(archive_error)?.display().to_string())
}

fn series_json(
    archive: &Archive,
    recipe: &Recipe,
    derived: &Derived,
    changes: &Changes,
) -> Result<Value, Error> {
    let rolls = derived.rolls.iter().map(|roll| {
        let (session, old, new) = roll.closes.map_or((None, None, None), |(session, old, new)| {
            (Some(session.to_string()), Some(old), Some(new))
        });
        json!({
            "date": roll.date.to_string(), "from": roll.from, "to": roll.to, "session": session,
            "from_close": old, "to_close": new, "gap": roll.gap(), "ratio": roll.ratio(), "why": roll.why,
        })
    });
    let next =
        derived.next.as_ref().map(|(contract, why)| (contract.stored_name(&recipe.symbol), why)).unzip();
    let (first, last) = (derived.days.first(), derived.days.last());
    Ok(json!({
        "symbol": recipe.name, "instrument": recipe.symbol, "provider": recipe.source, "period": recipe.period.name(),
        "roll": recipe.rule.name(), "adjust": recipe.adjust.name(),
        "bars": derived.bars.len(), "first": first.map(Day::to_string), "last": last.map(Day::to_string),
        "added": changes.added, "changed": changes.changed, "removed": changes.removed,
        "made_before": changes.made_before, "moved": changes.moved, "notes": derived.notes,
        "rolls": rolls.collect::<Vec<_>>(), "next": next.0, "next_why": next.1, "rolls_file": table(archive, recipe)?,
    }))
}
