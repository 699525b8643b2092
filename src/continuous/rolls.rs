//! Which contract is held on which day.
//!
//! Sessions are the trading dates on which any contract has a daily bar. What is decided after a session
//! holds from the next one on, and rests on that session and earlier ones alone. A roll goes to a later
//! contract, never back.

use crate::model::{Contract, Day};

/// What a roll is decided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// One later contract had the greatest volume of all later ones, and more than the one held, on so many
    /// sessions in a row.
    Volume(u32),
    /// The same by open interest.
    OpenInterest(u32),
    /// So many weekdays (Monday to Friday) before the first day of the month that the contract is named
    /// after; it is held before that day, and no more on it. Negative numbers lie in the month.
    Calendar(i32),
}

impl Rule {
    /// The name in options and files.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Volume(_) => "volume",
            Rule::OpenInterest(_) => "open-interest",
            Rule::Calendar(_) => "calendar",
        }
    }

    /// The day on which a contract is no longer held, by the calendar.
    fn roll_day(self, contract: Contract) -> Option<Day> {
        let Rule::Calendar(before) = self else { return None };
        let mut day = contract.last_day().first_of_month();
        let step = if before > 0 { -1 } else { 1 };
        let mut left = before.abs();
        while left > 0 {
            day = day.plus(step);
            left -= i32::from(!day.is_weekend());
        }
        Some(day)
    }
}

/// The daily bars of one contract, as far as rolls need them.
#[derive(Clone, Debug)]
pub struct Leg {
    /// Which contract.
    pub contract: Contract,
    /// Its trading dates, ascending; at least one.
    pub days: Vec<Day>,
    /// The close of each; NaN where it is missing.
    pub closes: Vec<f64>,
    /// Volume or open interest of each, whatever the rule looks at; NaN where it is missing.
    pub measures: Vec<f64>,
    /// The last trading date: that of its last bar where the contract has ended, else the last of its month.
    pub last: Day,
}

impl Leg {
    fn at(&self, values: &[f64], day: Day) -> Option<f64> {
        let at = self.days.binary_search(&day).ok()?;
        values.get(at).copied().filter(|value| value.is_finite())
    }

    /// What the rule looks at on a day; `None` without a bar.
    fn measure(&self, day: Day) -> Option<f64> {
        self.at(&self.measures, day)
    }

    fn has_bar(&self, day: Day) -> bool {
        self.days.binary_search(&day).is_ok()
    }

    /// Whether the day lies between its first and its last bar.
    fn spans(&self, day: Day) -> bool {
        self.days.first().is_some_and(|first| *first <= day)
            && self.days.last().is_some_and(|last| day <= *last)
    }
}

/// Why a contract is held from a day on.
#[derive(Clone, Debug, PartialEq)]
pub enum Why {
    /// It is the first.
    First,
    /// It had more than the one before, on so many sessions; the values are those of the last of them.
    More {
        /// The rule's measure of the contract held before.
        held: f64,
        /// That of the later one.
        later: f64,
        /// Sessions in a row.
        sessions: u32,
    },
    /// Its day of the calendar had come.
    Calendar,
    /// The one before had its last session.
    Ended,
    /// There had been no contract to hold.
    Gap,
}

/// One contract is held from a day on, until the next.
#[derive(Clone, Debug, PartialEq)]
pub struct Hold {
    /// The contract's place among the legs.
    pub leg: usize,
    /// The first day.
    pub from: Day,
    /// Why it is.
    pub why: Why,
    /// The last session before `from` on which this contract and the one before both have a close, and the
    /// two closes, the earlier contract's first. `None` where there is none.
    pub closes: Option<(Day, f64, f64)>,
}

/// Which leg is held when: ascending, the last one up to now. The last may begin after the last session:
/// then it is decided and has not taken place yet. `legs` are ordered by contract.
pub fn holds(legs: &[Leg], rule: Rule) -> Vec<Hold> {
    let mut sessions: Vec<Day> = legs.iter().flat_map(|leg| &leg.days).copied().collect();
    sessions.sort_unstable();
    sessions.dedup();
    let mut roller = Roller { legs, rule, holds: Vec::new(), held: None, signal: None };
    for session in sessions {
        roller.open(session);
        roller.close(session);
    }
    roller.holds
}

