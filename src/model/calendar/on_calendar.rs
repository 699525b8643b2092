//! Calendar expressions of systemd (systemd.time(7), "Calendar Events").

use jiff::tz::TimeZone;

use super::field::{Values, number};
use super::{Calendar, Days, FIRST_YEAR, LAST_YEAR, Spec, Years};

const WEEKDAYS: [(&str, &str); 7] = [
    ("mon", "monday"),
    ("tue", "tuesday"),
    ("wed", "wednesday"),
    ("thu", "thursday"),
    ("fri", "friday"),
    ("sat", "saturday"),
    ("sun", "sunday"),
];

const SHORTHANDS: [(&str, &str); 12] = [
    ("minutely", "*-*-* *:*:00"),
    ("hourly", "*-*-* *:00:00"),
    ("daily", "*-*-* 00:00:00"),
    ("monthly", "*-*-01 00:00:00"),
    ("weekly", "Mon *-*-* 00:00:00"),
    ("yearly", "*-01-01 00:00:00"),
    ("annually", "*-01-01 00:00:00"),
    ("anually", "*-01-01 00:00:00"),
    ("quarterly", "*-01,04,07,10-01 00:00:00"),
    ("semiannually", "*-01,07-01 00:00:00"),
    ("semi-annually", "*-01,07-01 00:00:00"),
    ("biannually", "*-01,07-01 00:00:00"),
];

impl Calendar {
    /// Reads an expression. Fractions of seconds and `@` instants are not taken.
    pub fn of_expression(text: &str) -> Result<Calendar, String> {
        let mut words: Vec<&str> = text.split_whitespace().collect();
        let zone = match words.last() {
            Some(last) if words.len() > 1 || !is_shorthand(last) => zone(last),
            _ => None,
        };
        let zone = zone.map(|zone| (words.pop().unwrap_or_default().to_owned(), zone));
        if let [word] = words.as_slice()
            && let Some((_, long)) = SHORTHANDS.iter().find(|(short, _)| short.eq_ignore_ascii_case(word))
        {
            words = long.split_whitespace().collect();
        }
        if words.is_empty() {
            return Err("the expression is empty".to_owned());
        }
        let mut spec = Spec::default();
        let mut rest = words.as_slice();
        if let Some((first, others)) = rest.split_first()
            && first.starts_with(|c: char| c.is_ascii_alphabetic())
        {
            spec.weekdays = weekdays(first)?;
            rest = others;
        }
        let (date, time) = match rest {
            [] => (None, None),
            [one] if one.contains(':') => (None, Some(*one)),
            [one] => (Some(*one), None),
            [date, time] => (Some(*date), Some(*time)),
            _ => return Err(format!("{text:?} has more than weekdays, a date, a time and a time zone")),
        };
        if let Some(date) = date {
            self::date(&mut spec, date)?;
        }
        if let Some(time) = time {
            self::time(&mut spec, time)?;
        }
        Calendar::new(vec![spec], zone)
    }
}

fn is_shorthand(word: &str) -> bool {
    SHORTHANDS.iter().any(|(short, _)| short.eq_ignore_ascii_case(word))
}

/// A time zone of the database; nothing that a weekday, date or time could be.
fn zone(word: &str) -> Option<TimeZone> {
    let letters =
        word.starts_with(|c: char| c.is_ascii_alphabetic()) && !word.contains(',') && !word.contains("..");
    (letters && weekdays(word).is_err()).then(|| TimeZone::get(word).ok()).flatten()
}

