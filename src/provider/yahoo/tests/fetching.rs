//! Requests against a server on loopback.

use std::sync::Mutex;

use axum::Router;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::*;
use crate::provider::http::now;
use crate::provider::limits::State;

/// What the server was asked, and what it answers chart requests with, in turn; the last stays.
struct Served {
    asked: Mutex<Vec<String>>,
    charts: Mutex<Vec<(u16, &'static str)>>,
    /// Cookies come with consent alone.
    european: bool,
}

const PAGE: &str = r#"<html><form method="post"><input type="hidden" name="csrfToken" value="t&amp;1">
    <input type="hidden" name="sessionId" value="s1"></form></html>"#;

async fn answer(Shared(served): Shared<Arc<Served>>, uri: Uri, headers: HeaderMap, body: String) -> Response {
    let cookie = headers.get("cookie").map_or("", |cookie| cookie.to_str().unwrap());
    let crumb = uri.query().is_some_and(|query| query.contains("crumb=Crumb123"));
    let line = format!("{} {cookie} {}{body}", uri.path(), if crumb { "crumb " } else { "" });
    served.asked.lock().unwrap().push(line.trim().to_owned());
    match uri.path() {
        "/" if served.european => StatusCode::NOT_FOUND.into_response(),
        "/" => (StatusCode::NOT_FOUND, [("set-cookie", "A3=a; Path=/")]).into_response(),
        "/v1/test/getcrumb" if cookie.contains("A3=a") => "Crumb123".into_response(),
        "/v1/test/getcrumb" => "<html>Too Many Requests</html>".into_response(),
        "/consent" => {
            (StatusCode::FOUND, [("location", "https://consent.yahoo.com/v2/collectConsent?sessionId=s1")])
                .into_response()
        }
        "/v2/collectConsent" => PAGE.into_response(),
        "/copyConsent" => [("set-cookie", "A3=a; Path=/")].into_response(),
        _ => {
            let mut charts = served.charts.lock().unwrap();
            let (status, body) = match charts.len() {
                1 => charts[0],
                _ => charts.remove(0),
            };
            let headers = [("retry-after", if status == 429 { "7200" } else { "" })];
            (StatusCode::from_u16(status).unwrap(), headers, body).into_response()
        }
    }
}

async fn yahoo(charts: &[(u16, &'static str)]) -> (Yahoo, Arc<Served>, tempfile::TempDir) {
    let served = Arc::new(Served {
        asked: Mutex::default(),
        charts: Mutex::new(charts.to_vec()),
        european: charts.first().is_some_and(|(_, body)| body.starts_with('<')),
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(answer).with_state(Arc::clone(&served));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let settings = HttpSettings {
        enabled: true,
        base_url: Some(format!("http://{address}").parse().unwrap()),
        ca_file: None,
        timeout: 30,
        requests_per_minute: 1_000_000,
        concurrency: 2,
        user_agent: "Mozilla/5.0".to_owned(),
    };
    let folder = tempfile::tempdir().unwrap();
    let throttle = Arc::new(Throttle::open(folder.path()).unwrap());
    let mut yahoo = Yahoo::new(&settings, throttle, Arc::new(now)).unwrap();
    yahoo.retry_pause = Duration::ZERO;
    (yahoo, served, folder)
}

fn asked(served: &Served) -> Vec<String> {
    served.asked.lock().unwrap().clone()
}

fn wanted() -> Request {
    request("AAPL", "1d", "2026-11-16", "2026-11-20")
}

const CHART: &str = "/v8/finance/chart/AAPL";

/// An answer, and status and body of each that was put aside before it.
async fn fetched(yahoo: &Yahoo) -> (Result<RawAnswer, Refusal>, Vec<(u16, String)>) {
    let kept = Mutex::default();
    let aside = |raw: &RawAnswer| {
        assert!(!raw.url.contains("crumb="), "{}", raw.url);
        let kept: &Mutex<Vec<_>> = &kept;
        kept.lock().unwrap().push((raw.status, String::from_utf8(raw.body.clone()).unwrap()));
    };
    let answer = yahoo.fetch(&wanted(), &aside).await;
    (answer, kept.into_inner().unwrap())
}

#[tokio::test]
async fn a_429_opens_the_circuit_for_everyone_and_after_a_restart() {
    let (yahoo, served, folder) = yahoo(&[(429, "Edge: Too Many Requests")]).await;
    let (refused, kept) = fetched(&yahoo).await;
    assert_eq!(kept, [(429, "Edge: Too Many Requests".to_owned())]);
    let refused = refused.unwrap_err();
    let Refusal::Limited { until, .. } = refused else {
        panic!("{refused}");
    };
    assert!(until >= now() + 7100, "Retry-After is longer than our own");
    let again = yahoo.fetch(&wanted(), &|_| {}).await.unwrap_err();
    assert!(matches!(again, Refusal::Limited { .. }), "{again}");
    assert_eq!(asked(&served), [CHART]);
    let fresh = Throttle::open(folder.path()).unwrap();
    assert_eq!(fresh.state(NAME).unwrap(), State::Limited { until });
}

#[tokio::test]
async fn a_401_gets_a_crumb_and_is_asked_again() {
    let (yahoo, served, _folder) = yahoo(&[(401, "{}"), (200, "{}")]).await;
    assert_eq!(yahoo.fetch(&wanted(), &|_| {}).await.unwrap().status, 200);
    assert_eq!(asked(&served), [CHART, "/", "/v1/test/getcrumb A3=a", &format!("{CHART} A3=a crumb")]);
    yahoo.fetch(&wanted(), &|_| {}).await.unwrap();
    assert_eq!(asked(&served).len(), 5, "the crumb is kept");
}

#[tokio::test]
async fn a_second_401_is_the_answer() {
    let (yahoo, served, _folder) = yahoo(&[(401, "{}")]).await;
    let raw = yahoo.fetch(&wanted(), &|_| {}).await.unwrap();
    assert_eq!(raw.status, 401);
    assert!(!raw.url.contains("crumb"), "{}", raw.url);
    assert!(matches!(yahoo.read(&wanted(), &raw), Err(Refusal::Denied { .. })));
    assert_eq!(asked(&served).len(), 4);
}

#[tokio::test]
async fn a_failing_server_is_tried_again_a_few_times() {
    let (yahoo, served, _folder) = yahoo(&[(502, ""), (200, "Will be right back"), (200, "{}")]).await;
    let (answer, kept) = fetched(&yahoo).await;
    assert_eq!(answer.unwrap().body, b"{}");
    assert_eq!(kept, [(502, String::new()), (200, "Will be right back".to_owned())]);
    assert_eq!(asked(&served).len(), 3);
    let (yahoo, served, _folder) = self::yahoo(&[(503, "")]).await;
    assert_eq!(yahoo.fetch(&wanted(), &|_| {}).await.unwrap().status, 503);
    assert_eq!(asked(&served).len(), 4);
    let standing = &yahoo.throttle.snapshot().unwrap()[0];
    assert_eq!((standing.failures, standing.requests_today > 0), (1, true));
}

#[tokio::test]
async fn what_will_not_change_is_asked_once() {
    for status in [400, 403, 404, 422] {
        let (yahoo, served, _folder) = yahoo(&[(status, "{}")]).await;
        assert_eq!(yahoo.fetch(&wanted(), &|_| {}).await.unwrap().status, status);
        assert_eq!(asked(&served), [CHART]);
    }
}

#[tokio::test]
async fn a_page_in_place_of_data_is_agreed_to_only_when_told_so() {
    let (yahoo, served, _folder) = yahoo(&[(200, PAGE)]).await;
    let raw = yahoo.fetch(&wanted(), &|_| {}).await.unwrap();
    let page = String::from_utf8(raw.body.clone()).unwrap();
    assert!(page.contains("csrfToken") && !page.contains("t&amp;1") && !page.contains("s1"), "{page}");
    assert!(matches!(yahoo.read(&wanted(), &raw), Err(Refusal::Denied { .. })));
    assert_eq!(asked(&served), [CHART]);
}

#[tokio::test]
async fn nobody_there_is_unavailable_and_counted() {
    let (yahoo, _served, _folder) = yahoo(&[(200, "{}")]).await;
    let mut settings = HttpSettings {
        enabled: true,
        base_url: None,
        ca_file: None,
        timeout: 5,
        requests_per_minute: 1_000_000,
        concurrency: 2,
        user_agent: "Mozilla/5.0".to_owned(),
    };
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    settings.base_url = Some(format!("http://{gone}").parse().unwrap());
    let gone = Yahoo::new(&settings, Arc::clone(&yahoo.throttle), Arc::new(now)).unwrap();
    for _ in 0..5 {
        let refused = gone.fetch(&wanted(), &|_| {}).await.unwrap_err();
        assert!(matches!(refused, Refusal::Unavailable { .. }), "{refused}");
    }
    let state = yahoo.throttle.state(NAME).unwrap();
    assert!(matches!(state, State::Broken { .. }), "{state:?}");
}

#[tokio::test]
async fn the_consent_form_is_filled_in_when_told_so() {
    let (yahoo, served, _folder) = yahoo(&[(200, "<html>"), (200, "{}")]).await;
    let yahoo = yahoo.agree_to_consent(true);
    let (answer, kept) = fetched(&yahoo).await;
    assert_eq!((answer.unwrap().body, kept), (b"{}".to_vec(), vec![(200, "<html>".to_owned())]));
    assert_eq!(asked(&served).last().unwrap(), &format!("{CHART} A3=a crumb"));
    let page: url::Url = "https://consent.yahoo.com/v2/collectConsent?sessionId=s1".parse().unwrap();
    let form = session::consent_form(&page, PAGE).unwrap();
    assert_eq!(form.action, page);
    assert!(form.body.starts_with("csrfToken=t%261&sessionId=s1&"), "{}", form.body);
    assert!(form.body.ends_with("agree=agree&agree=agree"), "{}", form.body);
    assert_eq!(session::consent_form(&page, "<html>"), None);
}

#[test]
fn a_crumb_is_never_a_page_or_an_error() {
    assert_eq!(session::crumb_of(b"Ab.cd/12345").as_deref(), Some("Ab.cd/12345"));
    for body in ["<html>x</html>", "Too Many Requests", "{\"a\":1}", ""] {
        assert_eq!(session::crumb_of(body.as_bytes()), None, "{body}");
    }
}
