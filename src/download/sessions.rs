//! Which days were sessions, judged from what all series of an exchange have: no calendar is shipped.

use crate::archive::SessionCounts;
use crate::model::{Absence, ByDay, Contract, Coverage, Day, Days, Mark, Period, SeriesKey, SeriesMeta};

/// A hole younger than this many days is still expected to be filled.
pub const PENDING_DAYS: i32 = 30;

/// Sessions of this many last days tell on which weekdays an exchange trades.
const WEEKDAY_WINDOW: i32 = 60;

/// So many days of one weekday without a session tell that it has none; fewer may be holidays, as Christmas and the
/// new year are a week apart.
const ENOUGH_WITHOUT: u32 = 3;

/// What a day of a series amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Never asked for, or not over yet.
    Unknown,
    /// There is a bar.
    Present,
    /// There is none and none is expected.
    Absent(Absence),
    /// There was a session, and its bar is still expected.
    Pending,
    /// Not to be trusted until it is fetched again.
    Suspect,
}

/// Judges the days of one series.
#[derive(Clone, Copy, Debug)]
pub struct Judge<'a> {
    votes: Option<&'a ByDay<(u32, u32)>>,
    every_day: bool,
    period: Period,
    contract: Option<Contract>,
    today: Day,
}

impl<'a> Judge<'a> {
    /// A judge for a series of this exchange; `today` is the exchange's date.
    pub fn new(counts: &'a SessionCounts, key: &SeriesKey, meta: &'a SeriesMeta, today: Day) -> Judge<'a> {
        let votes = meta.exchange.as_ref().and_then(|exchange| counts.by_exchange.get(exchange));
        let (period, contract) = (key.period, key.contract);
        Judge { votes, every_day: meta.every_day, period, contract, today }
    }

    /// (series asked, series with a bar) of the exchange on a day: what a judgement rests on.
    pub fn votes(&self, day: Day) -> (u32, u32) {
        self.votes.map_or((0, 0), |votes| votes.get(day))
    }

    /// Whether at least 2, and at least half, of the exchange's series have a bar on the day.
    pub fn is_session(&self, day: Day) -> bool {
        are_session(self.votes(day))
    }

    /// Whether any of the days was a session.
    pub fn any_session(&self, days: Days) -> bool {
        self.votes.is_some_and(|votes| votes.within(days).1.iter().any(|votes| are_session(*votes)))
    }

    /// What a mark amounts to.
    pub fn standing(&self, day: Day, mark: Mark) -> Standing {
        let hole = match mark {
            Mark::Unknown => return Standing::Unknown,
            Mark::Present => return Standing::Present,
            Mark::BeforeListing => return Standing::Absent(Absence::BeforeListing),
            Mark::AfterExpiry => return Standing::Absent(Absence::AfterExpiry),
            Mark::OutOfReach | Mark::TooOld => return Standing::Absent(Absence::OutOfReach),
            Mark::Suspect => return Standing::Suspect,
            Mark::EmptySession => true,
            Mark::Empty => self.period <= Period::D1 && self.is_session(day),
        };
        match hole {
            false => Standing::Absent(Absence::NoSession),
            // Far contracts trade on some days only; a day that is late is not known as empty yet
            // (`absorb::mark`).
            true if self
                .contract
                .is_some_and(|contract| mark == Mark::Empty || contract.last_day() < self.today) =>
            {
                Standing::Absent(Absence::ProviderHasNone)
            }
            true if day > self.today.plus(-PENDING_DAYS) => Standing::Pending,
            true => Standing::Absent(Absence::ProviderHasNone),
        }
    }

    /// On which weekdays (Monday first) the exchange had sessions lately. A series that is alone on
    /// its exchange is judged by its own bars. Monday to Friday are left out only once a few of their days
    /// were asked for and none was a session: a week of bars says nothing of the days after it.
    pub fn weekdays(&self, own: &Coverage) -> [bool; 7] {
        if self.every_day {
            return [true; 7];
        }
        let (mut with_session, mut without) = ([false; 7], [0; 7]);
        for back in 0..WEEKDAY_WINDOW {
            let day = self.today.plus(-back);
            let at = usize::from(day.weekday());
            let mark = if self.period <= Period::D1 { own.get(day) } else { Mark::Unknown };
            if self.is_session(day) || mark == Mark::Present {
                with_session[at] = true;
            } else if self.votes(day).0 > 0 || mark == Mark::Empty {
                without[at] += 1;
            }
        }
        std::array::from_fn(|at| with_session[at] || (at < 5 && without[at] < ENOUGH_WITHOUT))
    }
}

