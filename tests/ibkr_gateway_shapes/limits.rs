//! The gateway keeps the broker's limits and counts what breaks them.

use rstest::rstest;

use crate::at;
use crate::client::*;
use crate::ibkr_gateway::message::History;
use crate::ibkr_gateway::proto::Nothing;
use crate::ibkr_gateway::{Action, Gateway, Options, Rule, Violation};
use crate::{EVENING, evening};

/// The nth of many requests that differ.
fn nth(symbol: &str, n: usize) -> History {
    ending(asked(stock(symbol), "1 day", "1 D"), &format!("202401{:02} 22:00:{:02} UTC", n % 28 + 1, n % 60))
}

fn is_refused(client: &mut Client, asked: &History) -> bool {
    match client.bars(asked) {
        Err((162, text)) if text.ends_with(":Historical data request pacing violation") => true,
        Err((code, text)) => panic!("{code} {text}"),
        Ok(_) => false,
    }
}

#[test]
fn the_same_request_waits_fifteen_seconds() {
    let gateway = evening();
    let mut client = Client::start(&gateway, 1);
    let refused: Vec<bool> = [0.0, 14.0, 15.5]
        .into_iter()
        .map(|seconds| {
            gateway.advance(seconds);
            is_refused(&mut client, &nth("AAPL", 2))
        })
        .collect();
    assert_eq!(refused, [false, true, false]);
    assert_eq!(gateway.counts().violations, [Violation::Identical]);
}

#[test]
fn the_sixth_of_a_contract_waits_two_seconds() {
    let gateway = evening();
    let mut client = Client::start(&gateway, 1);
    assert!((0..5).all(|n| !is_refused(&mut client, &nth("AAPL", n))));
    assert!(!is_refused(&mut client, &nth("MSFT", 5)));
    assert!(is_refused(&mut client, &nth("AAPL", 6)));
    gateway.advance(2.0);
    assert!(!is_refused(&mut client, &nth("AAPL", 7)));
    assert_eq!(gateway.counts().violations, [Violation::SameContract]);
}

#[rstest]
#[case("TRADES", 60)]
#[case("BID_ASK", 30)]
fn sixty_of_ten_minutes_and_quotes_of_both_sides_count_twice(#[case] what: &str, #[case] most: usize) {
    let gateway = evening();
    let mut client = Client::start(&gateway, 1);
    let asked = |n: usize| History { what_to_show: what.into(), ..nth(&format!("S{n:04}"), n) };
    let mut next = |n: usize| {
        gateway.advance(3.0);
        is_refused(&mut client, &asked(n))
    };
    assert!((0..most).all(|n| !next(n)));
    assert!(next(60));
    assert_eq!(gateway.counts().violations, [Violation::TenMinutes]);
    gateway.advance(600.0);
    assert!(!next(61));
    assert_eq!(gateway.counts().history.len(), most + 2);
}

#[test]
fn fifty_are_open_at_once() {
    let gateway = evening();
    gateway.rule(Rule::new(Action::Silent {}));
    let mut client = Client::start(&gateway, 1);
    for n in 0..51 {
        gateway.advance(3.0);
        client.ask(n, &nth(&format!("S{n:04}"), n as usize));
        client.say(49, &Nothing {});
        if n < 50 {
            assert_eq!(client.hear().unwrap().0, 49);
        }
    }
    let (id, code, text) = client.error();
    assert!(id == 50 && code == 162 && text.ends_with("pacing violation"), "{id} {code} {text}");
    assert_eq!((gateway.counts().violations, gateway.counts().open_most), (vec![Violation::Open], 51));
}

#[test]
fn who_says_too_much_in_a_second_is_hung_up_on() {
    let gateway = evening();
    let mut client = Client::start(&gateway, 1);
    for _ in 0..60 {
        client.say(49, &Nothing {});
    }
    let mut answered = 0;
    let (number, body) = loop {
        match client.hear().unwrap() {
            (49, _) => answered += 1,
            other => break other,
        }
    };
    // The start was the first.
    assert_eq!((answered, number, error_of(&body).1), (49, 4, 100));
    assert_eq!(client.hear(), None);
    assert_eq!(gateway.counts().violations, [Violation::Messages]);
}

#[test]
fn a_hurried_clock_and_a_lenient_gateway() {
    let gateway = Gateway::with(at(EVENING), Options { speed: 1e6, ..Options::default() });
    let mut client = Client::start(&gateway, 1);
    assert!((0..100).all(|_| !is_refused(&mut client, &nth("AAPL", 1))));
    assert_eq!(gateway.counts().violations, []);
    let gateway = Gateway::with(at(EVENING), Options { refuse: false, ..Options::default() });
    let mut client = Client::start(&gateway, 1);
    assert!((0..2).all(|_| !is_refused(&mut client, &nth("AAPL", 1))));
    assert_eq!(gateway.counts().violations, [Violation::Identical]);
}
