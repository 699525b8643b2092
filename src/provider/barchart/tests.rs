//! Answers as the site and the service give them, read without asking anybody.

use super::session::Cookies;
use super::*;
use crate::model::{Column, Contract, Days, Instrument};

const DAILY: &str = "https://www.barchart.com/my/download?symbol=GCG24&type=eod";
const MINUTES: &str = "https://www.barchart.com/my/download?symbol=GCG24&type=minutes";
/// 2024-01-11 12:00 in Chicago.
const THURSDAY_NOON: i64 = 1_704_996_000;

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn gold(period: Period, first: &str, last: &str) -> Request {
    Request {
        instrument: Instrument::plain("GOLD", "GC", Class::Future),
        contract: Some(Contract { year: 2024, month: 2 }),
        period,
        days: Days { first: day(first), last: day(last) },
        correlation: "1".to_owned(),
    }
}

fn raw(url: &str, status: u16, body: &str) -> RawAnswer {
    RawAnswer {
        url: url.to_owned(),
        status,
        headers: Vec::new(),
        received: THURSDAY_NOON,
        body: body.as_bytes().to_vec(),
        gzip: None,
    }
}

fn footer(rows: &str) -> String {
    format!("{rows}\"Downloaded from Barchart.com as of 01-11-2024 12:00pm CST\"\n")
}

fn refused(request: &Request, raw: &RawAnswer) -> Refusal {
    read(request, raw).unwrap_err()
}

#[test]
fn a_daily_export_has_its_settled_days_with_open_interest() {
    let rows = "Time,Open,High,Low,Latest,Change,%Change,Volume,\"Open Int\"\n\
                2024-01-11,2030,2040,2020,2035,1.,+0.05%,90,7\n2024-01-10,2029,2035,2025,2034,0.5,+0.02%,100,8\n";
    let request = gold(Period::D1, "2024-01-09", "2024-01-11");
    let answer = read(&request, &raw(DAILY, 200, &footer(rows))).unwrap();
    // The day at whose noon it was made is not over.
    assert_eq!(answer.bars.times, [day("2024-01-10").midnight()]);
    assert_eq!(answer.bars.column(Column::OpenInterest).unwrap(), [8.0]);
    assert_eq!(answer.finished, Some(day("2024-01-10")));
    assert_eq!(answer.clock, THURSDAY_NOON);
    assert_eq!(answer.meta.zone.as_deref(), Some("America/Chicago"));
    assert_eq!(answer.dropped, ["1 row of a bar that is not over, dropped"]);
}

#[test]
fn a_week_is_stamped_with_its_monday_and_is_there_when_it_is_over() {
    let rows = "Time,Open,High,Low,Latest,Change,%Change,Volume\n\
                2024-01-05,1,2,1,2,1.,0%,5\n2024-01-11,1,2,1,2,0,0%,5\n";
    let request = gold(Period::W1, "2024-01-02", "2024-01-11");
    let answer = read(&request, &raw(DAILY, 200, &footer(rows))).unwrap();
    assert_eq!(answer.bars.times, [day("2024-01-01").midnight()]);
}

#[test]
fn hours_are_read_by_chicagos_clock_from_the_evening_before_and_only_those_that_are_over() {
    let rows = "Time,Open,High,Low,Latest,Change,%Change,Volume\n\
                \"2024-01-09 16:00\",1,2,1,2,0,0%,5\n\"2024-01-09 17:00\",1,2,1,2,0,0%,5\n\
                \"2024-01-11 10:00\",1,2,1,2,0,0%,5\n\"2024-01-11 11:00\",1,2,1,2,0,0%,5\n\
                \"2024-01-11 12:00\",1,2,1,2,0,0%,5\n";
    let request = gold(Period::H1, "2024-01-10", "2024-01-11");
    let answer = read(&request, &raw(MINUTES, 200, &footer(rows))).unwrap();
    let noon = THURSDAY_NOON;
    assert_eq!(answer.bars.times, [noon - 43 * 3600, noon - 2 * 3600, noon - 3600]);
    assert_eq!(answer.finished, Some(day("2024-01-10")));
}

