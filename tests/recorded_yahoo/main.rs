//! Every recorded answer of Yahoo's, with what each of them must become. The recordings belong to
//! others and are read from the folder that `VORTEX_RECORDED` names; none is copied here.

mod expectations;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use expectations::{Expect, Shown, expectations};
use serde_json::Value;
use vortex::model::{Bars, Class, Column, Day, Days, Instrument};
use vortex::provider::yahoo::{read, session};
use vortex::provider::{Answer, RawAnswer, Refusal, Request};

#[test]
fn every_recording_becomes_what_it_shows() {
    let folder = recorded();
    for (name, expect) in expectations() {
        let content = std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        match expect {
            Expect::Bars(code, period, shown) => check_bars(name, code, period, &content, &shown),
            Expect::Refused(status, period, kind, words) => {
                let code = if name.starts_with("VFINX") { "VFINX" } else { "AAPL" };
                let raw = raw(&content, status);
                let refusal = read(&request(code, period), &raw).unwrap_err();
                assert!(format!("{refusal:?}").starts_with(kind), "{name}: {refusal:?}");
                assert!(refusal.to_string().contains(words), "{name}: {refusal}");
            }
            Expect::Step(status, leads_to) => check_step(name, &content, status, leads_to),
            Expect::NotAChart(reason) => {
                assert!(!reason.is_empty() && content.starts_with(b"Date,"), "{name}");
            }
        }
    }
}

#[test]
fn every_recording_has_an_expectation() {
    let folder = recorded();
    let mut there = BTreeSet::new();
    list(&folder, &folder, &mut there);
    let expected: BTreeSet<String> = expectations().iter().map(|(name, _)| (*name).to_owned()).collect();
    let missing: Vec<_> = there.difference(&expected).collect();
    assert!(missing.is_empty(), "recordings without an expectation: {missing:?}");
}

#[test]
fn quarters_of_a_fund_carry_the_events_of_their_dates() {
    let content = std::fs::read(recorded().join("VFINX_max_silently_3mo.body.json")).unwrap();
    let answer = read(&request("VFINX", "3M"), &raw(&content, 200)).unwrap();
    assert_eq!(span(&answer.bars), ("1985-01-01".to_owned(), "2025-07-01".to_owned()));
    assert_eq!(answer.bars.len(), 163, "the running quarter is left out");
    // The keys of this file's events are not their dates: payments of 1980 are filed under 1985. By
    // their dates, 20 of them lie before the first bar and go onto it.
    let dividends = answer.bars.column(Column::Dividends).unwrap();
    assert_eq!(dividends.iter().filter(|amount| **amount > 0.0).count(), 144);
    let gains = answer.bars.column(Column::CapitalGains).unwrap();
    assert_eq!(gains.iter().filter(|amount| **amount > 0.0).count(), 21);
    assert_eq!(answer.bars.column(Column::Low).unwrap()[161], 0.0, "as received");
}

fn check_bars(name: &str, code: &str, period: &str, content: &[u8], shown: &Shown) {
    let raw = raw(content, 200);
    let answer = read(&request(code, period), &raw).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(answer.bars.len(), shown.bars, "{name}: bars");
    assert!(answer.bars.is_ascending(), "{name}");
    let (first, last) = span(&answer.bars);
    assert_eq!((first.as_str(), last.as_str()), (shown.first, shown.last), "{name}");
    let finished = answer.finished.unwrap().to_string();
    assert_eq!(finished, shown.finished, "{name}: finished");
    assert_eq!(answer.meta.currency.as_deref(), Some(shown.currency), "{name}");
    assert_eq!(answer.meta.every_day, code == "BTC-USD", "{name}");
    let sessions: Vec<String> = answer.sessions.iter().map(Day::to_string).collect();
    assert_eq!(sessions, shown.sessions, "{name}: sessions");
    let splits: Vec<(String, f64)> =
        answer.splits.iter().map(|split| (split.day.to_string(), split.ratio)).collect();
    let expected: Vec<(String, f64)> =
        shown.splits.iter().map(|(day, ratio)| ((*day).to_owned(), *ratio)).collect();
    assert_eq!(splits, expected, "{name}: splits");
    let ratio: f64 = expected.iter().map(|(_, ratio)| ratio).product();
    if let Some(column) = answer.bars.column(Column::StockSplits) {
        let on_bars: f64 = column.iter().filter(|value| **value != 0.0).product();
        assert_eq!(on_bars, ratio, "{name}: split column");
        let paid = answer.bars.column(Column::Dividends).unwrap();
        let sum: f64 = paid.iter().sum();
        let count = paid.iter().filter(|amount| **amount > 0.0).count();
        assert!((sum - shown.dividends.0).abs() < 1e-9, "{name}: dividends {sum}");
        assert_eq!(count, shown.dividends.1, "{name}: dividends");
    }
    for words in shown.notes {
        let told = [&answer.notes[..], &answer.dropped[..]].concat();
        assert!(told.iter().any(|note| note.contains(words)), "{name}: no note {words:?} in {told:?}");
    }
    check_values(name, &raw, &answer);
}

