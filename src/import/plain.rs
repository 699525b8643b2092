//! The CSVs that older Vortex and bc-utils wrote: a header, and stamps of UTC such as `2024-01-02T06:00:00+0000`.

use jiff::tz::TimeZone;

use super::days::{self, Scope};
use super::export::{hash, read_file};
use super::name::PlainWriter;
use super::report::{FileReport, UNFINISHED};
use super::side::SideFile;
use super::source::Source;
use crate::download::Piece;
use crate::model::{Bars, Column, Day, Days, SeriesKey, SeriesMeta};
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
/// No bar for so long before the end of what was asked for: the contract had ended.
const QUIET_DAYS: i32 = 7;
/// Asked for until so near to the end of its month a contract is whole: it ends before, or on a weekday.
const NEAR_DAYS: i32 = 3;
/// Bars that begin so many days after what was asked for are the first there are.
const NOTHING_BEFORE: i32 = 7;

/// Reads a file whole.
pub(super) fn read(
    source: &Source,
    writer: PlainWriter,
    side: Option<&SideFile>,
    now: i64,
    told: &mut FileReport,
) -> Result<Piece, String> {
    let bytes = read_file(&source.path)?;
    told.hash = Some(hash(&source.path, &bytes));
    let modified = std::fs::metadata(&source.path).and_then(|about| about.modified()).ok();
    let modified = modified
        .and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok())
        .map(|since| since.as_secs() as i64);
    let clock = side.and_then(|side| side.end).or(modified).unwrap_or(now).min(now);
    let mut rows = Rows::read(&bytes, source.key.columns(), told)?;
    let placeholder = !rows.times.is_empty() && rows.times.iter().all(|time| *time < PLACEHOLDER);
    if placeholder {
        told.leave_out("of a placeholder, which stands for a download without rows", rows.times.len());
        rows = Rows::none(source.key.columns());
    }
    let zone = rows.zone(source)?;
    let bars = rows.bars(&source.key, &zone, told)?;
    let clock = ended(&source.scope(&zone, clock), side, &bars, placeholder)
        .map_or(clock, |ended| ended.max(clock).min(now));
    let scope = source.scope(&zone, clock);
    let (found, days) =
        (bars.len(), scope.span(&bars).unwrap_or(Days { first: Day::new(0), last: Day::new(0) }));
    let request = source.request(days);
    let mut answer = match source.key.provider.as_str() {
        barchart::NAME => barchart::finished_answer(&request, bars, clock, Vec::new(), Vec::new()),
        _ => answer(bars, &scope),
    };
    told.leave_out(UNFINISHED, found - answer.bars.len());
    let (covered, first_day) = asked_for(&scope, writer, side, &answer.bars, placeholder)
        .ok_or_else(|| "it has no bar to take".to_owned())?;
    answer.first_day = first_day;
    Ok(Piece { request, covered, answer, raw: None })
}

/// When a contract that had ended was settled: nothing more is to come of it, whenever the file was made. So it is
/// where its side file asked until the end, or for a week in which nothing more came; without one, where the file is
/// younger than the contract.
fn ended(scope: &Scope<'_>, side: Option<&SideFile>, bars: &Bars, placeholder: bool) -> Option<i64> {
    let contract = scope.contract?;
    let last = scope.span(bars).map(|days| days.last);
    let asked = Day::of_local(side.and_then(|side| side.end).unwrap_or(scope.clock), scope.zone);
    let quiet = last.is_some_and(|last| asked.number() - last.number() > QUIET_DAYS);
    let whole = placeholder || quiet || asked.plus(NEAR_DAYS) >= contract.last_day();
    let near = placeholder || last.is_some_and(|last| scope.reaches_end(last).is_some());
    (whole && near).then(|| contract.settled().plus(2).midnight())
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

/// The days that the program asked for, and the first that there is, where that is known. bc-utils and older Vortex
/// asked for a contract whole.
fn asked_for(
    scope: &Scope<'_>,
    writer: PlainWriter,
    side: Option<&SideFile>,
    bars: &Bars,
    placeholder: bool,
) -> Option<(Days, Option<Day>)> {
    let start = side.and_then(|side| side.start).map(Day::of_utc);
    let end = side.and_then(|side| side.end).map(|end| Day::of_local(end, scope.zone));
    if placeholder {
        let whole = scope.contract.map(|contract| contract.last_day());
        let first = start.unwrap_or(super::days::earliest(scope.contract, whole?));
        return Some((Days::new(first, whole.or(end)?)?, None));
    }
    let covered = scope.covered(bars)?;
    let mut days = Days { first: start.unwrap_or(covered.first).min(covered.first), ..covered };
    if let Some(end) = end.filter(|_| scope.contract.is_none()) {
        days.last = days.last.max(end);
    }
    let begins_late = start.is_some_and(|start| covered.first.number() - start.number() > NOTHING_BEFORE);
    let whole = writer == PlainWriter::BcUtils && scope.contract.is_some();
    Some((days, (begins_late || whole).then_some(covered.first)))
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
        let said = header.first().copied().unwrap_or_default();
        return Err(format!(
            "line 1, column 1: {said:?} is no column of times; allowed are Datetime and Time"
        ));
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
