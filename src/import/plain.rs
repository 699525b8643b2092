//! The CSVs that older Vortex and bc-utils wrote: a header, and stamps of UTC such as `2024-01-02T06:00:00+0000`.

use std::path::Path;
use std::time::UNIX_EPOCH;

use jiff::tz::TimeZone;

use super::days::{self, Scope};
use super::export::{hash, read_file};
use super::name::PlainName;
use super::report::{FileReport, UNFINISHED};
use super::side::SideFile;
use super::source::Source;
use crate::download::Piece;
use crate::model::{Bars, Class, Column, Contract, Day, Days, Period, SeriesKey, SeriesMeta};
use crate::provider::cut::LeftOut;
use crate::provider::{Answer, barchart};

/// A download that came without rows was kept by those programs as a file with this date alone.
const PLACEHOLDER: i64 = 365 * 86_400;
/// The zones whose midnights the daily rows of those programs were found at: those of Barchart first, then those of
/// the larger exchanges.
const ZONES: [&str; 11] = [
    "America/Chicago",
    "America/New_York",
    "UTC",
    "Europe/London",
    "Europe/Berlin",
    "Asia/Tokyo",
    "Asia/Hong_Kong",
    "Asia/Kolkata",
    "Australia/Sydney",
    "America/Sao_Paulo",
    "Africa/Johannesburg",
];

/// Reads a file whole.
pub(super) fn read(
    source: &Source,
    side: Option<&SideFile>,
    now: i64,
    told: &mut FileReport,
) -> Result<Piece, String> {
    let bytes = read_file(&source.path)?;
    told.hash = Some(hash(&source.path, &bytes));
    let mut rows = Rows::read(&bytes, source.key.columns(), told)?;
    let placeholder = !rows.times.is_empty() && rows.times.iter().all(|time| *time < PLACEHOLDER);
    if placeholder {
        told.leave_out("of a placeholder, which stands for a download without rows", rows.times.len());
        rows = Rows::none(source.key.columns());
    }
    let zone = rows.zone(source)?;
    let bars = rows.bars(&source.key, &zone, told)?;
    let clock = given(&source.scope(&zone, now), side, &bars, changed(&source.path)).min(now);
    let scope = source.scope(&zone, clock);
    let (found, days) =
        (bars.len(), scope.span(&bars).unwrap_or(Days { first: Day::new(0), last: Day::new(0) }));
    let request = source.request(days);
    let answer = match source.key.provider.as_str() {
        barchart::NAME => barchart::finished_answer(&request, bars, clock, LeftOut::default(), Vec::new()),
        _ => answer(bars, &scope),
    };
    told.leave_out(UNFINISHED, found - answer.bars.len());
    let covered = asked_for(&scope, side, &answer.bars, told.rows as usize, placeholder)
        .ok_or_else(|| "it has no bar to take".to_owned())?;
    told.notes.extend(scope.open_end(covered, now).filter(|_| !placeholder));
    Ok(Piece { request, covered, answer, raw: None })
}

/// What a file of bc-utils from before its names had a period is, by its rows: days, or hours.
pub(super) fn without_period(path: &Path) -> Option<PlainName> {
    let stored = path.file_stem()?.to_str()?;
    Contract::of_stored_name(stored)?;
    let columns = Column::of(barchart::NAME, Class::Future, true, Period::D1);
    let rows = Rows::read(&read_file(path).ok()?, columns, &mut FileReport::default()).ok()?;
    let zone = barchart::zone(Class::Future);
    let period = match () {
        () if rows.times.iter().all(|time| Day::of_wall(*time, &zone).1 == 0) => Period::D1,
        () if rows.times.iter().all(|time| time % 3600 == 0) => Period::H1,
        () => return None,
    };
    PlainName::of_bc_utils(stored, period)
}

/// When a file was changed last.
fn changed(path: &Path) -> Option<i64> {
    let at = std::fs::metadata(path).and_then(|about| about.modified()).ok()?;
    at.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs() as i64)
}

