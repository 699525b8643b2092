//! The package on a machine: installed, upgraded in mid job, removed and purged.

use super::machine::Machine;
use super::{SAMPLE, SLOW, configure};

const INSTALL: &str = "DEBIAN_FRONTEND=noninteractive apt-get -qq install -y /opt/vortex.deb 2>&1";

#[test]
fn the_package_on_trixie() {
    all(&Machine::boot_with_package("trixie"));
}

#[test]
fn the_package_on_bookworm() {
    all(&Machine::boot_with_package("bookworm"));
}

fn all(machine: &Machine) {
    installing_starts_nothing(machine);
    its_own_tests(machine);
    a_user_ends_with_a_scheduled_update(machine);
    an_upgrade_goes_on_with_the_job(machine);
    removing_keeps_everything(machine);
    purging_keeps_the_archive(machine);
}

fn installing_starts_nothing(machine: &Machine) {
    machine.root(INSTALL).ok();
    machine.root("dpkg --verify vortex && id vortex").ok();
    for manager in [
        "systemctl",
        "setpriv --reuid=1000 --regid=1000 --init-groups env XDG_RUNTIME_DIR=/run/user/1000 systemctl --user",
    ] {
        let enabled = machine.root(&format!("{manager} is-enabled vortex"));
        assert_eq!(enabled.out.trim(), "disabled", "{manager}: {enabled:#?}");
        let active = machine.root(&format!("{manager} is-active vortex vortex-update.timer"));
        assert_eq!(active.out, "inactive\ninactive\n", "{manager}: {active:#?}");
    }
    let pages = "cd /usr/share/man && ls man1/vortex.1.gz man1/vortex-download.1.gz man1/vortexctl.1.gz \
                 man5/vortex.toml.5.gz man5/org.vortexdata.Vortex1.5.gz man8/vortex.service.8.gz";
    machine.root(pages).ok();
}

/// Those of debian/tests, which Debian runs with autopkgtest.
fn its_own_tests(machine: &Machine) {
    machine.trader("AUTOPKGTEST_TMP=$(mktemp -d) && export AUTOPKGTEST_TMP && /opt/tests/commands").ok();
    machine.root("/opt/tests/service").ok();
}

/// What a person types after the installation, until a run by the schedule is over.
fn a_user_ends_with_a_scheduled_update(machine: &Machine) {
    configure(machine, &format!("{SAMPLE}[schedule]\non_calendar = \"*-*-* *:*:0/5\"\n"));
    let drop_in = "mkdir -p ~/.config/systemd/user/vortex-update.timer.d && printf '[Timer]\\nRandomizedDelaySec=0\\nAccuracySec=100ms\\n' > ~/.config/systemd/user/vortex-update.timer.d/now.conf";
    machine.trader(drop_in).ok();
    machine.trader("systemctl --user daemon-reload && systemctl --user enable --now vortex").ok();
    machine.until("a run by the timer", || {
        let jobs = machine.trader("vortexctl --json jobs").ok();
        jobs.contains("\"origin\": \"timer\"") && jobs.contains("\"result\": \"done\"")
    });
    let status = machine.trader("vortexctl status").ok();
    assert!(status.contains("done") && status.contains("current"), "{status}");
    machine.trader("vortex validate").ok();
    configure(machine, SLOW);
    machine.trader("systemctl --user reload vortex").ok();
}

