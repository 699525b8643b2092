//! What is running when it is killed: a command, the archive it finds, and the one it leaves undisturbed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use vortex::model::Day;
use vortex::provider::sample::listing::Listing;

use crate::binary::Home;
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
    /// The archive it finds is sound, so whoever checks it between two deaths may find no error.
    pub(crate) sound: bool,
    /// How long the undisturbed run took.
    pub(crate) time: Duration,
    config: String,
    archives: TempDir,
    _server: Server,
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
        let (home, args): (_, Vec<_>) = (self.home(), self.args.iter().map(String::as_str).collect());
        let (root, log) = (home.archive(), home.path("log"));
        let output = faults::recorded(&mut home.command(&args), &root, &log).output().unwrap();
        assert!(output.status.success(), "{}: {}", self.name, String::from_utf8_lossy(&output.stderr));
        faults::changes(&log, &root)
    }

    /// A home with that archive.
    pub(crate) fn home(&self) -> Home {
        let home = Home::configured(&self.config);
        if self.before().exists() {
            copy(&self.before(), &home.archive());
        }
        home
    }
}

/// Instants in seconds since the epoch, for the server.
struct Times {
    /// The first download.
    first: i64,
    /// The update a week later; both in the recent past, since intraday bars reach no further.
    second: i64,
    start: Day,
    /// A trading date between the two.
    between: Day,
}

impl Times {
    fn now() -> Times {
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
    fn server(&self, now: i64) -> (Server, String) {
        let server = Server::start(now);
        let config = format!(
            "providers.yahoo.base_url = \"{}\"\nproviders.yahoo.requests_per_minute = 1_000_000\n",
            server.base_url()
        );
        (server, config)
    }

    /// Later the history has another scale for two series, and one value of a third was corrected.
    fn rewrite(&self, server: &Server) {
        let day = self.between.to_string();
        for symbol in ["AAPL", "MSFT"] {
            let split = Action::Split { day: day.clone(), ratio: 4.0, at: self.second };
            server.rule(Rule::new(split).symbol(symbol));
        }
        let corrected = Day::of_utc(self.first).to_string();
        server.rule(Rule::new(Action::Restate { day: corrected, factor: 1.01 }).symbol("GE"));
    }

    fn download(&self, what: &str) -> Vec<String> {
        words(&format!("download {what} --start-date {}", self.start))
    }
}

fn words(line: &str) -> Vec<String> {
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
    let first_sample = scenario("first of the sample market", sample, server, config, None, nothing);
    let mut all = course(&times, "-s AAPL MSFT GE VOD.L EURUSD=X --period 1d,15m");
    let [_, update, restatement, _] = all.as_slice() else { unreachable!() };

    let (server, config) = times.server(times.second);
    let revert = words("archive revert AAPL --period 15m");
    let mut revert = scenario("revert", revert, server, config, Some(&restatement.after()), nothing);
    // A second revert takes the first one back; this only finishes what is open.
    revert.resume = words("validate --fix");
    let (server, config) = times.server(times.second);
    let fix = words("validate --fix");
    let mut fix = scenario("validate --fix", fix, server, config, Some(&update.after()), damage);
    fix.sound = false;
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
    let first = scenario("first download", download(), server, config, None, nothing);
    let (server, config) = times.server(times.second);
    let update = scenario("update", download(), server, config, Some(&first.after()), nothing);
    let (server, config) = times.server(times.second);
    times.rewrite(&server);
    let restatement = scenario("restatement", download(), server, config, Some(&first.after()), nothing);
    let (server, config) = times.server(times.second);
    let rebuild = words("archive rebuild");
    let rebuild = scenario("rebuild", rebuild, server, config, Some(&restatement.after()), lose_catalogue);
    vec![first, update, restatement, rebuild]
}

fn nothing(_: &Path) {}

fn scenario(
    name: &'static str,
    args: Vec<String>,
    server: Server,
    config: String,
    before: Option<&Path>,
    change: impl Fn(&Path),
) -> Scenario {
    let archives = tempfile::tempdir().unwrap();
    if let Some(before) = before {
        copy(before, &archives.path().join("before"));
        change(&archives.path().join("before"));
    }
    let resume = args.clone();
    let time = Duration::ZERO;
    let mut made = Scenario { name, args, resume, sound: true, time, config, archives, _server: server };
    // The first run may wait for a cold disk; the shorter one tells where the work is.
    let runs = [(); 2].map(|()| {
        let home = made.home();
        let begun = Instant::now();
        home.expect(0, &made.args.iter().map(String::as_str).collect::<Vec<_>>());
        (begun.elapsed(), home)
    });
    made.time = runs[0].0.min(runs[1].0);
    copy(&runs[0].1.archive(), &made.after());
    made
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
fn damage(root: &Path) {
    fs::remove_file(root.join("yahoo/stocks/1d/MSFT.csv")).unwrap();
    fs::remove_file(root.join("yahoo/stocks/1d/GE.parquet")).unwrap();
    fs::write(root.join("yahoo/stocks/1d/AAPL.csv"), "Datetime,Open,Hi").unwrap();
}

/// Copies a folder with all in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => assert!(fs::copy(entry.path(), target).is_ok()),
        }
    }
}
