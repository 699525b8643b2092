//! A request taken apart, and an answer put together.

use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

const CHART: &str = "/v8/finance/chart/";

/// Bytes, compressed.
pub(super) fn packed(plain: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(plain).unwrap();
    packer.finish().unwrap()
}

/// A request, taken apart.
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(super) fn has_cookie(&self, name: &str) -> bool {
        let cookies = self.header("cookie").split(';');
        cookies.filter_map(|cookie| cookie.trim().split_once('=')).any(|(key, _)| key == name)
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn symbol(&self) -> Option<&str> {
        self.path.strip_prefix(CHART)
    }
}

/// An answer, before it is packed.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn text(status: u16, kind: &str, body: &str) -> Reply {
        Reply {
            status,
            headers: vec![("content-type", format!("{kind};charset=utf-8"))],
            body: body.as_bytes().to_vec(),
        }
    }

    pub(super) fn json(status: u16, body: &Value) -> Reply {
        Reply::text(status, "application/json", &body.to_string())
    }

    pub(super) fn header(mut self, name: &'static str, value: &str) -> Reply {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Dates it by the server's clock and compresses it where the client takes that.
    pub(super) fn pack(mut self, now: i64, gzip: bool) -> Response {
        let date = UNIX_EPOCH + Duration::from_secs(now.max(0) as u64);
        self.headers.push(("date", httpdate::fmt_http_date(date)));
        if gzip && !self.body.is_empty() {
            self.body = packed(&self.body);
            self.headers.push(("content-encoding", "gzip".into()));
        }
        let body = std::mem::take(&mut self.body);
        self.with(body.into())
    }

    /// The head, with any body.
    pub(super) fn with(self, body: Body) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap();
        let mut response = (status, body).into_response();
        response.headers_mut().remove("content-type");
        for (name, value) in self.headers {
            response.headers_mut().append(name, value.parse().unwrap());
        }
        response
    }
}
