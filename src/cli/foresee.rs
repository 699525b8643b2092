//! `vortex download --dry-run`: what would be asked for, and on which day where the account has an allowance.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::error::{Error, Exit, Outcome};
use super::output::{self, count};
use super::writer::archive_error;
use super::{Context, download::MANY_ROWS};
use crate::archive::{Archive, SessionCounts};
use crate::download::forecast::{Forecast, Share, Wish, forecast};
use crate::download::order::{self, Candidate, Purpose};
use crate::download::{Survey, Surveyor, Target};
use crate::model::{Contract, Day, Days, Period};
use crate::provider::{Allowance, Effort, Limits, Provider, Request};
use crate::request::source;

/// More days than this are not listed one by one.
const MANY_DAYS: usize = 40;
/// More gaps of a series than this are only counted.
const MANY_GAPS: usize = 3;
/// What the words of a plan mean.
const LEGEND: &str = "updates: of series fetched on an earlier day; newest: of what trades now; leaving: intraday bars \
    the provider will not have for long; history: gaps and expired contracts. First and last: what is downloaded \
    first and last that day, without the updates";

/// Tells what a download would do.
pub(super) fn run(context: &Context, targets: &[Target], provider: &dyn Provider) -> Outcome {
    let now = (source::clock())();
    let rows = rows(context, targets, provider, now)?;
    let plan = provider.allowance(now).map(|allowance| Plan::new(&rows, allowance, now));
    let asked: Vec<Request> =
        rows.iter().flat_map(|row| row.windows.iter().map(|days| row.target.request(*days))).collect();
    let effort = provider.effort(&asked);
    if context.global.json {
        output::json(&as_json(provider, &rows, plan.as_ref(), effort))?;
        return Ok(exit(&rows));
    }
    if let Some(plan) = &plan {
        plan.tell(&rows)?;
    }
    let served: Vec<&Foreseen<'_>> = rows.iter().filter(|row| !row.unserved).collect();
    if !served.is_empty() && (plan.is_none() || served.len() <= MANY_ROWS) {
        let cells: Vec<Vec<String>> = served.iter().map(|row| row.cells()).collect();
        output::table(&["Series", "Period", "Missing", "Requests", "Note"], &cells)?;
    } else if !served.is_empty() {
        output::line(format!(
            "The table of {} series is left out; --json has each with its day",
            served.len()
        ))?;
    }
    tell_skipped(&rows)?;
    let requests = count(requests(&rows), "request");
    let name = provider.name();
    output::line(format!("{} series, {requests} to {name}; nothing was asked or written", rows.len()))?;
    if let Some(effort) = effort.filter(|effort| effort.requests > 0) {
        output::line(effort)?;
    }
    Ok(exit(&rows))
}

