//! A client that speaks protobuf, written for these tests alone, and what it asks.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use prost::Message;

use crate::ibkr_gateway::history::TrueBar;
use crate::ibkr_gateway::message::{self, Contract, History};
use crate::ibkr_gateway::{Gateway, proto};

/// A client that speaks protobuf, written for these tests alone.
pub(crate) struct Client(TcpStream);

/// What a client hears: the number of a message of the text era, and its bytes.
pub(crate) type Heard = Option<(i32, Vec<u8>)>;

impl Client {
    /// Shakes hands.
    pub(crate) fn connect(gateway: &Gateway) -> Client {
        let mut stream = TcpStream::connect(("127.0.0.1", gateway.port())).unwrap();
        let mut hello = b"API\0".to_vec();
        hello.extend(message::frame(b"v213..226"));
        stream.write_all(&hello).unwrap();
        message::read_frame(&mut stream).unwrap().unwrap();
        // What never comes is a failure, not a wait without end.
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Client(stream)
    }

    /// Shakes hands, says a client id and hears all that is said then.
    pub(crate) fn start(gateway: &Gateway, id: i32) -> Client {
        let mut client = Client::connect(gateway);
        client.say(71, &proto::StartApiRequest { client_id: Some(id) });
        let numbers: Vec<i32> = (0..5).map(|_| client.hear().unwrap().0).collect();
        assert_eq!(numbers, [15, 9, 4, 4, 4]);
        client
    }

    pub(crate) fn say(&mut self, number: i32, message: &impl Message) {
        let mut body = (number + 200).to_be_bytes().to_vec();
        body.extend(message.encode_to_vec());
        self.0.write_all(&message::frame(&body)).unwrap();
    }

    /// The next message; `None` where the connection has ended, also in the middle of one.
    pub(crate) fn hear(&mut self) -> Heard {
        let body = message::read_frame(&mut self.0).ok()??;
        let (number, rest) = body.split_first_chunk::<4>().unwrap();
        Some((i32::from_be_bytes(*number) - 200, rest.to_vec()))
    }

    pub(crate) fn ask(&mut self, id: i32, asked: &History) {
        self.say(20, &request(id, asked));
    }

    /// The bars of an answer, or its error.
    pub(crate) fn answer(&mut self) -> Result<Vec<proto::HistoricalDataBar>, (i32, String)> {
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

    pub(crate) fn bars(&mut self, asked: &History) -> Result<Vec<proto::HistoricalDataBar>, (i32, String)> {
        self.ask(7, asked);
        self.answer()
    }

    /// The numbers of all messages until the connection ends.
    pub(crate) fn rest(&mut self) -> Vec<i32> {
        std::iter::from_fn(|| self.hear()).map(|(number, _)| number).collect()
    }

    pub(crate) fn error(&mut self) -> (i32, i32, String) {
        let (number, body) = self.hear().unwrap();
        assert_eq!(number, 4);
        error_of(&body)
    }
}

/// Number of the request, code, text.
pub(crate) fn error_of(body: &[u8]) -> (i32, i32, String) {
    let error = proto::ErrorMessage::decode(body).unwrap();
    (error.id.unwrap(), error.code.unwrap(), error.text.unwrap())
}

pub(crate) fn request(id: i32, asked: &History) -> proto::HistoricalDataRequest {
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

pub(crate) fn named(contract: &Contract) -> proto::Contract {
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

pub(crate) fn contract(sec_type: &str, symbol: &str, exchange: &str, currency: &str) -> Contract {
    Contract {
        sec_type: sec_type.into(),
        symbol: symbol.into(),
        exchange: exchange.into(),
        currency: currency.into(),
        ..Contract::default()
    }
}

pub(crate) fn stock(symbol: &str) -> Contract {
    contract("STK", symbol, "SMART", "USD")
}

pub(crate) fn asked(contract: Contract, bar_size: &str, duration: &str) -> History {
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

pub(crate) fn ending(mut asked: History, end: &str) -> History {
    asked.end = end.into();
    asked
}

pub(crate) fn numbers(bar: &proto::HistoricalDataBar) -> ([f64; 4], f64, f64, i32) {
    let decimal = |text: &Option<String>| text.as_ref().unwrap().parse::<f64>().unwrap();
    let prices = [bar.open, bar.high, bar.low, bar.close].map(Option::unwrap);
    (prices, decimal(&bar.volume), decimal(&bar.average), bar.count.unwrap())
}

/// An answer is the truth, from its first bar to its last.
#[track_caller]
pub(crate) fn is_true(bars: &[proto::HistoricalDataBar], truth: &[TrueBar]) {
    assert_eq!(bars.len(), truth.len());
    for (bar, is) in bars.iter().zip(truth) {
        assert_eq!(numbers(bar), (is.prices, is.volume, is.average, is.count));
    }
}

pub(crate) fn dates(bars: &[proto::HistoricalDataBar]) -> Vec<&str> {
    bars.iter().map(|bar| bar.date.as_deref().unwrap()).collect()
}
