//! What a provider's answer means, whoever the provider is.

use thiserror::Error;

use crate::model::{Bars, Day, SeriesMeta};

/// A split the provider lists: `ratio` new shares for one old share from `day` on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Split {
    /// The first trading date at the new scale.
    pub day: Day,
    /// New shares for one old share: 4 for a 4:1 split, 0.1 for a 1:10 reverse split.
    pub ratio: f64,
}

/// A readable answer: finished bars and what the provider says around them.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Finished bars only, unique and ascending, stamped as they are stored.
    pub bars: Bars,
    /// What the provider says of the series.
    pub meta: SeriesMeta,
    /// Splits in the window, ascending.
    pub splits: Vec<Split>,
    /// Trading dates on which the provider says there was a session: null rows, the date of its last
    /// trade. Ascending.
    pub sessions: Vec<Day>,
    /// The first trading date of the provider's whole history, where it says so.
    pub first_day: Option<Day>,
    /// The last trading date that was over by the provider's clock; `None` where it cannot be told.
    pub finished: Option<Day>,
    /// The provider's clock at the answer, in seconds since the epoch; where it has none, its last
    /// trade's.
    pub clock: i64,
    /// Rows left out in the normal course and why, one sentence each: for the log.
    pub dropped: Vec<String>,
    /// Things a person may want to know, one sentence each.
    pub notes: Vec<String>,
}

/// Why there are no bars. Each asks for a different reaction, so each is told apart.
#[derive(Clone, Debug, Error)]
pub enum Refusal {
    /// The provider does not know the symbol. Permanent; never taken for a delisting of stored data.
    #[error("{provider} does not know {code}: {said}")]
    Unknown {
        /// Who says so.
        provider: &'static str,
        /// The symbol asked.
        code: String,
        /// The provider's words.
        said: String,
    },
    /// The provider does not list a dated contract now. It may list it later, or say so by mistake: nothing is
    /// concluded, and the contract is asked for again a week later.
    #[error("{provider} does not list {code} now: {said}")]
    Unlisted {
        /// Who says so.
        provider: &'static str,
        /// The contract asked.
        code: String,
        /// The provider's words.
        said: String,
    },
    /// The window holds nothing; not an error.
    #[error("no bars in this window: {said}")]
    EmptyWindow {
        /// The provider's clock, in seconds since the epoch; this machine's where it tells none.
        clock: i64,
        /// The provider's words.
        said: String,
    },
    /// The window begins before the provider's reach: clamp it.
    #[error("the window begins before the provider's reach: {said}")]
    TooOld {
        /// How many days back the provider says it reaches, where it says so.
        reach_days: Option<i32>,
        /// The provider's words.
        said: String,
    },
    /// The window spans more than the provider gives at once: split it.
    #[error("the window is too wide for one request: {said}")]
    TooWide {
        /// The provider's words.
        said: String,
    },
    /// Not now: rate limit, quota, pacing or an open circuit. The provider is left alone until then.
    #[error("{provider} asks to wait until {}: {said}", crate::model::day::instant(*until))]
    Limited {
        /// Who refuses.
        provider: &'static str,
        /// When to ask again, in seconds since the epoch.
        until: i64,
        /// The provider's words.
        said: String,
    },
    /// The provider wants a person: login, consent, permission.
    #[error("{provider} refuses access: {said}")]
    Denied {
        /// Who refuses.
        provider: &'static str,
        /// The provider's words and what to do.
        said: String,
    },
    /// It cannot be reached or fails; worth another try later.
    #[error("{provider} cannot be reached: {said}")]
    Unavailable {
        /// Who.
        provider: &'static str,
        /// What happened.
        said: String,
    },
    /// An answer that cannot be trusted: another granularity, broken JSON, mismatched lengths.
    #[error("{provider} sent an answer that cannot be used: {said}")]
    Unusable {
        /// Who.
        provider: &'static str,
        /// What is wrong with it.
        said: String,
    },
    /// The request itself makes no sense to the provider; asking again will not help.
    #[error("{provider} refuses the request: {said}")]
    Invalid {
        /// Who.
        provider: &'static str,
        /// The provider's words.
        said: String,
    },
}
