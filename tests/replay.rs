//! An archive made again from the raw trail alone.

mod support;
mod yahoo_server;

use support::{Lab, at};
use vortex::model::Period;
use yahoo_server::rules::{Action, Rule};

fn split() -> Rule {
    let day = "2024-03-12".to_owned();
    Rule::new(Action::Split { day, ratio: 4.0, at: at("2024-03-12T14:00:00Z") })
}

#[test]
fn updates_dividends_and_a_split_are_replayed() {
    let lab = Lab::new("2024-01-10T22:00:00Z");
    lab.update(&["S0001", "AAPL"], Period::D1, "2023-01-03");
    lab.set_now("2024-03-08T22:00:00Z");
    lab.update(&["S0001", "AAPL"], Period::D1, "2023-01-03");
    lab.server.rule(split().symbol("S0001"));
    lab.set_now("2024-03-13T22:00:00Z");
    lab.update(&["S0001", "AAPL"], Period::D1, "2023-01-03");
    let again = lab.replayed();
    for symbol in ["S0001", "AAPL"] {
        assert!(again.bars(symbol, Period::D1).same(&lab.bars(symbol, Period::D1)), "{symbol}");
    }
}

#[test]
fn intraday_history_that_was_bridged_over_a_split_is_replayed() {
    let lab = Lab::new("2024-01-10T22:00:00Z");
    lab.update(&["S0001"], Period::M5, "2023-12-01");
    lab.server.rule(split());
    lab.set_now("2024-06-13T22:00:00Z");
    lab.update(&["S0001"], Period::M5, "2023-12-01");
    assert!(lab.replayed().bars("S0001", Period::M5).same(&lab.bars("S0001", Period::M5)));
}
