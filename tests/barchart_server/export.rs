//! The market's rows in the shapes of the site and of the service.

use std::fmt::Write;

use serde_json::{Value, json};
use vortex::model::Day;

use super::market::Row;
use super::rules::Generation;

/// What an export has.
pub(super) struct Shape {
    pub(super) generation: Generation,
    pub(super) intraday: bool,
    pub(super) interest: bool,
    pub(super) newest_first: bool,
}

/// The CSV of the download button. `before` is the close before the first row.
pub(super) fn csv(rows: &[Row], before: Option<f64>, shape: &Shape, now: i64) -> String {
    let (last, percent) = match shape.generation {
        Generation::Of2020 => ("Last,Change", ""),
        Generation::Of2021 | Generation::Of2024 => ("Last,Change", ",%Chg"),
        Generation::Of2026 => ("Latest,Change", ",%Change"),
    };
    let interest = if shape.interest { ",\"Open Int\"" } else { "" };
    let mut lines = Vec::with_capacity(rows.len());
    let mut before = before;
    for row in rows {
        let mut line = String::with_capacity(80);
        let change = before.map_or(0.0, |before| row.close - before);
        stamp(&mut line, row.wall, shape);
        let _ = write!(
            line,
            ",{},{},{},{},",
            number(row.open),
            number(row.high),
            number(row.low),
            number(row.close)
        );
        line.push_str(&printed_change(change));
        if !percent.is_empty() {
            let of = before.filter(|before| *before != 0.0).map_or(0.0, |before| change / before * 100.0);
            let _ = write!(line, ",{of:+.2}%");
        }
        let _ = write!(line, ",{}", number(row.volume));
        if shape.interest {
            let _ = write!(line, ",{}", number(row.interest));
        }
        before = Some(row.close);
        lines.push(line);
    }
    if shape.newest_first {
        lines.reverse();
    }
    let mut text = format!("Time,Open,High,Low,{last}{percent},Volume{interest}\n");
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    text.push_str(&closing(now));
    text
}

fn stamp(line: &mut String, wall: i64, shape: &Shape) {
    let (day, second) = (Day::of_utc(wall), wall.rem_euclid(86_400));
    let date = day.to_string();
    let (year, month, of_month) = (&date[..4], &date[5..7], &date[8..]);
    let date = match shape.generation {
        Generation::Of2020 => format!("{month}/{of_month}/{}", &year[2..]),
        Generation::Of2021 => format!("{month}/{of_month}/{year}"),
        Generation::Of2024 | Generation::Of2026 => date,
    };
    let quote = if shape.intraday && shape.generation == Generation::Of2026 { "\"" } else { "" };
    line.push_str(quote);
    line.push_str(&date);
    if shape.intraday {
        let _ = write!(line, " {:02}:{:02}", second / 3600, second / 60 % 60);
    }
    line.push_str(quote);
}

/// The site leaves a dot behind where there are no decimals.
fn printed_change(change: f64) -> String {
    let change = (change * 1e5).round() / 1e5;
    match change {
        0.0 => "0".to_owned(),
        whole if whole.fract() == 0.0 => format!("{whole}."),
        other => number(other),
    }
}

/// `"Downloaded from Barchart.com as of 03-05-2026 06:11am CST"`.
fn closing(now: i64) -> String {
    let at = jiff::Timestamp::from_second(now).unwrap();
    let chicago = at.to_zoned_datetime(jiff::tz::TimeZone::get("America/Chicago").unwrap());
    format!("\"Downloaded from Barchart.com as of {}\"\n", chicago.strftime("%m-%d-%Y %I:%M%P %Z"))
}

fn number(value: f64) -> String {
    value.to_string()
}

/// A row as the archive has it: by instants of UTC, days by their midnight; with the printed values.
pub(super) fn archived(row: &Row, intraday: bool) -> String {
    let at = jiff::Timestamp::from_second(if intraday { row.start } else { row.wall }).unwrap();
    let printed = |value: f64| number(value).parse::<f64>().unwrap().to_string();
    let prices = [row.open, row.high, row.low, row.close, row.volume].map(printed).join(",");
    let interest = if intraday { String::new() } else { format!(",{}", printed(row.interest)) };
    format!("{},{prices}{interest}", at.strftime("%Y-%m-%dT%H:%M:%S+0000"))
}

/// The chart proxy's rows, which have no header.
pub(super) fn proxy(symbol: &str, rows: &[Row], intraday: bool) -> String {
    let mut text = String::new();
    for row in rows {
        let [open, high, low, close, volume] =
            [row.open, row.high, row.low, row.close, row.volume].map(number);
        let (day, second) = (Day::of_utc(row.wall), row.wall.rem_euclid(86_400));
        let _ = match intraday {
            true => writeln!(
                text,
                "{day} {:02}:{:02},{},{open},{high},{low},{close},{volume}",
                second / 3600,
                second / 60 % 60,
                row.day.date().day()
            ),
            false => {
                let interest = number(row.interest);
                writeln!(text, "{symbol},{day},{open},{high},{low},{close},{volume},{interest}")
            }
        };
    }
    text
}

/// The service's rows.
pub(super) fn service_json(symbol: &str, rows: &[Row], zone: &jiff::tz::TimeZone) -> Value {
    let row = |row: &Row| {
        json!({
            "symbol": symbol, "timestamp": instant(row.start, zone), "tradingDay": row.day.to_string(),
            "open": row.open, "high": row.high, "low": row.low, "close": row.close,
            "volume": row.volume as i64, "openInterest": row.interest as i64,
        })
    };
    json!({ "status": { "code": 200, "message": "Success." }, "results": rows.iter().map(row).collect::<Vec<_>>() })
}

/// The same as CSV.
pub(super) fn service_csv(symbol: &str, rows: &[Row], zone: &jiff::tz::TimeZone) -> String {
    let mut text = "symbol,timestamp,tradingDay,open,high,low,close,volume,openInterest\n".to_owned();
    for row in rows {
        let _ = writeln!(
            text,
            "\"{symbol}\",\"{}\",\"{}\",\"{}\",\"{}\",\"{}\",\"{}\",\"{}\",\"\"",
            instant(row.start, zone),
            row.day,
            row.open,
            row.high,
            row.low,
            row.close,
            row.volume
        );
    }
    text
}

fn instant(seconds: i64, zone: &jiff::tz::TimeZone) -> String {
    let at = jiff::Timestamp::from_second(seconds).unwrap().to_zoned_datetime(zone.clone());
    at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}
