//! The rows of an export become bars, stamped as they are stored.

use jiff::tz::{AmbiguousOffset, TimeZone};

use super::header::{CLOSE, OPEN_INTEREST, VOLUME};
use super::{Export, Refused};
use crate::model::{Bars, Column, Day};

/// The bars of an export and what became of its other rows.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Unique and ascending: daily rows at midnight UTC of their trading date, others at the instant they open.
    pub bars: Bars,
    /// Rows that are no bars and why, one kind each, with how many there are.
    pub left_out: Vec<(&'static str, usize)>,
    /// What a person may want to know of the bars, one sentence each.
    pub notes: Vec<String>,
}

/// A row without any price.
pub const WITHOUT_PRICE: &str = "without a price";
/// A row that is there twice.
pub const TWICE: &str = "there twice";
/// A row that repeats the last close for a day without a session.
pub const FILLER: &str = "that repeat the last close for a day without a session";

impl Export {
    /// The bars with these columns; stamps with a time of day are of `zone`.
    ///
    /// A settlement outside of the day's range is told and kept. A flat daily row without volume, change and open
    /// interest is what the site puts in for a holiday, and is no bar; with open interest it is a settlement, and so
    /// it is taken to be where the series has open interest and the export no column for it.
    pub fn bars(&self, columns: &'static [Column], zone: &TimeZone) -> Result<Taken, Refused> {
        let mut bars = Bars::new(columns);
        bars.reserve(self.len());
        let places: Vec<Option<usize>> = columns.iter().map(|column| place(*column)).collect();
        let (mut without, mut twice, mut fillers, mut outside) = (0, 0, 0, 0);
        let interest_unknown = columns.contains(&Column::OpenInterest) && !self.layout.has_open_interest();
        let mut wall_clock = WallClock { zone, quarter: None };
        for at in 0..self.len() {
            let [open, high, low, close] = [0, 1, 2, CLOSE].map(|value| self.value(value, at));
            if close.is_nan() {
                without += 1;
                continue;
            }
            if !interest_unknown && self.is_filler(at) {
                fillers += 1;
                continue;
            }
            let last = bars.times.last().copied();
            let time = match self.intraday {
                Some(true) => wall_clock.instant(self.walls[at], last),
                _ => Some(self.walls[at]),
            };
            let time =
                time.ok_or_else(|| self.refuse(at, "is a time that was left out when the clocks changed"))?;
            let row = places.iter().map(|place| place.map_or(f64::NAN, |place| self.value(place, at)));
            match last {
                Some(last) if time < last => return Err(self.refuse(at, "is out of order")),
                Some(last) if time == last => {
                    let before = bars.len() - 1;
                    if !bars.row(before).zip(row).all(|(a, b)| a == b || (a.is_nan() && b.is_nan())) {
                        return Err(self.refuse(at, "comes twice with different values"));
                    }
                    twice += 1;
                    continue;
                }
                _ => {}
            }
            bars.times.push(time);
            bars.values.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
            outside += usize::from(close < low || close > high || high < low || open < low || open > high);
        }
        let counted = [(WITHOUT_PRICE, without), (TWICE, twice), (FILLER, fillers)];
        let left_out = counted.into_iter().filter(|(_, count)| *count > 0).collect();
        let notes = (outside > 0).then(|| format!("{outside} of {} rows have a price outside of their own range, as settlements may; they are kept as they are", self.len()));
        Ok(Taken { bars, left_out, notes: notes.into_iter().collect() })
    }

    fn value(&self, column: usize, at: usize) -> f64 {
        self.values[column].get(at).copied().unwrap_or(f64::NAN)
    }

    fn is_filler(&self, at: usize) -> bool {
        let flat = |price: usize| self.value(price, at) == self.value(CLOSE, at);
        let nothing =
            |column: usize| matches!(self.value(column, at), value if value == 0.0 || value.is_nan());
        self.intraday == Some(false)
            && self.unchanged.get(at) == Some(&true)
            && nothing(VOLUME)
            && nothing(OPEN_INTEREST)
            && (0..CLOSE).all(flat)
    }

    /// Refuses the export for one of its rows.
    fn refuse(&self, at: usize, said: &str) -> Refused {
        let line = if self.layout.newest_first { self.len() + 1 - at } else { at + 2 };
        let (day, second) = (Day::of_utc(self.walls[at]), self.walls[at].rem_euclid(86_400));
        let time = format!("{day} {:02}:{:02}", second / 3600, second / 60 % 60);
        Refused::at(line, 1, format_args!("{time} {said}"))
    }
}

fn place(column: Column) -> Option<usize> {
    match column {
        Column::Open => Some(0),
        Column::High => Some(1),
        Column::Low => Some(2),
        Column::Close => Some(CLOSE),
        Column::Volume => Some(VOLUME),
        Column::OpenInterest => Some(OPEN_INTEREST),
        _ => None,
    }
}

/// Turns what the wall shows into instants. Zones change their clocks on the quarter hour at the finest, so one
/// look at the zone serves for fifteen minutes.
struct WallClock<'a> {
    zone: &'a TimeZone,
    quarter: Option<(i64, AmbiguousOffset)>,
}

impl WallClock<'_> {
    /// `None` where the wall never showed it. Where it showed it twice, the earlier instant, unless that is not
    /// after `last`.
    fn instant(&mut self, wall: i64, last: Option<i64>) -> Option<i64> {
        let quarter = wall.div_euclid(900);
        let offset = match self.quarter {
            Some((known, offset)) if known == quarter => offset,
            _ => {
                let civil = Day::of_utc(wall).date().at(0, 0, 0, 0);
                let second = jiff::SignedDuration::from_secs(quarter * 900 - Day::of_utc(wall).midnight());
                let offset = self.zone.to_ambiguous_timestamp(civil.checked_add(second).ok()?).offset();
                self.quarter = Some((quarter, offset));
                offset
            }
        };
        match offset {
            AmbiguousOffset::Unambiguous { offset } => Some(wall - i64::from(offset.seconds())),
            AmbiguousOffset::Gap { .. } => None,
            AmbiguousOffset::Fold { before, after } => {
                let [early, late] = [before, after].map(|offset| wall - i64::from(offset.seconds()));
                Some(if last.is_some_and(|last| early <= last) { late } else { early })
            }
        }
    }
}
