//! The loop: runs are killed at random moments, alone or several times in a row, and what they leave is
//! judged. The same seed makes the same choices; the moments themselves depend on the machine.

use std::fmt;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;

use crate::binary::{Home, Ran};
use crate::compare::remains;
use crate::faults;
use crate::scenarios::Scenario;

/// Chains at once; their waits for the disk overlap.
const WORKERS: usize = 2;
/// How often it is told how far it is.
const TOLD_EVERY: u64 = 100;
/// A commit takes at most about as long, from its first file on.
const COMMIT: Duration = Duration::from_millis(30);
/// After so many failures more would tell nothing new.
const FAILURES: usize = 5;

/// How many kills, and which.
pub(crate) struct Wanted {
    pub(crate) kills: u64,
    seed: u64,
    /// Only this chain, again and again.
    chain: Option<u64>,
}

impl Wanted {
    /// What the environment asks for; `scripts/crash` sets it.
    pub(crate) fn asked() -> Wanted {
        let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
        Wanted {
            kills: number("VORTEX_KILLS").unwrap_or(300),
            seed: number("VORTEX_SEED").unwrap_or(1),
            chain: number("VORTEX_CHAIN"),
        }
    }
}

/// What happened in one scenario.
#[derive(Clone, Default)]
struct Count {
    kills: u64,
    missed: u64,
    intents: u64,
    files: u64,
    recovering: u64,
}

/// What happened in all of them.
pub(crate) struct Report {
    seed: u64,
    counts: Vec<(&'static str, Count)>,
    pub(crate) failures: Vec<String>,
}

impl Report {
    fn sum(&self, of: impl Fn(&Count) -> u64) -> u64 {
        self.counts.iter().map(|(_, count)| of(count)).sum()
    }

    /// Kills that left an open intent.
    pub(crate) fn open_intents(&self) -> u64 {
        self.sum(|count| count.intents)
    }

    /// What was killed often, and never with an intent open.
    pub(crate) fn without_open_intent(&self) -> Vec<&str> {
        let never = self.counts.iter().filter(|(_, count)| count.kills >= 20 && count.intents == 0);
        never.map(|(name, _)| *name).collect()
    }

    /// Kills that left files in tmp.
    pub(crate) fn left_files(&self) -> u64 {
        self.sum(|count| count.files)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:28} {:>7} {:>12} {:>13} {:>17} {:>9}",
            "killed while", "kills", "open intent", "files in tmp", "with one to mend", "too late"
        )?;
        let mut line = |name: &str, of: &Count| {
            let Count { kills, missed, intents, files, recovering } = of;
            writeln!(f, "{name:28} {kills:>7} {intents:>12} {files:>13} {recovering:>17} {missed:>9}")
        };
        for (name, count) in &self.counts {
            line(name, count)?;
        }
        let all = Count {
            kills: self.sum(|count| count.kills),
            missed: self.sum(|count| count.missed),
            intents: self.open_intents(),
            files: self.left_files(),
            recovering: self.sum(|count| count.recovering),
        };
        line("all", &all)?;
        write!(f, "seed {}, {} failures", self.seed, self.failures.len())
    }
}

/// Numbers that look random and are the same for the same seed (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A part of a time, up to `percent` of it.
    fn part(&mut self, of: Duration, percent: u32) -> Duration {
        of * percent / 100 * u32::try_from(self.below(10_000)).unwrap() / 10_000
    }
}

