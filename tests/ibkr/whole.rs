//! A whole update through everything at once.

use vortex::download::JobResult;
use vortex::model::{Class, Period};

use crate::ibkr_gateway::{Action, Options, Rule};
use crate::lab::{Lab, assert_same, bars_of, instrument};

const NOW: &str = "2024-06-05T21:00:00Z";
const START: &str = "2024-04-01";
const PERIODS: [Period; 3] = [Period::D1, Period::H1, Period::M15];

/// 50 contracts: 30 stocks, 5 currencies, 15 futures of three roots.
fn fifty() -> Vec<vortex::model::Instrument> {
    let stocks = (1..=30).map(|at| instrument(Class::Stock, &format!("S{at:04}")));
    let forex = ["EURUSD", "GBPUSD", "EURGBP", "USDCHF", "AUDUSD"].map(|code| instrument(Class::Forex, code));
    let futures = ["ES", "NQ", "GC"].map(|code| instrument(Class::Future, code));
    stocks.chain(forex).chain(futures).collect()
}

#[test]
fn fifty_contracts_come_through_every_trouble_and_no_limit_is_broken() {
    let mut lab = Lab::with(NOW, Options { taken: vec![1], ..Options::default() });
    lab.settings.timeout = 5;
    let gateway = &lab.gateway;
    gateway.rule(Rule::new(Action::HangUp {}).skip(10).times(1));
    gateway.rule(Rule::new(Action::Outage { milliseconds: 200, code: 1101 }).skip(40).times(1));
    gateway.rule(
        Rule::error(162, "Mensaje de error:Historical data request pacing violation").skip(70).times(1),
    );
    gateway.rule(Rule::new(Action::Silent {}).skip(100).times(1));
    gateway.rule(
        Rule::new(Action::NoticeBefore { code: 165, text: "HMDS server connection was successful".into() })
            .skip(5)
            .times(20),
    );
    let summary = lab.update(&fifty(), &PERIODS, START);
    assert_eq!(summary.results.len(), 150);
    let bad: Vec<_> = summary.results.iter().filter(|result| result.outcome.is_bad()).collect();
    assert_eq!(summary.result(), JobResult::Done, "{bad:?}");
    let counts = gateway.counts();
    assert_eq!(counts.violations, [], "{:?}", counts.history);
    assert!(counts.ten_minutes_most <= 60 && counts.open_most <= 50, "{counts:?}");
    assert!(counts.clients.contains(&2) && !counts.clients.contains(&1), "{:?}", counts.clients);
    assert!(counts.connections > 2 && counts.cancels > 0, "dropped and silent: {counts:?}");
    for result in &summary.results {
        assert_same(&lab.bars(&result.key), &lab.truth(&result.key, START), &result.key);
    }
    // Again, nothing is new and nothing is asked.
    gateway.reset_counts();
    let again = lab.update(&fifty(), &PERIODS, START);
    assert_eq!(again.result(), JobResult::Done, "{again:?}");
    let counts = gateway.counts();
    assert_eq!((counts.history.len(), counts.details, counts.heads), (0, 0, 0));
    // The raw trail alone gives the same archive.
    let (_home, archive, summary) = lab.replayed();
    assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
    for result in &summary.results {
        assert_same(&bars_of(&archive, &result.key), &lab.bars(&result.key), &result.key);
    }
}
