//! What a job tells while it runs, and what it ends with.

use serde::Serialize;

use crate::model::SeriesKey;

/// Something happened in a job.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// The job knows how many series it has and how many of them need a request.
    Planned {
        /// All series asked for.
        series: usize,
        /// Those with something to fetch.
        to_fetch: usize,
        /// The rate at which the provider may be asked, in words.
        pace: Option<String>,
    },
    /// A series begins a request.
    Asking(&'a SeriesKey),
    /// An answer arrived.
    Fetched {
        /// Of which series.
        key: &'a SeriesKey,
        /// Its bytes, decoded.
        bytes: usize,
    },
    /// Bars are in the archive.
    Stored {
        /// Of which series.
        key: &'a SeriesKey,
        /// Bars that were not there.
        added: u64,
    },
    /// A series is finished.
    Finished(&'a SeriesResult),
    /// The provider waits for something before it can ask on, or no longer.
    Waiting {
        /// In words, with until when and what to do; `None` where it waits no longer.
        said: Option<&'a str>,
    },
    /// A provider asks to be left alone until an instant.
    Limited {
        /// In words.
        said: &'a str,
    },
}

/// Who watches a job: a progress bar, the journal, D-Bus properties.
pub trait Observer: Send + Sync {
    /// Called for each event, from any thread; must be quick.
    fn event(&self, event: &Event<'_>);
}

/// How a series came out of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was due.
    Current,
    /// Brought up to date.
    Done,
    /// A scale could not be confirmed, or a file is damaged.
    Suspect(String),
    /// Reverted earlier: updates skip it.
    Held(String),
    /// It could not be brought up to date.
    Failed(String),
    /// Left for later: a limit, no connection.
    Later(String),
    /// The job was interrupted before it was done.
    Interrupted,
}

impl Outcome {
    /// One word for tables and JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Current => "current",
            Outcome::Done => "updated",
            Outcome::Suspect(_) => "suspect",
            Outcome::Held(_) => "held",
            Outcome::Failed(_) => "failed",
            Outcome::Later(_) => "later",
            Outcome::Interrupted => "interrupted",
        }
    }

    /// Whether somebody should look at the series: failed, suspect or held.
    pub fn is_bad(&self) -> bool {
        matches!(self, Outcome::Suspect(_) | Outcome::Held(_) | Outcome::Failed(_))
    }

    /// The reason, where there is one.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Outcome::Suspect(why) | Outcome::Held(why) | Outcome::Failed(why) | Outcome::Later(why) => {
                Some(why)
            }
            _ => None,
        }
    }
}

/// What a job did for one series.
#[derive(Clone, Debug)]
pub struct SeriesResult {
    /// Which series.
    pub key: SeriesKey,
    /// How it came out.
    pub outcome: Outcome,
    /// Bars that were not there.
    pub added: u64,
    /// Bars whose stored values changed.
    pub changed: u64,
    /// Requests made.
    pub requests: u32,
    /// What a person may want to know, one sentence each.
    pub notes: Vec<String>,
}

/// The word a job ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum JobResult {
    /// All series are up to date.
    Done,
    /// Some are not.
    Partial,
    /// The rest is left for later: a limit, no connection.
    Limited,
    /// None is.
    Failed,
    /// Interrupted.
    Cancelled,
}

impl JobResult {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            JobResult::Done => "done",
            JobResult::Partial => "partial",
            JobResult::Limited => "limited",
            JobResult::Failed => "failed",
            JobResult::Cancelled => "cancelled",
        }
    }

    /// The exit code of a command that ends so (one table for both programs).
    pub fn exit_code(self) -> u8 {
        match self {
            JobResult::Done => 0,
            JobResult::Failed => 1,
            JobResult::Partial => 3,
            JobResult::Limited => 75,
            JobResult::Cancelled => 130,
        }
    }
}

/// What a job did.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The job's number in the catalogue.
    pub job: i64,
    /// One result a series, in the order of the request.
    pub results: Vec<SeriesResult>,
    /// Bytes of all answers, decoded.
    pub bytes_fetched: u64,
    /// Files written.
    pub files: u64,
    /// Why the whole job ended early, where it did.
    pub fatal: Option<String>,
    /// A person interrupted it.
    pub interrupted: bool,
    /// Files of an import of which nothing was taken, with the reason, one sentence each.
    pub refused: Vec<String>,
    /// When what the account's allowance left for later can be asked for, in seconds since the epoch.
    pub resumes: Option<i64>,
}

impl Summary {
    /// The sums, as JSON for the ledger.
    pub fn detail(&self) -> String {
        serde_json::json!({
            "series": self.results.len(),
            "failed": self.results.iter().filter(|r| r.outcome.is_bad()).count(),
            "current": self.results.iter().filter(|r| r.outcome == Outcome::Current).count(),
            "added": self.results.iter().map(|r| r.added).sum::<u64>(),
            "requests": self.results.iter().map(|r| u64::from(r.requests)).sum::<u64>(),
            "bytes_fetched": self.bytes_fetched,
            "refused": self.refused.len(),
            "error": self.fatal.as_ref().or(self.refused.first()),
        })
        .to_string()
    }

    /// Nothing but failures is `Failed`; any failed, suspect or held series `Partial`; else anything
    /// left for later `Limited`.
    pub fn result(&self) -> JobResult {
        let count =
            |wanted: &dyn Fn(&Outcome) -> bool| self.results.iter().filter(|r| wanted(&r.outcome)).count();
        let failed = count(&|o| matches!(o, Outcome::Failed(_)));
        let refused = !self.refused.is_empty();
        if self.interrupted {
            JobResult::Cancelled
        } else if self.fatal.is_some() || ((failed > 0 || refused) && failed == self.results.len()) {
            JobResult::Failed
        } else if count(&Outcome::is_bad) > 0 || refused {
            JobResult::Partial
        } else if count(&|o| matches!(o, Outcome::Later(_) | Outcome::Interrupted)) > 0 {
            JobResult::Limited
        } else {
            JobResult::Done
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Class, Period};
    use rstest::rstest;

    fn summary(outcomes: &[Outcome]) -> Summary {
        let key = SeriesKey {
            provider: "sample".to_owned(),
            class: Class::Stock,
            symbol: "A".to_owned(),
            contract: None,
            period: Period::D1,
        };
        let result = |outcome: &Outcome| SeriesResult {
            key: key.clone(),
            outcome: outcome.clone(),
            added: 0,
            changed: 0,
            requests: 0,
            notes: Vec::new(),
        };
        Summary { results: outcomes.iter().map(result).collect(), ..Summary::default() }
    }

    #[rstest]
    #[case(&[], 0)]
    #[case(&[Outcome::Current, Outcome::Done], 0)]
    #[case(&[Outcome::Failed(String::new())], 1)]
    #[case(&[Outcome::Failed(String::new()), Outcome::Later(String::new())], 3)]
    #[case(&[Outcome::Suspect(String::new())], 3)]
    #[case(&[Outcome::Done, Outcome::Held(String::new())], 3)]
    #[case(&[Outcome::Done, Outcome::Later(String::new())], 75)]
    fn the_worst_outcome_decides(#[case] outcomes: &[Outcome], #[case] code: u8) {
        assert_eq!(summary(outcomes).result().exit_code(), code);
    }
}