struct Roller<'a> {
    legs: &'a [Leg],
    rule: Rule,
    holds: Vec<Hold>,
    held: Option<usize>,
    /// A later leg that had more, and on how many sessions in a row.
    signal: Option<(usize, u32)>,
}

impl Roller<'_> {
    /// Before a session: what the calendar says, and the first contract where none is held.
    fn open(&mut self, session: Day) {
        let Some(held) = self.held else {
            let after = self.holds.last().map(|hold| hold.leg);
            let why = if after.is_none() { Why::First } else { Why::Gap };
            if let Some(leg) = self.first(session, after) {
                self.hold(leg, session, why);
            }
            return;
        };
        let due = |leg: usize| self.rule.roll_day(self.legs[leg].contract).is_some_and(|day| day <= session);
        if !due(held) {
            return;
        }
        let later = (held + 1..self.legs.len()).find(|leg| self.legs[*leg].spans(session) && !due(*leg));
        if let Some(leg) = later {
            self.hold(leg, session, Why::Calendar);
        }
    }

    /// After a session: the signal, and the contract that ended.
    fn close(&mut self, session: Day) {
        let Some(held) = self.held else { return };
        let next = session.plus(1);
        if let Rule::Volume(wanted) | Rule::OpenInterest(wanted) = self.rule {
            let own = self.legs[held].measure(session).unwrap_or(0.0);
            let later = self.greatest(session, held + 1).filter(|(_, measure)| *measure > own);
            self.signal = later.map(|(leg, _)| match self.signal {
                Some((before, sessions)) if before == leg => (leg, sessions + 1),
                _ => (leg, 1),
            });
            if let (Some((leg, sessions)), Some((_, later))) = (self.signal, later)
                && sessions >= wanted
            {
                return self.hold(leg, next, Why::More { held: own, later, sessions });
            }
        }
        if self.legs[held].last <= session {
            let later = match self.rule {
                Rule::Calendar(_) => (held + 1..self.legs.len()).find(|leg| self.legs[*leg].spans(session)),
                _ => self.greatest(session, held + 1).map(|(leg, _)| leg),
            };
            match later {
                Some(leg) => self.hold(leg, next, Why::Ended),
                None => self.held = None,
            }
        }
    }

    /// The contract to begin with: what the rule would hold on that session, of those after `after`.
    fn first(&self, session: Day, after: Option<usize>) -> Option<usize> {
        let from = after.map_or(0, |leg| leg + 1);
        let with_bar = || (from..self.legs.len()).filter(|leg| self.legs[*leg].has_bar(session));
        let by_rule = match self.rule {
            Rule::Calendar(_) => with_bar()
                .find(|leg| self.rule.roll_day(self.legs[*leg].contract).is_some_and(|day| session < day)),
            _ => self.greatest(session, from).map(|(leg, _)| leg),
        };
        by_rule.or_else(|| with_bar().next())
    }

    /// The leg from that place on with the greatest measure on a session; of equal ones the earliest.
    fn greatest(&self, session: Day, from: usize) -> Option<(usize, f64)> {
        let measures =
            (from..self.legs.len()).filter_map(|leg| Some((leg, self.legs[leg].measure(session)?)));
        measures.reduce(|best, next| if next.1 > best.1 { next } else { best })
    }

    fn hold(&mut self, leg: usize, from: Day, why: Why) {
        let before = self.holds.last().map(|hold| &self.legs[hold.leg]);
        let closes = before.and_then(|before| common_close(before, &self.legs[leg], from));
        self.holds.push(Hold { leg, from, why, closes });
        (self.held, self.signal) = (Some(leg), None);
    }
}

/// The last session before a day on which both have a close, with the two.
fn common_close(earlier: &Leg, later: &Leg, before: Day) -> Option<(Day, f64, f64)> {
    let days = earlier.days.iter().rev().skip_while(|day| **day >= before);
    days.copied()
        .find_map(|day| Some((day, earlier.at(&earlier.closes, day)?, later.at(&later.closes, day)?)))
}

#[cfg(test)]
mod tests;
