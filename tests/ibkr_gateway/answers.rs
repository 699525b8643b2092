//! What is answered to what is asked.

use jiff::tz::TimeZone;
use vortex::model::{Days, Period};

use super::contracts::Quoted;
use super::history::{self, LEGAL_SIZES, Show, Size, TrueBar, Window};
use super::message::{Answer, Contract, History, SentBar};
use super::rules::Action;
use super::shared::{Shared, lock};
use super::stamps::{self, Zone};

/// Bars of at most 30 seconds are kept for about six months.
const SMALL_BARS_REACH: i64 = 183 * 86_400;

/// An error of the history service.
pub(super) fn service(shared: &Shared, id: i32, text: &str) -> Answer {
    let prefix = lock(&shared.options).prefix.clone();
    Answer::Error { id, code: 162, text: format!("{prefix}:{text}"), at: shared.now() }
}

fn error(shared: &Shared, id: i32, code: i32, text: String) -> Answer {
    Answer::Error { id, code, text, at: shared.now() }
}

fn invalid(shared: &Shared, id: i32, cause: &str) -> Answer {
    error(shared, id, 321, format!("Error validating request.-'bN' : cause - {cause}"))
}

const NO_DEFINITION: &str = "No security definition has been found for the request";

/// The one contract that is meant, or the error that says why there is not one.
fn one(shared: &Shared, id: i32, contract: &Contract) -> Result<Quoted, Answer> {
    let mut found = shared.resolve(contract);
    match (found.pop(), found.is_empty()) {
        (Some(quoted), true) => Ok(quoted),
        (None, _) => Err(error(shared, id, 200, NO_DEFINITION.to_owned())),
        (Some(_), false) => {
            let text = format!("The contract description specified for {} is ambiguous.", contract.symbol);
            Err(error(shared, id, 200, text))
        }
    }
}

pub(super) fn details(shared: &Shared, id: i32, contract: &Contract) -> Vec<Answer> {
    let found = shared.resolve(contract);
    if found.is_empty() {
        return vec![error(shared, id, 200, NO_DEFINITION.to_owned())];
    }
    let details = |quoted: &Quoted| Answer::Details { id, details: Box::new(quoted.details(shared.now())) };
    let mut answers: Vec<Answer> = found.iter().map(details).collect();
    answers.push(Answer::DetailsEnd { id });
    answers
}

pub(super) fn head(shared: &Shared, id: i32, asked: &History, actions: &[Action]) -> Vec<Answer> {
    let quoted = match one(shared, id, &asked.contract) {
        Ok(quoted) => quoted,
        Err(error) => return vec![error],
    };
    let fits = Show::named(&asked.what_to_show).is_some_and(|show| show.is_of(&quoted.listing));
    if !fits {
        return vec![service(shared, id, "No head time stamp")];
    }
    let told = actions.iter().find_map(|action| match action {
        Action::HeadAt { seconds } => Some(*seconds),
        _ => None,
    });
    let first = told.unwrap_or_else(|| quoted.listing.hours(quoted.listing.first_day).open);
    let stamp = match asked.format_date {
        2 => first.to_string(),
        _ => stamps::dashed(first, &TimeZone::UTC),
    };
    vec![Answer::Head { id, stamp }]
}

pub(super) fn history(
    shared: &Shared,
    id: i32,
    asked: &History,
    actions: &[Action],
    version: i32,
) -> Vec<Answer> {
    answer(shared, id, asked, actions, version).unwrap_or_else(|error| vec![error])
}

