//! How a running job looks: a bar on a terminal, plain lines elsewhere. Always on standard error, so
//! that standard output stays the result.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::output::count;
use crate::download::{Event, Observer, Outcome, SeriesResult};
use crate::escape;
use crate::model::SeriesKey;

/// A job on a terminal: one bar with series, bytes, time left and what is being asked for.
pub(super) struct Bar {
    bar: ProgressBar,
    state: Mutex<BarState>,
}

#[derive(Default)]
struct BarState {
    bytes: u64,
    left: usize,
    pace: Option<String>,
    asking: BTreeSet<String>,
    limited: Option<String>,
}

/// A job in a log or a pipe: a line for each series that changed or failed.
#[derive(Debug, Default)]
pub(super) struct Lines;

/// Says nothing.
#[derive(Debug, Default)]
pub(super) struct Quiet;

/// The observer that fits standard error.
pub(super) fn observer(quiet: bool) -> std::sync::Arc<dyn Observer> {
    match (quiet, std::io::stderr().is_terminal()) {
        (true, _) => std::sync::Arc::new(Quiet),
        (false, true) => std::sync::Arc::new(Bar::new()),
        (false, false) => std::sync::Arc::new(Lines),
    }
}

/// What stands before the message takes 38 columns at most: 42 are left of 80.
const TEMPLATE: &str = "{bar:10} {pos}/{len} series{left}  {wide_msg}";

impl Bar {
    /// Nothing is drawn before it is known what there is to do.
    fn new() -> Bar {
        Bar { bar: ProgressBar::hidden(), state: Mutex::new(BarState::default()) }
    }

    fn begin(&self, to_fetch: usize) {
        if to_fetch == 0 {
            return;
        }
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            self.bar.set_style(style.with_key("left", time_left).progress_chars("━╸─"));
        }
        self.bar.set_length(to_fetch as u64);
        self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
        self.bar.enable_steady_tick(Duration::from_millis(200));
    }

    fn show(&self, change: impl FnOnce(&mut BarState)) {
        // A poisoned lock would only mean a stale line on the screen.
        let Ok(mut state) = self.state.lock() else { return };
        change(&mut state);
        self.bar.set_message(escape::text(&state.message()).into_owned());
    }

    /// A line that stays, above the bar where there is one.
    fn say(&self, line: &str) {
        let line = escape::text(line);
        if self.bar.is_hidden() {
            // Nobody reads it any more: the job goes on.
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        } else {
            self.bar.println(&*line);
        }
    }
}

/// The time left, once a finished series says how long one takes.
fn time_left(state: &ProgressState, out: &mut dyn fmt::Write) {
    if state.pos() > 0 {
        // A terminal line cannot fail.
        let _ = write!(out, " {:#} left", HumanDuration(state.eta()));
    }
}

impl BarState {
    /// What is waited for, bytes, and the series being asked for: what may be cut off comes last.
    fn message(&self) -> String {
        if let Some(said) = &self.limited {
            return said.clone();
        }
        let waiting = self.left.saturating_sub(self.asking.len());
        let pace = self.pace.as_ref().filter(|_| waiting > 0);
        let asking: Vec<&str> = self.asking.iter().take(3).map(String::as_str).collect();
        let parts = [
            pace.map(|pace| format!("{waiting} wait for {pace}")).unwrap_or_default(),
            HumanBytes(self.bytes).to_string(),
            asking.join(", "),
        ];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
    }
}

fn short(key: &SeriesKey) -> String {
    format!("{} {}", key.name(), key.period)
}

impl Observer for Bar {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Planned { to_fetch, pace, .. } => {
                self.show(|state| {
                    state.left = *to_fetch;
                    state.pace.clone_from(pace);
                });
                self.begin(*to_fetch);
            }
            Event::Asking(key) => self.show(|state| {
                state.asking.insert(short(key));
            }),
            Event::Fetched { key, bytes } => self.show(|state| {
                state.asking.remove(&short(key));
                state.bytes += *bytes as u64;
            }),
            Event::Limited { said } => self.show(|state| state.limited = Some((*said).to_owned())),
            // The log tells it.
            Event::Stored { .. } | Event::Waiting { .. } => {}
            Event::Finished(result) => {
                if result.outcome != Outcome::Current {
                    self.show(|state| state.left = state.left.saturating_sub(1));
                    self.bar.inc(1);
                }
                if let Some(reason) = result.outcome.reason().filter(|_| was_begun(result)) {
                    self.say(&format!("{} {}: {reason}", short(&result.key), result.outcome.word()));
                }
            }
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Lines {
    fn event(&self, event: &Event<'_>) {
        let line = match event {
            Event::Planned { series, to_fetch, .. } => format!("{series} series, {to_fetch} to fetch"),
            Event::Limited { said } => (*said).to_owned(),
            Event::Finished(result) => match line_of(result) {
                Some(line) => line,
                None => return,
            },
            _ => return,
        };
        // Nobody reads it any more: the job goes on.
        let _ = writeln!(std::io::stderr().lock(), "{}", escape::text(&line));
    }
}

/// Whether there is something to tell of a series alone; of those that had no turn the summary has the number.
fn was_begun(result: &SeriesResult) -> bool {
    let left = matches!(result.outcome.word(), "later" | "interrupted");
    !left || result.requests > 0 || result.added > 0
}

fn line_of(result: &SeriesResult) -> Option<String> {
    let name = short(&result.key);
    match (&result.outcome, result.outcome.reason()) {
        (Outcome::Current, _) => None,
        _ if !was_begun(result) => None,
        (outcome, Some(reason)) => Some(format!("{name} {}: {reason}", outcome.word())),
        (outcome, None) => Some(format!("{name} {}, {} added", outcome.word(), count(result.added, "bar"))),
    }
}

impl Observer for Quiet {
    fn event(&self, _: &Event<'_>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(asking: &[&str], left: usize) -> BarState {
        BarState {
            bytes: 12_940_000,
            left,
            pace: Some("the rate of 60 a minute".to_owned()),
            asking: asking.iter().map(|name| (*name).to_owned()).collect(),
            limited: None,
        }
    }

    #[test]
    fn what_is_waited_for_fits_before_the_symbols() {
        let message = state(&["AAPL 1d", "MSFT 1d"], 2000).message();
        assert_eq!(message, "1998 wait for the rate of 60 a minute  12.34 MiB  AAPL 1d, MSFT 1d");
        assert!(message.find("  12.34").is_some_and(|at| at <= 42), "{message}");
    }

    #[test]
    fn what_is_not_there_leaves_no_trace() {
        assert_eq!(state(&[], 3).message(), "3 wait for the rate of 60 a minute  12.34 MiB");
        assert_eq!(state(&["AAPL 1d"], 1).message(), "12.34 MiB  AAPL 1d");
        assert_eq!(state(&[], 0).message(), "12.34 MiB");
    }

    #[test]
    fn nothing_is_drawn_before_the_plan() {
        assert!(Bar::new().bar.is_hidden());
    }
}
