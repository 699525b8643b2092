//! The pages are true: files and tests they name exist, links lead somewhere, command lines parse, and
//! keys are keys.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use clap::error::ErrorKind;
use vortex::cli::args::Cli;
use vortex::config::keys;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README.md, CHANGELOG.md and the pages of docs/, with their text.
fn pages() -> Vec<(PathBuf, String)> {
    let mut paths = vec![root().join("README.md"), root().join("CHANGELOG.md")];
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    paths.extend(docs.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// The inline code of a page; blocks are left out.
fn inline_code(text: &str) -> Vec<String> {
    let mut spans = Vec::new();
    for line in prose(text) {
        spans.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
    }
    spans
}

fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.lines().filter(move |line| {
        let fence = line.starts_with("```");
        inside ^= fence;
        !inside && !fence
    })
}

/// The lines of code blocks.
fn block_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.lines().filter(move |line| {
        let fence = line.starts_with("```");
        inside ^= fence;
        inside && !fence
    })
}

/// Below `src/`, else below the project.
fn exists(path: &str) -> Option<PathBuf> {
    let places = [root().join("src").join(path), root().join(path)];
    places.into_iter().find(|place| place.exists())
}

fn rooms() -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("src")).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

#[test]
fn every_file_and_test_on_the_map_exists() {
    let map = page("docs/architecture.md");
    let rooms = rooms();
    let of_the_project =
        |span: &str| ["src", "tests", "docs", "scripts"].iter().any(|at| span.starts_with(&format!("{at}/")));
    let of_a_room = |span: &str| span.split_once('/').is_some_and(|(room, _)| rooms.contains(room));
    let mut spans = inline_code(&map);
    // Paths in the drawing of one update.
    spans.extend(block_lines(&map).flat_map(str::split_whitespace).map(str::to_owned));
    let (mut files, mut tests) = (0, 0);
    for span in spans.iter().filter(|span| of_a_room(span) || of_the_project(span)) {
        let (file, test) = span.split_once("::").map_or((span.as_str(), None), |(f, t)| (f, Some(t)));
        let path = exists(file).unwrap_or_else(|| panic!("docs/architecture.md names {file}: there is none"));
        files += 1;
        if let Some(test) = test {
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(&format!("fn {test}(")), "docs/architecture.md: {file} has no test {test}");
            tests += 1;
        }
    }
    assert!(files > 60 && tests > 20, "only {files} files and {tests} tests were found on the map");
}

#[test]
fn every_file_of_the_project_that_a_page_names_exists() {
    let mut files = 0;
    for (path, text) in pages() {
        let spans = inline_code(&text).into_iter();
        for span in spans.filter(|span| ["tests/", "docs/", "scripts/"].iter().any(|at| span.starts_with(at)))
        {
            let file = span.split([' ', ':']).next().unwrap();
            assert!(root().join(file).exists(), "{} names {file}: there is none", path.display());
            files += 1;
        }
    }
    assert!(files > 10, "only {files} files were found");
}

#[test]
fn every_name_on_the_page_for_a_new_provider_is_in_its_file() {
    let spans = inline_code(&page("docs/adding-a-provider.md"));
    let named = spans.iter().filter_map(|span| span.split_once("::"));
    let mut names = 0;
    for (file, name) in named.filter(|(file, _)| file.ends_with(".rs")) {
        let path =
            exists(file).unwrap_or_else(|| panic!("docs/adding-a-provider.md names {file}: there is none"));
        let code = fs::read_to_string(path).unwrap();
        let made = ["fn", "struct", "enum", "trait", "type", "const", "mod"].iter().any(|kind| {
            let makes = format!("{kind} {name}");
            code.match_indices(&makes).any(|(at, _)| {
                let next = code[at + makes.len()..].chars().next();
                next.is_none_or(|next| !next.is_alphanumeric() && next != '_')
            })
        });
        assert!(made, "docs/adding-a-provider.md: {file} makes no {name}");
        names += 1;
    }
    assert!(names > 30, "only {names} names were found");
}

#[test]
fn every_room_is_on_the_map() {
    let map = page("docs/architecture.md");
    for room in rooms() {
        let name = if room.ends_with(".rs") { format!("`{room}`") } else { format!("| `{room}/` |") };
        // The folder of the client's thin binary is no room.
        assert!(room == "bin" || map.contains(&name), "docs/architecture.md does not have {name}");
    }
}

