//! Forty futures, daily and hourly, under 250 downloads a day: four weeks pass, and the archive is complete.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use vortex::model::{Contract, Day, Days, Period};

use crate::contracts::{self, Future, LIFE};
use crate::{DAY, EVENING, World};

const LIMIT: u32 = 250;
/// All downloads of the four weeks.
const ALL: usize = 6_900;
/// On these days the program is killed when so many downloads of the day were given.
const KILLS: [(usize, usize); 2] = [(9, 117), (16, 3)];

/// Begins a day's download and kills it in the midst of it.
fn killed(world: &World, after: usize) {
    let before = world.given();
    let mut run = world.command(&["download", "--yes"]).spawn().unwrap();
    while world.given() < before + after {
        assert!(run.try_wait().unwrap().is_none(), "it ended before it was killed");
        std::thread::yield_now();
    }
    // `faketime` has become the program itself.
    run.kill().unwrap();
    run.wait().unwrap();
}

#[test]
fn four_weeks_of_an_allowance_bring_the_whole_archive() {
    let futures = contracts::all();
    let mut world = World::new(LIMIT, EVENING);
    world.instruments(&contracts::file(&futures));
    let planned = world.expect(0, &["download", "--dry-run", "--json"]).json();
    let days = planned["days"].as_array().unwrap();
    assert!((27..=29).contains(&days.len()), "{} days are planned", days.len());
    for day in 1..=28 {
        if let Some((_, after)) = KILLS.iter().find(|(killed_on, _)| *killed_on == day) {
            killed(&world, *after);
        }
        let ran = world.run(&["download", "--yes"]);
        println!("day {day}: {} given", world.given());
        let expected = if day < 28 { 75 } else { 0 };
        assert_eq!(ran.code, expected, "day {day}: {} given\n{}\n{}", world.given(), ran.out, ran.err);
        if day < 28 {
            world.pass(DAY);
        }
    }
    let counts = world.server.counts();
    assert_eq!(counts.over_limit, 0);
    assert!(counts.by_day().values().all(|given| *given <= u64::from(LIMIT)), "{:?}", counts.by_day());
    // What was on its way when the program was killed is asked for again.
    assert!(
        (ALL..=ALL + KILLS.len()).contains(&counts.downloads.len()),
        "{} downloads",
        counts.downloads.len()
    );
    let again = each_is_asked_for_as_often_as_it_has_news(&world);
    assert!(again <= KILLS.len(), "{again} downloads were made twice on one day");
    the_archive_is_the_truth(&world, &futures);
    world.expect(0, &["validate"]);
    let asked = world.server.counts().total;
    world.expect(0, &["download", "--yes"]);
    assert_eq!(world.server.counts().total, asked, "what is complete is never asked for again");
}

fn today(world: &World) -> Day {
    Day::of_utc(world.now)
}

fn contract_of(code: &str, today: Day) -> (&str, Contract) {
    let (head, year) = code.split_at(code.len() - 2);
    let (root, letter) = head.split_at(head.len() - 1);
    let month = 1 + "FGHJKMNQUVXZ".find(letter).unwrap() as u8;
    let year = today.date().year() / 100 * 100 + year.parse::<i16>().unwrap();
    (root, Contract { year, month })
}

/// Expired contracts are finished once; what trades has one download a day, and none on days without news; new
/// contracts join when they begin to trade. Tells how many downloads were made twice on one day.
fn each_is_asked_for_as_often_as_it_has_news(world: &World) -> usize {
    let first = Day::of_utc(EVENING);
    let mut asked: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for download in world.server.counts().downloads {
        asked.entry((download.symbol, download.what)).or_default().push(download.day);
    }
    let mut again = 0;
    let mut joined = BTreeSet::new();
    for ((symbol, what), days) in &asked {
        let (_, contract) = contract_of(symbol, today(world));
        let distinct: BTreeSet<_> = days.iter().collect();
        again += days.len() - distinct.len();
        if contract.last_day() < first.plus(-10) {
            assert_eq!(distinct.len(), 1, "{symbol} {what} expired and was asked for on {days:?}");
        }
        let begins = contract.last_day().plus(-(LIFE as i32));
        if begins > first {
            // The evening in Chicago is the next day by UTC, by which contracts join.
            assert!(days[0].parse::<Day>().unwrap() >= begins.plus(-1), "{symbol} {what} on {}", days[0]);
            joined.insert(symbol.clone());
        }
    }
    assert!(joined.len() >= 5, "new contracts join: {joined:?}");
    again
}

/// Every contract of every cycle is there, of as many days as it is asked for, bar by bar as the server has it.
fn the_archive_is_the_truth(world: &World, futures: &[Future]) {
    // In the evening the session of the next date has begun; it is asked for once that date is there.
    let today = today(world).plus(-1);
    let (mut files, mut compared) = (0, 0);
    for Future { code, cycle, start, ticks } in futures {
        let (start, ticks): (Day, Day) = (start.parse().unwrap(), ticks.parse().unwrap());
        for (year, month) in (2009..=2026).flat_map(|year| (1..=12).map(move |month| (year, month))) {
            let contract = Contract { year, month };
            let begins = contract.last_day().plus(-(LIFE as i32));
            if !cycle.contains(contract.month_code()) || begins > today {
                continue;
            }
            for (period, from) in [(Period::D1, start), (Period::H1, ticks.max(start))] {
                let path = path(world, code, contract, period);
                let Some(days) = Days::new(begins.max(from), contract.last_day().min(today)) else {
                    assert!(!path.exists(), "{} is of before the first tick", path.display());
                    continue;
                };
                let minutes = (period == Period::H1).then_some(60);
                let truth = world.server.truth(&contract.code(code), minutes, days);
                let stored = fs::read_to_string(&path).unwrap_or_default();
                let rows: Vec<&str> = stored.lines().skip(1).collect();
                assert_eq!(rows.len(), truth.len(), "{}", path.display());
                assert!(rows == truth, "{} differs", path.display());
                files += usize::from(path.exists());
                compared += rows.len();
            }
        }
    }
    println!("{files} files with {compared} bars are as the server has them");
    assert_eq!(files, world.home.csvs().len(), "and there is nothing else");
}

fn path(world: &World, code: &str, contract: Contract, period: Period) -> PathBuf {
    let name = contract.stored_name(code);
    world.home.file(&format!("barchart/futures/{period}/{code}/{name}.csv"))
}
