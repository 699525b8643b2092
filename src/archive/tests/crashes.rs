//! Dying at every crash point of every kind of commit, and what the next start makes of it. The
//! table in `docs/architecture.md` says the same in words.

use std::fs;

use super::super::crash::{CrashPoint, stop_at, survive};
use super::super::verify::{Kind, Severity};
use super::*;

/// A kind of commit.
struct Scenario {
    name: &'static str,
    /// What the archive has before.
    before: fn(&Writer),
    /// The commit that is cut off.
    act: fn(&Writer) -> Result<Committed, ArchiveError>,
    /// The files it writes and renames, and so how often it comes by those two points.
    files: u32,
    /// The files it removes.
    removes: u32,
}

const SCENARIOS: [Scenario; 9] = [
    Scenario {
        name: "a first commit",
        before: |_| {},
        act: |w| put(w, &[daily(40, 9.0)]),
        files: 2,
        removes: 0,
    },
    Scenario {
        name: "an update of one partition",
        before: has_days,
        act: |w| put(w, &[daily(41, 9.0)]),
        files: 2,
        removes: 0,
    },
    Scenario {
        name: "several partitions",
        before: has_hours,
        act: |w| put(w, &[hourly(1400, 190.0)]),
        files: 4,
        removes: 0,
    },
    Scenario {
        name: "several series in one intent",
        before: has_hours,
        act: |w| put(w, &[hourly(1400, 190.0), daily(40, 9.0)]),
        files: 6,
        removes: 0,
    },
    Scenario { name: "a restatement", before: has_hours, act: restate, files: 7, removes: 0 },
    Scenario {
        name: "a revert",
        before: |w| {
            has_hours(w);
            restate(w).unwrap();
        },
        act: |w| w.revert(1),
        files: 7,
        removes: 0,
    },
    Scenario {
        name: "a revert that removes a partition",
        before: |w| {
            restated_and_grown(w);
        },
        act: |w| w.revert(1),
        files: 9,
        removes: 4,
    },
    Scenario {
        name: "a derived series with its table",
        before: |w| {
            derive(w, 40, "old").unwrap();
        },
        act: |w| derive(w, 41, "new"),
        files: 3,
        removes: 0,
    },
    Scenario {
        name: "a twin that goes",
        before: has_days,
        act: |w| put(w, &[Change { parquet: false, ..daily(41, 9.0) }]),
        files: 1,
        removes: 1,
    },
];

/// The points, and whether the commit is carried out by the next start.
const POINTS: [(CrashPoint, bool); 7] = [
    (CrashPoint::FileWritten, false),
    (CrashPoint::TempSynced, false),
    (CrashPoint::IntentCommitted, true),
    (CrashPoint::Renamed, true),
    (CrashPoint::Removed, true),
    (CrashPoint::FoldersSynced, true),
    (CrashPoint::Recorded, true),
];

fn daily(n: i64, base: f64) -> Change {
    let key = key("EURUSD=X", Period::D1);
    change(&key, &bars(&key, START, n, base))
}

/// Two years of hours.
fn hourly(n: i64, base: f64) -> Change {
    let key = key("AAPL", Period::H1);
    change(&key, &bars(&key, START, n, base))
}

fn has_days(writer: &Writer) {
    put(writer, &[daily(40, 9.0)]).unwrap();
}

fn has_hours(writer: &Writer) {
    put(writer, &[hourly(1000, 190.0)]).unwrap();
}

fn put(writer: &Writer, changes: &[Change]) -> Result<Committed, ArchiveError> {
    let prepared: Result<Vec<_>, _> = changes.iter().map(|change| writer.prepare(change.clone())).collect();
    writer.commit(prepared?)
}

/// A series with its table of rolls.
fn derive(writer: &Writer, n: i64, table: &str) -> Result<Committed, ArchiveError> {
    writer.commit(vec![writer.prepare_replacement(daily(n, 9.0), &[], Some(table.as_bytes()))?])
}

fn restate(writer: &Writer) -> Result<Committed, ArchiveError> {
    put(writer, &[Change { restated: Some("split".into()), ..hourly(1400, 95.0) }])
}

/// Stamps, and the bits of every value.
type Bits = (Vec<i64>, Vec<Vec<u64>>);

/// All that a reader can see of an archive, but for the instants at which it was written.
#[derive(Debug, PartialEq)]
struct Seen {
    /// Each with its table of rolls.
    series: Vec<(SeriesKey, SeriesState, Bits, Option<Vec<u8>>)>,
    revisions: Vec<(i64, String, Vec<String>)>,
    files: Vec<PathBuf>,
}

