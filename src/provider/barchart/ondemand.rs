//! The OnDemand service: `getHistory` by a key, JSON for days and longer, CSV where the rows are many.
//!
//! Known of it: the parameters below, the shape `{"status": {"code", "message"}, "results": […]}`, and that the CSV has
//! the same fields as columns. Its bars carry the trading day beside an instant with its offset.

use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Deserializer};
use url::Url;

use super::page::Page;
use super::read::finished_answer;
use super::refusal::{by_status, limited, not_there, page_of, said, speaks_of_limit, too_many, unusable};
use super::request::{asked_days, period, symbol};
use super::{Access, Aside, Barchart, MOST_ROWS, NAME};
use crate::model::{Bars, Column, Day};
use crate::provider::cut::{LeftOut, WITHOUT_PRICE};
use crate::provider::http::Call;
use crate::provider::limits::note;
use crate::provider::{Answer, RawAnswer, Refusal, Request};

const SERVICE: &str = "https://ondemand.websol.barchart.com";

/// The ways of the service, without and with many rows.
pub(super) const JSON: &str = "/getHistory.json";
pub(super) const CSV: &str = "/getHistory.csv";

/// The columns without which a CSV is none of the service.
const NEEDED: [&str; 6] = ["symbol", "timestamp", "open", "high", "low", "close"];

impl Barchart {
    /// One call of the service.
    pub(super) async fn fetch_from_service(
        &self,
        request: &Request,
        aside: Aside<'_>,
    ) -> Result<RawAnswer, Refusal> {
        let url = self.service_url(request)?;
        let spent = self.throttle.spend(&self.quota, (self.now)())?;
        let call = Call { url, accept: "*/*", form: None, headers: Vec::new() };
        let asked = self.ask_counted(call, spent).await;
        let raw = asked.map_err(|nothing| self.refused(nothing, aside))?.raw;
        if matches!(problem(&raw), Some(Refusal::Limited { .. })) {
            note(NAME, self.throttle.exhausted(&self.quota, None, (self.now)()).map(drop));
        }
        Ok(self.kept(raw))
    }

    fn service_url(&self, request: &Request) -> Result<Url, Refusal> {
        let (path, kind) = match request.period.seconds() {
            Some(_) => (CSV, "minutes"),
            None => (JSON, period(request.period)),
        };
        let invalid = |error: url::ParseError| Refusal::Invalid { provider: NAME, said: error.to_string() };
        let mut url = Url::parse(&format!("{SERVICE}{path}")).map_err(invalid)?;
        let days = asked_days(request);
        let plain = |day: Day| day.to_string().replace('-', "");
        let mut query = url.query_pairs_mut();
        if let Access::Key(key) = &self.access {
            query.append_pair("apikey", key.expose_secret());
        }
        query.append_pair("symbol", &symbol(request)).append_pair("type", kind);
        if let Some(seconds) = request.period.seconds() {
            query.append_pair("interval", &(seconds / 60).to_string());
        }
        query
            .append_pair("startDate", &plain(days.first))
            .append_pair("endDate", &plain(days.last))
            .append_pair("maxRecords", &MOST_ROWS.to_string())
            .append_pair("order", "asc");
        drop(query);
        Ok(url)
    }
}

#[derive(Deserialize)]
struct Envelope {
    status: Status,
}

#[derive(Deserialize)]
struct Reply {
    results: Vec<Row>,
}

#[derive(Deserialize)]
struct Status {
    code: i64,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    symbol: String,
    timestamp: String,
    #[serde(default)]
    trading_day: Option<String>,
    #[serde(deserialize_with = "number")]
    open: f64,
    #[serde(deserialize_with = "number")]
    high: f64,
    #[serde(deserialize_with = "number")]
    low: f64,
    #[serde(deserialize_with = "number")]
    close: f64,
    #[serde(default = "missing", deserialize_with = "number")]
    volume: f64,
    #[serde(default = "missing", deserialize_with = "number")]
    open_interest: f64,
}

fn missing() -> f64 {
    f64::NAN
}

/// A number, which may come as a text or be missing.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Plain(f64),
        Text(String),
    }
    match Option::<Number>::deserialize(from)? {
        None => Ok(f64::NAN),
        Some(Number::Plain(number)) => Ok(number),
        Some(Number::Text(text)) if text.trim().is_empty() => Ok(f64::NAN),
        Some(Number::Text(text)) => match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(serde::de::Error::custom(format!("{text:?} is no number"))),
        },
    }
}

