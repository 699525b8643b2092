//! The server that plays Yahoo has Yahoo's shapes, limits and errors.

mod yahoo_server;

use rstest::rstest;
use serde_json::Value;
use yahoo_server::{Action, Rule, Server};

/// Seconds since the epoch of an instant such as `2024-01-02T14:30:00Z`.
fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_second()
}

/// Status, headers and body of a GET with a browser's User-Agent.
fn get(
    server: &Server,
    target: &str,
    headers: &[(&str, &str)],
) -> (u16, reqwest::header::HeaderMap, Vec<u8>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder()
            .user_agent("Mozilla/5.0 (X11; Linux x86_64)")
            .redirect(reqwest::redirect::Policy::none())
            .no_gzip()
            .build()
            .unwrap();
        let mut request = client.get(format!("{}{target}", server.base_url()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        (status, headers, response.bytes().await.unwrap().to_vec())
    })
}

fn chart(server: &Server, symbol: &str, parameters: &str) -> (u16, Value) {
    let (status, _, body) = get(server, &format!("/v8/finance/chart/{symbol}?{parameters}"), &[]);
    (status, serde_json::from_slice(&body).unwrap())
}

fn window(interval: &str, from: i64, to: i64) -> String {
    format!("interval={interval}&period1={from}&period2={to}&events=div%2Csplits")
}

fn result(body: &Value) -> &Value {
    &body["chart"]["result"][0]
}

fn stamps(body: &Value) -> Vec<i64> {
    let stamps = result(body)["timestamp"].as_array();
    stamps.map_or_else(Vec::new, |all| all.iter().map(|at| at.as_i64().unwrap()).collect())
}

fn quote<'a>(body: &'a Value, column: &str) -> &'a Vec<Value> {
    result(body)["indicators"]["quote"][0][column].as_array().unwrap()
}

const DAY: i64 = 86_400;

#[test]
fn a_daily_answer_has_stamps_of_the_opening_and_events() {
    let server = Server::start(at("2020-12-01T05:00:00Z"));
    let asked = window("1d", at("2020-08-24T00:00:00Z"), at("2020-11-28T00:00:00Z"));
    let (status, body) = chart(&server, "AAPL", &asked);
    assert_eq!(status, 200);
    let stamps = stamps(&body);
    assert_eq!(stamps[0], at("2020-08-24T13:30:00Z"));
    assert!(stamps.contains(&at("2020-11-02T14:30:00Z")));
    for column in ["open", "high", "low", "close", "volume"] {
        assert_eq!(quote(&body, column).len(), stamps.len());
    }
    let split = &result(&body)["events"]["splits"]["1598880600"];
    assert_eq!(split["splitRatio"], "4:1");
    assert_eq!(split["date"], 1_598_880_600);
    assert_eq!(result(&body)["events"]["dividends"].as_object().unwrap().len(), 1);
    let meta = &result(&body)["meta"];
    assert_eq!(meta["dataGranularity"], "1d");
    assert_eq!(meta["exchangeTimezoneName"], "America/New_York");
    assert_eq!(meta["timezone"], "EST");
    assert_eq!(meta["range"], "");
    assert_eq!(meta["regularMarketTime"], at("2020-11-30T21:00:01Z"));
    assert!(meta.get("tradingPeriods").is_none());
    let adjusted = result(&body)["indicators"]["adjclose"][0]["adjclose"].as_array().unwrap();
    assert!(adjusted[0].as_f64() < quote(&body, "close")[0].as_f64());
}

