//! Gets what the gateway says to one request: the contract, where its data begin, the bars; each under the
//! broker's limits, and again where it is worth it.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use tokio::sync::OnceCell;

use super::api::{Asked, Asking, Fault, Gateway, Listing, Row, Show, Stamp, Told};
use super::body::{Head, Writer};
use super::fault::{self, Meaning, meaning};
use super::read::unusable;
use super::{Ibkr, NAME, code_of, contract, hours, windows, zones};
use crate::model::{Day, Days, Period};
use crate::provider::limits::note;
use crate::provider::limits::pacing::{Ask, Open};
use crate::provider::{RawAnswer, Refusal, Request};

/// How often a request is asked again that had no answer, or that the gateway gave up.
const RETRIES: u32 = 2;
/// How often one that broke a limit all the same, or was lost while others were answered.
const MORE_RETRIES: u32 = 8;
/// A contract that the broker does not know is asked for again after so long, in µs.
const ONCE_MORE: i64 = 2_000_000;
/// Bars further than this from the days asked for are not kept: a month's or a week's bears another of its days.
const NEAR_DAYS: i32 = 31;
/// An answer that takes longer comes from a gateway that slows us down.
const SLOW: Duration = Duration::from_secs(10);
/// Messages a minute: the gateway closes the connection at more than 50 a second.
const MESSAGES: u32 = 2400;

/// The gateway's error: its number and words.
type Said = (i32, String);

/// What a job knows of a contract.
#[derive(Default)]
pub(super) struct Known {
    /// Those that match, or the gateway's error.
    found: OnceCell<Result<Vec<Listing>, Said>>,
    /// When its data begin, where that can be told, in seconds since the epoch.
    head: OnceCell<Option<i64>>,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Details,
    Head,
    /// Bars, of a window that can be made smaller or not.
    Bars {
        smaller: bool,
    },
}

/// Why a question has no answer.
enum Unanswered {
    Fault(Fault),
    Refused(Refusal),
}

impl From<Refusal> for Unanswered {
    fn from(refusal: Refusal) -> Unanswered {
        Unanswered::Refused(refusal)
    }
}

impl Ibkr {
    /// What the gateway says to a request; see [`crate::provider::Provider::fetch`].
    pub(super) async fn fetch_bars(&self, request: &Request) -> Result<RawAnswer, Refusal> {
        let class = request.instrument.class;
        let (show, regular) = (contract::show(self.show, class), self.regular(class));
        let known = self.known(request)?;
        let body = match self.details(request, &known).await? {
            Ok(found) => {
                let listing = contract::choose(request, found, Day::of_utc(self.session.clock()))?;
                self.is_also(request, &listing, &known);
                self.bars_of(request, &known, listing, (show, regular)).await?
            }
            Err(said) => {
                let asked = (show, regular);
                let clock = self.session.clock();
                let head = Head::unknown(code_of(request), request.period, asked, said, clock);
                Writer::default().finish(&head).map_err(unwritable)?
            }
        };
        let (host, port, code) = (&self.settings.host, self.settings.port, code_of(request));
        Ok(RawAnswer {
            url: format!("ibkr://{host}:{port}/{code}/{}/{}", request.period, request.days),
            status: 200,
            headers: vec![("content-type".to_owned(), "application/jsonl".to_owned())],
            received: self.session.clock(),
            body,
            gzip: None,
        })
    }

