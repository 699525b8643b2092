//! The sessions a contract's details list, as far as they tell which bars are finished.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::model::Day;

/// No session opens more days before the one on which it ends.
const LONGEST: i32 = 7;

/// One session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Session {
    /// Its trading date: that on which it ends.
    pub(super) day: Day,
    /// Seconds after midnight of its trading date at which it opens; negative on the evening before.
    pub(super) open: i32,
    /// Seconds after midnight of its trading date at which it closes.
    pub(super) close: i32,
}

/// The sessions of `20240102:0930-20240102:1600;20240103:CLOSED` and the like, ascending. What cannot be read
/// is left out: it only makes less known.
pub(super) fn sessions(hours: &[String]) -> Vec<Session> {
    let mut sessions: Vec<Session> = Vec::new();
    let ranges = hours.iter().flat_map(|line| line.split(';')).flat_map(|entry| {
        // An older form gives the date once for several ranges.
        let date = entry.split(':').next().unwrap_or_default();
        entry.split(',').map(move |range| (date, range))
    });
    for (date, range) in ranges {
        let Some((from, to)) = range.trim().split_once('-') else { continue };
        let (Some(from), Some(to)) = (instant(from, date), instant(to, date)) else { continue };
        let days = from.0.number() - to.0.number();
        if !(-LONGEST..=0).contains(&days) {
            continue;
        }
        let session = Session { day: to.0, open: days * 86_400 + from.1, close: to.1 };
        match sessions.iter_mut().find(|known| known.day == session.day) {
            Some(known) => {
                known.open = known.open.min(session.open);
                known.close = known.close.max(session.close);
            }
            None => sessions.push(session),
        }
    }
    sessions.sort_by_key(|session| session.day);
    sessions
}

/// `20240102:0930`, or `0930` of a date said before.
fn instant(text: &str, date: &str) -> Option<(Day, i32)> {
    let (date, clock) = text.trim().split_once(':').unwrap_or((date, text.trim()));
    let day = Day::of_date(Date::strptime("%Y%m%d", date.trim()).ok()?);
    let hours: i32 = clock.get(..2)?.parse().ok()?;
    let minutes: i32 = clock.get(2..4)?.parse().ok()?;
    Some((day, hours * 3600 + minutes * 60))
}

/// The last trading date that is over at `clock`; without sessions the day before.
pub(super) fn finished(sessions: &[Session], clock: i64, zone: &TimeZone) -> Day {
    let today = Day::of_local(clock, zone);
    let yesterday = today.plus(-1);
    // Sessions are listed from about today on.
    let closed = sessions.iter().rfind(|session| session.day.instant(session.close, zone) <= clock);
    let running = sessions.iter().find(|session| session.day.instant(session.close, zone) > clock);
    let before_running = running.map(|session| session.day.plus(-1).min(yesterday));
    match (closed, before_running) {
        (Some(closed), Some(before)) => before.max(closed.day).min(today),
        (Some(closed), None) => yesterday.max(closed.day).min(today),
        (None, Some(before)) => before,
        (None, None) => yesterday,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::ibkr::zones::zone;

    fn list(hours: &[&str]) -> Vec<Session> {
        sessions(&hours.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn both_forms_are_read_and_what_is_no_session_is_left_out() {
        let plain = list(&["20240105:0930-20240105:1600", "20240106:CLOSED", "20240108:0930-20240108:1300"]);
        assert_eq!(plain.len(), 2);
        assert_eq!(plain[0], Session { day: day("2024-01-05"), open: 34_200, close: 57_600 });
        let night =
            list(&["20240107:1700-20240108:1600;20240108:1700-20240109:1600", "nonsense", "2024:x-y"]);
        assert_eq!(night[0], Session { day: day("2024-01-08"), open: -7 * 3600, close: 16 * 3600 });
        let old = list(&["20240108:0900-1130,1230-1500"]);
        assert_eq!(old, [Session { day: day("2024-01-08"), open: 9 * 3600, close: 15 * 3600 }]);
        assert_eq!(list(&["10110210:0930-20220421:1600", "20240109:0930-20240108:1600"]), []);
    }

    #[test]
    fn a_session_is_over_with_its_close() {
        let (_, zone) = zone("US/Central").unwrap();
        let night = list(&["20240107:1700-20240108:1600", "20240108:1700-20240109:1600"]);
        let at = |date: &str, hour: i32| day(date).instant(hour * 3600, &zone);
        let over = |date: &str, hour: i32| finished(&night, at(date, hour), &zone).to_string();
        assert_eq!(over("2024-01-07", 18), "2024-01-06", "Sunday evening belongs to Monday");
        assert_eq!(over("2024-01-08", 15), "2024-01-07");
        assert_eq!(over("2024-01-08", 16), "2024-01-08");
        assert_eq!(over("2024-01-08", 23), "2024-01-08");
        assert_eq!(over("2024-01-09", 2), "2024-01-08");
        assert_eq!(finished(&[], at("2024-01-09", 2), &zone), day("2024-01-08"));
    }
}
