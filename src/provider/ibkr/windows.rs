//! How much is asked for at once. The broker's table of steps allows less than the gateways give, and
//! every request counts; a few thousand bars come quickly.

use super::api::{Bar, Span};
use crate::model::{Days, Period};
use crate::provider::Limits;

/// Bars that one request to the gateway may bring.
const BARS: i32 = 3500;
/// So far back contracts of futures are asked for: they are listed for two years after they expired, and have
/// bars of the year before that.
const FUTURES_REACH: i32 = 1090;

/// How far back and how much at once, of dated contracts or of anything else.
pub(super) fn limits(period: Period, dated: bool) -> Limits {
    let request_days = match period {
        Period::M1 => 10,
        Period::M2 => 20,
        Period::M5 => 30,
        Period::M10 => 60,
        Period::M15 | Period::M20 => 90,
        Period::M30 => 180,
        Period::H1 => 360,
        Period::D1 => 3650,
        _ => 7300,
    };
    Limits { reach_days: dated.then_some(FUTURES_REACH), request_days: Some(request_days) }
}

/// The bars of which those of a period are made: quarters of months.
pub(super) fn bar(period: Period) -> Bar {
    match period {
        Period::M1 => Bar::Minutes(1),
        Period::M2 => Bar::Minutes(2),
        Period::M5 => Bar::Minutes(5),
        Period::M10 => Bar::Minutes(10),
        Period::M15 => Bar::Minutes(15),
        Period::M20 => Bar::Minutes(20),
        Period::M30 => Bar::Minutes(30),
        Period::H1 => Bar::Hour,
        Period::D1 => Bar::Day,
        Period::W1 => Bar::Week,
        Period::Mo1 | Period::Mo3 => Bar::Month,
    }
}

/// Cuts the days of a request into those of single requests to the gateway, oldest first. `hours` is how long a
/// session is.
pub(super) fn steps(period: Period, days: Days, hours: i32) -> Vec<Days> {
    let Some(seconds) = period.seconds() else { return vec![days] };
    let a_day = (i64::from(hours.max(1)) * 3600 / seconds).max(1);
    let sessions = (i64::from(BARS) / a_day).max(1) as i32;
    // Seven days have five sessions; less than a week is counted without its end.
    let calendar = if sessions >= 5 { sessions / 5 * 7 + sessions % 5 } else { sessions };
    let mut steps = Vec::new();
    let mut first = days.first;
    while first <= days.last {
        let last = first.plus(calendar - 1).min(days.last);
        steps.push(Days { first, last });
        first = last.plus(1);
    }
    steps
}

/// How far back from the end of `days` a request must reach to hold them. `D` counts sessions, so that a
/// holiday only makes it reach further; `overnight` sessions begin on the day before.
pub(super) fn duration(period: Period, days: Days, overnight: bool, every_day: bool) -> Span {
    let calendar = days.len() as i32;
    let sessions = match every_day {
        true => calendar,
        false => days.iter().filter(|day| !day.is_weekend()).count() as i32,
    };
    let sessions = sessions.max(1) + i32::from(overnight);
    let years = |days: i32| Span::Y((days + 364) / 365);
    match period {
        Period::W1 if calendar <= 350 => Span::W((calendar + 6) / 7 + 1),
        Period::Mo1 | Period::Mo3 if calendar <= 300 => Span::M((calendar + 27) / 28 + 1),
        Period::W1 | Period::Mo1 | Period::Mo3 => years(calendar + 31),
        _ if calendar > 360 => years(calendar),
        _ => Span::D(sessions),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Day;

    fn days(first: &str, last: &str) -> Days {
        let day = |text: &str| text.parse::<Day>().unwrap();
        Days { first: day(first), last: day(last) }
    }

    #[test]
    fn steps_hold_the_days_and_not_too_many_bars() {
        for period in Period::ALL {
            let limits = limits(period, false);
            let first: Day = "2024-01-01".parse().unwrap();
            let whole = Days { first, last: first.plus(limits.request_days.unwrap() - 1) };
            for hours in [7, 16, 24] {
                let steps = steps(period, whole, hours);
                assert_eq!(steps.first().unwrap().first, whole.first);
                assert_eq!(steps.last().unwrap().last, whole.last);
                assert!(steps.windows(2).all(|pair| pair[0].last.plus(1) == pair[1].first));
                assert!(steps.len() <= 5, "{period} {hours}: {}", steps.len());
                if hours == 7 {
                    assert_eq!(steps.len(), 1, "{period}");
                }
            }
        }
    }

    #[test]
    fn durations_count_sessions_up_to_a_year() {
        let week = days("2024-01-01", "2024-01-07");
        assert_eq!(duration(Period::M1, week, false, false), Span::D(5));
        assert_eq!(duration(Period::M1, week, true, false), Span::D(6));
        assert_eq!(duration(Period::M1, week, false, true), Span::D(7));
        assert_eq!(duration(Period::M1, days("2024-01-06", "2024-01-07"), false, false), Span::D(1));
        assert_eq!(duration(Period::D1, days("2014-01-01", "2023-12-29"), false, false), Span::Y(10));
        assert_eq!(duration(Period::W1, week, false, false), Span::W(2));
        assert_eq!(duration(Period::Mo3, days("2024-01-01", "2024-03-31"), false, false), Span::M(5));
        assert_eq!(duration(Period::Mo1, days("2004-01-01", "2023-12-31"), false, false), Span::Y(21));
    }
}
