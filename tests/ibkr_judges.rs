//! Other people's clients as judges of the gateway that plays TWS and IB Gateway: the broker's own, by
//! protobuf, and ib_async, by text, read from it what the sample market has.

mod ibkr_gateway;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use ibkr_gateway::history::TrueBar;
use ibkr_gateway::message::Contract;
use ibkr_gateway::{Action, Gateway, Options, Rule};
use rstest::rstest;
use serde_json::{Value, json};
use vortex::model::{Day, Days};

/// A client, and the version it and the gateway agree upon.
#[derive(Clone, Copy)]
struct Judge {
    program: &'static str,
    version: i64,
}

const OFFICIAL: Judge = Judge { program: "ibapi_reads.py", version: 222 };
const IB_ASYNC: Judge = Judge { program: "ib_async_reads.py", version: 178 };

/// An evening in New York.
const NOW: &str = "2024-06-04T22:00:00Z";

fn gateway() -> Gateway {
    let now = NOW.parse::<jiff::Timestamp>().unwrap().as_second();
    Gateway::with(now, Options { speed: 1000.0, ..Options::default() })
}

impl Judge {
    /// What it reads of a gateway.
    fn read(self, gateway: &Gateway, requests: &[Value]) -> Vec<Value> {
        let python = std::env::var_os("VORTEX_PEERS").expect(
            "VORTEX_PEERS names no Python with nautilus_ibapi and ib_async: \
             ./run-all-tests.sh makes one in target/peers and runs these tests with it",
        );
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(self.program);
        let mut child = Command::new(python)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .arg(program)
            .arg(gateway.port().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(json!(requests).to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["version"], self.version, "{errors}");
        let answers = said["answers"].as_array().unwrap().clone();
        assert_eq!(answers.len(), requests.len());
        answers
    }
}

/// A contract, as the gateway and as the clients name it.
fn named(sec_type: &str, symbol: &str, exchange: &str, currency: &str, month: &str) -> (Contract, Value) {
    let contract = Contract {
        sec_type: sec_type.into(),
        symbol: symbol.into(),
        exchange: exchange.into(),
        currency: currency.into(),
        month: month.into(),
        include_expired: !month.is_empty(),
        ..Contract::default()
    };
    let said = json!({
        "secType": sec_type,
        "symbol": symbol,
        "exchange": exchange,
        "currency": currency,
        "lastTradeDateOrContractMonth": month,
        "includeExpired": !month.is_empty(),
    });
    (contract, said)
}

fn stock(symbol: &str) -> (Contract, Value) {
    named("STK", symbol, "SMART", "USD", "")
}

fn request(of: &str, contract: &Value, size: &str, duration: &str, show: &str, format: i32) -> Value {
    json!({
        "of": of, "contract": contract, "show": show, "regular": true, "format": format,
        "end": "", "duration": duration, "size": size,
    })
}

/// A request for bars, and the first date of the answer.
struct Bars {
    contract: (Contract, Value),
    size: &'static str,
    duration: &'static str,
    show: &'static str,
    format: i32,
    since: &'static str,
}

impl Bars {
    fn of(
        contract: (Contract, Value),
        size: &'static str,
        duration: &'static str,
        show: &'static str,
        format: i32,
        since: &'static str,
    ) -> Bars {
        Bars { contract, size, duration, show, format, since }
    }

