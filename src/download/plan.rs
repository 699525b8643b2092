//! What is missing of a series, worked out from its coverage, and the windows that would bring it.
//!
//! A window is a range of trading dates that is not covered. Its request is wider: it overlaps the
//! stored bars beside it, because a fetch that overlaps can tell whether history was restated. A gap
//! with stored bars before it is filled forwards, so that each answer meets what is stored; any other
//! is filled newest first.

use jiff::tz::TimeZone;

use super::sessions::{Judge, Standing};
use crate::archive::SeriesState;
use crate::model::coverage::MARKABLE;
use crate::model::{Contract, Coverage, Day, Days, Mark, Period, SeriesKey, SeriesMeta};
use crate::provider::Limits;

/// The overlap of daily and longer series, in bars; of intraday ones it is one session.
const OVERLAP_BARS: usize = 10;
/// Days of a limited request that are left to the overlap, so that it reaches over a weekend.
const OVERLAP_RESERVE: i32 = 3;
/// Two gaps no further apart than this are one request.
const JOIN_DAYS: i32 = 60;
/// Pending sessions alone are asked for again after this many seconds …
const PENDING_EVERY: i64 = 24 * 3600;
/// … and the newest after this many.
const NEWEST_PENDING_EVERY: i64 = 3600;
/// A contract without a bar in the so many days before it was last asked for is asked for so many days apart …
const QUIET_DAYS: i32 = 10;
const QUIET_EVERY: i64 = 7 * 24 * 3600;
/// … and, in so many last days of its month and before it, has expired early: there are markets that close
/// two months before the month a contract is named after.
const EARLY_EXPIRY_DAYS: i32 = 100;
/// So many last days of a month may have no session.
const LONG_WEEKEND: i32 = 3;

/// What a person or a schedule wants of one series.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The first trading date.
    pub from: Day,
    /// The last trading date; `None` for up to now.
    pub to: Option<Day>,
    /// Ask for everything, whatever coverage says.
    pub force: bool,
    /// Ask for history older than the first stored bar.
    pub backfill: bool,
    /// At most this many new days a request; the overlap comes on top.
    pub chunk: Option<i32>,
}

/// What is to be done for a series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The windows, in the order in which they are to be fetched.
    pub windows: Vec<Days>,
    /// Days that are out of the provider's reach and were never asked for, or are suspect.
    pub out_of_reach: Vec<Days>,
}

/// A series as the planner sees it.
#[derive(Clone, Copy, Debug)]
pub struct Standpoint<'a> {
    /// Which series.
    pub key: &'a SeriesKey,
    /// What is known of the series.
    pub state: &'a SeriesState,
    /// Judges its empty days.
    pub judge: Judge<'a>,
    /// What the provider serves.
    pub limits: Limits,
    /// The exchange's date now.
    pub today: Day,
    /// Seconds since the epoch.
    pub now: i64,
}

/// The time zone of an exchange; UTC where it is unknown.
pub fn zone_of(meta: &SeriesMeta) -> TimeZone {
    meta.time_zone().unwrap_or(TimeZone::UTC)
}

/// The exchange's date at an instant. Where its zone is unknown, the latest date anywhere on Earth.
pub fn today_of(meta: &SeriesMeta, now: i64) -> Day {
    match meta.zone {
        Some(_) => Day::of_local(now, &zone_of(meta)),
        None => Day::of_utc(now + 14 * 3600),
    }
}

