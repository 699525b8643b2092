//! The gateway that plays TWS and IB Gateway has the broker's shapes, limits and errors.

mod ibkr_gateway;

use std::io::Write;
use std::net::TcpStream;

use ibkr_gateway::history::{Show, Size, TrueBar};
use ibkr_gateway::message::{self, Contract, History};
use ibkr_gateway::proto;
use ibkr_gateway::stamps::Zone;
use ibkr_gateway::{Action, Gateway, Kind, Options, Rule, Violation};
use prost::Message;
use rstest::rstest;
use vortex::model::{Day, Days};
use vortex::provider::sample::listing::Listing;

/// Seconds since the epoch of an instant such as `2024-01-02T14:30:00Z`.
fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_second()
}

fn days(first: &str, last: &str) -> Days {
    Days::new(first.parse().unwrap(), last.parse().unwrap()).unwrap()
}

/// An evening in New York.
const EVENING: &str = "2024-06-04T22:00:00Z";

fn evening() -> Gateway {
    Gateway::start(at(EVENING))
}

/// A client that speaks protobuf, written for these tests alone.
struct Client(TcpStream);

/// What a client hears: the number of a message of the text era, and its bytes.
type Heard = Option<(i32, Vec<u8>)>;

impl Client {
    /// Shakes hands.
    fn connect(gateway: &Gateway) -> Client {
        let mut stream = TcpStream::connect(("127.0.0.1", gateway.port())).unwrap();
        let mut hello = b"API\0".to_vec();
        hello.extend(message::frame(b"v213..226"));
        stream.write_all(&hello).unwrap();
        message::read_frame(&mut stream).unwrap().unwrap();
        Client(stream)
    }

    /// Shakes hands, says a client id and hears all that is said then.
    fn start(gateway: &Gateway, id: i32) -> Client {
        let mut client = Client::connect(gateway);
        client.say(71, &proto::StartApiRequest { client_id: Some(id) });
        let numbers: Vec<i32> = (0..5).map(|_| client.hear().unwrap().0).collect();
        assert_eq!(numbers, [15, 9, 4, 4, 4]);
        client
    }

    fn say(&mut self, number: i32, message: &impl Message) {
        let mut body = (number + 200).to_be_bytes().to_vec();
        body.extend(message.encode_to_vec());
        self.0.write_all(&message::frame(&body)).unwrap();
    }

    /// The next message; `None` where the connection has ended, also in the middle of one.
    fn hear(&mut self) -> Heard {
        let body = message::read_frame(&mut self.0).ok()??;
        let (number, rest) = body.split_first_chunk::<4>().unwrap();
        Some((i32::from_be_bytes(*number) - 200, rest.to_vec()))
    }

    fn ask(&mut self, id: i32, asked: &History) {
        self.say(20, &request(id, asked));
    }

    /// The bars of an answer, or its error.
    fn answer(&mut self) -> Result<Vec<proto::HistoricalDataBar>, (i32, String)> {
        let mut bars = Vec::new();
        loop {
            match self.hear().expect("the connection has ended") {
                (17, body) => bars = proto::HistoricalData::decode(&body[..]).unwrap().bars,
                (108, _) => return Ok(bars),
                (4, body) => {
                    let error = error_of(&body);
                    if error.0 != -1 {
                        return Err((error.1, error.2));
                    }
                }
                (number, _) => panic!("message {number}"),
            }
        }
    }

    fn bars(&mut self, asked: &History) -> Result<Vec<proto::HistoricalDataBar>, (i32, String)> {
        self.ask(7, asked);
        self.answer()
    }

    /// The numbers of all messages until the connection ends.
    fn rest(&mut self) -> Vec<i32> {
        std::iter::from_fn(|| self.hear()).map(|(number, _)| number).collect()
    }

    fn error(&mut self) -> (i32, i32, String) {
        let (number, body) = self.hear().unwrap();
        assert_eq!(number, 4);
        error_of(&body)
    }
}

/// Number of the request, code, text.
fn error_of(body: &[u8]) -> (i32, i32, String) {
    let error = proto::ErrorMessage::decode(body).unwrap();
    (error.id.unwrap(), error.code.unwrap(), error.text.unwrap())
}

fn request(id: i32, asked: &History) -> proto::HistoricalDataRequest {
    proto::HistoricalDataRequest {
        request: Some(id),
        contract: Some(named(&asked.contract)),
        end: Some(asked.end.clone()),
        bar_size: Some(asked.bar_size.clone()),
        duration: Some(asked.duration.clone()),
        regular_hours: Some(asked.regular_hours),
        what_to_show: Some(asked.what_to_show.clone()),
        format_date: Some(asked.format_date),
        keep_up_to_date: Some(asked.keep_up_to_date),
    }
}

