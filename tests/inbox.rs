//! The watched folder of the service: what is put there is imported by itself, and once.

#[path = "import/exports.rs"]
#[allow(dead_code)] // Only the daily ones.
mod exports;
#[path = "support/place.rs"]
mod place;

use std::fs;
use std::path::PathBuf;

use exports::{Export, rows, weekdays};
use place::Place;
use serde_json::Value;

fn start() -> Place {
    let mut place = Place::with_bus();
    let inbox = place.home.path().join("inbox");
    place.configure(&format!(
        "[general]\ndefault_provider = \"sample\"\n[providers.barchart]\nimport_directory = {inbox:?}\n"
    ));
    place.start(&["--bus", "user"]);
    place
}

fn export(first: &str, last: &str) -> String {
    Export::daily(rows(weekdays(first, last)), "02-05-2024 06:11am CST").text()
}

fn archived(place: &Place, name: &str) -> PathBuf {
    place.home.path().join(".local/share/vortex/barchart/futures/1d").join(name)
}

/// Origin and result of each job, oldest first.
fn jobs(place: &Place) -> Vec<(String, String)> {
    let output = place.ctl(&["jobs", "--json"]);
    let jobs: Value = serde_json::from_slice(&output.stdout).unwrap();
    let jobs = jobs.as_array().or(jobs["jobs"].as_array()).unwrap();
    let word = |job: &Value, name: &str| job[name].as_str().unwrap_or_default().to_owned();
    jobs.iter().map(|job| (word(job, "origin"), word(job, "result"))).collect()
}

#[test]
fn what_is_put_into_the_folder_is_imported_by_itself_and_once() {
    let mut place = start();
    place.until("the missing folder is told", || {
        place.log().contains("there is no such folder; it is looked for")
    });
    let inbox = place.home.path().join("inbox");
    fs::create_dir(&inbox).unwrap();
    // Half of a file, as a download in progress leaves it; then the whole of it.
    let text = export("2024-01-02", "2024-01-31");
    let file = inbox.join("gcj24_daily_historical-data-02-05-2024.csv");
    fs::write(&file, &text[..text.len() / 2]).unwrap();
    fs::write(inbox.join("gcm24_daily.csv"), export("2024-01-02", "2024-01-31")).unwrap();
    let gold = |contract: &str| archived(&place, &format!("GOLD/GOLD_{contract}.csv"));
    place.until("the whole file is imported", || gold("20240600").is_file());
    assert!(!gold("20240400").exists(), "half a file was taken");
    until_status(&place, "1 file waiting in the import folder");
    fs::write(&file, &text).unwrap();
    place.until("the other one too", || gold("20240400").is_file());
    place.until("both jobs are over", || {
        jobs(&place).iter().filter(|(_, result)| result == "done").count() == 2
    });
    assert!(jobs(&place).iter().all(|(origin, _)| origin == "import"), "{:?}", jobs(&place));
    assert!(file.is_file(), "it stays where it is");

    // Neither a start anew nor another name has it imported again; a file beside it is.
    place.stop();
    fs::rename(&file, inbox.join("gcj24_daily (1).csv")).unwrap();
    place.start(&["--bus", "user"]);
    fs::write(inbox.join("gcq24_daily.csv"), export("2024-01-02", "2024-01-31")).unwrap();
    let gold = |contract: &str| archived(&place, &format!("GOLD/GOLD_{contract}.csv"));
    place.until("the new file is imported", || gold("20240800").is_file());
    place
        .until("its job is over", || jobs(&place).iter().filter(|(_, result)| result == "done").count() == 3);
    assert_eq!(jobs(&place).len(), 3, "{:?}", jobs(&place));
}

