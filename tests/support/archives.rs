//! Whole archives in the hands of tests.
#![allow(dead_code)] // Each test target uses its own part of this.

use std::fs;
use std::path::Path;

/// Copies a folder with all in it.
pub(crate) fn copy(from: &Path, to: &Path) {
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

/// Makes the catalogue of an archive one of before the second migration.
pub(crate) fn to_the_first_schema(root: &Path) {
    let catalogue = rusqlite::Connection::open(root.join(".vortex/catalogue.db")).unwrap();
    let back = "ALTER TABLE jobs DROP COLUMN request; ALTER TABLE jobs DROP COLUMN client;
        ALTER TABLE jobs DROP COLUMN queued; DROP TABLE notes; DROP TABLE complete;
        PRAGMA user_version = 1";
    catalogue.execute_batch(back).unwrap();
}
