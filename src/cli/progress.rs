//! How a running job looks: a bar on a terminal, plain lines elsewhere. Always on standard error, so
//! that standard output stays the result.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::count;
use crate::download::{Event, Observer, Outcome, SeriesResult};
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

impl Bar {
    fn new() -> Bar {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
        bar.enable_steady_tick(Duration::from_millis(200));
        Bar { bar, state: Mutex::new(BarState::default()) }
    }

    fn show(&self, change: impl FnOnce(&mut BarState)) {
        // A poisoned lock would only mean a stale line on the screen.
        let Ok(mut state) = self.state.lock() else { return };
        change(&mut state);
        self.bar.set_message(state.message());
    }
}

impl BarState {
    fn message(&self) -> String {
        let bytes = HumanBytes(self.bytes);
        if let Some(said) = &self.limited {
            return format!("{bytes}  {said}");
        }
        let asking: Vec<&str> = self.asking.iter().take(3).map(String::as_str).collect();
        let waiting = self.left.saturating_sub(self.asking.len());
        match &self.pace {
            Some(pace) if waiting > 0 => {
                format!("{bytes}  {}; {waiting} waiting for {pace}", asking.join(", "))
            }
            _ => format!("{bytes}  {}", asking.join(", ")),
        }
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
                let style =
                    ProgressStyle::with_template("{bar:24} {pos}/{len} series  {eta} left  {wide_msg}");
                if let Ok(style) = style {
                    self.bar.set_style(style.progress_chars("━╸─"));
                }
                self.bar.set_length(*to_fetch as u64);
            }
            Event::Asking(key) => self.show(|state| {
                state.asking.insert(short(key));
            }),
            Event::Fetched { key, bytes } => self.show(|state| {
                state.asking.remove(&short(key));
                state.bytes += *bytes as u64;
            }),
            Event::Limited { said } => self.show(|state| state.limited = Some((*said).to_owned())),
            Event::Stored { .. } => {}
            Event::Finished(result) => {
                if result.outcome != Outcome::Current {
                    self.show(|state| state.left = state.left.saturating_sub(1));
                    self.bar.inc(1);
                }
                if let Some(reason) = result.outcome.reason() {
                    self.bar.println(format!("{} {}: {reason}", short(&result.key), result.outcome.word()));
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
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }
}

fn line_of(result: &SeriesResult) -> Option<String> {
    let name = short(&result.key);
    match (&result.outcome, result.outcome.reason()) {
        (Outcome::Current, _) => None,
        (outcome, Some(reason)) => Some(format!("{name} {}: {reason}", outcome.word())),
        (outcome, None) => Some(format!("{name} {}, {} added", outcome.word(), count(result.added, "bar"))),
    }
}

impl Observer for Quiet {
    fn event(&self, _: &Event<'_>) {}
}
