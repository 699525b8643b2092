//! When scheduled runs begin: cron lines and systemd's calendar expressions are one kind of value, with the
//! next instant at which it fires.

mod cron;
pub mod due;
mod field;
mod on_calendar;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use self::field::Values;

/// The years a schedule may speak of, as in systemd.
const FIRST_YEAR: u32 = 1970;
const LAST_YEAR: u32 = 2199;

/// The years in which a schedule fires.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Years {
    #[default]
    Any,
    /// First, last, step.
    Of(Vec<(u32, u32, u32)>),
}

/// The days of a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Days {
    OfMonth(Values),
    /// The last day is 1.
    FromEnd(Values),
}

/// One expression: it fires where all of its fields do.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Spec {
    /// Monday is 0.
    weekdays: Values,
    years: Years,
    months: Values,
    days: Days,
    hours: Values,
    minutes: Values,
    seconds: Values,
}

impl Default for Spec {
    /// Every day at midnight.
    fn default() -> Spec {
        let zero = Values::steps(0, 0, 1);
        Spec {
            weekdays: Values::all(0, 6),
            years: Years::Any,
            months: Values::all(1, 12),
            days: Days::OfMonth(Values::all(1, 31)),
            hours: zero,
            minutes: zero,
            seconds: zero,
        }
    }
}

/// When something fires: at the union of its expressions, by one time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    specs: Vec<Spec>,
    /// With its name; `None` is the machine's.
    zone: Option<(String, TimeZone)>,
}

impl Calendar {
    /// A schedule that fires at all.
    fn new(specs: Vec<Spec>, zone: Option<(String, TimeZone)>) -> Result<Calendar, String> {
        let calendar = Calendar { specs, zone };
        match calendar.specs.iter().all(Spec::ever) {
            true => Ok(calendar),
            false => Err("it never comes to pass".to_owned()),
        }
    }

    /// The first instant after `after`, both in seconds since the epoch, by the machine's time zone where the
    /// schedule has none of its own. What falls into the hour that a clock leaves out comes when that hour is
    /// over (systemd leaves it out), what falls into one that it repeats comes once, the first time.
    pub fn next_after(&self, after: i64, local: &TimeZone) -> Option<i64> {
        let zone = self.zone.as_ref().map_or(local, |(_, zone)| zone);
        self.specs.iter().filter_map(|spec| spec.next_after(after, zone)).min()
    }

    /// As systemd's timers take it, one line an expression.
    pub fn expressions(&self) -> Vec<String> {
        let zone = self.zone.as_ref().map_or_else(String::new, |(name, _)| format!(" {name}"));
        self.specs.iter().map(|spec| format!("{}{zone}", spec.expression())).collect()
    }
}

impl Spec {
    /// Whether there is such a day: not the 31st of February.
    fn ever(&self) -> bool {
        let longest = |month: u32| {
            if month == 2 { 29 } else { 30 + u32::from(matches!(month, 1 | 3 | 5 | 7 | 8 | 10 | 12)) }
        };
        let fits = |month: u32| match self.days {
            Days::OfMonth(days) | Days::FromEnd(days) => days.iter().any(|day| day <= longest(month)),
        };
        let parts = [self.weekdays, self.hours, self.minutes, self.seconds];
        parts.iter().all(|part| !part.is_empty()) && self.months.iter().any(fits)
    }

    fn next_after(&self, after: i64, zone: &TimeZone) -> Option<i64> {
        let start = Timestamp::from_second(after).ok()?.to_zoned_datetime(zone.clone());
        let mut date = start.date();
        loop {
            if date.year() as u32 > LAST_YEAR {
                return None;
            }
            if !self.months.has(date.month() as u32) {
                date = date.first_of_month().checked_add(1.month()).ok()?;
                continue;
            }
            if self.has_day(date)
                && let Some(found) = self.first_of_day(date, after, zone)
            {
                return Some(found);
            }
            date = date.tomorrow().ok()?;
        }
    }

    fn has_day(&self, date: Date) -> bool {
        let (year, day) = (date.year() as u32, date.day() as u32);
        let in_year = match &self.years {
            Years::Any => true,
            Years::Of(items) => items.iter().any(|(first, last, step)| {
                (*first..=*last).contains(&year) && (year - first).is_multiple_of(*step)
            }),
        };
        let in_month = match self.days {
            Days::OfMonth(days) => days.has(day),
            Days::FromEnd(days) => days.has(date.days_in_month() as u32 - day + 1),
        };
        in_year && in_month && self.weekdays.has(date.weekday().to_monday_zero_offset() as u32)
    }

    /// The earliest instant of a day that is later than `after`. Clocks that are put forward change the order
    /// in which times of day come, so the whole day is looked at.
    fn first_of_day(&self, date: Date, after: i64, zone: &TimeZone) -> Option<i64> {
        let mut first: Option<i64> = None;
        for hour in self.hours.iter() {
            for minute in self.minutes.iter() {
                // Within a minute the order is never disturbed.
                let at = |second: u32| instant(date.at(hour as i8, minute as i8, second as i8, 0), zone);
                let found = self.seconds.iter().filter_map(at).find(|at| *at > after);
                first = match (first, found) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
        }
        first
    }

    fn expression(&self) -> String {
        let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let weekdays: Vec<&str> =
            self.weekdays.iter().filter_map(|day| names.get(day as usize).copied()).collect();
        let weekdays = if weekdays.len() == 7 { String::new() } else { format!("{} ", weekdays.join(",")) };
        let years = match &self.years {
            Years::Any => "*".to_owned(),
            Years::Of(items) => {
                let item = |(first, last, step): &(u32, u32, u32)| match (first == last, step) {
                    (true, _) => first.to_string(),
                    (false, 1) => format!("{first}..{last}"),
                    (false, step) => format!("{first}..{last}/{step}"),
                };
                items.iter().map(item).collect::<Vec<_>>().join(",")
            }
        };
        let days = match self.days {
            Days::OfMonth(days) => format!("-{}", days.text(1, 31)),
            Days::FromEnd(days) => format!("~{}", days.text(1, 31)),
        };
        format!(
            "{weekdays}{years}-{}{days} {}:{}:{}",
            self.months.text(1, 12),
            self.hours.text(0, 23),
            self.minutes.text(0, 59),
            self.seconds.text(0, 59)
        )
    }
}

fn instant(at: DateTime, zone: &TimeZone) -> Option<i64> {
    zone.to_ambiguous_timestamp(at).compatible().ok().map(|at| at.as_second())
}
