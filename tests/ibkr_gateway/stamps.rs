//! Instants, dates and zones as the gateway writes and reads them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use vortex::model::{Day, Days};
use vortex::provider::sample::listing::Listing;

use super::message::INSTRUMENT_ZONE;

/// How the instants around bars are written, by the gateway's setting.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Zone {
    /// In the zone of the instrument.
    #[default]
    Instrument,
    /// In UTC, without a name.
    Utc,
    /// By the instrument's clock, but under this name.
    Named(String),
}

/// The broker's name of a zone.
pub(super) fn broker_zone(iana: &str) -> &'static str {
    match iana {
        "America/New_York" => "US/Eastern",
        "Europe/London" => "GB-Eire",
        "Asia/Tokyo" => "Japan",
        "Australia/Sydney" => "Australia/NSW",
        _ => "UTC",
    }
}

fn civil(at: i64, zone: &TimeZone) -> DateTime {
    zone.to_datetime(Timestamp::from_second(at).unwrap_or_default())
}

/// `YYYYMMDD`.
pub(crate) fn date(day: Day) -> String {
    day.date().strftime("%Y%m%d").to_string()
}

/// `YYYYMMDD-HH:MM:SS` by a zone's clock.
pub(super) fn dashed(at: i64, zone: &TimeZone) -> String {
    civil(at, zone).strftime("%Y%m%d-%H:%M:%S").to_string()
}

/// An instant around bars of a listing.
pub(super) fn instant(at: i64, listing: &Listing, setting: &Zone, version: i32) -> String {
    let zone = listing.exchange.time_zone();
    let local = civil(at, &zone);
    if version < INSTRUMENT_ZONE {
        return local.strftime("%Y%m%d  %H:%M:%S").to_string();
    }
    let name = match setting {
        Zone::Instrument => broker_zone(listing.exchange.zone),
        Zone::Utc => return dashed(at, &TimeZone::UTC),
        Zone::Named(name) => name,
    };
    format!("{} {name}", local.strftime("%Y%m%d %H:%M:%S"))
}

/// What the end of a request means, or `None` where that is nothing.
pub(super) fn asked(text: &str, listing: &Listing) -> Option<i64> {
    if let Ok(utc) = DateTime::strptime("%Y%m%d-%H:%M:%S", text) {
        return Some(TimeZone::UTC.to_timestamp(utc).ok()?.as_second());
    }
    let clock_end = text.char_indices().nth(17).map_or(text.len(), |(at, _)| at);
    let (clock, name) = text.split_at(clock_end);
    let zone = match name.trim() {
        "" => listing.exchange.time_zone(),
        name => TimeZone::get(name).ok()?,
    };
    let local = DateTime::strptime("%Y%m%d %H:%M:%S", clock).ok()?;
    Some(zone.to_timestamp(local).ok()?.as_second())
}

/// The hours of the coming days: `20240103:0930-20240103:1600;20240106:CLOSED`.
pub(super) fn hours(listing: &Listing, now: i64, extended: bool) -> String {
    let today = listing.today(now);
    let days = Days { first: today, last: today.plus(5) };
    let of = |day: Day| {
        if !listing.is_session(day) {
            return format!("{}:CLOSED", date(day));
        }
        let regular = (listing.exchange.open, listing.exchange.close);
        let (open, close) = listing.exchange.extended.filter(|_| extended).unwrap_or(regular);
        let clock = |second: i32| format!("{}:{:02}{:02}", date(day), second / 3600, second % 3600 / 60);
        format!("{}-{}", clock(open), clock(close))
    };
    days.iter().map(of).collect::<Vec<_>>().join(";")
}

/// The clock of the gateway's host: `YYYYMMDD HH:MM:SS`; UTC where nobody knows the zone's name.
pub(super) fn host(at: i64, zone: &str) -> String {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    civil(at, &zone).strftime("%Y%m%d %H:%M:%S").to_string()
}
