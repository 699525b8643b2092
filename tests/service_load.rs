//! The service under what the years bring: a slow job of many series, clients that crowd it or stop reading,
//! days of schedule, idle nights. And that no secret leaves it.

#[path = "support/place.rs"]
mod place;
mod yahoo_server;

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use place::*;
use yahoo_server::{Action, Rule, Server};
use zbus::{Connection, OwnedObjectPath, Variant};

/// A Yahoo of the loopback address, asked so often a minute.
fn yahoo(server: &Server, requests_per_minute: u32) -> String {
    format!(
        "[general]\ndefault_provider = \"yahoo\"\n[providers.yahoo]\nbase_url = \"{}\"\nrequests_per_minute = {requests_per_minute}\n",
        server.base_url()
    )
}

/// A list of that many stocks, as a configuration has it.
fn list(place: &Place, stocks: usize) -> String {
    let file = place.home.path().join("list.json");
    let stocks: Vec<String> =
        (0..stocks).map(|n| format!("\"S{n:03}\": {{\"code\": \"S{n:03}\"}}")).collect();
    fs::write(&file, format!("{{\"stock\": {{{}}}}}", stocks.join(","))).unwrap();
    format!("[watchlists.all]\nassets = {file:?}\nperiods = [\"1d\"]\n")
}

/// Restarts in the midst of the whole list.
#[test]
fn a_start_that_asks_for_what_is_at_work_joins_it() {
    let server = Server::start(jiff::Timestamp::now().as_second());
    let mut place = Place::with_bus();
    // One request a minute: the job lasts longer than the test.
    place.configure(&format!("{}[schedule]\nrun_on_startup = true\n", yahoo(&server, 1)));
    place.start(&["--bus", "user"]);
    let jobs = |place: &Place| -> Vec<(u64, String, String)> {
        let said = place.ctl(&["--json", "jobs"]);
        let jobs: Vec<serde_json::Value> = serde_json::from_slice(&said.stdout).unwrap();
        let word = |job: &serde_json::Value, name: &str| job[name].as_str().unwrap().to_owned();
        jobs.iter()
            .map(|job| (job["id"].as_u64().unwrap(), word(job, "origin"), word(job, "state")))
            .collect()
    };
    let at_work = [(1, "startup".to_owned(), "running".to_owned())];
    place.until("the job of the start", || jobs(&place) == at_work);
    // An upgrade in mid job: the next service goes on with it, and its own start asks for the same.
    for _ in 0..3 {
        place.stop();
        place.start(&["--bus", "user"]);
        place.until("the job goes on", || jobs(&place).contains(&at_work[0]));
        // Asked over the bus, what the start asked for before is there.
        assert!(place.ctl(&["ping"]).status.success());
        assert_eq!(jobs(&place), at_work);
    }
    // A person who asks for it again wants what is new since.
    assert!(place.ctl(&["update"]).status.success());
    assert_eq!(jobs(&place).len(), 2, "{:?}", jobs(&place));
}

/// Somebody who subscribed to every signal and does not read.
struct Deaf(Child);

impl Deaf {
    fn new(place: &Place) -> Deaf {
        let mut monitor = place.command("dbus-monitor");
        let rule = format!("type='signal',sender='{NAME}'");
        let mut child = monitor
            .args(["--address", &place.address, &rule])
            .stdout(Stdio::piped())
            .spawn()
            .expect("dbus-monitor is not installed");
        // It says something once it has subscribed.
        let mut line = [0; 1];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
        kill(Pid::from_raw(child.id() as i32), Signal::SIGSTOP).unwrap();
        Deaf(child)
    }
}

