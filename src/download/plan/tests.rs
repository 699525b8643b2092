//! Planning, scene by scene.

use super::*;
use crate::archive::SessionCounts;
use crate::model::Class;

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn days(first: &str, last: &str) -> Days {
    Days::new(day(first), day(last)).unwrap()
}

/// New York at 2024-03-15 (a Friday) 12:00, before the close.
const NOON: i64 = 1_710_518_400;

struct Scene {
    state: SeriesState,
    key: SeriesKey,
    limits: Limits,
    now: i64,
    counts: SessionCounts,
}

impl Scene {
    fn new(period: Period, limits: Limits) -> Scene {
        let meta = SeriesMeta {
            exchange: Some("NMS".to_owned()),
            zone: Some("America/New_York".to_owned()),
            session_open: Some(34_200),
            session_close: Some(57_600),
            con_id: None,
            ..SeriesMeta::default()
        };
        let state = SeriesState { meta, ..SeriesState::default() };
        let (provider, symbol) = ("yahoo".to_owned(), "A".to_owned());
        let key = SeriesKey { provider, class: Class::Stock, symbol, contract: None, period };
        Scene { state, key, limits, now: NOON, counts: SessionCounts::default() }
    }

    /// Every weekday of the range has a bar, weekends none.
    fn stored(mut self, first: &str, last: &str) -> Scene {
        for day in days(first, last).iter() {
            self.state.coverage.set_day(day, if day.is_weekend() { Mark::Empty } else { Mark::Present });
        }
        self
    }

    fn asked(mut self, at: i64) -> Scene {
        self.state.asked_at = at;
        self.state.pending_asked_at = at;
        self
    }

