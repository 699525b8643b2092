//! Bar periods and how a series of each is cut into partitions.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Days;
use super::day::Day;

/// The length of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Period {
    /// One minute.
    M1,
    /// Two minutes.
    M2,
    /// Five minutes.
    M5,
    /// Ten minutes.
    M10,
    /// Fifteen minutes.
    M15,
    /// Twenty minutes.
    M20,
    /// Thirty minutes.
    M30,
    /// One hour.
    H1,
    /// One session.
    D1,
    /// One week, stamped with its Monday.
    W1,
    /// One month, stamped with its first day.
    Mo1,
    /// One calendar quarter, stamped with its first day.
    Mo3,
}

/// How a series of a period is cut into files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts {
    /// One file pair.
    Whole,
    /// A file pair a year of UTC.
    Years,
    /// A file pair a month of UTC.
    Months,
}

impl Period {
    /// Every period, shortest first.
    pub const ALL: [Period; 12] = [
        Period::M1,
        Period::M2,
        Period::M5,
        Period::M10,
        Period::M15,
        Period::M20,
        Period::M30,
        Period::H1,
        Period::D1,
        Period::W1,
        Period::Mo1,
        Period::Mo3,
    ];

    /// The name in paths, files and options: `1m` (minute) … `1d`, `1W`, `1M` (month), `3M`.
    pub const fn name(self) -> &'static str {
        match self {
            Period::M1 => "1m",
            Period::M2 => "2m",
            Period::M5 => "5m",
            Period::M10 => "10m",
            Period::M15 => "15m",
            Period::M20 => "20m",
            Period::M30 => "30m",
            Period::H1 => "1h",
            Period::D1 => "1d",
            Period::W1 => "1W",
            Period::Mo1 => "1M",
            Period::Mo3 => "3M",
        }
    }

    /// Shorter than a session.
    pub fn is_intraday(self) -> bool {
        self < Period::D1
    }

    /// Seconds in an intraday bar; `None` for daily and longer ones.
    pub const fn seconds(self) -> Option<i64> {
        Some(match self {
            Period::M1 => 60,
            Period::M2 => 120,
            Period::M5 => 300,
            Period::M10 => 600,
            Period::M15 => 900,
            Period::M20 => 1200,
            Period::M30 => 1800,
            Period::H1 => 3600,
            _ => return None,
        })
    }

    /// How a stock's or forex pair's series is cut into files (DESIGN: by month below 30m, by year
    /// from 30m up, one file for daily and longer).
    pub fn parts(self) -> Parts {
        match self {
            period if period >= Period::D1 => Parts::Whole,
            period if period >= Period::M30 => Parts::Years,
            _ => Parts::Months,
        }
    }

    /// The stamp day of the bar that holds `day`: the day itself, its Monday, or the first day of
    /// its month or quarter. Intraday bars belong to their day.
    pub fn bar_day(self, day: Day) -> Day {
        match self {
            Period::W1 => day.monday(),
            Period::Mo1 => day.first_of_month(),
            Period::Mo3 => day.first_of_quarter(),
            _ => day,
        }
    }

    /// The last calendar day of the bar that holds `day`.
    pub fn last_day(self, day: Day) -> Day {
        match self {
            Period::W1 => day.monday().plus(6),
            Period::Mo1 => day.last_of_month(),
            Period::Mo3 => day.first_of_quarter().plus(62).last_of_month(),
            _ => day,
        }
    }

    /// Days as those of whole bars: all of the first and last week, month or quarter.
    pub fn whole(self, days: Days) -> Days {
        Days { first: self.bar_day(days.first), last: self.last_day(days.last) }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Period, String> {
        Period::ALL.into_iter().find(|period| period.name() == text).ok_or_else(|| {
            let names: Vec<_> = Period::ALL.iter().map(|period| period.name()).collect();
            format!("{text:?} is not a period; allowed are {}", names.join(", "))
        })
    }
}

impl TryFrom<String> for Period {
    type Error = String;

    fn try_from(text: String) -> Result<Period, String> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> String {
        period.name().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_minutes_are_not_months() {
        for period in Period::ALL {
            assert_eq!(period.name().parse(), Ok(period));
        }
        assert_eq!("1m".parse(), Ok(Period::M1));
        assert_eq!("1M".parse(), Ok(Period::Mo1));
        assert!("4h".parse::<Period>().unwrap_err().contains("1m, 2m"));
    }

    #[test]
    fn long_bars_know_their_days() {
        let day: Day = "2024-02-29".parse().unwrap();
        assert_eq!(Period::W1.bar_day(day).to_string(), "2024-02-26");
        assert_eq!(Period::W1.last_day(day).to_string(), "2024-03-03");
        assert_eq!(Period::Mo1.last_day(day).to_string(), "2024-02-29");
        assert_eq!(Period::Mo3.bar_day(day).to_string(), "2024-01-01");
        assert_eq!(Period::Mo3.last_day(day).to_string(), "2024-03-31");
        let winter: Day = "2024-12-31".parse().unwrap();
        assert_eq!(Period::Mo3.last_day(winter).to_string(), "2024-12-31");
        let last = Day::new(i32::MAX);
        for period in Period::ALL {
            assert_eq!(period.last_day(last), last, "{period}: the last date there is");
        }
    }
}
