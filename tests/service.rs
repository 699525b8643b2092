//! The service on a real `dbus-daemon`, and on its private socket: what clients do to it, and what the docs say
//! they can.

#[path = "support/place.rs"]
mod place;

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use zbus::{OwnedObjectPath, OwnedVariant, Variant};

use place::*;

/// The lines of the `sh` blocks of a page.
fn shell_lines(page: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let mut inside = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            line if inside => lines.push(line.to_owned()),
            _ => {}
        }
    }
    lines
}

#[test]
fn the_lines_of_the_page_do_what_they_say() {
    let place = Place::new();
    let lines = shell_lines("docs/dbus.md");
    assert!(lines.len() > 15, "{lines:?}");
    for line in lines {
        let output = place.command("bash").args(["-c", &line]).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/dbus.md")).unwrap();
    let python = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let output = place.command("/usr/bin/python3").args(["-c", python]).output().unwrap();
    assert!(output.status.success(), "python3-dbus: {}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("SPY"), "{output:?}");
}

#[test]
fn the_installed_interfaces_are_those_of_the_service() {
    let place = Place::new();
    let installed =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/dbus-1/interfaces/org.vortexdata.Vortex1.xml");
    let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let installed = plain(&fs::read_to_string(installed).unwrap());
    runtime().block_on(async {
        let connection = place.connect().await;
        let mut stream = signals(&connection).await;
        let options = HashMap::from([("symbols", Variant::from(vec!["SPY"]))]);
        let (id, job): (u32, OwnedObjectPath) =
            update(&connection, &options).await.unwrap().body().deserialize().unwrap();
        let mut found = 0;
        for path in [ROOT, job.as_str(), "/org/vortexdata/Vortex1/provider/sample"] {
            let interface = "org.freedesktop.DBus.Introspectable";
            let reply =
                connection.call_method(Some(NAME), path, Some(interface), "Introspect", &()).await.unwrap();
            let xml: String = reply.body().deserialize().unwrap();
            for block in xml.split("<interface name=\"org.vortexdata").skip(1) {
                let block = plain(&format!(
                    "<interface name=\"org.vortexdata{}",
                    block.split("</interface>").next().unwrap()
                ));
                assert!(installed.contains(&block), "VORTEX: the installed XML lacks {block}");
                found += 1;
            }
        }
        for name in vortex::request::source::ASKED {
            let path = vortex::bus::provider_path(name);
            let arguments = ("org.vortexdata.Vortex1.Provider", "Name");
            let properties = Some("org.freedesktop.DBus.Properties");
            let reply =
                connection.call_method(Some(NAME), path.as_str(), properties, "Get", &arguments).await;
            let told: OwnedVariant = reply.unwrap().body().deserialize().unwrap();
            assert_eq!(String::try_from(told).unwrap(), *name);
        }
        // The root's XML has those of the objects below it.
        assert!(found >= 3, "{found}");
        assert_eq!(ended(&mut stream, id).await, "done");
    });
}

#[test]
fn hostile_messages_get_typed_errors() {
    let place = Place::new();
    runtime().block_on(async {
        let connection = place.connect().await;
        let refused = async |options: HashMap<&str, Variant<'_>>| match update(&connection, &options).await {
            Err(zbus::Error::MethodError(name, said, _)) => (name.to_string(), said.unwrap_or_default()),
            other => panic!("{other:?}"),
        };
        let (name, said) = refused(HashMap::from([("symbool", Variant::from("A"))])).await;
        assert!(name.ends_with("Error.InvalidRequest") && said.contains("symbool"), "{name} {said}");
        let (name, said) = refused(HashMap::from([("force", Variant::from("yes"))])).await;
        assert!(name.ends_with("Error.InvalidRequest") && said.contains("force"), "{name} {said}");
        let (name, _) = refused(HashMap::from([("provider", Variant::from("nasdaq"))])).await;
        assert!(name.ends_with("Error.UnknownProvider"), "{name}");
        let (name, _) = refused(HashMap::from([("watchlist", Variant::from("none"))])).await;
        assert!(name.ends_with("Error.UnknownInstrument"), "{name}");
        let long = "A".repeat(10_000_000);
        let (name, said) = refused(HashMap::from([("symbols", Variant::from(vec![long.as_str()]))])).await;
        assert!(name.ends_with("Error.UnknownInstrument") && said.len() < 2000, "{name} {}", said.len());
        let (name, said) = refused(HashMap::from([("start", Variant::from("2999-01-01"))])).await;
        assert!(name.ends_with("Error.InvalidRequest") && said.contains("2999-01-01"), "{name} {said}");
        let wrong = connection.call_method(Some(NAME), ROOT, Some(MANAGER), "Update", &("text", 7u32)).await;
        let wrong = wrong.unwrap_err().to_string();
        assert!(wrong.contains("ignature"), "{wrong}");
        let none =
            connection.call_method(Some(NAME), ROOT, Some(MANAGER), "GetJob", &77u32).await.unwrap_err();
        assert!(none.to_string().contains("NoSuchJob"), "{none}");
        connection
            .call_method(Some(NAME), ROOT, Some("org.freedesktop.DBus.Peer"), "Ping", &())
            .await
            .unwrap();
    });
}

#[test]
fn many_clients_neither_stop_it_nor_lose_the_order_of_signals() {
    let place = Place::new();
    runtime().block_on(async {
        let mut watchers = watchers(&place, 5).await;
        let connection = place.connect().await;
        let none: HashMap<&str, Variant<'_>> = HashMap::new();
        let (job, path): (u32, OwnedObjectPath) =
            update(&connection, &none).await.unwrap().body().deserialize().unwrap();
        let mut calling = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let client = place.connect().await;
            calling.spawn(async move {
                for _ in 0..20 {
                    let filter = HashMap::from([("symbol", Variant::from("S*"))]);
                    let call = |method: &'static str| {
                        client.call_method(Some(NAME), ROOT, Some(MANAGER), method, &())
                    };
                    call("ListJobs").await.unwrap();
                    client.call_method(Some(NAME), ROOT, Some(MANAGER), "ListSeries", &filter).await.unwrap();
                    let symbols = HashMap::from([("symbols", Variant::from(vec!["SPY"]))]);
                    update(&client, &symbols).await.unwrap();
                    client
                        .call_method(Some(NAME), ROOT, Some("org.freedesktop.DBus.Peer"), "Ping", &())
                        .await
                        .unwrap();
                }
            });
        }
        while let Some(done) = calling.join_next().await {
            done.unwrap();
        }
        for (_, stream) in &mut watchers {
            assert!(follow(stream, job, path.as_str()).await > 0);
        }
    });
}

