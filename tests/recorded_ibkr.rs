//! The recorded messages and bars of TWS against the gateway of the tests: it writes and reads what was
//! recorded, byte by byte where the bytes are there. The recordings belong to others and are read from the
//! folder that `VORTEX_RECORDED` names; none is copied here.

mod ibkr_gateway;

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;

use ibkr_gateway::message::{self, Answer, Asked, Contract, SentBar};
use ibkr_gateway::{Gateway, Options};
use serde_json::Value;
use vortex::model::Days;

/// The version of the recorded handshakes, and that before the end of bars was a message of its own.
const VERSION: i32 = 173;

fn recorded(name: &str) -> String {
    let folder = std::env::var_os("VORTEX_RECORDED")
        .expect("set VORTEX_RECORDED to the folder of the recorded answers (the one with SOURCES.md in it)");
    let path = Path::new(&folder).join("ibkr").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn json(name: &str) -> Value {
    serde_json::from_str(&recorded(name)).unwrap()
}

/// The fields of a recorded message.
fn fields(name: &str) -> Vec<String> {
    let json = json(name);
    json["fields"].as_array().unwrap().iter().map(|field| field.as_str().unwrap().to_owned()).collect()
}

/// An answer's bytes, without their length.
fn written(version: i32, answer: &Answer) -> Vec<u8> {
    message::encode(version, answer).unwrap().split_off(4)
}

fn body(fields: &[String]) -> Vec<u8> {
    fields.iter().flat_map(|field| [field.as_bytes(), b"\0"].concat()).collect()
}

#[test]
fn daily_bars_are_written_as_recorded() {
    let fields = fields("wire_text/17_historicalData_daily_text.json");
    let bars: Vec<SentBar> = fields[5..]
        .chunks(8)
        .map(|bar| SentBar {
            date: bar[0].clone(),
            prices: [1, 2, 3, 4].map(|at| bar[at].parse().unwrap()),
            volume: bar[5].clone(),
            average: bar[6].clone(),
            count: bar[7].parse().unwrap(),
        })
        .collect();
    assert_eq!(bars.len(), 2);
    let id = fields[1].parse().unwrap();
    let answer = Answer::History { id, bars, start: fields[2].clone(), end: fields[3].clone() };
    assert_eq!(written(VERSION, &answer), body(&fields));
}

#[test]
fn a_head_is_written_as_recorded() {
    let fields = fields("wire_text/88_headTimestamp_text.json");
    let answer = Answer::Head { id: fields[1].parse().unwrap(), stamp: fields[2].clone() };
    assert_eq!(written(VERSION, &answer), body(&fields));
}

#[test]
fn handshakes_are_written_as_recorded() {
    let examples = json("wire_text/handshake_replies.json")["examples"].as_array().unwrap().clone();
    assert!(!examples.is_empty());
    for example in examples {
        let example = example.as_str().unwrap();
        let (version, clock) = example.split_once('|').unwrap();
        let (clock, zone) = clock.trim_end_matches('|').split_at(17);
        let clock = jiff::civil::DateTime::strptime("%Y%m%d %H:%M:%S", clock).unwrap();
        let now = jiff::tz::TimeZone::UTC.to_timestamp(clock).unwrap().as_second();
        let reply = message::hello_back(version.parse().unwrap(), now, zone.trim());
        assert_eq!(reply, example.replace('|', "\0").as_bytes());
    }
}

/// The bytes that a Python literal such as `b'\x00U20'` means.
fn of_python(literal: &str) -> Vec<u8> {
    let text = literal.strip_prefix("b'").and_then(|text| text.strip_suffix('\'')).unwrap();
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some(character) = rest.chars().next() {
        if let Some(escape) = rest.strip_prefix("\\x") {
            bytes.push(u8::from_str_radix(&escape[..2], 16).unwrap());
            rest = &escape[2..];
        } else {
            bytes.push(u8::try_from(character).unwrap());
            rest = &rest[1..];
        }
    }
    bytes
}

/// A client of text, with a version.
fn client(gateway: &Gateway) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", gateway.port())).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let hello =
        [&b"API\0"[..], &message::frame(b"v157..178"), &message::frame(b"71\x002\x001\x00\x00")].concat();
    stream.write_all(&hello).unwrap();
    // The handshake, accounts, the next id and three notices.
    (0..6).for_each(|_| drop(heard(&mut stream)));
    stream
}

/// The fields of the next message.
fn heard(stream: &mut TcpStream) -> Vec<String> {
    let body = message::read_frame(stream).unwrap().unwrap();
    let text = String::from_utf8(body).unwrap();
    text.strip_suffix('\0').unwrap().split('\0').map(str::to_owned).collect()
}

