//! The CSV of a partition: `Datetime`, then the series' columns, shortest exact numbers.

use crate::model::{Bars, Class, Column, Day, Period};

/// A day's seconds.
const DAY: i64 = crate::model::day::DAY_SECONDS;
/// Stamps a CSV can hold: the years 0000 to 9999.
const STAMPS: std::ops::Range<i64> = -62_167_219_200..253_402_300_800;
/// Beyond this, doubles no longer hold every integer.
const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;

/// What is wrong with a CSV, and where; both count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {said}")]
pub(super) struct CsvError {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) said: String,
}

/// Writes bars. An error names a stamp or a value that no CSV can hold.
pub(super) fn encode(bars: &Bars) -> Result<Vec<u8>, String> {
    let mut text = header(bars.columns()).into_bytes();
    text.push(b'\n');
    push_rows(&mut text, bars, 0)?;
    Ok(text)
}

/// Writes the rows of the bars from index `from` on, to stand behind others.
pub(super) fn encode_rows(bars: &Bars, from: usize) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    push_rows(&mut text, bars, from)?;
    Ok(text)
}

fn header(columns: &[Column]) -> String {
    let mut text = "Datetime".to_owned();
    for column in columns {
        text.push(',');
        text.push_str(column.name());
    }
    text
}

fn push_rows(text: &mut Vec<u8>, bars: &Bars, from: usize) -> Result<(), String> {
    text.reserve((bars.len() - from) * (26 + 12 * bars.columns().len()));
    // The date is formatted once a day, not once a bar.
    let mut day = None;
    let mut date = [0; 10];
    for (at, time) in bars.times.iter().enumerate().skip(from) {
        if !STAMPS.contains(time) {
            return Err(format!("stamp {time} lies outside the years 0000 to 9999"));
        }
        let today = time.div_euclid(DAY);
        if day != Some(today) {
            date = Day::of_utc(*time).digits();
            day = Some(today);
        }
        push_stamp(text, date, time.rem_euclid(DAY));
        for value in bars.row(at) {
            text.push(b',');
            if value.is_infinite() {
                return Err(format!("a value at {} is infinite", Day::of_utc(*time)));
            }
            push_number(text, value);
        }
        text.push(b'\n');
    }
    Ok(())
}

fn push_stamp(text: &mut Vec<u8>, date: [u8; 10], second: i64) {
    let two = |number: i64| [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
    let ([h1, h2], [m1, m2], [s1, s2]) = (two(second / 3600), two(second / 60 % 60), two(second % 60));
    text.extend_from_slice(&date);
    text.extend_from_slice(&[b'T', h1, h2, b':', m1, m2, b':', s1, s2, b'+', b'0', b'0', b'0', b'0']);
}

/// The shortest decimal, never an exponent, that reads back to the same double; nothing for NaN.
fn push_number(text: &mut Vec<u8>, value: f64) {
    let integer = value as i64;
    if value.to_bits() == 0 {
        text.push(b'0');
    } else if value.is_nan() {
    } else if integer as f64 == value && value.abs() < EXACT_INTEGERS && value.to_bits() != NEGATIVE_ZERO {
        // Volumes: an integer is written several times faster.
        text.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes());
    } else if let Some(hundredths) = as_hundredths(value) {
        push_hundredths(text, hundredths);
    } else {
        let mut buffer = zmij::Buffer::new();
        match buffer.format_finite(value) {
            // Only the very large and very small come with an exponent.
            exponent if exponent.contains('e') => text.extend_from_slice(value.to_string().as_bytes()),
            plain => text.extend_from_slice(plain.strip_suffix(".0").unwrap_or(plain).as_bytes()),
        }
    }
}

/// A price of at most two decimals as the integer of its hundredths. With up to fifteen digits each decimal has a
/// double of its own, so none that is shorter reads back to the same one.
fn as_hundredths(value: f64) -> Option<i64> {
    let hundredths = (value * 100.0 + 0.5_f64.copysign(value)) as i64;
    let exact = hundredths != 0 && hundredths.unsigned_abs() < 1_000_000_000_000_000;
    (exact && hundredths as f64 / 100.0 == value).then_some(hundredths)
}

fn push_hundredths(text: &mut Vec<u8>, hundredths: i64) {
    if hundredths < 0 {
        text.push(b'-');
    }
    let (whole, rest) = (hundredths.unsigned_abs() / 100, (hundredths.unsigned_abs() % 100) as u8);
    text.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    text.extend_from_slice(&[b'.', b'0' + rest / 10]);
    if rest % 10 != 0 {
        text.push(b'0' + rest % 10);
    }
}

const NEGATIVE_ZERO: u64 = (-0.0_f64).to_bits();

/// Reads what [`encode`] wrote, strictly: the very columns, stamps and plain numbers. The order of
/// the bars is not checked.
pub(super) fn decode(bytes: &[u8], columns: &'static [Column]) -> Result<Bars, CsvError> {
    let fail = |line, column, said: String| Err(CsvError { line, column, said });
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let line = bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n');
            return fail(line.count() + 1, 1, "not UTF-8 text".to_owned());
        }
    };
    let Some(text) = text.strip_suffix('\n') else {
        return fail(text.lines().count().max(1), 1, "the file ends within a line".to_owned());
    };
    let (first, rows) = text.split_once('\n').map_or((text, None), |(first, rows)| (first, Some(rows)));
    check_header(first, columns)?;
    rows.map_or_else(|| Ok(Bars::new(columns)), |rows| decode_rows(rows, columns))
}

