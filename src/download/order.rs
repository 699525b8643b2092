//! Whose turn it is. Where a provider gives so many downloads a day they are spent where they are worth most; any
//! other is asked in the same order. Pure.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::series::Target;
use crate::model::{Contract, Day, Days};
use crate::provider::Limits;

/// Intraday days that the provider will have for no longer than so many days more cannot wait.
const LEAVING_DAYS: i32 = 7;
/// A reach of more days than this is the day on which a provider's history begins, which does not move along.
const LONGEST_REACH: i32 = 15 * 366;
/// A window that ends no longer ago than this is the newest part of a series; any earlier one fills a gap.
const NEWEST_DAYS: i32 = 7;

/// A series with something to ask for.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The instrument's name.
    pub instrument: &'a str,
    /// Its dated contract, where it has one.
    pub contract: Option<Contract>,
    /// What is asked for next; `None` where only files are written.
    pub window: Option<Days>,
    /// The first day the provider serves, of an intraday period of which it drops a day each day.
    pub reach: Option<Day>,
    /// When the provider was last asked for the newest part of the series, in seconds since the epoch; 0 = never.
    pub asked_at: i64,
    /// Its place in what was asked for.
    pub place: usize,
}

/// What a request is for, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Intraday bars that nobody will have in a few days.
    Leaving,
    /// The newest bars of what trades now.
    Newest,
    /// A gap, or history.
    Gap,
}

/// A place in the order: the smallest one is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    /// What the request is for.
    pub purpose: Purpose,
    /// Of gaps the one with the newest end goes first.
    end: Reverse<Day>,
    /// How many requests of the same kind its instrument has before this one.
    round: usize,
    /// When its instrument was last asked for.
    waits_since: i64,
    /// Its place in what was asked for.
    pub place: usize,
}

impl<'a> Candidate<'a> {
    /// A target whose next window this is, at `now`, in seconds since the epoch.
    pub fn new(target: &'a Target, limits: Limits, window: Option<Days>, now: i64) -> Candidate<'a> {
        let moves_along = |days: &i32| target.key.period.is_intraday() && *days <= LONGEST_REACH;
        let reach_days = limits.reach_days.filter(moves_along);
        Candidate {
            instrument: &target.key.symbol,
            contract: target.contract,
            window,
            reach: reach_days.map(|days| Day::of_utc(now).plus(-days)),
            asked_at: 0,
            place: 0,
        }
    }

    /// What its next request is for; `today` is the date anywhere.
    pub fn purpose(&self, today: Day) -> Purpose {
        let Some(window) = self.window else { return Purpose::Gap };
        let trades = self.contract.is_none_or(|contract| contract.last_day() >= today);
        if self.reach.is_some_and(|reach| window.first <= reach.plus(LEAVING_DAYS)) {
            Purpose::Leaving
        } else if trades && window.last >= today.plus(-NEWEST_DAYS) {
            Purpose::Newest
        } else {
            Purpose::Gap
        }
    }

    /// Its turn where it is alone.
    pub fn turn(&self, today: Day) -> Turn {
        let purpose = self.purpose(today);
        let newest = self.window.map_or(Day::new(i32::MIN), |window| window.last);
        // Of what trades now all ends are today, give or take the zones of exchanges.
        let end = Reverse(if purpose == Purpose::Newest { today } else { newest });
        Turn { purpose, end, round: 0, waits_since: self.asked_at, place: self.place }
    }
}

/// The turn of each candidate. Among those of one purpose, and gaps of one end, the instruments take turns, the
/// one that waited longest first; each with its series that is most behind, then the contract that expires first.
pub fn turns(candidates: &[Candidate<'_>], today: Day) -> Vec<Turn> {
    let mut asked_at: HashMap<&str, i64> = HashMap::new();
    for candidate in candidates {
        let last = asked_at.entry(candidate.instrument).or_default();
        *last = candidate.asked_at.max(*last);
    }
    let mut turns: Vec<Turn> = candidates.iter().map(|candidate| candidate.turn(today)).collect();
    let mut within: Vec<usize> = (0..turns.len()).collect();
    within.sort_unstable_by_key(|&at| {
        let (of, turn) = (&candidates[at], &turns[at]);
        let behind = of.window.map(|window| window.first);
        (of.instrument, turn.purpose, turn.end, behind, of.contract, at)
    });
    let mut before = None;
    let mut round = 0;
    for at in within {
        let (of, turn) = (&candidates[at], &mut turns[at]);
        let group = Some((of.instrument, turn.purpose, turn.end));
        round = if group == before { round + 1 } else { 0 };
        before = group;
        turn.round = round;
        turn.waits_since = asked_at.get(of.instrument).copied().unwrap_or(0);
    }
    turns
}

#[cfg(test)]
mod tests;
