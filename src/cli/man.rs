//! `vortex man`: a man page for each command.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use clap::{Arg, ArgAction, Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};

use super::args::{Cli, ManArgs};
use super::error::{Exit, Outcome};
use crate::config::render::{key_paragraphs, layers};

/// Writes `vortex.1`, `vortex-download.1`, …, `vortexctl.1`, … and `vortex.toml.5` to a folder.
pub(super) fn run(args: &ManArgs) -> Outcome {
    let folder = &args.folder;
    fs::create_dir_all(folder)
        .and_then(|()| pages().iter().try_for_each(|command| write_pages(command, folder)))
        .and_then(|()| fs::write(folder.join("vortex.toml.5"), configuration().render()))
        .with_context(|| format!("the man pages cannot be written to {}", folder.display()))?;
    Ok(Exit::Done)
}

/// The programs whose commands have a page: `help` and its like only show others.
fn pages() -> Vec<Command> {
    let programs = [
        Cli::command(),
        #[cfg(feature = "client")]
        crate::client::args::Cli::command(),
    ];
    let built = |program: Command| {
        let mut program = program.disable_help_subcommand(true);
        program.build();
        program
    };
    programs.map(built).into()
}

/// The page of a command and those of the commands below it.
fn write_pages(command: &Command, folder: &Path) -> std::io::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write_pages(below, folder)?;
    }
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    fs::write(folder.join(format!("{name}.1")), page(command)?)
}

/// The page: the usual sections, and what the help ends with under headings of its own.
fn page(command: &Command) -> std::io::Result<Vec<u8>> {
    let man = Man::new(command.clone().override_usage(synopsis(command)));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(text) = command.get_after_help() {
        closing(&text.to_string()).to_writer(&mut page)?;
    }
    Ok(page)
}

/// A command line with the names of all values: `vortex man FOLDER`.
fn synopsis(command: &Command) -> String {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let mut words = vec![name.to_owned()];
    let shown = |arg: &&Arg| !arg.is_hide_set() && !arg.is_global_set() && arg.get_id() != "help";
    let options = command.get_arguments().filter(|arg| !arg.is_positional());
    words.extend(options.filter(shown).map(optional));
    if command.get_arguments().any(|arg| arg.is_global_set()) {
        words.push("[OPTIONS]".to_owned());
    }
    words.extend(command.get_positionals().filter(shown).map(|arg| match arg.is_required_set() {
        true => values(arg),
        false => format!("[{}]", values(arg)),
    }));
    if command.has_subcommands() {
        words.push("COMMAND".to_owned());
    }
    words.join(" ")
}

/// An option with its value: `[-p|--provider P]`.
fn optional(arg: &Arg) -> String {
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    let value = match arg.get_num_args() {
        _ if !takes_value => String::new(),
        Some(count) if count.min_values() == 0 => format!(" [{}]", values(arg)),
        _ => format!(" {}", values(arg)),
    };
    format!("[{}{value}]", names.join("|"))
}

/// The names of an argument's values.
fn values(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let several = arg.get_num_args().is_some_and(|count| count.max_values() > 1);
    format!("{}{}", names.join(" "), if several { "…" } else { "" })
}

