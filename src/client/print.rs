//! How things are told: columns, colour on a terminal, a pager for what is longer than the screen.

use std::io::{self, IsTerminal, Write};
use std::process::{Command, Stdio};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::args::{Color, Global};

/// What a word is shown in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Plain,
    Good,
    Warn,
    Bad,
    Dim,
}

/// Where output goes, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paper {
    colour: bool,
    pager: bool,
}

impl Paper {
    pub(super) fn new(global: &Global) -> Paper {
        let terminal = io::stdout().is_terminal();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !plain,
        };
        Paper { colour, pager: terminal && !global.no_pager && !global.json }
    }

    /// A text in its colour.
    pub(super) fn ink(&self, ink: Ink, text: &str) -> String {
        let code = match ink {
            _ if !self.colour => return text.to_owned(),
            Ink::Plain => return text.to_owned(),
            Ink::Good => "32",
            Ink::Warn => "33",
            Ink::Bad => "31;1",
            Ink::Dim => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// A state in the colour it asks for.
    pub(super) fn state(&self, word: &str) -> String {
        let ink = match word {
            "idle" | "working" | "running" | "done" | "current" | "ready" => Ink::Good,
            "paused" | "stopping" | "starting" | "queued" | "limited" | "partial" | "late" | "held" => {
                Ink::Warn
            }
            "failed" | "broken" | "suspect" => Ink::Bad,
            "off" | "cancelled" => Ink::Dim,
            _ => Ink::Plain,
        };
        self.ink(ink, word)
    }

    /// Prints a list, by a pager where it is longer than the screen.
    pub(super) fn list(&self, text: &str) -> io::Result<()> {
        if self.pager && text.lines().count() >= screen_rows() && page(text).is_ok() {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Aligned columns under a header. Cells may hold colour; widths are those of what is seen.
    pub(super) fn table(&self, header: &[&str], rows: &[Vec<String>]) -> String {
        let seen = |cell: &str| without_colour(cell).chars().count();
        let mut widths: Vec<usize> = header.iter().map(|name| seen(name)).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(seen(cell));
            }
        }
        let line = |cells: Vec<String>| {
            let mut line = String::new();
            for (at, (cell, width)) in cells.iter().zip(&widths).enumerate() {
                line.push_str(cell);
                if at + 1 < cells.len() {
                    line.push_str(&" ".repeat(width - seen(cell) + 2));
                }
            }
            line.trim_end().to_owned() + "\n"
        };
        let mut text = line(header.iter().map(|name| self.ink(Ink::Dim, name)).collect());
        for row in rows {
            text.push_str(&line(row.clone()));
        }
        text
    }
}

/// Hands a text to the pager that systemctl would take.
fn page(text: &str) -> io::Result<()> {
    let named = ["SYSTEMD_PAGER", "PAGER"].iter().find_map(|name| std::env::var(name).ok());
    let named = named.unwrap_or_else(|| "less".to_owned());
    let mut words = named.split_whitespace();
    let Some(program) = words.next() else { return Err(io::ErrorKind::NotFound.into()) };
    let mut pager = Command::new(program)
        .args(words)
        .env("LESS", std::env::var("SYSTEMD_LESS").unwrap_or_else(|_| "FRSXMK".to_owned()))
        .stdin(Stdio::piped())
        .spawn()?;
    if let Some(mut to) = pager.stdin.take() {
        // A person who quits the pager has seen enough.
        let _ = to.write_all(text.as_bytes());
    }
    pager.wait().map(drop)
}

fn screen_rows() -> usize {
    std::env::var("LINES").ok().and_then(|lines| lines.parse().ok()).unwrap_or(24)
}

fn without_colour(text: &str) -> String {
    let mut seen = String::new();
    let mut inside = false;
    for c in text.chars() {
        match c {
            '\u{1b}' => inside = true,
            'm' if inside => inside = false,
            c if !inside => seen.push(c),
            _ => {}
        }
    }
    seen
}

/// What comes from elsewhere, without what a terminal would obey.
pub(super) fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// An instant in µs since the epoch, by this machine's time zone, with how far off it is.
pub(super) fn instant(micros: u64) -> String {
    if micros == 0 {
        return "never".to_owned();
    }
    let Ok(at) = Timestamp::from_microsecond(i64::try_from(micros).unwrap_or(i64::MAX)) else {
        return micros.to_string();
    };
    let told = at.to_zoned_datetime(TimeZone::system()).strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string();
    format!("{told}; {}", away(at.as_second() - Timestamp::now().as_second()))
}

/// A date of µs since the epoch, of UTC; empty for none.
pub(super) fn date(micros: u64) -> String {
    let at = Timestamp::from_microsecond(i64::try_from(micros).unwrap_or(i64::MAX)).ok();
    let at = at.filter(|_| micros > 0);
    at.map_or_else(String::new, |at| at.to_zoned_datetime(TimeZone::UTC).strftime("%Y-%m-%d").to_string())
}

/// How far off an instant is: `5min ago`, `now`, `in 3h`.
pub(super) fn away(seconds: i64) -> String {
    let amount = span(seconds.unsigned_abs());
    match seconds {
        0 => "now".to_owned(),
        ..0 => format!("{amount} ago"),
        _ => format!("in {amount}"),
    }
}

/// A length of time in its two largest units.
pub(super) fn span(seconds: u64) -> String {
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (size, name) in units {
        if rest >= size && parts.len() < 2 {
            parts.push(format!("{}{name}", rest / size));
            rest %= size;
        } else if !parts.is_empty() {
            break;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// Bytes for people.
pub(super) fn bytes(number: u64) -> String {
    let mut value = number as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{number} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_told_shortly() {
        assert_eq!(
            (span(0), span(59), span(3660)),
            ("0s".to_owned(), "59s".to_owned(), "1h 1min".to_owned())
        );
        assert_eq!(span(86_400 * 3 + 30), "3d");
        assert_eq!((bytes(10), bytes(2048)), ("10 B".to_owned(), "2.0 KiB".to_owned()));
        assert_eq!([away(-60), away(0), away(7200)], ["1min ago", "now", "in 2h"]);
    }

    #[test]
    fn columns_are_aligned_whatever_their_colour() {
        let paper = Paper { colour: true, pager: false };
        let rows = [vec![paper.state("failed"), "x".to_owned()], vec![paper.state("ready"), "y".to_owned()]];
        let table = without_colour(&paper.table(&["STATE", "NAME"], &rows));
        assert_eq!(table, "STATE   NAME\nfailed  x\nready   y\n");
    }

    #[test]
    fn what_comes_from_elsewhere_cannot_steer_the_terminal() {
        assert_eq!(harmless("a\u{1b}[31mb\n"), "a\u{fffd}[31mb\u{fffd}");
    }
}
