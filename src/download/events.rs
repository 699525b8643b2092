//! What a job tells while it runs, and what it ends with.

use serde::{Deserialize, Serialize};

use crate::model::SeriesKey;

/// So many reasons are told of a job; each series has its own besides.
const MOST_REASONS: usize = 5;

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
    /// Left for later too, for a week: a contract that the provider does not list now.
    Unlisted(String),
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
            Outcome::Later(_) | Outcome::Unlisted(_) => "later",
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
            Outcome::Suspect(why)
            | Outcome::Held(why)
            | Outcome::Failed(why)
            | Outcome::Later(why)
            | Outcome::Unlisted(why) => Some(why),
            _ => None,
        }
    }
}

/// How many series came out how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Brought up to date.
    pub updated: u32,
    /// Nothing was due.
    pub current: u32,
    /// Not to be trusted.
    pub suspect: u32,
    /// Reverted.
    pub held: u32,
    /// Not brought up to date.
    pub failed: u32,
    /// Left for later.
    pub later: u32,
    /// Cut off.
    pub interrupted: u32,
}

impl Tally {
    /// Counts one series.
    pub fn take(&mut self, outcome: &Outcome) {
        *match outcome {
            Outcome::Done => &mut self.updated,
            Outcome::Current => &mut self.current,
            Outcome::Suspect(_) => &mut self.suspect,
            Outcome::Held(_) => &mut self.held,
            Outcome::Failed(_) => &mut self.failed,
            Outcome::Later(_) | Outcome::Unlisted(_) => &mut self.later,
            Outcome::Interrupted => &mut self.interrupted,
        } += 1;
    }

    /// Those that somebody should look at.
    pub fn bad(&self) -> u32 {
        self.suspect + self.held + self.failed
    }

    /// Those that need no other turn.
    pub fn settled(&self) -> u32 {
        self.updated + self.current + self.bad()
    }

    /// `(1 updated, 2 current)` behind a space; empty where there is nothing to count.
    pub fn words(&self) -> String {
        let counts = [
            (self.updated, "updated"),
            (self.current, "current"),
            (self.suspect, "suspect"),
            (self.held, "held"),
            (self.failed, "failed"),
            (self.later, "later"),
            (self.interrupted, "interrupted"),
        ];
        let counts: Vec<String> =
            counts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        if counts.is_empty() { String::new() } else { format!(" ({})", counts.join(", ")) }
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
    /// The series, counted.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        self.results.iter().for_each(|result| tally.take(&result.outcome));
        tally
    }

    /// Why the job ended early, a file was refused or series are not up to date, those of one reason together;
    /// empty where all is well.
    pub fn error(&self) -> String {
        if let Some(why) = self.fatal.as_ref().or(self.refused.first()) {
            return why.clone();
        }
        let (mut groups, mut untold): (Vec<(&SeriesResult, &str, usize)>, usize) = (Vec::new(), 0);
        for result in &self.results {
            let Some(why) = result.outcome.reason() else { continue };
            let alike = |(first, known, _): &(&SeriesResult, &str, usize)| {
                *known == why && first.outcome.word() == result.outcome.word()
            };
            match groups.iter().position(alike) {
                Some(at) => groups[at].2 += 1,
                None if groups.len() == MOST_REASONS => untold += 1,
                None => groups.push((result, why, 0)),
            }
        }
        let told = groups.iter().map(|(first, why, more)| {
            let more = if *more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{} {}{more} {}: {why}", first.key.name(), first.key.period, first.outcome.word())
        });
        let untold = (untold > 0).then(|| format!("and {untold} more with other reasons"));
        told.chain(untold).collect::<Vec<_>>().join("; ")
    }

    /// The sums, as JSON for the ledger.
    pub fn detail(&self) -> String {
        let tally = self.tally();
        serde_json::json!({
            "series": self.results.len(),
            "failed": tally.bad(),
            "current": tally.current,
            "tally": tally,
            "added": self.results.iter().map(|r| r.added).sum::<u64>(),
            "requests": self.results.iter().map(|r| u64::from(r.requests)).sum::<u64>(),
            "bytes_fetched": self.bytes_fetched,
            "refused": self.refused.len(),
            "error": self.error(),
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
        } else if count(&|o| matches!(o.word(), "later" | "interrupted")) > 0 {
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

    #[test]
    fn series_of_one_reason_are_told_together() {
        let later = || Outcome::Later("the provider asks to wait".to_owned());
        let failed = Outcome::Failed("there is no such symbol".to_owned());
        let told = summary(&[Outcome::Done, later(), failed, later(), Outcome::Current]);
        assert_eq!(
            told.error(),
            "A 1d and 1 more later: the provider asks to wait; A 1d failed: there is no such symbol"
        );
        assert_eq!(told.tally().words(), " (1 updated, 1 current, 1 failed, 2 later)");
        assert_eq!(summary(&[Outcome::Done]).error(), "");
        assert_eq!(Tally::default().words(), "");
    }

    #[rstest]
    #[case(&[], 0)]
    #[case(&[Outcome::Current, Outcome::Done], 0)]
    #[case(&[Outcome::Failed(String::new())], 1)]
    #[case(&[Outcome::Failed(String::new()), Outcome::Later(String::new())], 3)]
    #[case(&[Outcome::Suspect(String::new())], 3)]
    #[case(&[Outcome::Done, Outcome::Held(String::new())], 3)]
    #[case(&[Outcome::Done, Outcome::Later(String::new())], 75)]
    #[case(&[Outcome::Done, Outcome::Unlisted(String::new())], 75)]
    fn the_worst_outcome_decides(#[case] outcomes: &[Outcome], #[case] code: u8) {
        assert_eq!(summary(outcomes).result().exit_code(), code);
    }
}
