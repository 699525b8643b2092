//! The commits that are recorded: the archive before each, and the command that makes it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use vortex::model::Day;

use crate::archives::{copy, to_the_first_schema};
use crate::binary::Home;
use crate::disk::Disk;
use crate::faults::{self, Change};
use crate::yahoo_server::{Action, Rule, Server};

/// One recorded run.
pub(crate) struct Recording {
    pub(crate) name: &'static str,
    /// A copy of the archive it found; not there where it made the first.
    pub(crate) before: PathBuf,
    /// A copy of the archive it left.
    pub(crate) after: PathBuf,
    /// The disk it began with.
    pub(crate) disk: Disk,
    pub(crate) changes: Vec<Change>,
    /// It makes the catalogue of files that are there.
    pub(crate) rebuilds: bool,
}

/// All of them; each finds what the one before it left.
pub(crate) fn record_all(place: &Path) -> Vec<Recording> {
    // In the recent past: intraday bars reach no further.
    let monday = Day::of_utc(jiff::Timestamp::now().as_second()).monday().plus(-14);
    let evening = |days: i32| monday.plus(days).midnight() + 22 * 3600;
    let server = Server::start(evening(0));
    // Answers as received are not synced and nothing depends on them: one recording with them will do.
    let with_answers = format!(
        "providers.yahoo.base_url = '{}'\nproviders.yahoo.requests_per_minute = 1_000_000\n",
        server.base_url()
    );
    let configuration = format!("{with_answers}general.raw.enabled = false\n");
    let home = Home::configured(&configuration);
    let since = monday.plus(-20).to_string();
    let daily = format!("download -s AAPL MSFT --period 1d --start-date {since}");
    let two_months =
        format!("download -s AAPL --period 15m --start-date {}", monday.first_of_month().plus(-4));
    let record = |name, line: &str| {
        let folder = place.join(name);
        record(name, home.command(&line.split(' ').collect::<Vec<_>>()), &home.archive(), &folder)
    };
    let first = record("the first commit, which makes the catalogue", &daily);
    let several = record("several partitions", &two_months);
    server.set_now(evening(1));
    // A month that comes in after a restatement goes with its revert.
    let month = format!("download -s GE --period 15m --start-date {}", monday.first_of_month());
    let month_before =
        format!("download -s GE --period 15m --start-date {}", monday.first_of_month().plus(-4));
    let run = |line: &str| drop(home.expect(0, &line.split(' ').collect::<Vec<_>>()));
    run(&month);
    let update = record("an update", &daily);
    server.set_now(evening(2));
    let split = Action::Split { day: monday.plus(2).to_string(), ratio: 4.0, at: evening(2) - 3600 };
    server.rule(Rule::new(split.clone()).symbol("AAPL"));
    server.rule(Rule::new(split).symbol("GE"));
    let restatement = record("a restatement", &daily);
    let revert = record("a revert", "archive revert AAPL --period 1d");
    run(&month);
    run(&month_before);
    let removal = record("a revert that removes a partition", "archive revert GE --period 15m");
    let removes = |change: &Change| change.kind == 'U' && change.path.starts_with("yahoo");
    assert!(removal.changes.iter().any(removes), "no partition went");
    server.set_now(evening(3));
    to_the_first_schema(&home.archive());
    let migration = record("an update that migrates the catalogue", &daily.replace("AAPL ", ""));
    for name in ["catalogue.db", "catalogue.db-wal", "catalogue.db-shm"] {
        let path = home.archive().join(".vortex").join(name);
        assert!(!path.exists() || fs::remove_file(path).is_ok());
    }
    let mut rebuild = record("a rebuild without a catalogue", "archive rebuild");
    rebuild.rebuilds = true;
    let keeping = Home::configured(&with_answers);
    let name = "the first commit, with answers as received";
    let line = format!("download -s MSFT --period 1d --start-date {since}");
    let command = keeping.command(&line.split(' ').collect::<Vec<_>>());
    let answers = self::record(name, command, &keeping.archive(), &place.join(name));
    assert!(answers.changes.iter().any(|change| change.path.starts_with("raw")), "no answer was kept");
    // The archive on a network: its catalogue is in the state folder, which lies in the recorded one here, and
    // has a rollback journal.
    let far = Home::configured(&configuration);
    let record_far = |name| {
        let mut command = far.command(&["download", "-s", "MSFT", "--period", "1d", "--start-date", &since]);
        faults::on_a_network(&mut command).env("XDG_STATE_HOME", far.file(STATE));
        self::record(name, command, &far.archive(), &place.join(name))
    };
    let far_first = record_far("the first commit on a network");
    server.set_now(evening(4));
    let far_update = record_far("an update on a network");
    for recording in [&far_first, &far_update] {
        let journals = |change: &&Change| change.path.to_string_lossy().ends_with(".db-journal");
        assert!(recording.changes.iter().any(|change| journals(&change)), "no rollback journal was used");
    }
    vec![
        first,
        several,
        update,
        restatement,
        revert,
        removal,
        migration,
        rebuild,
        answers,
        far_first,
        far_update,
    ]
}

/// The state folder of a person whose archive is on a network, in that archive.
const STATE: &str = ".state";

/// Where the catalogue is in the state folder, under a name that is made of the archive's path, it is put where
/// it is looked for.
pub(crate) fn bring_catalogue(root: &Path) {
    for entry in fs::read_dir(root.join(STATE).join("vortex")).into_iter().flatten() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if let Some((_, ending)) = name.strip_prefix("catalogue-").and_then(|rest| rest.split_once('.')) {
            fs::create_dir_all(root.join(".vortex")).unwrap();
            fs::rename(entry.path(), root.join(".vortex/catalogue").with_extension(ending)).unwrap();
        }
    }
}

fn record(name: &'static str, mut command: Command, root: &Path, folder: &Path) -> Recording {
    let (before, after, log) = (folder.join("before"), folder.join("after"), folder.join("log"));
    fs::create_dir_all(folder).unwrap();
    if root.exists() {
        copy(root, &before);
    }
    let disk = Disk::of(root);
    let output = faults::recorded(&mut command, root, &log).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    copy(root, &after);
    let changes = faults::changes(&log, root);
    assert!(changes.len() > 20, "{name}: nothing was recorded");
    Recording { name, before, after, disk, changes, rebuilds: false }
}
