//! What the gateway said to one request, as lines of JSON: this is what the raw trail keeps and what bars are
//! read from. A first line tells what was asked of which contract; then each request to the gateway has a line,
//! followed by its bars, one a line, or by the error that came in their place.
//!
//! ```text
//! {"version":1,"code":"AAPL","period":"1d","show":"TRADES","regular":true,"contract":{…},"head":345479400,"clock":1767225600}
//! {"asked":{"end":null,"duration":{"D":5},"bar":"Day","show":"TRADES","regular":true},"start":1766620800}
//! [[2025,12,30],187.15,188.44,183.885,185.64,82488700.0,185.91,702311.0]
//! {"asked":{…},"error":162,"text":"…HMDS query returned no data: …"}
//! ```
//!
//! Instants are seconds since the epoch. Where no contract was found `contract` is null, and `error` and `text`
//! of the first line say why.

use serde::{Deserialize, Serialize};

use super::api::{Asked, Listing, Row, Show, Told};
use crate::model::Period;

/// The version of this form.
const VERSION: u32 = 1;

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Head {
    version: u32,
    /// The code asked for, with the month of a dated contract.
    pub(super) code: String,
    pub(super) period: Period,
    pub(super) show: Show,
    pub(super) regular: bool,
    pub(super) contract: Option<Listing>,
    /// When the broker's data begin, where that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) head: Option<i64>,
    /// The gateway's clock when all had been answered.
    pub(super) clock: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// The line of a request to the gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Step {
    pub(super) asked: Asked,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) start: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// A body as it is read.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) head: Head,
    /// Each request with its bars.
    pub(super) steps: Vec<(Step, Vec<Row>)>,
}

impl Head {
    /// The line of a request whose contract was found.
    pub(super) fn new(code: String, period: Period, asked: (Show, bool), contract: Listing) -> Head {
        let (show, regular) = asked;
        let contract = Some(contract);
        Head {
            version: VERSION,
            code,
            period,
            show,
            regular,
            contract,
            head: None,
            clock: 0,
            error: None,
            text: None,
        }
    }

    /// The line of one whose contract was not found, by the gateway's error.
    pub(super) fn unknown(
        code: String,
        period: Period,
        asked: (Show, bool),
        error: (i32, String),
        clock: i64,
    ) -> Head {
        let (show, regular) = asked;
        let (error, text) = (Some(error.0), Some(error.1));
        Head { version: VERSION, code, period, show, regular, contract: None, head: None, clock, error, text }
    }

    /// The error in place of a contract.
    pub(super) fn fault(&self) -> Option<(i32, &str)> {
        self.error.map(|error| (error, self.text.as_deref().unwrap_or_default()))
    }
}

impl Step {
    /// The error in place of bars.
    pub(super) fn fault(&self) -> Option<(i32, &str)> {
        self.error.map(|error| (error, self.text.as_deref().unwrap_or_default()))
    }
}

/// Writes a body as it comes in.
#[derive(Debug, Default)]
pub(super) struct Writer {
    lines: Vec<u8>,
}

impl Writer {
    /// A request that was answered with bars.
    pub(super) fn told(&mut self, asked: Asked, told: &Told) -> serde_json::Result<()> {
        self.line(&Step { asked, start: Some(told.start), error: None, text: None })?;
        told.rows.iter().try_for_each(|row| self.line(row))
    }

    /// A request that was answered with an error.
    pub(super) fn refused(&mut self, asked: Asked, error: i32, text: String) -> serde_json::Result<()> {
        self.line(&Step { asked, start: None, error: Some(error), text: Some(text) })
    }

    /// The whole body, its first line first.
    pub(super) fn finish(self, head: &Head) -> serde_json::Result<Vec<u8>> {
        let mut whole = Writer::default();
        whole.line(head)?;
        whole.lines.extend(self.lines);
        Ok(whole.lines)
    }

    fn line(&mut self, value: &impl Serialize) -> serde_json::Result<()> {
        serde_json::to_writer(&mut self.lines, value)?;
        self.lines.push(b'\n');
        Ok(())
    }
}

impl Body {
    /// Reads a body; the error names the line.
    pub(super) fn read(bytes: &[u8]) -> Result<Body, String> {
        let mut lines = bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
        let wrong = |at: usize, error: &dyn std::fmt::Display| format!("line {}: {error}", at + 1);
        let (at, first) = lines.next().ok_or("it is empty")?;
        let head: Head = serde_json::from_slice(first).map_err(|error| wrong(at, &error))?;
        if head.version != VERSION {
            return Err(format!("it has the form {}, this version knows {VERSION}", head.version));
        }
        let mut steps: Vec<(Step, Vec<Row>)> = Vec::new();
        for (at, line) in lines {
            if line.first() == Some(&b'{') {
                steps.push((serde_json::from_slice(line).map_err(|error| wrong(at, &error))?, Vec::new()));
                continue;
            }
            let row = serde_json::from_slice(line).map_err(|error| wrong(at, &error))?;
            let (_, rows) = steps.last_mut().ok_or_else(|| wrong(at, &"a bar before any request"))?;
            rows.push(row);
        }
        Ok(Body { head, steps })
    }
}
