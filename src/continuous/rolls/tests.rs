//! Rolls by hand-made contracts, and what holds for any.

use super::*;
use proptest::prelude::*;

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// A contract of 2024 with a bar on consecutive days of January from the first on: what it has of the rule's
/// measure, with a close of 100 times its month; `None` is a day without a bar.
fn leg(month: u8, first: i32, measures: &[Option<f64>]) -> Leg {
    let contract = Contract { year: 2024, month };
    let bars = measures.iter().enumerate().filter_map(|(at, measure)| Some((at as i32, (*measure)?)));
    let (days, measures): (Vec<Day>, Vec<f64>) =
        bars.map(|(at, measure)| (day("2024-01-01").plus(first - 1 + at), measure)).unzip();
    let closes = vec![f64::from(month) * 100.0; days.len()];
    Leg { contract, days, closes, measures, last: contract.last_day() }
}

fn full(month: u8, first: i32, measures: &[f64]) -> Leg {
    leg(month, first, &measures.iter().copied().map(Some).collect::<Vec<_>>())
}

/// Month of each contract held, and the day of January from which on.
fn told(legs: &[Leg], rule: Rule) -> Vec<(u8, i32)> {
    let from = |hold: &Hold| hold.from.number() - day("2023-12-31").number();
    holds(legs, rule).iter().map(|hold| (legs[hold.leg].contract.month, from(hold))).collect()
}

#[test]
fn a_roll_takes_place_on_the_session_after_the_last_of_the_signal() {
    let legs = [full(2, 1, &[9.0, 8.0, 5.0, 4.0, 3.0, 2.0]), full(4, 1, &[1.0, 2.0, 6.0, 7.0, 8.0, 9.0])];
    assert_eq!(told(&legs, Rule::Volume(1)), [(2, 1), (4, 4)]);
    assert_eq!(told(&legs, Rule::Volume(2)), [(2, 1), (4, 5)]);
    assert_eq!(told(&legs, Rule::OpenInterest(4)), [(2, 1), (4, 7)], "decided, not yet taken place");
    let holds = holds(&legs, Rule::Volume(2));
    assert_eq!(holds[1].why, Why::More { held: 4.0, later: 7.0, sessions: 2 });
    assert_eq!(holds[1].closes, Some((day("2024-01-04"), 200.0, 400.0)));
}

#[test]
fn sessions_in_a_row_begin_anew_and_equal_is_not_more() {
    let legs = [full(2, 1, &[5.0; 6]), full(4, 1, &[6.0, 5.0, 6.0, 7.0, 7.0, 7.0])];
    assert_eq!(told(&legs, Rule::Volume(3)), [(4, 1)], "it begins with the greatest");
    let legs = [full(2, 1, &[7.0, 5.0, 5.0, 5.0, 5.0, 5.0]), full(4, 1, &[6.0, 6.0, 5.0, 7.0, 7.0, 7.0])];
    assert_eq!(told(&legs, Rule::Volume(2)), [(2, 1), (4, 6)]);
}

#[test]
fn it_never_goes_back_and_skips_what_nobody_trades() {
    let legs = [
        full(2, 1, &[9.0, 1.0, 9.0, 9.0, 9.0]),
        full(4, 1, &[1.0, 1.0, 1.0, 1.0, 1.0]),
        full(6, 1, &[2.0, 5.0, 5.0, 5.0, 5.0]),
    ];
    assert_eq!(told(&legs, Rule::Volume(1)), [(2, 1), (6, 3)]);
}

#[test]
fn a_contract_that_ends_is_left_on_its_last_session() {
    let mut legs = [full(2, 1, &[9.0, 9.0, 9.0]), full(4, 1, &[1.0; 6]), full(6, 1, &[2.0; 6])];
    legs[0].last = day("2024-01-03");
    let found = holds(&legs, Rule::Volume(3));
    assert_eq!((found[1].leg, found[1].from, &found[1].why), (2, day("2024-01-04"), &Why::Ended));
    // By the calendar, where its day comes too late, to the next one.
    let found = holds(&legs, Rule::Calendar(1));
    assert_eq!((found[1].leg, found[1].from, &found[1].why), (1, day("2024-01-04"), &Why::Ended));
}

