//! One series, one window at a time: ask, judge the overlap, fetch again what was restated, commit.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use tokio::sync::{Semaphore, watch};

use super::absorb::{self, Verdict};
use super::ask::{NoAnswer, Told};
use super::committer::{Coming, Committer, Submitted};
use super::events::{Event, Observer, Outcome};
use super::number::Number;
use super::plan::{Wanted, with_overlap};
use crate::archive::raw::RawTrail;
use crate::archive::{Archive, ArchiveError, Change, Content, PartitionRecord, SeriesState, SessionCounts};
use crate::model::{Bars, Contract, Days, Instrument, Mark, SeriesKey};
use crate::provider::{Answer, Limits, Provider, Refusal, Request};

/// One series to bring up to date.
#[derive(Clone, Debug)]
pub struct Target {
    /// What trades.
    pub instrument: Instrument,
    /// The dated contract, for futures that have them.
    pub contract: Option<Contract>,
    /// The series in the archive.
    pub key: SeriesKey,
    /// What is wanted of it.
    pub wanted: Wanted,
}

impl Target {
    /// The request for bars of some days of it, before it has an id.
    pub fn request(&self, days: Days) -> Request {
        Request {
            instrument: self.instrument.clone(),
            contract: self.contract,
            period: self.key.period,
            days,
            correlation: String::new(),
        }
    }
}

/// What all series of a job share.
pub(super) struct Shared {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) archive: Archive,
    pub(super) committer: Committer,
    pub(super) raw: RawTrail,
    pub(super) counts: SessionCounts,
    /// A permit for each request that may be in flight.
    pub(super) requests: Semaphore,
    /// A permit for each answer that may be read, or encoded, at once.
    pub(super) work: Semaphore,
    /// What the provider refused all series with; nothing more is asked then.
    pub(super) closed: OnceLock<Refusal>,
    /// Where each request costs one of the day's downloads: the words of the last answers that could not be used,
    /// and how many there were in a row.
    pub(super) alike: Option<Mutex<(String, u32)>>,
    pub(super) observer: Arc<dyn Observer>,
    /// This machine's clock; see [`Shared::now`].
    pub(super) local: super::Clock,
    pub(super) parquet: bool,
    pub(super) bytes_fetched: AtomicU64,
    pub(super) files: AtomicU64,
    pub(super) correlations: AtomicU64,
    pub(super) cancelled: watch::Receiver<bool>,
    pub(super) job: i64,
    /// It was said that this machine's clock is wrong, and that the raw trail keeps nothing.
    pub(super) told: Told,
}

/// A series under way.
#[derive(Debug)]
pub(super) struct Course {
    /// Its place in the request.
    pub(super) place: usize,
    pub(super) target: Target,
    pub(super) number: Number,
    pub(super) limits: Limits,
    /// Still to fetch, next one first.
    pub(super) windows: std::collections::VecDeque<Days>,
    pub(super) out_of_reach: Vec<Days>,
    /// When the provider was last asked for its newest part.
    pub(super) asked_at: i64,
    /// How far the provider's clock was ahead when its windows were planned, and how often that changed them.
    pub(super) planned_by: (i64, u8),
    /// Splits since the last stored session were asked for, where no overlap could be had.
    pub(super) bridged: bool,
    /// Partitions whose Parquet twin is gone.
    pub(super) twins: Vec<String>,
    pub(super) added: u64,
    pub(super) changed: u64,
    pub(super) requests: u32,
    /// Its answer is here and its change not yet handed over.
    pub(super) coming: Option<Coming>,
    /// When its bars were given, in seconds since the epoch, where that is not now.
    pub(super) fetched_at: Option<i64>,
    pub(super) notes: Vec<String>,
}

/// Why a series ends before its windows do.
#[derive(Debug)]
pub(super) enum Stop {
    /// With an outcome of its own.
    Outcome(Outcome),
    /// The provider is left alone for a while: so are all other series.
    Limited(String),
    /// The provider wants a person: it is not asked for the other series either.
    Denied(String),
    /// The provider refused all series before this one was asked for.
    NotAsked,
    /// The job was told to end.
    Interrupted,
    /// The archive as a whole cannot be used: the job ends.
    Fatal(String),
}

impl From<ArchiveError> for Stop {
    fn from(error: ArchiveError) -> Stop {
        Stop::from(Arc::new(error))
    }
}

impl From<Arc<ArchiveError>> for Stop {
    fn from(error: Arc<ArchiveError>) -> Stop {
        match *error {
            _ if !error.is_of_one_series() => Stop::Fatal(error.to_string()),
            ArchiveError::Damaged { .. } => {
                let how = "nothing is added before `vortex validate --fix` has restored it from the file beside it, or has its days fetched or imported again";
                Stop::Outcome(Outcome::Failed(format!("{error}; {how}")))
            }
            _ => Stop::Outcome(Outcome::Failed(error.to_string())),
        }
    }
}

