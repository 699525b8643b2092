//! What is running when it is killed: a command, the archive it finds, and the one it leaves undisturbed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use vortex::model::Day;
use vortex::provider::sample::listing::Listing;

use crate::archives::copy;
use crate::binary::Home;
use crate::compare::differences;
use crate::faults::{self, Change};
use crate::yahoo_server::{Action, Rule, Server};

/// One command in one situation.
#[allow(dead_code)] // Each test target uses its own part of this.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// The command that is killed.
    pub(crate) args: Vec<String>,
    /// How it goes on; another command where the first must not be done twice.
    pub(crate) resume: Vec<String>,
    /// What whoever checks the archive between two deaths may find; `None` where the one it finds is damaged.
    pub(crate) between: Option<&'static [&'static str]>,
    /// How long the undisturbed run took.
    pub(crate) time: Duration,
    /// What lies beside the archive in the person's home.
    pub(crate) files: Vec<(&'static str, String)>,
    config: String,
    archives: TempDir,
    _server: Option<Server>,
}

impl Scenario {
    /// The archive of an undisturbed run.
    pub(crate) fn after(&self) -> PathBuf {
        self.archives.path().join("after")
    }

    /// The archive it finds; not there where it makes the first.
    pub(crate) fn before(&self) -> PathBuf {
        self.archives.path().join("before")
    }

    /// The changes that the undisturbed command makes on the disk.
    pub(crate) fn changes(&self) -> Vec<Change> {
        self.watch(Home::archive, |_, _| {})
    }

