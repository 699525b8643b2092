use super::*;
use crate::archive::crash::{CrashPoint, stop_at, survive};
use crate::archive::tests::{Place, bars, change, commit, key, stored};
use crate::archive::{SeriesRecord, verify::Kind, verify::Severity};
use crate::model::{Class, Contract};

const START: i64 = 1_701_388_800;

/// An archive of several classes and periods, with a revision.
fn filled(place: &Place) -> Vec<SeriesKey> {
    let writer = place.writer();
    let keys = vec![
        key("AAPL", Period::H1),
        key("AAPL", Period::D1),
        key("AAPL", Period::W1),
        SeriesKey {
            class: Class::Future,
            contract: Some(Contract { year: 2024, month: 2 }),
            ..key("GOLD", Period::M5)
        },
        SeriesKey { class: Class::Forex, ..key("EURUSD=X", Period::D1) },
    ];
    for key in &keys {
        let mut bars = bars(key, START, 900, 3.0);
        if key.period == Period::W1 {
            bars = bars.slice(0..1);
            bars.times[0] = "2023-11-27".parse::<Day>().unwrap().midnight();
        }
        let mut first = change(key, &bars);
        if key.period == Period::W1 {
            let monday = Day::of_utc(bars.times[0]);
            first.state.coverage.set(Days::new(monday, monday.plus(6)).unwrap(), Mark::Present);
        }
        first.state.coverage.set_day(Day::of_utc(START).plus(-9), Mark::BeforeListing);
        commit(&writer, first.clone());
        first.restated = Some("again".into());
        commit(&writer, first);
    }
    keys
}

/// All a catalogue says, but for row numbers and times of writing.
fn everything(archive: &Archive) -> Vec<(SeriesRecord, Vec<PartitionRecord>)> {
    let mut all = Vec::new();
    for mut series in archive.all_series().unwrap() {
        let mut partitions = archive.partitions(series.id).unwrap();
        partitions.iter_mut().for_each(|partition| partition.written = 0);
        series.id = 0;
        all.push((series, partitions));
    }
    all
}

#[test]
fn a_lost_or_broken_catalogue_is_made_again_as_it_was() {
    for broken in [false, true] {
        let place = Place::new();
        filled(&place);
        let before = everything(&place.archive());
        let counts = place.archive().session_counts("yahoo").unwrap().by_exchange;
        let revisions = place.archive().revisions(None).unwrap();
        let database = place.archive().catalogue_path().to_owned();
        for journal in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{journal}", database.display()));
        }
        if broken {
            fs::write(&database, "no database at all ".repeat(500)).unwrap();
            assert!(Archive::open(&place.root(), &place.state()).is_err());
        } else {
            fs::remove_file(&database).unwrap();
        }
        let (archive, aside) = Archive::open_for_rebuild(&place.root(), &place.state(), "test").unwrap();
        assert_eq!(aside.is_some_and(|path| path.exists()), broken);
        let done = archive.write("test").unwrap().rebuild(None).unwrap();
        assert!(done.iter().all(|one| one.outcome == Outcome::AsItIs), "{done:?}");
        assert_eq!(everything(&archive), before);
        assert_eq!(archive.session_counts("yahoo").unwrap().by_exchange, counts);
        assert_eq!(archive.revisions(None).unwrap(), revisions);
        assert_eq!(archive.verify(None).unwrap(), []);
    }
}

#[test]
fn a_rebuild_of_a_sound_archive_changes_nothing() {
    let place = Place::new();
    filled(&place);
    let before = everything(&place.archive());
    place.writer().rebuild(None).unwrap();
    assert_eq!(everything(&place.archive()), before);
}

#[test]
fn an_edited_csv_is_taken_over_for_its_symbol_only() {
    let place = Place::new();
    let keys = filled(&place);
    let writer = place.writer();
    let archive = writer.archive();
    let path = place.root().join("yahoo/stocks/1d/AAPL.csv");
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    // One bar is taken out and one changed.
    lines.remove(10);
    let changed = lines[20].replacen(',', ",9", 1);
    lines[20] = &changed;
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    let other = place.root().join("yahoo/forex/1d/EURUSD%3DX.csv");
    fs::write(&other, "broken").unwrap();

    let done = writer.rebuild(Some("AAPL")).unwrap();
    let made: Vec<_> = done.iter().filter(|one| one.outcome == Outcome::ParquetMade).collect();
    assert_eq!(made.len(), 1);
    assert_eq!(made[0].path, path);
    let taken = stored(archive, &keys[1]);
    assert_eq!(taken.len(), 899);
    let gone = Day::of_utc(START).plus(9);
    let state = archive.series(&keys[1]).unwrap().unwrap().state;
    assert_eq!(state.coverage.get(gone), Mark::Unknown);
    let found = archive.verify(None).unwrap();
    assert!(
        found.iter().all(|finding| finding.path == other || finding.kind == Kind::Inconsistent),
        "{found:?}"
    );
}

