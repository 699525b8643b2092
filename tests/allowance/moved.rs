//! Pages that are not there: of all contracts, where the site has moved them, or of one that it never had.

use crate::barchart_server::{Action, Rule, Step};
use crate::{DAY, EVENING, World};

const FOUR: &str = r#"{"future": {
    "GOLD": {"code": "GC", "cycle": "GJMQVZ", "periods": "1d", "start_date": "2022-01-03", "days_count": 100},
    "SILVER": {"code": "SI", "cycle": "GJMQVZ", "periods": "1d", "start_date": "2022-01-03", "days_count": 100},
    "COPPER": {"code": "HG", "cycle": "HMUZ", "periods": "1d", "start_date": "2022-01-03", "days_count": 100},
    "OIL": {"code": "CL", "cycle": "HMUZ", "periods": "1d", "start_date": "2022-01-03", "days_count": 100}}}"#;
/// Those of two cycles of six months and two of four, four years of each and the first of 2026.
const CONTRACTS: usize = 2 * 25 + 2 * 17;

fn gone() -> Rule {
    Rule::new(Action::Reply { status: 404, body: "<html>Page Not Found</html>".into() }).at(Step::Page)
}

/// How often a page was asked for since the last time, of all symbols or of this one.
fn pages(world: &World, symbol: &str) -> u64 {
    let counts = world.server.counts();
    world.server.reset_counts();
    let of = |path: &&String| path.ends_with("/historical-download") && path.contains(symbol);
    counts.paths.iter().filter(|(path, _)| of(path)).map(|(_, count)| count).sum()
}

#[test]
fn pages_that_have_moved_settle_no_contract_and_end_the_asking() {
    let mut world = World::new(250, EVENING);
    world.instruments(FOUR);
    world.expect(0, &["download", "--yes", "--start-date", "2026-01-02"]);
    assert_eq!(world.home.csvs().len(), 4);
    world.server.rule(gone());
    world.pass(DAY);
    pages(&world, "");
    // Those that trade have bars: three of them say enough.
    world.expect(75, &["download", "--yes"]).says("does not list").says("answers 404");
    assert_eq!(pages(&world, ""), 3);
    // With the fourth two dozen.
    world.expect(75, &["download", "--yes"]);
    assert_eq!(pages(&world, ""), 24);
    world.server.clear_rules();
    world.pass(8 * DAY);
    world.expect(0, &["download", "--yes"]);
    assert_eq!(world.home.csvs().len(), CONTRACTS);
}

#[test]
fn a_contract_that_the_site_never_had_is_asked_for_four_times_and_then_once_a_year() {
    let mut world = World::new(250, EVENING);
    world.instruments(FOUR);
    world.server.rule(gone().symbol("GCZ23"));
    let run = |world: &World, code: i32| {
        world.expect(code, &["download", "--yes", "-s", "GOLD"]);
        pages(world, "GCZ23")
    };
    for left in [75, 75, 75, 0] {
        assert_eq!(run(&world, 75), 1);
        assert_eq!(run(&world, left), 0);
        // A run that is slow asks late.
        world.pass(7 * DAY + 3600);
    }
    assert_eq!(run(&world, 0), 0);
    assert_eq!(run(&world, 0), 0);
    world.server.clear_rules();
    world.pass(360 * DAY);
    assert_eq!(run(&world, 0), 1);
    assert!(world.home.csvs().keys().any(|path| path.ends_with("GOLD_20231200.csv")));
}