fn answer(
    shared: &Shared,
    id: i32,
    asked: &History,
    actions: &[Action],
    version: i32,
) -> Result<Vec<Answer>, Answer> {
    let served = lock(&shared.served).get(&asked.contract.symbol).cloned();
    if let Some(bars) = served {
        // Seconds since the epoch are no end that a client reads.
        let instant = |date: &str| date.parse().ok().filter(|at: &i64| *at > 99_991_231);
        let end = |at: Option<&SentBar>| {
            let written = |bar: &SentBar| {
                // A date alone is none either.
                let midnight =
                    || format!("{}{}", bar.date, if bar.date.len() == 8 { "-00:00:00" } else { "" });
                instant(&bar.date).map_or_else(midnight, |at| stamps::dashed(at, &TimeZone::UTC))
            };
            at.map_or_else(String::new, written)
        };
        let (start, end) = (end(bars.first()), end(bars.last()));
        let history = Answer::History { id, bars, start: start.clone(), end: end.clone() };
        return Ok(vec![history, Answer::HistoryEnd { id, start, end }]);
    }
    if !history::is_step(asked) {
        let seconds = asked.bar_size.split(' ').next().unwrap_or_default();
        return Err(service(shared, id, &format!("invalid step: {seconds}")));
    }
    let quoted = one(shared, id, &asked.contract)?;
    let listing = &quoted.listing;
    let to = match asked.end.as_str() {
        "" => shared.now(),
        text => stamps::asked(text, listing).ok_or_else(|| error(shared, id, 10314, bad_end()))?,
    };
    let mut window = Window::new(listing, asked, to).map_err(|cause| invalid(shared, id, &cause))?;
    if asked.what_to_show == "SCHEDULE" {
        return Ok(vec![schedule(shared, id, &quoted, window)]);
    }
    window.cut = actions.contains(&Action::CutFirst {});
    let (size, show) = checked(shared, id, asked, &quoted)?;
    if let Some(count) = wanted(actions) {
        window = reach_back(window, size, &quoted, count);
    }
    if matches!(size, Size::Seconds(..=30)) && window.from < shared.now() - SMALL_BARS_REACH {
        return Err(no_data(shared, id, &quoted, show));
    }
    let mut bars = history::bars(listing, size, show, !asked.regular_hours, window, shared.now());
    if let Some(count) = wanted(actions) {
        bars.drain(..bars.len().saturating_sub(count));
    }
    if bars.is_empty() {
        return Err(no_data(shared, id, &quoted, show));
    }
    if actions.contains(&Action::Empty {}) {
        bars.clear();
    }
    spoil(&mut bars, actions);
    {
        let mut counts = lock(&shared.counts);
        counts.bars += bars.len();
        counts.bars_most = counts.bars_most.max(bars.len());
    }
    let zone = end_zone(shared, actions);
    let ends = |at: i64| stamps::instant(at, listing, &zone, version);
    let (start, end) = (ends(window.from), ends(window.to));
    let sent = bars.iter().map(|bar| sent(bar, size, asked.format_date, &quoted, version)).collect();
    let history = Answer::History { id, bars: sent, start: start.clone(), end: end.clone() };
    Ok(vec![history, Answer::HistoryEnd { id, start, end }])
}

fn bad_end() -> String {
    "End Date/Time: The date, time, or time-zone entered is invalid. The correct format is yyyymmdd hh:mm:ss xx/xxxx \
     where yyyymmdd and xx/xxxx are optional. E.g.: 20031126 15:59:00 US/Eastern"
        .to_owned()
}

/// Length and kind of the bars, or what is wrong with them.
fn checked(shared: &Shared, id: i32, asked: &History, quoted: &Quoted) -> Result<(Size, Show), Answer> {
    let size = Size::named(&asked.bar_size).ok_or_else(|| {
        let cause = format!("Historical data bar size setting is invalid. Legal ones are: {LEGAL_SIZES}");
        invalid(shared, id, &cause)
    })?;
    let show = Show::named(&asked.what_to_show)
        .ok_or_else(|| invalid(shared, id, "Please enter a valid value of what to show"))?;
    if !asked.end.is_empty() && (show == Show::AdjustedLast || asked.keep_up_to_date) {
        return Err(invalid(shared, id, "End date not supported with adjusted last"));
    }
    if !show.is_of(&quoted.listing) {
        let contract = &quoted.contract;
        let text = format!(
            "No historical market data for {}/{}@{} {}",
            contract.symbol,
            contract.sec_type,
            contract.exchange,
            label(show)
        );
        return Err(service(shared, id, &text));
    }
    Ok((size, show))
}

