//! Files as Barchart exports them, made up: the same every time, in any of its layouts.

use std::fmt::Write;

/// A layout that was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// The name of the last price.
    pub(crate) last: &'static str,
    /// The name of the change in per cent, where there is one.
    pub(crate) percent: Option<&'static str>,
    /// The dates, by `strftime`.
    pub(crate) dates: &'static str,
    /// Times of day stand in quotation marks.
    pub(crate) quoted: bool,
}

/// The four generations, oldest first.
pub(crate) const GENERATIONS: [Layout; 4] = [
    Layout { last: "Last", percent: None, dates: "%m/%d/%y", quoted: false },
    Layout { last: "Last", percent: Some("%Chg"), dates: "%m/%d/%Y", quoted: false },
    Layout { last: "Last", percent: Some("%Chg"), dates: "%Y-%m-%d", quoted: false },
    Layout { last: "Latest", percent: Some("%Change"), dates: "%Y-%m-%d", quoted: true },
];

/// One row: what the wall of the exchange shows, and what traded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) at: jiff::civil::DateTime,
    pub(crate) prices: [f64; 4],
    pub(crate) volume: u32,
    pub(crate) open_interest: u32,
}

/// An export.
#[derive(Clone, Debug)]
pub(crate) struct Export {
    pub(crate) layout: Layout,
    pub(crate) symbol: Option<&'static str>,
    pub(crate) intraday: bool,
    pub(crate) open_interest: bool,
    pub(crate) newest_first: bool,
    pub(crate) rows: Vec<Row>,
    /// `03-05-2026 06:11am CST`.
    pub(crate) made: &'static str,
}

impl Export {
    /// Daily rows of a future, by the newest layout.
    pub(crate) fn daily(rows: Vec<Row>, made: &'static str) -> Export {
        Export {
            layout: GENERATIONS[3],
            symbol: None,
            intraday: false,
            open_interest: true,
            newest_first: true,
            rows,
            made,
        }
    }

    /// Rows shorter than a day, by the newest layout.
    pub(crate) fn intraday(rows: Vec<Row>, made: &'static str) -> Export {
        Export { intraday: true, open_interest: false, ..Export::daily(rows, made) }
    }

    pub(crate) fn text(&self) -> String {
        let mut header = vec!["Time", "Open", "High", "Low", self.layout.last, "Change"];
        header.extend(self.layout.percent);
        header.push("Volume");
        header.extend(self.open_interest.then_some("\"Open Int\""));
        if self.symbol.is_some() {
            header.insert(0, "Symbol");
        }
        let mut lines: Vec<String> = self.rows.iter().map(|row| self.line(row)).collect();
        if self.newest_first {
            lines.reverse();
        }
        format!(
            "{}\n{}\n\"Downloaded from Barchart.com as of {}\"\n",
            header.join(","),
            lines.join("\n"),
            self.made
        )
    }

    fn line(&self, row: &Row) -> String {
        let mut line = self.symbol.map_or_else(String::new, |symbol| format!("{symbol},"));
        let date = row.at.strftime(self.layout.dates).to_string();
        let time = if self.intraday { row.at.strftime(" %H:%M").to_string() } else { String::new() };
        let quote = if self.intraday && self.layout.quoted { "\"" } else { "" };
        let [open, high, low, close] = row.prices;
        write!(line, "{quote}{date}{time}{quote},{open},{high},{low},{close},-8.").unwrap();
        if self.layout.percent.is_some() {
            line.push_str(",+0.22%");
        }
        match row.volume {
            0..1000 => write!(line, ",{}", row.volume),
            volume => write!(line, ",\"{},{:03}\"", volume / 1000, volume % 1000),
        }
        .unwrap();
        if self.open_interest {
            write!(line, ",{}", row.open_interest).unwrap();
        }
        line
    }
}

/// Rows at these times, whose values follow from their place.
pub(crate) fn rows(times: impl IntoIterator<Item = jiff::civil::DateTime>) -> Vec<Row> {
    let row = |(at, time): (usize, jiff::civil::DateTime)| {
        let close = 100.0 + (at * 37 % 1000) as f64 / 100.0;
        Row {
            at: time,
            prices: [close - 0.25, close + 1.5, close - 1.75, close],
            volume: (at * 7919 % 250_000) as u32 + 1,
            open_interest: (at * 31 % 90_000) as u32 + 1,
        }
    };
    times.into_iter().enumerate().map(row).collect()
}

/// The weekdays from one date to another.
pub(crate) fn weekdays(first: &str, last: &str) -> Vec<jiff::civil::DateTime> {
    let last: jiff::civil::Date = last.parse().unwrap();
    let first: jiff::civil::Date = first.parse().unwrap();
    let days = first.series(jiff::Span::new().days(1)).take_while(|day| *day <= last);
    let weekday = |day: &jiff::civil::Date| day.weekday().to_monday_one_offset() <= 5;
    days.filter(weekday).map(|day| day.at(0, 0, 0, 0)).collect()
}

/// The hours of the sessions of these weekdays, from 8 to 15.
pub(crate) fn hours(first: &str, last: &str) -> Vec<jiff::civil::DateTime> {
    weekdays(first, last).iter().flat_map(|day| (8..16).map(|hour| day.date().at(hour, 0, 0, 0))).collect()
}
