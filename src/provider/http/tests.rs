use std::io::Write;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::Query;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect};
use axum::routing::{get, post};

use super::*;

const HOSTS: &[&str] = &["data.example.com", ".consent.example.com"];

fn settings(base: Option<&str>) -> HttpSettings {
    HttpSettings {
        enabled: true,
        base_url: base.map(|base| base.parse().unwrap()),
        ca_file: None,
        timeout: 30,
        requests_per_minute: 60,
        concurrency: 2,
        user_agent: "Mozilla/5.0 (test)".to_owned(),
    }
}

async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn http(address: SocketAddr) -> Http {
    Http::new("example", HOSTS, &settings(Some(&format!("http://{address}")))).unwrap()
}

fn call(url: &str) -> Call<'static> {
    Call { url: url.parse().unwrap(), accept: "*/*", form: None, headers: Vec::new() }
}

#[tokio::test]
async fn an_answer_comes_with_its_headers_but_no_secret() {
    let router = Router::new().route(
        "/a",
        get(|headers: HeaderMap| async move {
            let agent = headers["user-agent"].to_str().unwrap().to_owned();
            let cookie = headers.contains_key("cookie");
            ([("X-Thing", "1"), ("set-cookie", "A3=secret; Path=/")], format!("{agent} {cookie}"))
        }),
    );
    let http = http(serve(router).await);
    let first = http.send(call("https://data.example.com/a?x=1&crumb=secret")).await.unwrap();
    assert_eq!(first.raw.body, b"Mozilla/5.0 (test) false");
    assert_eq!(first.raw.header("x-thing"), Some("1"));
    assert_eq!(first.raw.header("set-cookie"), None);
    assert!(first.raw.url.ends_with("/a?x=1"), "{}", first.raw.url);
    let second = http.send(call("https://data.example.com/a")).await.unwrap();
    assert_eq!(second.raw.body, b"Mozilla/5.0 (test) true");
    assert!(!format!("{http:?}").contains("secret"));
}

#[tokio::test]
async fn a_body_stops_at_the_limit_also_when_it_unpacks_to_it() {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(&vec![b'0'; 3 << 20]).unwrap();
    let bomb = packer.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    let router = Router::new()
        .route("/plain", get(|| async { vec![b'0'; (1 << 20) + 1] }))
        .route("/fits", get(|| async { vec![b'0'; 1 << 20] }))
        .route("/bomb", get(move || async move { ([("content-encoding", "gzip")], bomb.clone()) }));
    let mut http = http(serve(router).await);
    http.body_limit = 1 << 20;
    for path in ["plain", "bomb"] {
        let error = http.send(call(&format!("https://data.example.com/{path}"))).await;
        assert!(matches!(error, Err(HttpError::TooLarge { .. })), "{path} {error:?}");
    }
    assert!(http.send(call("https://data.example.com/fits")).await.is_ok());
}

#[tokio::test]
async fn a_packed_body_is_unpacked_and_handed_on_as_it_came() {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(b"the answer").unwrap();
    let packed = packer.finish().unwrap();
    let serve_packed =
        |body: Vec<u8>| get(move || async move { ([("content-encoding", "GZIP")], body.clone()) });
    // A size at its end that is a lie is found out.
    let lie = [&packed[..packed.len() - 1], &[0x7f]].concat();
    let router = Router::new()
        .route(
            "/plain",
            get(|headers: HeaderMap| async move { headers["accept-encoding"].to_str().unwrap().to_owned() }),
        )
        .route("/packed", serve_packed(packed.clone()))
        .route("/empty", serve_packed(Vec::new()))
        .route("/cut", serve_packed(packed[..packed.len() - 9].to_vec()))
        .route("/lie", serve_packed(lie));
    let http = http(serve(router).await);
    let ask = async |path: &str| http.send(call(&format!("https://data.example.com/{path}"))).await;
    let plain = ask("plain").await.unwrap().raw;
    assert_eq!((&*plain.body, plain.gzip), (&b"gzip"[..], None));
    let raw = ask("packed").await.unwrap().raw;
    assert_eq!((&*raw.body, raw.gzip.as_deref()), (&b"the answer"[..], Some(&*packed)));
    assert!(raw.header("content-encoding").is_none() && raw.header("content-length").is_none());
    assert!(ask("empty").await.unwrap().raw.body.is_empty());
    for path in ["cut", "lie"] {
        assert!(matches!(ask(path).await, Err(HttpError::Broken { .. })), "{path}");
    }
}

