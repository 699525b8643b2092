//! History that moved: everything in reach is fetched again and put on its scale in one commit; where
//! no overlap can be had, the daily series tells of splits.

use super::absorb;
use super::ask::NoAnswer;
use super::events::Outcome;
use super::plan::{request_span, today_of};
use super::refused::stop_of;
use super::restate::{Cause, bridge_ratio, divide, restate};
use super::series::{Course, Shared, Stop, Stored};
use crate::archive::SeriesState;
use crate::model::{Bars, Column, Day, Days, Mark, Period, SeriesMeta};
use crate::provider::{Answer, Refusal, Split};

impl Shared {
    /// Fetches everything in reach again and puts the whole series on its scale, in one commit.
    pub(super) async fn restate(
        &self,
        course: &mut Course,
        stored: Stored,
        asked: Days,
        first_answer: Answer,
        cause: Cause,
    ) -> Result<(), Stop> {
        let key = course.target.key.clone();
        let all = self.bars(&key, &stored.parts, None)?;
        let mut state = self.learnt(course, &stored.state, asked, &first_answer);
        let (fetched, mut splits) = match self.everything(course, &mut state, &all, asked, first_answer).await
        {
            Ok(fetched) => fetched,
            Err(NoAnswer::Interrupted) => return Err(Stop::Interrupted),
            Err(NoAnswer::NotAsked) => return Err(Stop::NotAsked),
            // Nothing has changed yet: the series stays as it is and is asked again.
            Err(NoAnswer::Refused(refusal)) => return Err(stop_of(&refusal)),
        };
        if key.period.is_intraday() && cause == Cause::Scale {
            splits = self.daily_splits(course, &all, splits).await?;
        }
        match restate(&all, &fetched, &splits, cause) {
            Ok(restated) => {
                state.suspect = None;
                let changed = absorb::changed(&all, &restated);
                let reason = format!("{}: {} restated", cause.words(), absorb::bars_text(changed));
                // The stored bars may have been right already.
                let reason = (changed > 0).then_some(reason);
                course.notes.extend(reason.clone());
                let whole = if cause == Cause::Scale && changed > 0 {
                    restated
                } else {
                    absorb::news(&all, restated)
                };
                // What lies before everything that was fetched again is still missing.
                let refetched = all.times.first().map_or(asked.first, |time| Day::of_utc(*time).plus(-2));
                course.windows.retain(|window| window.last < refetched.min(asked.first));
                self.store(course, &stored, state, whole, reason).await
            }
            Err(why) => self.suspect(course, stored.state, why).await,
        }
    }

    /// All bars and splits in the provider's reach, from the first stored bar to now.
    async fn everything(
        &self,
        course: &mut Course,
        state: &mut SeriesState,
        stored: &Bars,
        asked: Days,
        first: Answer,
    ) -> Result<(Bars, Vec<Split>), NoAnswer> {
        let key = course.target.key.clone();
        let today = today_of(&state.meta, self.now());
        let reach = course.limits.reach_days.map(|days| today.plus(-days));
        // Daily stamps are dates already.
        let first_stored = stored.times.first().map_or(asked.first, |time| match key.period.is_intraday() {
            true => state.meta.trading_days()(*time),
            false => Day::of_utc(*time),
        });
        let from = first_stored.min(asked.first).max(reach.unwrap_or(first_stored.min(asked.first)));
        let span = request_span(course.limits, course.target.wanted.chunk).unwrap_or(i32::MAX);
        let newest = state.coverage.last_where(|mark| mark == Mark::Present);
        let last = key.contract.map_or(today, |contract| today.min(contract.asked_until(newest)));
        let to = asked.last.max(last);
        let (mut bars, mut splits) = (first.bars.clone(), first.splits.clone());
        let mut end = Some(to);
        while let Some(last) = end.filter(|last| *last >= from) {
            let start = if span == i32::MAX { from } else { last.plus(1 - span).max(from) };
            let days = Days { first: start, last };
            end = Some(start.plus(-1));
            if asked.first <= days.first && days.last <= asked.last {
                continue;
            }
            let answer = match self.ask(course, key.period, days).await {
                Ok(answer) => answer,
                Err(NoAnswer::Refused(Refusal::EmptyWindow { .. })) => continue,
                Err(error) => return Err(error),
            };
            *state = self.learnt(course, state, days, &answer);
            bars = Bars::merge(&bars, &answer.bars);
            splits.extend(answer.splits);
        }
        splits.sort_by_key(|split| split.day);
        splits.dedup_by_key(|split| split.day);
        Ok((bars, splits))
    }