#[test]
fn a_running_session_has_a_live_row() {
    let now = at("2024-06-03T17:00:07Z");
    let server = Server::start(now);
    let (_, body) = chart(&server, "AAPL", &window("1d", now - 10 * DAY, now));
    assert_eq!(stamps(&body).last(), Some(&now));
    let (_, body) = chart(&server, "AAPL", &window("5m", now - DAY, now));
    assert_eq!(stamps(&body).last(), Some(&now));
    assert_eq!(quote(&body, "volume").last(), Some(&Value::from(0)));
    assert_eq!(stamps(&body)[stamps(&body).len() - 2], at("2024-06-03T16:55:00Z"));
    let (_, body) = chart(&server, "AAPL", &window("1wk", now - 30 * DAY, now));
    let weekly = stamps(&body);
    assert_eq!(weekly[weekly.len() - 2..], [at("2024-06-03T04:00:00Z"), now]);
    // Four hours after the close the row has the stamp of its session.
    server.set_now(at("2024-06-04T00:00:00Z"));
    let (_, body) = chart(&server, "AAPL", &window("1d", now - 10 * DAY, now + DAY));
    assert_eq!(stamps(&body).last(), Some(&at("2024-06-03T13:30:00Z")));
}

#[test]
fn tokyo_has_null_rows_over_lunch_and_periods_for_each_session() {
    let server = Server::start(at("2024-06-10T12:00:00Z"));
    let asked = window("5m", at("2024-06-03T00:00:00Z"), at("2024-06-05T00:00:00Z"));
    let (_, body) = chart(&server, "7203.T", &asked);
    let nulls: Vec<i64> = stamps(&body)
        .into_iter()
        .zip(quote(&body, "close"))
        .filter_map(|(stamp, close)| close.is_null().then_some(stamp))
        .collect();
    assert_eq!(nulls.len(), 24);
    assert_eq!(nulls[0], at("2024-06-03T02:30:00Z"));
    assert_eq!(result(&body)["meta"]["tradingPeriods"][0][0]["start"], at("2024-06-03T00:00:00Z"));
    assert!(result(&body)["indicators"].get("adjclose").is_none());
}

#[test]
fn rows_outside_the_session_come_when_asked_for() {
    let server = Server::start(at("2024-06-10T12:00:00Z"));
    let asked = window("15m", at("2024-06-05T00:00:00Z"), at("2024-06-06T00:00:00Z"));
    let (_, body) = chart(&server, "AAPL", &asked);
    assert_eq!(stamps(&body).len(), 26);
    let (_, body) = chart(&server, "AAPL", &format!("{asked}&includePrePost=true"));
    assert_eq!(stamps(&body).len(), 64);
    assert_eq!(stamps(&body)[0], at("2024-06-05T08:00:00Z"));
    assert!(result(&body)["meta"]["tradingPeriods"]["regular"].is_array());
}

#[rstest]
#[case("1m", 30, 7, "1m data not available")]
#[case("5m", 60, 60, "5m data not available")]
#[case("90m", 60, 60, "90m data not available")]
#[case("1h", 730, 700, "1h data not available")]
fn the_reach_ends_at_the_second(
    #[case] interval: &str,
    #[case] reach: i64,
    #[case] span: i64,
    #[case] said: &str,
) {
    let now = at("2024-06-10T12:00:00Z");
    let server = Server::start(now);
    let from = now - reach * DAY;
    let (status, body) = chart(&server, "AAPL", &window(interval, from, from + span * DAY));
    assert_eq!(status, 422);
    assert!(body["chart"]["error"]["description"].as_str().unwrap().starts_with(said));
    assert_eq!(chart(&server, "AAPL", &window(interval, from + 1, from + span * DAY)).0, 200);
}

#[test]
fn eight_days_of_minutes_are_allowed_and_no_second_more() {
    let now = at("2024-06-10T12:00:00Z");
    let server = Server::start(now);
    assert_eq!(chart(&server, "AAPL", &window("1m", now - 8 * DAY, now)).0, 200);
    let (status, body) = chart(&server, "AAPL", &window("1m", now - 8 * DAY - 1, now));
    assert_eq!(status, 422);
    assert_eq!(body["chart"]["error"]["code"], "Unprocessable Entity");
}

