//! The rest of the commands that write an archive, each in the smallest one in which it has all to do that it can.

use crate::archives::to_the_first_schema;
use crate::binary::Home;
use crate::exports::{Export, rows, weekdays};
use crate::scenarios::{Scenario, Times, damage, nothing, scenario, words};

/// Revert, repair, a catalogue that is migrated, import, a continuous series; and a look at all of it.
pub(crate) fn others() -> Vec<Scenario> {
    let times = Times::now();
    let download = || times.download("-s AAPL GE MSFT --period 1d");
    let (server, config) = times.server(times.first);
    let first = scenario("first download of three", download(), Some(server), config, None, nothing);
    let first = Some(first.after());
    let (server, config) = times.server(times.second);
    let migration =
        scenario("migration", download(), Some(server), config, first.as_deref(), to_the_first_schema);
    let (server, config) = times.server(times.second);
    times.rewrite(&server);
    let restated =
        scenario("restatement", download(), Some(server), config.clone(), first.as_deref(), nothing);
    let restated = Some(restated.after());
    let revert = words("archive revert AAPL --period 1d");
    let mut revert = scenario("revert", revert, None, config.clone(), restated.as_deref(), nothing);
    // A second revert takes the first one back; this only finishes what is open.
    revert.resume = words("validate --fix");
    let fix = words("validate --fix");
    let fix = scenario("validate --fix", fix, None, config.clone(), first.as_deref(), damage);
    let look = scenario("validate", words("validate"), None, config, restated.as_deref(), nothing);
    let [import, continuous] = of_futures();
    vec![migration, revert, fix, import, continuous, look]
}

/// An import that adds to one contract and brings another, and a continuous series that is adjusted anew.
fn of_futures() -> [Scenario; 2] {
    const LIST: &str =
        r#"{"future": {"GOLD": {"code": "GC", "cycle": "GJMQVZ", "start_date": "2023-10-02"}}}"#;
    const CONFIG: &str = "[general]\nassets_file = \"assets.json\"\n";
    let export = |last: &str, made| Export::daily(rows(weekdays("2023-11-01", last)), made).text();
    let earlier = export("2024-01-12", "01-15-2024 06:11am CST");
    let later = export("2024-02-20", "03-15-2024 06:11am CST");
    let files = vec![
        ("assets.json", LIST.to_owned()),
        ("earlier/gcg24_daily_historical-data-01-15-2024.csv", earlier),
        ("later/gcg24_daily_historical-data-03-15-2024.csv", later.clone()),
        ("later/gcj24_daily_historical-data-03-15-2024.csv", later),
    ];
    let prepared = |lines: &[&str]| {
        let home = Home::configured(CONFIG);
        files.iter().for_each(|(name, text)| home.put(name, text));
        lines.iter().for_each(|line| drop(home.expect(0, &line.split(' ').collect::<Vec<_>>())));
        home
    };
    let made = |name, args: &str, before: &Home| {
        let before = before.archive();
        let mut made =
            Scenario::unfinished(name, words(args), None, CONFIG.to_owned(), Some(&before), nothing);
        made.files.clone_from(&files);
        made.finish();
        made
    };
    let import = made("import", "import later", &prepared(&["import earlier"]));
    let plain = prepared(&["import later", "continuous GOLD --roll calendar"]);
    let adjusted = "continuous GOLD --roll calendar --adjust difference";
    [import, made("continuous", adjusted, &plain)]
}
