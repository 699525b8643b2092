//! What the service and its client tell: what was never fetched, why something is not up to date, what is waited for.

#[path = "support/place.rs"]
mod place;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Output, Stdio};

use serde_json::Value;

use place::*;

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn json(place: &Place, args: &[&str]) -> Value {
    let output = place.ctl(&[&["--json"], args].concat());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(&output)))
}

fn list(place: &Place, text: &str) {
    let folder = place.home.path().join(".config/vortex");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("assets.json"), text).unwrap();
}

const TWO: &str = r#"{"stock": {"SPY": {"code": "SPY"}, "QQQ": {"code": "QQQ"}}}"#;
const WRONG: [&str; 3] = ["series", "--state", "late,failed,suspect,held"];

#[test]
fn what_is_on_the_list_counts_before_it_was_ever_fetched() {
    let mut place = Place::with_bus();
    list(&place, TWO);
    place.configure("general.default_provider = \"sample\"\n[schedule]\nschedule = \"\"\n");
    place.start(&["--bus", "user"]);
    let status = json(&place, &["status"]);
    let words = status["status"].as_str().unwrap();
    assert!(words.starts_with("Idle; 0 of 2 series current, 2 late (2 never fetched)"), "{words}");
    assert!(place.ctl(&["update", "--symbol", "SPY", "--wait"]).status.success());
    let status = said(&place.ctl(&["status"]));
    assert!(status.contains("Idle; 1 of 2 series current, 1 late (1 never fetched)"), "{status}");
    assert!(status.contains("sample/QQQ 1d: late, never fetched"), "{status}");
    let wrong = place.ctl(&WRONG);
    assert_eq!(wrong.status.code(), Some(0), "{}", said(&wrong));
    assert!(said(&wrong).contains("QQQ") && !said(&wrong).contains("SPY"), "{}", said(&wrong));
    // The command line brings it, beside the service.
    let vortex = env!("CARGO_BIN_EXE_vortex");
    let brought = place.command(vortex).args(["download", "-s", "QQQ", "--yes"]).output().unwrap();
    assert!(brought.status.success(), "{}", said(&brought));
    let status = said(&place.ctl(&["status"]));
    assert!(status.contains("Idle; 2 of 2 series current"), "{status}");
    // A new list is counted as soon as it is read.
    list(&place, r#"{"stock": {"SPY": {"code": "SPY"}, "IWM": {"code": "IWM"}}}"#);
    assert!(place.ctl(&["reload"]).status.success());
    assert_eq!(json(&place, &WRONG)[0]["symbol"], "IWM");
}

#[test]
fn what_a_provider_left_for_later_has_its_reason_and_its_time_everywhere() {
    let mut place = Place::with_bus();
    let log = place.home.path().join("logs/vortex.log");
    place.environment = vec![
        ("VORTEX_LOGGING_FILE_PATH", log.to_str().unwrap().to_owned()),
        ("VORTEX_LOGGING_OUTPUT", "console,file".to_owned()),
    ];
    // Nobody listens at port 1.
    place.configure(
        "[schedule]\nschedule = \"\"\n[providers.yahoo]\nbase_url = \"http://127.0.0.1:1\"\nrequests_per_minute = 1000\n",
    );
    place.start(&["--bus", "user"]);
    let now = jiff::Timestamp::now().as_microsecond();
    let updated = place.ctl(&["update", "--symbol", "AAPL", "--period", "1d", "--wait"]);
    assert_eq!(updated.status.code(), Some(75), "{}", said(&updated));
    let updated = said(&updated);
    assert!(updated.contains("limited, 1 series (1 later), 0 bars added"), "{updated}");
    let why = json(&place, &["job", "1"])["error"].as_str().unwrap().to_owned();
    assert!(why.starts_with("AAPL 1d later: ") && why.len() > 20, "{why}");
    assert!(updated.contains(&why) && said(&place.ctl(&["job", "1"])).contains(&why), "{updated}");
    let status = json(&place, &["status"]);
    let next = status["next_run_usec"].as_i64().unwrap();
    assert!(next > now && status["status"].as_str().unwrap().contains("what is left goes on"), "{status}");
    let wrong = json(&place, &WRONG);
    let names: Vec<&str> =
        wrong.as_array().unwrap().iter().map(|of| of["symbol"].as_str().unwrap()).collect();
    assert_eq!(names, ["AAPL"], "{wrong}");
    let journal = fs::read_to_string(&log).unwrap();
    assert!(journal.contains("yahoo AAPL 1d later: "), "{journal}");
    assert!(journal.contains("job 1 limited: 1 series (1 later), 0 bars added"), "{journal}");
    // It goes on by itself after a restart too, and keeps the reason.
    place.stop();
    place.start(&["--bus", "user"]);
    assert_eq!(json(&place, &["job", "1"])["error"], why.as_str());
    assert_eq!(json(&place, &["status"])["next_run_usec"].as_i64(), Some(next));
}

#[test]
fn a_failed_series_tells_why_in_every_list() {
    let mut place = Place::with_bus();
    list(&place, TWO);
    place.configure("general.default_provider = \"sample\"\n[schedule]\nschedule = \"\"\n");
    place.start(&["--bus", "user"]);
    let updated = place.ctl(&["update", "--symbol", "SPY", "NOSUCH", "--period", "1d", "--wait"]);
    assert_eq!(updated.status.code(), Some(3), "{}", said(&updated));
    let failed = json(&place, &["series", "--state", "failed"]);
    let why = failed[0]["reason"].as_str().unwrap();
    assert!(!why.is_empty(), "{failed}");
    for args in [&["series", "--state", "failed"][..], &["status"], &["job", "1"]] {
        let told = said(&place.ctl(args));
        assert!(told.contains("NOSUCH") && told.contains(why), "{args:?}: {told}");
    }
}

#[test]
fn what_is_mistyped_is_refused_by_name() {
    let place = Place::new();
    for (args, code, wrong) in [
        (&["series", "--state", "current,lat"][..], 2, "lat"),
        (&["series", "--provider", "yaho"], 4, "yaho"),
        (&["logs", "--provider", "yaho"], 2, "yaho"),
        (&["job", "x"], 2, "a whole number is wanted"),
    ] {
        let refused = place.ctl(args);
        assert_eq!(refused.status.code(), Some(code), "{args:?}: {}", said(&refused));
        let error = json(&place, args)["error"].clone();
        assert!(
            said(&refused).contains(wrong) && error["message"].as_str().unwrap().contains(wrong),
            "{error}"
        );
        assert!(error["causes"].is_array() && error["exit"] == code, "{error}");
        assert!(!said(&refused).contains("invalid digit"), "{}", said(&refused));
    }
}

#[test]
fn who_waits_for_a_job_is_told_what_the_job_waits_for() {
    let mut place = Place::with_bus();
    place.environment = vec![("VORTEX_DEFAULT_PROVIDER", "yahoo".to_owned())];
    // Without a network; only root may make that without more.
    let mut alone = vec!["unshare", "--net", "--kill-child", "--fork"];
    if !nix::unistd::Uid::effective().is_root() {
        alone.push("--map-root-user");
    }
    place.start_by(&alone, &["--bus", "private"]);
    let mut waiting = place
        .command(env!("CARGO_BIN_EXE_vortexctl"))
        .args(["update", "--symbol", "AAPL", "--period", "1d", "--wait"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(waiting.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "vortexctl: job 1 waits: offline, there is no network\n");
    let jobs = said(&place.ctl(&["jobs"]));
    assert!(jobs.contains("waiting") && jobs.contains("0/1"), "{jobs}");
    let _ = place.ctl(&["cancel", "1"]);
    assert_eq!(waiting.wait().unwrap().code(), Some(130));
}
