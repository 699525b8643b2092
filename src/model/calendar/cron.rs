//! Five-field cron lines (crontab(5)): minute, hour, day of month, month, day of week.

use super::field::{Values, number};
use super::{Calendar, Days, Spec};

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Calendar {
    /// Reads a cron line. Where both day of month and day of week are restricted, either one will do, as in
    /// cron; a field with a star is not restricted.
    pub fn of_cron(text: &str) -> Result<Calendar, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(format!(
                "{text:?} has {} fields; cron takes five: minute, hour, day of month, month, day of week",
                fields.len()
            ));
        };
        let minutes = values(minute, 0, 59, &[])?;
        let hours = values(hour, 0, 23, &[])?;
        let days = values(day, 1, 31, &[])?;
        let months = values(month, 1, 12, MONTHS)?;
        // Sunday is 0 and 7 in cron; here Monday is 0.
        let named = values(weekday, 0, 7, WEEKDAYS)?;
        let weekdays = named.iter().map(|day| (day + 6) % 7);
        let weekdays = weekdays.fold(Values::default(), |set, day| set.and_also(Values::steps(day, day, 1)));
        let any = Spec {
            weekdays: Values::all(0, 6),
            months,
            days: Days::OfMonth(Values::all(1, 31)),
            hours,
            minutes,
            seconds: Values::steps(0, 0, 1),
            ..Spec::default()
        };
        let either = !day.contains('*') && !weekday.contains('*');
        let specs = match either {
            true => vec![Spec { days: Days::OfMonth(days), ..any.clone() }, Spec { weekdays, ..any }],
            false => vec![Spec { days: Days::OfMonth(days), weekdays, ..any }],
        };
        Calendar::new(specs, None)
    }
}

/// One field: a list of `*`, numbers or names, ranges, each with a step.
fn values(text: &str, min: u32, max: u32, names: &[&str]) -> Result<Values, String> {
    let mut values = Values::default();
    for item in text.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(number(step, 1, 1000, &[])?)),
            None => (item, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (min, max),
            Some((first, last)) => (number(first, min, max, names)?, number(last, min, max, names)?),
            None => {
                let first = number(range, min, max, names)?;
                // `5/10` goes on to the end, `5` alone does not.
                (first, if step.is_some() { max } else { first })
            }
        };
        if first > last {
            return Err(format!("{range:?} runs backwards"));
        }
        values = values.and_also(Values::steps(first, last, step.unwrap_or(1)));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("0 8 * * *", &["*-*-* 08:00:00"])]
    #[case("*/30 9-10 * * mon-fri", &["Mon,Tue,Wed,Thu,Fri *-*-* 09,10:00,30:00"])]
    #[case("0 0 1,15 * 5", &["*-*-01,15 00:00:00", "Fri *-*-* 00:00:00"])]
    #[case("0 0 * jan 7", &["Sun *-01-* 00:00:00"])]
    #[case("0 0 */10 * 1", &["Mon *-*-01,11,21,31 00:00:00"])]
    fn a_line_becomes_expressions(#[case] line: &str, #[case] expressions: &[&str]) {
        assert_eq!(Calendar::of_cron(line).unwrap().expressions(), expressions);
    }

    #[rstest]
    #[case("0 8 * *")]
    #[case("60 8 * * *")]
    #[case("0 8 0 * *")]
    #[case("0 8 * * mon-foo")]
    #[case("*/0 * * * *")]
    #[case("@daily")]
    #[case("0 8 * * 5-1")]
    #[case("0 0 31 2 *")]
    fn what_is_no_cron_line_is_refused(#[case] line: &str) {
        assert!(Calendar::of_cron(line).is_err());
    }
}