    /// What the undisturbed command does on the disk below a folder, as far as it is watched.
    pub(crate) fn watch(
        &self,
        below: fn(&Home) -> PathBuf,
        how: impl FnOnce(&mut Command, &Path),
    ) -> Vec<Change> {
        let home = self.home();
        let (root, log, mut command) = (below(&home), home.path("log"), self.command(&home));
        how(faults::recorded(&mut command, &root, &log), &root);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}: {}", self.name, String::from_utf8_lossy(&output.stderr));
        faults::changes(&log, &root)
    }

    /// The command in a home.
    pub(crate) fn command(&self, home: &Home) -> Command {
        home.command(&self.args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The next run completes the archive, and it is the one of an undisturbed run.
    pub(crate) fn complete(&self, home: &Home) -> Result<(), String> {
        let archive = home.archive();
        let run = |args: &[String]| {
            let ran = home.run(&args.iter().map(String::as_str).collect::<Vec<_>>());
            match ran.code {
                0 => Ok(()),
                code => Err(format!("the next run ended with {code}: {}{}", ran.out, ran.err)),
            }
        };
        run(&self.resume)?;
        let once = self.resume != self.args;
        // Whoever opens a catalogue makes files beside it, and others copy that archive now.
        let begun = self.archives.path().join("before, to be opened");
        if once && differences(&begun, &archive).is_empty() {
            run(&self.args)?;
        }
        let ran = home.run(&["validate", "--json"]);
        if ran.code != 0 || ran.json()["findings"] != serde_json::json!([]) {
            return Err(format!("not clean at the end: {}{}", ran.out, ran.err));
        }
        let found = differences(&self.after(), &archive);
        if found.is_empty() { Ok(()) } else { Err(format!("not as undisturbed: {}", found.join("; "))) }
    }

    /// A home with that archive.
    pub(crate) fn home(&self) -> Home {
        let home = Home::configured(&self.config);
        self.files.iter().for_each(|(name, text)| home.put(name, text));
        if self.before().exists() {
            copy(&self.before(), &home.archive());
        }
        home
    }
}

/// Instants in seconds since the epoch, for the server.
pub(crate) struct Times {
    /// The first download.
    pub(crate) first: i64,
    /// The update a week later; both in the recent past, since intraday bars reach no further.
    pub(crate) second: i64,
    start: Day,
    /// A trading date between the two.
    between: Day,
}

impl Times {
    pub(crate) fn now() -> Times {
        let day = Day::of_utc(jiff::Timestamp::now().as_second()).monday().plus(-13);
        let evening = |day: Day| day.midnight() + 22 * 3600;
        let open = |day: &Day| Listing::of("AAPL").unwrap().exchange.is_open(*day);
        Times {
            first: evening(day),
            second: evening(day.plus(7)),
            start: day.plus(-36),
            between: (2..7).map(|days| day.plus(days)).find(open).unwrap(),
        }
    }

    /// A server, and a configuration with its address.
    pub(crate) fn server(&self, now: i64) -> (Server, String) {
        let server = Server::start(now);
        let config = format!(
            "providers.yahoo.base_url = \"{}\"\nproviders.yahoo.requests_per_minute = 1_000_000\n",
            server.base_url()
        );
        (server, config)
    }

    /// Later the history has another scale for two series, and one value of a third was corrected.
    pub(crate) fn rewrite(&self, server: &Server) {
        let day = self.between.to_string();
        for symbol in ["AAPL", "MSFT"] {
            let split = Action::Split { day: day.clone(), ratio: 4.0, at: self.second };
            server.rule(Rule::new(split).symbol(symbol));
        }
        let corrected = Day::of_utc(self.first).to_string();
        server.rule(Rule::new(Action::Restate { day: corrected, factor: 1.01 }).symbol("GE"));
    }

    pub(crate) fn download(&self, what: &str) -> Vec<String> {
        words(&format!("download {what} --start-date {}", self.start))
    }
}

pub(crate) fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

/// All of them.
#[allow(dead_code)]
pub(crate) fn all() -> Vec<Scenario> {
    let times = Times::now();
    let sample = words(
        "download -p sample -s AAPL EURUSD GOLD --period 1d,1h --start-date 2026-01-02 --end-date 2026-03-31",
    );
    let (server, config) = times.server(times.first);
    let first_sample = scenario("first of the sample market", sample, Some(server), config, None, nothing);
    let mut all = course(&times, "-s AAPL MSFT GE VOD.L EURUSD=X --period 1d,15m");
    let [_, update, restatement, _] = all.as_slice() else { unreachable!() };

    let (server, config) = times.server(times.second);
    let revert = words("archive revert AAPL --period 15m");
    let mut revert = scenario("revert", revert, Some(server), config, Some(&restatement.after()), nothing);
    // A second revert takes the first one back; this only finishes what is open.
    revert.resume = words("validate --fix");
    let (server, config) = times.server(times.second);
    let fix = words("validate --fix");
    let mut fix = scenario("validate --fix", fix, Some(server), config, Some(&update.after()), damage);
    fix.between = None;
    all.extend([first_sample, revert, fix]);
    all
}

/// Those of the smallest archive in which everything happens.
#[allow(dead_code)]
pub(crate) fn few() -> Vec<Scenario> {
    course(&Times::now(), "-s AAPL GE --period 1d")
}

/// First download, update, restatement and rebuild of these series.
fn course(times: &Times, series: &str) -> Vec<Scenario> {
    let download = || times.download(series);
    let (server, config) = times.server(times.first);
    let first = scenario("first download", download(), Some(server), config, None, nothing);
    let (server, config) = times.server(times.second);
    let update = scenario("update", download(), Some(server), config, Some(&first.after()), nothing);
    let (server, config) = times.server(times.second);
    times.rewrite(&server);
    let restatement =
        scenario("restatement", download(), Some(server), config, Some(&first.after()), nothing);
    let (server, config) = times.server(times.second);
    let rebuild = words("archive rebuild");
    let mut rebuild =
        scenario("rebuild", rebuild, Some(server), config, Some(&restatement.after()), lose_catalogue);
    // Files that are in no catalogue yet are what it is for.
    rebuild.between = Some(&["leftover", "unfinished", "unknown"]);
    vec![first, update, restatement, rebuild]
}

pub(crate) fn nothing(_: &Path) {}

/// A command that was run undisturbed.
pub(crate) fn scenario(
    name: &'static str,
    args: Vec<String>,
    server: Option<Server>,
    config: String,
    before: Option<&Path>,
    change: impl Fn(&Path),
) -> Scenario {
    let mut made = Scenario::unfinished(name, args, server, config, before, change);
    made.finish();
    made
}

impl Scenario {
    /// The command and what it finds; it was not run yet.
    pub(crate) fn unfinished(
        name: &'static str,
        args: Vec<String>,
        server: Option<Server>,
        config: String,
        before: Option<&Path>,
        change: impl Fn(&Path),
    ) -> Scenario {
        let archives = tempfile::tempdir().unwrap();
        if let Some(before) = before {
            copy(before, &archives.path().join("before"));
            change(&archives.path().join("before"));
            copy(&archives.path().join("before"), &archives.path().join("before, to be opened"));
        }
        let resume = args.clone();
        // What the next writer finishes, and what it removes.
        let between = Some(["leftover", "unfinished"].as_slice());
        let (time, files) = (Duration::ZERO, Vec::new());
        Scenario { name, args, resume, between, time, files, config, archives, _server: server }
    }

    /// Runs it.
    pub(crate) fn finish(&mut self) {
        // The first run may wait for a cold disk; the shorter one tells where the work is.
        let runs = [(); 2].map(|()| {
            let home = self.home();
            let begun = Instant::now();
            home.expect(0, &self.args.iter().map(String::as_str).collect::<Vec<_>>());
            (begun.elapsed(), home)
        });
        self.time = runs[0].0.min(runs[1].0);
        copy(&runs[0].1.archive(), &self.after());
    }
}

/// Without a catalogue, and with the Parquet of every daily pair cut off.
fn lose_catalogue(root: &Path) {
    for name in ["catalogue.db", "catalogue.db-wal", "catalogue.db-shm"] {
        let path = root.join(".vortex").join(name);
        assert!(!path.exists() || fs::remove_file(path).is_ok());
    }
    let daily = fs::read_dir(root.join("yahoo/stocks/1d")).unwrap().map(|entry| entry.unwrap().path());
    let twins: Vec<PathBuf> =
        daily.filter(|path| path.extension().is_some_and(|of| of == "parquet")).collect();
    assert!(twins.len() >= 2, "hardly any daily pair: {twins:?}");
    twins.iter().for_each(|twin| fs::write(twin, "PAR1").unwrap());
}

/// A CSV is gone, another cut off, a Parquet is gone.
#[allow(dead_code)]
pub(crate) fn damage(root: &Path) {
    fs::remove_file(root.join("yahoo/stocks/1d/MSFT.csv")).unwrap();
    fs::remove_file(root.join("yahoo/stocks/1d/GE.parquet")).unwrap();
    fs::write(root.join("yahoo/stocks/1d/AAPL.csv"), "Datetime,Open,Hi").unwrap();
}
