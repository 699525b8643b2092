//! What was left for later, by a provider that refused, by a connection that broke, or because an account's daily
//! allowance was used up: the service goes on with it by itself, over restarts too.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::engine::{Engine, blocking};
use super::state::JobView;
use crate::archive::{Archive, ArchiveError};
use crate::bus::Error;
use crate::download::{Outcome, SeriesResult, Summary};
use crate::provider::limits::State;
use crate::request::{Request, source};

/// Under which name they are noted in the catalogue.
const NOTE: &str = "leftovers";
/// A run that could not be started, or that a provider cut short, is tried again after so many seconds at the earliest.
const AGAIN: i64 = 900;
/// Repeats in vain are put off twice as long each time, up to so many seconds.
const LONGEST: i64 = 24 * 3600;

/// A request that was not done whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Leftover {
    /// When there is something to spend again, in seconds since the epoch.
    pub(super) at: i64,
    pub(super) request: Request,
    /// How many repeats in a row were in vain.
    #[serde(default)]
    pub(super) repeats: u32,
}

impl Leftover {
    /// What a job with a provider in this state leaves: with the next day's allowance, which `resumes`, or after
    /// the cool-down that the provider asked for it goes on; where nobody knows when, less and less often.
    fn of(request: &Request, resumes: Option<i64>, state: State, repeats: u32, now: i64) -> Leftover {
        // What was fetched again is stored, and would be fetched from its beginning each time.
        let request = Request { force: false, ..request.clone() };
        let (at, repeats) = match (resumes, state) {
            (Some(resumes), _) => (resumes, 0),
            (None, State::Limited { until }) if until > now => (until.max(now + AGAIN), 0),
            (None, State::Broken { until }) => (until.max(now + pause(repeats)), repeats),
            (None, State::Ready | State::Limited { .. }) => (now + pause(repeats), repeats),
        };
        Leftover { at, request, repeats }
    }
}

/// How long a request is put off after so many repeats in vain, in seconds.
fn pause(repeats: u32) -> i64 {
    (AGAIN << repeats.min(7)).min(LONGEST)
}

/// The first series for which asking again may bring something before long: what is not listed is left by its own
/// note, for as long as a week.
fn first_left(summary: &Summary) -> Option<&SeriesResult> {
    summary.results.iter().find(|result| matches!(result.outcome, Outcome::Later(_)))
}

/// What the service before this one left.
pub(super) fn noted(archive: &Archive) -> Result<Vec<Leftover>, ArchiveError> {
    let text = archive.note(NOTE)?.unwrap_or_else(|| "[]".to_owned());
    Ok(serde_json::from_str(&text).unwrap_or_else(|error| {
        tracing::warn!("what was left for later cannot be read and is left to the next run: {error}");
        Vec::new()
    }))
}

impl Engine {
    /// Notes what is left of a request; `None`: nothing.
    pub(super) async fn leave(self: &Arc<Self>, request: &Request, rest: Option<Leftover>) {
        let unforced = Request { force: false, ..request.clone() };
        let others = |left: &Leftover| left.request != unforced;
        if rest.is_none() && self.look(|state| state.leftovers.iter().all(others)) {
            return;
        }
        let all = self.change(|state| {
            state.leftovers.retain(others);
            state.leftovers.extend(rest);
            state.leftovers.clone()
        });
        let engine = Arc::clone(self);
        let noted = blocking(move || {
            let text = serde_json::to_string(&all).unwrap_or_default();
            engine.archive().set_note(NOTE, &text)
        });
        if let Ok(Err(error)) = noted.await {
            tracing::warn!("what was left for later cannot be noted: {error}");
        }
        self.refreshes.relist();
        self.schedule_changed();
    }

    /// What a job left for later.
    pub(super) fn left(&self, job: &JobView, summary: &Summary) -> Option<Leftover> {
        let first = first_left(summary).filter(|_| job.request.import.is_empty())?;
        let standings = self.throttle.snapshot().unwrap_or_default();
        let of = standings.iter().find(|standing| standing.provider == first.key.provider);
        let state = of.map_or(State::Ready, |standing| standing.state);
        let repeats = self.look(|state| state.jobs.get(&job.id).map_or(0, |job| job.repeats));
        Some(Leftover::of(&job.request, summary.resumes, state, repeats, (source::clock())()))
    }

