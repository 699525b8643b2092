//! Contracts whose numbers the broker does not know any more.

use vortex::download::{JobResult, Outcome};
use vortex::model::{Class, Period, SeriesKey};

use crate::ibkr_gateway::{Action, Kind, Rule};
use crate::lab::{Lab, assert_same, instrument, key};

const START: &str = "2024-05-01";

/// A laboratory whose archive knows a stock and a future by numbers that the broker has replaced since, a day later.
fn renumbered() -> (Lab, Vec<vortex::model::Instrument>) {
    let lab = Lab::new("2024-06-05T21:00:00Z");
    let all = vec![instrument(Class::Stock, "AAPL"), instrument(Class::Future, "ES")];
    assert_eq!(lab.update(&all, &[Period::D1], START).result(), JobResult::Done);
    ["AAPL", "ES"].into_iter().for_each(|symbol| lab.gateway.renumber(symbol));
    lab.set_now("2024-06-06T21:00:00Z");
    lab.gateway.reset_counts();
    (lab, all)
}

fn number(lab: &Lab, key: &SeriesKey) -> Option<i64> {
    lab.archive().series(key).unwrap().unwrap().state.meta.con_id
}

#[test]
fn a_number_that_is_not_known_any_more_is_looked_for_by_its_code_again() {
    let (lab, all) = renumbered();
    let stock = key(Class::Stock, "AAPL", None, Period::D1);
    let before = number(&lab, &stock);
    let summary = lab.update(&all, &[Period::D1], START);
    assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
    let updated = summary.results.iter().filter(|result| result.outcome == Outcome::Done);
    for result in updated {
        assert_same(&lab.bars(&result.key), &lab.truth(&result.key, START), &result.key);
        let told = result.notes.iter().filter(|note| note.contains("does not know the contract")).count();
        assert_eq!(told, 1, "{result:?}");
    }
    let after = number(&lab, &stock);
    assert!(after.is_some() && after != before, "{after:?}");
    // Known by the new number from now on.
    lab.gateway.reset_counts();
    lab.set_now("2024-06-07T21:00:00Z");
    let again = lab.update(&all[..1], &[Period::D1], START);
    assert_eq!((again.result(), &again.results[0].notes[..]), (JobResult::Done, &[][..]));
    assert_eq!(lab.gateway.counts().details, 1);
}

#[test]
fn what_is_found_by_the_code_must_have_the_bars_that_are_stored() {
    let (lab, all) = renumbered();
    let stock = key(Class::Stock, "AAPL", None, Period::D1);
    let (bars, before) = (lab.bars(&stock), number(&lab, &stock));
    lab.gateway.rule(Rule::new(Action::Scale { factor: 1.37 }));
    let summary = lab.update(&all[..1], &[Period::D1], START);
    assert!(
        matches!(&summary.results[0].outcome, Outcome::Suspect(why) if why.contains("was the contract")),
        "{summary:?}"
    );
    assert!(lab.bars(&stock).same(&bars));
    assert_eq!(number(&lab, &stock), before);
}

#[test]
fn a_contract_that_is_known_by_neither_ends_as_before() {
    let (lab, all) = renumbered();
    let unknown = "No security definition has been found for the request";
    lab.gateway.rule(Rule::error(200, unknown).on(Kind::Details));
    let summary = lab.update(&all[..1], &[Period::D1], START);
    let said = format!("{:?}", summary.results[0].outcome);
    assert!(said.contains("Failed") && said.contains("check `code`"), "{said}");
    assert_eq!(lab.gateway.counts().details, 4, "each twice, by number and by code, and no more");
}