/// That of a run, as far as it can be foreseen: what the provider does not serve fails.
fn exit(rows: &[Foreseen<'_>]) -> Exit {
    match rows.iter().filter(|row| row.unserved).count() {
        0 => Exit::Done,
        all if all == rows.len() => Exit::Failed,
        _ => Exit::Partly,
    }
}

/// One line for each class and period that the provider does not serve.
fn tell_skipped(rows: &[Foreseen<'_>]) -> Result<(), Error> {
    let mut skipped: BTreeMap<(&str, Period, &str), usize> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.unserved) {
        let (key, why) = (&row.target.key, row.reason.as_deref().unwrap_or_default());
        *skipped.entry((key.class.folder(), key.period, why)).or_default() += 1;
    }
    skipped.iter().try_for_each(|((class, period, why), series)| {
        output::line(format!("skipped: {period} of {class}, {series} series: {why}"))
    })
}

fn requests(rows: &[Foreseen<'_>]) -> usize {
    rows.iter().map(|row| row.windows.len()).sum()
}

fn as_json(
    provider: &dyn Provider,
    rows: &[Foreseen<'_>],
    plan: Option<&Plan>,
    effort: Option<Effort>,
) -> Value {
    let mut series: Vec<Value> = rows.iter().map(Foreseen::json).collect();
    let (name, requests) = (provider.archive_name(), requests(rows));
    let days = plan.map_or_else(|| vec![None; rows.len()], |plan| plan.first_days(rows.len()));
    for (row, day) in series.iter_mut().zip(days) {
        row["day"] = day.map(|day| day.to_string()).into();
    }
    let allowance = plan.map(|plan| plan.allowance);
    let days = plan.map(|plan| plan.days(rows).iter().map(Told::json).collect::<Vec<_>>());
    json!({
        "provider": name, "dry_run": true, "requests": requests, "series": series,
        "asked": effort.map(|it| it.requests), "seconds": effort.map(|it| it.seconds),
        "daily_limit": allowance.map(|it| it.limit), "used_today": allowance.map(|it| it.used),
        "resets": allowance.and_then(|it| output::stamp(it.resets)),
        "days": days.unwrap_or_default(), "never": plan.map_or(0, |plan| plan.forecast.never),
    })
}

/// What a dry run says of one series.
struct Foreseen<'a> {
    target: &'a Target,
    state: &'static str,
    /// The provider has no such bars.
    unserved: bool,
    reason: Option<String>,
    windows: Vec<Days>,
    limits: Limits,
    asked_at: i64,
}

fn rows<'a>(
    context: &Context,
    targets: &'a [Target],
    provider: &dyn Provider,
    now: i64,
) -> Result<Vec<Foreseen<'a>>, Error> {
    let config = context.config();
    let archive = match Archive::exists(&config.archive) {
        true => Some(Archive::open_to_read(&config.archive, &config.state_directory).map_err(archive_error)?),
        false => None,
    };
    let counts = match &archive {
        Some(archive) => archive.session_counts(provider.archive_name()).map_err(archive_error)?,
        None => SessionCounts::default(),
    };
    let surveyor = Surveyor::new(archive.as_ref(), &counts, provider.archive_name(), now);
    let surveyor = surveyor.map_err(archive_error)?;
    targets.iter().map(|target| Foreseen::of(&surveyor, target, provider, now)).collect()
}

impl<'a> Foreseen<'a> {
    fn of(
        surveyor: &Surveyor<'_>,
        target: &'a Target,
        provider: &dyn Provider,
        now: i64,
    ) -> Result<Foreseen<'a>, Error> {
        let limits = match provider.limits(target.instrument.class, target.key.period) {
            Ok(limits) => limits,
            Err(why) => {
                let limits = Limits { reach_days: None, request_days: None };
                let failed = Foreseen::nothing(target, "failed", limits);
                return Ok(Foreseen { unserved: true, reason: Some(why), ..failed });
            }
        };
        Ok(match surveyor.look(target, limits).map_err(archive_error)? {
            Survey::Settled(outcome) => {
                let reason = outcome.reason().map(str::to_owned);
                Foreseen { reason, ..Foreseen::nothing(target, outcome.word(), limits) }
            }
            Survey::TwinsGone(_) => {
                let reason = Some("its Parquet is made again".to_owned());
                Foreseen { reason, ..Foreseen::nothing(target, "current", limits) }
            }
            Survey::Missing { plan, asked_at } => {
                // The exchange may be a day ahead of us; nobody needs to read that.
                let today = Day::of_utc(now);
                let until_today =
                    |window: &Days| Days { last: window.last.min(today.max(window.first)), ..*window };
                let windows = plan.windows.iter().map(until_today).collect();
                Foreseen { windows, asked_at, ..Foreseen::nothing(target, "missing", limits) }
            }
        })
    }

    fn nothing(target: &'a Target, state: &'static str, limits: Limits) -> Foreseen<'a> {
        Foreseen { target, state, unserved: false, reason: None, windows: Vec::new(), limits, asked_at: 0 }
    }

    fn candidate(&self, place: usize, now: i64) -> Candidate<'_> {
        let window = self.windows.first().copied();
        let candidate = Candidate::new(self.target, self.limits, window, now);
        Candidate { asked_at: self.asked_at, place, ..candidate }
    }

    /// The last day on which a further bar can come; none where that is past.
    fn trades_until(&self, today: Day) -> Option<Day> {
        let ends = self.target.contract.map(Contract::last_day);
        let last = self.target.wanted.to.into_iter().chain(ends).min().unwrap_or(Day::new(i32::MAX));
        Some(last).filter(|last| *last >= today)
    }

    fn json(&self) -> Value {
        let key = &self.target.key;
        let windows: Vec<_> = self
            .windows
            .iter()
            .map(|window| json!([window.first.to_string(), window.last.to_string()]))
            .collect();
        json!({
            "symbol": key.symbol, "contract": key.contract.map(|_| key.name()), "period": key.period.name(),
            "state": self.state, "reason": self.reason, "requests": windows.len(), "windows": windows,
        })
    }

    fn cells(&self) -> Vec<String> {
        let gaps = gaps(&self.windows);
        let told: Vec<String> =
            gaps.iter().take(MANY_GAPS).map(|gap| format!("{} to {}", gap.first, gap.last)).collect();
        let span = match gaps.len() {
            0 => self.state.to_owned(),
            1..=MANY_GAPS => told.join(", "),
            all => format!("{} and {} more", told.join(", "), all - MANY_GAPS),
        };
        let requests = if self.windows.is_empty() { String::new() } else { self.windows.len().to_string() };
        let (key, note) = (&self.target.key, self.reason.clone().unwrap_or_default());
        vec![key.name(), key.period.to_string(), span, requests, note]
    }
}

