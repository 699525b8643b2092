//! The service goes on with what a day left over, by itself.

use std::process::Command;

use serde_json::Value;

use crate::barchart_server::{EMAIL, PASSWORD, Server};
use crate::place::{Place, ended, runtime, signals};
use crate::{DAY, EVENING, TWO, configuration};

/// When the next day's allowance is there: five minutes after midnight in Chicago.
const MORNING: i64 = EVENING + 3 * 3600 + 35 * 60;

/// The environment in which a program's clock goes on from an instant.
fn clock(at: i64) -> Vec<(&'static str, String)> {
    let at = jiff::Timestamp::from_second(at).unwrap().strftime("@%Y-%m-%d %H:%M:%S").to_string();
    let asked = Command::new("faketime").args(["-f", &at, "env"]).env("TZ", "UTC").output();
    let said = String::from_utf8(asked.expect("faketime is not installed").stdout).unwrap();
    let value = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
    vec![("TZ", "UTC".to_owned()), ("LD_PRELOAD", value("LD_PRELOAD=")), ("FAKETIME", value("FAKETIME="))]
}

/// Starts the service at an instant, and waits for the end of a job.
fn served(place: &mut Place, at: i64, job: u32) -> (String, Value) {
    place.environment = clock(at);
    let result = runtime().block_on(async {
        let connection = place.connect().await;
        let mut stream = signals(&connection).await;
        place.start(&["--bus", "user"]);
        ended(&mut stream, job).await
    });
    let status = place.ctl(&["--json", "status"]).stdout;
    let status: Value = serde_json::from_slice(&status).unwrap();
    place.stop();
    (result, status)
}

#[test]
fn the_service_goes_on_by_itself_when_the_next_day_begins_over_a_restart_too() {
    let server = Server::start(EVENING);
    server.add_account(EMAIL, PASSWORD, 3);
    let mut place = Place::with_bus();
    let unscheduled = format!("{}[schedule]\nschedule = \"\"\n", configuration(&server, 3));
    place.configure(&format!("{unscheduled}run_on_startup = true\n"));
    std::fs::write(place.home.path().join(".config/vortex/assets.json"), TWO).unwrap();
    let (result, status) = served(&mut place, EVENING, 1);
    assert_eq!(result, "limited", "{}", place.log());
    assert_eq!(status["next_run_usec"].as_i64(), Some(MORNING * 1_000_000), "{status}");
    let shown = status["providers"].as_array().unwrap().iter().find(|of| of["name"] == "barchart").unwrap();
    assert_eq!(shown["state"], "limited", "{shown}");
    assert_eq!((shown["quota_limit"].as_u64(), shown["quota_used"].as_u64()), (Some(3), Some(3)), "{shown}");
    assert_eq!(shown["quota_resets_usec"].as_i64(), Some(MORNING * 1_000_000), "{shown}");
    assert_eq!(server.counts().downloads.len(), 3);
    // Nobody asks for anything on the next day.
    place.configure(&unscheduled);
    server.set_now(MORNING);
    let (result, status) = served(&mut place, MORNING - 3, 2);
    assert_eq!(result, "limited", "{}", place.log());
    assert_eq!((server.counts().downloads.len(), server.counts().over_limit), (6, 0));
    assert_eq!(status["next_run_usec"].as_i64(), Some((MORNING + DAY) * 1_000_000), "{status}");
}
