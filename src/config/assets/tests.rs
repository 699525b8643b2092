use std::fs;

use super::*;

const EXAMPLE: &str = r#"{ "stock":  { "SPY":  {"code": "SPY", "tick_date": "1993-01-29", "start_date": "1993-01-29", "periods": "1d,1h"} },
  "future": { "AUD":  {"code": "A6", "cycle": "HMUZ", "tick_date": "2009-11-24"},
              "GOLD": {"code": "GC", "cycle": "GJMQVZ", "tick_date": "2008-05-04"} },
  "forex":  { "EURUSD": {"code": "^EURUSD", "start_date": "2000-01-01", "periods": "1d"} } }"#;

fn wrong(text: &str) -> String {
    parse("a.json", text, "yahoo").unwrap_err().to_string()
}

#[test]
fn the_example_of_the_manual_loads() {
    let list = parse("a.json", EXAMPLE, "barchart").unwrap();
    let names: Vec<_> = list.iter().map(|i| i.name.as_str()).collect();
    assert_eq!(names, ["SPY", "AUD", "GOLD", "EURUSD"]);
    assert_eq!(list[0].periods, Some(vec![Period::D1, Period::H1]));
    assert_eq!(list[1].cycle.as_deref(), Some("HMUZ"));
    assert_eq!(list[1].days_count, 360);
    assert_eq!(list[3].class, Class::Forex);
}

#[test]
fn toml_says_the_same() {
    let text = "[stock.SPY]\ncode = 'SPY'\nconId = 7\nstart_date = 1993-01-29\nperiods = ''\n[future.GOLD]\ncode='GC'\ncycle='GZ'\ndays_count = 400\nmultiplier = 100\n";
    let list = parse("a.toml", text, "ibkr").unwrap();
    let spy = list.iter().find(|i| i.name == "SPY").unwrap();
    assert_eq!(spy.periods, Some(Vec::new()));
    assert_eq!(spy.broker.con_id, Some(7));
    assert_eq!(spy.start_date, "1993-01-29".parse().ok());
    let gold = list.iter().find(|i| i.name == "GOLD").unwrap();
    assert_eq!(gold.days_count, 400);
    assert_eq!(gold.broker.multiplier.as_deref(), Some("100"));
}

#[test]
fn null_is_the_default_and_codes_may_repeat() {
    let text = r#"{"stock": {"A": {"code": "X", "periods": null, "start_date": null}, "B": {"code": "X"}}}"#;
    let list = parse("a.json", text, "yahoo").unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(list[0].periods, None);
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_what_is_allowed() {
    for (text, said) in [
        (
            r#"{"stocks": {}}"#,
            "a.json:1: unknown class \"stocks\"; allowed: stock, future, forex; did you mean stock?",
        ),
        ("{\"stock\": {\n\"A\": {\"cod\": \"X\"}}}", "a.json:2: stock.A: unknown field \"cod\""),
        (r#"{"stock": {"A": {}}}"#, "stock.A has no code"),
        (r#"{"stock": {"A": {"code": null}}}"#, "stock.A.code is null"),
        (r#"{"stock": {"A": {"code": " "}}}"#, "stock.A.code is \" \""),
        (r#"{"stock": {"A": "AAPL"}}"#, "stock.A is \"AAPL\"; allowed: a table"),
        (r#"{"stock": {"../x": {"code": "A"}}}"#, "\"../x\" cannot be archived"),
        (
            "{\"stock\": {\"A\": {\"code\": \"A\"},\n\"A\": {\"code\": \"B\"}}}",
            "a.json:2: stock.A is there twice",
        ),
        (r#"{"stock": {}, "stock": {}}"#, "class stock is there twice"),
        (
            r#"{"stock": {"A": {"code": "A", "periods": "4h"}}}"#,
            "stock.A.periods is \"4h\"; allowed: a comma list of 1m",
        ),
        (r#"{"stock": {"A": {"code": "A", "periods": "1d,"}}}"#, "stock.A.periods"),
        (
            r#"{"stock": {"A": {"code": "A", "start_date": "1799-12-31"}}}"#,
            "allowed: a date such as \"2024-01-31\", not before 1800-01-01",
        ),
        (
            r#"{"stock": {"A": {"code": "A", "start_date": "2024-02-30"}}}"#,
            "stock.A.start_date is \"2024-02-30\"",
        ),
        (r#"{"stock": {"A": {"code": "A", "cycle": "HM"}}}"#, "only futures"),
        (r#"{"future": {"A": {"code": "A", "cycle": "HA"}}}"#, "FGHJKMNQUVXZ"),
        (r#"{"future": {"A": {"code": "A", "cycle": "HH"}}}"#, "each once"),
        (
            r#"{"future": {"A": {"code": "A", "days_count": 0}}}"#,
            "future.A.days_count is 0; allowed: days, 1 to",
        ),
        (r#"{"stock": {"A": {"code": "A", "conId": "x"}}}"#, "contract number"),
        (r#"[]"#, "the file is a list"),
        ("{\n\"stock\": {", "a.json:2: is not JSON"),
    ] {
        let got = wrong(text);
        assert!(got.contains(said), "{text}\n gave {got}\n not {said}");
    }
    let got = parse("a.json", r#"{"future": {"A": {"code": "A"}}}"#, "barchart").unwrap_err();
    assert!(got.to_string().contains("has no cycle"), "{got}");
    assert!(parse("a.json", r#"{"future": {"A": {"code": "GC=F"}}}"#, "yahoo").is_ok());
    let both = r#"{"future": {"A": {"code": "A", "cycle": "HMUZ", "conId": 7}}}"#;
    let got = parse("a.json", both, "ibkr").unwrap_err();
    assert!(got.to_string().contains("leave conId out"), "{got}");
}

#[test]
fn every_shipped_list_is_good() {
    for (name, text) in SHIPPED {
        assert!(!parse("x.json", text, name).unwrap().is_empty(), "{name}");
    }
}

#[test]
fn lists_are_looked_up_in_order_and_a_broken_one_is_not_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let found = || find("yahoo", None, folder.path());
    assert_eq!(found().unwrap().0, "built-in");
    fs::create_dir(folder.path().join("assets")).unwrap();
    for name in ["assets/default.json", "assets/yahoo.toml", "assets.json"] {
        let file = folder.path().join(name);
        let text = if name.ends_with("toml") { "[stock.A]\ncode='A'" } else { EXAMPLE };
        fs::write(&file, text).unwrap();
        assert_eq!(found().unwrap().0, file.display().to_string());
    }
    let named = folder.path().join("assets/default.json");
    assert_eq!(
        find("yahoo", Some((&named, Accept::File)), folder.path()).unwrap().0,
        named.display().to_string()
    );
    assert!(find("yahoo", Some((Path::new("/nowhere.json"), Accept::File)), folder.path()).is_err());
    fs::write(folder.path().join("assets.json"), b"\xff").unwrap();
    assert!(found().unwrap_err().to_string().contains("UTF-8"));
}
