//! The archive as a whole: commits, reverts, refusals, and what is read back.

mod crashes;
mod splices;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::model::{Bars, Class, Contract, Day, Days, Mark, Period, SeriesKey};

pub(super) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(super) fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    pub(super) fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("archive")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(super) fn archive(&self) -> Archive {
        Archive::open(&self.root(), &self.state()).unwrap()
    }

    pub(super) fn writer(&self) -> Writer {
        self.archive().write("test").unwrap()
    }
}

pub(super) fn key(symbol: &str, period: Period) -> SeriesKey {
    SeriesKey { provider: "yahoo".into(), class: Class::Stock, symbol: symbol.into(), contract: None, period }
}

/// `n` bars from a stamp on, a day or an hour apart, with prices around `base`.
pub(super) fn bars(key: &SeriesKey, first: i64, n: i64, base: f64) -> Bars {
    let step = key.period.seconds().unwrap_or(86_400);
    let mut bars = Bars::new(key.columns());
    for at in 0..n {
        let close = base + at as f64 / 7.0;
        bars.push(first + at * step, &[close, close + 1.0, close - 1.0, close, 1000.0]);
    }
    bars
}

/// A change that holds these bars, and marks their days as present.
pub(super) fn change(key: &SeriesKey, bars: &Bars) -> Change {
    let mut state = SeriesState { code: key.symbol.clone(), ..SeriesState::default() };
    state.meta.exchange = Some("NMS".into());
    state.meta.zone = Some("America/New_York".into());
    for day in bars.utc_days() {
        state.coverage.set_day(day, Mark::Present);
    }
    let mut partitions: BTreeMap<String, Bars> = BTreeMap::new();
    for at in 0..bars.len() {
        let name = partition_name(key, bars.times[at]);
        let part = partitions.entry(name).or_insert_with(|| Bars::new(key.columns()));
        part.extend_from(bars, at..at + 1);
    }
    Change {
        key: key.clone(),
        state,
        partitions: whole(partitions),
        restated: None,
        fetched_at: 1_700_000_000,
        parquet: true,
    }
}

/// Each partition with all its bars.
pub(super) fn whole(partitions: impl IntoIterator<Item = (String, Bars)>) -> Vec<(String, Content)> {
    partitions.into_iter().map(|(name, bars)| (name, Content::Whole(bars))).collect()
}

pub(super) fn commit(writer: &Writer, change: Change) -> Committed {
    let prepared = writer.prepare(change).unwrap();
    writer.commit(vec![prepared]).unwrap()
}

/// All bars of a series.
pub(super) fn stored(archive: &Archive, key: &SeriesKey) -> Bars {
    let series = archive.series(key).unwrap().unwrap();
    let mut all = Bars::new(key.columns());
    for partition in archive.partitions(series.id).unwrap() {
        all.append(&archive.read_partition(key, &partition).unwrap());
    }
    assert_eq!(series.bars, all.len() as u64);
    assert_eq!(series.first.zip(series.last), all.bounds());
    all
}

fn tmp_is_empty(place: &Place) -> bool {
    fs::read_dir(place.root().join(layout::TMP)).unwrap().next().is_none()
}

/// 2023-12-01.
const START: i64 = 1_701_388_800;

#[test]
fn what_a_commit_of_the_meantime_explains_is_no_finding() {
    let place = Place::new();
    let writer = place.writer();
    let (key, archive) = (key("AAPL", Period::D1), place.archive());
    let ten = bars(&key, START, 10, 100.0);
    let mut ahead = change(&key, &ten);
    ahead.state.coverage.set_day(Day::of_utc(START + 10 * 86_400), Mark::Present);
    commit(&writer, ahead);
    let stale = archive.series(&key).unwrap().unwrap();
    assert_eq!(archive.verify_series(&stale).unwrap().len(), 1, "a bar is missing");
    commit(&writer, change(&key, &bars(&key, START, 11, 100.0)));
    assert_eq!(archive.verify_series(&stale).unwrap(), []);
}

