//! The closing line: `"Downloaded from Barchart.com as of 03-05-2026 06:11am CST"`.

use super::cell::two;
use crate::model::Day;

const WORDS: &str = "Downloaded from Barchart.com as of ";

/// The lines before the closing one, and the closing one without its quotation marks; `None` where the last line
/// is another.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_end();
    let (body, last) = match text.rfind('\n') {
        Some(at) => text.split_at(at + 1),
        None => ("", text),
    };
    let closing = last.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(last);
    // A line that was cut off within is not whole either.
    let whole = closing.starts_with(WORDS) && (closing.ends_with("CST") || closing.ends_with("CDT"));
    whole.then_some((body, closing))
}

/// The instant it names, in seconds since the epoch.
pub(super) fn instant(closing: &str) -> Option<i64> {
    let mut words = closing.strip_prefix(WORDS)?.split(' ');
    let (date, clock, zone) = (words.next()?, words.next()?, words.next()?);
    let [m1, m2, b'-', d1, d2, b'-', y1, y2, y3, y4] = *date.as_bytes() else { return None };
    let (year, month, day) = (two([y1, y2])? * 100 + two([y3, y4])?, two([m1, m2])?, two([d1, d2])?);
    let date = jiff::civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    let [h1, h2, b':', n1, n2, half, b'm'] = *clock.as_bytes() else { return None };
    let (hour, minute) = (two([h1, h2])?, two([n1, n2])?);
    let afternoon = match half {
        b'a' => 0,
        b'p' => 12,
        _ => return None,
    };
    let west = match zone {
        "CST" => 6,
        "CDT" => 5,
        _ => return None,
    };
    if words.next().is_some() || !(1..=12).contains(&hour) || minute > 59 {
        return None;
    }
    let hours = i64::from(hour % 12 + afternoon) + west;
    Some(Day::of_date(date).midnight() + hours * 3600 + i64::from(minute) * 60)
}
