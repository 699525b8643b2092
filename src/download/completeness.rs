//! How complete a series is, said out loud: expected, present, absent and why, pending, suspect.

use std::collections::{BTreeMap, HashMap};

use super::plan::{self, Standpoint, today_of, zone_of};
use super::sessions::{Judge, Standing};
use crate::archive::{Archive, ArchiveError, SeriesRecord, SessionCounts};
use crate::continuous;
use crate::model::{Absence, Day, Days, Mark, Period, SeriesKey};
use crate::provider::Limits;

/// A pending session is late this many seconds after its close.
const LATE: i64 = 24 * 3600;

/// A run of days of one standing. Days without a session inside a run belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The dates.
    pub days: Days,
    /// What they amount to.
    pub standing: Standing,
}

/// The sessions of a series, counted. For periods longer than a day, bars are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completeness {
    /// Sessions there should be: present, pending, suspect, never asked for, and those the provider has
    /// none of.
    pub expected: u32,
    /// Sessions with a bar.
    pub present: u32,
    /// Days without a bar that need none, by reason.
    pub absent: BTreeMap<Absence, u32>,
    /// Sessions whose bar is still expected.
    pub pending: Vec<Day>,
    /// Sessions that are not to be trusted.
    pub suspect: u32,
    /// Days of sessions that were never asked for, by the weekday: inside the covered range, and after it those
    /// that are over for more than a day.
    pub unknown: u32,
    /// Runs of days, ascending.
    pub spans: Vec<Span>,
    /// The most series that any judgement of the last 60 days rests on.
    pub judged_from: u32,
}

/// One word for the state of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesStatus {
    /// Nothing is missing that could be there.
    Current,
    /// A session is pending for more than a day, or was never asked for: inside the covered range, or after it
    /// and over for more than a day.
    Late,
    /// Nothing is added until a person has looked.
    Suspect,
    /// It would be late, and is on no list: nobody but a person who names it brings it up to date.
    Unlisted,
    /// The provider refused it.
    Failed,
    /// Reverted: updates skip it.
    Held,
}

impl SeriesStatus {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            SeriesStatus::Current => "current",
            SeriesStatus::Late => "late",
            SeriesStatus::Unlisted => "unlisted",
            SeriesStatus::Suspect => "suspect",
            SeriesStatus::Failed => "failed",
            SeriesStatus::Held => "held",
        }
    }
}

/// Counts the sessions of a series.
pub fn completeness(record: &SeriesRecord, counts: &SessionCounts, now: i64) -> Completeness {
    let (state, period) = (&record.state, record.key.period);
    let today = today_of(&state.meta, now);
    let judge = Judge::new(counts, &record.key, &state.meta, today);
    let mut told = Completeness::default();
    let Some(known) = state.coverage.known() else {
        return told;
    };
    let weekdays = judge.weekdays(&state.coverage);
    let mut absent = [0; Absence::ALL.len()];
    let mut bar = None;
    let after = overdue(record, counts, now).map(|days| (days, Mark::Unknown));
    for (run, mark) in state.coverage.known_runs().chain(after) {
        if mark == Mark::Present && period <= Period::D1 {
            // By far the most days: they are looked at together.
            told.present += run.len() as u32;
            told.extend_spans(run, Standing::Present);
            continue;
        }
        if mark == Mark::Empty && period <= Period::D1 && !judge.any_session(run) {
            absent[Absence::NoSession as usize] += run.len() as u32;
            told.extend_spans(run, Standing::Absent(Absence::NoSession));
            continue;
        }
        for day in run.iter() {
            let standing = judge.standing(day, mark);
            told.extend_spans(Days { first: day, last: day }, standing);
            // A longer bar is counted once, at its first day.
            let counts = match period <= Period::D1 {
                true => standing != Standing::Unknown || weekdays[usize::from(day.weekday())],
                false => bar.replace(period.bar_day(day)) != Some(period.bar_day(day)),
            };
            match standing {
                _ if !counts => {}
                Standing::Present => told.present += 1,
                Standing::Pending => told.pending.push(day),
                Standing::Suspect => told.suspect += 1,
                Standing::Unknown => told.unknown += 1,
                Standing::Absent(why) => absent[why as usize] += 1,
            }
        }
    }
    told.absent = Absence::ALL.into_iter().zip(absent).filter(|(_, days)| *days > 0).collect();
    let lately = Days::new(today.plus(-59), known.last).and_then(|days| days.intersection(known));
    told.judged_from =
        lately.iter().flat_map(|days| days.iter()).map(|day| judge.votes(day).0).max().unwrap_or(0);
    told.expected = told.present
        + told.suspect
        + told.unknown
        + told.pending.len() as u32
        + told.absent.get(&Absence::ProviderHasNone).copied().unwrap_or(0);
    told
}

