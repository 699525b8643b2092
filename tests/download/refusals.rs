//! What is refused before anything is asked or written.

use std::fs;

use crate::{yahoo, yahoo_with};

#[test]
fn a_wrong_request_is_one_clear_message_and_nothing_more() {
    let (server, home) = yahoo();
    fs::write(home.path("empty"), "# nothing\n").unwrap();
    fs::write(home.path("evil"), "AAPL\n../../etc/passwd\n").unwrap();
    fs::write(home.path("binary"), b"AAPL\n\xff\xfe\n").unwrap();
    let long = "A".repeat(300);
    let cases: &[(&[&str], &str)] = &[
        (&["-s", "../../etc/passwd"], "../../etc/passwd"),
        (&["-s", "AAPL", "/etc/passwd"], "/etc/passwd"),
        (&["-s", "a\\b"], "a\\\\b"),
        (&["-s", ".hidden"], ".hidden"),
        (&["-s", ".."], "\"..\""),
        (&["-s", ""], "empty"),
        (&["-s", &long], "too long"),
        (&["-s", "AA\u{1b}[31mPL"], "control characters"),
        (&["-s", "AA\nPL"], "control characters"),
        (&["--symbols-file", "empty"], "empty"),
        (&["--symbols-file", "evil"], "../../etc/passwd"),
        (&["--symbols-file", "binary"], "binary"),
        (&["--symbols-file", "nowhere"], "nowhere"),
        (&["-s", "AAPL", "--assets", "nowhere.json"], "nowhere.json"),
        (&["-s", "AAPL", "--start-date", "2024-05-01", "--end-date", "2024-04-01"], "2024-04-01"),
        (&["-s", "AAPL", "--start-date", "2199-01-01"], "2199-01-01"),
        (&["-s", "AAPL", "--start-date", "2024-02-30"], "2024-02-30"),
        (&["-s", "AAPL", "--end-date", "yesterday"], "yesterday"),
        (&["-s", "AAPL", "--chunk-size", "0"], "chunk-size"),
        (&["-s", "AAPL", "--period", "4h"], "4h"),
        (&["-s", "AAPL", "-p", "yaho"], "yaho"),
        (&["-s", "AAPL", "--from", "raw"], "--provider replay"),
    ];
    for (args, words) in cases {
        let ran = home.expect(2, &[&["download"], *args].concat()).says(words);
        assert_eq!(ran.out, "", "{args:?}");
        assert!(ran.err.lines().count() <= 8, "{args:?}: {}", ran.err);
        assert!(!ran.err.contains('\u{1b}'), "{args:?}: {}", ran.err);
        let json = home.expect(2, &[&["download", "--json"], *args].concat()).json();
        assert_eq!(json["error"]["exit"], 2, "{args:?}");
    }
    assert_eq!(server.counts().total, 0);
    assert!(!home.archive().exists());
}

#[test]
fn an_address_that_is_not_safe_is_refused() {
    for address in ["http://example.com", "ftp://127.0.0.1", "127.0.0.1:80", "http://u:p@127.0.0.1"] {
        let (_server, home) = yahoo_with("");
        fs::write(
            home.path(".config/vortex/config.toml"),
            format!("providers.yahoo.base_url = \"{address}\"\n"),
        )
        .unwrap();
        home.expect(2, &["download", "-s", "AAPL"]).says("config.toml:1");
        assert!(!home.archive().exists(), "{address}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let (server, home) = yahoo();
    fs::write(home.path("file"), "").unwrap();
    home.expect(2, &["download", "-s", "AAPL", "-o", "file/archive"])
        .says("--output-dir")
        .says("file/archive");
    assert_eq!(server.counts().total, 0);
}