/// Works out what is missing.
pub fn plan(at: &Standpoint<'_>, wanted: &Wanted) -> Plan {
    let coverage = &at.state.coverage;
    let newest = coverage.last_where(|mark| mark == Mark::Present);
    let served = at.key.contract.map(|contract| contract.asked_until(newest));
    let to = wanted.to.into_iter().chain(served).fold(at.today, Day::min);
    let reach = reach(at);
    let first_stored = coverage.first_where(|mark| mark == Mark::Present);
    let mut from = wanted.from;
    if !wanted.backfill
        && let Some(first) = first_stored
    {
        from = from.max(first);
    }
    let mut plan = Plan::default();
    if let Some(unreachable) = reach.and_then(|reach| Days::new(from, to.min(reach.plus(-1)))) {
        let open = |_: Day, mark: Mark| matches!(mark, Mark::Unknown | Mark::Suspect);
        plan.out_of_reach = runs(coverage, unreachable, open);
    }
    let lower = from.max(reach.unwrap_or(from));
    let Some(range) = Days::new(lower, to) else {
        return plan;
    };
    let missing = match wanted.force {
        // Whoever asks for all of it may know better when it begins.
        true => vec![range],
        false => missing(at, range),
    };
    let whole = request_span(at.limits, wanted.chunk);
    for run in join(missing, whole).into_iter().rev() {
        let neighbour = last_stored_before(coverage, run.first);
        let forwards = neighbour.is_some_and(|day| day >= lower);
        // Where nothing is stored, one request that holds all needs no room for an overlap.
        let fits = first_stored.is_none() && whole.is_some_and(|whole| run.len() <= whole as usize);
        let core = if fits { whole } else { core_span(at, wanted.chunk) };
        plan.windows.extend(chunks(run, core, forwards));
    }
    plan
}

/// The runs of days of a range that are to be asked for or told of. Of a series that nothing is known of all days
/// are alike, and need no look at each: there are thousands of them where contracts were never fetched.
fn runs(coverage: &Coverage, range: Days, is_wanted: impl Fn(Day, Mark) -> bool) -> Vec<Days> {
    if coverage.known().is_some() {
        return coverage.runs(range, is_wanted);
    }
    let markable = range.intersection(MARKABLE).filter(|days| is_wanted(days.first, Mark::Unknown));
    markable.into_iter().collect()
}

/// The first day the provider reaches, by UTC: a day more or less lies within its own margin.
fn reach(at: &Standpoint<'_>) -> Option<Day> {
    at.limits.reach_days.map(|days| Day::of_utc(at.now).plus(-days))
}

/// The last day before `day` that has a bar.
fn last_stored_before(coverage: &Coverage, day: Day) -> Option<Day> {
    let before = Days::new(coverage.known()?.first, day.plus(-1))?;
    before.iter().rfind(|day| coverage.get(*day) == Mark::Present)
}

/// The widest request in days: the provider's limit, the person's, or no limit.
pub fn request_span(limits: Limits, chunk: Option<i32>) -> Option<i32> {
    match (limits.request_days, chunk) {
        (Some(limit), Some(chunk)) => Some(limit.min(chunk)),
        (limit, chunk) => limit.or(chunk),
    }
}

/// How many new days a request may bring: the provider's limit less what is left to the overlap, and
/// no more than the person wants.
fn core_span(at: &Standpoint<'_>, chunk: Option<i32>) -> Option<i32> {
    let reserve = if at.key.period.is_intraday() { OVERLAP_RESERVE } else { OVERLAP_BARS as i32 * 3 / 2 };
    let core = at.limits.request_days.map(|span| if span > 2 * reserve { span - reserve } else { span });
    core.into_iter().chain(chunk).min()
}

/// The days to ask for, as ascending runs.
fn missing(at: &Standpoint<'_>, range: Days) -> Vec<Days> {
    let coverage = &at.state.coverage;
    let last_known = coverage.known().map(|known| known.last);
    let tail = last_known.map_or(range.first, |last| last.plus(1));
    let due = tail <= range.last && is_due(at, tail, range.last);
    let pending = pending_to_ask(at, range, due);
    runs(coverage, range, |day, mark| match mark {
        Mark::Unknown => day < tail || due,
        // What is in reach was marked by a wrong clock, or by limits that were narrower.
        Mark::Suspect | Mark::OutOfReach => true,
        _ => pending.contains(&day),
    })
}

