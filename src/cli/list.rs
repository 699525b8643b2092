//! `vortex archive list`: one line a series; the contracts of a future are one line.

use std::collections::BTreeMap;

use super::archive::{chosen, open, series_json};
use super::args::ListArgs;
use super::error::{Exit, Outcome};
use super::writer::archive_error;
use super::{Context, output};
use crate::archive::SeriesRecord;
use crate::download::completeness::{Completeness, SeriesStatus};
use crate::download::sessions::Standing;
use crate::model::{Absence, Day, Period, SeriesKey};

/// One line, narrow enough for most terminals.
const HEADER: [&str; 10] =
    ["Series", "Period", "Bars", "Spans", "Expected", "Present", "Absent", "Pending", "Suspect", "State"];

/// How a series of several contracts is told when they are not of one state: what asks for a person first.
const STATES: [SeriesStatus; 6] = [
    SeriesStatus::Failed,
    SeriesStatus::Suspect,
    SeriesStatus::Held,
    SeriesStatus::Late,
    SeriesStatus::Unlisted,
    SeriesStatus::Current,
];

/// Runs the command.
pub(super) fn run(context: &Context, args: &ListArgs) -> Outcome {
    let archive = open(context)?;
    if context.global.json {
        let values = chosen(context, &archive, &args.series, |record, told, status| {
            series_json(&record, &told, status)
        })?;
        output::json(&values)?;
        return Ok(Exit::Done);
    }
    // Who names a contract wants to see it.
    let named = args.series.symbol.as_deref();
    let apart = |key: &SeriesKey| {
        args.contracts || key.contract.is_none() || named.is_some_and(|name| name != key.symbol)
    };
    let lines = chosen(context, &archive, &args.series, |record, told, status| {
        (apart(&record.key), Line::of(&record, &told, status))
    })?;
    let mut together: Vec<Line> = Vec::new();
    let mut places: BTreeMap<(String, Period), usize> = BTreeMap::new();
    for (apart, line) in lines {
        let place = (line.group.clone(), line.period);
        match places.get(&place).filter(|_| !apart) {
            Some(at) => together[*at].add(line),
            None => {
                if !apart {
                    places.insert(place, together.len());
                }
                together.push(Line { grouped: !apart, ..line });
            }
        }
    }
    let mut rows: Vec<Vec<String>> = together.iter().map(Line::row).collect();
    // Columns that say nothing anywhere only make the lines longer.
    let telling: Vec<usize> =
        (0..HEADER.len()).filter(|at| *at < 6 || rows.iter().any(|row| !row[*at].is_empty())).collect();
    let header: Vec<&str> = telling.iter().map(|at| HEADER[*at]).collect();
    let (absent, none) = (rows.iter().any(|row| !row[6].is_empty()), rows.is_empty());
    for row in &mut rows {
        *row = telling.iter().map(|at| std::mem::take(&mut row[*at])).collect();
    }
    output::listing(&header, &rows)?;
    if absent {
        output::line(
            "Absent days: ? never asked for, n no session, l before listing, x after expiry, r out of the provider's reach, p the provider has none",
        )?;
    }
    if together.iter().any(|line| line.contracts > 1) {
        output::line("A line with a number of contracts has the sum of them; --contracts lists each")?;
    }
    if none && !archive.has_series().map_err(archive_error)? {
        tracing::warn!(
            "the catalogue has no series; `vortex archive rebuild` takes over the files there are"
        );
    }
    Ok(Exit::Done)
}

/// One series, or the contracts of one instrument and period together.
struct Line {
    /// Provider and instrument.
    group: String,
    /// Provider and series.
    name: String,
    period: Period,
    grouped: bool,
    contracts: usize,
    bars: u64,
    /// From the first to the last day with a bar.
    span: Option<(Day, Day)>,
    /// Runs of days with bars.
    spans: usize,
    expected: u32,
    present: u32,
    never: u32,
    absent: BTreeMap<Absence, u32>,
    pending: usize,
    suspect: u32,
    states: Vec<SeriesStatus>,
}

impl Line {
    fn of(record: &SeriesRecord, told: &Completeness, status: SeriesStatus) -> Line {
        let present = || told.spans.iter().filter(|span| span.standing == Standing::Present);
        let key = &record.key;
        Line {
            group: format!("{}/{}", key.provider, key.symbol),
            name: format!("{}/{}", key.provider, key.name()),
            period: key.period,
            grouped: false,
            contracts: usize::from(key.contract.is_some()),
            bars: record.bars,
            span: present().next().zip(present().next_back()).map(|(a, b)| (a.days.first, b.days.last)),
            spans: present().count(),
            expected: told.expected,
            present: told.present,
            never: told.unknown,
            absent: told.absent.clone(),
            pending: told.pending.len(),
            suspect: told.suspect,
            states: vec![status],
        }
    }

    /// Adds a further contract.
    fn add(&mut self, other: Line) {
        self.contracts += other.contracts;
        self.bars += other.bars;
        let spans = self.span.into_iter().chain(other.span);
        self.span = spans.reduce(|(a, b), (c, d)| (a.min(c), b.max(d)));
        self.expected += other.expected;
        self.present += other.present;
        self.never += other.never;
        for (why, days) in other.absent {
            *self.absent.entry(why).or_default() += days;
        }
        self.pending += other.pending;
        self.suspect += other.suspect;
        self.states.extend(other.states);
    }

    fn row(&self) -> Vec<String> {
        let number = |n: usize| if n == 0 { String::new() } else { n.to_string() };
        let name = match self.grouped {
            true => format!("{}, {}", self.group, output::count(self.contracts, "contract")),
            false => self.name.clone(),
        };
        let spans = match self.span {
            // Contracts lie over each other.
            Some((first, last)) if self.spans > 1 && !self.grouped => {
                format!("{first}..{last} in {}", self.spans)
            }
            Some((first, last)) => format!("{first}..{last}"),
            None => String::new(),
        };
        let never = (self.never > 0).then(|| format!("{}?", self.never));
        let letters = self.absent.iter().map(|(why, days)| format!("{days}{}", absence_letter(*why)));
        let absent: Vec<String> = never.into_iter().chain(letters).collect();
        vec![
            name,
            self.period.to_string(),
            self.bars.to_string(),
            spans,
            self.expected.to_string(),
            self.present.to_string(),
            absent.join(" "),
            number(self.pending),
            number(self.suspect as usize),
            self.state(),
        ]
    }

    /// One word, or how many contracts are in each state.
    fn state(&self) -> String {
        let count = |state: SeriesStatus| self.states.iter().filter(|of| **of == state).count();
        let found: Vec<_> = STATES.into_iter().filter(|state| count(*state) > 0).collect();
        match found.as_slice() {
            [one] => one.word().to_owned(),
            several => {
                let told: Vec<_> =
                    several.iter().map(|state| format!("{} {}", count(*state), state.word())).collect();
                told.join(", ")
            }
        }
    }
}

/// The letter of the legend below the list.
fn absence_letter(why: Absence) -> char {
    match why {
        Absence::NoSession => 'n',
        Absence::BeforeListing => 'l',
        Absence::AfterExpiry => 'x',
        Absence::OutOfReach => 'r',
        Absence::ProviderHasNone => 'p',
    }
}
