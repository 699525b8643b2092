//! Whether a schedule is one that cron understands.

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Whether a text is five cron fields.
pub(super) fn is_cron(text: &str) -> bool {
    let bounds: [(u32, u32, &[&str]); 5] =
        [(0, 59, &[]), (0, 23, &[]), (1, 31, &[]), (1, 12, MONTHS), (0, 7, WEEKDAYS)];
    let fields: Vec<_> = text.split_whitespace().collect();
    fields.len() == bounds.len()
        && fields.iter().zip(bounds).all(|(field, (min, max, names))| {
            field.split(',').all(|item| is_cron_item(item, min, max, names))
        })
}

/// One item of a cron field: `*`, a number or name, a range, each with an optional `/step`.
fn is_cron_item(item: &str, min: u32, max: u32, names: &[&str]) -> bool {
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, step.parse::<u32>().is_ok_and(|s| s > 0)),
        None => (item, true),
    };
    let number = |text: &str| {
        let lower = text.to_ascii_lowercase();
        let named = names.iter().position(|name| *name == lower);
        let value = match named {
            Some(at) => u32::try_from(at).ok().map(|at| at + min),
            None => text.parse().ok(),
        };
        value.filter(|value| (min..=max).contains(value))
    };
    let known = match range.split_once('-') {
        _ if range == "*" => true,
        Some((first, last)) => {
            matches!((number(first), number(last)), (Some(a), Some(b)) if a <= b)
        }
        None => number(range).is_some(),
    };
    step && known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cron_fields_are_checked() {
        for good in ["0 8 * * *", "*/15 9-17 1,15 jan-mar mon-fri", "0 0 * * 7"] {
            assert!(is_cron(good), "{good}");
        }
        for bad in ["0 8 * *", "60 8 * * *", "0 8 0 * *", "0 8 * * mon-foo", "*/0 * * * *", "@daily"] {
            assert!(!is_cron(bad), "{bad}");
        }
    }
}
