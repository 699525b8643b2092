//! What a refusal of the provider means: for the window, for the series, for all other series of the job.

use std::sync::PoisonError;

use super::absorb;
use super::events::Outcome;
use super::series::{Course, Shared, Stop};
use super::survey::UNKNOWN_CONTRACT_EVERY;
use crate::archive::{ArchiveError, Failure, SeriesState};
use crate::model::{Day, Days, Mark, SeriesKey};
use crate::provider::Refusal;

/// The same useless answer so many times in a row is what all others would get.
const ENOUGH_ALIKE: u32 = 3;
/// So many contracts in a row that the provider does not list, none of them asked for before, are no months that were
/// never listed.
const ENOUGH_UNLISTED: u32 = 24;
/// An expired contract that the provider did not list so many times, a week apart, is asked for again after so many
/// seconds only.
const UNLISTED_TIMES: u32 = 4;
const UNLISTED_AGAIN: i64 = 365 * 24 * 3600;
/// A series whose answers could not be used twice is asked for again after so many seconds, …
const USELESS_TWICE: i64 = 24 * 3600;
/// … and after each further one.
const USELESS_AGAIN: i64 = 7 * 24 * 3600;

impl Shared {
    /// A refusal of the whole provider closes it for the other series too; so do the same useless words again and
    /// again, where each time costs a download.
    pub(super) fn note_refusal(&self, refusal: Refusal) -> Refusal {
        let everybody = match refusal {
            Refusal::Limited { .. } | Refusal::Denied { .. } => true,
            Refusal::Unusable { .. } | Refusal::Unavailable { .. } => {
                self.came_in_a_row(&refusal.to_string()) >= ENOUGH_ALIKE
            }
            Refusal::EmptyWindow { .. } => {
                self.came_in_a_row("");
                false
            }
            _ => false,
        };
        if everybody {
            // The first one is as good as any later.
            let _ = self.closed.set(refusal.clone());
        }
        refusal
    }

    /// How many times in a row the same words came, this one too; none come with an answer that can be used.
    pub(super) fn came_in_a_row(&self, words: &str) -> u32 {
        let Some(alike) = &self.alike else { return 0 };
        let mut last = alike.lock().unwrap_or_else(PoisonError::into_inner);
        last.1 = if last.0 == words { last.1 + 1 } else { 1 };
        words.clone_into(&mut last.0);
        last.1
    }

    /// The same of contracts that the provider does not list, whatever their code. Those that it has given bars of say
    /// much; others little, and nothing where it has said so before: not each month of a cycle is listed.
    fn note_unlisted(&self, state: &SeriesState, refusal: &Refusal) {
        let Refusal::Unlisted { said, .. } = refusal else { return };
        let enough = match state.coverage.has(Mark::Present) {
            true => ENOUGH_ALIKE,
            false if state.failure.as_ref().is_some_and(|before| before.unknown) => return,
            false => ENOUGH_UNLISTED,
        };
        if self.came_in_a_row(said) >= enough {
            let _ = self.closed.set(refusal.clone());
        }
    }

    /// Notes that the provider has nothing in a window.
    pub(super) async fn no_bars(
        &self,
        course: &mut Course,
        state: SeriesState,
        window: Days,
        clock: i64,
        said: &str,
    ) -> Result<(), Stop> {
        let note = format!("the provider has no bars there: {said}");
        if !course.notes.contains(&note) {
            course.notes.push(note);
        }
        let now = self.now().min(clock);
        let state = absorb::learn_empty(&state, &course.target.key, window, now);
        self.commit_state(course, state).await
    }

    /// Whether there are bars of another contract: then the provider knows the instrument.
    fn knows_other_contracts(&self, key: &SeriesKey) -> Result<bool, ArchiveError> {
        if key.contract.is_none() {
            return Ok(false);
        }
        let mut known = false;
        let sibling = |other: &SeriesKey| {
            (&other.provider, other.class, &other.symbol) == (&key.provider, key.class, &key.symbol)
        };
        self.archive.each_series(sibling, |record| known |= record.last.is_some())?;
        Ok(known)
    }

