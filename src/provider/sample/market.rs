//! Bars of the sample market, as of an instant. Everything is a pure function of the listing, the
//! dates and that instant.
//!
//! A day is drawn first (open, high, low, close, volume); its minutes are then drawn so that they
//! fold into exactly that day. Prices are drawn as they were traded (raw) and divided by the splits
//! in effect, so that history rescales when the clock passes a split, as Yahoo's does.

use crate::model::{Day, Days};
use crate::provider::Split;

use super::listing::{Kind, Listing};
use super::noise::{mix, signed, unit, walk};
use super::path::Path;

/// Raw volumes are multiples of this, so that every split ratio in use leaves them whole.
const LOT: f64 = 40.0;

/// A session of an exchange: its trading date and, in seconds since the epoch, its hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The trading date.
    pub day: Day,
    /// It opens.
    pub open: i64,
    /// It closes.
    pub close: i64,
}

/// A bar. Instants are seconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// It begins.
    pub start: i64,
    /// It is over.
    pub end: i64,
    /// The session it lies in; of a longer bar the last one.
    pub session: Session,
    /// The first price.
    pub open: f64,
    /// The highest price.
    pub high: f64,
    /// The lowest price.
    pub low: f64,
    /// The last price.
    pub close: f64,
    /// How much was traded.
    pub volume: f64,
}

/// A dividend: who holds the share before `day` gets `amount`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dividend {
    /// The first date on which it trades without the dividend.
    pub day: Day,
    /// A share, at the scale of the splits in effect.
    pub amount: f64,
    /// By what earlier prices are multiplied to allow for it.
    pub factor: f64,
}

/// A day as it was traded, before any split that came later.
pub(super) struct RawDay {
    pub(super) open: f64,
    pub(super) high: f64,
    pub(super) low: f64,
    pub(super) close: f64,
    pub(super) lots: f64,
}

/// Folds consecutive bars of one bucket into one; `bucket` says from when to when that is.
pub fn fold(bars: &[Bar], bucket: impl Fn(&Bar) -> (i64, i64)) -> Vec<Bar> {
    let mut folded: Vec<Bar> = Vec::new();
    for bar in bars {
        let (start, end) = bucket(bar);
        match folded.last_mut() {
            Some(last) if last.start == start => {
                last.high = last.high.max(bar.high);
                last.low = last.low.min(bar.low);
                last.close = bar.close;
                last.volume += bar.volume;
                last.session = bar.session;
            }
            _ => folded.push(Bar { start, end, ..*bar }),
        }
    }
    folded
}

/// The bucket of an intraday bar of that many seconds, counted from the opening of its session.
pub fn intraday_bucket(bar: &Bar, seconds: i64) -> (i64, i64) {
    let Session { open, close, .. } = bar.session;
    let start = open + (bar.start - open).div_euclid(seconds) * seconds;
    (start, (start + seconds).min(close))
}

/// As Yahoo sends prices: single precision, widened.
fn single(price: f64) -> f64 {
    f64::from(price as f32)
}

impl Listing {
    /// The hours of a date, whether there is a session or not.
    pub fn hours(&self, day: Day) -> Session {
        let zone = self.exchange.time_zone();
        Session {
            day,
            open: day.instant(self.exchange.open, &zone),
            close: day.instant(self.exchange.close, &zone),
        }
    }

    /// The date on the exchange's wall.
    pub fn today(&self, now: i64) -> Day {
        Day::of_local(now, &self.exchange.time_zone())
    }

    /// The last date that is over: today once the session has closed.
    pub fn finished(&self, now: i64) -> Day {
        let today = self.today(now);
        let over = self.hours(today).close <= now;
        today.plus(if over { 0 } else { -1 })
    }