    fn at<T>(&self, use_it: impl FnOnce(&Standpoint<'_>) -> T) -> T {
        let today = today_of(&self.state.meta, self.now);
        let judge = Judge::new(&self.counts, &self.key, &self.state.meta, today);
        let (key, state, limits, now) = (&self.key, &self.state, self.limits, self.now);
        use_it(&Standpoint { key, state, judge, limits, today, now })
    }

    fn plan(&self, wanted: Wanted) -> Plan {
        self.at(|at| plan(at, &wanted))
    }
}

const FREE: Limits = Limits { reach_days: None, request_days: None };
const MINUTE: Limits = Limits { reach_days: Some(28), request_days: Some(7) };

fn since(from: &str) -> Wanted {
    Wanted { from: day(from), to: None, force: false, backfill: true, chunk: None }
}

#[test]
fn a_new_series_is_one_window_where_the_provider_has_no_limits() {
    let plan = Scene::new(Period::D1, FREE).plan(since("2000-01-01"));
    assert_eq!(plan.windows, [days("2000-01-01", "2024-03-15")]);
}

#[test]
fn limited_windows_come_newest_first_and_the_rest_is_out_of_reach() {
    let plan = Scene::new(Period::M1, MINUTE).plan(since("2024-01-01"));
    assert_eq!(plan.windows.first(), Some(&days("2024-03-12", "2024-03-15")));
    assert_eq!(plan.windows.last(), Some(&days("2024-02-16", "2024-02-16")));
    assert_eq!(plan.out_of_reach, [days("2024-01-01", "2024-02-15")]);
}

#[test]
fn nothing_is_asked_while_the_next_bar_cannot_exist() {
    let yesterday_evening = NOON - 16 * 3600;
    let scene = Scene::new(Period::D1, FREE).stored("2024-01-02", "2024-03-14").asked(yesterday_evening);
    assert_eq!(scene.plan(since("2024-01-02")), Plan::default());
    let evening = Scene { now: NOON + 5 * 3600, ..scene };
    assert_eq!(evening.plan(since("2024-01-02")).windows, [days("2024-03-15", "2024-03-15")]);
    let asked = evening.stored("2024-01-02", "2024-03-15").asked(NOON + 5 * 3600);
    for hours in [6, 24, 48, 60] {
        let weekend = Scene { now: NOON + hours * 3600, ..asked_again(&asked) };
        assert_eq!(weekend.plan(since("2024-01-02")).windows, [], "{hours} hours later");
    }
}

fn asked_again(scene: &Scene) -> Scene {
    let (key, state, counts) = (scene.key.clone(), scene.state.clone(), scene.counts.clone());
    Scene { key, state, counts, ..*scene }
}

#[test]
fn a_due_day_is_asked_for_once_even_where_it_stayed_empty() {
    let mut scene = Scene::new(Period::D1, FREE).stored("2024-01-02", "2024-03-14").asked(NOON + 5 * 3600);
    scene.now = NOON + 6 * 3600;
    assert_eq!(scene.plan(since("2024-01-02")).windows, []);
}

#[test]
fn intraday_is_due_while_the_market_is_open() {
    let scene = Scene::new(Period::M5, FREE).stored("2024-03-01", "2024-03-14").asked(NOON - 240);
    assert_eq!(scene.plan(since("2024-03-01")).windows, []);
    let later = scene.asked(NOON - 300);
    assert_eq!(later.plan(since("2024-03-01")).windows, [days("2024-03-15", "2024-03-15")]);
}

#[test]
fn gaps_inside_are_found_whatever_the_last_bar_is() {
    let scene = Scene::new(Period::D1, FREE)
        .stored("2005-01-03", "2010-12-31")
        .stored("2024-01-02", "2024-03-14")
        .asked(NOON - 3600);
    assert_eq!(scene.plan(since("2005-01-03")).windows, [days("2011-01-01", "2024-01-01")]);
    let wide = scene.at(|at| with_overlap(at, days("2011-01-01", "2024-01-01")));
    assert_eq!(wide, days("2010-12-20", "2024-01-15"));
}

#[test]
fn a_pending_session_widens_the_next_request_and_is_asked_alone_once_a_day() {
    let mut scene = Scene::new(Period::D1, FREE).stored("2024-01-02", "2024-03-14").asked(NOON - 3600);
    scene.state.coverage.set_day(day("2024-03-07"), Mark::EmptySession);
    assert_eq!(scene.plan(since("2024-01-02")).windows, []);
    scene.state.pending_asked_at = NOON - 24 * 3600;
    assert_eq!(scene.plan(since("2024-01-02")).windows, [days("2024-03-07", "2024-03-07")]);
    scene.state.pending_asked_at = NOON - 3600;
    scene.now = NOON + 5 * 3600;
    assert_eq!(scene.plan(since("2024-01-02")).windows, [days("2024-03-07", "2024-03-15")]);
}

#[test]
fn the_newest_pending_session_is_asked_for_once_an_hour() {
    let mut scene = Scene::new(Period::D1, FREE).stored("2024-01-02", "2024-03-13").asked(NOON - 3600);
    scene.state.coverage.set_day(day("2024-03-14"), Mark::EmptySession);
    assert_eq!(scene.plan(since("2024-01-02")).windows, [days("2024-03-14", "2024-03-14")]);
    scene.state.pending_asked_at = NOON - 3599;
    assert_eq!(scene.plan(since("2024-01-02")).windows, []);
}

#[test]
fn a_tail_wider_than_one_request_goes_forwards_from_what_is_stored() {
    let scene = Scene::new(Period::M1, MINUTE).stored("2024-02-20", "2024-03-01").asked(NOON - 14 * 86_400);
    let plan = scene.plan(since("2024-02-20"));
    assert_eq!(plan.windows.first(), Some(&days("2024-03-02", "2024-03-05")));
    let wide = scene.at(|at| with_overlap(at, plan.windows[0]));
    assert_eq!(wide, days("2024-03-01", "2024-03-05"));
}

#[test]
fn a_person_limits_new_days_and_the_overlap_comes_on_top() {
    let scene = Scene::new(Period::D1, FREE).stored("2024-01-02", "2024-02-29").asked(1);
    let plan = scene.plan(Wanted { chunk: Some(7), ..since("2024-01-02") });
    assert_eq!(plan.windows.first(), Some(&days("2024-03-01", "2024-03-07")));
    let wide = scene.at(|at| with_overlap(at, plan.windows[0]));
    assert_eq!(wide, days("2024-02-16", "2024-03-07"));
}

#[test]
fn weeks_are_due_when_they_are_over() {
    let mut scene = Scene::new(Period::W1, FREE).asked(NOON - 86_400);
    scene.state.coverage.set(days("2024-01-01", "2024-03-10"), Mark::Present);
    assert_eq!(scene.plan(since("2024-01-01")).windows, []);
    scene.now = NOON + 3 * 86_400;
    assert_eq!(scene.plan(since("2024-01-01")).windows, [days("2024-03-11", "2024-03-18")]);
    let wide = scene.at(|at| with_overlap(at, days("2024-03-11", "2024-03-18")));
    assert_eq!(wide.first, day("2024-01-01"));
}

#[test]
fn no_backfill_asks_for_nothing_older_than_the_first_bar() {
    let scene = Scene::new(Period::D1, FREE).stored("2024-01-02", "2024-03-14").asked(NOON - 3600);
    assert_eq!(scene.plan(since("2000-01-01")).windows, [days("2000-01-01", "2024-01-01")]);
    let wanted = Wanted { backfill: false, ..since("2000-01-01") };
    assert_eq!(scene.plan(wanted).windows, []);
    let forced = Wanted { force: true, ..wanted };
    assert_eq!(scene.plan(forced).windows, [days("2024-01-02", "2024-03-15")]);
}

/// ES of March 2024, a month before 2024-03-15, with bars since the beginning of the year.
fn contract(year: i16, month: u8) -> Scene {
    let mut scene = Scene::new(Period::D1, FREE).stored("2024-01-02", "2024-03-14").asked(NOON - 16 * 3600);
    scene.key.contract = Some(Contract { year, month });
    scene
}

/// The windows that the contract's own days are asked for with, that many hours later.
fn later(scene: &Scene, hours: i64) -> Vec<Days> {
    let scene = Scene { now: NOON + hours * 3600, ..asked_again(scene) };
    scene.plan(since("2024-01-02")).windows
}

#[test]
fn a_contract_that_trades_is_asked_for_like_any_series() {
    let scene = contract(2024, 6);
    assert_eq!(later(&scene, 0), []);
    assert_eq!(later(&scene, 5), [days("2024-03-15", "2024-03-15")]);
}

#[test]
fn an_expired_contract_is_asked_for_once_more_and_never_again() {
    // Its month ends on 2024-03-31; it traded until the 14th.
    let mut scene = contract(2024, 3);
    scene.state.asked_at = NOON + 11 * 24 * 3600;
    assert_eq!(later(&scene, 12 * 24), [], "no bar for ten days: it is over");
    assert_eq!(later(&scene, 20 * 24), [], "still settling on 2024-04-04");
    assert_eq!(later(&scene, 21 * 24), [days("2024-03-15", "2024-04-05")]);
    assert_eq!(later(&scene, 99 * 24), [days("2024-03-15", "2024-04-14")]);
    scene.state.asked_at = NOON + 21 * 24 * 3600;
    assert_eq!(later(&scene, 21 * 24 + 1), [], "whatever came of it");
    assert_eq!(later(&scene, 4000 * 24), []);
}

#[test]
fn days_on_which_nobody_asked_are_not_quiet() {
    // Last asked on 2024-03-14, in their last hundred days; the next run comes two weeks later.
    for month in [3, 6] {
        assert_eq!(later(&contract(2024, month), 14 * 24), [days("2024-03-15", "2024-03-29")], "{month}");
    }
}

#[test]
fn a_contract_that_trades_behind_its_month_is_followed_to_its_end() {
    // February's, with bars until 2024-03-14.
    let mut scene = contract(2024, 2);
    assert_eq!(later(&scene, 5), [days("2024-03-15", "2024-03-15")]);
    scene.state.asked_at = NOON + 5 * 3600;
    assert_eq!(later(&scene, 6), []);
    assert_eq!(later(&scene, 24 * 24), [days("2024-03-15", "2024-04-08")], "over since the 24th");
    scene.state.asked_at = NOON + 24 * 24 * 3600;
    assert_eq!(later(&scene, 4000 * 24), []);
}

#[test]
fn behind_its_month_a_contract_that_ended_before_is_asked_for_once() {
    let mut scene = Scene::new(Period::D1, FREE).stored("2024-01-02", "2024-02-22").asked(NOON - 15 * 86_400);
    scene.key.contract = Some(Contract { year: 2024, month: 2 });
    // On 2024-02-29, the day after it was asked for; in the first days of March; when it is settled.
    assert_eq!(later(&scene, -15 * 24 + 12), [days("2024-02-23", "2024-02-29")]);
    for days_ago in 12..=14 {
        assert_eq!(later(&scene, -24 * days_ago), [], "{days_ago} days ago");
    }
    assert_eq!(later(&scene, -24 * 10), [days("2024-02-23", "2024-03-05")]);
}

#[test]
fn a_few_bars_do_not_tell_on_which_weekdays_there_are_sessions() {
    // One bar alone, of Thursday the 14th, asked for in the evening of that day.
    let scene = Scene::new(Period::D1, FREE).stored("2024-03-14", "2024-03-14").asked(NOON - 16 * 3600);
    let evening = Scene { now: NOON + 5 * 3600, ..scene };
    assert_eq!(evening.plan(since("2024-03-14")).windows, [days("2024-03-15", "2024-03-15")]);
}

#[test]
fn a_contract_that_seldom_trades_is_asked_for_once_a_week() {
    let mut scene = contract(2024, 12);
    scene.state.asked_at = NOON + 11 * 24 * 3600;
    assert_eq!(later(&scene, 17 * 24), []);
    assert_eq!(later(&scene, 18 * 24), [days("2024-03-15", "2024-04-02")]);
    // The same for one that never had a bar.
    scene.state.coverage = Coverage::default();
    assert_eq!(later(&scene, 17 * 24), []);
    assert_eq!(later(&scene, 18 * 24), [days("2024-01-02", "2024-04-02")]);
}

#[test]
fn what_a_wrong_clock_called_out_of_reach_is_asked_for_and_what_the_provider_refused_is_not() {
    let mut scene = Scene::new(Period::M1, MINUTE).stored("2024-03-11", "2024-03-14").asked(NOON);
    // Reached are the days since 2024-02-16.
    scene.state.coverage.set(days("2024-02-01", "2024-03-10"), Mark::OutOfReach);
    scene.state.coverage.set(days("2024-02-16", "2024-03-05"), Mark::TooOld);
    assert_eq!(
        scene.plan(since("2024-02-01")).windows,
        [days("2024-03-07", "2024-03-10"), days("2024-03-06", "2024-03-06")]
    );
}