/// When the bars were given, in seconds since the epoch: when the side file says. Where it says nothing, when the
/// last bar was over, or never where there is none: a file that was copied is younger than its bars. A file is no
/// younger than its last change. Times before the last bar are of an earlier state of the file, or of no clock.
fn given(scope: &Scope<'_>, side: Option<&SideFile>, bars: &Bars, changed: Option<i64>) -> i64 {
    let (begun, over) = scope.last_bar(bars).unwrap_or((0, 0));
    let possible = |at: &i64| *at >= begun;
    let said = side.into_iter().flat_map(|side| [side.created, side.end]).flatten().find(possible);
    said.unwrap_or(over).min(changed.filter(possible).unwrap_or(i64::MAX))
}

/// The bars that were over, of a provider that these programs said nothing more of.
fn answer(mut bars: Bars, scope: &Scope<'_>) -> Answer {
    days::drop_unfinished(&mut bars, scope.period, scope.clock, scope.zone);
    let zone = scope.zone.iana_name().map(str::to_owned);
    Answer {
        bars,
        meta: SeriesMeta { zone, ..SeriesMeta::default() },
        splits: Vec::new(),
        sessions: Vec::new(),
        first_day: None,
        finished: Some(days::finished(scope.clock, scope.zone)),
        clock: scope.clock,
        dropped: Vec::new(),
        notes: Vec::new(),
    }
}

/// The days that the program asked for: those that the side file names beside those that have bars.
fn asked_for(
    scope: &Scope<'_>,
    side: Option<&SideFile>,
    bars: &Bars,
    rows: usize,
    placeholder: bool,
) -> Option<Days> {
    // The end of a contract's life stands there as a date, at midnight.
    let until = |end: i64| match scope.contract {
        Some(contract) => Day::of_utc(end).min(contract.last_day()),
        None => Day::of_local(end, scope.zone),
    };
    let start = side.and_then(|side| side.start).map(Day::of_utc);
    let end = side.and_then(|side| side.end).map(until);
    if placeholder {
        let end = end.or(scope.contract.map(|contract| contract.last_day()))?;
        return Days::new(start.unwrap_or(super::days::earliest(scope.contract, end)), end);
    }
    let (covered, span) = (scope.covered(bars, rows)?, scope.span(bars)?);
    // The days before the first bar of a file that was cut off are not known.
    let first = start.filter(|_| covered == span).map_or(covered.first, |start| start.min(covered.first));
    Some(Days { first, last: end.map_or(covered.last, |end| end.max(covered.last)) })
}

/// The rows of a file, as they stand in it.
struct Rows {
    /// Seconds since the epoch.
    times: Vec<i64>,
    columns: &'static [Column],
    values: Vec<Vec<f64>>,
}

impl Rows {
    fn none(columns: &'static [Column]) -> Rows {
        Rows { times: Vec::new(), columns, values: vec![Vec::new(); columns.len()] }
    }

    fn read(bytes: &[u8], columns: &'static [Column], told: &mut FileReport) -> Result<Rows, String> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| format!("it is not UTF-8 text: byte {}", error.valid_up_to() + 1))?;
        if !text.is_empty() && !text.ends_with('\n') {
            return Err("it is cut off: its last line does not end".to_owned());
        }
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
        let places = places(&header, columns, told)?;
        let mut rows = Rows::none(columns);
        for (at, line) in lines.enumerate() {
            let fail =
                |column: usize, said: String| format!("line {}, column {}: {said}", at + 2, column + 1);
            let cells: Vec<&str> = line.split(',').collect();
            if cells.len() != header.len() {
                return Err(fail(
                    cells.len().min(header.len()),
                    format!("{} values stand below {} names", cells.len(), header.len()),
                ));
            }
            rows.times.push(stamp(cells[0]).ok_or_else(|| {
                fail(0, format!("{:?} is not a time such as 2024-01-02T06:00:00+0000", cells[0]))
            })?);
            for (values, place) in rows.values.iter_mut().zip(&places) {
                let value = match place {
                    Some(place) => number(cells[*place])
                        .ok_or_else(|| fail(*place, format!("{:?} is not a number", cells[*place])))?,
                    None => f64::NAN,
                };
                values.push(value);
            }
        }
        told.rows = rows.times.len() as u64;
        Ok(rows)
    }

