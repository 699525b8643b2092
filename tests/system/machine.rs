//! A machine with a real systemd, and what is done on it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything on the machine may take.
const PATIENCE: Duration = Duration::from_secs(240);

/// One booted machine; it goes down with this value.
pub(crate) struct Machine {
    boot: Child,
    init: String,
    _work: tempfile::TempDir,
}

/// What a command on the machine said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    fn of(output: &Output) -> Said {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said {
            code: output.status.code().unwrap_or(-1),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// The output of a command that has to succeed.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:#?}");
        self.out
    }
}

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn script(args: &[&str]) -> Command {
    let mut command = Command::new("bash");
    command.arg(project().join("tests/system/machine")).args(args).current_dir(project());
    command
}

impl Machine {
    /// Boots a release of Debian with Vortex installed.
    pub(crate) fn boot(release: &str) -> Machine {
        Machine::boot_with(release, install)
    }

    /// Boots a release of Debian with the package as `/opt/vortex.deb`, not installed, and its tests as `/opt/tests`.
    pub(crate) fn boot_with_package(release: &str) -> Machine {
        Machine::boot_with(release, |files| {
            std::fs::create_dir_all(files.join("opt/tests")).unwrap();
            std::fs::create_dir_all(files.join("usr/bin")).unwrap();
            std::fs::copy(package(), files.join("opt/vortex.deb")).unwrap();
            for name in ["commands", "service"] {
                let test = project().join("debian/tests").join(name);
                std::fs::copy(test, files.join("opt/tests").join(name)).unwrap();
            }
            put_server(files);
        })
    }

    /// Boots a release of Debian with the files that `fill` puts into a folder laid over its own.
    fn boot_with(release: &str, fill: impl Fn(&Path)) -> Machine {
        let root = script(&["root", release]).stderr(Stdio::inherit()).output().unwrap();
        assert!(
            root.status.success(),
            "no root file system of {release}: is mmdebstrap there, and a mirror?"
        );
        let root = String::from_utf8(root.stdout).unwrap();
        let work = tempfile::tempdir().unwrap();
        let files = work.path().join("files");
        fill(&files);
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        let boot = script(&["boot", root.trim(), &path(work.path()), &path(&files)])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let init = first_child(boot.id());
        let machine = Machine { boot, init, _work: work };
        machine.until("the system bus", || {
            machine.root("busctl list >/dev/null && loginctl >/dev/null").code == 0
        });
        // `degraded` is what a machine without devices comes to.
        machine.root("systemctl is-system-running --wait");
        machine.until("the users' managers", || {
            machine.trader("systemctl --user is-system-running --wait >/dev/null; busctl --user list").code
                == 0
        });
        machine
    }

    /// Runs a line of shell as root.
    pub(crate) fn root(&self, line: &str) -> Said {
        self.enter(&["env", "-i", "HOME=/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"], line)
    }

    /// Runs a line of shell as the user who has Vortex.
    pub(crate) fn trader(&self, line: &str) -> Said {
        self.user(1000, "trader", line)
    }

    /// Runs a line of shell as the user who never asked for it.
    pub(crate) fn other(&self, line: &str) -> Said {
        self.user(1001, "other", line)
    }

    fn user(&self, uid: u32, name: &str, line: &str) -> Said {
        let (uid_option, gid) = (format!("--reuid={uid}"), format!("--regid={uid}"));
        let home = format!("HOME=/home/{name}");
        let user = format!("USER={name}");
        let runtime = format!("XDG_RUNTIME_DIR=/run/user/{uid}");
        let bus = format!("DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/{uid}/bus");
        let path = "PATH=/usr/bin:/bin";
        self.enter(
            &["setpriv", &uid_option, &gid, "--init-groups", "env", "-i", &home, &user, path, &runtime, &bus],
            line,
        )
    }

    fn enter(&self, prefix: &[&str], line: &str) -> Said {
        let output = Command::new("nsenter")
            .args(["-t", &self.init, "-m", "-p", "-u", "-i", "-C", "-n"])
            .args(prefix)
            .args(["timeout", "240", "bash", "-c", line])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Said::of(&output)
    }

    /// Holds one thread of a process of the machine, as a debugger does that never lets it go.
    pub(crate) fn hold_thread(&self, process: &str, name: &str) -> Held {
        let space = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/pid")).ok();
        let ours = space(&self.init);
        let is_it = |pid: &String| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let inner = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
            inner.is_some_and(|pids| pids.split_whitespace().last() == Some(process)) && space(pid) == ours
        };
        let pid = entries("/proc").into_iter().find(is_it).expect("no such process");
        let tasks = format!("/proc/{pid}/task");
        let is_named = |task: &String| {
            std::fs::read_to_string(format!("{tasks}/{task}/comm")).is_ok_and(|comm| comm.trim() == name)
        };
        let mut found = None;
        self.until("the thread", || {
            found = entries(&tasks).into_iter().find(is_named);
            found.is_some()
        });
        let task = found.unwrap();
        let tracer = Command::new("strace").args(["-q", "-o", "/dev/null", "-p", &task]).spawn();
        let held = Held(tracer.expect("missing: strace"));
        self.until("strace has it", || {
            let status = std::fs::read_to_string(format!("{tasks}/{task}/status")).unwrap();
            status.lines().any(|line| line == format!("TracerPid:\t{}", held.0.id()))
        });
        let stopped = Command::new("kill").args(["-STOP", &held.0.id().to_string()]).status();
        assert!(stopped.unwrap().success());
        held
    }

    /// Waits until something holds that nothing announces.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < PATIENCE, "in vain: {what}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Its PID 1 is killed with it, and the mounts go with their namespace.
        let _ = self.boot.kill();
        let _ = self.boot.wait();
    }
}

/// A thread that waits for a tracer which does nothing more.
pub(crate) struct Held(Child);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The names in a folder.
fn entries(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

/// Installs as the package does.
fn install(files: &Path) {
    let binaries = [env!("CARGO_BIN_EXE_vortex"), env!("CARGO_BIN_EXE_vortexctl")];
    let installed =
        Command::new(project().join("scripts/install-tree")).arg(files).args(binaries).status().unwrap();
    assert!(installed.success());
    put_server(files);
}

/// The package of this version and machine, which `scripts/build-deb` made.
fn package() -> PathBuf {
    let found = Command::new("bash")
        .args(["-c", ". scripts/lib/tools && built_package"])
        .current_dir(project())
        .output()
        .unwrap();
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    project().join(String::from_utf8(found.stdout).unwrap().trim())
}

/// The server that plays Yahoo lies beside the binaries.
fn put_server(files: &Path) {
    let server = PathBuf::from(env!("CARGO_BIN_EXE_vortex")).parent().unwrap().join("examples/yahoo-server");
    assert!(server.exists(), "{} is not built: cargo build --example yahoo-server", server.display());
    std::fs::copy(server, files.join("usr/bin/yahoo-server")).unwrap();
}

/// The PID 1 of the machine, seen from here: the child of the process that made its namespaces.
fn first_child(parent: u32) -> String {
    let began = Instant::now();
    loop {
        let children =
            std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        let init = children.split_whitespace().next().map(str::to_owned);
        if let Some(init) = init
            && std::fs::read_to_string(format!("/proc/{init}/comm"))
                .is_ok_and(|name| name.trim() == "systemd")
        {
            return init;
        }
        assert!(began.elapsed() < PATIENCE, "systemd does not start; this needs root");
        std::thread::sleep(Duration::from_millis(20));
    }
}