    /// What goes on first.
    pub(super) fn next_leftover(&self) -> Option<Leftover> {
        self.look(|state| state.leftovers.iter().min_by_key(|left| left.at).cloned())
    }

    /// Asks for the rest of a request.
    pub(super) async fn go_on(self: &Arc<Self>, left: Leftover, now: i64) {
        let client = "what was left for later";
        let again = match self.update(left.request.clone(), "schedule", client).await {
            Ok(id) => {
                tracing::info!(job = id, "{client} is asked for by job {id}");
                self.change(|state| {
                    if let Some(job) = state.jobs.get_mut(&id) {
                        job.repeats = left.repeats + 1;
                    }
                });
                None
            }
            Err(error) => {
                tracing::error!("{client} cannot be asked for: {}", error.said());
                let passes =
                    matches!(error, Error::Paused(_) | Error::ShuttingDown(_) | Error::ArchiveBusy(_));
                let repeats = left.repeats + u32::from(!passes);
                let pause = if passes { AGAIN } else { pause(left.repeats) };
                Some(Leftover { at: now + pause, repeats, ..left.clone() })
            }
        };
        self.leave(&left.request, again).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Class, Period, SeriesKey};

    const NOW: i64 = 1_800_000_000;

    fn after(resumes: Option<i64>, state: State, repeats: u32) -> (i64, u32) {
        let left = Leftover::of(&Request::default(), resumes, state, repeats, NOW);
        (left.at - NOW, left.repeats)
    }

    #[test]
    fn where_the_end_is_known_it_goes_on_then() {
        let broken = State::Broken { until: NOW + 60 };
        assert_eq!(after(Some(NOW + 5_000), broken, 3), (5_000, 0));
        assert_eq!(after(None, State::Limited { until: NOW + 7_200 }, 3), (7_200, 0));
        assert_eq!(after(None, State::Limited { until: NOW + 1 }, 0), (900, 0));
    }

    #[test]
    fn a_provider_that_stays_down_is_asked_less_and_less_often() {
        let at = |repeats| after(None, State::Broken { until: NOW + 60 }, repeats).0;
        let pauses: Vec<i64> = (0..9).map(at).collect();
        assert_eq!(pauses, [900, 1800, 3600, 7200, 14400, 28800, 57600, 86400, 86400]);
        assert_eq!(after(None, State::Ready, 2), (3600, 2));
        assert_eq!(after(None, State::Limited { until: NOW - 1 }, 1), (1800, 1));
        assert_eq!(after(None, State::Broken { until: NOW + 100_000 }, 0), (100_000, 0));
    }

    #[test]
    fn a_repeat_is_never_forced() {
        let request = Request { force: true, provider: Some("yahoo".to_owned()), ..Request::default() };
        let left = Leftover::of(&request, None, State::Ready, 0, NOW).request;
        assert_eq!(left, Request { force: false, ..request });
    }

    #[test]
    fn what_is_left_by_its_own_note_is_no_reason_to_ask_again() {
        let result = |symbol: &str, outcome| SeriesResult {
            key: SeriesKey {
                provider: "ibkr".to_owned(),
                class: Class::Future,
                symbol: symbol.to_owned(),
                contract: None,
                period: Period::D1,
            },
            outcome,
            added: 0,
            changed: 0,
            requests: 0,
            notes: Vec::new(),
        };
        let unlisted = result("GC", Outcome::Unlisted("it is not listed".to_owned()));
        let mut summary = Summary { results: vec![unlisted], ..Summary::default() };
        assert!(first_left(&summary).is_none());
        summary.results.push(result("CL", Outcome::Later("no connection".to_owned())));
        assert_eq!(first_left(&summary).map(|left| left.key.symbol.as_str()), Some("CL"));
    }
}