/// Reads the last `count` rows of what [`encode`] wrote; line numbers count from the first of them
/// as the second line.
pub(super) fn decode_last(bytes: &[u8], count: usize, columns: &'static [Column]) -> Result<Bars, CsvError> {
    let rows = bytes.get(last_rows(bytes, count)..).unwrap_or_default();
    let rows = rows.strip_suffix(b"\n").unwrap_or(rows);
    match std::str::from_utf8(rows) {
        Ok("") => Ok(Bars::new(columns)),
        Ok(rows) => decode_rows(rows, columns),
        Err(_) => Err(CsvError { line: 1, column: 1, said: "not UTF-8 text".to_owned() }),
    }
}

/// Where the last `count` rows begin. The first line is no row.
pub(super) fn last_rows(bytes: &[u8], count: usize) -> usize {
    let mut from = bytes.len();
    for _ in 0..count {
        let before = bytes.get(..from.saturating_sub(1)).unwrap_or_default();
        match before.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => from = end + 1,
            None => break,
        }
    }
    from
}

/// How many rows at the end have stamps from `time` on, by their stamps alone.
pub(super) fn count_since(bytes: &[u8], time: i64) -> usize {
    let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let stamp = |line: &[u8]| {
        let line = std::str::from_utf8(line).ok()?;
        Dates::default().stamp(line.split(',').next()?)
    };
    text.rsplit(|byte| *byte == b'\n').take_while(|line| stamp(line).is_some_and(|at| at >= time)).count()
}

fn decode_rows(rows: &str, columns: &'static [Column]) -> Result<Bars, CsvError> {
    let fail = |line, column, said: String| Err(CsvError { line, column, said });
    let mut bars = Bars::new(columns);
    let mut dates = Dates::default();
    for (at, line) in rows.split('\n').enumerate() {
        let line_number = at + 2;
        let mut fields = line.split(',');
        match dates.stamp(fields.next().unwrap_or_default()) {
            Some(time) => bars.times.push(time),
            None => {
                let said = "not a time such as 2024-01-02T14:30:00+0000".to_owned();
                return fail(line_number, 1, said);
            }
        }
        for (nth, values) in bars.values.iter_mut().enumerate() {
            let Some(field) = fields.next() else {
                return fail(line_number, nth + 2, "the value is missing".to_owned());
            };
            match number(field) {
                Some(value) => values.push(value),
                None => return fail(line_number, nth + 2, format!("{field:?} is not a number")),
            }
        }
        if fields.next().is_some() {
            return fail(line_number, columns.len() + 2, "a value too many".to_owned());
        }
    }
    Ok(bars)
}

/// The columns of a CSV whose series is not known, by its header; `None` where no series has such.
pub(super) fn columns_of(bytes: &[u8]) -> Option<&'static [Column]> {
    let header = std::str::from_utf8(bytes.split(|byte| *byte == b'\n').next()?).ok()?;
    [
        Column::of("yahoo", Class::Stock, false, Period::D1),
        Column::of("yahoo", Class::Stock, false, Period::M1),
        Column::of("barchart", Class::Future, true, Period::D1),
        Column::of("ibkr", Class::Stock, false, Period::D1),
    ]
    .into_iter()
    .find(|columns| check_header(header, columns).is_ok())
}

fn check_header(header: &str, columns: &[Column]) -> Result<(), CsvError> {
    let expected = self::header(columns);
    if expected == header {
        return Ok(());
    }
    let same = expected.split(',').zip(header.split(',')).take_while(|(a, b)| a == b).count();
    let said = format!("the header is {header:?}, it should be {expected:?}");
    Err(CsvError { line: 1, column: same + 1, said })
}

/// Reads stamps, each date once.
#[derive(Default)]
struct Dates<'a> {
    date: &'a str,
    midnight: i64,
}

impl<'a> Dates<'a> {
    fn stamp(&mut self, field: &'a str) -> Option<i64> {
        let (date, clock) = field.split_once('T')?;
        if date != self.date {
            self.midnight = date.parse::<Day>().ok()?.midnight();
            self.date = date;
        }
        let [h1, h2, b':', m1, m2, b':', s1, s2, b'+', b'0', b'0', b'0', b'0'] = clock.as_bytes() else {
            return None;
        };
        let two = |tens: &u8, ones: &u8| {
            (tens.is_ascii_digit() && ones.is_ascii_digit())
                .then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
        };
        let (hour, minute, second) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
        (hour < 24 && minute < 60 && second < 60)
            .then_some(self.midnight + hour * 3600 + minute * 60 + second)
    }
}