/// The days after the last one known whose bars are over, where the provider would have been asked for them by
/// `at.now`: what an archive lacks that nobody updates.
pub fn overdue(at: &Standpoint<'_>) -> Option<Days> {
    let tail = at.state.coverage.known()?.last.plus(1);
    let last = at.key.contract.map_or(at.today, |contract| at.today.min(contract.last_day()));
    let (zone, close) = (zone_of(&at.state.meta), at.state.meta.session_close.unwrap_or(86_400));
    let over = |day: &Day| match at.key.period > Period::D1 {
        true => at.key.period.last_day(*day).plus(1).instant(0, &zone) <= at.now,
        false => day.instant(close, &zone) <= at.now,
    };
    let last = Days::new(tail, last)?.iter().rfind(over)?;
    Days::new(tail, last).filter(|days| is_due(at, tail, days.last))
}

/// Pending days that this run asks for: with a due day always, alone once a day, and once an hour
/// while the newest session is among them.
fn pending_to_ask(at: &Standpoint<'_>, range: Days, due: bool) -> Vec<Day> {
    let recent = Days { first: at.today.plus(-super::sessions::PENDING_DAYS), last: at.today };
    let Some(recent) = recent.intersection(range) else {
        return Vec::new();
    };
    let coverage = &at.state.coverage;
    let standing = |day: &Day| at.judge.standing(*day, coverage.get(*day));
    let pending: Vec<Day> = recent.iter().filter(|day| standing(day) == Standing::Pending).collect();
    let newest_session =
        recent.iter().rfind(|day| matches!(standing(day), Standing::Present | Standing::Pending));
    let every = if pending.last() == newest_session.as_ref() { NEWEST_PENDING_EVERY } else { PENDING_EVERY };
    // A time ahead of now comes from a clock set back.
    let asked_lately = (0..every).contains(&(at.now - at.state.pending_asked_at));
    if due || !asked_lately { pending } else { Vec::new() }
}

/// Whether a bar of a day in `tail..=last` can exist that could not when the provider was last asked.
fn is_due(at: &Standpoint<'_>, tail: Day, last: Day) -> bool {
    let (meta, asked) = (&at.state.meta, at.state.asked_at);
    if asked == 0 {
        return true;
    }
    if let Some(due) = at.key.contract.and_then(|contract| contract_due(at, contract)) {
        return due;
    }
    if meta.zone.is_none() {
        return at.now - asked >= PENDING_EVERY;
    }
    let zone = zone_of(meta);
    if at.key.period > Period::D1 {
        let over = |day: Day| at.key.period.last_day(day).plus(1).instant(0, &zone);
        return Days { first: tail, last }.iter().any(|day| asked < over(day) && over(day) <= at.now);
    }
    let (open, close) = (meta.session_open.unwrap_or(0), meta.session_close.unwrap_or(86_400));
    let weekdays = at.judge.weekdays(&at.state.coverage);
    Days { first: tail, last }.iter().filter(|day| weekdays[usize::from(day.weekday())]).any(|day| {
        let closes = day.instant(close, &zone);
        let closed = asked < closes && closes <= at.now;
        let opens = day.instant(open, &zone);
        let ticking = at
            .key
            .period
            .seconds()
            .is_some_and(|bar| opens + bar <= at.now && at.now < closes && asked + bar <= at.now);
        closed || ticking
    })
}

/// Whether a contract is due where its own life tells: its last answer once it is settled, and none every
/// day while it does not trade. `None` where it is like any other series.
fn contract_due(at: &Standpoint<'_>, contract: Contract) -> Option<bool> {
    let (asked, zone) = (at.state.asked_at, zone_of(&at.state.meta));
    let newest = at.state.coverage.last_where(|mark| mark == Mark::Present);
    let settled = contract.settled_by(newest).plus(1).instant(0, &zone);
    if at.now >= settled {
        return Some(asked < settled);
    }
    // What did not trade to the end of its month does not trade behind it.
    let ends_early = newest.is_none_or(|newest| newest < contract.last_day().plus(-LONG_WEEKEND));
    if at.today > contract.last_day() && ends_early {
        return Some(false);
    }
    let left = contract.last_day().number() - at.today.number();
    // Days that nobody asked for are not quiet: a run may be the first one for weeks.
    let looked = Day::of_local(asked, &zone);
    let quiet = newest.is_none_or(|newest| newest < looked.plus(-QUIET_DAYS));
    match quiet {
        true if newest.is_some() && left < EARLY_EXPIRY_DAYS => Some(false),
        true => Some(at.now - asked >= QUIET_EVERY),
        false => None,
    }
}

