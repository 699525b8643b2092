//! The gateway misbehaves on demand.

use std::io::Read;
use std::net::TcpStream;

use prost::Message;
use rstest::rstest;

use crate::client::*;
use crate::ibkr_gateway::message::{self, History};
use crate::ibkr_gateway::{Action, Gateway, Kind, Options, Rule, proto};
use crate::{EVENING, at, days, evening};

fn week() -> History {
    asked(stock("AAPL"), "1 day", "5 D")
}

/// A client of a gateway with one rule.
fn with(rule: Rule) -> (Gateway, Client) {
    let gateway = evening();
    gateway.rule(rule);
    let client = Client::start(&gateway, 1);
    (gateway, client)
}

#[rstest]
#[case(Action::Split { bytes: 1 })]
#[case(Action::Split { bytes: 7 })]
#[case(Action::Together {})]
#[case(Action::Delay { milliseconds: 1 })]
#[case(Action::NoticeBetween { code: 2106, text: "HMDS data farm connection is OK:ushmds".into() })]
fn a_whole_answer_however_it_comes(#[case] action: Action) {
    let (gateway, mut client) = with(Rule::new(action));
    let bars = client.bars(&week()).unwrap();
    is_true(&bars, &gateway.truth(&stock("AAPL"), "1 day", "TRADES", days("2024-05-29", "2024-06-04")));
}

#[test]
fn notices_come_between_and_before() {
    let between = Action::NoticeBetween { code: 2107, text: "inactive".into() };
    let (_gateway, mut client) = with(Rule::new(between));
    client.ask(7, &week());
    let numbers: Vec<i32> = (0..3).map(|_| client.hear().unwrap().0).collect();
    assert_eq!(numbers, [17, 4, 108]);
    let before = Action::NoticeBefore { code: 165, text: "HMDS server connection was successful".into() };
    let (_gateway, mut client) = with(Rule::new(before));
    client.ask(7, &week());
    assert_eq!(client.error(), (7, 165, "HMDS server connection was successful".into()));
    assert_eq!(client.answer().unwrap().len(), 5);
}

#[test]
fn errors_by_symbol_and_for_a_while() {
    let (_gateway, mut client) = with(Rule::error(354, "not subscribed").symbol("MSFT").skip(1).times(1));
    let msft = |size: &str| asked(stock("MSFT"), size, "2 D");
    assert!(client.bars(&msft("1 day")).is_ok());
    assert!(client.bars(&week()).is_ok());
    assert_eq!(client.bars(&msft("1 hour")).unwrap_err(), (354, "not subscribed".into()));
    assert!(client.bars(&msft("30 mins")).is_ok());
}

#[test]
fn the_language_of_the_program_is_before_the_colon() {
    let options =
        Options { prefix: "Fehlermeldung des Diensts für Verlaufsdaten".into(), ..Options::default() };
    let gateway = Gateway::with(at(EVENING), options);
    let history = ending(week(), "19700101 00:00:00 UTC");
    let (code, text) = Client::start(&gateway, 1).bars(&history).unwrap_err();
    assert_eq!(code, 162);
    assert_eq!(
        text,
        "Fehlermeldung des Diensts für Verlaufsdaten:HMDS query returned no data: AAPL@NASDAQ Trades"
    );
}

#[test]
fn an_answer_that_does_not_come_or_end_can_be_cancelled() {
    let gateway = evening();
    gateway.rule(Rule::new(Action::Silent {}).times(1));
    gateway.rule(Rule::new(Action::NoEnd {}).skip(1).times(1));
    let mut client = Client::start(&gateway, 1);
    for (id, heard) in [(7, None), (8, Some(17))] {
        client.ask(id, &asked(stock("AAPL"), "1 day", &format!("{id} D")));
        if let Some(number) = heard {
            assert_eq!(client.hear().unwrap().0, number);
        }
        client.say(25, &proto::Of { request: Some(id) });
        let (of, code, text) = client.error();
        assert_eq!((of, code), (id, 162));
        assert!(text.ends_with(&format!(":API historical data query cancelled: {id}")), "{text}");
    }
    client.say(25, &proto::Of { request: Some(8) });
    assert_eq!(client.error(), (8, 366, "No historical data query found for ticker id:8".into()));
    assert_eq!(gateway.counts().cancels, 3);
}

#[test]
fn connections_end_where_they_should_not() {
    let (_gateway, mut client) = with(Rule::new(Action::HangUp {}));
    client.ask(7, &week());
    assert_eq!(client.rest(), [0; 0]);
    let (gateway, mut client) = with(Rule::new(Action::CloseAfter { bytes: 100 }).times(1));
    client.ask(7, &week());
    assert_eq!(client.rest(), [0; 0], "100 bytes are not a whole message");
    assert!(Client::start(&gateway, 1).bars(&asked(stock("AAPL"), "1 day", "4 D")).is_ok());
}

#[test]
fn client_ids_are_used_once() {
    let gateway = Gateway::with(at(EVENING), Options { taken: vec![3], ..Options::default() });
    let _first = Client::start(&gateway, 1);
    gateway.rule(Rule::new(Action::IdInUse {}).on(Kind::Start).times(1));
    for id in [2, 1, 3] {
        let mut client = Client::connect(&gateway);
        client.say(71, &proto::StartApiRequest { client_id: Some(id) });
        let (_, code, text) = client.error();
        assert!(code == 326 && text.contains("already in use"), "{text}");
        assert_eq!(client.hear(), None);
    }
    Client::start(&gateway, 2);
    assert_eq!(gateway.counts().clients, [1, 2]);
}