impl Drop for Deaf {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Calls what there is to call, often, until told to stop; how often it was answered.
async fn hammer(client: Connection, stop: Arc<AtomicBool>, answered: Arc<AtomicUsize>) {
    let filter = HashMap::from([("symbol", Variant::from("S00*"))]);
    let unknown = HashMap::from([("symbool", Variant::from("A"))]);
    for _ in 0..60 {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        client.call_method(Some(NAME), ROOT, Some(MANAGER), "ListJobs", &()).await.unwrap();
        client.call_method(Some(NAME), ROOT, Some(MANAGER), "ListSeries", &filter).await.unwrap();
        update(&client, &unknown).await.unwrap_err();
        let peer = Some("org.freedesktop.DBus.Peer");
        client.call_method(Some(NAME), ROOT, peer, "Ping", &()).await.unwrap();
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn fifty_clients_and_a_deaf_one_do_not_disturb_a_slow_job_of_500_series() {
    const SERIES: usize = 500;
    let server = Server::start(jiff::Timestamp::now().as_second());
    let mut place = Place::with_bus();
    place.configure(&format!("{}{}", yahoo(&server, 6000), list(&place, SERIES)));
    place.start(&["--bus", "user"]);
    let _deaf = Deaf::new(&place);
    runtime().block_on(async {
        let mut watchers = watchers(&place, 5).await;
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let connection = place.connect().await;
        let options = HashMap::from([("watchlist", Variant::from("all"))]);
        let (job, path): (u32, OwnedObjectPath) =
            update(&connection, &options).await.unwrap().body().deserialize().unwrap();
        let mut calling = tokio::task::JoinSet::new();
        for _ in 0..50 {
            calling.spawn(hammer(place.connect().await, Arc::clone(&stop), Arc::clone(&answered)));
        }
        let following = watchers.iter_mut().map(|(_, stream)| follow(stream, job, path.as_str()));
        let seen = futures_util::future::join_all(following).await;
        assert_eq!(seen, [SERIES as u32; 5]);
        stop.store(true, Ordering::Relaxed);
        while let Some(ended) = calling.join_next().await {
            ended.unwrap();
        }
        let answered = answered.load(Ordering::Relaxed);
        println!("{answered} rounds of four calls while {SERIES} series came");
        assert!(answered >= 500, "{answered}");
    });
    assert_eq!(server.counts().total, SERIES as u64, "each series was asked for once");
    place.until("little memory", || place.memory() <= 15 * 1024);
}

/// How often the thread that is always there went to sleep.
fn wake_ups(place: &Place) -> u64 {
    let status = fs::read_to_string(format!("/proc/{0}/task/{0}/status", place.process())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
    line.trim().parse().unwrap()
}

#[test]
fn idle_it_wakes_up_for_the_watchdog_alone() {
    let mut place = Place::with_bus();
    place.configure("[general]\ndefault_provider = \"sample\"\n");
    // Pinged twice as often.
    place.environment = vec![("WATCHDOG_USEC", "4000000".to_owned())];
    place.start(&["--bus", "user", "--schedule", "internal"]);
    assert!(place.ctl(&["update", "--symbol", "SPY", "--wait"]).status.success());
    place.until("the threads of the job are gone", || {
        fs::read_dir(format!("/proc/{}/task", place.process())).unwrap().count() <= 2
    });
    let alive = |count: usize| (0..count).for_each(|_| place.told("WATCHDOG=1"));
    alive(2);
    let before = wake_ups(&place);
    alive(4);
    let after = wake_ups(&place);
    println!("{} wake-ups for four pings", after - before);
    assert!(after - before <= 4 * 3, "{} wake-ups for four pings", after - before);
}

/// Open files and threads of the service.
fn held(place: &Place) -> (usize, usize) {
    let count = |of: &str| fs::read_dir(format!("/proc/{}/{of}", place.process())).unwrap().count();
    (count("fd"), count("task"))
}

/// The environment in which a program's clock begins and runs as `faketime` is told.
fn faster(clock: &str) -> Vec<(&'static str, String)> {
    let said =
        Command::new("faketime").args(["-f", clock, "env"]).output().expect("faketime is not installed");
    let said = String::from_utf8(said.stdout).unwrap();
    let value = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
    vec![("LD_PRELOAD", value("LD_PRELOAD=")), ("FAKETIME", value("FAKETIME="))]
}

/// A day passes in half a minute: the clock of the service alone runs faster. What its threads take for
/// good they have taken after some hours.
#[test]
fn a_day_of_schedule_runs_what_is_due_once_and_leaks_nothing() {
    let mut place = Place::with_bus();
    place.configure(
        "[general]\ndefault_provider = \"sample\"\n[watchlists.us]\nsymbols = [\"SPY\", \"QQQ\"]\nperiods = [\"1d\", \"1h\"]\non_calendar = \"hourly\"\n[general.logging]\nformat = \"json\"\n",
    );
    runtime().block_on(async {
        let connection = place.connect().await;
        let mut stream = signals(&connection).await;
        place.environment = faster("@2026-11-02 00:00:30 x2880");
        place.start(&["--bus", "user"]);
        for job in 1..=12 {
            assert_eq!(ended(&mut stream, job).await, "done");
        }
        let (memory, held_first) = (place.memory(), held(&place));
        for job in 13..=36 {
            assert_eq!(ended(&mut stream, job).await, "done");
        }
        println!(
            "{memory} KiB and {held_first:?} after 12 hours, {} KiB and {:?} after 36",
            place.memory(),
            held(&place)
        );
        place.until("what it held a day before", || {
            place.memory() <= memory + 1024
                && held(&place).0 <= held_first.0 + 1
                && held(&place).1 <= held_first.1 + 1
        });
    });
    // A machine that stalls lets hours pass unseen at this pace: what is due next is the hour after whatever the
    // run before stood for, never one twice and never one left out.
    let runs = scheduled_runs(&place.log());
    assert!(runs.len() > 24, "{} runs", runs.len());
    for (before, after) in runs.iter().zip(&runs[1..]) {
        let (due, until) = *before;
        assert!(due % 3600 == 0 && until >= due, "{before:?}");
        assert_eq!(after.0, (until / 3600 + 1) * 3600, "{before:?}, then {after:?}");
    }
    place.environment.clear();
    let jobs: Vec<serde_json::Value> =
        serde_json::from_slice(&place.ctl(&["--json", "jobs"]).stdout).unwrap();
    assert!(jobs.iter().all(|job| job["origin"] == "schedule"), "{jobs:?}");
}

/// When each run of the list's own schedule was due (the packaged one comes once a day as well), and up to when
/// it stood for what was due, by the service's log.
fn scheduled_runs(log: &str) -> Vec<(i64, i64)> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines
        .filter_map(|line| {
            let fields = &line["fields"];
            let ours = fields["message"].as_str()?.starts_with("schedule update-us ");
            Some((fields["due"].as_i64()?, fields["until"].as_i64()?)).filter(|_| ours)
        })
        .collect()
}

/// All files below a folder whose bytes hold one of these texts.
fn holders(folder: &Path, texts: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let about = fs::symlink_metadata(&entry).unwrap();
        if about.is_dir() {
            holders(&entry, texts, found);
        } else if about.is_file() && holds(&fs::read(&entry).unwrap(), texts) {
            found.push(entry);
        }
    }
}

fn holds(bytes: &[u8], texts: &[&str]) -> bool {
    texts.iter().any(|text| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
}

#[test]
fn no_secret_is_printed_logged_put_on_the_bus_or_stored() {
    // A password and a user's name, and what Yahoo's sessions live on.
    let secrets = ["hunter2-secret", "trader-account", "vort/xCrumb", "vort%2FxCrumb", "vortexCookie"];
    let server = Server::start(jiff::Timestamp::now().as_second());
    server.rule(Rule::new(Action::NeedCrumb {}));
    server.rule(Rule::new(Action::Reply { status: 500, body: "no".to_owned() }).symbol("BAD"));
    let mut place = Place::with_bus();
    let log = "[general.logging]\nlevel = \"TRACE\"\noutput = [\"console\", \"file\"]\n";
    let account = "[providers.barchart]\nusername = \"trader-account\"\npassword = \"hunter2-secret\"\nbase_url = \"http://127.0.0.1:9\"\n";
    place.configure(&format!("{}{log}{account}", yahoo(&server, 100_000)));
    // Everything on the bus, the service's own and all replies.
    let seen = fs::File::create(place.home.path().join("bus.pcap")).unwrap();
    let mut monitor = place.command("dbus-monitor");
    let mut monitor = monitor
        .args(["--address", &place.address, "--pcap"])
        .stdout(seen)
        .spawn()
        .expect("dbus-monitor is not installed");
    place.start(&["--bus", "user"]);
    let mut printed = Vec::new();
    for line in [
        "update --symbol AAPL --period 1d --wait",
        "update --symbol BAD AAPL --period 1h --follow",
        "--json jobs",
        "job 1",
        "--json status",
        "providers",
        "reset yahoo",
        "reload",
        "series",
    ] {
        let output = place.ctl(&line.split(' ').collect::<Vec<_>>());
        printed.extend([output.stdout, output.stderr].concat());
    }
    let tree = place
        .command("busctl")
        .args(["--user", "call", NAME, ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"])
        .output()
        .unwrap();
    assert!(tree.status.success(), "{tree:?}");
    printed.extend(tree.stdout);
    for args in
        [&["config", "--show"][..], &["-vv", "download", "-s", "AAPL", "--force"], &["providers", "--test"]]
    {
        let output = place.command(env!("CARGO_BIN_EXE_vortex")).args(args).output().unwrap();
        printed.extend([output.stdout, output.stderr].concat());
    }
    // A reload with the password spoilt: the refusal goes through reply, STATUS and log.
    let broken = format!("{}{log}{account}= \"hunter2-secret\n", yahoo(&server, 100_000));
    place.configure(&broken);
    assert_eq!(place.ctl(&["reload"]).status.code(), Some(2));
    printed.extend(place.ctl(&["status"]).stdout);
    let command_line = fs::read(format!("/proc/{}/cmdline", place.process())).unwrap();
    printed.extend(command_line);
    place.stop();
    monitor.kill().unwrap();
    monitor.wait().unwrap();
    assert!(!holds(&printed, &secrets), "{}", String::from_utf8_lossy(&printed));
    let log = fs::read_to_string(place.home.path().join("log")).unwrap();
    assert!(log.contains("DEBUG") && log.len() > 2000, "it hardly logged: {log}");
    let mut found = Vec::new();
    holders(place.home.path(), &secrets, &mut found);
    assert_eq!(found, [place.home.path().join(".config/vortex/config.toml")]);
    // What is looked through is what there is: symbols are found everywhere.
    holders(place.home.path(), &["AAPL"], &mut found);
    for part in ["bus.pcap", "log", ".log", "catalogue", "raw"] {
        assert!(found.iter().any(|path| path.to_str().unwrap().contains(part)), "{part} is not in {found:?}");
    }
    let session = fs::metadata(place.home.path().join(".config/vortex/config.toml")).unwrap();
    assert_eq!(session.permissions().mode() & 0o777, 0o600);
    assert!(server.counts().total >= 4, "the crumb was never asked for");
}

/// A machine reads what a container prints.
#[test]
fn in_a_container_it_logs_json_lines() {
    let mut place = Place::with_bus();
    place.configure("[general]\ndefault_provider = \"sample\"\n");
    place.environment = vec![("container", "podman".to_owned())];
    place.start(&["--bus", "user"]);
    assert!(place.ctl(&["update", "--symbol", "SPY", "--period", "1d", "--wait"]).status.success());
    place.stop();
    let log = place.log();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ended =
        lines.iter().find(|line| line["fields"]["result"] == "done").unwrap_or_else(|| panic!("{log}"));
    assert_eq!((&ended["fields"]["job"], &ended["fields"]["series"]), (&1.into(), &1.into()));
}