/// Jobs by their origin, with what they brought.
fn origins(place: &Place) -> Vec<(String, u64)> {
    let jobs = place.ctl(&["--json", "jobs"]);
    let jobs: Vec<serde_json::Value> = serde_json::from_slice(&jobs.stdout).unwrap();
    let told = |job: &serde_json::Value| {
        (job["origin"].as_str().unwrap().to_owned(), job["series_total"].as_u64().unwrap())
    };
    jobs.iter().map(told).collect()
}

#[test]
fn a_dry_run_at_the_start_tells_and_writes_nothing() {
    let mut place = Place::with_bus();
    let log = place.home.path().join("logs/vortex.log");
    place.environment = vec![("VORTEX_LOGGING_FILE_PATH", log.to_str().unwrap().to_owned())];
    place.configure(
        "[general]\ndefault_provider = \"sample\"\n[schedule]\nschedule = \"\"\nrun_on_startup = true\n\
         download_args = \"--dry-run --period 1d --symbol SPY\"\n",
    );
    runtime().block_on(async {
        let connection = place.connect().await;
        let mut stream = signals(&connection).await;
        place.start(&["--bus", "user"]);
        assert_eq!(ended(&mut stream, 1).await, "done");
    });
    assert_eq!(origins(&place), [("startup".to_owned(), 0)]);
    assert!(!place.home.path().join(".local/share/vortex/sample").exists(), "something was written");
    let told = fs::read_to_string(log.with_file_name("vortex-scheduler.out.log")).unwrap();
    assert!(told.contains("dry run: 1 series") && told.contains("nothing was asked or written"), "{told}");
}