/// Whether (series asked, series with a bar) tell of a session.
fn are_session((asked, with_bar): (u32, u32)) -> bool {
    with_bar >= 2 && with_bar * 2 >= asked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Class;
    use std::collections::HashMap;

    fn counts(days: &[(i32, (u32, u32))]) -> SessionCounts {
        let days = days.iter().map(|(day, votes)| (Day::new(*day), *votes)).collect();
        SessionCounts { by_exchange: HashMap::from([("NMS".to_owned(), days)]) }
    }

    fn key(contract: Option<Contract>) -> SeriesKey {
        let (provider, symbol) = ("yahoo".to_owned(), "A".to_owned());
        SeriesKey { provider, class: Class::Stock, symbol, contract, period: Period::D1 }
    }

    fn meta() -> SeriesMeta {
        SeriesMeta { exchange: Some("NMS".to_owned()), ..SeriesMeta::default() }
    }

    #[test]
    fn a_session_needs_two_votes_and_half_of_them() {
        let counts = counts(&[(100, (1, 1)), (101, (4, 2)), (102, (5, 2))]);
        let meta = meta();
        let judge = Judge::new(&counts, &key(None), &meta, Day::new(110));
        assert!(!judge.is_session(Day::new(100)));
        assert!(judge.is_session(Day::new(101)));
        assert!(!judge.is_session(Day::new(102)));
        assert_eq!(judge.standing(Day::new(101), Mark::Empty), Standing::Pending);
        assert_eq!(judge.standing(Day::new(102), Mark::Empty), Standing::Absent(Absence::NoSession));
    }

    #[test]
    fn a_hole_is_pending_for_thirty_days() {
        let (counts, meta) = (counts(&[]), meta());
        let judge = Judge::new(&counts, &key(None), &meta, Day::new(130));
        assert_eq!(judge.standing(Day::new(101), Mark::EmptySession), Standing::Pending);
        assert_eq!(
            judge.standing(Day::new(100), Mark::EmptySession),
            Standing::Absent(Absence::ProviderHasNone)
        );
    }

    #[test]
    fn a_contract_need_not_trade_on_every_session() {
        let counts = counts(&[(101, (2, 2)), (102, (2, 2))]);
        let (meta, none) = (meta(), Standing::Absent(Absence::ProviderHasNone));
        let april = key(Some(Contract { year: 1970, month: 4 }));
        let judge = Judge::new(&counts, &april, &meta, Day::new(110));
        assert_eq!(judge.standing(Day::new(101), Mark::Empty), none);
        assert_eq!(judge.standing(Day::new(102), Mark::EmptySession), Standing::Pending);
        let expired = Judge::new(&counts, &april, &meta, Day::new(120));
        assert_eq!(expired.standing(Day::new(102), Mark::EmptySession), none);
    }

    #[test]
    fn weekdays_come_from_what_was_seen() {
        let meta = meta();
        // 1970-01-04 was a Sunday: an exchange that trades Sunday to Thursday.
        let votes = |days: i32| -> Vec<_> {
            (0..days).map(|d| (d, (3, if [1, 2].contains(&(d % 7)) { 0 } else { 3 }))).collect()
        };
        let weekdays = |days: i32| {
            let counts = counts(&votes(days));
            Judge::new(&counts, &key(None), &meta, Day::new(days)).weekdays(&Coverage::default())
        };
        assert_eq!(weekdays(56), [true, true, true, true, false, false, true]);
        // Two Fridays without a session may be holidays; of three days nothing is known yet.
        assert_eq!(weekdays(14), [true, true, true, true, true, false, true]);
        assert_eq!(weekdays(3), [true, true, true, true, true, false, false]);
    }
}
