//! How much is asked for at once. The broker's table of steps allows less than the gateways give, and
//! every request counts; a few thousand bars come quickly.

use super::api::{Bar, Show, Span};
use super::code_of;
use crate::model::{Class, Day, Days, Period};
use crate::provider::limits::pacing::Ask;
use crate::provider::{Limits, Request};

/// Bars that one request to the gateway may bring: five sessions of minutes of a stock and the one beside them.
/// Gateways answer 2000 to 3000 in time; where one does not, fewer are asked for.
pub(super) const BARS: i32 = 2400;
/// No fewer are asked for, whatever the gateway does.
pub(super) const FEWEST_BARS: i32 = 300;
/// Where data begin is asked for days before these: an update has no need of it.
pub(super) const HEAD_BEFORE_DAYS: i32 = 40;
/// A window of daily bars that is longer than this many days can be made smaller.
const LONG_DAYS: usize = 60;
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

/// Cuts the days of a request into those of single requests to the gateway, oldest first, with no more than so
/// many bars. A session has so many seconds; there are sessions on weekends or not.
pub(super) fn steps(period: Period, days: Days, (session, every_day): (i32, bool), bars: i32) -> Vec<Days> {
    let Some(seconds) = period.seconds() else { return vec![days] };
    let a_day = (i64::from(session.max(1)) + seconds - 1) / seconds;
    let most = (i64::from(bars) / a_day.max(1)).max(1);
    let mut steps = Vec::new();
    let (mut first, mut sessions) = (days.first, 0);
    for day in days.iter() {
        let has_one = every_day || !day.is_weekend();
        if has_one && sessions == most {
            steps.push(Days { first, last: day.plus(-1) });
            (first, sessions) = (day, 0);
        }
        sessions += i64::from(has_one);
    }
    steps.push(Days { first, last: days.last });
    steps
}

/// What the gateway will be asked for by a request at `now`, in seconds since the epoch, as far as that is known before
/// it says how long a contract trades and where its data begin.
pub(super) fn foreseen(request: &Request, show: Show, regular: bool, now: i64) -> Vec<Ask> {
    let session = match request.instrument.class {
        Class::Stock if regular => 6 * 3600 + 1800,
        Class::Stock => 16 * 3600,
        Class::Future | Class::Forex => 23 * 3600,
    };
    let days = request.whole_days();
    let begins = days.first < Day::of_utc(now).plus(-HEAD_BEFORE_DAYS);
    let head = begins.then(|| Ask { identity: "head".to_owned(), of: code_of(request), weight: 1 });
    let bars = steps(request.period, days, (session, false), BARS).into_iter().map(|step| Ask {
        identity: format!("{} {step}", request.period),
        of: code_of(request),
        weight: show.weight(),
    });
    head.into_iter().chain(bars).collect()
}

/// The halves of a step, where a smaller window helps.
pub(super) fn halves(period: Period, step: Days) -> Option<[Days; 2]> {
    let long = if period.is_intraday() { 1 } else { LONG_DAYS };
    if period > Period::D1 || step.len() <= long {
        return None;
    }
    let middle = step.first.plus(step.len() as i32 / 2);
    Some([Days { first: step.first, last: middle.plus(-1) }, Days { first: middle, last: step.last }])
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
            for hours in [6, 16, 24] {
                let steps = steps(period, whole, (hours * 3600 + 1800, false), BARS);
                assert_eq!(steps.first().unwrap().first, whole.first);
                assert_eq!(steps.last().unwrap().last, whole.last);
                assert!(steps.windows(2).all(|pair| pair[0].last.plus(1) == pair[1].first));
                assert!(steps.len() <= 8, "{period} {hours}: {}", steps.len());
                let bars = |step: &Days| {
                    let sessions = step.iter().filter(|day| !day.is_weekend()).count() as i32;
                    period.seconds().map_or(0, |seconds| sessions * (hours * 3600 + 1800) / seconds as i32)
                };
                assert!(
                    steps.iter().all(|step| bars(step) <= 3000 && step.iter().any(|day| !day.is_weekend()))
                );
            }
        }
    }

    #[test]
    fn an_update_of_minutes_and_the_session_beside_it_are_one_request() {
        let days = days("2024-01-02", "2024-01-09");
        assert_eq!(steps(Period::M1, days, (23_400, false), BARS).len(), 1);
        assert_eq!(steps(Period::M1, days, (23_400, false), BARS / 2).len(), 2);
    }

    #[test]
    fn a_window_that_is_too_much_becomes_two() {
        let week = days("2024-01-01", "2024-01-07");
        assert_eq!(
            halves(Period::M1, week),
            Some([days("2024-01-01", "2024-01-03"), days("2024-01-04", "2024-01-07")])
        );
        assert_eq!(halves(Period::D1, week), None, "it is little already");
        assert!(halves(Period::D1, days("2014-01-01", "2023-12-29")).is_some());
        assert_eq!(halves(Period::W1, days("2014-01-01", "2023-12-29")), None, "its bars are longer");
        assert_eq!(halves(Period::M1, days("2024-01-02", "2024-01-02")), None);
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