/// The stored side of a series.
pub(super) struct Stored {
    pub(super) state: SeriesState,
    pub(super) parts: Vec<PartitionRecord>,
    pub(super) last: Option<i64>,
    /// The provider's symbol, where that of the stored bars is another one.
    new_code: Option<String>,
    /// The contract's number that the file gives, or that was found now, where that of the stored bars is another one.
    new_number: Option<i64>,
}

impl Stored {
    /// Whether bars are stored whose provider's symbol was another one.
    pub(super) fn takes_new_code(&self) -> bool {
        self.new_code.is_some()
    }

    /// The new symbol, once its bars agree with those stored.
    pub(super) fn confirm_code(&mut self) {
        if let Some(code) = self.new_code.take() {
            self.state.code = code;
        }
    }

    /// What is not what it was, as `it was …, is … now`.
    fn renamed(&self) -> Option<String> {
        let (code, number) = (&self.state.code, self.state.meta.con_id.unwrap_or_default());
        match (&self.new_code, self.new_number) {
            (Some(new), _) => Some(format!("was {code} and is {new} now")),
            (None, Some(new)) => Some(format!("was the contract {number} and is {new} now")),
            (None, None) => None,
        }
    }

    /// Whether an answer about these days can be compared with what is stored; so it can where nothing
    /// is.
    fn meets(&self, asked: Days) -> bool {
        self.last.is_none() || asked.iter().any(|day| self.state.coverage.get(day) == Mark::Present)
    }
}

impl Shared {
    pub(super) fn stored(&self, course: &Course) -> Result<Stored, ArchiveError> {
        let key = &course.target.key;
        let code = course.target.instrument.code.clone();
        let Some(record) = self.archive.series(key)? else {
            let state = SeriesState { code, ..SeriesState::default() };
            return Ok(Stored { state, parts: Vec::new(), last: None, new_code: None, new_number: None });
        };
        let parts = self.archive.partitions(record.id)?;
        // Stored bars keep their code until an answer to the new one agrees with them.
        let new_code = Some(code).filter(|code| *code != record.state.code);
        let mut state = record.state;
        if let (Some(code), None) = (&new_code, record.last) {
            state.code.clone_from(code);
        }
        let new_code = new_code.filter(|_| record.last.is_some());
        let (number, known) = (course.target.instrument.broker.con_id, state.meta.con_id);
        let new_number = number.filter(|_| record.last.is_some() && known.is_some() && known != number);
        Ok(Stored { state, parts, last: record.last, new_code, new_number })
    }

    /// The stored bars that may be of days of a range, and those behind them in the same partition; all
    /// of them for `None`.
    pub(super) fn bars(
        &self,
        key: &SeriesKey,
        parts: &[PartitionRecord],
        days: Option<Days>,
    ) -> Result<Bars, ArchiveError> {
        let mut bars = Bars::new(key.columns());
        // A bar of several days stands at its first; a trading date of any zone lies within a day of its UTC date.
        let since = days.map_or(i64::MIN, |days| key.period.bar_day(days.first).plus(-1).midnight());
        for part in parts {
            let apart =
                part.last < since || days.is_some_and(|days| part.first > days.last.plus(2).midnight());
            if !apart {
                bars.append(&self.read_partition(key, part, since)?);
            }
        }
        Ok(bars)
    }

    /// The bars of one partition since a stamp; none of one that is damaged and fetched again for that.
    fn read_partition(
        &self,
        key: &SeriesKey,
        part: &PartitionRecord,
        since: i64,
    ) -> Result<Bars, ArchiveError> {
        match self.archive.read_partition_since(key, part, since) {
            Err(ArchiveError::Edited { .. } | ArchiveError::Damaged { .. })
                if self.archive.is_damaged(key, &part.name)? =>
            {
                Ok(Bars::new(key.columns()))
            }
            read => read,
        }
    }

    /// Fetches the next window of a series and stores what it brings.
    pub(super) async fn step(&self, course: &mut Course) -> Result<(), Stop> {
        let mut stored = self.stored(course)?;
        self.plan_again(course, &stored.state);
        let Some(window) = course.windows.pop_front() else {
            return self.give_up_unreachable(course, stored.state).await;
        };
        if stored.new_code.is_none() && !course.target.wanted.force {
            course.keep_to_number(stored.state.meta.con_id);
        }
        let asked = self.standing(course, &stored.state, |at| with_overlap(at, window));
        if !course.bridged && !stored.meets(asked) {
            course.bridged = true;
            self.bridge(course, stored).await?;
            stored = self.stored(course)?;
        }
        // Before anything is asked: what cannot be stored, or is not as recorded, costs no request.
        self.archive.check_place(&course.target.key)?;
        let bars = self.bars(&course.target.key, &stored.parts, Some(asked))?;
        let answer = self.ask(course, course.target.key.period, asked).await;
        // What was asked by a wrong clock tells nothing of the days that were meant.
        if self.plan_again(course, &stored.state) {
            return Ok(());
        }
        let answer = match answer {
            Ok(answer) => answer,
            Err(NoAnswer::Interrupted) => return Err(Stop::Interrupted),
            Err(NoAnswer::NotAsked) => return Err(Stop::NotAsked),
            Err(NoAnswer::Refused(refusal)) => {
                return self.refused(course, stored.state, window, refusal).await;
            }
        };
        self.absorb(course, stored, &bars, asked, answer).await
    }

