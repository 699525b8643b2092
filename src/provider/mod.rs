//! Where bars come from. A provider says what it serves, fetches an answer as received, and reads
//! such an answer; reading is pure, so that the raw trail can be read again at any time.

pub mod answer;
pub mod barchart;
pub mod cut;
mod effort;
mod few_days;
pub mod http;
pub mod ibkr;
pub mod limits;
pub mod sample;
pub mod yahoo;

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use answer::{Answer, Refusal, Split};
pub use effort::Effort;
pub use limits::Allowance;
use tokio::sync::watch;

use crate::model::{Class, Column, Contract, Days, Instrument, Period};

/// A clock: seconds since the epoch.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// One request to a provider: the bars of a series over a range of trading dates.
#[derive(Clone, Debug)]
pub struct Request {
    /// The instrument; its `code` is what the provider knows.
    pub instrument: Instrument,
    /// The dated contract, for futures that have them.
    pub contract: Option<Contract>,
    /// The bar length wanted.
    pub period: Period,
    /// The trading dates wanted, both inclusive.
    pub days: Days,
    /// One id from here to the raw trail and the log.
    pub correlation: String,
}

impl Request {
    /// The trading dates wanted as whole bars: all of the first and last week, month or quarter.
    pub fn whole_days(&self) -> Days {
        self.period.whole(self.days)
    }

    /// The columns that bars of this series have, with a provider.
    pub fn columns(&self, provider: &str) -> &'static [Column] {
        Column::of(provider, self.instrument.class, self.contract.is_some(), self.period)
    }
}

/// How far back and how much at once a provider serves one period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many days back from now a request may begin; `None` without end.
    pub reach_days: Option<i32>,
    /// How many days a request may span; `None` without end.
    pub request_days: Option<i32>,
}

/// An answer as received, before anything is made of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawAnswer {
    /// The address asked, without secrets.
    pub url: String,
    /// HTTP status; 200 for providers without one.
    pub status: u16,
    /// Lower-case names and values, without cookies and other secrets.
    pub headers: Vec<(String, String)>,
    /// When it arrived, in seconds since the epoch by this machine's clock.
    pub received: i64,
    /// The body, decoded from its transfer and content encodings.
    pub body: Vec<u8>,
    /// The body as it came, where that was compressed by gzip: the raw trail keeps it so.
    pub gzip: Option<Vec<u8>>,
}

impl RawAnswer {
    /// A header's value by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The provider's clock at the answer: its Date header, in seconds since the epoch.
    pub fn date(&self) -> Option<i64> {
        seconds_of(self.header("date")?)
    }

    /// The seconds of its Retry-After header, which may be a number or a date.
    pub fn retry_after(&self) -> Option<i64> {
        let value = self.header("retry-after")?.trim();
        value.parse().ok().or_else(|| seconds_of(value).map(|date| date - self.received))
    }
}

/// An HTTP date, in seconds since the epoch.
fn seconds_of(date: &str) -> Option<i64> {
    let date = httpdate::parse_http_date(date).ok()?;
    date.duration_since(std::time::UNIX_EPOCH).ok().map(|since| since.as_secs() as i64)
}

/// Takes answers that are none to the request: those after which it is made again, or the provider is left alone. The
/// raw trail keeps them.
pub type Aside<'a> = &'a (dyn Fn(&RawAnswer) + Send + Sync);

/// The future of a provider's answer.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<RawAnswer, Refusal>> + Send + 'a>>;

/// The future of a test: how a provider said that it is well, or what is wrong.
pub type Testing<'a> = Pin<Box<dyn Future<Output = Result<String, String>> + Send + 'a>>;

/// The future of closing what was opened for a job.
pub type Closing<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

tokio::task_local! {
    static SENT: Cell<u32>;
}

/// Notes that a request is sent, for whoever counts; see [`counting`].
pub fn note_sent() {
    // Outside of a job nobody counts.
    let _ = SENT.try_with(|sent| sent.set(sent.get() + 1));
}

/// Does some work, and counts the requests it sends: pages, sessions and further tries too.
pub async fn counting<T>(work: impl Future<Output = T>) -> (T, u32) {
    let counted = async {
        let done = work.await;
        (done, SENT.with(Cell::get))
    };
    SENT.scope(Cell::new(0), counted).await
}

/// A source of bars.
pub trait Provider: Send + Sync {
    /// The name in configuration, paths and messages.
    fn name(&self) -> &'static str;

    /// The name under which its bars are archived; differs from `name` only for a replay.
    fn archive_name(&self) -> &str {
        self.name()
    }

    /// What it serves of a period for a class, or why it does not, in words for the person.
    fn limits(&self, class: Class, period: Period) -> Result<Limits, String>;

    /// Whether it serves dated futures contracts one by one.
    fn serves_contracts(&self) -> bool {
        false
    }

    /// How many requests may be in flight at once.
    fn concurrency(&self) -> usize;

    /// The rate it may be asked at, in words, where there is one.
    fn pace(&self) -> Option<String> {
        None
    }

    /// What is left of the account's daily allowance at `now`, in seconds since the epoch, by the ledger: nobody
    /// is asked. `None` where there is no allowance, or none can be read; then [`Provider::fetch`] says why.
    fn allowance(&self, _now: i64) -> Option<Allowance> {
        None
    }

    /// How many seconds its clock is ahead of this machine's, as its answers tell; 0 before one did.
    fn ahead(&self) -> i64 {
        0
    }

    /// Why it cannot be asked at all before a person has done something: an account that it lacks.
    fn unready(&self) -> Option<Refusal> {
        None
    }

    /// The host and port where it is asked; `None` where that is nowhere, or this machine itself.
    fn endpoint(&self) -> Option<(String, u16)> {
        None
    }

    /// What its requests wait for before they can be made, as that changes: in words, with until when and what to do;
    /// `None` in it while they do not. Itself `None` with a provider that never makes them wait so.
    fn waits(&self) -> Option<watch::Receiver<Option<String>>> {
        None
    }

    /// What such requests cost by the limits, from now on; `None` where nothing is known of it.
    fn effort(&self, _requests: &[Request]) -> Option<Effort> {
        None
    }

    /// Asks for something small, to see whether all is well.
    fn test(&self) -> Testing<'_>;

    /// Asks for the bars. Waits for the provider's rate limit, retries what is worth it, keeps its
    /// cool-downs. An answer of any status is `Ok` as received, so that the raw trail keeps it and
    /// `read` tells what it means; `Err` is for what the provider is left alone after (429, open
    /// circuit, no connection, body over the limit). What came before either, and of a 429 what came,
    /// is put `aside`. Nothing that is handed on holds a secret.
    fn fetch<'a>(&'a self, request: &'a Request, aside: Aside<'a>) -> Fetching<'a>;

    /// A job is over: closes what was opened for it, as a login is. It may be asked again afterwards.
    fn finish(&self) -> Closing<'_> {
        Box::pin(std::future::ready(()))
    }

    /// Reads the answer to a request. Pure: the same bytes always give the same bars.
    fn read(&self, request: &Request, raw: &RawAnswer) -> Result<Answer, Refusal>;
}
