//! One answer meets what is stored: what changes, and what is known afterwards. Pure.

use std::collections::HashSet;

use super::compare::{Difference, compare, is_ratio, is_same, keep_stored_values};
use super::plan::{today_of, zone_of};
use super::restate::Cause;
use crate::archive::{SeriesState, partition_name};
use crate::model::{Bars, Column, Contract, Coverage, Day, Days, Mark, SeriesKey, SeriesMeta};
use crate::provider::Answer;

/// What an answer amounts to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// Its bars may be merged; `Some` says why stored values change.
    Merge(Option<String>),
    /// History was restated: everything in reach has to be fetched again first.
    Refetch(Cause),
}

/// Judges the overlap of an answer with what is stored. Without `last_stored` a listed split alone tells
/// nothing: there is no bar before it, or its scale was confirmed already.
pub(super) fn judge(key: &SeriesKey, stored: &Bars, last_stored: Option<i64>, answer: &Answer) -> Verdict {
    // A longer bar holds every day up to its last.
    let last_day = last_stored.map(|last| key.period.last_day(Day::of_utc(last)));
    let newer_split =
        last_day.is_some_and(|last| answer.splits.iter().any(|split| split.ratio != 1.0 && split.day > last));
    match compare(stored, &answer.bars) {
        Difference::Scale { .. } => Verdict::Refetch(Cause::Scale),
        _ if newer_split => Verdict::Refetch(Cause::Scale),
        Difference::Adjustment => Verdict::Refetch(Cause::Adjustment),
        Difference::Rewritten => Verdict::Refetch(Cause::Rewritten),
        Difference::Correction => {
            let count = changed(stored, &answer.bars);
            Verdict::Merge(Some(format!("corrected by the provider: {}", bars_text(count))))
        }
        Difference::NoOverlap | Difference::None | Difference::Volume => Verdict::Merge(None),
    }
}

/// Why an answer may be in another unit than what is stored, as cents are not dollars and lots not shares: all
/// that both have differs by a hundred, and no listed split says so. One price scale a series would hold, but
/// nobody could tell which.
pub(super) fn other_unit(meta: &SeriesMeta, stored: &Bars, answer: &Answer) -> Option<String> {
    let hundred = |ratio: f64| is_ratio(ratio, 100.0) || is_ratio(ratio, 0.01);
    let words = |what: &str, ratio: f64| {
        let currencies = match (&meta.currency, &answer.meta.currency) {
            (Some(old), Some(new)) if old != new => format!(", in {old} then and in {new} now"),
            _ => String::new(),
        };
        Some(format!(
            "stored {what} are {} times the provider's{currencies}, as where the unit changed, and no split is listed",
            if ratio > 1.0 { "100" } else { "0.01" }
        ))
    };
    match compare(stored, &answer.bars) {
        Difference::Scale { ratio, until: None } if hundred(ratio) && answer.splits.is_empty() => {
            words("prices", ratio)
        }
        Difference::Volume => {
            volume_ratio(stored, &answer.bars).filter(|r| hundred(*r)).and_then(|r| words("volumes", r))
        }
        _ => None,
    }
}

/// The one factor between all volumes that both have, of several bars at least.
fn volume_ratio(stored: &Bars, fetched: &Bars) -> Option<f64> {
    const ENOUGH: usize = 3;
    let (old, new) = (stored.column(Column::Volume)?, fetched.column(Column::Volume)?);
    let both = fetched.times.iter().zip(new).filter_map(|(time, new)| {
        let old = old.get(stored.times.binary_search(time).ok()?)?;
        (*old > 0.0 && *new > 0.0).then(|| old / new)
    });
    let ratios: Vec<f64> = both.collect();
    let first = *ratios.first()?;
    (ratios.len() >= ENOUGH && ratios.iter().all(|ratio| is_ratio(*ratio, first))).then_some(first)
}

/// `1 bar`, `2 bars`.
pub(super) fn bars_text(count: u64) -> String {
    if count == 1 { "1 bar".to_owned() } else { format!("{count} bars") }
}

/// Whether fetched bars may be of the instrument that is stored: there is an overlap, and its prices agree.
pub(super) fn is_same_instrument(stored: &Bars, fetched: &Bars) -> bool {
    matches!(compare(stored, fetched), Difference::None | Difference::Volume | Difference::Adjustment)
}

/// How many stored bars the fetched ones change.
pub(super) fn changed(stored: &Bars, fetched: &Bars) -> u64 {
    let news = news(stored, fetched.clone());
    news.times.iter().filter(|time| stored.times.binary_search(time).is_ok()).count() as u64
}