#[test]
fn what_is_no_export_is_told_apart_and_never_read() {
    let request = gold(Period::D1, "2024-01-09", "2024-01-11");
    let header = "Time,Open,High,Low,Latest,Change,%Change,Volume,\"Open Int\"\n";
    let row = "2024-01-10,2029,2035,2025,2034,0.5,+0.02%,100,8\n";
    let login = r#"<html><form><input type="hidden" name="_token" value="x"><input type="password" name="password"></form></html>"#;
    let denied = |answer: &RawAnswer, words: &str| {
        let refusal = refused(&request, answer);
        assert!(matches!(refusal, Refusal::Denied { .. }), "{refusal:?}");
        assert!(refusal.to_string().contains(words), "{refusal}");
    };
    denied(&raw(DAILY, 200, login), "not logged in");
    denied(&raw(DAILY, 419, "<html>Page Expired</html>"), "not logged in");
    denied(&raw(DAILY, 200, "<title>Just a moment...</title>"), "does not pass for a browser");
    denied(&raw(DAILY, 403, "{\"error\":\"Forbidden\"}"), "not let in");
    let page = "https://www.barchart.com/futures/quotes/GCG24/historical-download";
    denied(&raw(page, 200, "<html>a page without a token</html>"), "wants to see a browser");
    denied(&raw("https://www.barchart.com/login", 200, login), "does not accept this username and password");
    let blind = login.replace("value=\"x\"", "value=\"\"");
    denied(&raw("https://www.barchart.com/login", 200, &blind), "lets browsers alone log in");
    // So it says of each page that has moved.
    for status in [404, 410] {
        let unlisted = refused(&request, &raw(page, status, "<html>Not found</html>"));
        assert!(matches!(&unlisted, Refusal::Unlisted { code, .. } if code == "GCG24"), "{unlisted:?}");
    }
    for limit in [
        "<html><p>You have reached your daily download limit.</p></html>",
        "{\"error\":\"Daily download limit reached\"}",
        "You have reached your limit of downloads",
    ] {
        let refusal = refused(&request, &raw(DAILY, 200, limit));
        // Five past midnight in Chicago.
        assert!(
            matches!(refusal, Refusal::Limited { until, .. } if until == THURSDAY_NOON + 12 * 3600 + 300),
            "{refusal:?}"
        );
    }
    for (body, words) in [
        (format!("{header}{row}"), "cut off"),
        (footer(&format!("{}{row}", header.replace("Latest", "Settle"))), "version does not know"),
        ("Error retrieving data".to_owned(), "an error instead of data"),
        ("<html><title>Maintenance</title></html>".to_owned(), "Maintenance"),
        (footer(&format!("{header}2024-01-10 10:00,1,2,1,2,0,0%,5,8\n")), "times of day where dates"),
        (footer(&format!("Symbol,{header}SIG24,{row}")), "it is of SIG24"),
        (String::new(), "it is empty"),
    ] {
        let refusal = refused(&request, &raw(DAILY, 200, &body));
        assert!(matches!(refusal, Refusal::Unusable { .. }), "{refusal:?}");
        assert!(refusal.to_string().contains(words), "{refusal} has no {words:?}");
    }
    let empty = refused(&request, &raw(DAILY, 200, &footer(header)));
    assert!(matches!(empty, Refusal::EmptyWindow { clock: THURSDAY_NOON, .. }), "{empty:?}");
    let down = refused(&request, &raw(DAILY, 503, "<html>down</html>"));
    assert!(matches!(down, Refusal::Unavailable { .. }), "{down:?}");
}

#[test]
fn the_service_is_read_as_json_and_as_csv() {
    let json = r#"{"status":{"code":200,"message":"Success."},"results":[
        {"symbol":"GCG24","timestamp":"2024-01-10T00:00:00-06:00","tradingDay":"2024-01-10","open":1,"high":2.5,"low":1,"close":2,"volume":7,"openInterest":null},
        {"symbol":"GCG24","timestamp":"2024-01-11T00:00:00-06:00","tradingDay":"2024-01-11","open":1,"high":2,"low":1,"close":2,"volume":7,"openInterest":9}]}"#;
    let url = "https://ondemand.websol.barchart.com/getHistory.json?symbol=GCG24";
    let request = gold(Period::D1, "2024-01-09", "2024-01-11");
    let answer = read(&request, &raw(url, 200, json)).unwrap();
    assert_eq!(answer.bars.times, [day("2024-01-10").midnight()]);
    assert!(answer.bars.column(Column::OpenInterest).unwrap()[0].is_nan());
    let csv = "\"symbol\",\"timestamp\",\"tradingDay\",\"open\",\"high\",\"low\",\"close\",\"volume\",\"openInterest\"\n\
               \"GCG24\",\"2024-01-10T17:00:00-06:00\",\"2024-01-11\",\"1\",\"2\",\"1\",\"2\",\"7\",\"\"\n";
    let hours = gold(Period::H1, "2024-01-11", "2024-01-11");
    let answer = read(&hours, &raw(&url.replace("json", "csv"), 200, csv)).unwrap();
    assert_eq!(answer.bars.times, [THURSDAY_NOON - 19 * 3600]);
    for (code, message, kind) in [
        (204, "no content", "no bars in this window"),
        (401, "Invalid API key.", "does not accept the key"),
        (403, "Daily query limit exceeded.", "are used up"),
        (404, "Unknown symbol.", "does not list GCG24"),
        (500, "oops", "cannot be reached"),
    ] {
        let body = format!(r#"{{"status":{{"code":{code},"message":"{message}"}},"results":null}}"#);
        let refusal = refused(&request, &raw(url, 200, &body)).to_string();
        assert!(refusal.contains(kind), "{refusal} has no {kind:?}");
    }
    let other = json.replacen("GCG24", "SIG24", 1);
    assert!(refused(&request, &raw(url, 200, &other)).to_string().contains("it is of SIG24"));
}

