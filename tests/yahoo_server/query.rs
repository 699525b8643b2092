//! What a chart request asks for, and Yahoo's limits on it, to the second.

use serde_json::{Value, json};
use vortex::model::{Day, Days, Period};
use vortex::provider::sample::listing::Listing;

/// The intervals, as error texts list them.
const INTERVALS: &str = "1m, 2m, 5m, 15m, 30m, 60m, 90m, 1h, 4h, 1d, 5d, 1wk, 1mo, 3mo";
/// What `range` may be.
pub(super) const RANGES: [&str; 11] =
    ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"];
const DAY: i64 = 86_400;

/// An HTTP status and the body of an error.
pub(super) type Refused = (u16, Value);

/// An error in the envelope of the chart endpoint.
pub(super) fn refused(status: u16, code: &str, description: String) -> Refused {
    let error = json!({ "code": code, "description": description });
    (status, json!({ "chart": { "result": null, "error": error } }))
}

/// The length of a bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Length {
    /// Within a session.
    Seconds(i64),
    /// A session or longer.
    Sessions(Period),
}

/// A request as understood.
pub(super) struct Query {
    /// As asked.
    pub(super) interval: String,
    /// The length of the bars.
    pub(super) length: Length,
    /// The `range` asked, empty where the window was given.
    pub(super) range: String,
    /// Seconds since the epoch.
    pub(super) from: i64,
    /// Seconds since the epoch, exclusive.
    pub(super) to: i64,
    /// Rows before and after the session too.
    pub(super) extended: bool,
    /// Which events.
    pub(super) events: String,
}

/// The length of an interval's bars.
pub(super) fn length_of(interval: &str) -> Option<Length> {
    Some(match interval {
        "1m" => Length::Seconds(60),
        "2m" => Length::Seconds(120),
        "5m" => Length::Seconds(300),
        "15m" => Length::Seconds(900),
        "30m" => Length::Seconds(1800),
        "60m" | "1h" => Length::Seconds(3600),
        "90m" => Length::Seconds(5400),
        "4h" => Length::Seconds(14_400),
        "1d" | "5d" => Length::Sessions(Period::D1),
        "1wk" => Length::Sessions(Period::W1),
        "1mo" => Length::Sessions(Period::Mo1),
        "3mo" => Length::Sessions(Period::Mo3),
        _ => return None,
    })
}

impl Query {
    /// Understands the parameters for a listing at the server's clock, or refuses as Yahoo does.
    pub(super) fn read(
        parameters: &[(String, String)],
        listing: &Listing,
        now: i64,
    ) -> Result<Query, Refused> {
        let get = |name: &str| {
            let found = parameters.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.as_str())
        };
        let instant = |name: &str| get(name).map(str::parse::<i64>).transpose();
        let interval = get("interval").unwrap_or("1d").to_owned();
        let length = length_of(&interval).ok_or_else(|| {
            let said = format!(
                "Invalid input - interval={interval} is not supported. Valid intervals: [{INTERVALS}]"
            );
            refused(400, "Bad Request", said)
        })?;
        let (Ok(period1), Ok(period2)) = (instant("period1"), instant("period2")) else {
            return Err(refused(400, "Bad Request", "Invalid input - period1 or period2".into()));
        };
        let range = if period1.is_some() { "" } else { get("range").unwrap_or("1d") };
        let mut query = Query {
            interval,
            length,
            range: range.to_owned(),
            from: period1.unwrap_or(0),
            to: period2.unwrap_or(now),
            extended: get("includePrePost").is_some_and(|value| value.eq_ignore_ascii_case("true")),
            events: get("events").unwrap_or_default().to_owned(),
        };
        if !range.is_empty() {
            query.from = range_start(range, listing, now)?;
        }
        query.check(listing, now)?;
        if query.range == "max" && query.interval == "1d" {
            // Yahoo says nothing and sends quarters.
            query.interval = "3mo".into();
            query.length = Length::Sessions(Period::Mo3);
        }
        Ok(query)
    }

    /// Bars of another interval, as a rule wants them.
    pub(super) fn switch(&mut self, interval: &str) {
        if let Some(length) = length_of(interval) {
            self.interval = interval.to_owned();
            self.length = length;
        }
    }

    fn check(&self, listing: &Listing, now: i64) -> Result<(), Refused> {
        let Query { interval, from, to, .. } = self;
        let unprocessable = |said| Err(refused(422, "Unprocessable Entity", said));
        let reach = match self.length {
            Length::Seconds(60) => 30,
            Length::Seconds(3600 | 14_400) => 730,
            Length::Seconds(_) => 60,
            Length::Sessions(_) => i64::MAX / DAY,
        };
        let short_range = self.range == "1d" || self.range == "5d";
        if self.length == Length::Seconds(60) && !short_range && to - from > 8 * DAY {
            return unprocessable(
                "Only 8 days worth of 1m granularity data are allowed to be fetched per request.".to_owned(),
            );
        }
        if !short_range && now - from >= reach.saturating_mul(DAY) {
            return unprocessable(format!(
                "{interval} data not available for startTime={from} and endTime={to}. The requested range must be within the last {reach} days."
            ));
        }
        if from >= to || *to <= listing.hours(listing.first_day).open || *from > now {
            let said = format!("Data doesn't exist for startDate = {from}, endDate = {to}");
            return Err(refused(400, "Bad Request", said));
        }
        Ok(())
    }
}

fn range_start(range: &str, listing: &Listing, now: i64) -> Result<i64, Refused> {
    let today = listing.today(now);
    let back = |days: i32| today.plus(-days).midnight();
    Ok(match range {
        "1d" => nth_last_session(listing, 1, now),
        "5d" => nth_last_session(listing, 5, now),
        "1mo" => back(30),
        "3mo" => back(91),
        "6mo" => back(182),
        "1y" => back(365),
        "2y" => back(730),
        "5y" => back(1826),
        "10y" => back(3652),
        "ytd" => Day::of_date(today.date().first_of_year()).midnight(),
        "max" => listing.hours(listing.first_day).open,
        _ => {
            let allowed = RANGES.join(", ");
            let said = format!("Invalid input - range={range} is not supported. Valid ranges: [{allowed}]");
            return Err(refused(400, "Bad Request", said));
        }
    })
}

fn nth_last_session(listing: &Listing, nth: usize, now: i64) -> i64 {
    let today = listing.today(now);
    Days::new(today.plus(-20), today)
        .and_then(|days| listing.sessions(days, now).rev().nth(nth - 1))
        .map_or(now - DAY, |session| session.open)
}
