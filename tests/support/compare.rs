//! Whether two archives hold the same: files, bars, coverage, revisions. What may differ between two runs
//! with the same answers is left out: fetch times, versions, and how a Parquet file is cut into row groups.
#![allow(dead_code)] // Each test target uses its own part of this.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Row;
use parquet::schema::types::Type;
use serde_json::{Value, json};
use vortex::archive::{Archive, SeriesRecord};
use vortex::model::{Days, Mark};

/// What may lie in an archive's own folder.
const OWN: [&str; 7] =
    ["catalogue.db", "catalogue.db-wal", "catalogue.db-shm", "lock", "revisions", "tmp", "state"];

/// Fails the test where two archives differ, with each difference.
#[track_caller]
pub(crate) fn assert_same(one: &Path, other: &Path) {
    let found = differences(one, other);
    assert!(found.is_empty(), "{} and {} differ:\n{}", one.display(), other.display(), found.join("\n"));
}

/// How an archive differs from another, one line each; nothing where they hold the same.
pub(crate) fn differences(one: &Path, other: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for root in [one, other] {
        found.extend(remains(root).iter().map(|path| format!("{} was left", path.display())));
    }
    compare_files(one, other, &mut found);
    compare_maps("series", catalogue(one), catalogue(other), &mut found);
    found
}

/// Files in `.vortex/tmp`, and others that have no business in the archive's own folder.
pub(crate) fn remains(root: &Path) -> Vec<PathBuf> {
    let own = root.join(".vortex");
    let strange = |path: &PathBuf| path.file_name().is_none_or(|name| !OWN.iter().any(|own| name == *own));
    let mut found: Vec<PathBuf> = entries(&own).into_iter().filter(strange).collect();
    found.extend(files_below(&own.join("tmp")));
    found
}

fn compare_files(one: &Path, other: &Path, found: &mut Vec<String>) {
    let (mine, theirs) = (bar_files(one), bar_files(other));
    for path in mine.symmetric_difference(&theirs) {
        let root = if mine.contains(path) { one } else { other };
        found.push(format!("{} is only in {}", path.display(), root.display()));
    }
    for path in mine.intersection(&theirs) {
        let (a, b) = (one.join(path), other.join(path));
        let same_bytes = fs::read(&a).unwrap() == fs::read(&b).unwrap();
        let same = same_bytes || path.extension().is_some_and(|of| of == "parquet") && same_rows(&a, &b);
        if !same {
            found.push(format!("{} differs", path.display()));
        }
    }
}

