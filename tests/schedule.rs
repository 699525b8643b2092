//! Schedules, judged by systemd: what our calendar says is next, `systemd-analyze calendar` says too.

use std::process::Command;

use jiff::tz::TimeZone;
use vortex::model::Calendar;

const EXPRESSIONS: &[&str] = &[
    "daily",
    "weekly",
    "quarterly",
    "*-*-* 08:00:00",
    "Mon..Fri 22:30",
    "Sat,Sun *-*-* 10:15:30",
    "*-*-01 00:00:00",
    "*-02~01 12:00:00",
    "*-*~01,05 06:00",
    "Mon *-*~07/1 06:00",
    "*-1,7-15 09:00",
    "*:0/15",
    "*-*-* 9..17:00/20:00",
    "2028-02-29 12:00:00",
    "2026..2030/2-12-24 18:00",
    "Fri *-*-13 13:13:13",
    "*-*-* 03:30:00 Europe/London",
    "Mon..Fri 22:30 America/New_York",
    "12-31 23:59:59",
    "*-*-1/10 04:00",
];

const LINES: &[&str] =
    &["0 8 * * *", "*/20 9-17 * * mon-fri", "30 7 1,15 * *", "15 10 * */3 sun", "0 0 29 2 *"];

/// The next instants by systemd, in seconds since the epoch.
fn by_systemd(expressions: &[String], base: i64, zone: &str, count: usize) -> Vec<i64> {
    let mut all = Vec::new();
    for expression in expressions {
        let output = Command::new("systemd-analyze")
            .args(["calendar", &format!("--iterations={count}"), &format!("--base-time=@{base}"), expression])
            .env("TZ", zone)
            .env("LC_ALL", "C")
            .output()
            .expect("systemd-analyze is not installed");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{expression}: {}", String::from_utf8_lossy(&output.stderr));
        // Where the zone is not UTC each instant is told in both; the line of UTC is the one that counts.
        let told = text.lines().filter(|line| line.trim_end().ends_with(" UTC") || line.contains("(in UTC)"));
        for line in told {
            let stamp =
                line.trim().trim_end_matches(" UTC").split_whitespace().rev().take(2).collect::<Vec<_>>();
            let at: jiff::Timestamp = format!("{}T{}Z", stamp[1], stamp[0]).parse().unwrap();
            all.push(at.as_second());
        }
    }
    all.sort_unstable();
    all.dedup();
    all.truncate(count);
    all
}

fn by_us(calendar: &Calendar, base: i64, zone: &TimeZone, count: usize) -> Vec<i64> {
    let mut all = Vec::new();
    let mut at = base;
    while all.len() < count
        && let Some(next) = calendar.next_after(at, zone)
    {
        all.push(next);
        at = next;
    }
    all
}

#[test]
fn systemd_and_we_agree() {
    // Noons before the clocks are put forward and back, and in between.
    let bases = [
        "2026-01-31T12:00:00Z",
        "2026-03-06T12:00:00Z",
        "2026-03-28T12:00:00Z",
        "2026-10-24T12:00:00Z",
        "2026-10-31T12:00:00Z",
    ];
    let mut compared = 0;
    for zone in ["UTC", "America/New_York", "Europe/London", "Australia/Lord_Howe"] {
        let here = TimeZone::get(zone).unwrap();
        for base in bases {
            let base = base.parse::<jiff::Timestamp>().unwrap().as_second();
            let of_systemd = EXPRESSIONS.iter().map(|text| (*text, Calendar::of_expression(text)));
            let of_cron = LINES.iter().map(|text| (*text, Calendar::of_cron(text)));
            for (text, calendar) in of_systemd.chain(of_cron) {
                let calendar = calendar.unwrap();
                let ours = by_us(&calendar, base, &here, 3);
                let theirs = by_systemd(&calendar.expressions(), base, zone, 3);
                assert_eq!(ours, theirs, "{text} as {:?} after {base} in {zone}", calendar.expressions());
                // What a person wrote, and what we make of it for a timer, is one thing to systemd too.
                compared += ours.len();
            }
        }
    }
    assert!(compared > 800, "{compared}");
}

#[test]
fn systemd_reads_what_a_person_writes_as_we_do() {
    let base = 1_780_000_000;
    for text in EXPRESSIONS {
        let calendar = Calendar::of_expression(text).unwrap();
        let theirs = by_systemd(&[(*text).to_owned()], base, "UTC", 3);
        assert_eq!(by_us(&calendar, base, &TimeZone::UTC, 3), theirs, "{text}");
    }
}
