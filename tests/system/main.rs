//! Vortex on a machine with a real systemd, D-Bus and journald, on both releases of Debian. Needs root, and
//! mmdebstrap for the first run.

mod deployment;
mod machine;
mod package;

use machine::Machine;

const SAMPLE: &str = "[general]\ndefault_provider = \"sample\"\n";
/// A Yahoo that is asked once a second, so that a job takes long enough to be interrupted.
const SLOW: &str = "[general]\ndefault_provider = \"yahoo\"\n[providers.yahoo]\nbase_url = \"http://127.0.0.1:8099\"\nrequests_per_minute = 60\n";
const SLOW_UPDATE: &str = "vortexctl update --period 1d --symbol SPY QQQ IWM AAPL MSFT NVDA AMZN TLT GLD DIA";
const MANAGER: &str = "org.vortexdata.Vortex1 /org/vortexdata/Vortex1 org.vortexdata.Vortex1.Manager";

#[test]
fn trixie() {
    all(&Machine::boot("trixie"));
}

#[test]
fn bookworm() {
    all(&Machine::boot("bookworm"));
}

/// What is done to a machine, with its name.
type Step = (&'static str, fn(&Machine));

fn all(machine: &Machine) {
    let steps: &[Step] = &[
        ("units are sound", units_are_sound),
        ("nobody who did not ask runs it", nobody_who_did_not_ask_runs_it),
        ("a user starts it", a_user_starts_it),
        ("jobs by each way", jobs_by_each_way),
        ("timers come and go with the service", timers_come_and_go_with_the_service),
        ("status says what was not asked", status_says_what_was_not_asked),
        ("the journal knows jobs by field", the_journal_knows_jobs_by_field),
        ("a broken configuration is refused", a_broken_configuration_is_refused),
        ("the log level changes", the_log_level_changes),
        ("a job survives whatever happens to the service", a_job_survives),
        ("a stop in mid run is no failure", a_stop_in_mid_run_is_no_failure),
        ("a full disk at the start", a_full_disk_at_the_start),
        ("twenty restarts", twenty_restarts),
        ("the bus goes away and comes back", the_bus_goes_away),
        ("a hung service is restarted", a_hung_service_is_restarted),
        ("a wedged job is restarted", a_wedged_job_is_restarted),
        ("the machine's own service", the_machines_own_service),
        ("offline is waited out", offline_is_waited_out),
        ("the page for newcomers", the_page_for_newcomers),
    ];
    for (name, step) in steps {
        println!("{name}");
        step(machine);
    }
}

/// Writes the user's configuration.
fn configure(machine: &Machine, toml: &str) {
    let line =
        format!("mkdir -p ~/.config/vortex && cat > ~/.config/vortex/config.toml <<'END'\n{toml}\nEND");
    machine.trader(&line).ok();
}

fn property(machine: &Machine, name: &str) -> String {
    machine.trader(&format!("busctl --user get-property {MANAGER} {name}")).ok().trim().to_owned()
}

fn units_are_sound(machine: &Machine) {
    machine.root("systemd-sysusers && systemctl daemon-reload").ok();
    for scope in ["system", "user"] {
        let unit = |name: &str| format!("/usr/lib/systemd/{scope}/{name}");
        let units = ["vortex.service", "vortex-update.service", "vortex-update.timer"].map(unit).join(" ");
        let flag = if scope == "user" { "--user" } else { "--system" };
        // Man pages come with the package.
        let line = format!("systemd-analyze {flag} --man=no verify {units}");
        let said = if scope == "user" { machine.trader(&line) } else { machine.root(&line) };
        assert!(said.code == 0 && said.err.trim().is_empty(), "{said:#?}");
    }
    let exposure = machine.root("systemd-analyze security vortex.service --no-pager | tail -1").ok();
    let number: f64 = exposure.split(':').nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
    assert!(number <= 1.5, "{exposure}");
    let generated = machine.root("mkdir -p /tmp/g && SYSTEMD_SCOPE=system /usr/lib/systemd/system-generators/vortex-generator /tmp/g /tmp/g /tmp/g; find /tmp/g -type f -o -type l").ok();
    assert_eq!(generated, "", "without a configuration the packaged timer stands");
}

fn nobody_who_did_not_ask_runs_it(machine: &Machine) {
    assert_ne!(machine.root("pgrep -x vortex").code, 0);
    let said = machine.trader("vortexctl status");
    assert_eq!(said.code, 69, "{said:#?}");
    assert!(said.err.contains("systemctl --user start vortex"), "{said:#?}");
    assert_ne!(machine.root("pgrep -x vortex").code, 0, "asking must not start it");
}

fn a_user_starts_it(machine: &Machine) {
    configure(machine, SAMPLE);
    machine.trader("systemctl --user start vortex").ok();
    assert_eq!(property(machine, "State"), "s \"idle\"");
    let status = machine.trader("systemctl --user show vortex -p StatusText -p ActiveState").ok();
    assert!(status.contains("ActiveState=active") && status.contains("StatusText=Idle"), "{status}");
    let status = machine.trader("vortexctl status").ok();
    assert!(status.contains("idle") && !status.contains("lingering is off"), "{status}");
    machine.trader("vortexctl ping").ok();
    assert_eq!(machine.root("pgrep -x -u other vortex").code, 1);
    assert_eq!(machine.other("vortexctl status").code, 69);
}

fn jobs_by_each_way(machine: &Machine) {
    let said = machine.trader("vortexctl update --symbol SPY --period 1d --follow");
    assert_eq!(said.code, 0, "{said:#?}");
    assert!(said.out.contains("done, 1 series"), "{said:#?}");
    let called =
        machine.trader(&format!("busctl --user call {MANAGER} Update 'a{{sv}}' 1 symbols as 1 QQQ")).ok();
    assert!(called.starts_with("uo 2 \"/org/vortexdata/Vortex1/job/2\""), "{called}");
    let python = "import dbus; bus = dbus.SessionBus()\n\
        manager = bus.get_object('org.vortexdata.Vortex1', '/org/vortexdata/Vortex1')\n\
        print(*manager.Update({'symbols': dbus.Array(['IWM'])}, dbus_interface='org.vortexdata.Vortex1.Manager'))";
    let called = machine.trader(&format!("python3 -c \"{python}\"")).ok();
    assert!(called.starts_with('3'), "{called}");
    let unknown = machine.trader(&format!("busctl --user call {MANAGER} Update 'a{{sv}}' 1 symbol s SPY"));
    assert!(unknown.code != 0 && unknown.err.contains("\"symbol\""), "{unknown:#?}");
    // With the service stopped, `update` starts it by activation.
    machine.trader("systemctl --user stop vortex").ok();
    assert_eq!(machine.trader("vortexctl jobs").code, 69);
    let said = machine.trader("vortexctl update --symbol SPY --period 1d --wait");
    assert_eq!(said.code, 0, "{said:#?}");
    machine.trader("systemctl --user is-active vortex").ok();
    let jobs = machine.trader("vortexctl --json jobs").ok();
    assert!(
        jobs.contains("\"id\": 1,") && jobs.contains("\"id\": 4,"),
        "the history outlives the service: {jobs}"
    );
}

fn timers_come_and_go_with_the_service(machine: &Machine) {
    let timers =
        |machine: &Machine| machine.trader("systemctl --user list-timers --no-pager --no-legend").ok();
    assert!(timers(machine).contains("vortex-update.timer"), "the packaged one stands");
    let schedules = format!(
        "{SAMPLE}[schedule]\nschedule = \"30 7 1,15 * 5\"\n[watchlists.us]\nsymbols = [\"SPY\"]\non_calendar = \"*-*-* *:*:0/2\"\n"
    );
    configure(machine, &schedules);
    // What is put off by a minute on a real machine is not here.
    let drop_in = "mkdir -p ~/.config/systemd/user/vortex-update-us.timer.d && printf '[Timer]\\nRandomizedDelaySec=0\\nAccuracySec=100ms\\n' > ~/.config/systemd/user/vortex-update-us.timer.d/now.conf";
    machine.trader(drop_in).ok();
    machine.trader("systemctl --user reload vortex && systemctl --user restart vortex").ok();
    assert!(timers(machine).contains("vortex-update-us.timer"), "{}", timers(machine));
    let shown = machine.trader("systemctl --user cat vortex-update.timer").ok();
    assert_eq!(shown.matches("OnCalendar=").count(), 2, "either day of month or of week: {shown}");
    for line in shown.lines().filter_map(|line| line.strip_prefix("OnCalendar=")) {
        machine.root(&format!("systemd-analyze calendar '{line}'")).ok();
    }
    machine.until("a run by the timer", || {
        machine.trader("vortexctl --json jobs").ok().contains("\"origin\": \"timer\"")
    });
    assert_ne!(property(machine, "NextRunUSec"), "t 0");
    machine.trader("systemctl --user stop vortex").ok();
    assert!(!timers(machine).contains("vortex"), "{}", timers(machine));
    configure(machine, SAMPLE);
    machine.trader("systemctl --user daemon-reload && systemctl --user start vortex").ok();
}

/// Lingering that is off, and timers of an older configuration.
fn status_says_what_was_not_asked(machine: &Machine) {
    let says = |said: &str| machine.trader("vortexctl status").ok().contains(said);
    assert!(!says("lingering is off"));
    machine.root("mv /var/lib/systemd/linger/trader /root").ok();
    assert!(says("lingering is off") && says("loginctl enable-linger trader"));
    machine.root("mv /root/trader /var/lib/systemd/linger/").ok();
    let older = "the configuration is newer than the timers: `vortexctl reload`";
    configure(machine, &format!("{SAMPLE}[watchlists.us]\nsymbols = [\"SPY\"]\nschedule = \"0 3 1 1 *\"\n"));
    machine.trader("systemctl --user restart vortex").ok();
    assert!(says(older), "{}", machine.trader("vortexctl status").out);
    machine.trader("vortexctl reload").ok();
    assert!(!says(older));
    configure(machine, SAMPLE);
    machine.trader("vortexctl reload").ok();
    assert!(!says(older));
}

fn the_journal_knows_jobs_by_field(machine: &Machine) {
    let of_job = machine.trader("journalctl --user --no-pager -o cat VORTEX_JOB=1 VORTEX_RESULT=done").ok();
    assert!(of_job.contains("job 1 done: 1 series"), "{of_job}");
    let begun = machine
        .trader("journalctl --user --no-pager -o cat MESSAGE_ID=8e4b7f6a2c9d4d51b0e3f7a9c5d81e26")
        .ok();
    assert!(begun.contains("job 1 begins"), "{begun}");
    machine.root("journalctl --update-catalog").ok();
    let explained = machine.trader("journalctl --user --no-pager -x VORTEX_JOB=1").ok();
    assert!(explained.contains("Subject: Job 1 begins"), "{explained}");
    let logs = machine.trader("vortexctl --user --no-pager logs --job 1").ok();
    assert!(logs.contains("job 1 begins"), "{logs}");
    // Our own words only, and each once.
    assert_eq!(logs.matches("job 1 begins").count(), 1, "{logs}");
}

fn a_broken_configuration_is_refused(machine: &Machine) {
    configure(machine, "[general]\ndefault_provider = \"nasdaq\"\n");
    let said = machine.trader("vortexctl reload");
    assert_eq!(said.code, 2, "{said:#?}");
    assert!(said.err.contains("default_provider") && said.err.contains("nasdaq"), "{said:#?}");
    assert_ne!(machine.trader("systemctl --user reload vortex").code, 0);
    machine.until("the refusal in STATUS", || {
        machine.trader("systemctl --user show vortex -p StatusText").ok().contains("refused")
    });
    machine.trader("systemctl --user is-active vortex").ok();
    let journal = machine
        .trader("journalctl --user --no-pager -o cat MESSAGE_ID=e16b4d8c0f7a4c359d8e2a6b5c3f9017")
        .ok();
    assert!(journal.contains("nasdaq"), "{journal}");
    machine.trader("vortexctl update --symbol SPY --period 1d --wait").ok();
    configure(machine, SAMPLE);
    machine.trader("systemctl --user reload vortex").ok();
    assert!(!property(machine, "Status").contains("refused"));
}

fn the_log_level_changes(machine: &Machine) {
    machine.trader("systemctl --user service-log-level vortex debug").ok();
    assert_eq!(machine.trader("systemctl --user service-log-level vortex").ok().trim(), "debug");
    machine.trader("systemctl --user service-log-level vortex info").ok();
}

/// The only process of the user's service.
fn main_process(machine: &Machine) -> String {
    let shown = machine.trader("systemctl --user show vortex -p MainPID --value").ok();
    shown.trim().to_owned()
}

fn a_job_survives(machine: &Machine) {
    machine.root("systemd-run --unit=yahoo /usr/bin/yahoo-server --port 8099").ok();
    configure(machine, SLOW);
    machine.trader("systemctl --user reload vortex").ok();
    let asked =
        machine.trader(&format!("vortexctl --json {}", SLOW_UPDATE.trim_start_matches("vortexctl "))).ok();
    let id: u32 = asked
        .split("\"job\": ")
        .nth(1)
        .unwrap()
        .split([',', '\n', '}'])
        .next()
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let job = |machine: &Machine, name: &str| {
        let path = format!(
            "org.vortexdata.Vortex1 /org/vortexdata/Vortex1/job/{id} org.vortexdata.Vortex1.Job {name}"
        );
        let said = machine.trader(&format!("busctl --user get-property {path}"));
        said.out.trim().to_owned()
    };
    let progress =
        |machine: &Machine| job(machine, "SeriesDone").trim_start_matches("u ").parse::<u32>().unwrap_or(0);
    machine.until("the first series", || progress(machine) >= 1);
    // Killed in mid job: it is found again, and goes on.
    machine.trader(&format!("kill -KILL {}", main_process(machine))).ok();
    machine.until("the service after a kill", || machine.trader("vortexctl ping").code == 0);
    machine
        .until("the job after a kill", || job(machine, "State") == "s \"running\"" && progress(machine) >= 3);
    // Told to stop in mid job: soon, and with nothing damaged.
    let stopped = machine.trader("timeout 10 systemctl --user stop vortex");
    assert_eq!(stopped.code, 0, "{stopped:#?}");
    let result = machine.trader("systemctl --user show vortex -p Result --value").ok();
    assert_eq!(result.trim(), "success");
    machine.trader("vortex validate --provider yahoo").ok();
    machine.trader("systemctl --user start vortex").ok();
    // Paused, over a restart.
    machine.trader("vortexctl pause").ok();
    machine.trader("systemctl --user restart vortex").ok();
    assert_eq!(property(machine, "State"), "s \"paused\"");
    assert_eq!(machine.trader("vortexctl update").code, 75);
    machine.trader("vortexctl resume").ok();
    machine.until("the end of the job", || job(machine, "State") == "s \"finished\"");
    assert_eq!(job(machine, "Result"), "s \"done\"");
    assert_eq!(job(machine, "SeriesTotal"), "u 10");
    machine.trader("vortex validate --provider yahoo").ok();
}

/// Of the run by the schedule, which waits for a slow provider.
fn a_stop_in_mid_run_is_no_failure(machine: &Machine) {
    let at_work = || property(machine, "State") == "s \"working\"";
    machine.trader("systemctl --user start --no-block vortex-update").ok();
    machine.until("the run", at_work);
    // A restart in the midst of it, as by an upgrade: the run and what asked for it go on, and nothing twice.
    machine.trader("systemctl --user restart vortex").ok();
    machine.until("the run goes on", at_work);
    machine.until("it is asked for again", || {
        machine.trader("journalctl --user --no-pager -o cat -u vortex").ok().contains("asks for what job")
    });
    let jobs: Vec<serde_json::Value> =
        serde_json::from_str(&machine.trader("vortexctl --json jobs").ok()).unwrap();
    let open: Vec<_> = jobs.iter().filter(|job| job["state"] != "finished").collect();
    assert!(open.len() == 1 && open[0]["origin"] == "timer", "{open:#?}");
    let asking = machine.trader("systemctl --user is-active vortex-update");
    assert_eq!(asking.out.trim(), "activating", "{asking:#?}");
    machine.trader("timeout 10 systemctl --user stop vortex").ok();
    assert_eq!(machine.trader("systemctl --user is-active vortex-update").out.trim(), "inactive");
    assert_eq!(machine.trader("systemctl --user --failed --no-legend").ok(), "");
    machine.trader(&format!("systemctl --user start vortex && vortexctl cancel {}", open[0]["id"])).ok();
    machine.until("the end of the job", || !at_work());
}

fn a_full_disk_at_the_start(machine: &Machine) {
    machine.trader("systemctl --user stop vortex").ok();
    let archive = "/home/trader/.local/share/vortex";
    machine
        .root(&format!("mv {archive} {archive}.kept && mkdir {archive} && mount -t tmpfs -o size=1m,uid=1000,gid=1000,mode=700 tmpfs {archive}"))
        .ok();
    machine
        .trader(&format!("head -c 2m /dev/zero > {archive}/filler; systemctl --user start --no-block vortex"))
        .ok();
    let shown = |name: &str| {
        machine.trader(&format!("systemctl --user show vortex -p {name} --value")).ok().trim().to_owned()
    };
    machine.until("the words in STATUS", || shown("StatusText").contains("make room there"));
    let status = machine.trader("vortexctl status");
    assert!(status.code == 69 && status.err.contains("make room there"), "{status:#?}");
    // It is tried again for as long as it takes, and never given up.
    machine.until("another start", || shown("NRestarts") != "0");
    assert_ne!(shown("ActiveState"), "failed");
    machine.trader(&format!("rm {archive}/filler")).ok();
    machine.until("the service", || machine.trader("vortexctl ping").code == 0);
    machine.trader("systemctl --user stop vortex").ok();
    machine.root(&format!("umount {archive} && rmdir {archive} && mv {archive}.kept {archive}")).ok();
    machine.trader("systemctl --user start vortex").ok();
}

fn twenty_restarts(machine: &Machine) {
    machine.trader("for i in $(seq 20); do systemctl --user restart vortex || exit 1; done").ok();
    machine.trader("vortexctl ping && systemctl --user reset-failed vortex").ok();
}

fn the_bus_goes_away(machine: &Machine) {
    let before = main_process(machine);
    machine.trader("systemctl --user restart dbus.service").ok();
    machine.until("the service on the new bus", || machine.trader("vortexctl ping").code == 0);
    assert_eq!(main_process(machine), before, "it reconnects, and jobs go on");
}

/// Shortens the watchdog, starts a slow job, and waits until it is at work; the process.
fn slow_job_under_a_short_watchdog(machine: &Machine) -> String {
    let drop_in = "mkdir -p ~/.config/systemd/user/vortex.service.d && printf '[Service]\\nWatchdogSec=3\\n' > ~/.config/systemd/user/vortex.service.d/watchdog.conf";
    machine.trader(drop_in).ok();
    machine.trader("systemctl --user daemon-reload && systemctl --user restart vortex").ok();
    let asked = machine.trader(&format!("{SLOW_UPDATE} --force")).ok();
    assert!(asked.contains("is queued"), "{asked}");
    machine.until("the job", || property(machine, "State") == "s \"working\"");
    main_process(machine)
}

/// How often the watchdog struck.
fn watchdog_timeouts(machine: &Machine) -> usize {
    let journal = machine.trader("journalctl --user --no-pager -o cat -u vortex").ok();
    journal.matches("Watchdog timeout").count()
}

/// Waits for another process of the service, whose job goes on, and gives it its own watchdog again.
fn goes_on_in_another_process(machine: &Machine, before: &str) {
    machine.until("another process", || {
        let now = main_process(machine);
        now != before && now != "0" && machine.trader("vortexctl ping").code == 0
    });
    machine.until("the job to go on", || property(machine, "State") == "s \"working\"");
    machine.trader("rm -r ~/.config/systemd/user/vortex.service.d && systemctl --user daemon-reload").ok();
    machine.trader("systemctl --user stop vortex").ok();
}

fn a_hung_service_is_restarted(machine: &Machine) {
    let before = slow_job_under_a_short_watchdog(machine);
    machine.trader(&format!("kill -STOP {before}")).ok();
    goes_on_in_another_process(machine, &before);
    assert_eq!(watchdog_timeouts(machine), 1);
}

/// One thread of the job hangs. The bus still answers, and the watchdog is not fooled by that.
fn a_wedged_job_is_restarted(machine: &Machine) {
    let before = slow_job_under_a_short_watchdog(machine);
    let held = machine.hold_thread(&before, "job");
    machine.trader("vortexctl ping").ok();
    machine.until("the watchdog", || watchdog_timeouts(machine) == 2);
    drop(held);
    goes_on_in_another_process(machine, &before);
}

fn the_machines_own_service(machine: &Machine) {
    machine.root("mkdir -p /etc/vortex && printf '[general]\\ndefault_provider = \"sample\"\\n' > /etc/vortex/config.toml").ok();
    let started =
        machine.root("systemctl start vortex || { journalctl -u vortex --no-pager -n 20; exit 1; }");
    started.ok();
    let update = "update --symbol SPY --period 1d --wait";
    assert_eq!(machine.root(&format!("vortexctl --system {update}")).code, 0);
    // Another user reads, and changes nothing.
    machine.other("vortexctl --system status").ok();
    let refused = machine.other(&format!("vortexctl --system {update}"));
    assert_eq!(refused.code, 1, "{refused:#?}");
    assert!(refused.err.contains("org.vortexdata.Vortex1.manage"), "{refused:#?}");
    assert_eq!(machine.other("vortexctl --system pause").code, 1);
    let level = machine.other("busctl set-property org.vortexdata.Vortex1 /org/freedesktop/LogControl1 org.freedesktop.LogControl1 LogLevel s debug");
    assert_ne!(level.code, 0, "{level:#?}");
    // Unless polkit says that he may.
    let rule = "polkit.addRule(function(action, subject) { if (action.id == 'org.vortexdata.Vortex1.manage' && subject.user == 'other') return polkit.Result.YES; });";
    machine
        .root(&format!("echo \"{rule}\" > /etc/polkit-1/rules.d/49-vortex.rules && systemctl restart polkit"))
        .ok();
    machine.other("vortexctl --system pause && vortexctl --system resume").ok();
    machine.root("rm /etc/polkit-1/rules.d/49-vortex.rules && systemctl restart polkit").ok();
    assert_eq!(machine.other("vortexctl --system pause").code, 1);
    // A member of the group manages it, and reads the archive.
    machine.root("usermod -a -G vortex other").ok();
    machine.other(&format!("vortexctl --system {update}")).ok();
    machine
        .other("test -r /var/lib/vortex/data/sample/stocks/1d/SPY.csv || ls -R /var/lib/vortex/data/sample")
        .ok();
    machine.root("systemctl reload vortex").ok();
    machine.root("timeout 10 systemctl stop vortex").ok();
}

fn offline_is_waited_out(machine: &Machine) {
    configure(machine, "[general]\ndefault_provider = \"yahoo\"\n");
    machine.trader("systemctl --user start vortex && vortexctl cancel $(vortexctl --json status | sed -n 's/.*\"id\": \\([0-9]*\\).*/\\1/p' | head -1); true").ok();
    let id = machine.trader("vortexctl update --symbol AAPL").ok();
    assert!(id.contains("is queued"), "{id}");
    machine.until("being offline", || property(machine, "Offline") == "b true");
    assert!(
        property(machine, "Status").contains("offline, there is no network"),
        "{}",
        property(machine, "Status")
    );
    assert_eq!(machine.trader("systemctl --user is-failed vortex").code, 1);
    machine
        .root("ip link add out type veth peer name in && ip address add 192.0.2.1/24 dev out && ip link set out up && ip link set in up")
        .ok();
    machine.until("a name without address", || property(machine, "Status").contains("has no address"));
    machine.root("echo 127.0.0.9 query1.finance.yahoo.com query2.finance.yahoo.com >> /etc/hosts").ok();
    machine.until("the network", || property(machine, "Offline") == "b false");
    machine.trader("timeout 10 systemctl --user stop vortex").ok();
}

/// The `sh` blocks of docs/service.md, as they stand, in a home that has nothing of Vortex.
fn the_page_for_newcomers(machine: &Machine) {
    machine.trader("rm -rf ~/.config ~/.local && systemctl --user daemon-reload").ok();
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/service.md")).unwrap();
    let blocks: Vec<&str> =
        page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 3, "{blocks:?}");
    for block in blocks {
        machine.trader(&format!("set -e\n{block}")).ok();
    }
    let timers = machine.trader("systemctl --user list-timers --no-pager --no-legend").ok();
    assert!(timers.contains("vortex-update.timer") && timers.contains("vortex-update-us.timer"), "{timers}");
}
