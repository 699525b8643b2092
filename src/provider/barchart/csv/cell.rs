//! The cells of an export: quoting, numbers, stamps.

use super::header::Dates;
use crate::model::Day;

/// The cells of a line.
pub(super) struct Cells<'a> {
    rest: Option<&'a str>,
}

impl<'a> Cells<'a> {
    pub(super) fn of(line: &'a str) -> Cells<'a> {
        Cells { rest: Some(line) }
    }
}

impl<'a> Iterator for Cells<'a> {
    type Item = Result<&'a str, String>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest?;
        let Some(quoted) = rest.strip_prefix('"') else {
            let (cell, rest) = match rest.as_bytes().iter().position(|byte| *byte == b',') {
                Some(at) => (&rest[..at], Some(&rest[at + 1..])),
                None => (rest, None),
            };
            self.rest = rest;
            return Some(Ok(cell));
        };
        self.rest = None;
        let Some(at) = quoted.as_bytes().iter().position(|byte| *byte == b'"') else {
            return Some(Err("a quotation mark is not closed".to_owned()));
        };
        let (cell, after) = (&quoted[..at], &quoted[at + 1..]);
        self.rest = match after.strip_prefix(',') {
            Some(rest) => Some(rest),
            None if after.is_empty() => None,
            None => return Some(Err("something follows the closing quotation mark".to_owned())),
        };
        Some(Ok(cell))
    }
}

/// The powers of ten that a double holds exactly.
const EXACT_TENS: [f64; 19] =
    [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];
/// Below this, a double holds every integer.
const EXACT_INTEGERS: u64 = 1 << 53;

/// A value: digits with a point, which may stand at the end (`43.`), and thousands separators (`1,195,900`). NaN
/// where there is none.
pub(super) fn number(cell: &str) -> Result<f64, String> {
    plain(cell).or_else(|| odd(cell)).ok_or_else(|| format!("{:?} is not a number", short(cell)))
}

/// The usual case, quickly: an integer and a power of ten that are both exact give the nearest double.
fn plain(cell: &str) -> Option<f64> {
    let (digits, negative) = match cell.as_bytes() {
        [b'-', digits @ ..] => (digits, true),
        digits => (digits, false),
    };
    let (mut mantissa, mut point, mut count) = (0_u64, None, 0);
    for (at, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                count += 1;
            }
            b'.' if point.is_none() => point = Some(at),
            _ => return None,
        }
    }
    // 18 digits cannot have wrapped.
    if count == 0 || count > 18 || mantissa >= EXACT_INTEGERS {
        return None;
    }
    let decimals = point.map_or(0, |at| digits.len() - at - 1);
    let value = mantissa as f64 / EXACT_TENS[decimals];
    Some(if negative { -value } else { value })
}

/// What is missing, has separators or more digits than usual.
fn odd(cell: &str) -> Option<f64> {
    if matches!(cell, "" | "N/A") {
        return Some(f64::NAN);
    }
    let joined = if cell.contains(',') { without_separators(cell)? } else { cell.to_owned() };
    let digits = joined.strip_prefix('-').unwrap_or(&joined);
    let only = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let some = digits.bytes().any(|byte| byte.is_ascii_digit());
    joined.parse().ok().filter(|value: &f64| only && some && value.is_finite())
}

/// `1,195,900` as `1195900`; a comma anywhere else is no separator.
fn without_separators(cell: &str) -> Option<String> {
    let whole = cell.split('.').next()?;
    let mut groups = whole.strip_prefix('-').unwrap_or(whole).split(',');
    let first = groups.next()?;
    let right = (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3);
    (right && !cell.get(whole.len()..)?.contains(',')).then(|| cell.replace(',', ""))
}

/// A change: a number with a sign, or `unch`. `None` where there is none.
pub(super) fn change(cell: &str) -> Result<Option<f64>, String> {
    if cell == "unch" {
        return Ok(Some(0.0));
    }
    let value = number(cell.strip_prefix('+').unwrap_or(cell))?;
    Ok((!value.is_nan()).then_some(value))
}

/// A change in per cent, `+0.22%`, with or without its sign.
pub(super) fn percent(cell: &str) -> Result<Option<f64>, String> {
    change(cell.strip_suffix('%').unwrap_or(cell))
}

/// Reads stamps, each date once; all of a file have one form.
#[derive(Default)]
pub(super) struct Stamps<'a> {
    pub(super) form: Option<Dates>,
    date: &'a str,
    midnight: i64,
}

impl<'a> Stamps<'a> {
    /// Seconds since 1970-01-01 00:00 on the wall, and whether there is a time of day.
    pub(super) fn read(&mut self, cell: &'a str) -> Result<(i64, bool), String> {
        let (date, clock) = match cell.as_bytes().iter().position(|byte| *byte == b' ') {
            Some(at) => (&cell[..at], Some(&cell[at + 1..])),
            None => (cell, None),
        };
        // Before the first date none is known, not even an empty one.
        if date != self.date || self.form.is_none() {
            let (day, form) = day(date).ok_or_else(|| {
                format!(
                    "{:?} is not a time such as 2026-03-04, \"2026-03-04 23:00\", 11/18/2021 or 01/10/20",
                    short(cell)
                )
            })?;
            if *self.form.get_or_insert(form) != form {
                return Err(format!("{date} is written otherwise than the dates before it"));
            }
            (self.midnight, self.date) = (day.midnight(), date);
        }
        let Some(clock) = clock else { return Ok((self.midnight, false)) };
        let second =
            second_of_day(clock).ok_or_else(|| format!("{:?} has no time such as 23:00", short(cell)))?;
        Ok((self.midnight + second, true))
    }
}

fn second_of_day(clock: &str) -> Option<i64> {
    let (hour, minute, second) = match clock.as_bytes() {
        [h1, h2, b':', m1, m2] => (two([*h1, *h2])?, two([*m1, *m2])?, 0),
        [h1, h2, b':', m1, m2, b':', s1, s2] => (two([*h1, *h2])?, two([*m1, *m2])?, two([*s1, *s2])?),
        _ => return None,
    };
    (hour < 24 && minute < 60 && second < 60)
        .then_some(i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second))
}

pub(super) fn two(digits: [u8; 2]) -> Option<i16> {
    let [tens, ones] = digits;
    (tens.is_ascii_digit() && ones.is_ascii_digit())
        .then(|| i16::from(tens - b'0') * 10 + i16::from(ones - b'0'))
}

/// A date and how it is written. Two-digit years turn at 30.
fn day(date: &str) -> Option<(Day, Dates)> {
    let (year, month, day, form) = match *date.as_bytes() {
        [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] => {
            (two([y1, y2])? * 100 + two([y3, y4])?, two([m1, m2])?, two([d1, d2])?, Dates::Dashes)
        }
        [m1, m2, b'/', d1, d2, b'/', y1, y2, y3, y4] => {
            (two([y1, y2])? * 100 + two([y3, y4])?, two([m1, m2])?, two([d1, d2])?, Dates::Slashes)
        }
        [m1, m2, b'/', d1, d2, b'/', y1, y2] => {
            (full_year(two([y1, y2])?), two([m1, m2])?, two([d1, d2])?, Dates::TwoDigitYear)
        }
        _ => return None,
    };
    let date = jiff::civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    let day = Day::of_date(date);
    (day >= Day::EARLIEST).then_some((day, form))
}

/// The year that two digits mean: up to 30 of this century, above of the last.
fn full_year(two_digits: i16) -> i16 {
    if two_digits > 30 { 1900 + two_digits } else { 2000 + two_digits }
}

fn short(cell: &str) -> String {
    cell.chars().take(40).collect()
}
