use std::process::Command;
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;

/// Time that passes only while somebody waits for it, and a calendar that somebody sets.
#[derive(Default)]
struct Slept {
    passed: AtomicI64,
    set: AtomicI64,
}

impl Time for Slept {
    fn since_boot(&self) -> i64 {
        self.passed.load(Ordering::SeqCst)
    }

    fn calendar(&self) -> i64 {
        self.since_boot() + self.set.load(Ordering::SeqCst)
    }

    fn sleep(&self, micros: i64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.passed.fetch_add(micros, Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }
}

const RULES: Rules =
    Rules { identical: 15 * MICROS, of_one: (6, 2 * MICROS), all: (60, 600 * MICROS), open: 50 };

fn pacing(throttle: &Throttle) -> (Arc<Slept>, Pacing) {
    let time = Arc::new(Slept { passed: AtomicI64::new(1_000_000 * MICROS), ..Slept::default() });
    (Arc::clone(&time), Pacing::new(throttle.clone(), time, "ibkr", RULES))
}

/// The same rules as another process keeps them that shares the time.
fn other(throttle: &Throttle, time: &Arc<Slept>) -> Pacing {
    Pacing::new(throttle.clone(), Arc::clone(time) as Arc<dyn Time>, "ibkr", RULES)
}

fn ask(identity: &str, of: &str, weight: u32) -> Ask {
    Ask { identity: identity.to_owned(), of: of.to_owned(), weight }
}

/// How many seconds each of these had to wait.
async fn waits(pacing: &Pacing, time: &Slept, asked: impl Iterator<Item = Ask>) -> Vec<i64> {
    let mut waits = Vec::new();
    for ask in asked {
        let before = time.since_boot();
        drop(pacing.enter(&ask).await.unwrap());
        waits.push((time.since_boot() - before) / MICROS);
    }
    waits
}

#[tokio::test]
async fn each_rule_is_waited_for() {
    let (time, pacing) = pacing(&Throttle::in_memory().unwrap());
    let same = ["a", "b", "a"].map(|identity| ask(identity, identity, 1));
    assert_eq!(waits(&pacing, &time, same.into_iter()).await, [0, 0, 16]);
    let one = (0..7).map(|at| ask(&format!("one {at}"), "one", 1));
    assert_eq!(waits(&pacing, &time, one).await, [0, 0, 0, 0, 0, 3, 0]);
    // What counts twice counts twice here too.
    let twice = (0..4).map(|at| ask(&format!("twice {at}"), "twice", 2));
    assert_eq!(waits(&pacing, &time, twice).await, [0, 0, 3, 0]);
}

#[tokio::test]
async fn sixty_in_ten_minutes_by_weight() {
    let (time, pacing) = pacing(&Throttle::in_memory().unwrap());
    let many = (0..31).map(|at| ask(&at.to_string(), &at.to_string(), 2));
    let waited = waits(&pacing, &time, many).await;
    assert_eq!(waited[..30], [0; 30]);
    assert_eq!(waited[30], 601);
}

#[tokio::test]
async fn two_processes_of_one_folder_count_together() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = [(); 2].map(|()| Throttle::open(folder.path()).unwrap());
    let (time, one) = pacing(&one);
    let two = other(&two, &time);
    let half =
        |name: &'static str| (0..30).map(move |at| ask(&format!("{name} {at}"), &format!("{name} {at}"), 1));
    assert_eq!(waits(&one, &time, half("one")).await, [0; 30]);
    assert_eq!(waits(&two, &time, half("two")).await, [0; 30]);
    assert_eq!(one.fullness().unwrap(), Fullness { used: 60, wait: 601 });
    assert_eq!(waits(&two, &time, [ask("more", "more", 1)].into_iter()).await, [601]);
}

#[tokio::test]
async fn a_violation_is_waited_out_by_every_process() {
    let throttle = Throttle::in_memory().unwrap();
    let (time, one) = pacing(&throttle);
    assert_eq!(one.violated().unwrap(), 601);
    let other = other(&throttle, &time);
    assert_eq!(waits(&other, &time, [ask("x", "x", 1)].into_iter()).await, [601]);
    one.violated().unwrap();
    throttle.reset("ibkr").unwrap();
    assert_eq!(
        waits(&other, &time, [ask("y", "y", 1)].into_iter()).await,
        [0],
        "whoever resets it knows why"
    );
}

#[tokio::test]
async fn what_is_open_counts_as_asked_now() {
    let (time, pacing) = pacing(&Throttle::in_memory().unwrap());
    let open = pacing.enter(&ask("x", "x", 60)).await.unwrap();
    time.sleep(590 * MICROS).await;
    drop(open);
    assert_eq!(waits(&pacing, &time, [ask("y", "y", 1)].into_iter()).await, [601]);
}

#[tokio::test]
async fn nobody_waits_for_the_answer_of_a_process_that_died() {
    let throttle = Throttle::in_memory().unwrap();
    let (time, mut dead) = pacing(&throttle);
    let mut process = Command::new("sleep").arg("600").spawn().unwrap();
    dead.owner = Owner::of(process.id());
    std::mem::forget(dead.enter(&ask("x", "x", 1)).await.unwrap());
    let other = other(&throttle, &time);
    assert!(other.enter_now(&ask("x", "x", 1)).await.unwrap().is_err(), "it lives");
    let before = other.fullness().unwrap();
    process.kill().unwrap();
    process.wait().unwrap();
    // As long as after any answer, and not as long as one may be open.
    assert_eq!(waits(&other, &time, [ask("x", "x", 1)].into_iter()).await, [16]);
    assert_eq!(before, Fullness { used: 1, wait: 0 });
}

#[tokio::test]
async fn a_calendar_that_jumps_changes_nothing() {
    let (time, pacing) = pacing(&Throttle::in_memory().unwrap());
    let many = |name: &'static str, count| {
        (0..count).map(move |at| ask(&format!("{name} {at}"), &format!("{name} {at}"), 1))
    };
    assert_eq!(waits(&pacing, &time, many("now", 48)).await, [0; 48]);
    for jump in [-3600, 3600] {
        time.set.store(jump * MICROS, Ordering::SeqCst);
        assert_eq!(pacing.fullness().unwrap().used, 48, "{jump}");
        assert!(pacing.enter_now(&ask("now 47", "", 1)).await.unwrap().is_err(), "{jump}");
    }
    assert_eq!(waits(&pacing, &time, many("then", 13)).await[12], 601);
}

#[tokio::test]
async fn after_a_start_of_the_machine_the_calendar_tells_and_its_future_is_now() {
    let throttle = Throttle::in_memory().unwrap();
    let (time, pacing) = pacing(&throttle);
    pacing.violated().unwrap();
    throttle.ledger().transaction(|ledger| ledger.execute("UPDATE asked SET boot = 'before'", [])).unwrap();
    time.passed.store(20 * MICROS, Ordering::SeqCst);
    time.set.store(1_000_100 * MICROS, Ordering::SeqCst);
    assert_eq!(pacing.fullness().unwrap().wait, 481);
    time.set.store(0, Ordering::SeqCst);
    assert_eq!(pacing.fullness().unwrap().wait, 581, "no longer ago than the machine runs");
}