#[test]
fn nobody_is_logged_in() {
    let gateway = Gateway::with(at(EVENING), Options { logged_in: false, ..Options::default() });
    let mut client = Client::connect(&gateway);
    client.say(71, &proto::StartApiRequest { client_id: Some(1) });
    assert_eq!(client.error().1, 2110);
    gateway.shut();
    assert_eq!(client.hear(), None);
}

#[test]
fn no_handshake() {
    let gateway = evening();
    gateway.rule(Rule::new(Action::HangUp {}).on(Kind::Connect).times(1));
    gateway.rule(Rule::new(Action::Silent {}).on(Kind::Connect).skip(1).times(1));
    for nth in 0..2 {
        let mut stream = TcpStream::connect(("127.0.0.1", gateway.port())).unwrap();
        if nth == 1 {
            // Nothing would come, ever.
            gateway.shut();
        }
        let mut all = Vec::new();
        // The connection may also be reset.
        let _ = stream.read_to_end(&mut all);
        assert_eq!(all, b"");
    }
}

#[test]
fn an_old_version_says_so() {
    for (version, newest, spoken) in [(176, "v213..226", "176"), (222, "v157..178", "178")] {
        let gateway = Gateway::with(at(EVENING), Options { version, ..Options::default() });
        let mut stream = TcpStream::connect(("127.0.0.1", gateway.port())).unwrap();
        let hello = [&b"API\0"[..], &message::frame(newest.as_bytes())].concat();
        std::io::Write::write_all(&mut stream, &hello).unwrap();
        let body = message::read_frame(&mut stream).unwrap().unwrap();
        assert_eq!(
            String::from_utf8(body).unwrap(),
            format!("{spoken}\0{} US/Eastern\0", "20240604 18:00:00")
        );
    }
}

#[test]
fn answers_that_are_too_little_too_much_or_of_another_scale() {
    let gateway = evening();
    let rules = [
        Action::Empty {},
        Action::Huge { bars: 20_000 },
        Action::Scale { factor: 100.0 },
        Action::Fractions {},
    ];
    for (skip, action) in rules.into_iter().enumerate() {
        gateway.rule(Rule::new(action).skip(skip as u64).times(1));
    }
    let mut client = Client::start(&gateway, 1);
    let mut next = |size: &str| client.bars(&asked(stock("AAPL"), size, "1 D")).unwrap();
    assert_eq!(next("1 day").len(), 0);
    let many = next("1 min");
    assert_eq!(many.len(), 20_000);
    let stamps: Vec<i64> = dates(&many).iter().map(|date| date.parse().unwrap()).collect();
    assert!(stamps.windows(2).all(|pair| pair[0] < pair[1]));
    let truth = gateway.truth(&stock("AAPL"), "30 mins", "TRADES", days("2024-06-04", "2024-06-04"))[0];
    assert_eq!(numbers(&next("30 mins")[0]).0, truth.prices.map(|price| price * 100.0));
    assert_eq!(next("10 mins")[0].volume.as_deref().unwrap().split_once('.').unwrap().1, "3");
    assert_eq!(gateway.counts().bars_most, 20_000);
}

#[rstest]
#[case(1102, true)]
#[case(1101, false)]
fn servers_go_away_and_come_back(#[case] code: i32, #[case] answered: bool) {
    let (gateway, mut client) = with(Rule::new(Action::Outage { milliseconds: 1, code }).times(1));
    let mut other = Client::start(&gateway, 2);
    client.ask(7, &week());
    assert_eq!(client.error().1, 1100);
    assert_eq!(client.error().1, code);
    assert_eq!((other.error().1, other.error().1), (1100, code));
    if answered {
        assert_eq!(client.answer().unwrap().len(), 5);
    } else {
        client.say(25, &proto::Of { request: Some(7) });
        assert!(client.answer().unwrap_err().1.ends_with("query cancelled: 7"));
    }
    assert_eq!(other.bars(&asked(stock("AAPL"), "1 day", "4 D")).unwrap().len(), 4);
}

#[test]
fn what_is_asked_during_an_outage_waits() {
    let gateway = evening();
    let mut client = Client::start(&gateway, 1);
    gateway.lose_servers();
    assert_eq!(client.error().1, 1100);
    client.ask(7, &week());
    client.say(49, &proto::Nothing {});
    let (number, body) = client.hear().unwrap();
    assert_eq!((number, proto::CurrentTime::decode(&body[..]).unwrap().seconds), (49, Some(at(EVENING))));
    gateway.restore_servers(1102);
    assert_eq!(client.error().1, 1102);
    assert_eq!(client.answer().unwrap().len(), 5);
}

#[test]
fn a_gateway_restarts() {
    let (gateway, mut client) = with(Rule::new(Action::Restart { milliseconds: 1 }).times(1));
    client.ask(7, &week());
    assert_eq!(client.hear(), None);
    gateway.shut();
    assert!(TcpStream::connect(("127.0.0.1", gateway.port())).is_err());
    gateway.open();
    assert_eq!(Client::start(&gateway, 1).bars(&asked(stock("AAPL"), "1 day", "4 D")).unwrap().len(), 4);
}
