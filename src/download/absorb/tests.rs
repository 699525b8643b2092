//! What is known of a contract after an answer, by hand-made answers.

use super::*;
use crate::model::{Class, Column, Period};

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn days(first: &str, last: &str) -> Days {
    Days::new(day(first), day(last)).unwrap()
}

/// GOLD of February 2024.
fn gold(period: Period) -> SeriesKey {
    let contract = Some(Contract { year: 2024, month: 2 });
    SeriesKey { provider: "barchart".into(), class: Class::Future, symbol: "GOLD".into(), contract, period }
}

/// An answer of Chicago at that date's midnight UTC, the day before it being the last that is over.
fn answer(today: &str, columns: &'static [Column], stamps: &[i64]) -> Answer {
    let mut bars = Bars::new(columns);
    stamps.iter().for_each(|stamp| bars.push(*stamp, &[2000.0; 6]));
    let meta = SeriesMeta {
        exchange: Some("COMEX".into()),
        zone: Some("America/Chicago".into()),
        session_open: Some(-7 * 3600),
        session_close: Some(16 * 3600),
        ..SeriesMeta::default()
    };
    let clock = day(today).midnight();
    let finished = Some(day(today).plus(-1));
    let (splits, sessions, dropped, notes) = <(Vec<_>, Vec<_>, Vec<_>, Vec<_>)>::default();
    Answer { bars, meta, splits, sessions, first_day: None, finished, clock, dropped, notes }
}

fn daily(state: &SeriesState, asked: Days, today: &str, with_bar: &[&str]) -> SeriesState {
    let key = gold(Period::D1);
    let stamps: Vec<i64> = with_bar.iter().map(|date| day(date).midnight()).collect();
    learn(state, &key, asked, asked.first, &answer(today, key.columns(), &stamps))
}

fn marks(state: &SeriesState, range: Days) -> Vec<Mark> {
    range.iter().map(|day| state.coverage.get(day)).collect()
}

#[test]
fn a_day_without_a_bar_is_known_as_empty_once_a_later_bar_stands() {
    use Mark::{Empty, Present, Unknown};
    let week = days("2023-10-02", "2023-10-06");
    let state = daily(&SeriesState::default(), week, "2023-10-07", &["2023-10-03"]);
    assert_eq!(marks(&state, week), [Empty, Present, Unknown, Unknown, Unknown]);
    let state = daily(&state, days("2023-10-03", "2023-10-09"), "2023-10-10", &["2023-10-03", "2023-10-06"]);
    assert_eq!(marks(&state, week), [Empty, Present, Empty, Empty, Present]);
    // A bar before the first one takes the place of the mark.
    let state = daily(&state, week, "2023-10-10", &["2023-10-02"]);
    assert_eq!(marks(&state, week), [Present, Present, Empty, Empty, Present]);
}

#[test]
fn what_follows_the_last_bar_is_left_open_until_the_contract_is_settled() {
    use Mark::{AfterExpiry, Present, Unknown};
    let (asked, end) = (days("2024-02-26", "2024-02-29"), days("2024-02-27", "2024-03-01"));
    let state = daily(&SeriesState::default(), asked, "2024-03-01", &["2024-02-26"]);
    assert_eq!(marks(&state, end), [Unknown; 4]);
    assert_eq!(state.asked_at, day("2024-03-01").midnight());
    // The last answer lacked the last trading day; the one after settlement has it.
    let state = daily(&state, asked, "2024-03-06", &["2024-02-26", "2024-02-27"]);
    assert_eq!(marks(&state, end), [Present, AfterExpiry, AfterExpiry, Unknown]);
}

#[test]
fn a_contract_is_unlisted_where_it_was_looked_for_long_before_its_first_bar() {
    use Mark::{BeforeListing, Empty, Present};
    let around = days("2024-01-01", "2024-01-02");
    // The first day that is wanted is a holiday: it may have traded before.
    let state = daily(&SeriesState::default(), around, "2024-01-03", &["2024-01-02"]);
    assert_eq!(marks(&state, around), [Empty, Present]);
    let earlier = days("2023-12-01", "2024-01-02");
    let unlisted = daily(&SeriesState::default(), earlier, "2024-01-03", &["2024-01-02"]);
    assert_eq!(marks(&unlisted, around), [BeforeListing, Present]);
    let traded = daily(&unlisted, earlier, "2024-01-03", &["2023-12-29"]);
    assert_eq!(marks(&traded, days("2023-12-28", "2024-01-02"))[..4], [BeforeListing, Present, Empty, Empty]);
}

#[test]
fn bars_behind_the_month_move_the_end_along() {
    use Mark::{AfterExpiry, Empty, Present, Unknown};
    let (asked, end) = (days("2024-02-26", "2024-03-05"), days("2024-02-29", "2024-03-05"));
    let bars = ["2024-02-29", "2024-03-01", "2024-03-04"];
    let state = daily(&SeriesState::default(), asked, "2024-03-06", &bars);
    assert_eq!(marks(&state, end), [Present, Present, Empty, Empty, Present, Unknown]);
    // An answer about the same days of long ago does not show that nothing came after them.
    let old = daily(&SeriesState::default(), asked, "2025-01-01", &bars);
    assert_eq!((marks(&old, end), old.asked_at), (marks(&state, end), 0));
    let further = days("2024-02-26", "2024-03-20");
    let over = daily(&state, further, "2024-03-21", &bars);
    assert_eq!(marks(&over, days("2024-03-04", "2024-03-06")), [Present, AfterExpiry, AfterExpiry]);
    assert_eq!(over.asked_at, day("2024-03-21").midnight());
}

#[test]
fn a_contract_that_the_provider_never_had_is_known_as_empty() {
    let (key, asked) = (gold(Period::D1), days("2023-12-01", "2024-02-29"));
    let early = learn_empty(&SeriesState::default(), &key, asked, day("2024-03-01").midnight());
    assert_eq!((early.coverage.known(), early.asked_at > 0), (None, true));
    let state = learn_empty(&early, &key, asked, day("2024-03-10").midnight());
    assert!(marks(&state, asked).iter().all(|mark| *mark == Mark::Empty));
    assert_eq!(state.coverage.known(), Some(asked));
}

#[test]
fn days_that_seemed_out_of_reach_and_were_asked_for_all_the_same_are_known() {
    let (key, asked) = (gold(Period::D1), days("2023-12-01", "2024-02-29"));
    let mut state = SeriesState::default();
    state.coverage.set(asked, Mark::OutOfReach);
    let state = learn_empty(&state, &key, asked, day("2024-03-10").midnight());
    assert!(marks(&state, asked).iter().all(|mark| *mark == Mark::Empty));
}

#[test]
fn the_evening_before_counts_for_its_trading_date() {
    let key = gold(Period::H1);
    let chicago = jiff::tz::TimeZone::get("America/Chicago").unwrap();
    let sunday = day("2024-01-14");
    let stamps = [17, 18, 24 + 9].map(|hour| sunday.instant(hour * 3600, &chicago));
    let week = days("2024-01-14", "2024-01-16");
    let answer = answer("2024-01-17", key.columns(), &stamps);
    let state = learn(&SeriesState::default(), &key, week, week.first, &answer);
    assert_eq!(marks(&state, week), [Mark::Empty, Mark::Present, Mark::Unknown]);
}