fn look(archive: &Archive) -> Seen {
    let bits = |values: &Vec<f64>| values.iter().map(|value| value.to_bits()).collect();
    let series = archive.all_series().unwrap().into_iter().map(|series| {
        let bars = stored(archive, &series.key);
        let values = bars.values.iter().map(bits).collect();
        let table = archive.rolls(&series.key).unwrap();
        (series.key, series.state, (bars.times, values), table)
    });
    let revisions = archive.revisions(None).unwrap().into_iter();
    let (root, kept) = (archive.root(), archive.root().join(layout::REVISIONS));
    let mut files = files::walk(root).unwrap();
    files.extend(files::walk(&kept).unwrap());
    Seen {
        series: series.collect(),
        revisions: revisions.map(|of| (of.id, of.reason, of.partitions)).collect(),
        files: files.iter().map(|path| path.strip_prefix(root).unwrap().to_owned()).collect(),
    }
}

/// A new archive in which a scenario was cut off at the `nth` time it came by a point; `None` where it
/// does not come by that often.
fn cut_off(scenario: &Scenario, point: CrashPoint, nth: u32) -> Option<Place> {
    let place = Place::new();
    let writer = place.writer();
    (scenario.before)(&writer);
    stop_at(point, nth);
    let failed = (scenario.act)(&writer);
    drop(writer);
    let died = survive();
    assert_eq!(died, failed.is_err(), "{}: {failed:?}", scenario.name);
    died.then_some(place)
}

fn assert_tidy(place: &Place, archive: &Archive, said: &str) {
    assert!(tmp_is_empty(place), "{said}");
    assert_eq!(archive.inner.catalogue.read(ledger::intents).unwrap().len(), 0, "{said}");
    assert_counts_are_right(archive);
    assert_eq!(archive.verify(None).unwrap(), [], "{said}");
}

#[test]
fn each_crash_point_of_each_commit_leaves_old_or_new() {
    for scenario in &SCENARIOS {
        let whole = Place::new();
        let writer = whole.writer();
        (scenario.before)(&writer);
        let old = look(writer.archive());
        (scenario.act)(&writer).unwrap();
        let new = look(writer.archive());
        assert_ne!(old, new, "{}", scenario.name);

        for (point, forward) in POINTS {
            let mut times = 0;
            while let Some(place) = cut_off(scenario, point, times) {
                let said = format!("{}, stopped at {point:?} {times}", scenario.name);
                let found = place.archive().verify(None).unwrap();
                assert!(found.iter().all(|of| of.severity == Severity::Warning), "{said}: {found:?}");
                assert!(!forward || place.archive().has_series().unwrap(), "{said}: it seems to be empty");
                let archive = place.writer().archive().clone();
                assert_eq!(&look(&archive), if forward { &new } else { &old }, "{said}");
                assert_tidy(&place, &archive, &said);
                times += 1;
            }
            let expected = match point {
                CrashPoint::FileWritten | CrashPoint::Renamed => scenario.files,
                CrashPoint::Removed => scenario.removes,
                _ => 1,
            };
            assert_eq!(times, expected, "{}: {point:?}", scenario.name);
        }
    }
}

#[test]
fn a_start_that_dies_while_it_recovers_is_finished_by_the_next() {
    let scenario = &SCENARIOS[4];
    let whole = Place::new();
    (scenario.before)(&whole.writer());
    (scenario.act)(&whole.writer()).unwrap();
    let new = look(&whole.archive());
    let mut deaths = 0;
    for point in [CrashPoint::Renamed, CrashPoint::FoldersSynced, CrashPoint::Recorded] {
        for nth in 0.. {
            let place = cut_off(scenario, CrashPoint::Renamed, 1).unwrap();
            stop_at(point, nth);
            let started = place.archive().write("test").map(drop);
            assert_eq!(survive(), started.is_err());
            if started.is_ok() {
                break;
            }
            deaths += 1;
            let said = format!("recovery stopped at {point:?} {nth}");
            let archive = place.writer().archive().clone();
            assert_eq!(look(&archive), new, "{said}");
            assert_tidy(&place, &archive, &said);
        }
    }
    assert_eq!(deaths, 5 + 1 + 1, "two of seven files were in their places already");
}

