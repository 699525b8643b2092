//! One field of a schedule, such as the minutes: a set of small numbers.

/// Values from 0 to 63.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Values(u64);

impl Values {
    /// Every value from `min` to `max`.
    pub(super) fn all(min: u32, max: u32) -> Values {
        Values::steps(min, max, 1)
    }

    /// From `first` to `last` by steps.
    pub(super) fn steps(first: u32, last: u32, step: u32) -> Values {
        let values = (first..=last).step_by(step.max(1) as usize).filter(|value| *value < 64);
        Values(values.fold(0, |set, value| set | 1 << value))
    }

    pub(super) fn and_also(self, other: Values) -> Values {
        Values(self.0 | other.0)
    }

    pub(super) fn has(self, value: u32) -> bool {
        value < 64 && self.0 >> value & 1 == 1
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn iter(self) -> impl Iterator<Item = u32> {
        (0..64).filter(move |value| self.has(*value))
    }

    /// As systemd writes it: `*` for everything from `min` to `max`, else a list.
    pub(super) fn text(self, min: u32, max: u32) -> String {
        if self == Values::all(min, max) {
            return "*".to_owned();
        }
        let values: Vec<String> = self.iter().map(|value| format!("{value:02}")).collect();
        values.join(",")
    }
}

/// A number, or its name where there are names, inside its bounds.
pub(super) fn number(text: &str, min: u32, max: u32, names: &[&str]) -> Result<u32, String> {
    let lower = text.to_ascii_lowercase();
    let named = names.iter().position(|name| *name == lower);
    let value = match named {
        Some(at) => u32::try_from(at).ok().map(|at| at + min),
        None if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        None => None,
    };
    value
        .filter(|value| (min..=max).contains(value))
        .ok_or_else(|| format!("{text:?} is not a number from {min} to {max}"))
}
