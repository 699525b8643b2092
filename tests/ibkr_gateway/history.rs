//! What the gateway takes for true: bars of the sample market in the broker's lengths and kinds.

use jiff::ToSpan;
use jiff::tz::TimeZone;
use vortex::model::{Class, Day, Days, Period};
use vortex::provider::sample::listing::{Kind, Listing};
use vortex::provider::sample::market::{Bar, Session, fold};

use super::message::History;

/// Bar lengths by the broker's names. Seconds of intraday bars.
const SIZES: [(&str, Size); 23] = [
    ("1 secs", Size::Seconds(1)),
    ("5 secs", Size::Seconds(5)),
    ("10 secs", Size::Seconds(10)),
    ("15 secs", Size::Seconds(15)),
    ("30 secs", Size::Seconds(30)),
    ("1 min", Size::Seconds(60)),
    ("2 mins", Size::Seconds(120)),
    ("3 mins", Size::Seconds(180)),
    ("5 mins", Size::Seconds(300)),
    ("10 mins", Size::Seconds(600)),
    ("15 mins", Size::Seconds(900)),
    ("20 mins", Size::Seconds(1200)),
    ("30 mins", Size::Seconds(1800)),
    ("1 hour", Size::Seconds(3600)),
    ("2 hours", Size::Seconds(7200)),
    ("3 hours", Size::Seconds(10800)),
    ("4 hours", Size::Seconds(14400)),
    ("8 hours", Size::Seconds(28800)),
    ("1 day", Size::Sessions(Period::D1)),
    ("1 week", Size::Sessions(Period::W1)),
    ("1W", Size::Sessions(Period::W1)),
    ("1 month", Size::Sessions(Period::Mo1)),
    ("1M", Size::Sessions(Period::Mo1)),
];

/// What the gateway says the names are.
pub(super) const LEGAL_SIZES: &str = "1 secs, 5 secs, 10 secs, 15 secs, 30 secs, 1 min, 2 mins, 3 mins, 5 mins, \
     10 mins, 15 mins, 20 mins, 30 mins, 1 hour, 2 hours, 3 hours, 4 hours, 8 hours, 1 day, 1W, 1M";

/// The length of a bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Size {
    Seconds(i64),
    Sessions(Period),
}

/// The longest duration, in seconds, of the smallest bars.
const STEPS: [(i64, i64); 5] = [(1, 1800), (5, 3600), (10, 14_400), (15, 14_400), (30, 28_800)];

/// Whether so long a duration may be asked for in so small bars.
pub(super) fn is_step(asked: &History) -> bool {
    let Some(Size::Seconds(seconds)) = Size::named(&asked.bar_size) else {
        return true;
    };
    let Some((_, longest)) = STEPS.iter().find(|(of, _)| *of == seconds) else {
        return true;
    };
    let duration = asked.duration.strip_suffix(" S").and_then(|count| count.parse::<i64>().ok());
    duration.is_some_and(|duration| duration <= *longest)
}

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Show {
    Trades,
    AdjustedLast,
    Midpoint,
    Bid,
    Ask,
    BidAsk,
}

/// A bar as it is, before anything is written down. Instants are seconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TrueBar {
    /// It begins.
    pub(crate) start: i64,
    /// Its trading date; of a longer bar the last one so far.
    pub(crate) day: Day,
    /// Open, high, low, close.
    pub(crate) prices: [f64; 4],
    /// -1 where there are only quotes.
    pub(crate) volume: f64,
    /// The average by volume; -1 where there are only quotes.
    pub(crate) average: f64,
    /// How many trades; -1 where there are only quotes.
    pub(crate) count: i32,
}

/// The range asked for: the dates, and within them from … to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Window {
    pub(crate) days: Days,
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// Whether the first longer bar holds only what lies in the window.
    pub(crate) cut: bool,
}

impl Size {
    pub(crate) fn named(name: &str) -> Option<Size> {
        SIZES.iter().find(|(known, _)| *known == name).map(|(_, size)| *size)
    }
}

impl Show {
    pub(crate) fn named(name: &str) -> Option<Show> {
        Some(match name {
            "TRADES" | "AGGTRADES" => Show::Trades,
            "ADJUSTED_LAST" => Show::AdjustedLast,
            "MIDPOINT" => Show::Midpoint,
            "BID" => Show::Bid,
            "ASK" => Show::Ask,
            "BID_ASK" => Show::BidAsk,
            _ => return None,
        })
    }

    /// Whether a listing has it.
    pub(super) fn is_of(self, listing: &Listing) -> bool {
        let trades = matches!(self, Show::Trades | Show::AdjustedLast);
        !(trades && listing.class() == Class::Forex || !trades && listing.kind == Kind::Index)
    }
}