#[test]
fn what_cannot_be_taken_is_told_and_a_better_file_is_tried() {
    let place = start();
    let inbox = place.home.path().join("inbox");
    fs::create_dir(&inbox).unwrap();
    let file = inbox.join("gcj24_intraday-60min.csv");
    fs::write(&file, export("2024-01-02", "2024-01-31")).unwrap();
    place.until("the refusal is told", || place.log().contains("its name says 60min and its rows are daily"));
    place.until("the job is over", || jobs(&place).iter().any(|(_, result)| result == "failed"));
    until_status(&place, "1 file there refused, such as gcj24_intraday-60min.csv: its name says 60min");
    let listed = place.ctl(&["jobs", "--json"]).stdout;
    assert!(String::from_utf8_lossy(&listed).contains("\"import\""));
    fs::rename(&file, inbox.join("gcj24_daily.csv")).unwrap();
    place.until("under its right name it is imported", || {
        archived(&place, "GOLD/GOLD_20240400.csv").is_file()
    });
    place.until("nothing is left to tell", || {
        !status(&place).contains("import folder") && !status(&place).contains("refused")
    });
}

/// What `vortexctl status` says in its line of that name.
fn status(place: &Place) -> String {
    let said = String::from_utf8(place.ctl(&["status"]).stdout).unwrap();
    let line = said.lines().find_map(|line| line.trim_start().strip_prefix("Status: "));
    line.unwrap_or_else(|| panic!("no status in {said}")).to_owned()
}

#[track_caller]
fn until_status(place: &Place, words: &str) {
    place.until(words, || status(place).contains(words));
}

/// What stood in the way of a job is nothing against its files: once it is gone they are imported.
#[test]
fn files_that_had_no_turn_are_tried_again() {
    let place = start();
    let inbox = place.home.path().join("inbox");
    let obstacle = place.home.path().join(".local/share/vortex/barchart");
    fs::write(&obstacle, "").unwrap();
    fs::create_dir(&inbox).unwrap();
    fs::write(inbox.join("gcj24_daily.csv"), export("2024-01-02", "2024-01-31")).unwrap();
    place.until("the job fails", || place.log().contains("could not be taken yet; it is tried again"));
    until_status(&place, "1 file waiting in the import folder; ");
    assert!(status(&place).contains("gcj24_daily.csv could not be taken yet"), "{}", status(&place));
    fs::remove_file(&obstacle).unwrap();
    place.until("it is tried again", || archived(&place, "GOLD/GOLD_20240400.csv").is_file());
}

/// A link may lead to what its maker may not read.
#[test]
fn links_that_leave_the_folder_are_not_followed() {
    let place = start();
    let inbox = place.home.path().join("inbox");
    let elsewhere = place.home.path().join("gcj24_daily.csv");
    fs::write(&elsewhere, export("2024-01-02", "2024-01-31")).unwrap();
    fs::create_dir(&inbox).unwrap();
    std::os::unix::fs::symlink(&elsewhere, inbox.join("gcm24_daily.csv")).unwrap();
    place.until("the link is told", || place.log().contains("a link out of the folder is not followed"));
    assert!(jobs(&place).is_empty(), "{:?}", jobs(&place));
}

/// Files need no network: they do not wait behind what does.
#[test]
fn an_import_passes_a_job_that_waits_for_the_network() {
    let mut place = Place::with_bus();
    let inbox = place.home.path().join("inbox");
    fs::create_dir(&inbox).unwrap();
    place.configure(&format!("[providers.barchart]\nimport_directory = {inbox:?}\n"));
    place.start_by(&["unshare", "--net"], &["--bus", "user"]);
    let asked = place.ctl(&["update", "--provider", "yahoo", "--symbol", "AAPL"]);
    assert!(asked.status.success(), "{asked:?}");
    place.until("it waits", || place.log().contains("waiting for the network"));
    fs::write(inbox.join("gcj24_daily.csv"), export("2024-01-02", "2024-01-31")).unwrap();
    place.until("the file is imported", || archived(&place, "GOLD/GOLD_20240400.csv").is_file());
    place.until("its job is over", || jobs(&place).iter().any(|(_, result)| result == "done"));
    let waiting = jobs(&place).into_iter().filter(|(origin, _)| origin != "import").collect::<Vec<_>>();
    assert_eq!(waiting, [("request".to_owned(), String::new())]);
}