/// Each kept bar has the values of a row of the file, bit for bit and in order.
fn check_values(name: &str, raw: &RawAnswer, answer: &Answer) {
    let json: Value = serde_json::from_slice(&raw.body).unwrap();
    let indicators = &json["chart"]["result"][0]["indicators"];
    for (column, array) in [
        (Column::Open, &indicators["quote"][0]["open"]),
        (Column::High, &indicators["quote"][0]["high"]),
        (Column::Low, &indicators["quote"][0]["low"]),
        (Column::Close, &indicators["quote"][0]["close"]),
        (Column::Volume, &indicators["quote"][0]["volume"]),
        (Column::AdjClose, &indicators["adjclose"][0]["adjclose"]),
    ] {
        let Some(kept) = answer.bars.column(column) else {
            continue;
        };
        let rows = array.as_array().cloned().unwrap_or_default();
        let mut rows = rows.iter().filter_map(Value::as_f64);
        for value in kept.iter().filter(|value| !value.is_nan()) {
            let found = rows.any(|row| row.to_bits() == value.to_bits());
            assert!(found, "{name}: {} {value} is not in the file", column.name());
        }
        let missing = kept.iter().filter(|value| value.is_nan()).count();
        let all = array.as_array().is_none_or(Vec::is_empty);
        assert_eq!(missing, if all { kept.len() } else { 0 }, "{name}: {}", column.name());
    }
}

fn check_step(name: &str, content: &[u8], status: u16, leads_to: Option<&str>) {
    let exchange: Value = serde_json::from_slice(content).unwrap();
    let response = &exchange["response"];
    assert_eq!(response["status"], status, "{name}");
    let asked: url::Url = exchange["request"]["url"].as_str().unwrap().parse().unwrap();
    let location = response["headers"]["location"].as_str();
    let location = location.map(|location| asked.join(location).unwrap());
    let host = location.as_ref().and_then(url::Url::host_str);
    assert_eq!(host, leads_to, "{name}");
    if let Some(location) = &location {
        let consent = leads_to != Some("finance.yahoo.com");
        assert_eq!(session::is_consent(location), consent, "{name}");
    }
    let body = response["bodyText"].as_str().unwrap();
    if name.ends_with("getcrumb.json") {
        assert_eq!(session::crumb_of(body.as_bytes()).map(|crumb| crumb.len()), Some(11));
    } else {
        assert_eq!(session::crumb_of(body.as_bytes()), None, "{name}: no crumb");
    }
    if name.contains("collectConsent.html") {
        assert!(session::is_consent(&asked), "{name}");
        // The recording was cut before its form; in place of data it is a page to agree to.
        assert_eq!(session::consent_form(&asked, body), None, "{name}");
        let page = RawAnswer { status, body: body.into(), ..RawAnswer::default() };
        let refusal = read(&request("AAPL", "1d"), &page).unwrap_err();
        assert!(matches!(refusal, Refusal::Denied { .. }), "{name}: {refusal}");
    }
}

/// The answer in a recording: a whole exchange, or a body alone, which has no headers.
fn raw(content: &[u8], status: u16) -> RawAnswer {
    let json: Option<Value> = serde_json::from_slice(content).ok();
    let Some(response) = json.as_ref().and_then(|json| json.get("response")) else {
        return RawAnswer { status, body: content.to_vec(), ..RawAnswer::default() };
    };
    let headers = response["headers"].as_object().unwrap();
    RawAnswer {
        status: u16::try_from(response["status"].as_u64().unwrap()).unwrap(),
        headers: headers
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect(),
        body: response["bodyJson"].to_string().into_bytes(),
        ..RawAnswer::default()
    }
}

fn request(code: &str, period: &str) -> Request {
    Request {
        instrument: Instrument::plain(code, code, Class::Stock),
        contract: None,
        period: period.parse().unwrap(),
        days: Days::new("1960-01-01".parse().unwrap(), "2030-12-31".parse().unwrap()).unwrap(),
        correlation: "recorded".to_owned(),
    }
}

/// The first and last stamp: dates, and the time of day where it is not midnight everywhere.
fn span(bars: &Bars) -> (String, String) {
    let daily = bars.times.iter().all(|time| time % 86_400 == 0);
    let format = if daily { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M" };
    let text = |time: i64| {
        let at = jiff::Timestamp::from_second(time).unwrap();
        at.strftime(format).to_string()
    };
    bars.bounds().map_or_else(Default::default, |(first, last)| (text(first), text(last)))
}

fn recorded() -> PathBuf {
    let folder = std::env::var_os("VORTEX_RECORDED")
        .expect("set VORTEX_RECORDED to the folder of the recorded answers (the one with SOURCES.md in it)");
    Path::new(&folder).join("yahoo")
}

fn list(folder: &Path, root: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            list(&path, root, found);
        } else {
            found.insert(path.strip_prefix(root).unwrap().display().to_string());
        }
    }
}