#[test]
fn a_table_that_is_lost_holds_no_commit_back() {
    let scenario = SCENARIOS.iter().find(|of| of.name == "a derived series with its table").unwrap();
    let place = cut_off(scenario, CrashPoint::IntentCommitted, 0).unwrap();
    let tmp = fs::read_dir(place.root().join(layout::TMP)).unwrap().map(|entry| entry.unwrap().path());
    let table = tmp.filter(|path| fs::read(path).unwrap() == b"new").collect::<Vec<_>>();
    assert_eq!(table.len(), 1);
    fs::remove_file(&table[0]).unwrap();
    let archive = place.writer().archive().clone();
    assert_tidy(&place, &archive, "recovered");
    let (key, state, bars, table) = look(&archive).series.remove(0);
    assert_eq!((bars.0.len(), table, state.suspect), (41, Some(b"old".to_vec()), None), "{key}");
}

#[test]
fn a_reader_at_a_crash_sees_each_csv_old_or_new_and_never_half() {
    let scenario = &SCENARIOS[2];
    let texts = |writer: &Writer| {
        ["2023.csv", "2024.csv"]
            .map(|name| fs::read(writer.archive().root().join("yahoo/stocks/1h/AAPL").join(name)).unwrap())
    };
    let whole = Place::new();
    let writer = whole.writer();
    (scenario.before)(&writer);
    let old = texts(&writer);
    (scenario.act)(&writer).unwrap();
    let new = texts(&writer);
    let mut unfinished = 0;
    for nth in 0..scenario.files {
        let place = cut_off(scenario, CrashPoint::Renamed, nth).unwrap();
        for (at, name) in ["2023.csv", "2024.csv"].into_iter().enumerate() {
            let text = fs::read(place.root().join("yahoo/stocks/1h/AAPL").join(name)).unwrap();
            // CSV and Parquet of 2023, then those of 2024.
            let renamed = nth >= at as u32 * 2;
            assert!(text == if renamed { &new } else { &old }[at], "{name} at {nth}");
        }
        // An interrupted commit is no damage, and nobody is told that a file was edited.
        let found = Archive::open_to_read(&place.root(), &place.root()).unwrap().verify(None).unwrap();
        assert!(found.iter().all(|finding| finding.severity == Severity::Warning), "{nth}: {found:?}");
        unfinished += found.iter().filter(|finding| finding.kind == Kind::Unfinished).count();
    }
    assert!(unfinished > 0);
}

#[test]
fn a_parquet_that_is_lost_after_its_csv_went_in_leaves_the_new_csv() {
    let place = Place::new();
    let writer = place.writer();
    has_days(&writer);
    let new = daily(41, 9.0);
    let prepared = writer.prepare(new.clone()).unwrap();
    let twin = prepared.series.pairs[0].parquet.as_ref().unwrap().tmp.clone();
    stop_at(CrashPoint::Renamed, 0);
    writer.commit(vec![prepared]).unwrap_err();
    drop(writer);
    assert!(survive());
    fs::remove_file(place.root().join(layout::TMP).join(twin)).unwrap();

    let writer = place.writer();
    let archive = writer.archive();
    let series = archive.series(&new.key).unwrap().unwrap();
    assert!(series.state.suspect.unwrap().contains("parquet was lost"));
    assert!(
        stored(archive, &new.key).same(new.partitions[0].1.bars()),
        "the CSV is the new one and as recorded"
    );
    assert!(!archive.verify(None).unwrap().is_empty());
    // It is fetched again, and all is well.
    put(&writer, &[new]).unwrap();
    assert_eq!(archive.verify(None).unwrap(), []);
}

#[test]
fn a_lost_file_of_a_revision_does_not_hold_the_commit_back_and_its_revert_says_so() {
    let place = Place::new();
    let writer = place.writer();
    has_hours(&writer);
    let new = Change { restated: Some("split".into()), ..hourly(1400, 95.0) };
    let prepared = writer.prepare(new.clone()).unwrap();
    let lost = prepared.series.kept[1].tmp.clone();
    stop_at(CrashPoint::IntentCommitted, 0);
    writer.commit(vec![prepared]).unwrap_err();
    drop(writer);
    assert!(survive());
    fs::remove_file(place.root().join(layout::TMP).join(lost)).unwrap();

    let writer = place.writer();
    assert_eq!(writer.archive().series(&new.key).unwrap().unwrap().state.suspect, None);
    let found = writer.archive().verify(None).unwrap();
    assert_eq!(found.iter().map(|one| one.kind).collect::<Vec<_>>(), [Kind::Revision]);
    assert!(found[0].path.ends_with(".vortex/revisions/1/2023.csv.zst"), "{found:?}");
    let now = look(writer.archive());
    let error = writer.revert(1).unwrap_err().to_string();
    assert!(error.contains("2023.csv.zst: the file is missing"), "{error}");
    assert_eq!(look(writer.archive()), now, "a revert that cannot be whole changes nothing");
}

