//! What is asked.

use super::super::request::{chart_url, window};
use super::*;
use crate::model::Contract;

const DAY: i64 = 86_400;

#[test]
fn every_period_is_asked_for_by_instants_and_never_by_range() {
    let now = day("2026-11-23").midnight();
    for (period, interval) in [
        ("1m", "1m"),
        ("10m", "5m"),
        ("20m", "5m"),
        ("30m", "30m"),
        ("1h", "60m"),
        ("1d", "1d"),
        ("1W", "1wk"),
        ("1M", "1mo"),
        ("3M", "3mo"),
    ] {
        let request = request("EURUSD=X", period, "2026-11-17", "2026-11-20");
        let url = chart_url(&request, now, Some("a/b")).unwrap();
        let text = url.as_str();
        assert!(text.contains("/v8/finance/chart/EURUSD%3DX?period1="), "{text}");
        assert!(text.contains(&format!("&interval={interval}&includePrePost=false")), "{text}");
        assert!(text.contains("events=div%2Csplits%2CcapitalGains&crumb=a%2Fb"), "{text}");
        assert!(!text.contains("range="), "{text}");
    }
    let index = chart_url(&request("^GSPC", "1d", "2026-11-17", "2026-11-20"), now, None).unwrap();
    assert!(index.path().ends_with("/%5EGSPC"), "{index}");
}

#[test]
fn what_yahoo_cannot_give_is_refused_in_words() {
    let mut dated = request("GC=F", "1d", "2026-11-17", "2026-11-20");
    dated.contract = Some(Contract { year: 2026, month: 12 });
    let refused = chart_url(&dated, 0, None).unwrap_err().to_string();
    assert!(refused.contains("no dated contracts"), "{refused}");
    let dots = request("..", "1d", "2026-11-17", "2026-11-20");
    assert!(matches!(chart_url(&dots, 0, None), Err(Refusal::Invalid { .. })));
}

#[test]
fn windows_within_the_limits_lose_no_trading_hour_at_any_time_of_day() {
    for period in Period::ALL {
        let Limits { reach_days: Some(reach), request_days: Some(span) } = limits(period) else {
            continue;
        };
        let enforced = match period {
            Period::M1 => 30 * DAY,
            Period::H1 => 730 * DAY,
            _ => 60 * DAY,
        };
        for second in [0, 43_200, DAY - 1] {
            let today = day("2026-11-23");
            let now = today.midnight() + second;
            let first = today.plus(-reach);
            let days = Days { first, last: first.plus(span - 1) };
            let (start, end) = window(period, days, now);
            assert_eq!(start, first.midnight() - DAY / 2, "{period}: not clamped");
            assert!(start > now - enforced, "{period}");
            if period == Period::M1 {
                assert!(end - start < 8 * DAY, "{period}");
                assert_eq!(end, days.last.plus(1).midnight() + 11 * 3600);
            }
        }
    }
}

#[test]
fn windows_beyond_the_limits_are_clamped() {
    let now = day("2026-11-23").midnight();
    let days = Days { first: day("2020-01-01"), last: day("2026-11-23") };
    assert_eq!(window(Period::M5, days, now).0, now - 60 * DAY + 3600);
    let (start, end) = window(Period::M1, days, now);
    assert_eq!((end, end - start), (now + 3600, 8 * DAY - 60));
    let ahead = Days { first: day("2027-01-01"), last: day("2027-01-01") };
    let (start, end) = window(Period::D1, ahead, now);
    assert!(start < end);
}

#[test]
fn long_bars_are_asked_for_whole_with_those_before_them() {
    let now = day("2026-11-23").midnight();
    let middle = Days { first: day("2026-05-20"), last: day("2026-05-20") };
    for (period, first, last) in [
        (Period::D1, "2026-05-10", "2026-05-20"),
        (Period::W1, "2026-05-04", "2026-05-24"),
        (Period::Mo1, "2026-04-01", "2026-05-31"),
        (Period::Mo3, "2026-01-01", "2026-06-30"),
    ] {
        let (start, end) = window(period, middle, now);
        assert_eq!(start, day(first).midnight() - DAY, "{period}");
        assert!(end >= day(last).plus(1).midnight() + 12 * 3600, "{period}");
    }
}