fn an_upgrade_goes_on_with_the_job(machine: &Machine) {
    machine.root("systemd-run --unit=yahoo /usr/bin/yahoo-server --port 8099").ok();
    let repack = "cd /tmp && dpkg-deb -R /opt/vortex.deb next && sed -i 's/^Version: .*/&+next/' next/DEBIAN/control && dpkg-deb -Znone -b next next.deb";
    machine.root(repack).ok();
    machine.until("no job is at work", || {
        !machine.trader("vortexctl --json jobs").ok().contains("\"state\": \"running\"")
    });
    // What the restart of the service starts again as well, and asks for the same once more.
    machine.trader("systemctl --user start --no-block vortex-update").ok();
    let newest = |machine: &Machine| {
        let jobs: Vec<serde_json::Value> =
            serde_json::from_str(&machine.trader("vortexctl --json jobs").ok()).unwrap();
        jobs.into_iter().max_by_key(|job| job["id"].as_u64()).unwrap()
    };
    machine.until("the first series", || {
        let job = newest(machine);
        job["state"] == "running" && job["series_done"].as_u64() >= Some(1)
    });
    let (before, job) = (main_process(machine), newest(machine)["id"].clone());
    let upgraded = machine.root("dpkg -i /tmp/next.deb 2>&1").ok();
    assert!(upgraded.contains("+next"), "{upgraded}");
    machine.until("the new version", || {
        !["", "0", before.as_str()].contains(&main_process(machine).as_str())
            && machine.trader("vortexctl ping").code == 0
    });
    machine.until("it is asked for again", || {
        machine.trader("journalctl --user --no-pager -o cat -u vortex").ok().contains("asks for what job")
    });
    machine.until("the end of the job", || newest(machine)["state"] == "finished");
    let ended = newest(machine);
    assert_eq!((&ended["id"], &ended["result"]), (&job, &"done".into()), "{ended}");
    machine.trader("vortex validate").ok();
}

fn main_process(machine: &Machine) -> String {
    machine.trader("systemctl --user show vortex -p MainPID --value").ok().trim().to_owned()
}

fn removing_keeps_everything(machine: &Machine) {
    machine.root("printf '[general]\\ndefault_provider = \"sample\"\\n' > /etc/vortex/config.toml").ok();
    let files =
        "cd ~ && find .config/vortex .local/share/vortex -type f ! -name '*-wal' ! -name '*-shm' | sort";
    machine.trader("systemctl --user stop vortex").ok();
    let before = machine.trader(files).ok();
    machine.trader("systemctl --user start vortex").ok();
    machine.root("apt-get -qq remove -y vortex 2>&1").ok();
    let active = machine.trader("systemctl --user is-active vortex");
    assert_ne!(active.out.trim(), "active", "{active:#?}");
    assert_eq!(machine.trader(files).ok(), before);
    machine.root("test -e /etc/vortex/config.toml && ! test -e /usr/bin/vortex").ok();
    // The user's manager has looked again: of the units that went it knows no more.
    let loaded = machine.trader("systemctl --user show vortex-update.timer -p LoadState --value");
    assert_eq!(loaded.out.trim(), "not-found", "{loaded:#?}");
}

fn purging_keeps_the_archive(machine: &Machine) {
    machine.root(INSTALL).ok();
    // The list's timer fires once a second, so that there is something to be left behind of it.
    machine
        .root(
            "mkdir -p /etc/vortex && printf '[general]\\ndefault_provider = \"sample\"\\n[watchlists.us]\\nsymbols = [\"SPY\"]\\n\
             periods = [\"1d\"]\\non_calendar = \"*-*-* *:*:*\"\\n' > /etc/vortex/config.toml && systemctl daemon-reload",
        )
        .ok();
    machine
        .root(
            "systemctl enable --now vortex && systemctl --global enable vortex && \
             vortexctl --system update --symbol SPY --period 1d --wait",
        )
        .ok();
    machine.until("a timer has fired", || {
        machine.root("test -e /var/lib/systemd/timers/stamp-vortex-update-us.timer").code == 0
    });
    let csv = "test -s /var/lib/vortex/data/sample/stocks/1d/SPY.csv";
    machine.root(&format!("{csv} && test -d /var/lib/vortex/.local/state/vortex")).ok();
    let purged = machine.root("apt-get -qq purge -y vortex 2>&1").ok();
    assert!(purged.contains("The archive is kept: /var/lib/vortex"), "{purged}");
    let gone = "! test -e /etc/vortex && ! test -e /var/lib/vortex/.local && ! systemctl is-active vortex";
    machine.root(&format!("{csv} && {gone}")).ok();
    let left = machine
        .root(
            "find /etc /usr /run/systemd /var/lib/systemd -name '*vortex*' ! -path '*/dpkg/*' ! -name 'vortex-test*' ! -name yahoo-server",
        )
        .ok();
    assert_eq!(left, "", "left behind");
    machine.trader("test -e ~/.local/share/vortex/.vortex/catalogue.db").ok();
}