/// Kills until there were as many as wanted.
pub(crate) fn run(wanted: &Wanted, scenarios: &[Scenario]) -> Report {
    let counts = scenarios.iter().map(|scenario| (scenario.name, Count::default())).collect();
    let changes: Vec<_> = scenarios.iter().map(Changes::of).collect();
    let report = Mutex::new(Report { seed: wanted.seed, counts, failures: Vec::new() });
    let next = AtomicU64::new(0);
    let told = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let chain = wanted.chain.unwrap_or_else(|| next.fetch_add(1, Ordering::SeqCst));
                    let at = usize::try_from(chain).unwrap() % scenarios.len();
                    let mut count = Count::default();
                    let judged = Chain::new(&scenarios[at], &changes[at], wanted.seed, chain).run(&mut count);
                    let mut report = report.lock().unwrap();
                    report.counts[at].1.add(&count);
                    report.failures.extend(judged.err());
                    let kills = report.sum(|count| count.kills);
                    let steps = kills / TOLD_EVERY;
                    if told.fetch_max(steps, Ordering::SeqCst) < steps {
                        eprintln!("{kills} of {} kills, {} failures", wanted.kills, report.failures.len());
                    }
                    if kills >= wanted.kills || report.failures.len() >= FAILURES {
                        break;
                    }
                }
            });
        }
    });
    report.into_inner().unwrap()
}

impl Count {
    fn add(&mut self, other: &Count) {
        self.kills += other.kills;
        self.missed += other.missed;
        self.intents += other.intents;
        self.files += other.files;
        self.recovering += other.recovering;
    }
}

/// What an undisturbed run changes on the disk.
struct Changes {
    /// How many changes.
    all: u64,
    /// Those that put a file of a commit in its place.
    renames: Vec<u64>,
}

impl Changes {
    fn of(scenario: &Scenario) -> Changes {
        let changes = scenario.changes();
        let is_rename = |of: &faults::Change| of.kind == 'R' && of.path.starts_with(".vortex/tmp");
        let renames: Vec<u64> =
            (0..).zip(&changes).filter(|(_, of)| is_rename(of)).map(|(at, _)| at).collect();
        assert!(!renames.is_empty(), "{} commits no file", scenario.name);
        Changes { all: changes.len() as u64, renames }
    }
}

/// When a run is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So long after it was started.
    After(Duration),
    /// So long after the first file in tmp that it makes once the first time has passed.
    InCommit(Duration, Duration),
    /// When it is about to make this change on the disk.
    Change(u64),
}

/// One archive, killed once or more, then completed.
struct Chain<'a> {
    scenario: &'a Scenario,
    changes: &'a Changes,
    home: Home,
    random: Random,
    seed: u64,
    number: u64,
}