fn named(contract: &Contract) -> proto::Contract {
    let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    proto::Contract {
        con_id: Some(contract.con_id),
        symbol: said(&contract.symbol),
        sec_type: said(&contract.sec_type),
        month: said(&contract.month),
        exchange: said(&contract.exchange),
        currency: said(&contract.currency),
        local_symbol: said(&contract.local_symbol),
        include_expired: Some(contract.include_expired),
        ..proto::Contract::default()
    }
}

fn contract(sec_type: &str, symbol: &str, exchange: &str, currency: &str) -> Contract {
    Contract {
        sec_type: sec_type.into(),
        symbol: symbol.into(),
        exchange: exchange.into(),
        currency: currency.into(),
        ..Contract::default()
    }
}

fn stock(symbol: &str) -> Contract {
    contract("STK", symbol, "SMART", "USD")
}

fn asked(contract: Contract, bar_size: &str, duration: &str) -> History {
    let what = if contract.sec_type == "CASH" { "MIDPOINT" } else { "TRADES" };
    History {
        contract,
        bar_size: bar_size.into(),
        duration: duration.into(),
        regular_hours: true,
        what_to_show: what.into(),
        format_date: 2,
        ..History::default()
    }
}

fn ending(mut asked: History, end: &str) -> History {
    asked.end = end.into();
    asked
}

fn numbers(bar: &proto::HistoricalDataBar) -> ([f64; 4], f64, f64, i32) {
    let decimal = |text: &Option<String>| text.as_ref().unwrap().parse::<f64>().unwrap();
    let prices = [bar.open, bar.high, bar.low, bar.close].map(Option::unwrap);
    (prices, decimal(&bar.volume), decimal(&bar.average), bar.count.unwrap())
}

/// An answer is the truth, from its first bar to its last.
#[track_caller]
fn is_true(bars: &[proto::HistoricalDataBar], truth: &[TrueBar]) {
    assert_eq!(bars.len(), truth.len());
    for (bar, is) in bars.iter().zip(truth) {
        assert_eq!(numbers(bar), (is.prices, is.volume, is.average, is.count));
    }
}

fn dates(bars: &[proto::HistoricalDataBar]) -> Vec<&str> {
    bars.iter().map(|bar| bar.date.as_deref().unwrap()).collect()
}

#[test]
fn daily_bars_carry_trading_dates_in_both_formats() {
    let gateway = evening();
    let mut client = Client::start(&gateway, 1);
    for format in [1, 2] {
        let mut history = asked(stock("AAPL"), "1 day", "5 D");
        history.format_date = format;
        let bars = client.bars(&history).unwrap();
        assert_eq!(dates(&bars), ["20240529", "20240530", "20240531", "20240603", "20240604"]);
        is_true(&bars, &gateway.truth(&stock("AAPL"), "1 day", "TRADES", days("2024-05-29", "2024-06-04")));
        gateway.advance(60.0);
    }
    let listing = Listing::of("AAPL").unwrap();
    let market = listing.daily(days("2024-06-04", "2024-06-04"), at(EVENING))[0];
    let truth = gateway.truth(&stock("AAPL"), "1 day", "TRADES", days("2024-06-04", "2024-06-04"))[0];
    assert_eq!(truth.volume, market.volume);
    assert_eq!(truth.prices[3] as f32, market.close as f32);
}

#[rstest]
#[case("1 min", "1 D", 390, "1717507800")]
#[case("5 mins", "2 D", 156, "1717421400")]
// The first bar is what of a clock hour lies in the session.
#[case("1 hour", "1 D", 7, "1717507800")]
#[case("20 mins", "1 D", 20, "1717507800")]
#[case("4 hours", "1 D", 2, "1717507800")]
#[case("30 secs", "1 D", 780, "1717507800")]
#[case("1 secs", "60 S", 0, "")]
fn intraday_bars_go_by_the_clock(
    #[case] size: &str,
    #[case] duration: &str,
    #[case] count: usize,
    #[case] first: &str,
) {
    let gateway = evening();
    let answer = Client::start(&gateway, 1).bars(&asked(stock("AAPL"), size, duration));
    if count == 0 {
        let (code, text) = answer.unwrap_err();
        assert_eq!(code, 162);
        assert!(text.ends_with(":HMDS query returned no data: AAPL@NASDAQ Trades"), "{text}");
        return;
    }
    let bars = answer.unwrap();
    assert_eq!((bars.len(), dates(&bars)[0]), (count, first));
    let first: Day = if duration == "2 D" { "2024-06-03" } else { "2024-06-04" }.parse().unwrap();
    let truth = gateway.truth(
        &stock("AAPL"),
        size,
        "TRADES",
        Days::new(first, "2024-06-04".parse().unwrap()).unwrap(),
    );
    is_true(&bars, &truth);
    let stamps: Vec<String> = truth.iter().map(|bar| bar.start.to_string()).collect();
    assert_eq!(dates(&bars), stamps);
}