/// The page of the configuration: each key, from the table that the program reads it by.
fn configuration() -> Roff {
    let mut roff = Roff::new();
    roff.control("TH", ["VORTEX.TOML", "5", "", "Vortex", "File Formats Manual"]);
    roff.control("SH", ["NAME"]);
    roff.text([roman("vortex.toml - the configuration of Vortex, in files named config.toml")]);
    roff.control("SH", ["DESCRIPTION"]);
    for paragraph in layers() {
        roff.control("PP", []).text([roman(paragraph)]);
    }
    roff.control("SH", ["KEYS"]);
    for [path, text] in key_paragraphs() {
        roff.control("TP", []).text([bold(path)]).text([roman(text)]);
    }
    roff.control("SH", ["FILES"]);
    for [path, text] in FILES {
        roff.control("TP", []).text([italic(path)]).text([roman(text)]);
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.text([roman("vortex(1), vortex-config(1), vortex.service(8)")]);
    roff
}

const FILES: [[&str; 2]; 4] = [
    ["/etc/vortex/config.toml, /etc/vortex/conf.d/*.toml", "For every user of the machine."],
    ["~/.config/vortex/config.toml, ~/.config/vortex/conf.d/*.toml", "For one user."],
    ["~/.config/vortex/assets.json", "The list of instruments."],
    ["/usr/share/doc/vortex/examples/config.toml", "Every key, with its built-in value."],
];

/// The paragraphs below the help. One that begins with `Word: ` or `Word:` has that word for its
/// heading; indented lines stay lines.
fn closing(text: &str) -> Roff {
    let mut roff = Roff::new();
    for paragraph in text.split("\n\n") {
        let heading = match paragraph.split_once(':').map_or(paragraph, |(word, _)| word) {
            "Example" | "Examples" => "EXAMPLES",
            "Exit codes" => "EXIT STATUS",
            _ => "NOTES",
        };
        roff.control("SH", [heading]);
        let text = match heading {
            "NOTES" => paragraph,
            _ => paragraph.split_once(':').map_or(paragraph, |(_, rest)| rest),
        };
        roff.control("nf", []);
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page of a command, by the names below `vortex`.
    fn page_of(path: &[&str]) -> String {
        let mut command = pages().swap_remove(0);
        for name in path {
            command = command.find_subcommand(name).unwrap().clone();
        }
        String::from_utf8(page(&command).unwrap()).unwrap()
    }

    #[test]
    fn examples_stay_lines_under_their_heading() {
        let page = page_of(&["download"]);
        let (_, examples) = page.split_once(".SH EXAMPLES\n.nf\n").unwrap();
        let (examples, _) = examples.split_once("\n.fi").unwrap();
        assert_eq!(examples.lines().count(), 4, "{examples}");
        assert!(examples.lines().all(|line| line.starts_with("vortex download")), "{examples}");
        assert!(page_of(&[]).contains(".SH \"EXIT STATUS\"\n.nf\n0 done, 1 failed"), "{}", page_of(&[]));
    }

    #[test]
    fn the_synopsis_names_the_values() {
        let synopsis = |path: &[&str]| {
            let page = page_of(path).replace('\\', "");
            page.split(".SH SYNOPSIS\n").nth(1).unwrap().split(".SH").next().unwrap().to_owned()
        };
        let download = synopsis(&["download"]);
        for words in ["[-p|--provider P]", "[-s|--symbol SYMBOL…]", "[--chunk-size DAYS]", "[--force]"] {
            assert!(download.contains(words), "{words}: {download}");
        }
        assert!(synopsis(&["providers"]).contains("[--test [P|all]]"));
        assert!(synopsis(&["archive", "show"]).contains("[SYMBOL]"));
        assert!(synopsis(&["completion"]).contains("SHELL"));
    }

    #[test]
    fn help_has_no_page() {
        let home = tempfile::tempdir().unwrap();
        run(&ManArgs { folder: home.path().join("pages") }).unwrap();
        let pages = fs::read_dir(home.path().join("pages")).unwrap();
        let names: Vec<_> = pages.map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
        assert!(names.contains(&"vortex-archive-show.1".to_owned()), "{names:?}");
        assert!(names.iter().all(|name| !name.contains("help")), "{names:?}");
    }

    #[test]
    fn the_lines_below_the_help_fit_a_terminal() {
        let mut commands = vec![Cli::command()];
        while let Some(command) = commands.pop() {
            let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in text.lines() {
                assert!(line.chars().count() <= 80, "{}: {line}", command.get_name());
            }
            commands.extend(command.get_subcommands().cloned());
        }
    }
}
