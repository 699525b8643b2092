//! What requests cost before they are made, for a look ahead.

use std::fmt;

/// How much is asked for, and how long that takes by the limits at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Requests to the provider; one of the planner's may be several.
    pub requests: u64,
    /// How long the limits make them take, in seconds; what the provider takes to answer is not in it.
    pub seconds: i64,
}

impl fmt::Display for Effort {
    /// As `143 requests to it take about 20 minutes by its limits`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Effort { requests, seconds } = self;
        let (requests, take) = match requests {
            1 => ("1 request".to_owned(), "takes"),
            many => (format!("{many} requests"), "take"),
        };
        let minutes = (seconds + 59) / 60;
        let time = match minutes {
            ..=1 => "less than a minute".to_owned(),
            2..=119 => format!("about {minutes} minutes"),
            120..=2879 => format!("about {} hours", (minutes + 30) / 60),
            _ => format!("about {} days", (minutes + 720) / 1440),
        };
        write!(f, "{requests} to it {take} {time} by its limits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_what_a_person_counts_in() {
        let told = |requests, seconds| Effort { requests, seconds }.to_string();
        assert_eq!(told(1, 0), "1 request to it takes less than a minute by its limits");
        assert_eq!(told(143, 1202), "143 requests to it take about 21 minutes by its limits");
        assert!(told(9, 7200).contains("about 2 hours") && told(9, 5 * 86_400).contains("about 5 days"));
    }
}