    /// What is known of the contract a request means.
    fn known(&self, request: &Request) -> Result<Arc<Known>, Refusal> {
        let wanted = contract::wanted(request)?;
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(all.entry(format!("{wanted:?}")).or_default()))
    }

    /// By its number a contract is known as well from now on: later requests name it so.
    fn is_also(&self, request: &Request, listing: &Listing, known: &Arc<Known>) {
        let mut by_number = request.clone();
        by_number.instrument.broker.con_id = Some(i64::from(listing.con_id));
        if let Ok(wanted) = contract::wanted(&by_number) {
            let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(format!("{wanted:?}")).or_insert_with(|| Arc::clone(known));
        }
    }

    /// The contracts that may be meant, or the gateway's error: asked once a job, by the first who needs it.
    async fn details(&self, request: &Request, known: &Known) -> Result<Result<Vec<Listing>, Said>, Refusal> {
        let wanted = contract::wanted(request)?;
        let ask = || async {
            let mut times = 0;
            loop {
                match self.ask(Question::Details, None, |gateway| gateway.details(wanted.clone())).await {
                    Ok(found) => return Ok(Ok(found)),
                    Err(Unanswered::Fault(Fault::Said { code, text })) => {
                        times += 1;
                        // Without the broker a gateway says of any contract that it is unknown, and a while after.
                        let sure = self.once || (times > 1 && self.session.is_up().await);
                        if sure || meaning(code, &text) != Meaning::Unknown {
                            return Ok(Err((code, text)));
                        }
                        self.time.sleep(ONCE_MORE).await;
                    }
                    Err(other) => return Err(self.refusal(request, other)),
                }
            }
        };
        known.found.get_or_try_init(ask).await.cloned()
    }

    /// The bars of all steps, as a body.
    async fn bars_of(
        &self,
        request: &Request,
        known: &Known,
        listing: Listing,
        (show, regular): (Show, bool),
    ) -> Result<Vec<u8>, Refusal> {
        let period = request.period;
        let (_, zone) = zones::zone(&listing.time_zone).ok_or_else(|| zones::unknown(&listing.time_zone))?;
        let trading = Trading::of(if regular { &listing.liquid_hours } else { &listing.trading_hours });
        let days = request.whole_days();
        let mut head = Head::new(code_of(request), period, (show, regular), listing.clone());
        head.clock = self.session.clock();
        if days.first < Day::of_utc(head.clock).plus(-windows::HEAD_BEFORE_DAYS) {
            head.head = self.head(request, known, &listing, (show, regular)).await?;
        }
        // One that lies ahead says nothing.
        head.head = head.head.filter(|begins| *begins <= head.clock);
        let begins = head.head.map(|begins| period.bar_day(Day::of_local(begins, &zone)));
        let wanted = Days::new(begins.map_or(days.first, |begins| begins.max(days.first)), days.last);
        let mut body = Writer::default();
        let at_once = || self.bars_at_once.load(Ordering::Relaxed);
        let cut = |days| {
            VecDeque::from(windows::steps(period, days, (trading.seconds, trading.every_day), at_once()))
        };
        let mut steps = wanted.map(cut).unwrap_or_default();
        while let Some(step) = steps.pop_front() {
            // Taken before it is asked: what ends while it is answered is not over.
            head.clock = self.session.clock();
            let asked = asked(period, step, &trading, (show, regular), (head.clock, &zone));
            let (size, halves) = (at_once(), windows::halves(period, step));
            match self.bars(&listing, &asked, halves.is_some()).await {
                Ok(mut told) => {
                    keep_near(&mut told.rows, step);
                    body.told(asked, &told).map_err(unwritable)?;
                }
                Err(Unanswered::Fault(fault)) if fault::is_given_up(&fault) && halves.is_some() => {
                    self.ask_for_less(size);
                    halves.into_iter().flatten().rev().for_each(|half| steps.push_front(half));
                }
                Err(Unanswered::Fault(Fault::Said { code, text })) => {
                    let goes_on = meaning(code, &text) == Meaning::Empty;
                    body.refused(asked, code, text).map_err(unwritable)?;
                    if !goes_on {
                        break;
                    }
                }
                Err(other) => return Err(self.refusal(request, other)),
            }
        }
        body.finish(&head).map_err(unwritable)
    }

    /// What was too much for the gateway is not asked for again by this job, in one.
    fn ask_for_less(&self, size: i32) {
        let less = (size / 2).max(windows::FEWEST_BARS);
        let before = self.bars_at_once.fetch_min(less, Ordering::Relaxed);
        if less < before {
            tracing::info!(
                "the gateway did not answer a request for up to {size} bars; asking for {less} at once"
            );
        }
    }

    async fn bars(&self, listing: &Listing, asked: &Asked, smaller: bool) -> Result<Told, Unanswered> {
        let pace = Ask {
            identity: format!("{} {} {asked:?}", listing.con_id, listing.exchange),
            of: thing(listing, asked.show),
            weight: asked.show.weight(),
        };
        let question = Question::Bars { smaller };
        self.ask(question, Some(&pace), |gateway| gateway.bars(listing.clone(), asked.clone())).await
    }

    /// When the data of a contract begin; nothing where the gateway does not say.
    async fn head(
        &self,
        request: &Request,
        known: &Known,
        listing: &Listing,
        (show, regular): (Show, bool),
    ) -> Result<Option<i64>, Refusal> {
        let pace = Ask {
            identity: format!("{} {} head {}", listing.con_id, listing.exchange, show.name()),
            of: thing(listing, show),
            weight: 1,
        };
        let ask = || async {
            let asking = |gateway: Arc<dyn Gateway>| gateway.head(listing.clone(), show, regular);
            match self.ask(Question::Head, Some(&pace), asking).await {
                Ok(begins) => Ok(Some(begins)),
                // Only a bound of what is asked for: without it more is asked.
                Err(Unanswered::Fault(Fault::Said { .. } | Fault::Silent(_) | Fault::Unreadable(_))) => {
                    Ok(None)
                }
                Err(other) => Err(self.refusal(request, other)),
            }
        };
        known.head.get_or_try_init(ask).await.copied()
    }

    /// Asks the gateway, under the limits, again where that is worth it.
    async fn ask<T>(
        &self,
        question: Question,
        pace: Option<&Ask>,
        asking: impl Fn(Arc<dyn Gateway>) -> Asking<T>,
    ) -> Result<T, Unanswered> {
        let (mut retries, mut more) = (0, 0);
        loop {
            let gateway = self.connected().await?;
            let _alone = self.alone().await;
            let open = match pace {
                Some(pace) => Some(self.enter(pace).await?),
                None => None,
            };
            let (began, others) = (Instant::now(), self.session.answers());
            let answer = self.session.ask(&*gateway, asking(Arc::clone(&gateway))).await;
            drop(open);
            self.note(question, began.elapsed(), answer.as_ref().err());
            let fault = match answer {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            let again = again(&fault);
            if let Again::Paced = again {
                self.violated();
            }
            let worth_it = match again {
                _ if self.once => false,
                Again::Once
                    if question == (Question::Bars { smaller: true }) && fault::is_given_up(&fault) =>
                {
                    false
                }
                Again::Once => counted(&mut retries, RETRIES),
                Again::Often | Again::Paced => counted(&mut more, MORE_RETRIES),
                // It is waited for as long as the connection is; unless it alone is what the gateway ends at.
                Again::Connected => self.session.answers() == others || counted(&mut more, MORE_RETRIES),
                Again::Never => false,
            };
            if !worth_it {
                if let Fault::Silent(_) | Fault::WithoutBroker | Fault::Lost(_) = fault {
                    self.throttle.failed(NAME, &fault::of(fault.clone(), "", 0).to_string());
                }
                return Err(Unanswered::Fault(fault));
            }
            match &fault {
                Fault::Said { code, text } => tracing::warn!("{} (error {code}); asking again", text.trim()),
                Fault::Silent(seconds) => tracing::warn!("no answer within {seconds} seconds; asking again"),
                // A lost connection is told once, by the session.
                other => tracing::debug!("{other:?}; asking again"),
            }
        }
    }

    /// Waits until the limits allow a request; whoever asks only once waits for nothing.
    async fn enter(&self, pace: &Ask) -> Result<Open, Refusal> {
        if !self.once {
            return self.pacing.enter(pace).await;
        }
        self.pacing.enter_now(pace).await?.map_err(|wait| {
            let seconds = wait / 1_000_000 + 1;
            Refusal::Limited {
                provider: NAME,
                until: (self.now)() + seconds,
                said: format!("the limits are in use by other requests for another {seconds} s"),
            }
        })
    }

    /// The broker says that a limit was broken all the same.
    fn violated(&self) {
        let waits = self.pacing.violated();
        let seconds = waits.as_ref().map_or(0, |seconds| *seconds);
        note(NAME, waits.map(drop));
        let said = format!("it says that its limits were broken: waiting {seconds} seconds");
        tracing::warn!("Interactive Brokers: {said}");
        self.throttle.failed(NAME, &said);
    }

    /// A gateway; that there is none counts against the provider.
    async fn connected(&self) -> Result<Arc<dyn Gateway>, Refusal> {
        // One that failed again and again is left alone for a minute.
        self.throttle.admit(NAME, MESSAGES).await?;
        let gateway = self.session.gateway().await;
        if let Err(refusal) = &gateway {
            self.throttle.failed(NAME, &refusal.to_string());
        }
        gateway
    }

    /// Notes what an answer, or that there is none, says of the gateway. An error is an answer too.
    fn note(&self, question: Question, took: Duration, fault: Option<&Fault>) {
        let answered = match fault {
            None => true,
            Some(Fault::Said { code, text }) => {
                !matches!(meaning(*code, text), Meaning::Pacing | Meaning::Lost)
            }
            Some(_) => false,
        };
        if answered {
            self.session.answered();
            self.throttle.succeeded(NAME);
        }
        let of_bars = matches!(question, Question::Bars { .. });
        match fault {
            Some(Fault::Silent(_)) => self.note_speed(took.max(SLOW)),
            None if of_bars => self.note_speed(took),
            _ => {}
        }
    }

    /// While the gateway slows us down one request is made at a time.
    async fn alone(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        match self.slow.load(std::sync::atomic::Ordering::Relaxed) {
            true => Some(self.one.lock().await),
            false => None,
        }
    }

    fn note_speed(&self, took: Duration) {
        let slow = took >= SLOW;
        if slow != self.slow.swap(slow, std::sync::atomic::Ordering::Relaxed) {
            let seconds = took.as_secs();
            match slow {
                true => tracing::info!(
                    "the gateway took {seconds} seconds for an answer: it slows us down; one request at a time"
                ),
                false => tracing::info!("the gateway is quick again"),
            }
        }
    }

    fn refusal(&self, request: &Request, unanswered: Unanswered) -> Refusal {
        match unanswered {
            Unanswered::Refused(refusal) => refusal,
            Unanswered::Fault(fault) => fault::of(fault, &code_of(request), self.session.clock()),
        }
    }
}

