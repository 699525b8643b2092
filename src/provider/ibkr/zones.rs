//! Time zones as gateways and contracts name them.

use jiff::tz::TimeZone;

use super::read::unusable;
use crate::provider::Refusal;

/// Names that are no zone of the time zone database, or one that has another name by now.
pub(super) const ALIASES: &[(&str, &str)] = &[
    ("US/Eastern", "America/New_York"),
    ("US/Central", "America/Chicago"),
    ("US/Mountain", "America/Denver"),
    ("US/Pacific", "America/Los_Angeles"),
    ("EST", "America/New_York"),
    ("EST5EDT", "America/New_York"),
    ("CST", "America/Chicago"),
    ("CST6CDT", "America/Chicago"),
    ("MST", "America/Denver"),
    ("PST", "America/Los_Angeles"),
    ("GB", "Europe/London"),
    ("GB-Eire", "Europe/London"),
    ("British Summer Time", "Europe/London"),
    ("MET", "Europe/Brussels"),
    ("CET", "Europe/Brussels"),
    ("MSK", "Europe/Moscow"),
    ("JST", "Asia/Tokyo"),
    ("Japan", "Asia/Tokyo"),
    ("Hongkong", "Asia/Hong_Kong"),
    ("HKT", "Asia/Hong_Kong"),
    ("ROK", "Asia/Seoul"),
    ("Singapore", "Asia/Singapore"),
    ("Israel", "Asia/Jerusalem"),
    ("Australia/NSW", "Australia/Sydney"),
    ("India Standard Time", "Asia/Kolkata"),
];

/// The refusal of a contract whose zone has no name that is known.
pub(super) fn unknown(name: &str) -> Refusal {
    unusable(format!(
        "the contract's time zone {name:?} is not known here; see that the package tzdata is installed, and if it is, tell us of the name"
    ))
}

/// The zone of a name, with its name in the time zone database.
pub(super) fn zone(name: &str) -> Option<(String, TimeZone)> {
    // Older gateways write "EST (Eastern Standard Time)".
    let name = name.split(" (").next().unwrap_or(name).trim();
    let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, zone)| zone);
    TimeZone::get(name).ok().map(|zone| (name.to_owned(), zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alias_is_a_zone() {
        for (alias, zone_name) in ALIASES {
            assert_eq!(zone(alias).unwrap().0, *zone_name);
        }
        assert_eq!(zone("EST (Eastern Standard Time)").unwrap().0, "America/New_York");
        assert_eq!(zone("Europe/Zurich").unwrap().0, "Europe/Zurich");
        assert!(zone("Nowhere").is_none());
    }
}
