//! On which day what is missing comes, where an account has so many downloads a day. Pure.

use crate::model::Day;
use crate::provider::Allowance;

/// No further than this many days ahead is foreseen.
const HORIZON: usize = 3660;

/// A series that has something to ask for, in the order of its turns.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// How many downloads it takes.
    pub downloads: usize,
    /// The last day on which a further bar of it can come, `None` where that is long past: from the day it is
    /// fetched until then it is asked for each weekday.
    pub trades_until: Option<Day>,
}

/// What is asked for on one day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Downloads that keep up to date what was fetched on an earlier day.
    pub updates: usize,
    /// Downloads of this day for each wish that has some, by its place in what was given.
    pub wishes: Vec<(usize, usize)>,
}

impl Share {
    /// All downloads of the day.
    pub fn downloads(&self) -> usize {
        self.updates + self.wishes.iter().map(|(_, downloads)| downloads).sum::<usize>()
    }
}

/// The days of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// Each day from today on, the last one with the last wish.
    pub days: Vec<(Day, Share)>,
    /// Downloads that have no day: keeping up to date takes all there is.
    pub never: usize,
}

/// Spends what is left today, and the whole allowance of each later day, on the wishes in their order. `current`
/// are the last days of series with nothing to ask for today that trade on; they are asked for again from tomorrow.
pub fn forecast(wishes: &[Wish], current: &[Day], allowance: &Allowance) -> Forecast {
    let mut plan = Forecast::default();
    let mut rest = wishes.iter().map(|wish| wish.downloads).enumerate().filter(|(_, left)| *left > 0);
    let mut next = rest.next();
    let mut trading = current.to_vec();
    let mut left = allowance.left() as usize;
    let mut day = allowance.day;
    while next.is_some() && plan.days.len() < HORIZON {
        let mut share = Share::default();
        if day > allowance.day && !day.is_weekend() {
            trading.retain(|last| *last >= day);
            share.updates = trading.len().min(left);
            left -= share.updates;
        }
        while let Some((place, wanted)) = next.filter(|_| left > 0) {
            let now = wanted.min(left);
            left -= now;
            share.wishes.push((place, now));
            next = if wanted > now { Some((place, wanted - now)) } else { rest.next() };
            if wanted == now {
                trading.extend(wishes.get(place).and_then(|wish| wish.trades_until));
            }
        }
        plan.days.push((day, share));
        day = day.plus(1);
        left = allowance.limit as usize;
    }
    // Days on which nothing but updates is done lead nowhere.
    while plan.days.last().is_some_and(|(_, share)| share.wishes.is_empty()) && next.is_some() {
        plan.days.pop();
    }
    plan.never = next.map_or(0, |(_, left)| left) + rest.map(|(_, left)| left).sum::<usize>();
    plan
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn allowance(limit: u32, used: u32) -> Allowance {
        // A Wednesday.
        let day = "2026-11-25".parse().unwrap();
        Allowance { limit, used, day, resets: 0, until: None }
    }

    const HISTORY: Wish = Wish { downloads: 1, trades_until: None };

    fn per_day(plan: &Forecast) -> Vec<(String, usize, usize)> {
        let row = |(day, share): &(Day, Share)| (day.to_string(), share.updates, share.downloads());
        plan.days.iter().map(row).collect()
    }

    #[test]
    fn today_has_what_is_left_and_later_days_the_whole() {
        let plan = forecast(&[HISTORY; 12], &[], &allowance(5, 3));
        let days = [
            ("2026-11-25".to_owned(), 0, 2),
            ("2026-11-26".to_owned(), 0, 5),
            ("2026-11-27".to_owned(), 0, 5),
        ];
        assert_eq!(per_day(&plan), days);
        assert_eq!(plan.days[1].1.wishes, [(2, 1), (3, 1), (4, 1), (5, 1), (6, 1)]);
        assert_eq!(forecast(&[], &[], &allowance(5, 3)), Forecast::default());
        assert_eq!(per_day(&forecast(&[HISTORY], &[], &allowance(5, 9)))[0].2, 0);
    }

    #[test]
    fn what_trades_on_is_kept_up_to_date_first_on_weekdays() {
        let until = |day: &str| Some(day.parse().unwrap());
        let trading = Wish { downloads: 1, trades_until: until("2026-12-31") };
        let soon_over = Wish { downloads: 1, trades_until: until("2026-11-26") };
        let mut wishes = vec![trading, soon_over];
        wishes.extend([HISTORY; 11]);
        let plan = forecast(&wishes, &["2026-11-27".parse().unwrap()], &allowance(4, 0));
        let updates: Vec<_> = plan.days.iter().map(|(_, share)| share.updates).collect();
        // Wednesday; Thursday all three; Friday two; Saturday none.
        assert_eq!(updates, [0, 3, 2, 0, 0]);
        assert_eq!(plan.never, 0);
    }

    #[test]
    fn what_updates_leave_no_room_for_has_no_day() {
        let all = vec!["9999-01-01".parse().unwrap(); 5];
        let plan = forecast(&[HISTORY; 3], &all, &allowance(5, 5));
        // Weekends have no updates.
        assert_eq!(plan.days.last().unwrap().0.to_string(), "2026-11-28");
        let many = vec!["9999-01-01".parse().unwrap(); 9];
        let plan = forecast(&vec![HISTORY; 30_000], &many, &allowance(5, 5));
        assert_eq!(plan.days.len(), HORIZON - 1, "the last is a Tuesday of updates");
        let foreseen: usize = plan.days.iter().map(|(_, share)| share.wishes.len()).sum();
        assert_eq!(foreseen + plan.never, 30_000);
    }

    proptest! {
        /// No day has more than its allowance, and each download has one day, in order.
        #[test]
        fn each_download_has_one_day(
            wishes in prop::collection::vec((0..4usize, prop::option::of(0..40i32)), 0..200),
            current in prop::collection::vec(0..40i32, 0..20),
            (limit, used) in (1..30u32, 0..30u32),
        ) {
            let allowance = allowance(limit, used);
            let day = |after: i32| allowance.day.plus(after);
            let wishes: Vec<Wish> = wishes.iter()
                .map(|&(downloads, until)| Wish { downloads, trades_until: until.map(day) }).collect();
            let current: Vec<Day> = current.into_iter().map(day).collect();
            let plan = forecast(&wishes, &current, &allowance);
            for (at, (day, share)) in plan.days.iter().enumerate() {
                prop_assert_eq!(*day, allowance.day.plus(at as i32));
                let most = if at == 0 { allowance.left() } else { limit };
                prop_assert!(share.downloads() <= most as usize);
            }
            let given = plan.days.iter().flat_map(|(_, share)| &share.wishes)
                .flat_map(|&(place, downloads)| std::iter::repeat_n(place, downloads));
            let wanted = wishes.iter().enumerate()
                .flat_map(|(place, wish)| std::iter::repeat_n(place, wish.downloads));
            prop_assert_eq!(plan.never, 0);
            prop_assert!(given.eq(wanted));
        }
    }
}
