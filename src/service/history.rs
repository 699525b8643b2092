//! What the catalogue has of the jobs of earlier runs of the service.

use super::engine::in_micros;
use super::state::{JobPhase, JobView, KEPT_JOBS, State};
use crate::archive::{Archive, ArchiveError, JobRecord};
use crate::download::Tally;

/// Finds the jobs that the service before this one did not finish, all of them, and the results of late.
pub(super) fn take_over(archive: &Archive, state: &mut State) -> Result<(), ArchiveError> {
    for record in archive.finished_jobs(KEPT_JOBS as u32)?.iter().rev() {
        let Some(mut job) = job_of(record) else { continue };
        job.finished = in_micros(record.finished.unwrap_or(0));
        job.take_outcome(record);
        job.phase = JobPhase::Finished;
        job.result = record.result.clone().unwrap_or_default();
        state.last_result = job.result.clone();
        state.last_error = job.error.clone();
        state.last_finished = job.finished;
        state.jobs.insert(job.id, job);
    }
    for record in archive.open_jobs()? {
        let Some(mut job) = job_of(&record) else { continue };
        job.take_outcome(&record);
        job.queue_again();
        tracing::info!(job = job.id, "job {} was not finished and goes on", job.id);
        state.queue.push_back(job.id);
        state.jobs.insert(job.id, job);
    }
    state.forget_old_jobs();
    Ok(())
}

/// A job that waits, as the ledger has it.
fn job_of(record: &JobRecord) -> Option<JobView> {
    let id = u32::try_from(record.id).ok()?;
    match serde_json::from_str(record.request.as_deref().unwrap_or_default()) {
        Ok(request) => Some(JobView {
            id,
            origin: record.origin.clone(),
            client: record.client.clone().unwrap_or_default(),
            request,
            started: in_micros(record.started),
            ..JobView::default()
        }),
        Err(error) => {
            tracing::warn!("job {id} of an earlier run cannot be read and is left out: {error}");
            None
        }
    }
}

impl JobView {
    /// What the ledger is to keep of it: what came of this run, over which stand the sums of all of them.
    pub(super) fn outcome(&self, of_run: &str) -> String {
        let mut outcome: serde_json::Value = serde_json::from_str(of_run).unwrap_or_default();
        outcome["series"] = self.series.into();
        outcome["tally"] = serde_json::json!(self.tally);
        outcome["added"] = self.rows_added.into();
        outcome["bytes_fetched"] = self.bytes_fetched.into();
        outcome["started_usec"] = self.started.into();
        outcome["finished_usec"] = self.finished.into();
        outcome.to_string()
    }

    /// The sums, as [`JobView::outcome`] wrote them, or an older version.
    fn take_outcome(&mut self, record: &JobRecord) {
        let text = record.outcome.as_deref().unwrap_or_default();
        let outcome: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let sum = |name: &str| outcome[name].as_u64().unwrap_or(0);
        self.series = sum("series") as u32;
        self.tally = serde_json::from_value(outcome["tally"].clone()).unwrap_or_else(|_| {
            let (failed, current) = (sum("failed") as u32, sum("current") as u32);
            let updated = self.series.saturating_sub(failed + current);
            Tally { failed, current, updated, ..Tally::default() }
        });
        self.rows_added = sum("added");
        self.bytes_fetched = sum("bytes_fetched");
        // To the microsecond, where the ledger has seconds.
        self.started = outcome["started_usec"].as_u64().unwrap_or(self.started);
        self.finished = outcome["finished_usec"].as_u64().unwrap_or(self.finished);
        self.error = outcome["error"].as_str().unwrap_or_default().to_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::download::{Outcome, SeriesResult, Summary};
    use crate::model::{Class, Period, SeriesKey};

    fn archive(folder: &tempfile::TempDir) -> Archive {
        Archive::open(&folder.path().join("archive"), &folder.path().join("state")).unwrap()
    }

    #[test]
    fn a_long_queue_is_taken_over_whole_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let archive = archive(&folder);
        let queued: Vec<u32> =
            (0..250).map(|_| archive.queue_job("request", "somebody", "{}").unwrap() as u32).collect();
        // Runs of the command line have numbers in between, and are not the service's.
        for _ in 0..150 {
            archive.start_job("command line", "").unwrap();
        }
        let mut state = State::default();
        take_over(&archive, &mut state).unwrap();
        assert_eq!(state.queue, queued);
        assert_eq!(state.jobs.len(), queued.len());
    }

    #[test]
    fn a_finished_job_is_shown_as_it_ended() {
        let folder = tempfile::tempdir().unwrap();
        let archive = archive(&folder);
        let result = |outcome: Outcome, added: u64| SeriesResult {
            key: SeriesKey {
                provider: "sample".to_owned(),
                class: Class::Stock,
                symbol: "A".to_owned(),
                contract: None,
                period: Period::D1,
            },
            outcome,
            added,
            changed: 0,
            requests: 1,
            notes: Vec::new(),
        };
        let results = vec![
            result(Outcome::Done, 7),
            result(Outcome::Current, 0),
            result(Outcome::Failed("why".to_owned()), 0),
            result(Outcome::Held("why".to_owned()), 0),
        ];
        let summary = Summary { results, bytes_fetched: 9, ..Summary::default() };
        let id = archive.queue_job("timer", "a timer", "{}").unwrap();
        archive.finish_job(id, summary.result().word(), &summary.detail()).unwrap();
        let mut state = State::default();
        take_over(&archive, &mut state).unwrap();
        let job = &state.jobs[&(id as u32)];
        assert_eq!((job.series, job.done(), job.tally.bad(), job.tally.current), (4, 4, 2, 1));
        assert_eq!((job.rows_added, job.bytes_fetched, job.result.as_str()), (7, 9, "partial"));
        assert_eq!(state.last_result, "partial");
        assert!(state.queue.is_empty() && job.finished > 0);
    }

    #[test]
    fn a_job_that_was_cut_off_keeps_what_it_brought() {
        let folder = tempfile::tempdir().unwrap();
        let archive = archive(&folder);
        let id = archive.queue_job("timer", "a timer", "{}").unwrap();
        let tally = Tally { updated: 2, interrupted: 1, ..Tally::default() };
        let cut =
            JobView { series: 3, tally, rows_added: 7, bytes_fetched: 9, started: 5, ..JobView::default() };
        archive.note_job(id, &cut.outcome("{}")).unwrap();
        archive.begin_job(id, "3 series").unwrap();
        let mut state = State::default();
        take_over(&archive, &mut state).unwrap();
        let job = state.jobs.get_mut(&(id as u32)).unwrap();
        assert_eq!((job.rows_added, job.bytes_fetched, job.started, job.done()), (7, 9, 5, 0));
        // The two are met again, with nothing due, and the third is brought up to date.
        for outcome in [Outcome::Current, Outcome::Current, Outcome::Done] {
            let key = SeriesKey {
                provider: "sample".to_owned(),
                class: Class::Stock,
                symbol: "A".to_owned(),
                contract: None,
                period: Period::D1,
            };
            let result = SeriesResult { key, outcome, added: 0, changed: 0, requests: 0, notes: Vec::new() };
            job.take(&crate::download::Event::Finished(&result));
        }
        assert_eq!((job.done(), job.tally), (3, Tally { updated: 3, ..Tally::default() }));
        assert_eq!(job.words(), "3 series (3 updated), 7 bars added");
    }
}
