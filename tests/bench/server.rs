//! The server of `scripts/bench`: what the server that plays Yahoo says, compressed once and kept, so that
//! the measured programs wait for nothing and share the machine with next to nothing. Any symbol is one of
//! a few listings under its own name.
//!
//! `GET /_bench?now=SECONDS&latency=MILLISECONDS` sets the clock and the wait before each answer, both
//! optional, and tells the requests and bytes since it was last asked.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

use crate::listing;
use crate::yahoo_server::Server;

const CHART: &str = "/v8/finance/chart/";

/// An answer without its symbol.
struct Packed {
    status: String,
    before: Part,
    after: Part,
}

/// One side of the symbol, compressed by itself.
struct Part {
    deflated: Vec<u8>,
    crc: Crc,
}

struct Bench {
    yahoo: Server,
    now: AtomicI64,
    latency: AtomicU64,
    requests: AtomicU64,
    bytes: AtomicU64,
    packed: Mutex<HashMap<String, Arc<Packed>>>,
}

/// Serves until it is killed.
pub(crate) fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("http://{}", listener.local_addr()?);
    let bench = Arc::new(Bench {
        yahoo: Server::start(0),
        now: AtomicI64::new(0),
        latency: AtomicU64::new(0),
        requests: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
        packed: Mutex::default(),
    });
    for stream in listener.incoming() {
        let (bench, stream) = (Arc::clone(&bench), stream?);
        // A client that goes away in the middle of an answer ends its thread alone.
        std::thread::spawn(move || bench.serve(&stream));
    }
    Ok(())
}

impl Bench {
    /// Answers the requests of one connection.
    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let (mut from, mut to) = (BufReader::new(stream), stream);
        let mut line = String::new();
        while from.read_line(&mut line)? > 0 {
            let target = line.split(' ').nth(1).unwrap_or("/").to_owned();
            while line.trim_end() != "" {
                line.clear();
                from.read_line(&mut line)?;
            }
            line.clear();
            let answer = match target.strip_prefix("/_bench") {
                Some(query) => plain("200 OK", self.control(query).as_bytes()),
                None => self.answer(&target)?,
            };
            to.write_all(&answer)?;
        }
        Ok(())
    }

    fn control(&self, query: &str) -> String {
        for (key, value) in url::form_urlencoded::parse(query.trim_start_matches('?').as_bytes()) {
            match &*key {
                "now" => {
                    self.now.store(value.parse().unwrap(), Ordering::SeqCst);
                    self.yahoo.set_now(value.parse().unwrap());
                    self.packed.lock().unwrap().clear();
                }
                "latency" => self.latency.store(value.parse().unwrap(), Ordering::SeqCst),
                _ => {}
            }
        }
        let (requests, bytes) =
            (self.requests.swap(0, Ordering::SeqCst), self.bytes.swap(0, Ordering::SeqCst));
        format!("{{\"requests\":{requests},\"bytes\":{bytes}}}")
    }

    fn answer(&self, target: &str) -> io::Result<Vec<u8>> {
        let Some((symbol, query)) = target.strip_prefix(CHART).and_then(|rest| rest.split_once('?')) else {
            return Ok(plain("404 Not Found", b"only charts here"));
        };
        let packed = self.packed(listing(symbol), &whole(query))?;
        let answer = packed.with(symbol, self.now.load(Ordering::SeqCst));
        std::thread::sleep(Duration::from_millis(self.latency.load(Ordering::SeqCst)));
        self.requests.fetch_add(1, Ordering::SeqCst);
        self.bytes.fetch_add(answer.len() as u64, Ordering::SeqCst);
        Ok(answer)
    }

    /// What is said of a listing: asked for once, then kept.
    fn packed(&self, listing: &str, query: &str) -> io::Result<Arc<Packed>> {
        let key = format!("{CHART}{listing}?{query}");
        let mut kept = self.packed.lock().unwrap();
        if let Some(packed) = kept.get(&key) {
            return Ok(Arc::clone(packed));
        }
        let (status, body) = self.ask(&key)?;
        let named = format!("\"symbol\":\"{listing}\"");
        let (before, after) = match body.find(&named) {
            Some(at) => (&body[..at + named.len() - listing.len() - 1], &body[at + named.len() - 1..]),
            None => (body.as_str(), ""),
        };
        let packed = Packed { status, before: pack(before, false), after: pack(after, true) };
        Ok(Arc::clone(kept.entry(key).or_insert_with(|| Arc::new(packed))))
    }

    /// Asks the server behind this one: status line and body.
    fn ask(&self, target: &str) -> io::Result<(String, String)> {
        let base = self.yahoo.base_url();
        let mut stream = TcpStream::connect(base.trim_start_matches("http://"))?;
        write!(
            stream,
            "GET {target} HTTP/1.1\r\nhost: x\r\nuser-agent: Mozilla/5.0\r\nconnection: close\r\n\r\n"
        )?;
        let mut said = String::new();
        stream.read_to_string(&mut said)?;
        let (head, body) = said.split_once("\r\n\r\n").unwrap_or_default();
        let status = head.lines().next().unwrap_or_default().trim_start_matches("HTTP/1.1 ");
        Ok((status.to_owned(), body.to_owned()))
    }
}

impl Packed {
    /// The whole response: the symbol stands between the two parts as a block that is not compressed.
    fn with(&self, symbol: &str, now: i64) -> Vec<u8> {
        let symbol = if self.after.crc.amount() == 0 { "" } else { symbol };
        let mut crc = Crc::new();
        crc.combine(&self.before.crc);
        crc.update(symbol.as_bytes());
        crc.combine(&self.after.crc);
        let length = symbol.len() as u16;
        let stored = [&[0][..], &length.to_le_bytes(), &(!length).to_le_bytes(), symbol.as_bytes()].concat();
        let parts: [&[u8]; 6] = [
            &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255],
            &self.before.deflated,
            &stored,
            &self.after.deflated,
            &crc.sum().to_le_bytes(),
            &crc.amount().to_le_bytes(),
        ];
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(now.max(0) as u64));
        let head = format!(
            "HTTP/1.1 {}\r\ncontent-type: application/json;charset=utf-8\r\ncontent-encoding: gzip\r\ndate: {date}\r\ncontent-length: {length}\r\n\r\n",
            self.status
        );
        [&[head.as_bytes()], &parts[..]].concat().concat()
    }
}

/// Compresses a part; one that is not the last ends at a whole byte, so that another may follow.
fn pack(text: &str, last: bool) -> Part {
    let mut crc = Crc::new();
    crc.update(text.as_bytes());
    let mut deflated = Vec::with_capacity(text.len() + 1024);
    let how = if last { FlushCompress::Finish } else { FlushCompress::Sync };
    let mut packer = Compress::new(Compression::default(), false);
    let status = packer.compress_vec(text.as_bytes(), &mut deflated, how).unwrap();
    assert_eq!((status == Status::StreamEnd, packer.total_in()), (last, text.len() as u64));
    Part { deflated, crc }
}

fn plain(status: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A query whose instants are whole hours, or whole minutes for one-minute bars: what is asked up to now
/// is then asked for once.
fn whole(query: &str) -> String {
    let step = if query.contains("interval=1m&") { 60 } else { 3600 };
    let rounded = |pair: &str| match pair.split_once('=') {
        Some((key @ ("period1" | "period2"), value)) => match value.parse::<i64>() {
            Ok(instant) => format!("{key}={}", (instant + step - 1) / step * step),
            Err(_) => pair.to_owned(),
        },
        _ => pair.to_owned(),
    };
    query.split('&').map(rounded).collect::<Vec<_>>().join("&")
}
