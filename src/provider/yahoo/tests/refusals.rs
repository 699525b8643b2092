//! What answers without bars mean.

use rstest::rstest;

use super::*;

fn refused(status: u16, body: &str) -> Refusal {
    let request = request("AAPL", "5m", "2026-11-17", "2026-11-20");
    read(&request, &raw(status, None, body)).unwrap_err()
}

fn envelope(code: &str, description: &str) -> String {
    format!(r#"{{"chart":{{"result":null,"error":{{"code":"{code}","description":"{description}"}}}}}}"#)
}

#[rstest]
#[case(404, "Not Found", "No data found, symbol may be delisted", "Unknown")]
#[case(200, "Not Found", "No data found, symbol may be delisted", "Unknown")]
#[case(400, "Bad Request", "Data doesn't exist for startDate = 1, endDate = 2", "EmptyWindow")]
#[case(400, "Bad Request", "Invalid input - interval=5h is not supported.", "Invalid")]
#[case(
    422,
    "Unprocessable Entity",
    "5m data not available for startTime=1 and endTime=1791264293. The requested range must be within the last 60 days.",
    "TooOld"
)]
#[case(
    422,
    "Unprocessable Entity",
    "Only 8 days worth of 1m granularity data are allowed to be fetched per request.",
    "TooWide"
)]
#[case(422, "Unprocessable Entity", "something else", "Invalid")]
#[case(401, "Unauthorized", "Invalid Crumb", "Denied")]
#[case(403, "Forbidden", "no", "Denied")]
#[case(429, "Too Many Requests", "slow down", "Limited")]
#[case(503, "Internal", "try later", "Unavailable")]
fn each_row_of_the_error_table_is_told_apart(
    #[case] status: u16,
    #[case] code: &str,
    #[case] description: &str,
    #[case] expected: &str,
) {
    let refusal = format!("{:?}", refused(status, &envelope(code, description)));
    assert!(refusal.starts_with(expected), "{refusal}");
}

#[test]
fn the_reach_is_read_from_the_services_words() {
    for (words, days) in [
        (
            "1m data not available for startTime=60 and endTime=90. The requested range must be within the last 30 days.",
            Some(30),
        ),
        ("The requested range must be within the last 730 days.", Some(730)),
        ("The requested range must be within the last few days.", None),
        ("The requested range must be within the last 2 years.", None),
        ("The requested range must be within the last 99999999999 days.", None),
        ("The requested range must be within the last", None),
    ] {
        let refusal = refused(422, &envelope("Unprocessable Entity", words));
        assert!(matches!(refusal, Refusal::TooOld { reach_days, .. } if reach_days == days), "{refusal:?}");
    }
}

#[rstest]
#[case(404, "<html>not here</html>", "Unusable")]
#[case(403, "<html>blocked</html>", "Denied")]
#[case(429, "Edge: Too Many Requests", "Limited")]
#[case(502, "<html>bad gateway</html>", "Unavailable")]
#[case(200, "<html>Will be right back</html>", "Unavailable")]
#[case(200, "<!DOCTYPE html><title>Yahoo is part of the family</title>", "Denied")]
#[case(200, "Edge: something with 429", "Unusable")]
#[case(200, "", "Unusable")]
#[case(200, r#"{"chart":{"result":null,"error":null}}"#, "Unusable")]
#[case(200, r#"{"chart":{"result":[],"error":null}}"#, "Unusable")]
#[case(200, r#"{"chart":null}"#, "Unusable")]
#[case(200, r#"{"chart":{"result":[{"meta":"#, "Unusable")]
#[case(
    401,
    r#"{"finance":{"result":null,"error":{"code":"Unauthorized","description":"Invalid Crumb"}}}"#,
    "Denied"
)]
fn bodies_that_are_no_chart(#[case] status: u16, #[case] body: &str, #[case] expected: &str) {
    let refusal = format!("{:?}", refused(status, body));
    assert!(refusal.starts_with(expected), "{refusal}");
}