#[test]
fn the_recorded_request_has_the_recorded_answer_in_its_language() {
    let recorded = json("wire_text/reqHistoricalData_request_and_localised_162.json");
    let request = of_python(recorded["request_raw_python_bytes"].as_str().unwrap());
    let Asked::History { id, history } = message::decode(VERSION, &request[4..]).unwrap() else {
        panic!("it is no request for bars");
    };
    let answer = &recorded["answer"];
    assert_eq!(answer["reqId"], id);
    assert_eq!((history.bar_size.as_str(), history.duration.as_str()), ("1 secs", "1 D"));
    assert_eq!((history.what_to_show.as_str(), history.format_date), ("TRADES", 1));
    assert_eq!((history.contract.sec_type.as_str(), history.regular_hours), ("CONTFUT", false));

    let text = answer["errorString"].as_str().unwrap();
    let options = Options {
        version: VERSION,
        prefix: text.split_once(':').unwrap().0.to_owned(),
        ..Options::default()
    };
    let gateway = Gateway::with(0, options);
    let mut client = client(&gateway);
    client.write_all(&request).unwrap();
    let code = answer["errorCode"].to_string();
    assert_eq!(heard(&mut client), ["4", "2", &id.to_string(), &code, text, ""]);
}

#[test]
fn recorded_bars_are_served_as_they_are() {
    let recorded = recorded("bars_1min_2021-01-05.jsonl");
    let recorded: Vec<Value> = recorded.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let number = |bar: &Value, name: &str| bar[name].as_f64().unwrap();
    let date = |bar: &Value| bar["date"].as_str().unwrap().replace('-', "").replace('T', "  ");
    let bars = recorded.iter().map(|bar| SentBar {
        date: date(bar),
        prices: ["open", "high", "low", "close"].map(|name| number(bar, name)),
        volume: number(bar, "volume").to_string(),
        average: number(bar, "average").to_string(),
        count: bar["barCount"].as_i64().unwrap() as i32,
    });
    let gateway = Gateway::with(0, Options { version: VERSION, ..Options::default() });
    gateway.serve("RECORDED", bars.collect());
    let mut client = client(&gateway);
    let request = "20|7|0|RECORDED|STK||0.0|||SMART||USD|||0||1 min|1 D|0|TRADES|1|0||";
    client.write_all(&message::frame(request.replace('|', "\0").as_bytes())).unwrap();
    let fields = heard(&mut client);
    assert_eq!(fields[..5], ["17", "7", "20210105  09:28:00", "20210105  21:42:00", "405"]);
    for (sent, bar) in fields[5..].chunks(8).zip(&recorded) {
        assert_eq!(sent[0], date(bar));
        let names = ["open", "high", "low", "close", "volume", "average", "barCount"];
        for (sent, name) in sent[1..].iter().zip(names) {
            assert_eq!(sent.parse::<f64>().unwrap(), number(bar, name), "{name}");
        }
    }
}

/// The recorded hours of TSLA, printed by the clock of a zone six hours ahead of New York.
#[test]
fn hours_begin_where_the_recorded_ones_do() {
    let printed = recorded("ib_async_bar_data_notebook_outputs.json");
    let clocks = |date: &str| -> Vec<String> {
        let mut found: Vec<String> = printed
            .split(&format!("{date} "))
            .skip(1)
            .map(|rest| rest[..5].to_owned())
            .filter(|clock| clock.as_bytes()[2] == b':')
            .collect();
        found.dedup();
        found
    };
    let now = "2020-06-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap().as_second();
    let gateway = Gateway::start(now);
    let tesla = Contract {
        symbol: "TSLA".into(),
        sec_type: "STK".into(),
        exchange: "SMART".into(),
        currency: "USD".into(),
        ..Contract::default()
    };
    let day = "2019-10-04".parse().unwrap();
    let truth = gateway.truth(&tesla, "1 hour", "TRADES", Days { first: day, last: day });
    let clock = |bar: &ibkr_gateway::history::TrueBar| {
        let local =
            jiff::tz::Offset::constant(2).to_datetime(jiff::Timestamp::from_second(bar.start).unwrap());
        local.strftime("%H:%M").to_string()
    };
    let ours: Vec<String> = truth.iter().map(clock).collect();
    let theirs = clocks("2019-10-04");
    assert_eq!(theirs.len(), 5, "{theirs:?}");
    assert_eq!(ours[..5], theirs);
}