#[test]
fn every_crash_point_is_on_the_map() {
    let map = page("docs/architecture.md");
    let code = page("src/archive/crash.rs");
    let points = code.split("enum CrashPoint {").nth(1).unwrap().split('}').next().unwrap();
    let points: Vec<_> = points.lines().filter_map(|line| line.trim().strip_suffix(',')).collect();
    assert!(points.len() >= 6, "{points:?}");
    for point in points {
        assert!(map.contains(&format!("(`{point}`)")), "docs/architecture.md does not have {point}");
    }
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut links = 0;
    for (path, text) in pages() {
        for line in prose(&text) {
            for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let file = target.split('#').next().unwrap();
                if file.is_empty() || file.contains("://") {
                    continue;
                }
                let place = path.parent().unwrap().join(file);
                assert!(place.exists(), "{}: the link {target} leads nowhere", path.display());
                links += 1;
            }
        }
    }
    assert!(links >= 8, "only {links} links were found");
}

#[test]
fn every_command_line_parses() {
    let mut lines = 0;
    for (path, text) in pages() {
        let shown = block_lines(&text).map(|line| line.trim_start_matches("$ ").to_owned());
        for line in shown.chain(inline_code(&text)).filter(|line| line.starts_with("vortex ")) {
            // What the shell makes of the rest is no business of ours.
            let line = line.split(['#', '|', '>']).next().unwrap();
            if line.contains('…') {
                continue;
            }
            let words = shell_words::split(line).unwrap();
            let parsed = Cli::try_parse_from(&words);
            let shows = |kind| matches!(kind, ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            if let Err(error) = parsed.map_err(|error| (shows(error.kind()), error))
                && !error.0
            {
                panic!("{}: {line:?} is refused: {}", path.display(), error.1);
            }
            lines += 1;
        }
    }
    assert!(lines > 20, "only {lines} command lines were found");
}

/// A reader who tries a played provider must not spend the real allowance or write to the real archive.
#[test]
fn practice_has_folders_of_its_own() {
    let mut pages_with_practice = 0;
    for (path, text) in pages() {
        let lines: Vec<&str> = block_lines(&text).filter(|line| line.contains("practice")).collect();
        let Some(begin) = lines.iter().position(|line| line.contains("> practice.toml")) else { continue };
        pages_with_practice += 1;
        let path = path.display();
        assert_eq!(lines.get(begin + 1), Some(&"$ export XDG_STATE_HOME=$PWD/practice/state"), "{path}");
        for line in lines.iter().filter(|line| line.contains(" download ")) {
            assert!(line.contains("-o practice/archive"), "{path}: {line}");
        }
    }
    assert!(pages_with_practice >= 3, "{pages_with_practice}");
}

#[test]
fn every_configuration_key_is_one() {
    let sections = ["general", "providers", "date_range", "schedule", "watchlists", "notify"];
    let mut found = 0;
    // The reference is compared with the table itself, in the unit tests.
    for (path, text) in pages().into_iter().filter(|(path, _)| !path.ends_with("docs/configuration.md")) {
        for span in inline_code(&text) {
            // Written alone, in brackets, or with a value.
            let key = span.split([' ', '=']).next().unwrap().trim_matches(['[', ']']);
            let mut parts = key.split('.');
            let known = parts.next().is_some_and(|first| sections.contains(&first));
            let plain = |part: &str| part.chars().all(|c| c.is_ascii_alphanumeric() || "_-<>*".contains(c));
            if !known || !key.contains('.') || !key.split('.').all(plain) {
                continue;
            }
            let key = key.replace("<name>", "mine").replace('*', "mine");
            let is_one = keys::find(&key).is_some() || keys::is_section(&key);
            assert!(is_one, "{}: `{span}` is no configuration key", path.display());
            found += 1;
        }
    }
    assert!(found >= 2, "only {found} keys were found");
}

/// Those of crates whose notices stand in one file with the Apache License, or in a folder of another work.
#[test]
fn the_package_tells_the_licences_of_what_is_linked() {
    let told = std::process::Command::new(root().join("scripts/lib/crate-licences"))
        .current_dir(root())
        .output()
        .unwrap();
    let (text, err) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.status.success(), "{err}");
    let words = [
        "Rich Felker, et al.",
        "the fiat-crypto authors",
        "2014, Kang Seonghoon.",
        "Meta Platforms, Inc.",
        "Permission is hereby granted, free of charge",
    ];
    for words in words {
        assert!(text.contains(words), "no {words:?}");
    }
    // Debian has that one.
    assert!(!text.contains("TERMS AND CONDITIONS FOR USE, REPRODUCTION"), "the Apache License is told");
}
