//! What the catalogue has of the jobs of earlier runs of the service.

use super::engine::in_micros;
use super::state::{JobPhase, JobView, KEPT_JOBS, State};
use crate::archive::{Archive, ArchiveError, JobRecord};

/// Finds the jobs that the service before this one did not finish, all of them, and the results of late.
pub(super) fn take_over(archive: &Archive, state: &mut State) -> Result<(), ArchiveError> {
    for record in archive.finished_jobs(KEPT_JOBS as u32)?.iter().rev() {
        let Some(mut job) = job_of(record) else { continue };
        let outcome = record.outcome.as_deref().and_then(|text| serde_json::from_str(text).ok());
        job.take_outcome(&outcome.unwrap_or_default());
        job.phase = JobPhase::Finished;
        job.result = record.result.clone().unwrap_or_default();
        job.finished = in_micros(record.finished.unwrap_or(0));
        state.last_result = job.result.clone();
        state.last_finished = job.finished;
        state.jobs.insert(job.id, job);
    }
    for record in archive.open_jobs()? {
        let Some(job) = job_of(&record) else { continue };
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
    /// The sums of a finished job, as `Summary::detail` wrote them.
    fn take_outcome(&mut self, outcome: &serde_json::Value) {
        let sum = |name: &str| outcome[name].as_u64().unwrap_or(0);
        self.series = sum("series") as u32;
        self.done = self.series;
        self.failed = sum("failed") as u32;
        self.current = sum("current") as u32;
        self.rows_added = sum("added");
        self.bytes_fetched = sum("bytes_fetched");
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
        assert_eq!((job.series, job.done, job.failed, job.current), (4, 4, 2, 1));
        assert_eq!((job.rows_added, job.bytes_fetched, job.result.as_str()), (7, 9, "partial"));
        assert_eq!(state.last_result, "partial");
        assert!(state.queue.is_empty() && job.finished > 0);
    }
}
