//! Recorded bars of a real TWS come through the gateway into an archive, and out of it as they were. The
//! recordings belong to others and are read from the folder that `VORTEX_RECORDED` names.

use std::path::Path;

use serde_json::Value;
use vortex::download::JobResult;
use vortex::model::{Bars, Class, Period};

use crate::ibkr_gateway::message::SentBar;
use crate::lab::{Lab, assert_same, at, bars_of, instrument, key};

#[test]
fn recorded_bars_are_archived_and_read_back() {
    let folder = std::env::var_os("VORTEX_RECORDED")
        .expect("set VORTEX_RECORDED to the folder of the recorded answers (the one with SOURCES.md in it)");
    let text = std::fs::read_to_string(Path::new(&folder).join("ibkr/bars_1min_2021-01-05.jsonl")).unwrap();
    let recorded: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(recorded.len() > 100);
    let number = |bar: &Value, name: &str| bar[name].as_f64().unwrap();
    let key = key(Class::Stock, "AAPL", None, Period::M1);
    let mut should = Bars::new(key.columns());
    let mut sent = Vec::new();
    for bar in &recorded {
        // The recording has a clock without a zone; any will do that keeps the date.
        let stamp = at(&format!("{}Z", bar["date"].as_str().unwrap()));
        let values =
            ["open", "high", "low", "close", "volume", "average", "barCount"].map(|name| number(bar, name));
        should.push(stamp, &values);
        sent.push(SentBar {
            date: stamp.to_string(),
            prices: [values[0], values[1], values[2], values[3]],
            volume: values[4].to_string(),
            average: values[5].to_string(),
            count: values[6] as i32,
        });
    }
    let mut lab = Lab::new("2021-01-06T12:00:00Z");
    lab.settings.use_rth = Some(false);
    lab.gateway.serve("AAPL", sent);
    let summary = lab.update(&[instrument(Class::Stock, "AAPL")], &[Period::M1], "2021-01-04");
    assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
    assert_same(&lab.bars(&key), &should, &key);
    let (_home, archive, summary) = lab.replayed();
    assert_eq!(summary.result(), JobResult::Done, "{summary:?}");
    assert_same(&bars_of(&archive, &key), &should, &key);
}
