//! Days that are recorded as present and have no bar.

use std::collections::BTreeSet;

use super::SeriesState;
use crate::model::{Class, Day, Days, Mark, SeriesKey};

/// The trading dates on which bars with these stamps may lie. They are exact for daily and longer
/// bars, and for intraday bars of stocks. The sessions of futures and currencies begin the evening
/// before, by a clock that not every provider tells: there the neighbouring dates count as well.
pub(super) fn bar_days(key: &SeriesKey, state: &SeriesState, stamps: &[i64]) -> BTreeSet<Day> {
    if !key.period.is_intraday() {
        return stamps.iter().map(|time| Day::of_utc(*time)).collect();
    }
    match state.meta.time_zone() {
        Some(zone) if key.class == Class::Stock => {
            stamps.iter().map(|time| Day::of_local(*time, &zone)).collect()
        }
        zone => {
            let utc: BTreeSet<Day> = stamps.iter().map(|time| Day::of_utc(*time)).collect();
            let local = stamps.iter().filter_map(|time| Some(Day::of_local(*time, zone.as_ref()?)));
            let dates: BTreeSet<Day> = local.chain(utc).collect();
            dates.iter().flat_map(|day| [day.plus(-1), *day, day.plus(1)]).collect()
        }
    }
}

/// The runs of days that are recorded as present and have no bar.
pub(super) fn gaps(key: &SeriesKey, state: &SeriesState, stamps: &[i64]) -> Vec<Days> {
    let days = bar_days(key, state, stamps);
    let gap = |day: Day, mark| mark == Mark::Present && !days.contains(&key.period.bar_day(day));
    state.coverage.known().map(|known| state.coverage.runs(known, gap)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::tests::key;
    use crate::model::Period;

    #[test]
    fn a_bar_belongs_to_its_local_date_and_an_evening_session_to_the_next() {
        let day: Day = "2024-03-05".parse().unwrap();
        let days = |first: i32, last: i32| Days::new(day.plus(first), day.plus(last)).unwrap();
        let mut state = SeriesState::default();
        state.meta.zone = Some("Asia/Tokyo".into());
        state.coverage.set(days(-3, 3), Mark::Present);
        let midnight = day.plus(1).midnight();
        // Midnight of the next date by UTC and the hour before: both on the next date in Tokyo.
        for (stamp, near) in [(midnight, days(0, 2)), (midnight - 3600, days(-1, 2))] {
            let gaps = |class| gaps(&SeriesKey { class, ..key("A", Period::H1) }, &state, &[stamp]);
            assert_eq!(gaps(Class::Stock), [days(-3, 0), days(2, 3)]);
            let before = Days::new(day.plus(-3), near.first.plus(-1)).unwrap();
            assert_eq!(gaps(Class::Future), [before, days(3, 3)]);
        }
    }
}