#[test]
fn a_commit_is_read_back_as_it_was() {
    let place = Place::new();
    let writer = place.writer();
    let daily = key("EURUSD=X", Period::D1);
    let hourly = key("AAPL", Period::H1);
    let (d, h) = (bars(&daily, START, 40, 1.1), bars(&hourly, START, 1000, 190.0));
    let done = writer
        .commit(vec![
            writer.prepare(change(&daily, &d)).unwrap(),
            writer.prepare(change(&hourly, &h)).unwrap(),
        ])
        .unwrap();
    assert_eq!(done.files, 6, "one daily pair and two years of hours");
    let archive = writer.archive();
    assert!(stored(archive, &daily).same(&d));
    assert!(stored(archive, &hourly).same(&h));
    let years = archive.partitions(archive.series(&hourly).unwrap().unwrap().id).unwrap();
    let names: Vec<&str> = years.iter().map(|year| year.name.as_str()).collect();
    assert_eq!(names, ["2023", "2024"]);
    assert_eq!(years[0].csv, Path::new("yahoo/stocks/1h/AAPL/2023.csv"));
    assert!(tmp_is_empty(&place));
    let keys: Vec<_> = archive.all_series().unwrap().into_iter().map(|s| s.key).collect();
    assert_eq!(keys, [hourly, daily]);
}

#[test]
fn the_end_of_a_csv_is_enough_until_somebody_writes_to_it() {
    let place = Place::new();
    let writer = place.writer();
    let key = key("AAPL", Period::D1);
    let all = bars(&key, START, 4000, 1.0);
    commit(&writer, change(&key, &all));
    let archive = writer.archive();
    let partition = archive.partitions(archive.series(&key).unwrap().unwrap().id).unwrap().remove(0);
    let since = |since| archive.read_partition_since(&key, &partition, since);
    // Of none, of an end that is read, of one that is too long for that, of all.
    for from in [4000, 3999, 3990, 3800, 2000, 100, 1, 0] {
        let first = all.times.get(from).copied().unwrap_or(i64::MAX);
        assert!(since(first).unwrap().same(&all.slice(from..4000)), "{from}");
    }
    let path = place.root().join(&partition.csv);
    let edited = fs::read_to_string(&path).unwrap().replacen("1000", "1001", 1);
    fs::write(&path, edited).unwrap();
    let touch = |seconds: i64| {
        let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds as u64);
        fs::File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
    };
    touch(partition.written + 1);
    assert!(matches!(since(all.times[3990]), Err(ArchiveError::Edited { .. })));
    // Whose clock went back is found out before anything is written.
    touch(partition.written);
    assert!(since(all.times[3990]).is_ok());
    let news = Content::News(bars(&key, START, 4001, 1.0).slice(4000..4001));
    let change = Change { partitions: vec![(String::new(), news)], ..change(&key, &all) };
    assert!(matches!(writer.prepare(change), Err(ArchiveError::Edited { .. })));
}

#[test]
fn an_edited_csv_is_named_and_never_overwritten() {
    let place = Place::new();
    let writer = place.writer();
    let key = key("AAPL", Period::D1);
    let old = bars(&key, START, 10, 1.0);
    commit(&writer, change(&key, &old));
    let path = place.root().join("yahoo/stocks/1d/AAPL.csv");
    let edited = fs::read_to_string(&path).unwrap().replace("1000", "1001");
    fs::write(&path, &edited).unwrap();
    let archive = writer.archive();
    let series = archive.series(&key).unwrap().unwrap();
    let partition = archive.partitions(series.id).unwrap().remove(0);
    let error = archive.read_partition(&key, &partition).unwrap_err();
    assert!(matches!(error, ArchiveError::Edited { .. }), "{error}");
    let error = writer.prepare(change(&key, &bars(&key, START, 11, 1.0))).unwrap_err();
    assert!(matches!(error, ArchiveError::Edited { .. }), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), edited);
    fs::remove_file(&path).unwrap();
    let error = archive.read_partition(&key, &partition).unwrap_err();
    assert!(matches!(error, ArchiveError::Damaged { .. }), "{error}");
    assert!(tmp_is_empty(&place));
}

