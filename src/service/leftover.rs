//! What was left for later, by a provider that refused, by a connection that broke, or because an account's daily
//! allowance was used up: the service goes on with it by itself, over restarts too.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::engine::{Engine, blocking};
use crate::archive::{Archive, ArchiveError};
use crate::download::{Outcome, SeriesResult, Summary};
use crate::provider::limits::State;
use crate::request::{Request, source};

/// Under which name they are noted in the catalogue.
const NOTE: &str = "leftovers";
/// A run that could not be started, or that a provider cut short, is tried again after so many seconds at the earliest.
const AGAIN: i64 = 900;

/// A request that was not done whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Leftover {
    /// When there is something to spend again, in seconds since the epoch.
    pub(super) at: i64,
    pub(super) request: Request,
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
    /// Notes when a request goes on; `None`: nothing of it is left.
    pub(super) async fn leave(self: &Arc<Self>, request: &Request, at: Option<i64>) {
        let others = |left: &Leftover| left.request != *request;
        if at.is_none() && self.look(|state| state.leftovers.iter().all(others)) {
            return;
        }
        let all = self.change(|state| {
            state.leftovers.retain(others);
            state.leftovers.extend(at.map(|at| Leftover { at, request: request.clone() }));
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

    /// When what a job left for later is asked for again, in seconds since the epoch: with the next day's allowance,
    /// else once the provider's cool-down is over.
    pub(super) fn again(&self, request: &Request, summary: &Summary) -> Option<i64> {
        let is_later = |result: &&SeriesResult| matches!(result.outcome, Outcome::Later(_));
        let left = summary.results.iter().find(is_later).filter(|_| request.import.is_empty())?;
        if summary.resumes.is_some() {
            return summary.resumes;
        }
        let standings = self.throttle.snapshot().unwrap_or_default();
        let of = standings.iter().find(|standing| standing.provider == left.key.provider);
        let until = of.map_or(0, |standing| match standing.state {
            State::Ready => 0,
            State::Limited { until } | State::Broken { until } => until,
        });
        Some(until.max((source::clock())() + AGAIN))
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
                None
            }
            Err(error) => {
                tracing::error!("{client} cannot be asked for: {}", error.said());
                Some(now + AGAIN)
            }
        };
        self.leave(&left.request, again).await;
    }
}
