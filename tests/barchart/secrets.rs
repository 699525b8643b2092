//! Names, passwords, keys, cookies and tokens stay where they belong.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::barchart_server::{Action, EMAIL, Rule, Step};
use crate::binary::Home;
use crate::{account, barchart, last_days, with_session};

/// What no output and no file but the two that keep it may have. Tokens and cookies of the server have `secret` in them.
const SECRETS: [&str; 4] = ["secret", "battery", EMAIL, "trader%40example"];

/// Runs a download as talkative as can be, and looks for secrets in what it says and leaves.
fn look(home: &Home, code: i32) {
    let start = last_days(20).first.to_string();
    let args = ["-vv", "download", "--yes", "--start-date", &start, "-s", "GOLD", "--period", "1d,1h"];
    let ran = home.expect(code, &args);
    let mut texts = vec![("what was said".into(), format!("{}{}", ran.out, ran.err).into_bytes())];
    texts.extend(files(&home.path("")));
    let kept = texts.iter().filter(|(path, _)| path.to_string_lossy().contains("/raw/barchart/")).count();
    assert!(kept > 0, "the raw trail is empty");
    for (path, bytes) in texts {
        let text = String::from_utf8_lossy(&bytes);
        for secret in SECRETS {
            let found = text
                .find(secret)
                .map(|at| text[at.saturating_sub(80)..].chars().take(160).collect::<String>());
            assert_eq!(found, None, "{secret} in {}", path.display());
        }
    }
}

/// Every file below a folder, unpacked, but for the two that keep the secrets.
pub(crate) fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !["config.toml", "barchart.session", "cookies.txt"].contains(&name) {
            let bytes = fs::read(&path).unwrap();
            let mut plain = Vec::new();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("zst") => plain = zstd::stream::decode_all(bytes.as_slice()).unwrap(),
                Some("gz") => drop(flate2::read::GzDecoder::new(&*bytes).read_to_end(&mut plain).unwrap()),
                _ => plain = bytes,
            }
            found.push((path, plain));
        }
    }
    found
}

#[test]
fn a_login_leaves_none() {
    let (_server, home) = barchart(&account());
    look(&home, 0);
}

#[test]
fn a_refused_login_leaves_none() {
    let (_server, home) = barchart(&account().replace("battery", "batteryx"));
    // The form comes again, with a new token.
    look(&home, 1);
}

#[test]
fn a_session_leaves_none_also_where_it_ends_in_the_middle() {
    let (server, home) = with_session();
    server.rule(Rule::new(Action::LogOut {}).at(Step::Download).skip(1));
    look(&home, 3);
}

#[test]
fn a_key_leaves_none() {
    let (server, home) = barchart("providers.barchart.api_key = \"k3y-secret\"\n");
    server.add_key("k3y-secret", 250);
    look(&home, 0);
    let shown = home.expect(0, &["config", "--show"]);
    assert!(!shown.out.contains("secret"), "{}", shown.out);
}