fn same_rows(one: &Path, other: &Path) -> bool {
    match (rows(one), rows(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// The schema and the rows of a Parquet file.
fn rows(path: &Path) -> Result<(Type, Vec<Row>), parquet::errors::ParquetError> {
    let reader = SerializedFileReader::new(File::open(path)?)?;
    let schema = reader.metadata().file_metadata().schema().clone();
    let rows = reader.get_row_iter(None)?.collect::<Result<_, _>>()?;
    Ok((schema, rows))
}

/// Everything the catalogue knows, in words, by what it is about.
fn catalogue(root: &Path) -> BTreeMap<String, Value> {
    let archive = Archive::open_to_read(root, root).unwrap();
    let mut known = BTreeMap::new();
    for series in archive.all_series().unwrap() {
        known.insert(series.key.to_string(), essence(&archive, &series));
        let provider = &series.key.provider;
        for (exchange, days) in archive.session_counts(provider).unwrap().by_exchange {
            let days: BTreeMap<String, (u32, u32)> =
                days.iter().map(|(day, counts)| (day.to_string(), counts)).collect();
            known.insert(format!("sessions of {provider} {exchange}"), json!(days));
        }
    }
    let mut revisions: Vec<Value> = archive
        .revisions(None)
        .unwrap()
        .iter()
        .map(|of| {
            let kept = kept(&root.join(".vortex/revisions").join(of.id.to_string()));
            json!([of.key.to_string(), words(&of.reason), of.partitions, kept])
        })
        .collect();
    revisions.sort_by_key(ToString::to_string);
    known.insert("revisions".to_owned(), json!(revisions));
    known
}

/// A reason without the numbers of revisions, which follow the order of commits.
fn words(reason: &str) -> String {
    reason.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}

/// A series without its times of fetching.
fn essence(archive: &Archive, series: &SeriesRecord) -> Value {
    let mut state = serde_json::to_value(&series.state).unwrap();
    for time in ["asked_at", "pending_asked_at", "given_at"] {
        state.as_object_mut().unwrap().remove(time).unwrap();
    }
    if let Some(failure) = state["failure"].as_object_mut() {
        failure.remove("at");
    }
    state["held"] = json!(series.state.held.as_deref().map(words));
    state["coverage"] = json!(marks(series));
    let partitions: Vec<Value> = archive
        .partitions(series.id)
        .unwrap()
        .into_iter()
        .map(|of| {
            json!([of.name, of.csv, of.csv_hash, of.parquet_hash.is_some(), of.bars, of.first, of.last])
        })
        .collect();
    json!({ "state": state, "partitions": partitions, "bars": series.bars, "first": series.first, "last": series.last })
}

/// Runs of days with one mark.
fn marks(series: &SeriesRecord) -> Vec<String> {
    let coverage = &series.state.coverage;
    let Some(known) = coverage.known() else { return Vec::new() };
    let mut runs: Vec<(Days, Mark)> = Vec::new();
    for day in known.iter() {
        match runs.last_mut() {
            Some((run, mark)) if *mark == coverage.get(day) => run.last = day,
            _ => runs.push((Days { first: day, last: day }, coverage.get(day))),
        }
    }
    runs.iter().map(|(days, mark)| format!("{days} {mark:?}")).collect()
}

/// The CSVs that a revision kept, unpacked.
fn kept(folder: &Path) -> BTreeMap<String, String> {
    let packed =
        files_below(folder).into_iter().filter(|path| path.extension().is_some_and(|of| of == "zst"));
    packed
        .map(|path| {
            let text = zstd::decode_all(File::open(&path).unwrap()).unwrap();
            (path.file_name().unwrap().to_string_lossy().into_owned(), String::from_utf8(text).unwrap())
        })
        .collect()
}

fn compare_maps(
    what: &str,
    mut one: BTreeMap<String, Value>,
    other: BTreeMap<String, Value>,
    found: &mut Vec<String>,
) {
    for (name, theirs) in other {
        match one.remove(&name) {
            None => found.push(format!("{what}: {name} is only in the second")),
            Some(mine) if mine != theirs => {
                found.push(format!("{name}: {}", first_difference(&mine, &theirs)))
            }
            Some(_) => {}
        }
    }
    found.extend(one.into_keys().map(|name| format!("{what}: {name} is only in the first")));
}

/// The innermost place at which two values differ.
fn first_difference(one: &Value, other: &Value) -> String {
    if let (Value::Object(mine), Value::Object(theirs)) = (one, other) {
        let names: BTreeSet<&String> = mine.keys().chain(theirs.keys()).collect();
        let differs = |name: &&&String| mine.get(**name) != theirs.get(**name);
        if let Some(name) = names.iter().find(differs) {
            let inner = first_difference(
                mine.get(*name).unwrap_or(&Value::Null),
                theirs.get(*name).unwrap_or(&Value::Null),
            );
            return format!("{name}: {inner}");
        }
    }
    format!("{:.300} and {:.300}", one.to_string(), other.to_string())
}

/// Every file of the providers' folders, by its path in the archive.
fn bar_files(root: &Path) -> BTreeSet<PathBuf> {
    let folders =
        entries(root).into_iter().filter(|path| !path.ends_with(".vortex") && !path.ends_with("raw"));
    let files = folders.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] });
    files.map(|path| path.strip_prefix(root).unwrap().to_owned()).collect()
}

/// Every file below a folder; none where there is no such folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let below = |path: PathBuf| if path.is_dir() { files_below(&path) } else { vec![path] };
    entries(folder).into_iter().flat_map(below).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => panic!("{}: {error}", folder.display()),
    }
}