/// The fetched bars that add to what is stored or differ from it, with the stored value where a
/// fetched one is missing. Bars that differ by single-precision noise alone stay as they are stored.
pub(super) fn news(stored: &Bars, mut fetched: Bars) -> Bars {
    if stored.is_empty() {
        return fetched;
    }
    keep_stored_values(stored, &mut fetched);
    let mut news = Bars::new(fetched.columns());
    for at in 0..fetched.len() {
        let same = stored
            .times
            .binary_search(&fetched.times[at])
            .is_ok_and(|s| fetched.row(at).zip(stored.row(s)).all(|(new, old)| is_same(old, new)));
        if !same {
            news.extend_from(&fetched, at..at + 1);
        }
    }
    news
}

/// Bars, which are ascending, by the partition they belong to.
pub(super) fn by_partition(key: &SeriesKey, bars: Bars) -> Vec<(String, Bars)> {
    let (mut parts, mut from) = (Vec::new(), 0);
    while let Some(first) = bars.times.get(from) {
        let name = partition_name(key, *first);
        let same = bars.times[from..].partition_point(|time| partition_name(key, *time) == name);
        if same == bars.len() {
            return vec![(name, bars)];
        }
        parts.push((name, bars.slice(from..from + same)));
        from += same;
    }
    parts
}

/// What the state of a series is after an answer to a request for `asked`.
pub(super) fn learn(
    state: &SeriesState,
    key: &SeriesKey,
    asked: Days,
    from: Day,
    answer: &Answer,
) -> SeriesState {
    let mut next = state.clone();
    next.meta = join_meta(&state.meta, &answer.meta);
    next.failure = None;
    if !answer.bars.is_empty() {
        next.given_at = next.given_at.max(answer.clock);
    }
    if let Some(day) = answer.first_day {
        next.first_day = Some(day.number());
    }
    let zone = zone_of(&next.meta);
    let today = Day::of_local(answer.clock, &zone);
    let finished = answer.finished.unwrap_or(today.plus(-1)).min(today);
    mark(&mut next.coverage, key, asked, finished, answer, &bar_days(key, &next.meta, &answer.bars));
    if let Some(before) = answer.first_day.and_then(|day| Days::new(from, day.plus(-1))) {
        for run in next.coverage.runs(before, |_, mark| matches!(mark, Mark::Unknown | Mark::Empty)) {
            next.coverage.set(run, Mark::BeforeListing);
        }
    }
    let newest = newest_bar(&next.coverage);
    if let Some(contract) = key.contract.filter(|contract| is_over(*contract, newest, asked, finished)) {
        mark_expiry(&mut next.coverage, contract.end(newest));
    }
    let to_its_end = key.contract.is_some_and(|contract| asked.last >= contract.end(newest));
    if asked.last >= today || to_its_end {
        next.asked_at = answer.clock;
    }
    if asked.last >= today.plus(-super::sessions::PENDING_DAYS) {
        next.pending_asked_at = answer.clock;
    }
    if !next.coverage.has(Mark::Suspect) {
        next.suspect = None;
    }
    next
}

/// Days that were never asked for, or are to be fetched again, and are out of the provider's reach.
pub(super) fn leave_unreachable(state: &SeriesState, unreachable: &[Days]) -> SeriesState {
    let mut next = state.clone();
    let open = |_: Day, mark: Mark| matches!(mark, Mark::Unknown | Mark::Suspect);
    let suspect = |state: &SeriesState| state.coverage.has(Mark::Suspect);
    for days in unreachable {
        for run in state.coverage.runs(*days, open) {
            next.coverage.set(run, Mark::OutOfReach);
        }
    }
    if suspect(state) && !suspect(&next) {
        next.suspect = None;
    }
    next
}

/// What the state of a series is after a provider said that it has nothing at all in a window.
pub(super) fn learn_empty(state: &SeriesState, key: &SeriesKey, window: Days, now: i64) -> SeriesState {
    let mut next = state.clone();
    // Only days that are over anywhere on Earth; and none of a series that nothing is known of: without
    // an exchange nobody could tell later which of them were sessions. Of a contract all, once it is settled,
    // and until then those before its newest bar.
    let over = Day::of_utc(now).plus(-2);
    let newest = newest_bar(&state.coverage);
    let last = match key.contract {
        Some(contract) if over >= contract.settled_by(newest) => Some(contract.end(newest)),
        Some(_) => newest,
        None => state.meta.exchange.is_some().then_some(over),
    };
    let over = last.and_then(|last| Days::new(window.first, window.last.min(last).min(over)));
    let open = |_: Day, mark: Mark| matches!(mark, Mark::Unknown | Mark::OutOfReach);
    for run in over.map(|over| state.coverage.runs(over, open)).unwrap_or_default() {
        next.coverage.set(run, Mark::Empty);
    }
    let to_its_end = key.contract.is_some_and(|contract| window.last >= contract.end(newest));
    // By the clock of the exchange, which may be on the day before.
    if window.last >= Day::of_utc(now).min(today_of(&state.meta, now)) || to_its_end {
        next.asked_at = now;
    }
    next.pending_asked_at = now;
    next.failure = None;
    next
}

