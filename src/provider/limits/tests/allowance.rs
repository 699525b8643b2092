//! Of a day's allowance nothing is lost and nothing is spent twice.

use proptest::prelude::*;

use super::*;
use crate::model::Day;
use crate::provider::limits::allowance::{Quota, RESET_MARGIN};

/// Noon in Chicago, 2026-11-24.
const NOON: i64 = 1_795_543_200;
const DAY: i64 = 86_400;

fn quota(limit: u32) -> Quota {
    Quota::new("barchart", "a person", limit, "America/Chicago")
}

fn spend(throttle: &Throttle, quota: &Quota, now: i64) -> Option<i64> {
    match throttle.spend(quota, now) {
        Ok(_spent) => None,
        Err(Refusal::Limited { until, .. }) => Some(until),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_day_has_its_limit_and_the_next_begins_after_midnight_over_there() {
    let (folder, throttle) = throttle();
    let other = Throttle::open(folder.path()).unwrap();
    let quota = quota(3);
    for one in [&throttle, &other, &throttle] {
        assert_eq!(spend(one, &quota, NOON), None);
    }
    let resets = NOON + DAY / 2 + i64::from(RESET_MARGIN);
    assert_eq!(spend(&other, &quota, NOON), Some(resets));
    assert_eq!(spend(&throttle, &quota, resets - 1), Some(resets));
    assert_eq!(spend(&throttle, &quota, resets), None);
    let allowance = throttle.allowance(&quota, resets).unwrap();
    assert_eq!((allowance.limit, allowance.used, allowance.left()), (3, 1, 2));
    assert_eq!(allowance.day.to_string(), "2026-11-25");
    assert_eq!(allowance.resets, resets + DAY);
    let stranger = Quota::new("barchart", "another", 3, "America/Chicago");
    assert_eq!(
        throttle.allowance(&stranger, NOON).unwrap(),
        stranger.whole(NOON),
        "each account has its own"
    );
}

#[test]
fn the_ledger_has_no_name_of_the_account() {
    let (folder, throttle) = throttle();
    assert_eq!(spend(&throttle, &quota(3), NOON), None);
    let file = std::fs::read(folder.path().join(FILE)).unwrap();
    assert!(!file.windows(8).any(|bytes| bytes == b"a person"));
}

#[test]
fn what_was_certainly_not_sent_is_given_back() {
    let (_folder, throttle) = throttle();
    let quota = quota(1);
    let spent = throttle.spend(&quota, NOON).unwrap();
    throttle.give_back(spent).unwrap();
    assert_eq!(spend(&throttle, &quota, NOON), None);
    assert!(spend(&throttle, &quota, NOON).is_some());
}

#[test]
fn the_providers_own_count_is_taken_over() {
    let (_folder, throttle) = throttle();
    let quota = quota(10);
    let used = |now| throttle.allowance(&quota, now).unwrap().used;
    assert_eq!(spend(&throttle, &quota, NOON), None);
    throttle.correct(&quota, 7, NOON + 1).unwrap();
    assert_eq!(used(NOON + 1), 7, "downloads by hand");
    throttle.correct(&quota, 5, NOON + 2).unwrap();
    assert_eq!(used(NOON + 2), 7, "the last one may be on its way");
    throttle.correct(&quota, 5, NOON + 300).unwrap();
    assert_eq!(used(NOON + 300), 5);
    throttle.correct(&quota, 12, NOON + 301).unwrap();
    assert!(spend(&throttle, &quota, NOON + 301).is_some(), "more than our own limit was made by hand");
    assert_eq!(used(NOON + DAY), 0);
}

#[test]
fn a_limit_that_the_provider_tells_of_holds_until_the_next_day() {
    let (folder, throttle) = throttle();
    let quota = quota(10);
    let resets = quota.whole(NOON).resets;
    assert_eq!(throttle.exhausted(&quota, None, NOON).unwrap(), resets);
    drop(throttle);
    let throttle = Throttle::open(folder.path()).unwrap();
    assert_eq!(spend(&throttle, &quota, NOON + 60), Some(resets));
    let allowance = throttle.allowance(&quota, NOON + 60).unwrap();
    assert_eq!((allowance.used, allowance.left(), allowance.waits_until()), (0, 0, Some(resets)));
    assert_eq!(spend(&throttle, &quota, resets), None);
    let later = resets + DAY + 3600;
    assert_eq!(throttle.exhausted(&quota, Some(later), resets + 1).unwrap(), later);
    assert_eq!(spend(&throttle, &quota, resets + DAY), Some(later), "as long as it says");
    throttle.reset("barchart").unwrap();
    assert_eq!(throttle.allowance(&quota, resets + DAY).unwrap().left(), 10, "unless a person knows better");
    throttle.exhausted(&quota, Some(later), resets + DAY).unwrap();
    throttle.correct(&quota, 4, resets + DAY).unwrap();
    assert_eq!(spend(&throttle, &quota, resets + DAY), None, "or it says otherwise");
}

#[test]
fn our_own_count_alone_is_worth_a_question_and_the_providers_word_is_none() {
    let (_folder, throttle) = throttle();
    let quota = quota(2);
    let worth = |now| throttle.is_worth_asking(&quota, now).unwrap();
    assert!(!worth(NOON), "while something is left");
    assert_eq!((spend(&throttle, &quota, NOON), spend(&throttle, &quota, NOON)), (None, None));
    assert!(worth(NOON + 1));
    throttle.correct(&quota, 2, NOON + 200).unwrap();
    assert!(!worth(NOON + 201), "its count stands for a while");
    assert!(worth(NOON + 200 + 1800));
    throttle.exhausted(&quota, None, NOON + 3000).unwrap();
    assert!(!worth(NOON + 9000));
}

#[test]
fn what_is_said_just_after_midnight_may_be_of_the_day_before() {
    let (_folder, throttle) = throttle();
    let quota = quota(8);
    let morning = quota.whole(NOON).resets + 30;
    // Ours is ahead: the provider's count is yesterday's.
    throttle.correct(&quota, 8, morning).unwrap();
    let allowance = throttle.allowance(&quota, morning + 1).unwrap();
    assert_eq!((allowance.used, allowance.waits_until()), (0, Some(morning + 1800)));
    throttle.correct(&quota, 0, morning + 1800).unwrap();
    assert_eq!(spend(&throttle, &quota, morning + 1800), None);
    // The same for its words.
    let next = morning + DAY;
    assert_eq!(throttle.exhausted(&quota, None, next).unwrap(), next + 1800);
    assert_eq!(spend(&throttle, &quota, next + 1800), None);
}

#[test]
fn a_ledger_of_before_counts_were_noted_goes_on() {
    let (folder, throttle) = throttle();
    let quota = quota(3);
    assert_eq!(spend(&throttle, &quota, NOON), None);
    drop(throttle);
    let file = rusqlite::Connection::open(folder.path().join(FILE)).unwrap();
    file.execute_batch("ALTER TABLE allowance DROP COLUMN counted; PRAGMA user_version = 2;").unwrap();
    drop(file);
    let throttle = Throttle::open(folder.path()).unwrap();
    throttle.correct(&quota, 2, NOON + 300).unwrap();
    assert_eq!(throttle.allowance(&quota, NOON + 300).unwrap().used, 2);
}

#[test]
fn a_clock_that_is_set_loses_no_day_and_gives_none_twice() {
    let (_folder, throttle) = throttle();
    let quota = quota(2);
    let all = |now| std::iter::from_fn(|| spend(&throttle, &quota, now).is_none().then_some(())).count();
    assert_eq!(all(NOON), 2);
    // A little ahead over midnight, and set back: what was spent is spent.
    let midnight = quota.whole(NOON).resets;
    assert_eq!(all(midnight + 1), 2);
    assert_eq!(all(midnight - 1), 0);
    assert_eq!(all(midnight + 2), 0);
    // A year back and forth: that day's allowance, once.
    assert_eq!(all(NOON - 365 * DAY), 2);
    assert_eq!(all(NOON), 0);
    assert_eq!(all(NOON - 365 * DAY), 0);
    assert_eq!(all(midnight + DAY), 2);
    // A year ahead by mistake takes nothing of today.
    assert_eq!(all(NOON + 365 * DAY), 2);
    assert_eq!(all(midnight + DAY), 0);
    assert_eq!(all(midnight + 2 * DAY), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    /// Whatever several processes do in whatever order: no day is ever over its limit.
    #[test]
    fn no_day_is_ever_over_its_limit(steps in prop::collection::vec((0..3usize, 0..6u8, 0..30i64), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let processes: Vec<_> = (0..3).map(|_| Throttle::open(folder.path()).unwrap()).collect();
        let quota = quota(5);
        let mut now = NOON;
        let mut server = std::collections::BTreeMap::<Day, u32>::new();
        for (who, what, hours) in steps {
            now += hours * 600;
            let throttle = &processes[who];
            let counted = server.entry(quota.day(now)).or_default();
            match what {
                0 => *counted = (*counted + 1).min(5),
                1 => throttle.correct(&quota, *counted, now).unwrap(),
                2 => if let Ok(spent) = throttle.spend(&quota, now) { throttle.give_back(spent).unwrap() },
                _ => {
                    throttle.correct(&quota, *counted, now).unwrap();
                    if spend(throttle, &quota, now).is_none() { *counted += 1 }
                }
            }
            prop_assert!(*counted <= 5, "{server:?}");
        }
    }
}

#[test]
fn a_ledger_of_before_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(include_str!("ledger_1.sql")).unwrap();
    drop(old);
    let throttle = Throttle::open(folder.path()).unwrap();
    let standing = &throttle.snapshot_at(NOW).unwrap()[0];
    assert_eq!(standing.state, State::Limited { until: NOW + 600 });
    assert_eq!(standing.last_error, "429");
    assert_eq!(spend(&throttle, &quota(3), NOON), None);
    drop(throttle);
    assert_eq!(Throttle::open(folder.path()).unwrap().allowance(&quota(3), NOON).unwrap().used, 1);
}
