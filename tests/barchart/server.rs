//! The server itself: what Vortex does not ask of it.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::barchart_server::{EMAIL, Server};

/// The status line and the body of a plain GET with these cookies and this token.
fn get(server: &Server, path: &str, cookies: &str, xsrf: &str) -> (String, String) {
    let address = server.base_url();
    let mut stream = TcpStream::connect(address.strip_prefix("http://").unwrap()).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: barchart\r\nCookie: {cookies}\r\nX-XSRF-TOKEN: {xsrf}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[test]
fn the_chart_proxy_is_for_sessions_alone_and_costs_no_download() {
    // 2024-01-12 at 18:00 in Chicago.
    let server = Server::start(1_705_104_000);
    let path = "/proxies/timeseries/historical/queryeod.ashx?symbol=GCG24&data=daily&maxrecords=3";
    let (status, body) = get(&server, path, "", "");
    assert_eq!((status.as_str(), body.as_str()), ("HTTP/1.1 403 Forbidden", "{\"error\":\"Forbidden\"}"));
    let session = server.browser_session(EMAIL);
    let cookies: Vec<String> = session.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let xsrf = session[1].1.replace("%3D", "=");
    let (_, body) = get(&server, path, &cookies.join("; "), &xsrf);
    let rows: Vec<&str> = body.lines().collect();
    assert_eq!(rows.len(), 3, "{body}");
    assert!(rows[2].starts_with("GCG24,2024-01-12,") && rows[2].split(',').count() == 8, "{body}");
    assert!(server.counts().downloads.is_empty());
}