    /// The sessions within `days` that have opened by `now`, ascending.
    pub fn sessions(&self, days: Days, now: i64) -> impl DoubleEndedIterator<Item = Session> + '_ {
        let last = self.last_day.unwrap_or(days.last).min(self.today(now));
        let range = Days::new(self.first_day, last).and_then(|life| life.intersection(days));
        range
            .into_iter()
            .flat_map(Days::iter)
            .filter(|day| self.is_session(*day))
            .map(|day| self.hours(day))
            .filter(move |session| session.open <= now)
    }

    /// The last session that has opened by `now`.
    pub fn last_session(&self, now: i64) -> Option<Session> {
        let today = self.today(now);
        let last = self.last_day.unwrap_or(today).min(today);
        // No exchange is closed for three weeks.
        Days::new(last.plus(-20), last).and_then(|days| self.sessions(days, now).next_back())
    }

    /// The splits in effect: those whose first session has opened by `now`.
    pub fn splits_at(&self, now: i64) -> Vec<Split> {
        let open = |split: &&Split| self.hours(split.day).open <= now;
        self.splits.iter().filter(open).copied().collect()
    }

    /// Daily bars; that of a session still open holds what has been traded by `now`.
    pub fn daily(&self, days: Days, now: i64) -> Vec<Bar> {
        let splits = self.splits_at(now);
        let bar = |session: Session| {
            if session.close > now {
                let minutes = self.session_minutes(session, &splits, now);
                return fold(&minutes, |_| (session.open, session.close)).pop();
            }
            let raw = self.raw_day(session.day);
            let scale = ratio_after(&splits, session.day);
            Some(Bar {
                start: session.open,
                end: session.close,
                session,
                open: single(raw.open / scale),
                high: single(raw.high / scale),
                low: single(raw.low / scale),
                close: single(raw.close / scale),
                volume: (raw.lots * LOT * scale).round(),
            })
        };
        self.sessions(days, now).filter_map(bar).collect()
    }

    /// The minutes that are over by `now`.
    pub fn minutes(&self, days: Days, now: i64) -> Vec<Bar> {
        let splits = self.splits_at(now);
        self.sessions(days, now).flat_map(|session| self.session_minutes(session, &splits, now)).collect()
    }

    /// Dividends that trade without within `days` and by `now`, ascending.
    pub fn dividends(&self, days: Days, now: i64) -> Vec<Dividend> {
        if self.dividend_yield == 0.0 {
            return Vec::new();
        }
        let splits = self.splits_at(now);
        let mut quarter = days.first.first_of_quarter();
        let mut dividends = Vec::new();
        while quarter <= days.last {
            let day = self.ex_day(quarter);
            if days.contains(day) && self.first_day < day && self.hours(day).open <= now {
                dividends.push(self.dividend(day, &splits));
            }
            quarter = quarter.plus(92).first_of_quarter();
        }
        dividends
    }

    /// The closes of daily or longer bars, adjusted for the dividends up to `now`.
    pub fn adjusted_closes(&self, bars: &[Bar], now: i64) -> Vec<f64> {
        let (Some(first), today) = (bars.first(), self.today(now)) else {
            return Vec::new();
        };
        let mut dividends =
            Days::new(first.session.day, today).map(|days| self.dividends(days, now)).unwrap_or_default();
        let mut factor = 1.0;
        let mut closes: Vec<f64> = bars
            .iter()
            .rev()
            .map(|bar| {
                while let Some(dividend) = dividends.pop_if(|next| next.day > bar.session.day) {
                    factor *= dividend.factor;
                }
                single(bar.close * factor)
            })
            .collect();
        closes.reverse();
        closes
    }

    /// Contracts open at the end of a session: few when far from expiry, most a month before it.
    pub fn open_interest(&self, day: Day) -> f64 {
        let left = f64::from(self.days_left(day));
        let share = (-(left - 30.0).max(0.0) / 60.0).exp() * (left / 30.0).min(1.0);
        (self.volume * 2.5 * share * (0.9 + 0.2 * unit(mix(self.seed, 20), self.place(day)))).round()
    }

    fn days_left(&self, day: Day) -> i32 {
        self.last_day.map_or(0, |last| last.number() - day.number())
    }

    /// Where on its noise a day lies; contracts of one root differ.
    fn place(&self, day: Day) -> i64 {
        i64::from(day.number()) + i64::from(self.last_day.map_or(0, Day::number)) * 1_000_003
    }

    /// The price at the end of a date, at the scale of all splits ever.
    fn level(&self, day: Day) -> f64 {
        let growth = match self.kind {
            Kind::Currency => 0.0,
            Kind::Future => 0.02,
            Kind::Crypto => 0.4,
            Kind::Equity | Kind::Fund | Kind::Index => 0.06,
        };
        let years = f64::from(day.number() - 20_454) / 365.25; // since 2026-01-01
        let carry = 0.03 * f64::from(self.days_left(day)) / 365.25;
        let noise = self.swing * 0.8 * walk(self.seed, i64::from(day.number()));
        self.price * (growth * years + carry + noise).exp()
    }

    /// The nearest price that is a whole number of steps, at least one.
    pub(super) fn to_tick(&self, price: f64) -> f64 {
        // Dividing by the whole number of ticks in a unit keeps 0.01 steps exact.
        let per_unit = (1.0 / self.tick).round().max(1.0);
        (price * per_unit).round().max(1.0) / per_unit
    }

    fn raw_day(&self, day: Day) -> RawDay {
        let (ratio, place) = (ratio_after(&self.splits, day), self.place(day));
        let salted = |salt| mix(self.seed, salt);
        let gap = (self.swing * 0.25 * signed(salted(11), place)).exp();
        let close = self.to_tick(self.level(day) * ratio);
        let open = self.to_tick(self.level(day.plus(-1)) * gap * ratio);
        let (top, bottom) = (open.max(close), open.min(close));
        let reach = |salt| (self.swing * 0.5 * unit(salted(salt), place)).exp();
        let far = f64::from((self.days_left(day) - 45).max(0));
        let traded = self.volume * (0.5 + unit(salted(14), place)) * (-far / 60.0).exp();
        RawDay {
            open,
            high: self.to_tick(top * reach(12)).max(top),
            low: self.to_tick(bottom / reach(13)).min(bottom),
            close,
            lots: if self.volume > 0.0 { (traded / ratio / LOT).round().max(1.0) } else { 0.0 },
        }
    }

    /// The minutes of one session that are over by `now`.
    fn session_minutes(&self, session: Session, splits: &[Split], now: i64) -> Vec<Bar> {
        let raw = self.raw_day(session.day);
        let scale = ratio_after(splits, session.day);
        let starts = self.exchange.minutes();
        let count = starts.clone().count();
        let seed = mix(self.seed, mix(16, self.place(session.day) as u64));
        let path = Path::new(self, seed, &raw, count);
        let mut bars = Vec::with_capacity(count);
        for (at, second) in starts.enumerate() {
            let start = session.open + i64::from(second - self.exchange.open);
            if start + 60 > now {
                break;
            }
            let (open, close) = (path.price(at), path.price(at + 1));
            let lots = path.lots(at + 1) - path.lots(at);
            bars.push(Bar {
                start,
                end: start + 60,
                session,
                open: single(open / scale),
                high: single(open.max(close) / scale),
                low: single(open.min(close) / scale),
                close: single(close / scale),
                volume: (lots * LOT * scale).round(),
            });
        }
        bars
    }

    /// The date in a quarter from which it trades without the dividend.
    fn ex_day(&self, quarter: Day) -> Day {
        let mut day = quarter.plus(38 + (mix(self.seed, 15) % 10) as i32);
        while !self.exchange.is_open(day) {
            day = day.plus(1);
        }
        day
    }

    fn dividend(&self, day: Day, splits: &[Split]) -> Dividend {
        let mut before = day.plus(-1);
        while !self.exchange.is_open(before) {
            before = before.plus(-1);
        }
        let close = self.raw_day(before).close / ratio_after(splits, before);
        let amount = (close * self.dividend_yield / 4.0 * 1e4).round().max(1.0) / 1e4;
        Dividend { day, amount, factor: 1.0 - amount / close }
    }
}

/// New shares for one old of all these splits after a date.
fn ratio_after(splits: &[Split], day: Day) -> f64 {
    let later = splits.iter().filter(|split| split.day > day);
    later.map(|split| split.ratio).product()
}