#[test]
fn the_calendar_counts_weekdays_before_the_month() {
    let day_of = |before, month| Rule::Calendar(before).roll_day(Contract { year: 2024, month }).unwrap();
    // 2024-02-01 is a Thursday, 2024-06-01 a Saturday.
    assert_eq!(day_of(0, 2), day("2024-02-01"));
    assert_eq!(day_of(5, 2), day("2024-01-25"));
    assert_eq!(day_of(1, 6), day("2024-05-31"));
    assert_eq!(day_of(-2, 6), day("2024-06-04"));
    // The session of the 25th is the first without February.
    let legs = [full(2, 15, &[1.0; 17]), full(3, 1, &[1.0; 31])];
    assert_eq!(told(&legs, Rule::Calendar(5)), [(3, 1)], "the first session has March alone");
    assert_eq!(told(&legs[..1], Rule::Calendar(5)), [(2, 15)]);
    let legs = [full(2, 15, &[1.0; 17]), full(3, 16, &[1.0; 16])];
    assert_eq!(told(&legs, Rule::Calendar(5)), [(2, 15), (3, 25)]);
}

#[test]
fn after_a_gap_it_begins_again_and_nothing_is_compared_over_it() {
    let mut legs = [full(2, 1, &[9.0, 9.0]), full(4, 10, &[1.0, 1.0])];
    legs[0].last = day("2024-01-02");
    let found = holds(&legs, Rule::Volume(1));
    assert_eq!((found[1].from, &found[1].why, found[1].closes), (day("2024-01-10"), &Why::Gap, None));
}

#[test]
fn a_day_without_a_bar_counts_as_none_traded_and_closes_are_compared_where_both_are() {
    let legs =
        [leg(2, 1, &[Some(9.0), Some(9.0), None, None, Some(9.0)]), full(4, 1, &[1.0, 1.0, 1.0, 1.0, 1.0])];
    let found = holds(&legs, Rule::Volume(2));
    assert_eq!(
        (found[1].from, found[1].closes),
        (day("2024-01-05"), Some((day("2024-01-02"), 200.0, 400.0)))
    );
}

fn legs() -> impl Strategy<Value = Vec<Leg>> {
    let one = (1i32..20, prop::collection::vec(prop::option::weighted(0.9, 0u8..20), 1..40));
    prop::collection::vec(one, 1..5).prop_map(|legs| {
        let with_month = legs.into_iter().zip([2u8, 4, 6, 8]);
        let made = with_month.map(|((first, measures), month)| {
            let measures: Vec<_> = measures.into_iter().map(|measure| measure.map(f64::from)).collect();
            leg(month, first, &measures)
        });
        made.filter(|leg| !leg.days.is_empty()).collect()
    })
}

proptest! {
    /// What is decided by a session rests on it and earlier ones: cutting off all later bars changes nothing.
    #[test]
    fn nothing_looks_ahead(legs in legs(), cut in 1i32..60, sessions in 1u32..4, before in -5i32..30) {
        let cut = day("2024-01-01").plus(cut);
        let mut known = legs.clone();
        for leg in &mut known {
            let upto = leg.days.partition_point(|day| *day <= cut);
            leg.days.truncate(upto);
        }
        // The legs keep their places; one that has not begun has no day.
        for rule in [Rule::Volume(sessions), Rule::OpenInterest(sessions)] {
            let whole: Vec<_> = holds(&legs, rule).into_iter().filter(|hold| hold.from <= cut).collect();
            let then: Vec<_> = holds(&known, rule).into_iter().filter(|hold| hold.from <= cut).collect();
            prop_assert_eq!(whole, then);
        }
        let rule = Rule::Calendar(before);
        prop_assert!(holds(&legs, rule).windows(2).all(|pair| pair[0].leg < pair[1].leg));
    }

    /// It goes forwards in contracts and in time.
    #[test]
    fn never_back(legs in legs(), sessions in 1u32..4) {
        let found = holds(&legs, Rule::Volume(sessions));
        prop_assert!(found.windows(2).all(|pair| pair[0].leg < pair[1].leg && pair[0].from < pair[1].from));
    }
}