/// The request for the bars of a step.
fn asked(
    period: Period,
    step: Days,
    trading: &Trading,
    (show, regular): (Show, bool),
    (clock, zone): (i64, &TimeZone),
) -> Asked {
    let duration = |days: Days| windows::duration(period, days, trading.overnight, trading.every_day);
    let end = step.last.plus(1).instant(0, zone);
    let today = Day::of_local(clock, zone);
    let to_now = Days { first: step.first, last: step.last.max(today) };
    // Adjusted bars are given up to now and no other end; nothing else may end ahead.
    let (end, duration) = match show == Show::AdjustedLast || end > clock {
        true => (None, duration(to_now)),
        false => (Some(end), duration(step)),
    };
    Asked { end, duration, bar: windows::bar(period), show, regular }
}

/// Counts one more; whether it is not one too many.
fn counted(times: &mut u32, most: u32) -> bool {
    *times += 1;
    *times <= most
}

/// Drops bars that lie days away from what was asked for. A session may begin on the evening before, a longer bar
/// bears another of its days.
fn keep_near(rows: &mut Vec<Row>, step: Days) {
    let near = Days { first: step.first.plus(-NEAR_DAYS), last: step.last.plus(NEAR_DAYS) };
    rows.retain(|row| match row.0 {
        Stamp::Instant(at) => near.contains(Day::of_utc(at)),
        // What is no date is told when it is read.
        Stamp::Date(year, month, day) => {
            let date = jiff::civil::Date::new(year, month as i8, day as i8);
            date.map_or(true, |date| near.contains(Day::of_date(date)))
        }
    });
}

