//! An archive made again from the raw trail alone.

#[path = "support/binary.rs"]
mod binary;
mod support;
mod yahoo_server;

use std::fs;
use std::path::{Path, PathBuf};

use binary::Home;
use support::{Lab, at};
use vortex::model::Period;
use yahoo_server::rules::{Action, Rule};

fn split() -> Rule {
    let day = "2024-03-12".to_owned();
    Rule::new(Action::Split { day, ratio: 4.0, at: at("2024-03-12T14:00:00Z") })
}

#[test]
fn updates_dividends_and_a_split_are_replayed() {
    let lab = Lab::new("2024-01-10T22:00:00Z");
    lab.update(&["S0001", "AAPL"], Period::D1, "2023-01-03");
    lab.set_now("2024-03-08T22:00:00Z");
    lab.update(&["S0001", "AAPL"], Period::D1, "2023-01-03");
    lab.server.rule(split().symbol("S0001"));
    lab.set_now("2024-03-13T22:00:00Z");
    lab.update(&["S0001", "AAPL"], Period::D1, "2023-01-03");
    let again = lab.replayed();
    for symbol in ["S0001", "AAPL"] {
        assert!(again.bars(symbol, Period::D1).same(&lab.bars(symbol, Period::D1)), "{symbol}");
    }
}

#[test]
fn intraday_history_that_was_bridged_over_a_split_is_replayed() {
    let lab = Lab::new("2024-01-10T22:00:00Z");
    lab.update(&["S0001"], Period::M5, "2023-12-01");
    lab.server.rule(split());
    lab.set_now("2024-06-13T22:00:00Z");
    lab.update(&["S0001"], Period::M5, "2023-12-01");
    assert!(lab.replayed().bars("S0001", Period::M5).same(&lab.bars("S0001", Period::M5)));
}

/// A home with the answers of three symbols of the sample market in its raw trail, and the files of each.
fn trail() -> (Home, impl Fn(&str, &str) -> PathBuf) {
    let home = Home::configured("general.default_provider = 'sample'\n");
    let dates = ["--period", "1d", "--start-date", "2024-01-02", "--end-date", "2024-06-28"];
    home.expect(0, &[&["download", "-s", "AAPL", "MSFT", "VOD"], &dates[..]].concat());
    let folder = home.path(".local/share/vortex/raw/sample");
    let file = move |symbol: &str, ending: &str| {
        let is_it = |path: &Path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            name.contains(&format!("_{symbol}_")) && name.ends_with(ending)
        };
        let mut folders = vec![folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false if is_it(&path) => return path,
                    false => {}
                }
            }
        }
        panic!("no file of {symbol}");
    };
    (home, file)
}

/// Replays the trail; two of three series come out as they were.
fn replay_without_aapl(home: &Home, said: &str) {
    let ran = home
        .expect(3, &["download", "--provider", "replay", "--from", ".local/share/vortex/raw", "-o", "again"]);
    let ran = ran.says(said).says("AAPL").says("left out");
    assert!(ran.out.contains("1 answer left out"), "{}", ran.out);
    for symbol in ["MSFT", "VOD"] {
        let csv = format!("sample/stocks/1d/{symbol}.csv");
        assert_eq!(fs::read(home.path("again").join(&csv)).unwrap(), fs::read(home.file(&csv)).unwrap());
    }
    assert!(!home.path("again/sample/stocks/1d/AAPL.csv").exists());
}

#[test]
fn a_broken_file_of_the_trail_is_named_and_left_out() {
    let cut = |path: &Path| fs::write(path, &fs::read(path).unwrap()[..20]).unwrap();
    let pipe = |path: &Path| {
        fs::remove_file(path).unwrap();
        nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    };
    let device = |path: &Path| {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path).unwrap();
    };
    let gone = |path: &Path| fs::remove_file(path).unwrap();
    type Harm<'a> = &'a dyn Fn(&Path);
    let harms: [(&str, Harm<'_>, &str); 5] = [
        (".json", &cut, ".json: EOF"),
        (".body.zst", &cut, ".body.zst"),
        (".body.zst", &pipe, ".body.zst is not a regular file but a pipe"),
        (".body.zst", &device, ".body.zst is not a regular file but a device"),
        (".body.zst", &gone, ".body.zst is not there"),
    ];
    for (ending, harm, said) in harms {
        let (home, file) = trail();
        harm(&file("AAPL", ending));
        replay_without_aapl(&home, said);
    }
    // What is no file beside a body tells nothing of it: the body is passed over, as one that was kept alone.
    for harm in [&pipe as Harm<'_>, &device] {
        let (home, file) = trail();
        harm(&file("AAPL", ".json"));
        let from = ["--from", ".local/share/vortex/raw", "-o", "again"];
        home.expect(0, &[&["download", "--provider", "replay"], &from[..]].concat()).says("2 series");
    }
}

#[test]
fn a_body_that_was_cut_off_uncompressed_is_known_by_its_length() {
    let (home, file) = trail();
    let (body, about) = (file("AAPL", ".body.zst"), file("AAPL", ".json"));
    let plain = zstd::decode_all(fs::read(&body).unwrap().as_slice()).unwrap();
    fs::write(body.with_extension(""), &plain[..plain.len() - 1]).unwrap();
    fs::write(&about, fs::read_to_string(&about).unwrap().replace(".body.zst", ".body")).unwrap();
    replay_without_aapl(
        &home,
        &format!("it has {} bytes, not the {} that came", plain.len() - 1, plain.len()),
    );
}

#[test]
fn a_body_without_end_is_unpacked_to_the_limit_alone() {
    let (home, file) = trail();
    // 2 GiB of nothing in a few kilobytes.
    let zeros = std::io::Read::take(std::io::repeat(0), 2 << 30);
    fs::write(file("AAPL", ".body.zst"), zstd::encode_all(zeros, 1).unwrap()).unwrap();
    replay_without_aapl(&home, "it has more than 64 MiB unpacked");
}
