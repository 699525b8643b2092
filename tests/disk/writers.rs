//! Several writers of one archive at once.

use nix::sys::signal::Signal;

use crate::binary::Home;
use crate::compare::assert_same;
use crate::{FIRST, SECOND, assert_whole, sample, undisturbed, until};

#[test]
fn many_writers_at_once_leave_what_one_would() {
    let reference = undisturbed();
    let home = sample();
    home.expect(0, &until(FIRST));
    let second = until(SECOND);
    let commands: [&[&str]; 6] = [
        &second,
        &["archive", "rebuild"],
        &["validate", "--fix"],
        &second,
        &["archive", "rebuild", "AAPL"],
        &["validate"],
    ];
    let running: Vec<_> = commands.iter().map(|args| home.start(args)).collect();
    let ended: Vec<_> = running.into_iter().map(|one| one.end()).collect();
    for (args, ran) in commands.iter().zip(ended) {
        assert!(ran.code == 0 && !ran.err.contains("panicked"), "{args:?}: {ran:?}");
    }
    assert_whole(&home);
    // A rebuild counts the whole week of a weekly bar as covered, whenever it came.
    for home in [&home, &reference] {
        home.expect(0, &["archive", "rebuild"]);
    }
    assert_same(&reference.archive(), &home.archive());
}

#[test]
fn rebuild_and_repair_wait_for_a_download_and_say_for_whom() {
    let home = sample();
    home.expect(0, &until(FIRST));
    // A stopped process holds its lock and does nothing.
    let holder = hold(&home);
    for args in [&["archive", "rebuild"][..], &["validate", "--fix"], &until(SECOND)] {
        let mut waiting = home.start(args);
        waiting.until_it_says(&format!("process {}", holder.id()));
        waiting.signal(Signal::SIGINT);
        waiting.end().ends(130).says("nothing was done");
    }
    home.expect(75, &[&until(SECOND)[..], &["--no-wait"]].concat()).says("is in use by");
    drop(holder);
    home.expect(0, &until(SECOND));
    assert_whole(&home);
}

/// Each run opens the catalogue and closes it, makes its log and removes it, beside who only reads.
#[test]
fn who_checks_beside_runs_that_come_and_go_finds_nothing_wrong() {
    let home = sample();
    home.expect(0, &until(FIRST));
    std::thread::scope(|scope| {
        let runs = scope.spawn(|| {
            for day in 1..=20 {
                home.expect(0, &until(&format!("2024-03-{day:02}")));
            }
        });
        while !runs.is_finished() {
            home.expect(0, &["validate", "--detailed"]);
        }
        runs.join().unwrap();
    });
    assert_whole(&home);
}

/// A download that has the lock and was stopped.
fn hold(home: &Home) -> crate::binary::Running {
    let mut holder =
        home.start(&["download", "-s", "AAPL", "MSFT", "GE", "VOD", "--start-date", "2000-01-03"]);
    holder.until_it_says("to fetch");
    holder.signal(Signal::SIGSTOP);
    holder
}
