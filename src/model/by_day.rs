//! One value for each day of a run of days.

use super::day::{Day, Days};

/// Values by day, side by side in memory; a day that was never set has the default value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByDay<T> {
    first: Day,
    values: Vec<T>,
}

impl<T> Default for ByDay<T> {
    fn default() -> ByDay<T> {
        ByDay { first: Day::new(0), values: Vec::new() }
    }
}

impl<T: Copy + Default> ByDay<T> {
    /// The values of the days from `first` on.
    pub fn new(first: Day, values: Vec<T>) -> ByDay<T> {
        ByDay { first, values }
    }

    /// The run of days.
    pub fn days(&self) -> Option<Days> {
        Days::new(self.first, self.first.plus(self.values.len() as i32 - 1))
    }

    /// The values of the run, in the order of its days.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// The values there are of a range of days, and the first of these days.
    pub fn within(&self, range: Days) -> (Day, &[T]) {
        let Some(days) = self.days().and_then(|days| days.intersection(range)) else {
            return (range.first, &[]);
        };
        let from = (days.first.number() - self.first.number()) as usize;
        (days.first, &self.values[from..from + days.len()])
    }

    /// The value of a day.
    pub fn get(&self, day: Day) -> T {
        let at = i64::from(day.number()) - i64::from(self.first.number());
        usize::try_from(at).ok().and_then(|at| self.values.get(at)).copied().unwrap_or_default()
    }

    /// The values of a run of days, to change.
    pub fn range_mut(&mut self, days: Days) -> &mut [T] {
        if self.values.is_empty() {
            self.first = days.first;
        }
        if days.first < self.first {
            let missing = (self.first.number() - days.first.number()) as usize;
            self.values.splice(0..0, std::iter::repeat_n(T::default(), missing));
            self.first = days.first;
        }
        let from = (days.first.number() - self.first.number()) as usize;
        let to = from + days.len();
        if to > self.values.len() {
            self.values.resize(to, T::default());
        }
        &mut self.values[from..to]
    }

    /// Every day with its value, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Day, T)> + '_ {
        self.values.iter().enumerate().map(|(at, value)| (self.first.plus(at as i32), *value))
    }

    /// From the first to the last day whose value is `wanted`.
    pub fn extent(&self, wanted: impl Fn(T) -> bool) -> Option<Days> {
        let from = self.values.iter().position(|value| wanted(*value))? as i32;
        let to = self.values.iter().rposition(|value| wanted(*value))? as i32;
        Days::new(self.first.plus(from), self.first.plus(to))
    }
}

impl<T: Copy + Default> FromIterator<(Day, T)> for ByDay<T> {
    fn from_iter<I: IntoIterator<Item = (Day, T)>>(pairs: I) -> ByDay<T> {
        let mut days = ByDay::default();
        for (day, value) in pairs {
            days.range_mut(Days { first: day, last: day }).fill(value);
        }
        days
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_at_both_ends() {
        let day = Day::new;
        let days: ByDay<u8> = [(day(10), 1), (day(7), 2), (day(12), 3)].into_iter().collect();
        assert_eq!([6, 7, 8, 10, 12, 13].map(|at| days.get(day(at))), [0, 2, 0, 1, 3, 0]);
        assert_eq!(days.extent(|value| value != 0), Days::new(day(7), day(12)));
        assert_eq!(days.extent(|value| value == 9), None);
    }
}
