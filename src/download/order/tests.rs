use proptest::prelude::*;

use super::*;

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

const TODAY: &str = "2026-11-25";

fn window(first: &str, last: &str) -> Option<Days> {
    Days::new(day(first), day(last))
}

fn contract(year: i16, month: u8) -> Option<Contract> {
    Some(Contract { year, month })
}

/// What is asked for, in order, as places of the candidates.
fn order(candidates: &[Candidate<'_>]) -> Vec<usize> {
    let turns = turns(candidates, day(TODAY));
    let mut places: Vec<usize> = (0..candidates.len()).collect();
    places.sort_by_key(|at| turns[*at]);
    places
}

const NOTHING: Candidate<'static> =
    Candidate { instrument: "GOLD", contract: None, window: None, reach: None, asked_at: 0, place: 0 };

#[test]
fn what_leaves_goes_first_then_what_trades_then_the_newest_gap() {
    let old =
        Candidate { contract: contract(2019, 6), window: window("2018-07-01", "2019-06-30"), ..NOTHING };
    let newer =
        Candidate { contract: contract(2026, 9), window: window("2026-01-01", "2026-09-30"), ..NOTHING };
    let trading = Candidate { contract: contract(2026, 12), window: window("2026-11-24", TODAY), ..NOTHING };
    let leaving = Candidate {
        contract: contract(2016, 12),
        window: window("2016-11-30", "2016-12-31"),
        reach: Some(day("2016-11-25")),
        ..NOTHING
    };
    let not_yet = Candidate { reach: Some(day("2010-01-01")), ..newer };
    assert_eq!(order(&[NOTHING, old, newer, trading, leaving, not_yet]), [4, 3, 2, 5, 1, 0]);
}

#[test]
fn an_expired_contract_is_a_gap_even_on_the_day_after() {
    let expired = Candidate { contract: contract(2026, 10), window: window("2026-10-20", TODAY), ..NOTHING };
    assert_eq!(expired.purpose(day(TODAY)), Purpose::Gap);
    let trading = Candidate { contract: contract(2026, 11), ..expired };
    assert_eq!(trading.purpose(day(TODAY)), Purpose::Newest);
}

#[test]
fn instruments_take_turns_and_who_waited_longest_begins() {
    let of = |instrument, month, first, asked_at| Candidate {
        instrument,
        contract: contract(2027, month),
        window: window(first, TODAY),
        reach: None,
        asked_at,
        place: 0,
    };
    let candidates = [
        of("GOLD", 2, "2026-11-24", 900),
        of("GOLD", 4, "2026-05-01", 0),
        of("GOLD", 6, "2026-06-01", 0),
        of("OIL", 2, "2026-11-23", 800),
        of("OIL", 1, "2026-11-23", 800),
        of("WHEAT", 3, "2026-03-01", 0),
    ];
    // Wheat was never asked for; oil before gold. Each begins with what is most behind, then expires first.
    assert_eq!(order(&candidates), [5, 4, 1, 3, 2, 0]);
}

fn candidates() -> impl Strategy<Value = Vec<(usize, u8, i32, i32, bool, i64)>> {
    prop::collection::vec((0..4usize, 1..12u8, 0..2000i32, 0..400i32, any::<bool>(), 0..3i64), 0..60)
}

proptest! {
    /// Whatever is missing: each has one turn, purposes do not mix, gaps go from new to old, and between two
    /// requests for one instrument each other one has had its own, if it has one of that kind.
    #[test]
    fn the_order_is_fair(drawn in candidates()) {
        let names = ["A", "B", "C", "D"];
        let today = day(TODAY);
        let all: Vec<Candidate<'_>> = drawn.iter().enumerate().map(|(place, &(who, month, back, length, minutes, asked_at))| {
            let last = today.plus(-back / 20 * 20);
            Candidate {
                instrument: names[who],
                contract: Some(Contract { year: 2026, month }),
                window: Days::new(last.plus(-length), last),
                reach: minutes.then(|| today.plus(-1800)),
                asked_at,
                place,
            }
        }).collect();
        let ordered = order(&all);
        let mut places = ordered.clone();
        places.sort_unstable();
        prop_assert_eq!(places, (0..all.len()).collect::<Vec<_>>());
        for pair in ordered.windows(2) {
            let (one, next) = (all[pair[0]], all[pair[1]]);
            prop_assert!(one.purpose(today) <= next.purpose(today));
            if one.purpose(today) == Purpose::Gap && next.purpose(today) == Purpose::Gap {
                prop_assert!(one.window.unwrap().last >= next.window.unwrap().last);
            }
        }
        let group = |at: &usize| (all[*at].turn(today).purpose, all[*at].turn(today).end);
        for chunk in ordered.chunk_by(|one, other| group(one) == group(other)) {
            let had = |name: &str, until: usize| {
                chunk[..until].iter().filter(|at| all[**at].instrument == name).count()
            };
            for until in 0..chunk.len() {
                let next = all[chunk[until]].instrument;
                for other in names {
                    let waits = had(other, chunk.len()) > had(other, until);
                    prop_assert!(!waits || had(other, until) >= had(next, until), "{next} before {other}");
                }
            }
        }
    }
}
