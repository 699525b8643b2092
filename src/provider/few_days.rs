//! The test that the providers with bars over a network share.

use super::{Provider, Refusal, Request};
use crate::model::{Class, Day, Days, Instrument, Period};

/// Asks for a few days of one well-known stock at `now`, in seconds since the epoch; says in words what came.
pub(super) async fn few_days(provider: &dyn Provider, now: i64) -> Result<String, Refusal> {
    let today = Day::of_utc(now);
    let request = Request {
        instrument: Instrument::plain("AAPL", "AAPL", Class::Stock),
        contract: None,
        period: Period::D1,
        days: Days { first: today.plus(-10), last: today },
        correlation: "test".to_owned(),
    };
    let raw = provider.fetch(&request, &|_| {}).await?;
    let bars = provider.read(&request, &raw)?.bars;
    Ok(match bars.bounds() {
        Some((_, last)) => format!("{} daily bars of AAPL, the last of {}", bars.len(), Day::of_utc(last)),
        None => "it answers, but has no bars of AAPL in the last 10 days".to_owned(),
    })
}