#[test]
fn it_keeps_schedules_itself_where_nobody_else_does() {
    let mut place = Place::new();
    place.stop();
    fs::create_dir_all(place.home.path().join(".config/vortex")).unwrap();
    let toml = "[schedule]\non_calendar = \"*-*-* *:*:0/2\"\nrun_on_startup = true\ndownload_args = \"--yes --period 1d --symbol SPY 'QQQ'\"\n\
        [watchlists.us]\nsymbols = [\"IWM\"]\nperiods = [\"1d\"]\nschedule = \"0 8 1 1 *\"\n";
    let file = place.home.path().join(".config/vortex/config.toml");
    fs::write(&file, toml).unwrap();
    runtime().block_on(async {
        let connection = place.connect().await;
        let mut stream = signals(&connection).await;
        place.start(&["--bus", "user"]);
        for job in 1..=3 {
            assert_eq!(ended(&mut stream, job).await, "done");
        }
    });
    let jobs = origins(&place);
    assert_eq!(jobs[0], ("startup".to_owned(), 2), "{jobs:?}");
    assert!(jobs[1..].iter().all(|job| *job == ("schedule".to_owned(), 2)), "{jobs:?}");
    // With timers of systemd the same file starts nothing here, and the next run is known all the same.
    place.stop();
    fs::write(&file, toml.replace("run_on_startup = true\n", "")).unwrap();
    place.start(&["--bus", "user", "--schedule", "systemd"]);
    let before = origins(&place).len();
    let status: serde_json::Value = serde_json::from_slice(&place.ctl(&["--json", "status"]).stdout).unwrap();
    assert!(status["next_run_usec"].as_u64().unwrap() > 0, "{status}");
    assert_eq!(origins(&place).len(), before);
    // What cannot be understood stops the start.
    place.stop();
    fs::write(&file, "[schedule]\ndownload_args = \"--symbool SPY\"\n").unwrap();
    let refused =
        place.command(env!("CARGO_BIN_EXE_vortex")).args(["daemon", "--bus", "user"]).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("VORTEX_DOWNLOAD_ARGS") && said.contains("--symbool"), "{said}");
}

/// What the service wrote of its scheduled runs.
fn scheduler_log(place: &Place) -> String {
    fs::read_to_string(place.home.path().join("logs/vortex-scheduler.out.log")).unwrap_or_default()
}

fn logs_runs(place: &mut Place) {
    let log = place.home.path().join("logs/vortex.log");
    place.environment = vec![("VORTEX_LOGGING_FILE_PATH", log.to_str().unwrap().to_owned())];
}

#[test]
fn a_schedule_that_can_never_run_is_seen() {
    let mut place = Place::with_bus();
    logs_runs(&mut place);
    place.configure(
        "[providers.yahoo]\nenabled = false\n[schedule]\nschedule = \"\"\nrun_on_startup = true\n",
    );
    runtime().block_on(async {
        let connection = place.connect().await;
        let mut stream = signals(&connection).await;
        place.start(&["--bus", "user"]);
        assert_eq!(ended(&mut stream, 1).await, "failed");
    });
    let said = scheduler_log(&place);
    assert!(said.contains("refused: provider yahoo is switched off"), "{said}");
    assert!(!said.contains("org.vortexdata") && !place.log().contains("org.vortexdata"), "{}", place.log());
    let status: serde_json::Value = serde_json::from_slice(&place.ctl(&["--json", "status"]).stdout).unwrap();
    assert_eq!(status["last_result"], "failed", "{status}");
    let jobs = String::from_utf8(place.ctl(&["job", "1"]).stdout).unwrap();
    assert!(jobs.contains("switched off"), "{jobs}");
}