#[tokio::test]
async fn redirects_stay_with_the_provider() {
    let to = |place: &'static str| get(move || async move { Redirect::temporary(place) });
    let router = Router::new()
        .route("/within", to("https://eu.consent.example.com/form?x=1"))
        .route("/form", get(|| async { "the form" }))
        .route("/away", to("https://evil.example.net/secret-path"))
        .route("/lookalike", to("https://evilconsent.example.com/"))
        .route("/plain", to("http://data.example.com/"))
        .route("/round", to("/round"));
    let address = serve(router).await;
    let http = http(address);
    let plain = format!("a redirect from http://{address} to http://data.example.com, which is not followed");
    let reply = http.send(call("https://data.example.com/within")).await.unwrap();
    assert_eq!(reply.raw.body, b"the form");
    assert_eq!(reply.last.host_str(), Some("eu.consent.example.com"));
    for (path, said) in [
        ("away", "https://evil.example.net leads away"),
        ("lookalike", "leads away"),
        ("plain", plain.as_str()),
        ("round", "more than 5 redirects"),
    ] {
        let error = http.send(call(&format!("https://data.example.com/{path}"))).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(said) && !error.contains("secret-path"), "{error}");
    }
}

#[tokio::test]
async fn a_form_is_posted_and_its_redirect_is_a_get() {
    let router = Router::new()
        .route(
            "/form",
            post(|body: String| async move {
                (StatusCode::FOUND, [("location", format!("/done?{body}"))]).into_response()
            }),
        )
        .route(
            "/done",
            get(|Query(query): Query<Vec<(String, String)>>| async move { format!("{query:?}") }),
        );
    let http = http(serve(router).await);
    let form = Some("a=1&a=2".to_owned());
    let posted = Call { form, ..call("https://data.example.com/form") };
    let reply = http.send(posted).await.unwrap();
    assert_eq!(reply.raw.body, br#"[("a", "1"), ("a", "2")]"#);
}

#[tokio::test]
async fn nobody_there_is_no_connection_and_a_cut_answer_is_broken() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.unwrap();
        drop(listener);
        assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{").await.unwrap();
    });
    let http = http(address);
    let error = http.send(call("https://data.example.com/")).await;
    assert!(matches!(error, Err(HttpError::Broken { .. })), "{error:?}");
    let error = http.send(call("https://data.example.com/")).await;
    assert!(matches!(error, Err(HttpError::Connect { .. })), "{error:?}");
}

#[tokio::test]
async fn hosts_of_others_are_not_asked() {
    let http = Http::new("example", HOSTS, &settings(None)).unwrap();
    for url in ["https://evil.example.net/", "http://data.example.com/", "https://data.example.com:8443/"] {
        let error = http.send(call(url)).await;
        assert!(matches!(error, Err(HttpError::Refused { .. })), "{url} {error:?}");
    }
}

#[test]
fn only_loopback_may_do_without_tls() {
    for base in
        ["http://127.0.0.1:8080", "http://[::1]:1", "http://localhost:1", "https://gateway.example.com"]
    {
        assert!(Http::new("example", HOSTS, &settings(Some(base))).is_ok(), "{base}");
    }
    for base in ["http://10.0.0.1:8080", "http://localhost.example.com", "ftp://127.0.0.1"] {
        let error = Http::new("example", HOSTS, &settings(Some(base))).unwrap_err().to_string();
        assert!(error.contains("providers.example.base_url"), "{error}");
    }
}

#[test]
fn a_certificate_file_that_is_none_is_named() {
    let mut settings = settings(None);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    for content in [None, Some("no certificate here")] {
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        settings.ca_file = Some(path.clone());
        let error = Http::new("example", HOSTS, &settings).unwrap_err().to_string();
        assert!(error.contains("providers.example.ca_file") && error.contains("ca.pem"), "{error}");
    }
}