#[test]
fn bars_that_may_not_stand_in_a_partition_are_refused() {
    let place = Place::new();
    let writer = place.writer();
    let key = key("AAPL", Period::H1);
    let good = change(&key, &bars(&key, START, 10, 1.0));
    let mut empty = good.clone();
    empty.partitions[0].1 = Content::Whole(Bars::new(key.columns()));
    let mut double = good.clone();
    let mut twice = double.partitions[0].1.bars().clone();
    twice.times[1] = START;
    double.partitions[0].1 = Content::Whole(twice);
    let mut elsewhere = good.clone();
    elsewhere.partitions[0].0 = "2022".into();
    let mut other = good.clone();
    other.partitions[0].1 = Content::Whole(bars(&super::tests::key("A", Period::D1), START, 3, 1.0));
    for (bad, said) in
        [(empty, "no bar"), (double, "ascending"), (elsewhere, "another partition"), (other, "other columns")]
    {
        let error = writer.prepare(bad).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    let path = place.root().join("yahoo/stocks/1h/AAPL/2023.csv");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "whatever").unwrap();
    let error = writer.prepare(good).unwrap_err().to_string();
    assert!(error.contains("not in the catalogue"), "{error}");
    assert!(tmp_is_empty(&place));
}

#[test]
fn a_revert_puts_the_old_bars_back_and_can_itself_be_reverted() {
    let place = Place::new();
    let writer = place.writer();
    let key = key("AAPL", Period::H1);
    let old = bars(&key, START, 1000, 190.0);
    let new = bars(&key, START, 1400, 95.0);
    commit(&writer, change(&key, &old));
    let mut restatement = change(&key, &new);
    restatement.restated = Some("split".into());
    commit(&writer, restatement);
    let archive = writer.archive();
    let revisions = archive.revisions(Some(&key)).unwrap();
    assert_eq!(revisions[0].partitions, ["2023", "2024"]);
    assert_eq!(revisions[0].reason, "split");
    writer.revert(revisions[0].id).unwrap();
    assert!(stored(archive, &key).same(&old));
    let state = archive.series(&key).unwrap().unwrap().state;
    assert_eq!(state.coverage.known(), change(&key, &old).state.coverage.known());
    assert!(state.held.unwrap().contains("reverted"));
    let second = archive.revisions(Some(&key)).unwrap()[1].id;
    writer.revert(second).unwrap();
    assert!(stored(archive, &key).same(&new));
    let state = archive.series(&key).unwrap().unwrap().state;
    assert_eq!(state.coverage.known(), change(&key, &new).state.coverage.known());
    assert_eq!(archive.revisions(None).unwrap().len(), 3);
    assert!(archive.revisions(Some(&super::tests::key("X", Period::D1))).unwrap().is_empty());
    assert!(writer.revert(99).is_err());
    assert_counts_are_right(archive);
}

/// A series whose history was restated twice, by a correction of its first year and by a split, and
/// that grew by a year before each.
pub(super) fn restated_and_grown(writer: &Writer) -> (SeriesKey, [Bars; 5]) {
    let key = key("AAPL", Period::H1);
    let year = |text: &str| text.parse::<Day>().unwrap().midnight();
    let first = bars(&key, START, 1000, 190.0);
    let mut corrected = bars(&key, START, 1000, 191.0).between(0, year("2024-01-01"));
    corrected.append(&first.between(year("2024-01-01"), i64::MAX));
    let mut longer = corrected.clone();
    longer.append(&bars(&key, year("2025-01-01"), 60, 200.0));
    let split = bars(&key, START, 9600, 95.0);
    let grown = bars(&key, START, 18_400, 95.0);
    let put = |bars: &Bars, names: &[&str], why: Option<&str>| {
        let mut change = change(&key, bars);
        change.partitions.retain(|(name, _)| names.contains(&name.as_str()));
        change.restated = why.map(str::to_owned);
        commit(writer, change);
    };
    put(&first, &["2023", "2024"], None);
    put(&corrected, &["2023"], Some("correction"));
    put(&longer, &["2025"], None);
    put(&split, &["2023", "2024", "2025"], Some("split"));
    put(&grown, &["2025", "2026"], None);
    (key, [first, corrected, longer, split, grown])
}

