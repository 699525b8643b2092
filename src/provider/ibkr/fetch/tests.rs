//! How many requests are made at once, by what the answers take.

use std::sync::atomic::AtomicUsize;

use tokio::sync::watch;

use super::super::api::{Bar, Link, Span, Wanted};
use super::*;
use crate::config::IbkrSettings;
use crate::provider::limits::Throttle;
use crate::provider::limits::pacing::MachineTime;

/// How long an answer takes here: long enough that requests which are made at once meet.
const ANSWER: Duration = Duration::from_millis(60);

/// A gateway that counts the requests that are open.
struct Counting {
    link: watch::Sender<Link>,
    open: AtomicUsize,
    most: AtomicUsize,
}

impl Gateway for Counting {
    fn details(self: Arc<Self>, _: Wanted) -> Asking<Vec<Listing>> {
        Box::pin(async { Err(Fault::Dropped) })
    }

    fn head(self: Arc<Self>, _: Listing, _: Show, _: bool) -> Asking<i64> {
        Box::pin(async { Err(Fault::Dropped) })
    }

    fn bars(self: Arc<Self>, _: Listing, _: Asked) -> Asking<Told> {
        Box::pin(async move {
            let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(open, Ordering::SeqCst);
            tokio::time::sleep(ANSWER).await;
            self.open.fetch_sub(1, Ordering::SeqCst);
            Ok(Told::default())
        })
    }

    fn clock(self: Arc<Self>) -> Asking<i64> {
        Box::pin(async { Ok(0) })
    }

    fn link(&self) -> watch::Receiver<Link> {
        self.link.subscribe()
    }

    fn client_id(&self) -> u16 {
        1
    }
}

/// The most requests that were open at once, of four that are made together.
async fn most_at_once(ibkr: &Ibkr, gateway: &Counting) -> usize {
    gateway.most.store(0, Ordering::SeqCst);
    let asked = Asked { end: None, duration: Span::D(1), bar: Bar::Day, show: Show::Trades, regular: true };
    let ask = || {
        let asking = |gateway: Arc<dyn Gateway>| gateway.bars(Listing::default(), asked.clone());
        ibkr.ask(Question::Bars { smaller: false }, None, asking)
    };
    let (one, two, three, four) = tokio::join!(ask(), ask(), ask(), ask());
    assert!([one, two, three, four].iter().all(Result::is_ok));
    gateway.most.load(Ordering::SeqCst)
}

#[tokio::test]
async fn while_answers_are_slow_one_request_is_made_at_a_time() {
    let settings = IbkrSettings {
        host: "127.0.0.1".to_owned(),
        port: 1,
        client_id: 1,
        timeout: 30,
        what_to_show: None,
        use_rth: None,
    };
    let throttle = Throttle::in_memory().unwrap();
    let ibkr = Ibkr::new(&settings, throttle, Arc::new(|| 0), Arc::new(MachineTime));
    let link = watch::Sender::new(Link::Up { losses: 0 });
    let gateway = Arc::new(Counting { link, open: AtomicUsize::new(0), most: AtomicUsize::new(0) });
    ibkr.session.put(gateway.clone()).await;
    let bars = Question::Bars { smaller: false };

    assert!(most_at_once(&ibkr, &gateway).await > 1);
    // Slow are bars that take long, and silence; an answer about a contract says nothing of the pace.
    ibkr.note(Question::Details, SLOW, None);
    ibkr.note(bars, SLOW - Duration::from_millis(1), None);
    assert!(most_at_once(&ibkr, &gateway).await > 1);
    ibkr.note(bars, SLOW, None);
    assert_eq!(most_at_once(&ibkr, &gateway).await, 1);
    // They were answered quickly.
    assert!(most_at_once(&ibkr, &gateway).await > 1);
    ibkr.note(Question::Details, Duration::ZERO, Some(&Fault::Silent(1)));
    assert_eq!(most_at_once(&ibkr, &gateway).await, 1);
}