impl<'a> Chain<'a> {
    fn new(scenario: &'a Scenario, changes: &'a Changes, seed: u64, number: u64) -> Chain<'a> {
        let random = Random(seed ^ (number + 1).wrapping_mul(0xd134_2543_de82_ef95));
        Chain { scenario, changes, home: scenario.home(), random, seed, number }
    }

    fn run(&mut self, count: &mut Count) -> Result<(), String> {
        let mut moments = Vec::new();
        let judged = self.kill_several(count, &mut moments);
        let judged = judged.and_then(|()| self.scenario.complete(&self.home));
        judged.map_err(|said| {
            let kept = std::env::temp_dir().join(format!("vortex-killed-{}-{}", self.seed, self.number));
            let kept = match fs::rename(self.home.archive(), &kept) {
                Ok(()) => kept.display().to_string(),
                Err(error) => error.to_string(),
            };
            let (name, seed, number) = (self.scenario.name, self.seed, self.number);
            format!(
                "{name}, killed after {moments:?}: {said}\n  archive: {kept}\n  again: scripts/crash --seed {seed} --chain {number} --kills 20"
            )
        })
    }

    fn kill_several(&mut self, count: &mut Count, moments: &mut Vec<Moment>) -> Result<(), String> {
        for nth in 0..=self.random.below(3) {
            let moment = self.moment(nth > 0);
            let args = if nth == 0 { &self.scenario.args } else { &self.scenario.resume };
            let was_open = self.open_intents() > 0;
            moments.push(moment);
            let status = self.kill_at(args, moment);
            if status.signal() != Some(9) {
                count.missed += 1;
                return match status.code() {
                    Some(0) => Ok(()),
                    _ => Err(format!("it ended with {status} before it was killed")),
                };
            }
            count.kills += 1;
            count.recovering += u64::from(was_open);
            let open = self.open_intents() > 0;
            count.intents += u64::from(open);
            count.files += u64::from(!remains(&self.home.archive()).is_empty());
            if let Some(excused) = self.scenario.between
                && self.home.archive().is_dir()
                && self.random.below(2) == 0
            {
                self.check_between(excused)?;
            }
        }
        Ok(())
    }

    /// When to kill. What follows a death begins with the recovery; half of its deaths are to be there. A
    /// commit is short: a third of the deaths wait for the next one to begin, and a third are at one of the
    /// changes on the disk, half of those in the midst of a commit.
    fn moment(&mut self, recovers: bool) -> Moment {
        let time = self.scenario.time;
        let early = recovers && self.random.below(2) == 0;
        match self.random.below(3) {
            0 if early => Moment::Change(self.random.below(12)),
            0 if self.random.below(2) == 0 => Moment::Change(self.random.below(self.changes.all)),
            0 => {
                let nth = self.random.below(self.changes.renames.len() as u64);
                Moment::Change(self.changes.renames[usize::try_from(nth).unwrap()])
            }
            1 => {
                let after = self.random.part(time, if early { 25 } else { 50 });
                Moment::InCommit(after, self.random.part(COMMIT.min(time / 5), 100))
            }
            _ => Moment::After(self.random.part(time, if early { 25 } else { 110 })),
        }
    }

    /// Starts it, and kills it; it may have ended by itself.
    fn kill_at(&self, args: &[String], moment: Moment) -> ExitStatus {
        let mut command = self.command(args);
        if let Moment::Change(nth) = moment {
            faults::killed(&mut command, &self.home.archive(), nth);
        }
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // The moment of the kill is what is random here; there is nothing to wait for.
        match moment {
            Moment::Change(_) => return child.wait().unwrap(),
            Moment::After(time) => std::thread::sleep(time),
            Moment::InCommit(time, then) => {
                std::thread::sleep(time);
                let tmp = self.home.file(".vortex/tmp");
                let prepares = || fs::read_dir(&tmp).is_ok_and(|mut files| files.next().is_some());
                while !prepares() && child.try_wait().unwrap().is_none() {
                    std::thread::sleep(Duration::from_micros(200));
                }
                std::thread::sleep(then);
            }
        }
        child.kill().unwrap();
        child.wait().unwrap()
    }

    /// Commits on their way, read from a copy: whoever opens the database itself recovers its log, and
    /// that is the next run's work.
    fn open_intents(&self) -> u64 {
        let own = self.home.file(".vortex");
        let copy = tempfile::tempdir().unwrap();
        for name in ["catalogue.db", "catalogue.db-wal"] {
            if own.join(name).exists() {
                fs::copy(own.join(name), copy.path().join(name)).unwrap();
            }
        }
        let database = Connection::open(copy.path().join("catalogue.db")).unwrap();
        // Killed early it has no tables yet.
        database.query_row("SELECT count(*) FROM intents", [], |row| row.get(0)).unwrap_or(0)
    }

    /// A reader that comes before the next writer finds no error in a sound archive: only what that
    /// writer finishes or removes.
    fn check_between(&self, excused: &[&str]) -> Result<(), String> {
        let ran = self.validate();
        let found = ran.json();
        let findings = found["findings"].as_array().into_iter().flatten();
        // Where a rebuild goes on, files that are in no catalogue are excused, and so is that it knows of none.
        let emptied = |one: &Value| {
            excused.contains(&"unknown")
                && one["path"].as_str().is_some_and(|path| path.ends_with(".vortex/catalogue.db"))
        };
        let (emptied, others): (Vec<&Value>, Vec<&Value>) = findings.partition(|one| emptied(one));
        let strange = others.into_iter().find(|one| !excused.iter().any(|kind| one["kind"] == *kind));
        match (ran.code, strange) {
            (0, None) => Ok(()),
            (1, None) if !emptied.is_empty() => Ok(()),
            // Killed before there was an archive.
            (4, None) => Ok(()),
            (code, strange) => Err(format!("a reader's validate ended with {code}: {strange:?} {}", ran.err)),
        }
    }

    fn validate(&self) -> Ran {
        self.home.run(&["validate", "--json"])
    }

    fn command(&self, args: &[String]) -> std::process::Command {
        self.home.command(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }
}