#[test]
fn a_revert_takes_every_partition_back_and_can_itself_be_reverted() {
    let place = Place::new();
    let writer = place.writer();
    let archive = writer.archive();
    let (key, [first, _, longer, _, grown]) = restated_and_grown(&writer);
    assert!(stored(archive, &key).same(&grown));
    let day = |text: &str| text.parse::<Day>().unwrap();
    let mark = |day| archive.series(&key).unwrap().unwrap().state.coverage.get(day);
    assert_eq!(mark(day("2026-01-01")), Mark::Present);

    writer.revert(2).unwrap();
    assert!(stored(archive, &key).same(&longer), "the split, and the year that came after it");
    assert!(!place.root().join("yahoo/stocks/1h/AAPL/2026.csv").exists());
    assert_eq!(mark(day("2026-01-01")), Mark::Unknown);
    assert_eq!(mark(day("2025-01-01")), Mark::Present);
    assert_eq!(archive.verify(None).unwrap(), []);
    writer.revert(3).unwrap();
    assert!(stored(archive, &key).same(&grown));
    assert_eq!(mark(day("2026-01-01")), Mark::Present);

    // Back over the split: 2024 comes from the split's revision, 2023 from the correction's.
    writer.revert(1).unwrap();
    assert!(stored(archive, &key).same(&first));
    assert_eq!(mark(day("2025-01-01")), Mark::Unknown);
    assert_eq!(archive.verify(None).unwrap(), []);
    writer.revert(5).unwrap();
    assert!(stored(archive, &key).same(&grown));
    assert_counts_are_right(archive);
}

#[test]
fn a_revision_that_does_not_say_what_there_was_is_only_reverted_where_that_is_plain() {
    let place = Place::new();
    let writer = place.writer();
    let (key, [.., grown]) = restated_and_grown(&writer);
    let about = place.root().join(layout::REVISIONS).join("2/revision.json");
    let mut text: serde_json::Value = serde_json::from_slice(&fs::read(&about).unwrap()).unwrap();
    text.as_object_mut().unwrap().remove("existing").unwrap();
    fs::write(&about, text.to_string()).unwrap();
    let error = writer.revert(2).unwrap_err().to_string();
    assert!(error.contains("had 2026 then") && error.contains("--force"), "{error}");
    assert!(stored(writer.archive(), &key).same(&grown));
}

/// The stored session counts are those that the stored states add up to.
fn assert_counts_are_right(archive: &Archive) {
    let stored = archive.session_counts("yahoo").unwrap().by_exchange;
    let all = archive.all_series().unwrap();
    archive.inner.catalogue.change(|t| sessions::recount(t, all.iter().map(|s| (&s.key, &s.state)))).unwrap();
    assert_eq!(archive.session_counts("yahoo").unwrap().by_exchange, stored);
}