#[test]
fn a_restatement_that_cannot_keep_what_it_replaces_is_refused_before_it_is_promised() {
    let place = Place::new();
    let writer = place.writer();
    has_hours(&writer);
    fs::write(place.root().join(layout::REVISIONS), "x").unwrap();
    let new = Change { restated: Some("split".into()), ..hourly(1400, 95.0) };
    let error = writer.prepare(new.clone()).unwrap_err().to_string();
    assert!(error.contains("revisions: it is no folder"), "{error}");
    fs::remove_file(place.root().join(layout::REVISIONS)).unwrap();
    writer.commit(vec![writer.prepare(new).unwrap()]).unwrap();
    assert_eq!(writer.archive().verify(None).unwrap(), []);
}

#[test]
fn a_partition_whose_kept_file_is_lost_does_not_go() {
    let place = Place::new();
    let writer = place.writer();
    let (key, [.., grown]) = restated_and_grown(&writer);
    stop_at(CrashPoint::IntentCommitted, 0);
    writer.revert(2).unwrap_err();
    let intents = writer.archive().inner.catalogue.read(ledger::intents).unwrap();
    drop(writer);
    assert!(survive());
    let kept = &intents[0].1.series[0].kept;
    let lost = kept.iter().find(|of| of.target.ends_with("2026.csv.zst")).unwrap();
    fs::remove_file(place.root().join(layout::TMP).join(&lost.tmp)).unwrap();

    let writer = place.writer();
    let archive = writer.archive();
    let state = archive.series(&key).unwrap().unwrap().state;
    assert!(state.suspect.unwrap().contains("2026.csv.zst was lost"));
    let year = "2026-01-01".parse::<Day>().unwrap();
    assert!(
        stored(archive, &key)
            .between(year.midnight(), i64::MAX)
            .same(&grown.between(year.midnight(), i64::MAX))
    );
}

#[test]
fn a_writer_whose_commit_was_cut_off_writes_nothing_more() {
    let place = Place::new();
    let writer = place.writer();
    let key = key("AAPL", Period::D1);
    let prepared = writer.prepare(change(&key, &bars(&key, START, 5, 1.0))).unwrap();
    let other = writer.prepare(change(&super::key("MSFT", Period::D1), &bars(&key, START, 5, 1.0))).unwrap();
    stop_at(CrashPoint::IntentCommitted, 0);
    writer.commit(vec![prepared]).unwrap_err();
    assert!(survive());
    let error = writer.commit(vec![other]).unwrap_err();
    assert!(error.to_string().contains("start again"), "{error}");
}

#[test]
fn a_file_in_neither_place_is_damage_and_its_series_suspect() {
    let place = Place::new();
    let key = key("AAPL", Period::H1);
    let old = bars(&key, START, 1000, 190.0);
    let new = bars(&key, START, 1400, 95.0);
    let writer = place.writer();
    commit(&writer, change(&key, &old));
    stop_at(CrashPoint::IntentCommitted, 0);
    let prepared = writer.prepare(change(&key, &new)).unwrap();
    // The CSV of 2023 is lost; 2024 goes forward.
    let lost = prepared.series.pairs[0].csv.tmp.clone();
    writer.commit(vec![prepared]).unwrap_err();
    drop(writer);
    assert!(survive());
    fs::remove_file(place.root().join(layout::TMP).join(lost)).unwrap();

    let writer = place.writer();
    let series = writer.archive().series(&key).unwrap().unwrap();
    assert!(series.state.suspect.unwrap().contains("2023.csv was lost"));
    let day = |text: &str| text.parse::<Day>().unwrap();
    assert_eq!(series.state.coverage.get(day("2023-12-05")), Mark::Suspect);
    assert_eq!(series.state.coverage.get(day("2024-01-05")), Mark::Present);
    let now = stored(writer.archive(), &key);
    let year = day("2024-01-01").midnight();
    assert!(now.between(0, year).same(&old.between(0, year)));
    assert!(now.between(year, i64::MAX).same(&new.between(year, i64::MAX)));
    assert!(tmp_is_empty(&place));
    assert_counts_are_right(writer.archive());
    // It can be fetched again.
    commit(&writer, change(&key, &new));
    assert!(stored(writer.archive(), &key).same(&new));
}