#[test]
fn what_cannot_be_read_is_named_and_left_alone() {
    let place = Place::new();
    let keys = filled(&place);
    let csv = place.root().join("yahoo/forex/1d/EURUSD%3DX.csv");
    let stray = place.root().join("yahoo/stocks/1d/notes.txt");
    fs::write(&csv, "broken").unwrap();
    fs::write(&stray, "mine").unwrap();
    fs::remove_file(place.root().join("yahoo/stocks/1d/AAPL.csv")).unwrap();
    let writer = place.writer();
    let done = writer.rebuild(None).unwrap();
    let outcome = |path: &Path| done.iter().find(|one| one.path == path).unwrap().outcome.clone();
    assert!(matches!(outcome(&csv), Outcome::LeftAlone(said) if said.contains("--fix")));
    assert!(matches!(outcome(&stray), Outcome::LeftAlone(_)));
    assert_eq!(outcome(&place.root().join("yahoo/stocks/1d/AAPL.csv")), Outcome::CsvMade);
    assert_eq!(fs::read_to_string(&csv).unwrap(), "broken");
    assert_eq!(stored(writer.archive(), &keys[1]).len(), 900);
    writer.repair(None, &mut |_| ()).unwrap();
    assert_eq!(stored(writer.archive(), &keys[4]).len(), 900);
}

#[test]
fn intraday_bars_that_are_gone_are_asked_for_again() {
    let place = Place::new();
    let keys = filled(&place);
    let writer = place.writer();
    let archive = writer.archive();
    let coverage = |at: usize| archive.series(&keys[at]).unwrap().unwrap().state.coverage;
    let day = |text: &str| text.parse::<Day>().unwrap();
    // A whole year of hours, and of another series the bars of some days of a contract.
    for ending in ["csv", "parquet"] {
        fs::remove_file(place.root().join("yahoo/stocks/1h/AAPL/2024").with_extension(ending)).unwrap();
    }
    assert_eq!(coverage(0).get(day("2024-01-03")), Mark::Present);
    writer.rebuild(None).unwrap();
    assert_eq!(coverage(0).get(day("2024-01-03")), Mark::Unknown);
    assert_eq!(coverage(0).get(day("2023-12-30")), Mark::Present);
    assert_eq!(coverage(0).get(day("2023-11-22")), Mark::BeforeListing);
    assert_eq!(archive.verify(None).unwrap(), []);
}

#[test]
fn a_lost_parquet_is_made_again_where_twins_are_kept() {
    let place = Place::new();
    let keys = filled(&place);
    let writer = place.writer();
    let archive = writer.archive();
    let twin = place.root().join("yahoo/stocks/1h/AAPL/2023.parquet");
    let daily = place.root().join("yahoo/stocks/1d/AAPL.parquet");
    // The catalogue knew of the one, the other's neighbour has one.
    for known in [true, false] {
        for path in [&twin, &daily] {
            fs::remove_file(path).unwrap();
        }
        if !known {
            archive.inner.catalogue.change(|t| t.execute("DELETE FROM series", [])).unwrap();
        }
        let done = writer.rebuild(None).unwrap();
        let made = done.iter().filter(|one| one.outcome == Outcome::ParquetMade).count();
        assert_eq!((made, twin.exists(), daily.exists()), (1 + usize::from(known), true, known));
    }
    assert_eq!(stored(archive, &keys[0]).len(), 900);
    // A series kept without stays without.
    let alone = Change { parquet: false, ..change(&key("MSFT", Period::D1), &bars(&keys[1], START, 5, 3.0)) };
    commit(&writer, alone);
    let done = writer.rebuild(Some("MSFT")).unwrap();
    assert_eq!(done.iter().map(|one| &one.outcome).collect::<Vec<_>>(), [&Outcome::AsItIs]);
}

#[test]
fn a_state_that_cannot_be_read_is_named_and_mended_and_harms_no_other_series() {
    let place = Place::new();
    let keys = filled(&place);
    let before = everything(&place.archive());
    let writer = place.writer();
    let archive = writer.archive();
    let spoil = "UPDATE series SET state = replace(state, '\"coverage\":\"', '\"coverage\":\"AAAA')
                 WHERE symbol = 'AAPL' AND period = '1d'";
    assert_eq!(archive.inner.catalogue.change(|t| t.execute(spoil, [])).unwrap(), 1);
    assert_eq!(archive.all_series().unwrap().len(), keys.len());
    let state = archive.series(&keys[1]).unwrap().unwrap().state;
    assert!(state.suspect.unwrap().contains("archive rebuild"));
    let found = archive.verify(None).unwrap();
    assert!(found.iter().any(|of| of.kind == Kind::Suspect), "{found:?}");
    writer.rebuild(None).unwrap();
    assert_eq!(everything(archive), before);
}

#[test]
fn a_rebuild_that_is_cut_off_calls_nothing_damaged_and_the_next_completes_it() {
    let place = Place::new();
    filled(&place);
    let before = everything(&place.archive());
    fs::remove_file(place.root().join("yahoo/stocks/1d/AAPL.parquet")).unwrap();
    for (point, catalogue) in [
        (CrashPoint::FileWritten, false),
        (CrashPoint::IntentCommitted, false),
        (CrashPoint::FileWritten, true),
        (CrashPoint::FoldersSynced, true),
    ] {
        if !catalogue {
            fs::remove_file(place.archive().catalogue_path()).unwrap();
        }
        stop_at(point, 0);
        let writer = place.writer();
        let cut_off = writer.rebuild(None);
        drop(writer);
        assert_eq!(survive(), cut_off.is_err());
        let found = place.archive().verify(None).unwrap();
        let damage = found.iter().find(|of| of.severity == Severity::Error);
        assert!(damage.is_none_or(|of| catalogue && of.kind == Kind::Missing), "{point:?}: {damage:?}");
        if point == CrashPoint::FoldersSynced {
            break;
        }
    }
    place.writer().rebuild(None).unwrap();
    assert_eq!(everything(&place.archive()).len(), before.len());
    assert_eq!(place.archive().verify(None).unwrap(), []);
}
