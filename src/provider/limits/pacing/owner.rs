//! Who left something in the ledger: a process, so that nobody waits for one that died.

use std::fs;

use crate::provider::limits::MICROS;

/// A process of this machine: the machine's start, its number, and when it began.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    boot: String,
    text: String,
}

impl Owner {
    /// This process.
    pub(super) fn this() -> Owner {
        Owner::of(std::process::id())
    }

    /// A process, by its number; it need not be there.
    pub(super) fn of(process: u32) -> Owner {
        let boot = boot().unwrap_or_default();
        let began = began(process).unwrap_or_default();
        Owner { text: format!("{boot} {process} {began}"), boot }
    }

    /// As it stands in the ledger.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The start of the machine, by its id.
    pub(super) fn boot(&self) -> &str {
        &self.boot
    }

    pub(super) fn is_same(&self, other: &str) -> bool {
        self.text == other
    }
}

/// Whether the process of a text is still there. Numbers are used again; with its beginning one is unique.
pub(super) fn is_alive(owner: &str) -> bool {
    let mut words = owner.split(' ');
    let (here, process) = (words.next(), words.next().and_then(|process| process.parse().ok()));
    let here = here.is_some_and(|there| boot().as_deref() == Some(there));
    here && process.is_some_and(|process| Owner::of(process).is_same(owner) && began(process).is_some())
}

fn boot() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned())
}

/// When a process began, in the kernel's ticks: the twentieth field behind its name, which may hold anything.
/// None of one that is dead and only waits for its parent to look.
fn began(process: u32) -> Option<String> {
    let line = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = line.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    let runs = fields.first().is_some_and(|state| !matches!(*state, "Z" | "X"));
    fields.get(19).filter(|_| runs).map(|ticks| (*ticks).to_owned())
}

/// µs since the machine was started, which nobody sets.
pub(super) fn uptime() -> Option<i64> {
    let text = fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = text.split(' ').next()?.parse().ok()?;
    Some((seconds * MICROS as f64) as i64)
}