#[rstest]
#[case("NOSUCH", "interval=1d&range=1mo", 404, "No data found, symbol may be delisted")]
#[case(
    "AAPL",
    "interval=1d&period1=10&period2=20",
    400,
    "Data doesn't exist for startDate = 10, endDate = 20"
)]
#[case(
    "AAPL",
    "interval=10m&range=1d",
    400,
    "Invalid input - interval=10m is not supported. Valid intervals: [1m, 2m, 5m, 15m, 30m, 60m, 90m, 1h, 4h, 1d, 5d, 1wk, 1mo, 3mo]"
)]
fn errors_have_yahoos_words(
    #[case] symbol: &str,
    #[case] parameters: &str,
    #[case] status: u16,
    #[case] said: &str,
) {
    let server = Server::start(at("2024-06-10T12:00:00Z"));
    let (got, body) = chart(&server, symbol, parameters);
    assert_eq!(got, status);
    assert!(body["chart"]["result"].is_null());
    assert_eq!(body["chart"]["error"]["description"], said);
}

#[test]
fn an_empty_window_is_a_valid_answer() {
    let server = Server::start(at("2024-06-10T12:00:00Z"));
    let weekend = window("1m", at("2024-06-08T05:00:00Z"), at("2024-06-09T05:00:00Z"));
    let (status, body) = chart(&server, "AAPL", &weekend);
    assert_eq!(status, 200);
    assert!(result(&body).get("timestamp").is_none());
    assert_eq!(result(&body)["indicators"]["quote"][0], serde_json::json!({}));
    // Asked for everything by the day, Yahoo sends quarters and says nothing.
    let (_, body) = chart(&server, "SPY", "interval=1d&range=max");
    assert_eq!(result(&body)["meta"]["dataGranularity"], "3mo");
}

#[test]
fn the_head_of_an_answer_is_the_servers() {
    let server = Server::start(at("2024-06-10T12:00:00Z"));
    let target = "/v8/finance/chart/%5EGSPC?interval=60m&range=1d";
    let (_, headers, body) = get(&server, target, &[("accept-encoding", "gzip")]);
    assert_eq!(headers["date"], "Mon, 10 Jun 2024 12:00:00 GMT");
    assert_eq!(headers["content-encoding"], "gzip");
    let body: Value = serde_json::from_reader(flate2::read::GzDecoder::new(body.as_slice())).unwrap();
    assert_eq!(result(&body)["meta"]["symbol"], "^GSPC");
    assert_eq!(result(&body)["meta"]["dataGranularity"], "1h");
    let (status, _, body) = get(&server, target, &[("user-agent", "curl/8")]);
    assert_eq!((status, body.as_slice()), (429, yahoo_server::TOO_MANY.as_bytes()));
    let counts = server.counts();
    assert_eq!((counts.total, counts.in_flight_most), (2, 1));
    assert_eq!(counts.paths["/v8/finance/chart/^GSPC"], 2);
    assert_eq!(counts.arrivals[0].0, target);
}

#[test]
fn crumb_and_consent_are_given_to_who_asks_in_order() {
    let server = Server::start(at("2024-06-10T12:00:00Z"));
    server.rule(Rule::new(Action::NeedCrumb {}));
    let target = "/v8/finance/chart/AAPL?interval=1d&range=5d";
    let (status, _, body) = get(&server, target, &[]);
    assert_eq!(status, 401);
    assert!(String::from_utf8_lossy(&body).contains("Invalid Crumb"));
    assert_eq!(get(&server, "/v1/test/getcrumb", &[]).0, 401);
    let cookie = get(&server, "/", &[]).1["set-cookie"].to_str().unwrap().to_owned();
    let cookie = [("cookie", cookie.split(';').next().unwrap())];
    let crumb = get(&server, "/v1/test/getcrumb", &cookie).2;
    assert_eq!(crumb.len(), 11);
    let crumb = String::from_utf8(crumb).unwrap().replace('/', "%2F");
    assert_eq!(get(&server, &format!("{target}&crumb={crumb}"), &cookie).0, 200);
    server.clear_rules();
    server.rule(Rule::new(Action::NeedConsent {}));
    let (status, headers, _) = get(&server, target, &[]);
    assert_eq!(status, 302);
    assert!(headers["location"].to_str().unwrap().starts_with("/consent"));
    let (_, headers, _) = get(&server, "/consent", &[]);
    let form = get(&server, headers["location"].to_str().unwrap(), &[]).2;
    assert!(String::from_utf8_lossy(&form).contains("csrfToken"));
    assert_eq!(get(&server, target, &[("cookie", "GUC=sample")]).0, 200);
}