    /// What a refusal means for the series.
    pub(super) async fn refused(
        &self,
        course: &mut Course,
        mut state: SeriesState,
        window: Days,
        refusal: Refusal,
    ) -> Result<(), Stop> {
        let now = self.now();
        match &refusal {
            Refusal::EmptyWindow { clock, said } => self.no_bars(course, state, window, *clock, said).await,
            Refusal::TooOld { reach_days, .. } if window.len() > 1 => {
                // As far as the provider says it reaches, a day less for its clock; else half of it.
                let told = reach_days.map(|days| Day::of_utc(now).plus(1 - days));
                let half = window.first.plus(window.len() as i32 / 2);
                let first = told.unwrap_or(half).max(window.first.plus(1));
                if let Some(clamped) = Days::new(first, window.last) {
                    course.windows.push_front(clamped);
                }
                let Some(refused) = told.and_then(|_| Days::new(window.first, first.plus(-1))) else {
                    return Ok(());
                };
                let open = |_: Day, mark: Mark| matches!(mark, Mark::Unknown | Mark::OutOfReach);
                for run in state.coverage.runs(refused, open) {
                    state.coverage.set(run, Mark::TooOld);
                }
                self.commit_state(course, state).await
            }
            Refusal::TooWide { .. } if window.len() > 1 => {
                let middle = window.first.plus(window.len() as i32 / 2);
                course.windows.push_front(Days { first: window.first, last: middle.plus(-1) });
                course.windows.push_front(Days { first: middle, last: window.last });
                Ok(())
            }
            Refusal::Limited { .. } | Refusal::Denied { .. } | Refusal::Unavailable { .. } => {
                Err(self.stop_for_all(stop_of(&refusal)))
            }
            _ => {
                // Of an instrument that is known a contract may be listed another time.
                let key = &course.target.key;
                let later = matches!(refusal, Refusal::Unlisted { .. })
                    && (state.meta.con_id.is_some() || self.knows_other_contracts(key)?);
                self.note_unlisted(&state, &refusal);
                let failure = self.failure(key, state.failure.as_ref(), &refusal, now);
                let text = failure.text.clone();
                state.failure = Some(Failure { later, ..failure });
                self.commit_state(course, state).await?;
                Err(self.stop_for_all(match later {
                    true => Stop::Outcome(Outcome::Unlisted(text)),
                    false => stop_of(&refusal),
                }))
            }
        }
    }

    /// What is noted of a refusal. Where each answer costs a download, a series whose answers cannot be used time
    /// after time is asked for less and less often, and so is an expired contract that is not listed.
    fn failure(&self, key: &SeriesKey, before: Option<&Failure>, refusal: &Refusal, now: i64) -> Failure {
        let useless = matches!(refusal, Refusal::Unusable { .. });
        let unknown = matches!(refusal, Refusal::Unknown { .. } | Refusal::Unlisted { .. });
        let before = before.filter(|before| (useless || unknown) && before.unknown == unknown);
        // Who forces a contract to be asked for uses up none of its times.
        let counts = |before: &Failure| useless || now - before.at >= UNKNOWN_CONTRACT_EVERY;
        let times = before.map_or(1, |before| before.times + u32::from(counts(before)));
        let over = key.contract.is_some_and(|contract| contract.settled() < Day::of_utc(now));
        let wait = match times {
            _ if self.alike.is_none() => None,
            UNLISTED_TIMES.. if unknown && over => Some(UNLISTED_AGAIN),
            _ if !useless => None,
            1 => None,
            2 => Some(USELESS_TWICE),
            _ => Some(USELESS_AGAIN),
        };
        Failure {
            at: now,
            text: refusal.to_string(),
            unknown,
            later: false,
            times,
            again: wait.map_or(0, |wait| now + wait),
            version: Failure::VERSION.to_owned(),
        }
    }

    /// How the series ends whose refusal may have closed the provider for all of them.
    fn stop_for_all(&self, stop: Stop) -> Stop {
        match stop {
            Stop::Outcome(Outcome::Later(said) | Outcome::Unlisted(said)) if self.closed.get().is_some() => {
                Stop::Limited(said)
            }
            Stop::Outcome(Outcome::Failed(said)) if self.closed.get().is_some() => Stop::Denied(said),
            other => other,
        }
    }
}

/// How a series ends by a refusal that no other window helps against.
pub(super) fn stop_of(refusal: &Refusal) -> Stop {
    match refusal {
        Refusal::Limited { .. } => Stop::Limited(refusal.to_string()),
        Refusal::Denied { .. } => Stop::Denied(refusal.to_string()),
        Refusal::Unavailable { .. } => Stop::Outcome(Outcome::Later(refusal.to_string())),
        _ => Stop::Outcome(Outcome::Failed(refusal.to_string())),
    }
}