    /// The splits since the first of the bars, as the daily series lists them, beside those known.
    async fn daily_splits(
        &self,
        course: &mut Course,
        bars: &Bars,
        known: Vec<Split>,
    ) -> Result<Vec<Split>, Stop> {
        let today = today_of(&SeriesMeta::default(), self.now());
        let Some(first) = bars.times.first().map(|time| Day::of_utc(*time).plus(-1)) else {
            return Ok(known);
        };
        let answer = self.daily(course, Days { first, last: today.max(first) }).await?;
        let mut splits = known;
        splits.extend(answer.map(|answer| answer.splits).unwrap_or_default());
        splits.sort_by_key(|split| split.day);
        splits.dedup_by_key(|split| split.day);
        Ok(splits)
    }

    /// One daily request beside an intraday series.
    async fn daily(&self, course: &mut Course, days: Days) -> Result<Option<Answer>, Stop> {
        match self.ask(course, Period::D1, days).await {
            Ok(answer) => Ok(Some(answer)),
            Err(NoAnswer::Interrupted) => Err(Stop::Interrupted),
            Err(NoAnswer::NotAsked) => Err(Stop::NotAsked),
            Err(NoAnswer::Refused(Refusal::EmptyWindow { .. })) => Ok(None),
            Err(NoAnswer::Refused(refusal)) => Err(stop_of(&refusal)),
        }
    }

    /// No overlap can be had: one daily request tells of splits since the last stored bar, and the
    /// daily bar of that session whether stored bars are on the old scale.
    pub(super) async fn bridge(&self, course: &mut Course, stored: Stored) -> Result<(), Stop> {
        let Some(last_day) = stored.state.coverage.last_where(|mark| mark == Mark::Present) else {
            return Ok(());
        };
        let today = today_of(&stored.state.meta, self.now());
        match self.daily(course, Days { first: last_day, last: today.max(last_day) }).await? {
            Some(answer) => self.bridge_with(course, stored, last_day, &answer).await,
            None => Ok(()),
        }
    }

    /// Puts stored bars on the scale that a daily answer since their last session shows.
    pub(super) async fn bridge_with(
        &self,
        course: &mut Course,
        stored: Stored,
        last_day: Day,
        answer: &Answer,
    ) -> Result<(), Stop> {
        let splits: Vec<Split> = answer.splits.iter().copied().filter(|split| split.day > last_day).collect();
        if splits.is_empty() {
            return Ok(());
        }
        let key = course.target.key.clone();
        let all = self.bars(&key, &stored.parts, None)?;
        let close = |bars: &Bars, at: Option<usize>| Some(*bars.column(Column::Close)?.get(at?)?);
        let last_close = close(&all, all.len().checked_sub(1)).unwrap_or(f64::NAN);
        let daily_at = answer.bars.times.binary_search(&last_day.midnight()).ok();
        match bridge_ratio(last_close, close(&answer.bars, daily_at), &splits) {
            Ok(1.0) => Ok(()),
            Ok(ratio) => {
                let mut scaled = all.clone();
                divide(&mut scaled, i64::MAX, ratio);
                let reason = format!(
                    "split of {ratio} applied to {} out of the provider's reach",
                    absorb::bars_text(all.len() as u64)
                );
                course.notes.push(reason.clone());
                let state = stored.state.clone();
                self.store(course, &stored, state, scaled, Some(reason)).await
            }
            Err(why) => self.suspect(course, stored.state, why).await,
        }
    }

    /// Nothing stored changes; the series waits for a person.
    pub(super) async fn suspect(
        &self,
        course: &mut Course,
        mut state: SeriesState,
        why: String,
    ) -> Result<(), Stop> {
        state.suspect = Some(why.clone());
        self.commit_state(course, state).await?;
        let symbol = &course.target.key.symbol;
        let how = format!("{why}; nothing was changed, `vortex download --force -s {symbol}` tries again");
        Err(Stop::Outcome(Outcome::Suspect(how)))
    }
}