/// The days after those known that an update of a day ago would have asked for.
fn overdue(record: &SeriesRecord, counts: &SessionCounts, now: i64) -> Option<Days> {
    let (key, state, now) = (&record.key, &record.state, now - LATE);
    // What is derived is asked of nobody, and what is held is not asked for.
    if key.provider == continuous::PROVIDER || state.held.is_some() {
        return None;
    }
    let today = today_of(&state.meta, now);
    let judge = Judge::new(counts, key, &state.meta, today);
    let limits = Limits { reach_days: None, request_days: None };
    plan::overdue(&Standpoint { key, state, judge, limits, today, now })
}

impl Completeness {
    fn extend_spans(&mut self, days: Days, standing: Standing) {
        let no_session = standing == Standing::Absent(Absence::NoSession);
        match self.spans.last_mut() {
            Some(span) if span.standing == standing || no_session => span.days.last = days.last,
            _ => self.spans.push(Span { days, standing }),
        }
    }
}

/// Gives every wanted series to `take`, with how complete it is, one after the other and in no order. `listed` tells
/// what the lists in force ask for.
///
/// # Errors
/// Where the catalogue cannot be read.
pub fn survey(
    archive: &Archive,
    now: i64,
    wanted: impl Fn(&SeriesKey) -> bool,
    listed: impl Fn(&SeriesKey) -> bool,
    mut take: impl FnMut(SeriesRecord, Completeness, SeriesStatus),
) -> Result<(), ArchiveError> {
    let mut sessions: HashMap<String, SessionCounts> = HashMap::new();
    for provider in archive.providers()? {
        let counts = archive.session_counts(&provider)?;
        sessions.insert(provider, counts);
    }
    let none = SessionCounts::default();
    archive.each_series(wanted, |record| {
        let counts = sessions.get(&record.key.provider).unwrap_or(&none);
        let told = completeness(&record, counts, now);
        let status = match status(&record, &told, counts, now) {
            SeriesStatus::Late if !listed(&record.key) => SeriesStatus::Unlisted,
            status => status,
        };
        take(record, told, status);
    })
}