fn label(show: Show) -> &'static str {
    match show {
        Show::Trades => "Trades",
        Show::AdjustedLast => "Adjusted_last",
        Show::Midpoint => "Midpoint",
        Show::Bid => "Bid",
        Show::Ask => "Ask",
        Show::BidAsk => "Bid_ask",
    }
}

fn no_data(shared: &Shared, id: i32, quoted: &Quoted, show: Show) -> Answer {
    service(shared, id, &format!("HMDS query returned no data: {} {}", quoted.label(), label(show)))
}

fn wanted(actions: &[Action]) -> Option<usize> {
    actions.iter().find_map(|action| match action {
        Action::Huge { bars } => Some(*bars),
        _ => None,
    })
}

/// A window with at least so many bars, where there are so many.
fn reach_back(window: Window, size: Size, quoted: &Quoted, count: usize) -> Window {
    let exchange = quoted.listing.exchange;
    let sessions = match size {
        Size::Sessions(Period::D1) => count,
        Size::Sessions(_) => count * 31,
        Size::Seconds(seconds) => {
            count / ((exchange.close - exchange.open) as usize / seconds as usize).max(1) + 1
        }
    };
    let first = window.days.last.plus(-(sessions as i32 * 3 / 2 + 30)).max(quoted.listing.first_day);
    let first = first.min(window.days.first);
    let from = first.instant(0, &exchange.time_zone());
    Window { days: Days { first, last: window.days.last }, from, ..window }
}

fn spoil(bars: &mut [TrueBar], actions: &[Action]) {
    for action in actions {
        match action {
            Action::Scale { factor } => {
                for bar in bars.iter_mut() {
                    bar.prices = bar.prices.map(|price| price * factor);
                    bar.average *= factor;
                }
            }
            Action::Fractions {} => {
                for bar in bars.iter_mut().filter(|bar| bar.volume > 0.0) {
                    bar.volume = fractional(bar);
                }
            }
            _ => {}
        }
    }
}

/// A volume with two decimals, as [`Action::Fractions`] makes it.
pub(crate) fn fractional(bar: &TrueBar) -> f64 {
    bar.volume + (bar.start / 60).rem_euclid(100) as f64 / 100.0
}

fn end_zone(shared: &Shared, actions: &[Action]) -> Zone {
    let ruled = actions.iter().find_map(|action| match action {
        Action::EndInUtc {} => Some(Zone::Utc),
        Action::EndInZone { name } => Some(Zone::Named(name.clone())),
        _ => None,
    });
    ruled.unwrap_or_else(|| lock(&shared.options).end_zone.clone())
}

fn sent(bar: &TrueBar, size: Size, format: i32, quoted: &Quoted, version: i32) -> SentBar {
    let date = match (size, format) {
        (Size::Sessions(_), _) => stamps::date(bar.day),
        (Size::Seconds(_), 2) => bar.start.to_string(),
        (Size::Seconds(_), _) => stamps::instant(bar.start, &quoted.listing, &Zone::Instrument, version),
    };
    SentBar {
        date,
        prices: bar.prices,
        volume: bar.volume.to_string(),
        average: bar.average.to_string(),
        count: bar.count,
    }
}

fn schedule(shared: &Shared, id: i32, quoted: &Quoted, window: Window) -> Answer {
    let listing = &quoted.listing;
    let zone = listing.exchange.time_zone();
    let sessions = history::schedule(listing, window, shared.now());
    let session = |session: &vortex::provider::sample::market::Session| {
        [stamps::dashed(session.open, &zone), stamps::dashed(session.close, &zone), stamps::date(session.day)]
    };
    let sessions: Vec<_> = sessions.iter().map(session).collect();
    let bound = |of: Option<&[String; 3]>, at: usize| of.map_or_else(String::new, |all| all[at].clone());
    Answer::Schedule {
        id,
        start: bound(sessions.first(), 0),
        end: bound(sessions.last(), 1),
        zone: quoted.zone_name().to_owned(),
        sessions,
    }
}
