//! The broker's limits, kept by the gateway itself, on a clock of its own that a test can hurry.

use std::collections::VecDeque;

use super::message::History;

/// Seconds in which no request may be repeated.
const IDENTICAL: f64 = 15.0;
/// So many requests of one contract, exchange and kind in so many seconds are too many; those for bid and ask count
/// twice.
const SAME: (u32, f64) = (6, 2.0);
/// At most so many requests in so many seconds.
const ALL: (u32, f64) = (60, 600.0);
/// At most so many requests open at once.
pub(super) const OPEN: usize = 50;
/// At most so many messages a second.
const MESSAGES: usize = 50;

/// A rule that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Violation {
    /// The same request again within 15 seconds.
    Identical,
    /// Six requests of one contract, exchange and kind within two seconds.
    SameContract,
    /// More than 60 requests in ten minutes, of which those for bid and ask count twice.
    TenMinutes,
    /// More than 50 requests open at once.
    Open,
    /// More than 50 messages in a second.
    Messages,
}

/// What was asked lately. Instants are seconds of the pacing clock.
#[derive(Default)]
pub(super) struct Pacing {
    history: VecDeque<(f64, History)>,
    messages: VecDeque<f64>,
}

impl Pacing {
    /// Takes note of a request for bars; which rules it breaks, and how many there are in ten minutes.
    pub(super) fn history(&mut self, asked: &History, at: f64) -> (Vec<Violation>, u32) {
        while self.history.front().is_some_and(|(then, _)| at - then >= ALL.1) {
            self.history.pop_front();
        }
        let within = |seconds: f64| self.history.iter().filter(move |(then, _)| at - then < seconds);
        let same = |other: &History| {
            let key = |of: &History| (of.contract.clone(), of.what_to_show.clone());
            key(other) == key(asked)
        };
        let weight = |of: &History| if of.what_to_show == "BID_ASK" { 2 } else { 1 };
        let mut broken = Vec::new();
        if within(IDENTICAL).any(|(_, other)| other == asked) {
            broken.push(Violation::Identical);
        }
        let of_one =
            within(SAME.1).filter(|(_, other)| same(other)).map(|(_, other)| weight(other)).sum::<u32>();
        if of_one + weight(asked) >= SAME.0 {
            broken.push(Violation::SameContract);
        }
        let all = within(ALL.1).map(|(_, other)| weight(other)).sum::<u32>() + weight(asked);
        if all > ALL.0 {
            broken.push(Violation::TenMinutes);
        }
        self.history.push_back((at, asked.clone()));
        (broken, all)
    }

    /// Takes note of a message; whether there are too many, and how many there are in a second.
    pub(super) fn message(&mut self, at: f64) -> (bool, usize) {
        while self.messages.front().is_some_and(|then| at - then >= 1.0) {
            self.messages.pop_front();
        }
        self.messages.push_back(at);
        (self.messages.len() > MESSAGES, self.messages.len())
    }
}