#[test]
fn session_counts_follow_every_commit() {
    let place = Place::new();
    let writer = place.writer();
    let archive = writer.archive();
    let day = Day::of_utc(START);
    for (at, symbol) in ["A", "B", "C"].into_iter().enumerate() {
        let key = key(symbol, Period::D1);
        commit(&writer, change(&key, &bars(&key, START, 10 + at as i64, 1.0)));
    }
    assert_eq!(archive.session_counts("yahoo").unwrap().get("NMS", day), (3, 3));
    assert_eq!(archive.session_counts("yahoo").unwrap().get("NMS", day.plus(11)), (1, 1));
    // A week does not count.
    let weekly = key("A", Period::W1);
    commit(&writer, change(&weekly, &bars(&weekly, START, 1, 1.0)));
    assert_eq!(archive.session_counts("yahoo").unwrap().get("NMS", day), (3, 3));
    // Only the catalogue changes: a day was asked for and had no bar; and a series moves.
    let mut asked = change(&key("B", Period::D1), &bars(&key("B", Period::D1), START, 11, 1.0));
    asked.partitions.clear();
    asked.state.coverage.set(Days::new(day.plus(-1), day).unwrap(), Mark::Empty);
    assert_eq!(commit(&writer, asked.clone()), Committed::default());
    assert_eq!(archive.session_counts("yahoo").unwrap().get("NMS", day), (3, 2));
    asked.state.meta.exchange = Some("LSE".into());
    commit(&writer, asked);
    let counts = archive.session_counts("yahoo").unwrap();
    assert_eq!(counts.get("NMS", day), (2, 2));
    assert_eq!(counts.get("LSE", day), (1, 0));
    assert_eq!(counts.get("LSE", day.plus(-1)), (1, 0));
    assert_counts_are_right(archive);
}

#[test]
fn without_parquet_an_old_twin_goes() {
    let place = Place::new();
    let writer = place.writer();
    let key = SeriesKey {
        class: Class::Future,
        contract: Some(Contract { year: 2024, month: 2 }),
        ..key("GOLD", Period::D1)
    };
    let twin = place.root().join("yahoo/futures/1d/GOLD/GOLD_20240200.parquet");
    commit(&writer, change(&key, &bars(&key, START, 3, 1.0)));
    assert!(twin.exists());
    let mut alone = change(&key, &bars(&key, START, 4, 1.0));
    alone.parquet = false;
    commit(&writer, alone);
    assert!(!twin.exists());
    assert_eq!(stored(writer.archive(), &key).len(), 4);
}

#[test]
fn jobs_are_numbered_for_good() {
    let place = Place::new();
    let archive = place.archive();
    let first = archive.start_job("download", "{}").unwrap();
    let second = archive.start_job("bus", "{}").unwrap();
    archive.finish_job(first, "done", "{\"rows\":1}").unwrap();
    assert!(archive.finish_job(99, "done", "{}").is_err());
    let jobs = archive.jobs(10).unwrap();
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [second, first]);
    assert_eq!(jobs[1].result.as_deref(), Some("done"));
    assert_eq!(jobs[0].finished, None);
}

#[test]
fn the_queue_of_the_service_outlives_it() {
    let place = Place::new();
    let archive = place.archive();
    let command = archive.start_job("command line", "").unwrap();
    let first = archive.queue_job("request", "somebody", "{}").unwrap();
    let second = archive.queue_job("schedule", "itself", "{}").unwrap();
    archive.begin_job(first, "1 series").unwrap();
    archive.set_note("paused", "yes").unwrap();
    let again = place.archive();
    let open: Vec<_> = again.open_jobs().unwrap().iter().map(|job| (job.id, job.started > 0)).collect();
    assert_eq!(open, [(first, true), (second, false)]);
    assert!(command < first);
    again.finish_job(first, "done", "{}").unwrap();
    assert_eq!(again.open_jobs().unwrap().len(), 1);
    assert_eq!(again.note("paused").unwrap().as_deref(), Some("yes"));
    assert_eq!(again.note("other").unwrap(), None);
}

#[test]
fn a_second_writer_is_told_who_holds_the_archive() {
    let place = Place::new();
    let _first = place.archive().write("vortex download").unwrap();
    let error = place.archive().write("vortex daemon").unwrap_err();
    assert!(error.to_string().contains("vortex download (process"), "{error}");
}