/// Whether a question is asked again.
enum Again {
    Never,
    Once,
    Often,
    /// When there is a connection again.
    Connected,
    /// When the limits allow it, after a violation.
    Paced,
}

fn again(fault: &Fault) -> Again {
    match fault {
        Fault::Said { code, text } => match meaning(*code, text) {
            Meaning::Pacing => Again::Paced,
            Meaning::Again | Meaning::Later => Again::Once,
            Meaning::Lost | Meaning::Notice => Again::Often,
            _ => Again::Never,
        },
        Fault::Lost(_) => Again::Connected,
        Fault::Dropped => Again::Often,
        Fault::Silent(_) => Again::Once,
        Fault::Unreadable(_) | Fault::WithoutBroker => Again::Never,
    }
}

/// When a contract trades.
struct Trading {
    /// Seconds a session at most.
    seconds: i32,
    overnight: bool,
    every_day: bool,
}

impl Trading {
    fn of(hours: &[String]) -> Trading {
        let sessions = hours::sessions(hours);
        let longest = sessions.iter().map(|session| session.close - session.open).max();
        Trading {
            seconds: longest.unwrap_or(86_400),
            overnight: sessions.is_empty() || sessions.iter().any(|session| session.open < 0),
            every_day: sessions.iter().any(|session| session.day.is_weekend()),
        }
    }
}

/// What the broker counts as one: contract, exchange, kind of data.
fn thing(listing: &Listing, show: Show) -> String {
    format!("{} {} {}", listing.con_id, listing.exchange, show.name())
}

fn unwritable(error: serde_json::Error) -> Refusal {
    unusable(error.to_string())
}
