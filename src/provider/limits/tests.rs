mod allowance;

use std::os::unix::fs::PermissionsExt;

use super::*;

const NOW: i64 = 1_800_000_000;

fn throttle() -> (tempfile::TempDir, Throttle) {
    let folder = tempfile::tempdir().unwrap();
    let throttle = Throttle::open(folder.path()).unwrap();
    (folder, throttle)
}

#[test]
fn slots_are_spaced_over_all_who_share_the_file() {
    let (folder, one) = throttle();
    let other = Throttle::open(folder.path()).unwrap();
    let now = NOW * MICROS;
    let slots: Vec<i64> =
        [&one, &other, &one].iter().map(|throttle| throttle.slot("yahoo", 60, now).unwrap() - now).collect();
    assert_eq!(slots, [0, MICROS, 2 * MICROS]);
    assert_eq!(one.slot("barchart", 60, now).unwrap(), now, "each provider has its own");
}

#[test]
fn dense_slots_are_reserved_a_second_at_a_time() {
    let (folder, one) = throttle();
    let other = Throttle::open(folder.path()).unwrap();
    let now = NOW * MICROS;
    let per_minute = 60_000;
    for at in 0..1000 {
        assert_eq!(one.slot("yahoo", per_minute, now).unwrap(), now + at * 1000);
    }
    assert_eq!(other.slot("yahoo", per_minute, now).unwrap(), now + MICROS);
    assert_eq!(one.slot("yahoo", per_minute, now).unwrap(), now + 2 * MICROS);
}

#[test]
fn missed_slots_and_a_clock_set_back_do_no_harm() {
    let (_folder, throttle) = throttle();
    let now = NOW * MICROS;
    throttle.slot("yahoo", 6000, now).unwrap();
    let later = now + 3600 * MICROS;
    assert_eq!(throttle.slot("yahoo", 6000, later).unwrap(), later);
    let (_folder, fresh) = self::throttle();
    fresh.slot("yahoo", 60, now).unwrap();
    let year_ago = now - 365 * 86_400 * MICROS;
    assert_eq!(fresh.slot("yahoo", 60, year_ago).unwrap(), year_ago);
}

#[test]
fn a_rate_limit_opens_the_circuit_and_survives_a_restart() {
    let (folder, first) = throttle();
    let until = first.limited_at("yahoo", None, "429", NOW).unwrap();
    assert!((NOW + 900..=NOW + 990).contains(&until), "{until}");
    drop(first);
    let again = Throttle::open(folder.path()).unwrap();
    let refused = again.slot("yahoo", 60, (NOW + 10) * MICROS).unwrap_err();
    assert!(matches!(refused, Refusal::Limited { until: same, .. } if same == until), "{refused}");
    assert!(again.slot("ibkr", 60, (NOW + 10) * MICROS).is_ok());
    assert!(again.slot("yahoo", 60, until * MICROS).is_ok());
}

#[test]
fn cool_downs_grow_and_respect_what_the_provider_asks() {
    let (_folder, throttle) = throttle();
    let mut now = NOW;
    for expected in [900, 1800, 3600, 7200, 14_400, 21_600, 21_600] {
        let until = throttle.limited_at("yahoo", None, "429", now).unwrap();
        let cool = until - now;
        assert!((expected..=expected * 11 / 10).contains(&cool), "{expected} {cool}");
        let same = throttle.limited_at("yahoo", None, "429", now + 1).unwrap();
        assert_eq!(same, until, "refused together is refused once");
        now = until;
    }
    throttle.ledger().succeeded("yahoo", now).unwrap();
    let until = throttle.limited_at("yahoo", Some(7000), "429", now).unwrap();
    assert_eq!(until, now + 7000);
    let standing = &throttle.ledger().snapshot(now).unwrap()[0];
    assert_eq!(standing.consecutive, 1);
    assert_eq!(standing.state, State::Limited { until });
    assert_eq!(standing.reason, "429");
}

#[test]
fn five_failures_break_the_circuit_and_a_success_closes_it() {
    let (_folder, throttle) = throttle();
    let mut ledger = throttle.ledger();
    for _ in 0..4 {
        assert_eq!(ledger.failed("yahoo", "down", NOW).unwrap(), State::Ready);
    }
    let broken = State::Broken { until: NOW + 60 };
    assert_eq!(ledger.failed("yahoo", "down", NOW).unwrap(), broken);
    assert_eq!(ledger.state("yahoo", NOW + 60).unwrap(), State::Ready);
    ledger.succeeded("yahoo", NOW).unwrap();
    assert_eq!(ledger.state("yahoo", NOW).unwrap(), State::Ready);
    assert_eq!(ledger.snapshot(NOW).unwrap()[0].last_error, "down");
}

#[test]
fn a_late_success_does_not_close_an_open_circuit() {
    let (_folder, throttle) = throttle();
    let until = throttle.limited_at("yahoo", None, "429", NOW).unwrap();
    let mut ledger = throttle.ledger();
    ledger.succeeded("yahoo", NOW + 1).unwrap();
    assert_eq!(ledger.state("yahoo", NOW + 1).unwrap(), State::Limited { until });
}

#[test]
fn a_reset_closes_the_circuit_and_keeps_the_count() {
    let (_folder, throttle) = throttle();
    throttle.slot("yahoo", 60, NOW * MICROS).unwrap();
    throttle.limited_at("yahoo", None, "429", NOW).unwrap();
    throttle.reset("yahoo").unwrap();
    let standing = throttle.snapshot_at(NOW).unwrap();
    assert_eq!(standing[0].state, State::Ready);
    assert_eq!(standing[0].requests_today, 1);
    let tomorrow = throttle.snapshot_at(NOW + 86_400).unwrap();
    assert_eq!(tomorrow[0].requests_today, 0);
    assert!(throttle.slot("yahoo", 60, NOW * MICROS).is_ok());
}

#[test]
fn the_file_is_private_and_a_damaged_or_newer_one_is_named() {
    let (folder, throttle) = throttle();
    let path = folder.path().join("limits.db");
    let mode = path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(throttle);
    let database = rusqlite::Connection::open(&path).unwrap();
    database.pragma_update(None, "user_version", 9).unwrap();
    drop(database);
    let error = Throttle::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("limits.db") && error.contains("schema 9"), "{error}");
    std::fs::write(&path, vec![b'x'; 4096]).unwrap();
    let error = Throttle::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("limits.db") && error.contains("delete it"), "{error}");
}