/// The state of a series in one word, as if it were on a list.
pub fn status(record: &SeriesRecord, told: &Completeness, counts: &SessionCounts, now: i64) -> SeriesStatus {
    let state = &record.state;
    if state.held.is_some() {
        return SeriesStatus::Held;
    }
    if state.suspect.is_some() || state.coverage.has(Mark::Suspect) {
        return SeriesStatus::Suspect;
    }
    if state.failure.is_some() {
        return SeriesStatus::Failed;
    }
    let zone = zone_of(&state.meta);
    let today = today_of(&state.meta, now);
    let judge = Judge::new(counts, &record.key, &state.meta, today);
    let close = state.meta.session_close.unwrap_or(86_400);
    let late = (0..=super::sessions::PENDING_DAYS).map(|back| today.plus(-back)).any(|day| {
        judge.standing(day, state.coverage.get(day)) == Standing::Pending
            && day.instant(close, &zone) + LATE < now
    });
    if late || told.unknown > 0 { SeriesStatus::Late } else { SeriesStatus::Current }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::SeriesState;
    use crate::model::{Class, Contract, Coverage, SeriesKey};
    use jiff::tz::TimeZone;

    fn record(coverage: Coverage) -> SeriesRecord {
        let key = SeriesKey {
            provider: "yahoo".to_owned(),
            class: Class::Stock,
            symbol: "AAPL".to_owned(),
            contract: None,
            period: Period::D1,
        };
        // Asked at the end of its last day.
        let asked_at = coverage.known().map_or(0, |known| known.last.plus(1).instant(0, &TimeZone::UTC));
        let state = SeriesState { coverage, asked_at, ..SeriesState::default() };
        SeriesRecord { id: 1, key, state, bars: 0, first: None, last: None }
    }

    /// Two weeks of bars to Friday 1970-01-16.
    fn two_weeks() -> Coverage {
        let mut coverage = Coverage::default();
        (4..16).filter(|day| day % 7 != 2 && day % 7 != 3).for_each(|day| {
            coverage.set_day(Day::new(day), Mark::Present);
        });
        coverage
    }

    fn at(record: &SeriesRecord, day: i32) -> (SeriesStatus, u32, u32) {
        let (none, now) = (SessionCounts::default(), i64::from(day) * 86_400);
        let told = completeness(record, &none, now);
        (status(record, &told, &none, now), told.unknown, told.expected)
    }

    #[test]
    fn a_series_that_nobody_updates_is_late_a_day_after_the_session_it_lacks() {
        let mut record = record(two_weeks());
        record.state.meta.zone = Some("UTC".to_owned());
        // Monday 1970-01-19, the day 18, is over at the end of that day.
        assert_eq!(at(&record, 19), (SeriesStatus::Current, 0, 10));
        assert_eq!(at(&record, 20), (SeriesStatus::Late, 1, 11));
        assert_eq!(at(&record, 34), (SeriesStatus::Late, 11, 21));
        // What is held is not asked for, what is derived of nobody.
        let derived = SeriesKey { provider: continuous::PROVIDER.to_owned(), ..record.key.clone() };
        let mut derived = SeriesRecord { key: derived, ..record.clone() };
        assert_eq!(at(&derived, 34), (SeriesStatus::Current, 0, 10));
        derived.key.provider = "yahoo".to_owned();
        derived.state.held = Some("reverted".to_owned());
        assert_eq!(at(&derived, 34), (SeriesStatus::Held, 0, 10));
        // A contract has no sessions after its month; one that was never asked for to its end lacks them.
        record.key.contract = Some(Contract { year: 1970, month: 1 });
        assert_eq!(at(&record, 120), (SeriesStatus::Late, 10, 20));
        record.state.asked_at = 119 * 86_400;
        assert_eq!(at(&record, 120), (SeriesStatus::Current, 0, 10));
    }

    #[test]
    fn sessions_are_counted_and_weekends_belong_to_their_span() {
        let mut coverage = Coverage::default();
        // 1970-01-05 was a Monday: two weeks, the second Wednesday a hole the provider admits.
        for day in 4..18 {
            let mark = if day % 7 == 2 || day % 7 == 3 { Mark::Empty } else { Mark::Present };
            coverage.set_day(Day::new(day), mark);
        }
        coverage.set_day(Day::new(13), Mark::EmptySession);
        coverage.set_day(Day::new(3), Mark::BeforeListing);
        let mut record = record(coverage);
        record.state.asked_at = 20 * 86_400;
        let told = completeness(&record, &SessionCounts::default(), 20 * 86_400);
        assert_eq!((told.expected, told.present, told.pending.len()), (10, 9, 1));
        assert_eq!(told.absent[&Absence::NoSession], 4);
        let standings: Vec<_> = told.spans.iter().map(|span| span.standing).collect();
        let before = Standing::Absent(Absence::BeforeListing);
        assert_eq!(standings, [before, Standing::Present, Standing::Pending, Standing::Present]);
        assert_eq!(status(&record, &told, &SessionCounts::default(), 20 * 86_400), SeriesStatus::Late);
        assert_eq!(status(&record, &told, &SessionCounts::default(), 14 * 86_400), SeriesStatus::Current);
    }
}
