//! How long requests take by the rules, before they are made.

use std::collections::{HashMap, HashSet};

use super::{Ask, MARGIN, MICROS, Pacing, Rules};
use crate::provider::Effort;
use crate::provider::limits::ThrottleError;

impl Pacing {
    /// What such requests cost from now on, after what all processes asked lately. The same one is made once, so that
    /// nobody waits to repeat it.
    pub fn effort(&self, asks: impl Iterator<Item = Ask>) -> Result<Effort, ThrottleError> {
        let (mut seen, mut of_one) = (HashSet::new(), HashMap::new());
        for Ask { identity, of, weight } in asks {
            if seen.insert((of.clone(), identity)) {
                *of_one.entry(of).or_insert(0) += i64::from(weight);
            }
        }
        let used = self.fullness()?.used;
        let line = of_one.values().copied().max().unwrap_or(0);
        let micros = least(&self.rules, used, line, of_one.into_values().sum());
        Ok(Effort { requests: seen.len() as u64, seconds: micros / MICROS })
    }
}

/// How long it takes, in µs, with so much just used, at most `line` of one thing, and so much of all.
fn least(rules: &Rules, used: i64, line: i64, all: i64) -> i64 {
    let waits = |wanted: i64, most: i64, span: i64| (wanted - 1).max(0) / most.max(1) * (span + MARGIN);
    let whole = if all > 0 { waits(used + all, rules.all.0, rules.all.1) } else { 0 };
    // Those of one must be fewer than what is said.
    whole.max(waits(line, rules.of_one.0 - 1, rules.of_one.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_as_long_as_the_strictest_rule_wants() {
        let rules =
            Rules { identical: 15 * MICROS, of_one: (6, 2 * MICROS), all: (60, 600 * MICROS), open: 50 };
        let seconds = |used, line, all| least(&rules, used, line, all) / MICROS;
        assert_eq!((seconds(0, 0, 0), seconds(60, 0, 0)), (0, 0), "nothing is asked");
        assert_eq!((seconds(0, 1, 60), seconds(0, 1, 61), seconds(0, 1, 121)), (0, 601, 1202));
        assert_eq!((seconds(50, 1, 10), seconds(50, 1, 11)), (0, 601), "others have asked too");
        assert_eq!((seconds(0, 5, 5), seconds(0, 6, 6), seconds(0, 16, 16)), (0, 3, 9));
    }
}