/// The runs of days that requests cover together, the oldest first.
fn gaps(windows: &[Days]) -> Vec<Days> {
    let mut sorted = windows.to_vec();
    sorted.sort_by_key(|window| window.first);
    let mut gaps: Vec<Days> = Vec::new();
    for window in sorted {
        match gaps.last_mut() {
            Some(gap) if window.first <= gap.last.plus(1) => gap.last = gap.last.max(window.last),
            _ => gaps.push(window),
        }
    }
    gaps
}

/// On which day what comes.
struct Plan {
    allowance: Allowance,
    forecast: Forecast,
    /// The places of the rows that have something to ask for, and what for, in the order of their turns.
    turns: Vec<(usize, Purpose)>,
}

impl Plan {
    fn new(rows: &[Foreseen<'_>], allowance: Allowance, now: i64) -> Plan {
        let today = Day::of_utc(now);
        let missing = rows.iter().enumerate().filter(|(_, row)| !row.windows.is_empty());
        let candidates: Vec<_> = missing.map(|(place, row)| row.candidate(place, now)).collect();
        let mut turns = order::turns(&candidates, today);
        turns.sort_unstable();
        let wishes: Vec<Wish> = turns
            .iter()
            .filter_map(|turn| rows.get(turn.place))
            .map(|row| Wish { downloads: row.windows.len(), trades_until: row.trades_until(today) })
            .collect();
        let current = rows.iter().filter(|row| row.state == "current");
        let current: Vec<Day> = current.filter_map(|row| row.trades_until(today)).collect();
        let turns = turns.iter().map(|turn| (turn.place, turn.purpose)).collect();
        Plan { forecast: forecast(&wishes, &current, &allowance), allowance, turns }
    }

    /// On which day each row is first asked for.
    fn first_days(&self, rows: usize) -> Vec<Option<Day>> {
        let mut days = vec![None; rows];
        for (day, share) in self.forecast.days.iter().rev() {
            for (turn, _) in &share.wishes {
                if let Some(slot) = self.turns.get(*turn).and_then(|(place, _)| days.get_mut(*place)) {
                    *slot = Some(*day);
                }
            }
        }
        days
    }

    fn days(&self, rows: &[Foreseen<'_>]) -> Vec<Told> {
        self.forecast.days.iter().map(|(day, share)| Told::new(*day, share, &self.turns, rows)).collect()
    }

    fn tell(&self, rows: &[Foreseen<'_>]) -> Result<(), Error> {
        let Allowance { limit, used, .. } = self.allowance;
        output::line(format!("{used} of today's {limit} downloads are used"))?;
        let days = self.days(rows);
        if !days.is_empty() {
            let cells: Vec<_> = days.iter().take(MANY_DAYS).map(Told::cells).collect();
            output::table(&["Day", "Downloads", "What", "Periods", "First series", "Last series"], &cells)?;
        }
        if let Some(last) = days.last().filter(|_| days.len() > MANY_DAYS) {
            output::line(format!("… and {} more, up to {}", count(days.len() - MANY_DAYS, "day"), last.day))?;
        }
        if !days.is_empty() {
            output::line(LEGEND)?;
        }
        if self.forecast.never > 0 {
            output::line(format!(
                "{} would never have their turn: keeping up to date what trades takes all {limit} a day. \
                 Ask for fewer periods or instruments, or give contracts a shorter `days_count`",
                count(self.forecast.never, "download")
            ))?;
        }
        Ok(())
    }
}

/// What is told of one day.
struct Told {
    day: Day,
    downloads: usize,
    /// Newest bars, history, and intraday bars that the provider will not have for long.
    what: BTreeMap<Purpose, usize>,
    updates: usize,
    periods: BTreeMap<Period, usize>,
    first: Option<String>,
    last: Option<String>,
}

impl Told {
    fn new(day: Day, share: &Share, turns: &[(usize, Purpose)], rows: &[Foreseen<'_>]) -> Told {
        let (mut what, mut periods) = (BTreeMap::new(), BTreeMap::new());
        let mut names = Vec::new();
        for (turn, downloads) in &share.wishes {
            let Some((place, purpose)) = turns.get(*turn) else { continue };
            let Some(key) = rows.get(*place).map(|row| &row.target.key) else { continue };
            *what.entry(*purpose).or_default() += downloads;
            *periods.entry(key.period).or_default() += downloads;
            names.push(key);
        }
        let name = |key: Option<&&crate::model::SeriesKey>| key.map(|key| key.name());
        let (first, last) = (name(names.first()), name(names.last()));
        Told { day, downloads: share.downloads(), what, updates: share.updates, periods, first, last }
    }

    /// How many downloads are for what, in words that a table and a program share.
    fn parts(&self) -> Vec<(&'static str, usize)> {
        let of = |purpose| self.what.get(&purpose).copied().unwrap_or(0);
        let leaving = of(Purpose::Leaving);
        [
            ("updates", self.updates),
            ("leaving", leaving),
            ("newest", of(Purpose::Newest)),
            ("history", of(Purpose::Gap)),
        ]
        .into()
    }

    fn cells(&self) -> Vec<String> {
        let some = |parts: &[(&str, usize)]| {
            let told = parts.iter().filter(|(_, number)| *number > 0);
            told.map(|(word, number)| format!("{number} {word}")).collect::<Vec<_>>().join(", ")
        };
        let periods: Vec<_> = self.periods.iter().map(|(period, number)| (period.name(), *number)).collect();
        let name = |name: &Option<String>| name.clone().unwrap_or_default();
        vec![
            self.day.to_string(),
            self.downloads.to_string(),
            some(&self.parts()),
            some(&periods),
            name(&self.first),
            name(&self.last),
        ]
    }

    fn json(&self) -> Value {
        let mut value = json!({
            "day": self.day.to_string(), "downloads": self.downloads, "first": self.first, "last": self.last,
        });
        value["periods"] =
            self.periods.iter().map(|(period, number)| (period.name().to_owned(), json!(number))).collect();
        for (word, number) in self.parts() {
            value[word] = number.into();
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_meet_are_one_gap() {
        let days = |first, last| Days { first: Day::new(first), last: Day::new(last) };
        assert_eq!(gaps(&[days(20, 29), days(10, 19), days(40, 41)]), [days(10, 29), days(40, 41)]);
        assert_eq!(gaps(&[]), []);
    }
}
