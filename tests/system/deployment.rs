//! The commands of docs/deployment.md for the package, as they stand there. Those for the image are run by
//! tests/docker/test-docker-build.sh.

use super::machine::Machine;

const PAGE: &str = include_str!("../../docs/deployment.md");

#[test]
fn the_page_on_trixie() {
    all(&Machine::boot_with_package("trixie"));
}

#[test]
fn the_page_on_bookworm() {
    all(&Machine::boot_with_package("bookworm"));
}

/// The commands of a chapter, each with its prompt.
fn commands(chapter: &str) -> Vec<(&'static str, &'static str)> {
    let text = PAGE.split(&format!("\n## {chapter}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
    let blocks = text.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.flat_map(str::lines).map(|line| line.split_once(' ').unwrap()).collect()
}

/// This version and the next one.
fn versions() -> [String; 2] {
    let this = env!("CARGO_PKG_VERSION");
    let (rest, patch) = this.rsplit_once('.').unwrap();
    [this.to_owned(), format!("{rest}.{}", patch.parse::<u32>().unwrap() + 1)]
}

fn all(machine: &Machine) {
    let [this, next] = versions();
    let repack = format!(
        "cd /opt && dpkg-deb -R vortex.deb next && sed -i 's/^Version: .*/Version: {next}/' next/DEBIAN/control && \
         dpkg-deb -Znone -b next vortex_{next}_amd64.deb && mv vortex.deb vortex_{this}_amd64.deb"
    );
    machine.root(&repack).ok();
    machine.root("echo 'APT::Get::Assume-Yes \"true\";' > /etc/apt/apt.conf.d/90yes").ok();
    // What is in /etc is for the machine's service, and a user cannot read it.
    let sample = |folder: &str| {
        format!(
            "mkdir -p {folder} && printf '[general]\\ndefault_provider = \"sample\"\\n[providers.yahoo]\\nenabled = false\\n' \
             > {folder}/sample.toml"
        )
    };
    machine.root(&sample("/etc/vortex/conf.d")).ok();
    machine.trader(&sample("~/.config/vortex/conf.d")).ok();
    let mut installed = Vec::new();
    // What a catalogue that is made of the files does not know.
    let mut last_run = "Last run: done";
    for (prompt, line) in commands("The package") {
        println!("{prompt} {line}");
        let said = match prompt {
            "#" => machine.root(&format!("export DEBIAN_FRONTEND=noninteractive; cd /opt; {line}")).ok(),
            "$" => machine.trader(&format!("cd; {line}")).ok(),
            _ => panic!("no prompt: {prompt} {line}"),
        };
        if line.contains("status vortex") {
            assert!(said.contains("active (running)"), "{said}");
        }
        if line.ends_with("vortexctl status") {
            assert!(said.contains(last_run) && said.contains("Idle; 1 of "), "{said}");
        }
        if line.ends_with("archive rebuild") {
            last_run = "Last run: never";
        }
        if line.starts_with("apt install") {
            let found = machine.root("dpkg-query -W -f '${Version}' vortex").ok();
            assert!(line.contains(&format!("vortex_{found}_")), "{line} installed {found}");
            installed.push(found);
        }
        if installed.len() > 1 && line.starts_with("apt install") {
            machine.until("the service of the version", || machine.trader("vortexctl ping").code == 0);
        }
    }
    assert_eq!(installed, [this.clone(), next, this]);
    let csv = "sample/stocks/1d/SPY.csv";
    machine.trader(&format!("test -s ~/.local/share/vortex/{csv}")).ok();
    machine.root(&format!("test -s /var/lib/vortex/data/{csv} && ! test -e /usr/bin/vortex")).ok();
}