#[test]
fn a_run_that_is_interrupted_says_so_and_goes_on() {
    let mut place = Place::with_bus();
    logs_runs(&mut place);
    place.configure(
        "general.default_provider = \"sample\"\n[schedule]\nschedule = \"\"\nrun_on_startup = true\n\
         download_args = \"--period 1d --symbol SPY\"\n",
    );
    let home = place.home.path();
    let (root, state) = (home.join(".local/share/vortex"), home.join(".local/state/vortex"));
    let other = vortex::archive::Archive::open(&root, &state).unwrap().write("another").unwrap();
    runtime().block_on(async {
        let connection = place.connect().await;
        let mut stream = signals(&connection).await;
        place.start(&["--bus", "user"]);
        place.until("the run begins", || scheduler_log(&place).contains("begins"));
        assert!(place.ctl(&["pause"]).status.success());
        place.until("the run is interrupted", || scheduler_log(&place).contains("interrupted"));
        drop(other);
        assert!(place.ctl(&["resume"]).status.success());
        assert_eq!(ended(&mut stream, 1).await, "done");
    });
    let told = scheduler_log(&place);
    let ways = [
        "begins",
        "interrupted before its first series; goes on when the pause ends",
        ") goes on",
        "done after",
    ];
    let at: Vec<Option<usize>> = ways.iter().map(|way| told.find(way)).collect();
    assert!(at.iter().all(Option::is_some) && at.is_sorted(), "{told}");
}

#[test]
fn a_service_that_hangs_is_not_waited_for() {
    let mut place = Place::with_bus();
    place.environment = vec![("VORTEX_DEFAULT_PROVIDER", "sample".to_owned())];
    for bus in ["private", "user"] {
        place.start(&["--bus", bus]);
        let process = place.process();
        let id = nix::unistd::Pid::from_raw(process as i32);
        nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGSTOP).unwrap();
        let asked = ["ping", "status", "jobs", "pause"].map(|verb| (verb, place.ctl(&[verb])));
        nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGCONT).unwrap();
        for (verb, asked) in asked {
            let said = String::from_utf8_lossy(&asked.stderr).into_owned();
            assert_eq!(asked.status.code(), Some(1), "{verb}: {said}");
            assert!(
                said.contains(&format!("the service (process {process}) does not answer within 3 s")),
                "{verb}: {said}"
            );
        }
        assert!(place.ctl(&["ping"]).status.success(), "{}", place.log());
        place.stop();
    }
}

#[test]
fn a_container_tells_it_to_stop_by_sigquit_too() {
    let mut place = Place::new();
    let id = nix::unistd::Pid::from_raw(place.process() as i32);
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGQUIT).unwrap();
    assert!(place.service.take().unwrap().wait().unwrap().success(), "{}", place.log());
}

#[test]
fn a_run_that_was_missed_is_made_up_for_once() {
    let mut place = Place::new();
    fs::create_dir_all(place.home.path().join(".config/vortex")).unwrap();
    let toml = "[watchlists.us]\nsymbols = [\"SPY\"]\nperiods = [\"1d\"]\non_calendar = \"yearly\"\n";
    fs::write(place.home.path().join(".config/vortex/config.toml"), toml).unwrap();
    place.stop();
    // It fired last in June of 2022, and was off since.
    let (root, state) =
        (place.home.path().join(".local/share/vortex"), place.home.path().join(".local/state/vortex"));
    let noted = || vortex::archive::Archive::open(&root, &state).unwrap().note("fired update-us").unwrap();
    vortex::archive::Archive::open(&root, &state).unwrap().set_note("fired update-us", "1654000000").unwrap();
    let began = jiff::Timestamp::now().as_second();
    runtime().block_on(async {
        let connection = place.connect().await;
        let mut stream = signals(&connection).await;
        place.start(&["--bus", "user"]);
        assert_eq!(ended(&mut stream, 1).await, "done");
    });
    // It is noted behind the request: a stop waits for neither, and the request is there already.
    place.until("the firing is noted", || noted().is_some_and(|at| at.parse::<i64>().unwrap() >= began));
    for _ in 0..2 {
        place.stop();
        place.start(&["--bus", "user"]);
    }
    assert_eq!(origins(&place), [("schedule".to_owned(), 1)]);
}