#[test]
fn rules_hold_for_their_requests_alone() {
    let server = Server::start(at("2024-06-10T12:00:00Z"));
    server.rule(Rule::new(Action::too_many_requests()).symbol("MSFT").times(2));
    let target = |symbol: &str| format!("/v8/finance/chart/{symbol}?interval=1d&range=5d");
    assert_eq!(get(&server, &target("AAPL"), &[]).0, 200);
    assert_eq!(get(&server, &target("MSFT"), &[]).0, 429);
    assert_eq!(get(&server, &target("MSFT"), &[]).0, 429);
    assert_eq!(get(&server, &target("MSFT"), &[]).0, 200);
    server.rule(Rule::new(Action::Granularity { interval: "3mo".into() }).symbol("AAPL"));
    assert_eq!(result(&chart(&server, "AAPL", "interval=1d&range=1y").1)["meta"]["dataGranularity"], "3mo");
    server.clear_rules();
    server.rule(Rule::new(Action::Truncate { bytes: 100 }));
    assert_eq!(get(&server, &target("AAPL"), &[]).2.len(), 100);
}

#[test]
fn sessions_can_be_null_missing_or_restated() {
    let server = Server::start(at("2024-06-10T12:00:00Z"));
    let asked = window("1d", at("2024-06-03T00:00:00Z"), at("2024-06-08T00:00:00Z"));
    let (_, before) = chart(&server, "AAPL", &asked);
    let late = at("2024-06-11T00:00:00Z");
    let day = |text: &str| text.to_owned();
    server.rule(Rule::new(Action::NullSession { day: day("2024-06-04"), until: Some(late) }));
    server.rule(Rule::new(Action::DropSession { day: day("2024-06-05"), until: Some(late) }));
    server.rule(Rule::new(Action::Restate { day: day("2024-06-06"), factor: 2.0 }));
    let (_, ruled) = chart(&server, "AAPL", &asked);
    assert_eq!(stamps(&ruled).len(), 4);
    assert!(quote(&ruled, "close")[1].is_null() && quote(&ruled, "volume")[1].is_null());
    let close = |body: &Value, at: usize| quote(body, "close")[at].as_f64().unwrap();
    assert_eq!(close(&ruled, 2), close(&before, 3) * 2.0);
    server.set_now(late);
    let (_, after) = chart(&server, "AAPL", &asked);
    assert_eq!(stamps(&after), stamps(&before));
    assert_eq!(close(&after, 1), close(&before, 1));
}

#[test]
fn a_split_can_be_listed_before_history_is_rescaled() {
    let server = Server::start(at("2024-06-10T12:00:00Z"));
    let asked = window("1d", at("2024-06-03T00:00:00Z"), at("2024-06-08T00:00:00Z"));
    let (_, before) = chart(&server, "MSFT", &asked);
    let at_last = at("2024-06-11T00:00:00Z");
    server.rule(Rule::new(Action::Split { day: "2024-06-05".into(), ratio: 2.0, at: at_last }));
    let (_, torn) = chart(&server, "MSFT", &asked);
    server.set_now(at_last);
    let (_, whole) = chart(&server, "MSFT", &asked);
    let ratios = |body: &Value| -> Vec<f64> {
        let closes = quote(body, "close").iter().zip(quote(&before, "close"));
        closes.map(|(new, old)| old.as_f64().unwrap() / new.as_f64().unwrap()).collect()
    };
    assert_eq!(ratios(&torn), [1.0, 1.0, 2.0, 2.0, 2.0]);
    assert_eq!(ratios(&whole), [2.0; 5]);
    for body in [&torn, &whole] {
        let splits = result(body)["events"]["splits"].as_object().unwrap();
        assert_eq!(splits.values().next().unwrap()["splitRatio"], "2:1");
    }
}