impl Window {
    /// The window that ends at an instant, by a duration such as `5 D`; `Err` says why there is none.
    pub(super) fn new(listing: &Listing, asked: &History, to: i64) -> Result<Window, String> {
        let invalid = || format!("Invalid duration: {}", asked.duration);
        let (count, unit) = asked.duration.split_once(' ').ok_or_else(invalid)?;
        let count: i32 = count.parse().ok().filter(|count| *count > 0).ok_or_else(invalid)?;
        let too_long = |limit: &str, unit: &str| {
            format!("Historical data requests for durations longer than {limit} must be made in {unit}.")
        };
        let last = listing.today(to);
        let midnight = |first: Day| {
            let from = first.instant(0, &listing.exchange.time_zone());
            Window { days: Days { first: first.min(last), last }, from, to, cut: false }
        };
        let before = |span: jiff::Span| {
            last.date()
                .checked_sub(span)
                .map(|date| midnight(Day::of_date(date).plus(1)))
                .map_err(|_| invalid())
        };
        match unit {
            "S" if count > 86_400 => Err(too_long("86400 seconds", "days")),
            "D" if count > 365 => Err(too_long("365 days", "years")),
            "S" => {
                let from = to - i64::from(count);
                Ok(Window { days: Days { first: listing.today(from), last }, from, to, cut: false })
            }
            "D" => Ok(midnight(nth_session_back(listing, count, to))),
            "W" => before((7 * i64::from(count)).days()),
            "M" => before(i64::from(count).months()),
            "Y" => before(i64::from(count).years()),
            _ => Err(invalid()),
        }
    }
}

/// The date of the nth last session that opened before an instant.
fn nth_session_back(listing: &Listing, count: i32, to: i64) -> Day {
    let last = listing.last_day.map_or(listing.today(to), |last| last.min(listing.today(to)));
    let days = Days { first: last.plus(-(count * 3 + 30)), last };
    let found = listing.sessions(days, to - 1).rev().nth(count as usize - 1);
    found.map_or(listing.first_day, |session| session.day)
}

/// The bars of a window, as of now: the last one may not be over yet.
pub(crate) fn bars(
    listing: &Listing,
    size: Size,
    show: Show,
    extended: bool,
    window: Window,
    now: i64,
) -> Vec<TrueBar> {
    let cut = window.to.min(now);
    let mut shown: Vec<TrueBar> = match size {
        Size::Sessions(period) => {
            let first = if window.cut { window.days.first } else { period.bar_day(window.days.first) };
            let days = Days { first, last: window.days.last };
            let daily = sessions(listing, days, cut, now);
            let adjusted = factors(listing, &daily, show, now);
            let adjusted: Vec<Bar> = daily.iter().zip(adjusted).map(|(bar, by)| scaled(bar, by)).collect();
            let bars = fold(&adjusted, |bar| (period.bar_day(bar.session.day).midnight(), bar.end));
            bars.iter().map(|bar| shown_as(bar, show, listing)).collect()
        }
        Size::Seconds(seconds) => {
            let bars = intraday(listing, seconds, extended, window.days, cut, now);
            let days: Vec<Bar> = bars.chunk_by(|a, b| a.session == b.session).map(|day| day[0]).collect();
            let factors: Vec<f64> = factors(listing, &days, show, now);
            let by_day = |bar: &Bar| {
                days.binary_search_by_key(&bar.session.day, |day| day.session.day)
                    .map_or(1.0, |at| factors[at])
            };
            bars.iter().map(|bar| shown_as(&scaled(bar, by_day(bar)), show, listing)).collect()
        }
    };
    if matches!(size, Size::Seconds(_)) {
        shown.retain(|bar| window.from <= bar.start && bar.start < cut);
    }
    shown
}

/// The bars of dates as an archive of them would have them: those that are over.
pub(crate) fn truth(listing: &Listing, size: Size, show: Show, days: Days, now: i64) -> Vec<TrueBar> {
    let window = Window { days, from: i64::MIN, to: i64::MAX, cut: false };
    let mut bars = bars(listing, size, show, false, window, now);
    let over = |bar: &TrueBar| match size {
        Size::Seconds(seconds) => {
            let close = listing.hours(bar.day).close;
            bucket(bar.start, bar.day, seconds, &listing.exchange.time_zone()).1.min(close) <= now
        }
        Size::Sessions(period) => {
            let last = period.last_day(bar.day);
            listing.hours(last).close <= now
        }
    };
    bars.retain(over);
    bars
}

/// Daily bars; one that ends after the cut has what was traded by then.
fn sessions(listing: &Listing, days: Days, cut: i64, now: i64) -> Vec<Bar> {
    let mut bars: Vec<Bar> = listing.daily(days, now).into_iter().filter(|bar| bar.start < cut).collect();
    if let Some(last) = bars.pop_if(|bar| bar.end > cut) {
        let day = Days { first: last.session.day, last: last.session.day };
        let mut minutes = listing.minutes(day, now);
        minutes.retain(|minute| minute.end <= cut);
        bars.extend(fold(&minutes, |_| (last.start, last.end)));
    }
    bars
}