    /// The zone in which the stamps of daily rows are midnights: those programs turned dates into instants. Rows
    /// shorter than a day are instants already.
    fn zone(&self, source: &Source) -> Result<TimeZone, String> {
        let expected = barchart::zone(source.key.class);
        if source.key.period.is_intraday() {
            return Ok(expected);
        }
        let named = ZONES.iter().filter_map(|name| TimeZone::get(name).ok());
        for zone in std::iter::once(expected).chain(named) {
            if self.times.iter().all(|time| Day::of_wall(*time, &zone).1 == 0) {
                return Ok(zone);
            }
        }
        Err("the times of its rows are midnights of no zone of its provider: which day each is of cannot be told".to_owned())
    }

    /// The rows as bars; those that are none are told.
    fn bars(&self, key: &SeriesKey, zone: &TimeZone, told: &mut FileReport) -> Result<Bars, String> {
        let mut bars = Bars::new(self.columns);
        let close = self.columns.iter().position(|column| *column == Column::Close).unwrap_or(0);
        let (mut without, mut unaligned) = (0, 0);
        for (at, time) in self.times.iter().enumerate() {
            if self.values[close][at].is_nan() {
                without += 1;
                continue;
            }
            let stamp = match key.period.is_intraday() {
                true if time.rem_euclid(60) != 0 => {
                    unaligned += 1;
                    continue;
                }
                true => *time,
                false => key.period.bar_day(Day::of_local(*time, zone)).midnight(),
            };
            bars.times.push(stamp);
            for (column, values) in bars.values.iter_mut().zip(&self.values) {
                column.push(values[at]);
            }
        }
        let all = bars.len();
        bars.sort_keep_last();
        told.leave_out("without a price", without);
        told.leave_out("with a running price: no bar begins there", unaligned);
        told.leave_out("for a bar that comes again further down", all - bars.len());
        Ok(bars)
    }
}

/// Where each column of the series stands. What the archive does not keep is told.
fn places(header: &[&str], columns: &[Column], told: &mut FileReport) -> Result<Vec<Option<usize>>, String> {
    if !matches!(header.first(), Some(&"Datetime" | &"DATETIME" | &"Time" | &"Date")) {
        return Err("line 1, column 1: there is no column of times; allowed are Datetime and Time".to_owned());
    }
    let mut kept = vec![0];
    let mut place = |column: &Column| {
        let named = |name: &&str| Column::named(name).or(other_name(name)) == Some(*column);
        let place = header.iter().position(named);
        kept.extend(place);
        place
    };
    let places: Vec<Option<usize>> = columns.iter().map(&mut place).collect();
    let needed = [Column::Open, Column::High, Column::Low, Column::Close, Column::Volume];
    let missing =
        columns.iter().zip(&places).find(|(column, place)| place.is_none() && needed.contains(column));
    if let Some((column, _)) = missing {
        return Err(format!("line 1, column {}: there is no column {}", header.len() + 1, column.name()));
    }
    let left: Vec<&str> =
        header.iter().enumerate().filter(|(at, _)| !kept.contains(at)).map(|(_, name)| *name).collect();
    if !left.is_empty() {
        told.notes.push(format!("columns that are not kept: {}", left.join(", ")));
    }
    Ok(places)
}

/// What columns were called that have another name now.
fn other_name(name: &str) -> Option<Column> {
    Some(match name {
        "Open Int" => Column::OpenInterest,
        "average" | "Wap" => Column::Wap,
        "barCount" => Column::Count,
        _ => return None,
    })
}

/// `2024-01-02T06:00:00+0000`, as seconds since the epoch.
fn stamp(cell: &str) -> Option<i64> {
    let (date, clock) = (cell.get(..10)?, cell.get(10..)?);
    let day: Day = date.parse().ok()?;
    let [b'T' | b' ', h1, h2, b':', m1, m2, b':', s1, s2, zone @ ..] = clock.as_bytes() else { return None };
    if !matches!(zone, b"+0000" | b"+00:00" | b"Z") {
        return None;
    }
    let two = |tens: &u8, ones: &u8| {
        (tens.is_ascii_digit() && ones.is_ascii_digit())
            .then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    };
    let (hour, minute, second) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    (hour < 24 && minute < 60 && second < 60).then_some(day.midnight() + hour * 3600 + minute * 60 + second)
}

/// A number as pandas writes it, or NaN for an empty field.
fn number(cell: &str) -> Option<f64> {
    if cell.is_empty() {
        return Some(f64::NAN);
    }
    let plain = cell.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e'));
    cell.parse().ok().filter(|value: &f64| plain && value.is_finite())
}
