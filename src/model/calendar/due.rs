//! Which scheduled run is due, by a clock that may jump. Pure: who calls keeps what was fired and sleeps.

use jiff::tz::TimeZone;

use super::Calendar;

/// A clock that is set back by no more than this repeats no run; one that was further ahead was wrong, and
/// what it noted does not count.
const SET_BACK: i64 = 26 * 3600;

/// When a schedule is due next, given when it last fired, in seconds since the epoch. A run that was missed
/// while nobody looked is due at once, and once, however many were missed.
pub fn due(calendar: &Calendar, fired: i64, now: i64, zone: &TimeZone) -> Option<i64> {
    let fired = if fired > now + SET_BACK { now } else { fired };
    calendar.next_after(fired, zone)
}

/// What is to be noted as the last firing when a run begins that was due at `due`: the clock, but never less
/// than what it was due at, or a clock that is set back would fire it again.
pub fn fired(due: i64, now: i64) -> i64 {
    due.max(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    /// Runs of a schedule while a clock goes as told: each step says how far, and whether somebody looked.
    fn runs(calendar: &Calendar, zone: &TimeZone, start: i64, steps: &[(i64, bool)]) -> Vec<i64> {
        let (mut now, mut last, mut runs) = (start, start, Vec::new());
        for (step, looked) in steps {
            now += step;
            if *looked
                && let Some(at) = due(calendar, last, now, zone)
                && at <= now
            {
                runs.push(at);
                last = fired(at, now);
            }
        }
        runs
    }

    proptest! {
        /// However long the sleeps are: a day that was looked at to its end has its run, and none has two.
        #[test]
        fn no_run_is_lost_and_none_comes_twice(
            place in prop::sample::select(vec!["America/New_York", "Europe/London", "Australia/Lord_Howe", "UTC"]),
            start in 1_767_225_600i64..1_798_761_600,
            steps in prop::collection::vec((1i64..50_000, any::<bool>()), 1..200),
            line in prop::sample::select(vec!["30 2 * * *", "0 8 * * *", "30 1 * * *"]),
        ) {
            let (calendar, zone) = (Calendar::of_cron(line).unwrap(), zone(place));
            let runs = runs(&calendar, &zone, start, &steps);
            for pair in runs.windows(2) {
                prop_assert!(pair[1] > pair[0]);
                // Two runs are on two days.
                let day = |at: i64| jiff::Timestamp::from_second(at).unwrap().to_zoned_datetime(zone.clone()).date();
                prop_assert!(day(pair[0]) < day(pair[1]));
            }
            // Somebody who looks every hour misses nothing.
            let hours = vec![(3600, true); 24 * 400];
            let all = self::runs(&calendar, &zone, start, &hours);
            prop_assert!(all.len() == 400 || all.len() == 399 || all.len() == 401, "{}", all.len());
        }

        /// A clock that is set back by hours, and goes on, does not repeat what ran.
        #[test]
        fn a_clock_that_is_set_back_repeats_nothing(back in 1i64..SET_BACK, ahead in 0i64..86_400) {
            let (calendar, zone) = (Calendar::of_cron("0 8 * * *").unwrap(), zone("UTC"));
            let first = 1_780_000_000;
            let ran = due(&calendar, first, first, &zone).unwrap();
            let noted = fired(ran, ran + ahead);
            let after = ran + ahead - back;
            let next = due(&calendar, noted, after, &zone).unwrap();
            prop_assert!(next > ran);
            prop_assert!(next - ran >= 86_400);
        }
    }

    #[test]
    fn a_clock_that_was_years_ahead_stops_nothing() {
        let (calendar, zone) = (Calendar::of_cron("0 8 * * *").unwrap(), zone("UTC"));
        let now = 1_780_000_000;
        let next = due(&calendar, now + 10 * 365 * 86_400, now, &zone).unwrap();
        assert!(next - now <= 86_400);
    }
}