/// Bars by the clock of the exchange, counted from midnight: a first one may be shorter.
fn intraday(listing: &Listing, seconds: i64, extended: bool, days: Days, cut: i64, now: i64) -> Vec<Bar> {
    let zone = listing.exchange.time_zone();
    let mut minutes = listing.minutes(days, now);
    minutes.retain(|minute| minute.end <= cut);
    let mut bars = Vec::new();
    for of_day in minutes.chunk_by(|a, b| a.session == b.session) {
        let session = of_day[0].session;
        let mut of_day = of_day.to_vec();
        if extended && let Some((from, to)) = listing.exchange.extended {
            let opened = session.open - i64::from(listing.exchange.open - from);
            let closed = session.close + i64::from(to - listing.exchange.close);
            let (first, last) = (of_day[0], of_day[of_day.len() - 1]);
            of_day.splice(0..0, quiet(opened, session.open, first, first.open));
            of_day.extend(quiet(session.close, closed.min(cut), last, last.close));
        }
        let midnight = session.day.instant(0, &zone);
        let place = |start: i64| midnight + (start - midnight).div_euclid(seconds) * seconds;
        match seconds {
            60 => bars.extend(of_day),
            ..60 => bars.extend(of_day.iter().flat_map(|minute| slices(minute, seconds))),
            _ => bars.extend(fold(&of_day, |bar| {
                let start = place(bar.start);
                // The regular session cuts the bar that holds its opening.
                let from = if extended { start } else { start.max(session.open) };
                (from, start + seconds)
            })),
        }
    }
    bars
}

/// From when to when a bar reaches.
fn bucket(start: i64, day: Day, seconds: i64, zone: &TimeZone) -> (i64, i64) {
    let midnight = day.instant(0, zone);
    let from = midnight + (start - midnight).div_euclid(seconds) * seconds;
    (from, from + seconds)
}

/// The few minutes outside of the session in which something is traded; the others have no bar.
fn quiet(from: i64, to: i64, like: Bar, price: f64) -> impl Iterator<Item = Bar> {
    let minute = move |start| Bar {
        start,
        end: start + 60,
        open: price,
        high: price,
        low: price,
        close: price,
        volume: 40.0,
        ..like
    };
    (from..to).step_by(7 * 60).map(minute)
}

/// A minute in slices that fold into it.
fn slices(minute: &Bar, seconds: i64) -> Vec<Bar> {
    let count = 60 / seconds;
    let price = |at: i64| match at {
        0 => minute.open,
        at if at == count => minute.close,
        at => {
            let price = minute.open + (minute.close - minute.open) * at as f64 / count as f64;
            ((price * 1e5).round() / 1e5).clamp(minute.low, minute.high)
        }
    };
    let traded = |at: i64| (minute.volume * at as f64 / count as f64).floor();
    let slice = |at: i64| {
        let (open, close) = (price(at), price(at + 1));
        Bar {
            start: minute.start + at * seconds,
            end: minute.start + (at + 1) * seconds,
            open,
            high: open.max(close),
            low: open.min(close),
            close,
            volume: traded(at + 1) - traded(at),
            ..*minute
        }
    };
    (0..count).map(slice).collect()
}

/// By what each day's prices are multiplied.
fn factors(listing: &Listing, bars: &[Bar], show: Show, now: i64) -> Vec<f64> {
    if show != Show::AdjustedLast {
        return vec![1.0; bars.len()];
    }
    let adjusted = listing.adjusted_closes(bars, now);
    bars.iter().zip(adjusted).map(|(bar, close)| close / bar.close).collect()
}

fn scaled(bar: &Bar, by: f64) -> Bar {
    if by == 1.0 {
        return *bar;
    }
    let price = |price: f64| (price * by * 1e4).round() / 1e4;
    Bar { open: price(bar.open), high: price(bar.high), low: price(bar.low), close: price(bar.close), ..*bar }
}

/// The price the market means: the shortest decimal of its single precision.
fn plain(price: f64) -> f64 {
    (price as f32).to_string().parse().unwrap_or(price)
}

fn shown_as(bar: &Bar, show: Show, listing: &Listing) -> TrueBar {
    let half = if listing.class() == Class::Forex { 5e-5 } else { 0.01 };
    let around = |price: f64, by: f64| ((plain(price) + by) * 1e6).round() / 1e6;
    let mut prices = [bar.open, bar.high, bar.low, bar.close].map(plain);
    match show {
        Show::Trades | Show::AdjustedLast | Show::Midpoint => {}
        Show::Bid => prices = prices.map(|price| around(price, -half)),
        Show::Ask => prices = prices.map(|price| around(price, half)),
        Show::BidAsk => {
            prices = [bar.open, bar.high, bar.low, bar.close].map(plain);
            prices[1] = around(bar.high, half);
            prices[2] = around(bar.low, -half);
        }
    }
    let traded = matches!(show, Show::Trades | Show::AdjustedLast);
    let [open, high, low, close] = prices;
    let average = ((open + high + low + close) / 4.0 * 1e3).round() / 1e3;
    TrueBar {
        start: bar.start,
        day: bar.session.day,
        prices,
        volume: if traded { bar.volume } else { -1.0 },
        average: if traded { average } else { -1.0 },
        count: if traded { (bar.volume / 100.0).ceil().min(1e9) as i32 } else { -1 },
    }
}

/// The sessions of a window.
pub(super) fn schedule(listing: &Listing, window: Window, now: i64) -> Vec<Session> {
    listing.sessions(window.days, window.to.min(now)).collect()
}
