//! What `vortexctl` is: small, completed in every shell, described in its man pages.

use std::fs;
use std::path::Path;
use std::process::Command;

use clap::CommandFactory;
use vortex::client::args::Cli;

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_verb_and_option_has_its_completion() {
    let cli = Cli::command();
    for file in ["vortexctl.bash", "_vortexctl", "vortexctl.fish"] {
        let script = fs::read_to_string(project().join("packaging/completions").join(file)).unwrap();
        let option = |name: &str| match file.ends_with("fish") {
            true => format!("-l {name}"),
            false => format!("--{name}"),
        };
        for verb in cli.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            assert!(script.contains(verb.get_name()), "{file} lacks {}", verb.get_name());
            for name in verb.get_arguments().filter_map(|arg| arg.get_long()) {
                assert!(script.contains(&option(name)), "{file} lacks --{name} of {}", verb.get_name());
            }
        }
        for name in cli.get_arguments().filter_map(|arg| arg.get_long()) {
            assert!(script.contains(&option(name)), "{file} lacks --{name}");
        }
    }
    let bash = project().join("packaging/completions/vortexctl.bash");
    assert!(Command::new("bash").arg("-n").arg(bash).status().unwrap().success());
}

#[test]
fn every_verb_has_its_page() {
    let folder = tempfile::tempdir().unwrap();
    let man = Command::new(env!("CARGO_BIN_EXE_vortex")).arg("man").arg(folder.path()).status().unwrap();
    assert!(man.success());
    let whole = fs::read_to_string(folder.path().join("vortexctl.1")).unwrap();
    for verb in Cli::command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let name = verb.get_name();
        assert!(whole.contains(&format!("vortexctl\\-{name}")), "vortexctl(1) lacks {name}");
        let page = fs::read_to_string(folder.path().join(format!("vortexctl-{name}.1"))).unwrap();
        for option in verb.get_arguments().filter_map(|arg| arg.get_long()).filter(|name| *name != "help") {
            let shown = format!("\\-\\-{}", option.replace('-', "\\-"));
            assert!(page.contains(&shown), "vortexctl-{name}(1) lacks --{option}");
        }
    }
}

#[test]
fn it_links_neither_http_nor_parquet_nor_sqlite() {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--no-default-features",
            "--features",
            "client",
        ])
        .current_dir(project())
        .output()
        .unwrap();
    let text = String::from_utf8(tree.stdout).unwrap();
    assert!(text.contains("zbus v"), "{text}");
    for heavy in ["reqwest", "hyper", "rustls", "parquet", "rusqlite", "zstd", "toml"] {
        assert!(!text.lines().any(|line| line.starts_with(&format!("{heavy} "))), "the client links {heavy}");
    }
}

#[test]
fn it_is_small() {
    let built = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--locked",
            "--profile",
            "client",
            "--no-default-features",
            "--features",
            "client",
        ])
        .args(["--bin", "vortexctl"])
        .current_dir(project())
        .status()
        .unwrap();
    assert!(built.success());
    let binary = project().join("target/client/vortexctl");
    let size = fs::metadata(&binary).unwrap().len();
    println!("vortexctl: {size} bytes");
    assert!(size <= 1_600_000, "{size} bytes");
}

#[test]
fn without_a_service_it_says_so_and_starts_none() {
    let home = tempfile::tempdir().unwrap();
    for verb in ["status", "jobs", "ping", "pause", "reload", "monitor", "series"] {
        let output = Command::new(env!("CARGO_BIN_EXE_vortexctl"))
            .arg("--address=unix:path=/nonexistent/bus")
            .arg(verb)
            .env_clear()
            .env("HOME", home.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(69), "{verb}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("vortexctl: "), "{verb}: {output:?}");
    }
}

#[test]
fn the_page_of_the_bus_has_every_member() {
    let read = |file: &str| fs::read_to_string(project().join("packaging").join(file)).unwrap();
    let page = read("man/org.vortexdata.Vortex1.5");
    let xml = read("dbus-1/interfaces/org.vortexdata.Vortex1.xml");
    let mut members = 0;
    for kind in ["<method name=\"", "<property name=\"", "<signal name=\""] {
        for name in xml.split(kind).skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(page.contains(&format!(".BR {name} ")), "org.vortexdata.Vortex1(5) lacks {name}");
            members += 1;
        }
    }
    assert!(members > 40, "{members}");
}