#[test]
fn the_service_says_that_a_window_is_empty_in_no_other_way_than_it_is_known_to() {
    let url = "https://ondemand.websol.barchart.com/getHistory.json?symbol=GCG24";
    let (json, csv) = (url.to_owned(), url.replace("json", "csv"));
    let (days, hours) =
        (gold(Period::D1, "2024-01-09", "2024-01-11"), gold(Period::H1, "2024-01-11", "2024-01-11"));
    let header = "symbol,timestamp,tradingDay,open,high,low,close,volume,openInterest";
    for (request, url, body) in [
        (&days, &json, r#"{"status":{"code":200,"message":"Success."},"results":[]}"#),
        (&days, &json, r#"{"status":{"code":204,"message":"no content"},"results":null}"#),
        (&hours, &csv, r#"{"status":{"code":204,"message":"no content"},"results":null}"#),
        (&hours, &csv, header),
        (&hours, &csv, &format!("{header}\n")),
    ] {
        let refusal = refused(request, &raw(url, 200, body));
        assert!(matches!(refusal, Refusal::EmptyWindow { .. }), "{body}: {refusal:?}");
    }
    let limit = "You have reached your daily limit of downloads.";
    for body in [limit, &format!("<html><p>{limit}</p></html>"), &format!(r#"{{"error":"{limit}"}}"#)] {
        for (request, url) in [(&days, &json), (&hours, &csv)] {
            let refusal = refused(request, &raw(url, 200, body));
            assert!(matches!(refusal, Refusal::Limited { .. }), "{body}: {refusal:?}");
        }
    }
    for body in [
        "",
        "{}",
        "[]",
        r#"{"error":"oops"}"#,
        r#"{"results":[]}"#,
        r#"{"status":{"code":200,"message":"Success."},"results":null}"#,
        r#"{"status":{"code":200,"message":"Success."},"bars":[]}"#,
        "Error retrieving data",
        "<html><title>Maintenance</title></html>",
        "symbol,time,open,high,low,last,volume",
    ] {
        for (request, url) in [(&days, &json), (&hours, &csv)] {
            let refusal = refused(request, &raw(url, 200, body));
            assert!(matches!(refusal, Refusal::Unusable { .. }), "{body}: {refusal:?}");
        }
    }
}

#[test]
fn a_request_is_as_wide_as_twenty_thousand_rows() {
    let today = day("2024-01-11");
    let span = |period| limits(Class::Future, period, today).unwrap().request_days;
    assert_eq!([Period::M1, Period::M5, Period::H1].map(span), [Some(18), Some(100), Some(1215)]);
    assert_eq!(span(Period::D1), None);
    assert!(limits(Class::Future, Period::M2, today).unwrap_err().contains("5m"));
}

#[test]
fn cookies_are_read_however_a_browser_gives_them() {
    let netscape = "# Netscape HTTP Cookie File\n#HttpOnly_.barchart.com\tTRUE\t/\tTRUE\t1893456000\tlaravel_session\tabc%3D\n\
                    www.barchart.com\tFALSE\t/\tTRUE\t0\tXSRF-TOKEN\tx%3D\n.example.com\tTRUE\t/\tTRUE\t0\tlaravel_session\tother\n";
    let json = r#"[{"domain":".barchart.com","name":"laravel_session","value":"abc%3D","expirationDate":1893456000.5},
                   {"domain":"www.barchart.com","name":"XSRF-TOKEN","value":"x%3D"},{"name":"_ga","value":"1","domain":".barchart.com"}]"#;
    let header = "Cookie: _ga=GA1; laravel_session=abc%3D; cf_clearance=no; XSRF-TOKEN=x%3D";
    for text in [netscape, json, header, &header["Cookie: ".len()..]] {
        let cookies = Cookies::read(text, THURSDAY_NOON).unwrap();
        let pairs: Vec<_> = cookies.pairs().collect();
        // Neither another site's nor what shows that it was a browser.
        assert_eq!(pairs, [("laravel_session", "abc%3D"), ("XSRF-TOKEN", "x%3D")], "{text}");
        assert!(!format!("{cookies:?}").contains("abc"));
    }
    for (text, words) in [
        ("", "nothing in it"),
        ("hello", "no cookie was found"),
        ("{\"a\":", "not JSON"),
        ("_ga=1; XSRF-TOKEN=secret", "no laravel_session"),
        ("laravel_session=", "none that a cookie can have"),
        (&netscape.replace("1893456000", "1000"), "has run out"),
    ] {
        let said = Cookies::read(text, THURSDAY_NOON).unwrap_err();
        assert!(said.contains(words) && !said.contains("secret"), "{said}");
    }
}

#[test]
fn a_stored_session_is_read_again_and_refused_where_others_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = session_file(folder.path());
    assert!(session::load(&file).unwrap().is_none());
    Cookies::read("laravel_session=abc", 0).unwrap().store(&file).unwrap();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let stored = session::load(&file).unwrap().unwrap();
    assert_eq!(stored.pairs().collect::<Vec<_>>(), [("laravel_session", "abc")]);
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
    let said = session::load(&file).unwrap_err();
    assert!(said.contains("chmod 0600"), "{said}");
}