/// Joins runs that one request may as well bring together.
fn join(runs: Vec<Days>, span: Option<i32>) -> Vec<Days> {
    let mut joined: Vec<Days> = Vec::new();
    for run in runs {
        match joined.last_mut() {
            Some(last)
                if run.first.number() - last.last.number() <= JOIN_DAYS
                    && span.is_none_or(|span| run.last.number() - last.first.number() < span) =>
            {
                last.last = run.last;
            }
            _ => joined.push(run),
        }
    }
    joined
}

/// Cuts a run into windows of at most `span` days, oldest first when `forwards`.
fn chunks(run: Days, span: Option<i32>, forwards: bool) -> Vec<Days> {
    let span = span.unwrap_or(i32::MAX).max(1);
    let mut windows = Vec::new();
    let mut rest = Some(run);
    while let Some(run) = rest {
        let window = if (run.len() as i64) <= i64::from(span) {
            run
        } else if forwards {
            Days { first: run.first, last: run.first.plus(span - 1) }
        } else {
            Days { first: run.last.plus(1 - span), last: run.last }
        };
        windows.push(window);
        rest = if forwards {
            Days::new(window.last.plus(1), run.last)
        } else {
            Days::new(run.first, window.first.plus(-1))
        };
    }
    windows
}

/// Widens a window so that it overlaps the stored bars beside it: the 10 bars next to it, or one
/// session of an intraday series; as far as the provider's reach and request limit allow.
pub fn with_overlap(at: &Standpoint<'_>, window: Days) -> Days {
    let span = at.limits.request_days;
    let coverage = &at.state.coverage;
    let reach = reach(at);
    let bars = if at.key.period.is_intraday() { 1 } else { OVERLAP_BARS };
    let spare = span.map_or(i32::MAX / 2, |span| (span - window.len() as i32).max(0));
    let nth = |edge, step, count| nth_stored(coverage, at.key.period, edge, step, count);
    let mut wide = window;
    let oldest = window.first.plus(-spare).max(reach.unwrap_or(Day::new(i32::MIN / 2)));
    // Widening that meets no stored bar would only ask for more.
    if nth(window.first, -1, 1).is_some_and(|nearest| nearest >= oldest) {
        wide.first = nth(window.first, -1, bars).unwrap_or(window.first).max(oldest);
    }
    let newest = window.last.plus(spare - (window.first.number() - wide.first.number()));
    if nth(window.last, 1, 1).is_some_and(|nearest| nearest <= newest) {
        wide.last = nth(window.last, 1, bars).unwrap_or(window.last).min(newest);
    }
    wide
}

/// The day of the `count`-th stored bar beside `edge`, going by `step`; the outermost there is where
/// there are fewer.
fn nth_stored(coverage: &Coverage, period: Period, edge: Day, step: i32, count: usize) -> Option<Day> {
    let known = coverage.known()?;
    let (mut day, mut seen, mut last_bar) = (edge.plus(step), None, None);
    let mut bars = 0;
    while known.contains(day) || (step < 0 && day > known.last) || (step > 0 && day < known.first) {
        if coverage.get(day) == Mark::Present {
            let bar = period.bar_day(day);
            if last_bar != Some(bar) {
                if bars == count {
                    break;
                }
                bars += 1;
                last_bar = Some(bar);
            }
            seen = Some(day);
        }
        day = day.plus(step);
        if bars == count && period <= Period::D1 {
            break;
        }
    }
    seen
}

#[cfg(test)]
mod tests;
