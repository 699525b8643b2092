//! The service and a gateway: what it says while it waits for one, and a download beside it.

use std::fs;
use std::io::Read;
use std::process::Stdio;

use jiff::Timestamp;

use crate::binary::csvs_below;
use crate::ibkr_gateway::{Action, Clock, Gateway, Kind, Options, Rule};
use crate::place::Place;

fn gateway_and_service() -> (Gateway, Place) {
    let gateway = Gateway::listen(Clock::System, Options { refuse: false, ..Options::default() }).unwrap();
    let place = Place::configured(&format!(
        "[general]\ndefault_provider = \"ibkr\"\n[providers.ibkr]\nhost = \"127.0.0.1\"\nport = {}\n",
        gateway.port()
    ));
    (gateway, place)
}

/// Waits until the service tells its manager a status with these words.
fn told(place: &Place, words: &str) -> String {
    let lines = place.notified.as_ref().unwrap();
    loop {
        let line = lines.recv_timeout(crate::place::PATIENCE).unwrap_or_else(|_| panic!("{}", place.log()));
        if line.starts_with("STATUS=") && line.contains(words) {
            return line;
        }
    }
}

fn text(output: std::process::Output) -> String {
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn who_asks_what_a_job_does_hears_that_it_waits_for_the_gateway_and_until_when() {
    let (gateway, place) = gateway_and_service();
    let update = || place.ctl(&["update", "--symbol", "AAPL", "MSFT", "--period", "1d"]);
    // Lost while it answers, found again by the test and by itself later.
    gateway.rule(Rule::new(Action::Outage { milliseconds: 600_000, code: 1102 }).on(Kind::Details).times(1));
    assert!(update().status.success(), "{}", place.log());
    let waiting = format!("waiting for the gateway at 127.0.0.1:{} until ", gateway.port());
    let line = told(&place, &waiting);
    assert!(
        line.contains("no connection to Interactive Brokers (1100)") && line.contains("look at it"),
        "{line}"
    );
    let status = text(place.ctl(&["status"]));
    assert!(status.matches(&waiting).count() >= 2, "as status and of the job: {status}");
    let year = Timestamp::now().to_string()[..4].to_owned();
    assert!(status.contains(&format!("{waiting}{year}-")), "{status}");
    gateway.restore_servers(1101);
    let idle = told(&place, "Idle");
    assert!(idle.contains("(done)"), "{idle}");
    assert!(!text(place.ctl(&["status"])).contains("waiting for"), "and no longer than that");
}

#[test]
fn a_gateway_that_is_gone_is_told_with_what_to_do() {
    let (gateway, place) = gateway_and_service();
    gateway.rule(Rule::new(Action::Silent {}).on(Kind::Details));
    assert!(place.ctl(&["update", "--symbol", "AAPL", "--period", "1d"]).status.success());
    place.until("it asks", || gateway.counts().details > 0);
    gateway.shut();
    let line = told(&place, "nothing listens at");
    assert!(line.contains("waiting for the gateway") && line.contains("start TWS or IB Gateway"), "{line}");
}

#[test]
fn the_service_and_a_download_beside_it_keep_the_limits_together() {
    let (gateway, place) = gateway_and_service();
    // Both ask the same of the same contract, which may not be repeated within fifteen seconds.
    let start = vortex::model::Day::of_utc(Timestamp::now().as_second()).plus(-20).to_string();
    let other = place.home.path().join("other");
    let list = ["-s", "AAPL", "MSFT", "EURUSD", "--period", "1d,1h,30m"];
    let mut beside = place.command(env!("CARGO_BIN_EXE_vortex"));
    beside
        .args(["download", "--provider", "ibkr", "-o"])
        .arg(&other)
        .args(list)
        .args(["--start-date", &start]);
    let beside = beside.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let asked = place.ctl(&[&["update", "--wait", "--start", &start][..], &list].concat());
    assert!(asked.status.success(), "{asked:?} {}", place.log());
    let beside = beside.wait_with_output().unwrap();
    assert!(beside.status.success(), "{beside:?}");
    let counts = gateway.counts();
    assert_eq!(counts.violations, []);
    assert!(counts.clients.len() >= 2, "two clients: {counts:?}");
    let (of_service, of_download) =
        (csvs_below(&place.home.path().join(".local/share/vortex")), csvs_below(&other));
    assert_eq!(of_service.len(), 9, "{:?}", of_service.keys());
    assert_eq!(of_service, of_download);
}

#[test]
fn who_waits_for_a_job_hears_that_the_job_waits_for_the_gateway() {
    let (gateway, place) = gateway_and_service();
    gateway.rule(Rule::new(Action::Outage { milliseconds: 600_000, code: 1102 }).on(Kind::Details).times(1));
    let mut waiting = place.command(env!("CARGO_BIN_EXE_vortexctl"));
    waiting.args(["update", "--symbol", "AAPL", "--period", "1d", "--wait"]).stderr(Stdio::piped());
    let mut waiting = waiting.spawn().unwrap();
    told(&place, "waiting for the gateway");
    let jobs = text(place.ctl(&["jobs"]));
    assert!(jobs.contains("waiting"), "{jobs}");
    assert!(place.ctl(&["cancel", "1"]).status.success());
    let mut said = String::new();
    waiting.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("job 1 waits: waiting for the gateway at 127.0.0.1:"), "{said}");
    assert_eq!(waiting.wait().unwrap().code(), Some(130));
}

#[test]
fn a_job_that_was_cancelled_does_not_come_back_by_itself() {
    let (gateway, place) = gateway_and_service();
    gateway.rule(Rule::error(162, "x:API historical data query cancelled: 28").symbol("AAPL"));
    gateway.rule(Rule::new(Action::Silent {}).symbol("MSFT"));
    let configuration = fs::read_to_string(place.home.path().join(".config/vortex/config.toml")).unwrap();
    place.configure(&format!("{configuration}[schedule]\nschedule = \"\"\n"));
    assert!(place.ctl(&["reload"]).status.success());
    assert!(place.ctl(&["update", "--symbol", "AAPL", "MSFT", "--period", "1d"]).status.success());
    place.until("one is left for later", || text(place.ctl(&["job", "1"])).contains("1 later"));
    assert!(place.ctl(&["cancel", "1"]).status.success());
    place.until("it ends", || text(place.ctl(&["job", "1"])).contains("cancelled"));
    let status: serde_json::Value = serde_json::from_slice(&place.ctl(&["--json", "status"]).stdout).unwrap();
    assert_eq!(status["next_run_usec"].as_i64().unwrap_or(0), 0, "{status}");
}
