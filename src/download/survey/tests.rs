use super::*;
use crate::archive::{Change, Content};
use crate::model::{Bars, Class, Contract, Days, Instrument, Mark, Period};

const NO_LIMITS: Limits = Limits { reach_days: None, request_days: None };
/// 2024-07-03 00:00 UTC.
const NOW: i64 = 1_719_964_800;

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// Gold of February 2024, of which all is wanted since a day.
fn target(from: &str) -> Target {
    let contract = Some(Contract { year: 2024, month: 2 });
    let wanted = crate::download::Wanted {
        from: day(from),
        to: Some(day("2024-02-29")),
        force: false,
        backfill: true,
        chunk: None,
    };
    let instrument = Instrument::plain("GOLD", "GC", Class::Future);
    let (provider, symbol) = ("barchart".to_owned(), "GOLD".to_owned());
    let key = SeriesKey { provider, class: Class::Future, symbol, contract, period: Period::D1 };
    Target { instrument, contract, key, wanted }
}

/// Two days with a bar each, and none missing from the first of January on.
fn change(target: &Target) -> Change {
    let mut state = SeriesState { code: "GC".to_owned(), asked_at: NOW - 86_400, ..SeriesState::default() };
    state.meta.zone = Some("America/Chicago".to_owned());
    state.coverage.set(Days::new(day("2024-01-01"), day("2024-02-29")).unwrap(), Mark::Empty);
    let mut bars = Bars::new(target.key.columns());
    for date in ["2024-01-02", "2024-01-03"] {
        state.coverage.set_day(day(date), Mark::Present);
        bars.push(day(date).midnight(), &[1.0, 1.0, 1.0, 1.0, 5.0, 7.0]);
    }
    let partitions = vec![(String::new(), Content::Whole(bars))];
    Change { key: target.key.clone(), state, partitions, restated: None, fetched_at: NOW, parquet: false }
}

#[test]
fn a_complete_contract_is_not_looked_at_again_until_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(&folder.path().join("archive"), &folder.path().join("state")).unwrap();
    let writer = archive.write("test").unwrap();
    let gold = target("2024-01-01");
    let commit = || writer.commit(vec![writer.prepare(change(&gold)).unwrap()]).unwrap();
    commit();
    let counts = SessionCounts::default();
    let look = |target: &Target, now: i64| {
        let surveyor = Surveyor::new(Some(&archive), &counts, "barchart", now).unwrap();
        let survey = surveyor.look(target, NO_LIMITS).unwrap();
        let complete =
            (survey == Survey::Settled(Outcome::Current)).then(|| surveyor.completes(target)).flatten();
        (survey, complete)
    };
    let soon = day("2024-03-20").midnight();
    assert_eq!(look(&gold, soon), (Survey::Settled(Outcome::Current), None), "a hole may still be filled");
    let (survey, complete) = look(&gold, NOW);
    assert_eq!(survey, Survey::Settled(Outcome::Current));
    archive.note_complete(&complete.into_iter().collect::<Vec<_>>()).unwrap();
    // Whatever happens to its file is not seen; who wants more, or all of it again, looks behind the note.
    let csv = archive.root().join(&archive.partitions(1).unwrap()[0].csv);
    std::fs::remove_file(csv).unwrap();
    assert_eq!(look(&gold, NOW), (Survey::Settled(Outcome::Current), None));
    assert!(matches!(look(&target("2023-12-01"), NOW).0, Survey::Settled(Outcome::Failed(_))));
    let mut forced = gold.clone();
    forced.wanted.force = true;
    assert!(matches!(look(&forced, NOW).0, Survey::Missing { .. }));
    // Any change of the series takes the note away.
    let state = SeriesState { held: Some("reverted".to_owned()), ..change(&gold).state };
    let held = Change { state, partitions: Vec::new(), ..change(&gold) };
    writer.commit(vec![writer.prepare(held).unwrap()]).unwrap();
    assert!(!matches!(look(&gold, NOW).0, Survey::Settled(Outcome::Current)));
}

#[test]
fn a_contract_is_complete_only_once_the_provider_has_shown_that_its_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(&folder.path().join("archive"), &folder.path().join("state")).unwrap();
    let writer = archive.write("test").unwrap();
    let gold = target("2024-01-01");
    let asked = |at: i64| {
        let state = SeriesState { asked_at: at, ..change(&gold).state };
        writer.commit(vec![writer.prepare(Change { state, ..change(&gold) }).unwrap()]).unwrap();
    };
    let counts = SessionCounts::default();
    let look = |now: i64| {
        let surveyor = Surveyor::new(Some(&archive), &counts, "barchart", now).unwrap();
        assert_eq!(surveyor.look(&gold, NO_LIMITS).unwrap(), Survey::Settled(Outcome::Current));
        surveyor.completes(&gold)
    };
    // Asked for in March; this machine's clock says July.
    asked(day("2024-03-20").midnight());
    assert_eq!(look(NOW), None);
    asked(NOW - 86_400);
    let complete = look(NOW).unwrap();
    archive.note_complete(&[complete]).unwrap();
    // A note made by a clock that ran ahead does not hold before its time.
    std::fs::remove_file(archive.root().join(&archive.partitions(1).unwrap()[0].csv)).unwrap();
    let early = day("2024-03-20").midnight();
    let surveyor = Surveyor::new(Some(&archive), &counts, "barchart", early).unwrap();
    assert!(matches!(surveyor.look(&gold, NO_LIMITS).unwrap(), Survey::Settled(Outcome::Failed(_))));
}