/// `Mon`, `Mon,Wed`, `Mon..Fri`; Monday is 0.
fn weekdays(text: &str) -> Result<Values, String> {
    let day = |name: &str| {
        let lower = name.to_ascii_lowercase();
        let at = WEEKDAYS.iter().position(|(short, long)| *short == lower || *long == lower);
        at.and_then(|at| u32::try_from(at).ok()).ok_or_else(|| format!("{name:?} is not a day of the week"))
    };
    let mut days = Values::default();
    for item in text.trim_end_matches(',').split(',') {
        let range = item.split_once("..").or_else(|| item.split_once('-'));
        let (first, last) = match range {
            Some((first, last)) => (day(first)?, day(last)?),
            None => (day(item)?, day(item)?),
        };
        days = match first <= last {
            true => days.and_also(Values::steps(first, last, 1)),
            // Over the end of the week.
            false => days.and_also(Values::steps(first, 6, 1)).and_also(Values::steps(0, last, 1)),
        };
    }
    Ok(days)
}

/// `Y-M-D`, `M-D`; with `~` before the day it is counted from the end of the month.
fn date(spec: &mut Spec, text: &str) -> Result<(), String> {
    let (rest, day, of_end) = match text.rsplit_once('~') {
        Some((rest, day)) => (rest, day, true),
        None => match text.rsplit_once('-') {
            Some((rest, day)) => (rest, day, false),
            None => return Err(format!("{text:?} is not a date such as 2026-11-24, *-*-01 or 11-24")),
        },
    };
    let (year, month) = rest.split_once('-').unwrap_or(("*", rest));
    spec.years = years(year)?;
    spec.months = values(month, 1, 12)?;
    spec.days = match of_end {
        true => Days::FromEnd(from_end(day)?),
        false => Days::OfMonth(values(day, 1, 31)?),
    };
    Ok(())
}

/// Days counted from the end of the month: a list of numbers, each with a repetition that goes on to the end, so
/// that `Mon *-*~07/1` is the last Monday.
fn from_end(text: &str) -> Result<Values, String> {
    let mut days = Values::default();
    for item in text.split(',') {
        let (first, step) = match item.split_once('/') {
            Some((first, step)) => (number(first, 1, 28, &[])?, Some(number(step, 1, 28, &[])?)),
            None => (number(item, 1, 28, &[])?, None),
        };
        let down_to = if step.is_some() { 1 } else { first };
        let all = (down_to..=first).rev().step_by(step.unwrap_or(1) as usize);
        days = all.fold(days, |days, day| days.and_also(Values::steps(day, day, 1)));
    }
    Ok(days)
}

/// `H:M`, `H:M:S`.
fn time(spec: &mut Spec, text: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.split(':').collect();
    let (hour, minute, second) = match parts.as_slice() {
        [hour, minute] => (hour, minute, &"00"),
        [hour, minute, second] => (hour, minute, second),
        _ => return Err(format!("{text:?} is not a time such as 08:00 or 08:00:30")),
    };
    spec.hours = values(hour, 0, 23)?;
    spec.minutes = values(minute, 0, 59)?;
    spec.seconds = values(second, 0, 59)?;
    Ok(())
}

/// A list of `*`, numbers and `a..b`, each with a repetition.
fn values(text: &str, min: u32, max: u32) -> Result<Values, String> {
    let mut values = Values::default();
    for item in text.split(',') {
        let (first, last, step) = item_of(item, min, max)?;
        values = values.and_also(Values::steps(first, last, step));
    }
    Ok(values)
}

fn years(text: &str) -> Result<Years, String> {
    if text == "*" {
        return Ok(Years::Any);
    }
    let items = text.split(',').map(|item| item_of(item, FIRST_YEAR, LAST_YEAR));
    items.collect::<Result<Vec<_>, String>>().map(Years::Of)
}

/// First, last and step of an item.
fn item_of(item: &str, min: u32, max: u32) -> Result<(u32, u32, u32), String> {
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some(number(step, 1, 9999, &[])?)),
        None => (item, None),
    };
    let (first, last) = match range.split_once("..") {
        _ if range == "*" => (min, max),
        Some((first, last)) => (number(first, min, max, &[])?, number(last, min, max, &[])?),
        None => {
            let first = number(range, min, max, &[])?;
            (first, if step.is_some() { max } else { first })
        }
    };
    if first > last {
        return Err(format!("{range:?} runs backwards"));
    }
    Ok((first, last, step.unwrap_or(1)))
}