/// A plain decimal, or NaN for an empty field.
fn number(field: &str) -> Option<f64> {
    if field.is_empty() {
        return Some(f64::NAN);
    }
    let plain = field.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    let value: f64 = field.parse().ok().filter(|_| plain)?;
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn columns() -> &'static [Column] {
        Column::of("yahoo", Class::Stock, false, Period::M1)
    }

    fn text(bars: &Bars) -> String {
        String::from_utf8(encode(bars).unwrap()).unwrap()
    }

    #[test]
    fn a_csv_looks_like_the_design_says() {
        let mut bars = Bars::new(columns());
        bars.push(1_704_205_800, &[1.1, 1e21, -0.0, 1.5e-7, f64::NAN]);
        bars.push(-1, &[0.0, -2.0, 1.055_074_930_191_04, 5e-324, 123_456_789_012.0]);
        let lines = text(&bars);
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines[0], "Datetime,Open,High,Low,Close,Volume");
        assert_eq!(lines[1], "2024-01-02T14:30:00+0000,1.1,1000000000000000000000,-0,0.00000015,");
        assert!(lines[2].starts_with("1969-12-31T23:59:59+0000,0,-2,1.05507493019104,0.000"));
        assert!(lines[2].ends_with("5,123456789012"));
        assert!(decode(text(&bars).as_bytes(), columns()).unwrap().same(&bars));
    }

    #[test]
    fn what_is_wrong_is_named_with_line_and_column() {
        let head = "Datetime,Open,High,Low,Close,Volume\n";
        let good = "2024-01-02T14:30:00+0000,1,1,1,1,1\n";
        for (body, line, column) in [
            ("2024-01-02T14:30:00+0000,1,1,x,1,1\n", 3, 4),
            ("2024-01-02T14:30:00+0000,1,1,1e5,1,1\n", 3, 4),
            ("2024-01-02T14:30:00+0000,1,1,inf,1,1\n", 3, 4),
            ("2024-01-02T14:30:00+0000,1,1,1,1\n", 3, 6),
            ("2024-01-02T14:30:00+0000,1,1,1,1,1,1\n", 3, 7),
            ("2024-01-02T24:30:00+0000,1,1,1,1,1\n", 3, 1),
            ("2024-01-02T14:30:00Z,1,1,1,1,1\n", 3, 1),
            ("2024-02-30T14:30:00+0000,1,1,1,1,1\n", 3, 1),
            ("\n", 3, 1),
            ("2024-01-02T14:30:00+0000,1,1,1,1,", 3, 1),
        ] {
            let error = decode(format!("{head}{good}{body}").as_bytes(), columns()).unwrap_err();
            assert_eq!((error.line, error.column), (line, column), "{body:?}: {error}");
        }
        let error = decode(b"Datetime,Open,Low\n", columns()).unwrap_err();
        assert_eq!((error.line, error.column), (1, 3));
        assert!(decode(b"", columns()).is_err());
        assert_eq!(decode(b"a\n\xff\n", columns()).unwrap_err().line, 2);
    }

    #[test]
    fn prices_of_two_decimals_are_written_as_the_standard_library_does() {
        let number = |value: f64| {
            let mut text = Vec::new();
            push_number(&mut text, value);
            String::from_utf8(text).unwrap()
        };
        let around =
            [0, 1_000, 99_999_999, 999_999_999_999_999, 1_000_000_000_000_000, 900_719_925_474_099_200];
        let hundredths = around.into_iter().flat_map(|middle: i64| middle - 300..middle + 300);
        for value in hundredths.map(|it| it as f64 / 100.0) {
            assert_eq!(number(value), value.to_string());
            assert_eq!(number(value.next_up()).parse(), Ok(value.next_up()));
        }
        for value in [-0.0, 0.005, 0.015, 1e-300, 1e300, -1e300, f64::MIN, f64::MAX] {
            assert_eq!(number(value), value.to_string());
        }
    }

    #[test]
    fn what_no_csv_can_hold_is_refused() {
        let mut bars = Bars::new(columns());
        bars.push(i64::MAX, &[]);
        assert!(encode(&bars).is_err());
        bars.times = vec![0];
        bars.values[0][0] = f64::INFINITY;
        assert!(encode(&bars).is_err());
    }

    proptest! {
        #[test]
        fn every_double_reads_back_bit_for_bit(
            rows in prop::collection::vec((STAMPS, prop::array::uniform5(any::<u64>())), 0..40),
        ) {
            let mut bars = Bars::new(columns());
            for (time, bits) in rows {
                let row = bits.map(f64::from_bits).map(|v| if v.is_infinite() { 0.5 } else { v });
                bars.push(time, &row);
            }
            for (at, line) in text(&bars).lines().skip(1).enumerate() {
                // As short as the standard library's shortest decimal; of two that are as short and
                // as near either will do.
                let length = |value: f64| if value.is_nan() { 0 } else { value.to_string().len() };
                let expected: Vec<usize> = bars.row(at).map(length).collect();
                let lengths: Vec<usize> = line.split(',').skip(1).map(str::len).collect();
                prop_assert_eq!(lengths, expected);
                prop_assert!(!line.contains('e'));
            }
            prop_assert!(decode(text(&bars).as_bytes(), columns()).unwrap().same(&bars));
        }
    }
}