/// The days of a run of bars on the axis of coverage: trading dates, ascending; for longer periods the first
/// day of each bar.
fn bar_days(key: &SeriesKey, meta: &SeriesMeta, bars: &Bars) -> Vec<Day> {
    let times = bars.times.iter().copied();
    let mut days: Vec<Day> = match key.period.is_intraday() {
        true => times.map(meta.trading_days()).collect(),
        false => times.map(Day::of_utc).collect(),
    };
    days.sort_unstable();
    days.dedup();
    days
}

/// Marks every day that was asked for and is over.
fn mark(
    coverage: &mut Coverage,
    key: &SeriesKey,
    asked: Days,
    finished: Day,
    answer: &Answer,
    with_bar: &[Day],
) {
    let sessions: HashSet<Day> = answer.sessions.iter().copied().collect();
    let life = key.contract.map(|contract| Life::of(contract, coverage, asked, finished, with_bar));
    for day in asked.iter().take_while(|day| key.period.last_day(*day) <= finished) {
        let old = coverage.get(day);
        let mark = if with_bar.binary_search(&key.period.bar_day(day)).is_ok() {
            Mark::Present
        } else if old == Mark::Present {
            // A shorter answer never erases what is stored.
            Mark::Present
        } else if answer.first_day.is_some_and(|first| day < first) {
            Mark::BeforeListing
        } else if sessions.contains(&day) || old == Mark::EmptySession {
            Mark::EmptySession
        } else {
            life.as_ref().map_or(Mark::Empty, |life| life.without_bar(day))
        };
        coverage.set_day(day, mark);
    }
}

/// Only where more days than this before a contract's first bar were asked for is it known not to have been listed
/// on them: a request may begin on a holiday.
const UNLISTED_DAYS: i32 = 10;

/// What a contract's days without a bar are.
struct Life {
    /// Its first bar, stored or just fetched, where it was looked for well before it.
    first_bar: Option<Day>,
    /// The last day of which it is known that there is no bar and none will come: up to its newest bar, which
    /// shows that the days before it are there; all of them once it is settled.
    known: Option<Day>,
    /// Behind this day it is over, where that is known.
    end: Option<Day>,
}

impl Life {
    fn of(contract: Contract, coverage: &Coverage, asked: Days, finished: Day, with_bar: &[Day]) -> Life {
        let first = coverage.first_where(|mark| mark == Mark::Present);
        let first = first.into_iter().chain(with_bar.first().copied()).min();
        let first = first.filter(|first| asked.first < first.plus(-UNLISTED_DAYS));
        let newest = newest_bar(coverage).into_iter().chain(with_bar.last().copied()).max();
        let end = Some(contract.end(newest)).filter(|_| is_over(contract, newest, asked, finished));
        Life { first_bar: first, known: end.or(newest), end }
    }

    fn without_bar(&self, day: Day) -> Mark {
        match day {
            _ if self.end.is_some_and(|end| day > end) => Mark::AfterExpiry,
            // Its bar may be late; so a far contract that seldom trades is not known as empty either.
            _ if self.known.is_none_or(|known| day > known) => Mark::Unknown,
            _ if self.first_bar.is_some_and(|first| day < first) => Mark::BeforeListing,
            _ => Mark::Empty,
        }
    }
}

fn newest_bar(coverage: &Coverage) -> Option<Day> {
    coverage.last_where(|mark| mark == Mark::Present)
}

/// Whether an answer shows that a contract has had its last bar: it is settled by now, and a bar behind its month
/// was looked beyond.
fn is_over(contract: Contract, newest: Option<Day>, asked: Days, finished: Day) -> bool {
    let end = contract.end(newest);
    finished >= contract.settled_by(newest) && (end == contract.last_day() || asked.last >= end)
}

/// An expired contract: the empty days after its last bar are not holes.
fn mark_expiry(coverage: &mut Coverage, last: Day) {
    let last_bar = coverage.last_where(|mark| mark == Mark::Present);
    if let Some(after) = last_bar.and_then(|day| Days::new(day.plus(1), last)) {
        for run in coverage.runs(after, |_, mark| mark == Mark::Empty) {
            coverage.set(run, Mark::AfterExpiry);
        }
    }
}

/// What is said now, and what was said earlier where nothing is said now.
fn join_meta(old: &SeriesMeta, new: &SeriesMeta) -> SeriesMeta {
    // It is printed on terminals and written into files.
    let plain = |text: &String| text.chars().filter(|c| !c.is_control()).take(64).collect::<String>();
    let either = |new: &Option<String>, old: &Option<String>| new.as_ref().map(plain).or_else(|| old.clone());
    SeriesMeta {
        currency: either(&new.currency, &old.currency),
        exchange: either(&new.exchange, &old.exchange),
        zone: either(&new.zone, &old.zone),
        every_day: new.every_day || (new.zone.is_none() && old.every_day),
        session_open: new.session_open.or(old.session_open),
        session_close: new.session_close.or(old.session_close),
        con_id: new.con_id.or(old.con_id),
    }
}

#[cfg(test)]
mod tests;
