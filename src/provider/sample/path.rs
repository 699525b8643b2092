//! How the price and the volume of a session go through its minutes.

use super::listing::Listing;
use super::market::RawDay;
use super::noise::{mix, signed, unit};

/// The way of the price through the minutes of a session.
pub(super) struct Path<'a> {
    listing: &'a Listing,
    raw: &'a RawDay,
    seed: u64,
    count: usize,
    /// Points that are certain: the open, the two extremes and the close.
    known: [(usize, f64); 4],
}

impl<'a> Path<'a> {
    /// The way through `count` minutes.
    pub(super) fn new(listing: &'a Listing, seed: u64, raw: &'a RawDay, count: usize) -> Path<'a> {
        // One extreme in each half of the session, in either order.
        let half = (count / 2).max(2);
        let early = 1 + (mix(seed, 1) as usize) % (half - 1);
        let late = half + (mix(seed, 2) as usize) % (half - 1);
        let high_first = mix(seed, 3).is_multiple_of(2);
        let (first, second) = if high_first { (raw.high, raw.low) } else { (raw.low, raw.high) };
        let known = [(0, raw.open), (early, first), (late, second), (count, raw.close)];
        Path { listing, raw, seed, count, known }
    }

    /// The raw price after that many minutes.
    pub(super) fn price(&self, at: usize) -> f64 {
        let mut from = self.known[0];
        for to in self.known {
            if at == to.0 {
                return to.1;
            }
            if at < to.0 {
                let share = (at - from.0) as f64 / (to.0 - from.0) as f64;
                let room = (self.raw.high - self.raw.low) * 0.8 * (share * (1.0 - share)).sqrt();
                let place = at as i64;
                let noise = 0.4 * signed(self.seed, place) + 0.6 * signed(self.seed ^ 1, place / 7);
                let price = from.1 + (to.1 - from.1) * share + room * noise;
                return self.listing.to_tick(price).clamp(self.raw.low, self.raw.high);
            }
            from = to;
        }
        self.raw.close
    }

    /// The lots traded in the first `minutes` minutes: most of them near the open and the close.
    pub(super) fn lots(&self, minutes: usize) -> f64 {
        if minutes == 0 || minutes >= self.count {
            return if minutes == 0 { 0.0 } else { self.raw.lots };
        }
        let jitter = 0.8 * unit(self.seed ^ 2, minutes as i64);
        let share = ((minutes as f64 + jitter) / self.count as f64).min(1.0);
        let centred = 2.0 * share - 1.0;
        let cumulative = (share + (centred.powi(3) + 1.0) / 4.0) / 1.5;
        (self.raw.lots * cumulative).floor()
    }
}
