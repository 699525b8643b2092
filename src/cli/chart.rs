//! A small line chart of closes in characters.

use crate::model::{Bars, Column, Day};

/// Characters across and down; each holds 2 × 4 dots.
const WIDTH: usize = 60;
const HEIGHT: usize = 8;

/// The closes of a run of bars as lines of text; nothing where there are fewer than two.
pub(super) fn closes(bars: &Bars) -> Vec<String> {
    let points: Vec<(i64, f64)> = match bars.column(Column::Close) {
        Some(closes) => {
            bars.times.iter().copied().zip(closes.iter().copied()).filter(|(_, c)| c.is_finite()).collect()
        }
        None => return Vec::new(),
    };
    let (Some((first, _)), Some((last, _))) = (points.first(), points.last()) else { return Vec::new() };
    if points.len() < 2 {
        return Vec::new();
    }
    let low = points.iter().map(|(_, close)| *close).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|(_, close)| *close).fold(f64::NEG_INFINITY, f64::max);
    let dots = dots(&points, low, high);
    let mut lines: Vec<String> =
        dots.iter().enumerate().map(|(row, cells)| line(row, cells, low, high)).collect();
    let (from, to) = (Day::of_utc(*first).to_string(), Day::of_utc(*last).to_string());
    lines.push(format!("{:>10} {from}{to:>width$}", "", width = WIDTH - from.len()));
    lines
}

/// One row of cells with its price at the margin, on the first, middle and last row.
fn line(row: usize, cells: &[u8; WIDTH], low: f64, high: f64) -> String {
    let labelled = row == 0 || row == HEIGHT / 2 || row + 1 == HEIGHT;
    let price = high - (high - low) * row as f64 / (HEIGHT - 1) as f64;
    let label = if labelled { format!("{price:.2}") } else { String::new() };
    // Braille patterns begin at U+2800, one bit a dot.
    let drawn: String = cells.iter().filter_map(|dots| char::from_u32(0x2800 + u32::from(*dots))).collect();
    format!("{label:>10} {}", drawn.trim_end_matches('\u{2800}'))
}

/// The dots of a line through the points, cell by cell.
fn dots(points: &[(i64, f64)], low: f64, high: f64) -> [[u8; WIDTH]; HEIGHT] {
    const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
    let mut cells = [[0; WIDTH]; HEIGHT];
    let (columns, rows) = (WIDTH * 2, HEIGHT * 4);
    let span = if high > low { high - low } else { 1.0 };
    let height = |close: f64| (((high - close) / span * (rows - 1) as f64).round() as usize).min(rows - 1);
    let mut before = None;
    for x in 0..columns {
        let at = x * (points.len() - 1) / (columns - 1);
        let Some(y) = points.get(at).map(|(_, close)| height(*close)) else { continue };
        let from = before.unwrap_or(y);
        for dot in from.min(y)..=from.max(y) {
            cells[dot / 4][x / 2] |= BITS[x % 2][dot % 4];
        }
        before = Some(y);
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Class, Period};

    #[test]
    fn a_rising_series_goes_from_bottom_left_to_top_right() {
        let mut bars = Bars::new(Column::of("sample", Class::Stock, false, Period::H1));
        (0..200).for_each(|day| bars.push(day * 86_400, &[0.0, 0.0, 0.0, 10.0 + day as f64]));
        let lines = closes(&bars);
        assert_eq!(lines.len(), HEIGHT + 1);
        assert!(lines[0].starts_with("    209.00"), "{}", lines[0]);
        assert!(lines[0].trim_end().chars().count() > WIDTH);
        assert!(lines[HEIGHT - 1].chars().count() < WIDTH / 3);
        assert!(lines[HEIGHT].contains("1970-01-01") && lines[HEIGHT].ends_with("1970-07-19"));
        assert!(closes(&bars.slice(0..1)).is_empty());
    }
}