    fn request(&self) -> Value {
        request("bars", &self.contract.1, self.size, self.duration, self.show, self.format)
    }
}

fn days(first: &str, last: &str) -> Days {
    Days::new(first.parse().unwrap(), last.parse().unwrap()).unwrap()
}

/// A bar as the judges say it.
fn row(bar: &TrueBar, size: &str) -> Value {
    let stamp = match size {
        "1 day" | "1 week" | "1 month" => json!(bar.day.date().strftime("%Y%m%d").to_string()),
        _ => json!(bar.start),
    };
    let [open, high, low, close] = bar.prices;
    json!([stamp, open, high, low, close, bar.volume, bar.average, bar.count])
}

/// Bar by bar, value by value.
#[track_caller]
fn agree(answer: &Value, truth: &[TrueBar], size: &str) {
    let bars = answer["bars"].as_array().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(bars.len(), truth.len(), "{size}");
    assert!(!truth.is_empty());
    for (bar, is) in bars.iter().zip(truth) {
        let (bar, is) = (bar.as_array().unwrap(), row(is, size));
        for (value, is) in bar.iter().zip(is.as_array().unwrap()) {
            let same = if is.is_string() { value == is } else { value.as_f64() == is.as_f64() };
            assert!(same, "{bar:?} is {is}");
        }
        assert_eq!(bar.len(), 8);
    }
}

#[rstest]
#[case(OFFICIAL)]
#[case(IB_ASYNC)]
fn a_judge_reads_the_market(#[case] judge: Judge) {
    let gateway = gateway();
    let london = || named("STK", "VOD", "LSE", "GBP", "");
    let tokyo = || named("STK", "7203", "TSEJ", "JPY", "");
    let euro = || named("CASH", "EUR", "IDEALPRO", "USD", "");
    let gold = || named("FUT", "GC", "COMEX", "USD", "202404");
    let coin = || named("CRYPTO", "BTC", "PAXOS", "USD", "");
    let index = || named("IND", "GSPC", "CBOE", "USD", "");
    let asked = [
        Bars::of(stock("AAPL"), "1 day", "5 D", "TRADES", 1, "2024-05-29"),
        Bars::of(stock("AAPL"), "1 day", "1 Y", "TRADES", 2, "2023-06-05"),
        Bars::of(stock("AAPL"), "1 min", "2 D", "TRADES", 2, "2024-06-03"),
        Bars::of(stock("MSFT"), "1 hour", "2 W", "TRADES", 1, "2024-05-22"),
        Bars::of(stock("MSFT"), "30 mins", "1 D", "BID_ASK", 2, "2024-06-04"),
        Bars::of(stock("MSFT"), "1 month", "1 Y", "ADJUSTED_LAST", 2, "2023-06-05"),
        Bars::of(london(), "30 mins", "1 M", "TRADES", 1, "2024-05-05"),
        Bars::of(tokyo(), "5 mins", "1 W", "TRADES", 1, "2024-05-30"),
        Bars::of(euro(), "1 hour", "3 D", "MIDPOINT", 2, "2024-05-31"),
        Bars::of(gold(), "1 day", "60 D", "TRADES", 2, "2024-02-02"),
        Bars::of(coin(), "5 secs", "1800 S", "AGGTRADES", 2, "2024-06-04"),
        Bars::of(index(), "2 mins", "1 D", "TRADES", 2, "2024-06-04"),
    ];
    let requests: Vec<Value> = asked.iter().map(Bars::request).collect();
    for (asked, mut answer) in asked.iter().zip(judge.read(&gateway, &requests)) {
        let mut truth =
            gateway.truth(&asked.contract.0, asked.size, asked.show, days(asked.since, "2024-06-05"));
        if asked.duration == "1800 S" {
            truth.drain(..truth.len() - 360);
        }
        // What is not over yet is sent, and is no truth.
        if asked.size == "1 month" || asked.show == "MIDPOINT" {
            answer["bars"].as_array_mut().unwrap_or(&mut Vec::new()).truncate(truth.len());
        }
        agree(&answer, &truth, asked.size);
    }
    assert_eq!(gateway.counts().violations, []);
}

#[rstest]
#[case(OFFICIAL)]
#[case(IB_ASYNC)]
fn a_judge_reads_contracts_heads_and_sessions(#[case] judge: Judge) {
    let gateway = gateway();
    let (aapl, gold) = (stock("AAPL").1, named("FUT", "GC", "COMEX", "USD", "202404"));
    let requests = [
        request("details", &aapl, "", "", "", 0),
        request("details", &gold.1, "", "", "", 0),
        request("head", &aapl, "", "", "TRADES", 1),
        request("head", &aapl, "", "", "TRADES", 2),
        request("schedule", &aapl, "1 day", "2 D", "SCHEDULE", 1),
    ];
    let answers = judge.read(&gateway, &requests);
    let quoted = &gateway.resolve(&stock("AAPL").0)[0];
    let hours = "20240604:0930-20240604:1600;20240605:0930-20240605:1600;20240606:0930-20240606:1600;\
                 20240607:0930-20240607:1600;20240608:CLOSED;20240609:CLOSED";
    let number = quoted.contract.con_id;
    let about = json!([[number, "AAPL", "AAPL", "SMART", "NASDAQ", "USD", "", "US/Eastern", hours]]);
    assert_eq!(answers[0]["details"], about);
    let gold = &gateway.resolve(&gold.0)[0].contract;
    let about = &answers[1]["details"][0];
    assert_eq!(about[0], gold.con_id);
    assert_eq!((&about[2], &about[6]), (&json!("GCJ4"), &json!("20240426")));
    let first: Day = quoted.listing.first_day;
    let opened = quoted.listing.hours(first).open;
    assert_eq!((&answers[2]["head"], &answers[3]["head"]), (&json!(opened), &json!(opened)));
    let sessions = json!([
        ["20240603-09:30:00", "20240603-16:00:00", "20240603"],
        ["20240604-09:30:00", "20240604-16:00:00", "20240604"],
    ]);
    assert_eq!(answers[4], json!({ "zone": "US/Eastern", "sessions": sessions }));
}

#[rstest]
#[case(OFFICIAL)]
#[case(IB_ASYNC)]
fn a_judge_hears_errors(#[case] judge: Judge) {
    let gateway = gateway();
    gateway.configure(|options| options.prefix = "Fehlermeldung des Diensts für Verlaufsdaten".into());
    let pair = named("CASH", "EUR", "IDEALPRO", "USD", "").1;
    let mut requests = vec![
        request("bars", &stock("NOSUCH1").1, "1 day", "5 D", "TRADES", 1),
        request("bars", &pair, "1 day", "5 D", "TRADES", 1),
    ];
    // ib_async takes it for a warning and waits on.
    if judge.program == OFFICIAL.program {
        requests.push(request("bars", &pair, "1 minute", "5 D", "MIDPOINT", 1));
    }
    let answers = judge.read(&gateway, &requests);
    let said = |at: usize| {
        (answers[at]["error"][0].as_i64().unwrap(), answers[at]["error"][1].as_str().unwrap().to_owned())
    };
    assert_eq!(said(0), (200, "No security definition has been found for the request".into()));
    let text =
        "Fehlermeldung des Diensts für Verlaufsdaten:No historical market data for EUR/CASH@IDEALPRO Trades";
    assert_eq!(said(1), (162, text.into()));
    if requests.len() > 2 {
        assert!(said(2).0 == 321 && said(2).1.contains("Legal ones are: 1 secs"), "{:?}", said(2));
    }
}

#[rstest]
#[case(OFFICIAL)]
#[case(IB_ASYNC)]
fn a_judge_reads_answers_in_pieces_and_large_ones(#[case] judge: Judge) {
    let gateway = gateway();
    let notice = Action::NoticeBetween { code: 2106, text: "HMDS data farm connection is OK:ushmds".into() };
    let one = |action: Action, skip: u64| gateway.rule(Rule::new(action).skip(skip).times(1));
    one(Action::Split { bytes: 1 }, 0);
    one(Action::Together {}, 1);
    one(notice, 2);
    one(Action::Huge { bars: 20_000 }, 3);
    let aapl = stock("AAPL");
    let sizes = ["1 min", "5 mins", "10 mins", "1 min"];
    let duration = |at: usize| if at == 3 { "2 D" } else { "1 D" };
    let requests: Vec<Value> =
        (0..4).map(|at| request("bars", &aapl.1, sizes[at], duration(at), "TRADES", 2)).collect();
    let answers = judge.read(&gateway, &requests);
    let truth =
        |at: usize, first: &str| gateway.truth(&aapl.0, sizes[at], "TRADES", days(first, "2024-06-04"));
    for (at, answer) in answers.iter().enumerate().take(3) {
        agree(answer, &truth(at, "2024-06-04"), sizes[at]);
    }
    let truth = truth(3, "2024-01-02");
    agree(&answers[3], &truth[truth.len() - 20_000..], "1 min");
}