#[test]
fn idle_after_a_job_it_holds_little_memory() {
    let place = Place::new();
    let list = place.home.path().join("list.json");
    let stocks: Vec<String> = (0..500).map(|n| format!("\"S{n:03}\": {{\"code\": \"SPY\"}}")).collect();
    fs::write(&list, format!("{{\"stock\": {{{}}}}}", stocks.join(","))).unwrap();
    fs::create_dir_all(place.home.path().join(".config/vortex")).unwrap();
    let toml = format!("[watchlists.all]\nassets = {list:?}\n");
    fs::write(place.home.path().join(".config/vortex/config.toml"), toml).unwrap();
    assert!(place.ctl(&["reload"]).status.success());
    let updated = place.ctl(&["update", "--watchlist", "all", "--wait"]);
    assert!(String::from_utf8_lossy(&updated.stdout).contains("500 series"), "{updated:?}");
    // The threads that read the catalogue end two seconds after their last work.
    place.until("little memory", || place.memory() <= 15 * 1024);
    println!("idle: {} KiB", place.memory());
}

#[test]
fn the_private_socket_serves_its_user_whoever_stays_silent() {
    let mut place = Place::new();
    place.stop();
    place.start(&["--bus", "private"]);
    let socket: PathBuf = place.home.path().join("vortex/bus");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(socket.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    let _silent: Vec<UnixStream> = (0..10).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    let mut babbling = UnixStream::connect(&socket).unwrap();
    babbling.write_all(&[0xff; 10_000]).unwrap();
    // With no service on the session bus it is found by itself.
    let said = place.ctl(&["update", "--symbol", "SPY", "--period", "1d", "--follow"]);
    assert_eq!(said.status.code(), Some(0), "{said:?} {}", place.log());
    let status = place.ctl(&["status"]);
    assert!(String::from_utf8_lossy(&status.stdout).contains("idle"), "{status:?}");
}

#[test]
fn a_second_service_is_told_which_one_there_is_and_takes_nothing_from_it() {
    let mut place = Place::with_bus();
    place.environment = vec![("VORTEX_DEFAULT_PROVIDER", "sample".to_owned())];
    let elsewhere = place.home.path().join("elsewhere");
    let other_archive = ("VORTEX_OUTPUT_DIR", elsewhere.to_str().unwrap());
    for bus in ["user", "private"] {
        place.start(&["--bus", bus]);
        let first = format!("(process {}", place.process());
        // On the same archive by whichever bus, and on another archive where the name or the socket is the same.
        for (second, environment) in [("user", None), ("private", None), (bus, Some(other_archive))] {
            let mut command = place.command(env!("CARGO_BIN_EXE_vortex"));
            let refused = command.args(["daemon", "--bus", second]).envs(environment).output().unwrap();
            let said = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert_eq!(refused.status.code(), Some(75), "{bus}, {second}: {said}");
            let words: Vec<&str> = said.lines().filter(|line| line.starts_with("vortex: ")).collect();
            assert!(matches!(words[..], [one] if one.contains(&first)), "{bus}, {second}: {said}");
            assert!(place.ctl(&["ping"]).status.success(), "{}", place.log());
        }
        place.stop();
    }
    // The next start finds the place free.
    place.start(&["--bus", "user"]);
}

#[test]
fn as_the_first_process_it_takes_note_of_the_end_of_orphans() {
    let mut place = Place::with_bus();
    place.environment = vec![("VORTEX_DEFAULT_PROVIDER", "sample".to_owned())];
    // Only root of the namespace may make another.
    let mut alone = vec!["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    if !nix::unistd::Uid::effective().is_root() {
        alone.push("--map-root-user");
    }
    place.start_by(&alone, &["--bus", "private"]);
    let unshare = place.process();
    let children = fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children")).unwrap();
    let in_it = |script: &str| {
        let mut command = place.command("nsenter");
        command.args(["--target", children.trim(), "--pid", "--mount", "sh", "-c", script]);
        command
    };
    let said = |script: &str| String::from_utf8(in_it(script).output().unwrap().stdout).unwrap();
    assert!(said("tr '\\0' ' ' < /proc/1/cmdline").contains("vortex daemon"));
    // Each ends with what it reads, which ends with us.
    let orphans: Vec<_> = (0..20)
        .map(|_| {
            let mut command = in_it("exec 3<&0; cat <&3 >/dev/null 2>&1 & echo $!");
            let mut shell = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let (input, output) = (shell.stdin.take().unwrap(), shell.stdout.take().unwrap());
            let orphan = std::io::read_to_string(output).unwrap().trim().to_owned();
            assert!(shell.wait().unwrap().success());
            (input, orphan)
        })
        .collect();
    for (_, orphan) in &orphans {
        assert_eq!(said(&format!("grep PPid: /proc/{orphan}/status")), "PPid:\t1\n", "{orphan}");
    }
    let orphans: Vec<String> = orphans.into_iter().map(|(_, orphan)| format!("/proc/{orphan}")).collect();
    place.until("no orphan is left", || {
        let left = said(&format!("ls -d /proc/1 {} 2>/dev/null", orphans.join(" ")));
        left == "/proc/1\n"
    });
}

#[test]
fn what_is_on_no_list_is_counted_apart_and_a_reload_looks_again() {
    let mut place = Place::with_bus();
    place.configure("general.default_provider = \"sample\"\n");
    let mut vortex = place.command(env!("CARGO_BIN_EXE_vortex"));
    vortex.args(["download", "--yes", "-s", "AAPL", "MSFT", "--period", "1d", "--start-date", "2026-01-05"]);
    let ran = vortex.args(["--end-date", "2026-01-30"]).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    // As if that had been done then, and nothing since.
    let catalogue = place.home.path().join(".local/share/vortex/.vortex/catalogue.db");
    let catalogue = rusqlite::Connection::open(catalogue).unwrap();
    catalogue.execute("UPDATE series SET state = json_set(state, '$.asked_at', 1769800000)", []).unwrap();
    drop(catalogue);
    let list = place.home.path().join(".config/vortex/assets.json");
    fs::write(&list, r#"{"stock": {"AAPL": {"code": "AAPL"}}}"#).unwrap();
    place.start(&["--bus", "user"]);
    let said = |args: &[&str]| String::from_utf8(place.ctl(args).stdout).unwrap();
    place.until("one is late", || said(&["status"]).contains("0 of 2 series current, 1 late, 1 unlisted"));
    let unlisted = said(&["series", "--state", "unlisted"]);
    assert!(unlisted.contains("sample/MSFT") && !unlisted.contains("AAPL"), "{unlisted}");
    assert!(!said(&["status", "--json"]).contains("MSFT"), "it wants nobody's attention");
    fs::write(&list, r#"{"stock": {"AAPL": {"code": "AAPL"}, "MSFT": {"code": "MSFT"}}}"#).unwrap();
    assert!(place.ctl(&["reload"]).status.success());
    place.until("both are late", || said(&["status"]).contains("0 of 2 series current, 2 late"));
}

#[test]
fn where_its_name_was_taken_meanwhile_it_says_so_and_leaves_no_connection_behind() {
    let (before, mut place) = (Place::with_bus(), Place::with_bus());
    let bus = place.home.path().join("bus");
    let lead_to = |place: &Place| {
        let socket = place.address.strip_prefix("unix:path=").unwrap().split(',').next().unwrap();
        let new = bus.with_extension("new");
        std::os::unix::fs::symlink(socket, &new).unwrap();
        fs::rename(new, &bus).unwrap();
    };
    lead_to(&before);
    place.environment = vec![
        ("VORTEX_DEFAULT_PROVIDER", "sample".to_owned()),
        ("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", bus.display())),
    ];
    place.start(&["--bus", "user"]);
    runtime().block_on(async {
        let other = place.connect().await;
        other.request_name(NAME).await.unwrap();
        lead_to(&place);
        drop(before);
        place.until("it says so", || place.log().contains("is taken on the session bus"));
        let bus = zbus::fdo::DBusProxy::new(&other).await.unwrap();
        let began = std::time::Instant::now();
        loop {
            let names = bus.list_names().await.unwrap();
            if names.iter().filter(|name| name.starts_with(':')).count() == 1 {
                break;
            }
            assert!(began.elapsed() < PATIENCE, "it holds on to the bus: {names:?}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        other.release_name(NAME).await.unwrap();
        place.until("it is back", || place.log().contains("on the bus again"));
    });
    assert!(place.ctl(&["ping"]).status.success());
    assert_eq!(place.log().matches("is taken on the session bus").count(), 1, "{}", place.log());
}