pub(super) fn read(request: &Request, raw: &RawAnswer, is_csv: bool) -> Result<Answer, Refusal> {
    if let Some(refusal) = problem(raw) {
        return Err(match refusal {
            Refusal::Unknown { said, .. } => not_there(request, said),
            other => other,
        });
    }
    let rows = if is_csv { rows_of_csv(raw)? } else { rows_of_json(raw)? };
    if rows.is_empty() {
        let clock = super::read::clock(raw);
        return Err(Refusal::EmptyWindow { clock, said: "the service has no rows there".to_owned() });
    }
    too_many(rows.len())?;
    let code = symbol(request);
    let columns = request.columns(NAME);
    let mut bars = Bars::new(columns);
    for (at, row) in rows.iter().enumerate() {
        let wrong = |said: String| unusable(format!("its row {}: {said}", at + 1));
        if !row.symbol.eq_ignore_ascii_case(&code) {
            return Err(wrong(format!("it is of {} where {code} was asked for", row.symbol)));
        }
        let time = time(request, row).map_err(&wrong)?;
        if bars.times.last().is_some_and(|last| *last >= time) {
            return Err(wrong(format!("{} is not after the row before", row.timestamp)));
        }
        let value = |column: &Column| match column {
            Column::Open => row.open,
            Column::High => row.high,
            Column::Low => row.low,
            Column::Close => row.close,
            Column::Volume => row.volume,
            Column::OpenInterest => row.open_interest,
            _ => f64::NAN,
        };
        if row.close.is_finite() {
            bars.push(time, &columns.iter().map(value).collect::<Vec<_>>());
        }
    }
    let mut left_out = LeftOut::default();
    left_out.note(rows.len() - bars.len(), WITHOUT_PRICE);
    Ok(finished_answer(request, bars, super::read::clock(raw), left_out, Vec::new()))
}

/// How a bar is stamped: by its trading day, or by the instant it opens.
fn time(request: &Request, row: &Row) -> Result<i64, String> {
    if request.period.is_intraday() {
        let instant: Timestamp =
            row.timestamp.parse().map_err(|_| format!("{:?} is no instant with an offset", row.timestamp))?;
        return Ok(instant.as_second());
    }
    let day = row.trading_day.as_deref().or_else(|| row.timestamp.get(..10)).unwrap_or_default();
    let day: Day = day.parse()?;
    Ok(request.period.bar_day(day).midnight())
}

fn rows_of_json(raw: &RawAnswer) -> Result<Vec<Row>, Refusal> {
    let reply: Reply = serde_json::from_slice(&raw.body)
        .map_err(|error| unusable(format!("the JSON cannot be read: {error}")))?;
    Ok(reply.results)
}

fn rows_of_csv(raw: &RawAnswer) -> Result<Vec<Row>, Refusal> {
    if !has_header(&raw.body) {
        return Err(no_data(raw));
    }
    let rows: csv::Result<Vec<Row>> =
        csv::Reader::from_reader(raw.body.as_slice()).into_deserialize().collect();
    rows.map_err(|error| unusable(format!("the CSV cannot be read: {error}")))
}

/// Whether a body begins as the CSV of the service: without a row it says that there are none.
fn has_header(body: &[u8]) -> bool {
    let mut csv = csv::Reader::from_reader(body);
    csv.headers().is_ok_and(|header| NEEDED.iter().all(|name| header.iter().any(|column| column == *name)))
}

/// What is neither the service's JSON nor its CSV says nothing of a window.
fn no_data(raw: &RawAnswer) -> Refusal {
    let limit = match page_of(raw) {
        Some(page) => page == Page::Limit,
        None => speaks_of_limit(&said(raw)),
    };
    match limit {
        true => limited(raw, said(raw)),
        false => unusable(format!("its OnDemand service gave something in place of data: {}", said(raw))),
    }
}

/// What the service says in place of bars.
fn problem(raw: &RawAnswer) -> Option<Refusal> {
    let envelope = serde_json::from_slice::<Envelope>(&raw.body);
    let Ok(Envelope { status: Status { code, message } }) = envelope else {
        return match raw.status {
            200 if has_header(&raw.body) => None,
            200 => Some(no_data(raw)),
            _ => Some(by_status(raw, "its OnDemand service")),
        };
    };
    let said = format!("code {code}, {message}");
    match code {
        200 => None,
        204 => Some(Refusal::EmptyWindow { clock: super::read::clock(raw), said }),
        404 => Some(Refusal::Unknown { provider: NAME, code: String::new(), said }),
        400 => Some(Refusal::Invalid { provider: NAME, said }),
        402 | 429 => Some(limited(raw, said)),
        401 | 403 if speaks_of_limit(&message) => Some(limited(raw, said)),
        401 | 403 => Some(Refusal::Denied {
            provider: NAME,
            said: format!(
                "its OnDemand service does not accept the key of providers.barchart.api_key for this: {said}"
            ),
        }),
        500.. => Some(Refusal::Unavailable { provider: NAME, said }),
        _ => Some(unusable(said)),
    }
}
