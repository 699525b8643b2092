//! docs/json.md says what the program prints: every field that is printed has a row in the table of its
//! command, and every row is printed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::binary::Home;
use crate::yahoo;
use crate::yahoo_server::{Action, Rule};

/// The fields in the table below a heading of the page.
fn documented(heading: &str) -> BTreeSet<String> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json.md")).unwrap();
    let section = page.split(&format!("\n## {heading}\n")).nth(1).unwrap_or_else(|| panic!("no {heading}"));
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap().to_owned()).collect()
}

/// Notes the fields of a value; those of an object with names of its own, such as reasons, as `*`.
fn printed(value: &Value, path: &str, known: &BTreeSet<String>, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let any = format!("{path}*");
                let field = if known.contains(&any) { any } else { format!("{path}{name}") };
                printed(value, &format!("{field}."), known, found);
                found.insert(field);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| printed(item, path, known, found)),
        _ => {}
    }
}

/// Compares what was printed with the page.
#[track_caller]
fn agrees(heading: &str, outputs: &[&Value]) {
    let (known, mut found) = (documented(heading), BTreeSet::new());
    for output in outputs {
        printed(output, "", &known, &mut found);
    }
    assert_eq!(found, known, "{heading}");
}

/// An instruments file for a provider with a daily limit.
fn futures(home: &Home) -> String {
    let file = home.path("futures.json");
    let text = r#"{"future": {"GOLD": {"code": "GC", "cycle": "GZ", "start_date": "2024-01-02"}}}"#;
    fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[test]
fn every_field_that_is_printed_is_in_the_page() {
    let (server, home) = yahoo();
    let asked = ["download", "--json", "-s", "AAPL", "--start-date", "2024-01-02"];
    let planned = home.expect(0, &[&asked[..], &["--dry-run"]].concat()).json();
    let futures = ["download", "-p", "barchart", "--assets", &futures(&home), "--dry-run", "--json"];
    agrees("vortex download --dry-run", &[&planned, &home.expect(0, &futures).json()]);
    agrees("vortex download", &[&home.expect(0, &asked).json()]);
    server.rule(Rule::new(Action::Restate { day: "2024-03-07".to_owned(), factor: 1.5 }));
    home.expect(0, &[&asked[..], &["--force"]].concat());

    let list = home.expect(0, &["archive", "list", "--json"]).json();
    agrees("vortex archive list", &[&list]);
    home.expect(0, &["download", "-p", "sample", "-s", "GOLD", "--period", "1d"]);
    agrees("vortex continuous", &[&home.expect(0, &["continuous", "GOLD", "--json"]).json()]);
    let mut shown = home.expect(0, &["archive", "show", "AAPL", "--json"]).json();
    let fields = shown[0].as_object_mut().unwrap();
    for listed in list[0].as_object().unwrap().keys() {
        fields.remove(listed).unwrap();
    }
    agrees("vortex archive show", &[&shown]);
    let revisions = home.expect(0, &["archive", "revert", "--list", "--json"]).json();
    agrees("vortex archive revert --list", &[&revisions]);
    agrees("vortex archive rebuild", &[&home.expect(0, &["archive", "rebuild", "--json"]).json()]);
    fs::remove_file(home.file("yahoo/stocks/1d/AAPL.parquet")).unwrap();
    let found = home.expect(1, &["validate", "--json"]).json();
    agrees("vortex validate", &[&found, &home.expect(0, &["validate", "--fix", "--json"]).json()]);

    let listed = home.expect(0, &["providers", "--list", "--json"]).json();
    let described = home.expect(0, &["providers", "--info", "yahoo", "--json"]).json();
    assert_eq!(listed[0], described);
    assert_eq!(described["state"], "ready");
    assert_eq!(described["default"], true);
    assert_eq!(listed[1]["state"], "no-account");
    agrees("vortex providers", &[&listed]);
    agrees("vortex providers --test", &[&home.expect(0, &["providers", "--test", "--json"]).json()]);
    agrees("vortex resilience", &[&home.expect(0, &["resilience", "--json"]).json()]);
    agrees("vortex config --show", &[&home.expect(0, &["config", "--show", "--json"]).json()]);

    let usage = home.expect(2, &["download", "--nonsense", "--json"]).json();
    fs::write(home.path(".config/vortex/config.toml"), "general.nonsense = 1\n").unwrap();
    let configuration = home.expect(2, &["config", "--show", "--json"]).json();
    agrees("Errors", &[&usage, &configuration]);
}