    /// Days that were to be fetched again and are out of reach by now are told as such.
    async fn give_up_unreachable(&self, course: &mut Course, state: SeriesState) -> Result<(), Stop> {
        let next = absorb::leave_unreachable(&state, &course.out_of_reach);
        if next == state { Ok(()) } else { self.commit_state(course, next).await }
    }

    /// Stores an answer, or fetches everything again where it shows that history was restated.
    async fn absorb(
        &self,
        course: &mut Course,
        mut stored: Stored,
        bars: &Bars,
        asked: Days,
        answer: Answer,
    ) -> Result<(), Stop> {
        if course.number == Number::Gone {
            let (found, known) = (answer.meta.con_id, stored.state.meta.con_id);
            stored.new_number = found.filter(|_| stored.last.is_some() && found != known);
        }
        if let Some(renamed) = stored.renamed() {
            if !absorb::is_same_instrument(bars, &answer.bars) {
                let name = &course.target.instrument.name;
                let why = format!("{name} {renamed}, whose bars are others: give it another name");
                return self.suspect(course, stored.state.clone(), why).await;
            }
            stored.confirm_code();
        }
        if !course.target.wanted.force
            && let Some(why) = absorb::other_unit(&stored.state.meta, bars, &answer)
        {
            return self.suspect(course, stored.state.clone(), why).await;
        }
        let last = stored.last.filter(|_| !course.bridged);
        let begins = answer.first_day;
        match absorb::judge(&course.target.key, bars, last, &answer) {
            Verdict::Merge(restated) => {
                let state = self.learnt(course, &stored.state, asked, &answer);
                let news = absorb::news(bars, answer.bars);
                self.store(course, &stored, state, news, restated).await?;
            }
            Verdict::Refetch(cause) => self.restate(course, stored, asked, answer, cause).await?,
        }
        // Windows that lie before the provider's history need no request.
        if let Some(first) = begins {
            course.windows.retain(|window| window.last >= first);
        }
        Ok(())
    }

    pub(super) fn learnt(
        &self,
        course: &Course,
        state: &SeriesState,
        asked: Days,
        answer: &Answer,
    ) -> SeriesState {
        let key = &course.target.key;
        let mut next = absorb::learn(state, key, asked, course.target.wanted.from, answer);
        next = absorb::leave_unreachable(&next, &course.out_of_reach);
        next.held = None;
        next
    }

    /// Writes both files of the wanted partitions again, with the bars they have; how many.
    pub(super) async fn rewrite(
        &self,
        course: &mut Course,
        wanted: &(dyn Fn(&PartitionRecord) -> bool + Sync),
    ) -> Result<usize, Stop> {
        let stored = self.stored(course)?;
        let key = course.target.key.clone();
        let mut rewritten = 0;
        for part in stored.parts.iter().filter(|part| wanted(part)) {
            let bars = self.archive.read_partition(&key, part)?;
            self.commit(course, stored.state.clone(), vec![(part.name.clone(), Content::Whole(bars))], None)
                .await?;
            rewritten += 1;
        }
        Ok(rewritten)
    }

    /// Merges news into the partitions they belong to, and commits.
    pub(super) async fn store(
        &self,
        course: &mut Course,
        stored: &Stored,
        state: SeriesState,
        news: Bars,
        restated: Option<String>,
    ) -> Result<(), Stop> {
        let parts = absorb::by_partition(&course.target.key, news);
        let partitions: Vec<_> = parts.into_iter().map(|(name, news)| (name, Content::News(news))).collect();
        if partitions.is_empty() && state == stored.state {
            return Ok(());
        }
        let (added, changed) = self.commit(course, state, partitions, restated).await?;
        course.added += added;
        course.changed += changed;
        self.observer.event(&Event::Stored { key: &course.target.key, added });
        Ok(())
    }

    /// Commits what is known of a series, where no bar changes.
    pub(super) async fn commit_state(&self, course: &mut Course, state: SeriesState) -> Result<(), Stop> {
        self.commit(course, state, Vec::new(), None).await.map(drop)
    }

    /// Commits what changes in a series; how many bars were added and how many changed.
    pub(super) async fn commit(
        &self,
        course: &mut Course,
        state: SeriesState,
        partitions: Vec<(String, Content)>,
        restated: Option<String>,
    ) -> Result<(u64, u64), Stop> {
        let change = Change {
            key: course.target.key.clone(),
            state,
            partitions,
            restated,
            fetched_at: course.fetched_at.unwrap_or_else(|| self.now()),
            parquet: self.parquet,
        };
        let Submitted { added, changed, done } =
            self.in_turn(self.committer.submit(change, course.coming.take())).await?;
        let committed =
            done.await.map_err(|_| Stop::Fatal("the committing thread has ended".to_owned()))??;
        self.files.fetch_add(committed.files, Ordering::Relaxed);
        Ok((added, changed))
    }
}
