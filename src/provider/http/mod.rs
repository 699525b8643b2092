//! HTTP as every web provider needs it: TLS with checked certificates, only the provider's own
//! hosts, redirects followed by hand, and a limit on time and size.

mod address;
mod cookies;
mod gzip;
pub mod html;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use reqwest::header::HeaderValue;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE,
    LOCATION, SET_COOKIE,
};
use reqwest::{Certificate, Client, Response, StatusCode, redirect};
use thiserror::Error;
use url::Url;

use self::address::Addresses;
use self::cookies::Cookies;
use super::{RawAnswer, Refusal};
use crate::config::HttpSettings;
use crate::config::file::{self, Accept};

/// The most bytes of a decoded body that are read: no honest answer comes near it.
pub const BODY_LIMIT: usize = 64 << 20;

/// How many redirects one request may take.
const REDIRECT_LIMIT: usize = 5;

/// How the TLS library begins to say that it does not accept a certificate.
const WRONG_CERTIFICATE: &str = "invalid peer certificate: ";

/// Why there is no client.
#[derive(Debug, Error)]
pub enum SetupError {
    /// The address is not one Vortex may speak to.
    #[error("providers.{provider}.base_url = {url}: {said}")]
    BaseUrl {
        /// The provider.
        provider: &'static str,
        /// The address.
        url: Url,
        /// What is allowed.
        said: &'static str,
    },
    /// The certificate file cannot be used.
    #[error("providers.{provider}.ca_file = {}: {said}; it must be a readable PEM file", path.display())]
    CaFile {
        /// The provider.
        provider: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        said: String,
    },
    /// The library refuses the settings, or the system has no certificates.
    #[error(
        "the HTTP client of {provider} cannot be set up: {said}; look at providers.{provider}.user_agent, and whether the package ca-certificates is installed"
    )]
    Client {
        /// The provider.
        provider: &'static str,
        /// The library's words.
        said: String,
    },
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum HttpError {
    /// No connection: worth no retry at once.
    #[error("no connection to {host}: {said}")]
    Connect {
        /// The host.
        host: String,
        /// What happened.
        said: String,
    },
    /// Whoever answers is not known to be the provider.
    #[error(
        "the certificate of {host} is not right ({said}); a private authority is trusted where providers.{provider}.ca_file names it"
    )]
    Certificate {
        /// The provider.
        provider: &'static str,
        /// The host.
        host: String,
        /// What is wrong with it.
        said: String,
    },
    /// The connection broke within the answer.
    #[error("the connection to {host} broke: {said}")]
    Broken {
        /// The host.
        host: String,
        /// What happened.
        said: String,
    },
    /// No whole answer within the time.
    #[error("no whole answer within {seconds} s (providers.{provider}.timeout)")]
    Timeout {
        /// The provider.
        provider: &'static str,
        /// The limit.
        seconds: u64,
    },
    /// The body does not end.
    #[error("the answer is larger than {} MiB", limit >> 20)]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// A redirect that is not followed, or an address that is not the provider's.
    #[error("{said}")]
    Refused {
        /// Why.
        said: String,
    },
}

impl HttpError {
    /// As a provider's refusal.
    pub fn into_refusal(self, provider: &'static str) -> Refusal {
        let said = self.to_string();
        match self {
            HttpError::TooLarge { .. } | HttpError::Refused { .. } => Refusal::Unusable { provider, said },
            _ => Refusal::Unavailable { provider, said },
        }
    }
}

/// Query parameters that may carry a secret, whoever the provider is.
const SECRET_PARAMETERS: [&str; 4] = ["crumb", "apikey", "token", "_token"];

/// One request. Its form may hold a password, so that it has no `Debug`.
#[derive(Clone)]
pub struct Call<'a> {
    /// The provider's own address; `base_url` is put in on the way out.
    pub url: Url,
    /// The Accept header.
    pub accept: &'a str,
    /// A form to POST; `None` is a GET.
    pub form: Option<String>,
    /// Further headers; those that hold a secret say so of themselves.
    pub headers: Vec<(&'static str, HeaderValue)>,
}

/// An answer and where it came from in the end.
#[derive(Clone, Debug)]
pub struct Reply {
    /// As it goes to the raw trail.
    pub raw: RawAnswer,
    /// The provider's own address that answered, after redirects.
    pub last: Url,
}

impl RawAnswer {
    /// As it may be kept: of a page for people without tokens, scripts and what stands in fields.
    pub fn without_secrets(mut self) -> RawAnswer {
        if html::is_page(&self.body) {
            self.body = html::without_secrets(&String::from_utf8_lossy(&self.body)).into_bytes();
            // As it came it has them still.
            self.gzip = None;
        }
        self
    }
}

/// The client of one provider. Keeps the cookies it is given, in memory only.
#[derive(Debug)]
pub struct Http {
    provider: &'static str,
    client: Client,
    addresses: Addresses,
    cookies: Cookies,
    timeout: Duration,
    body_limit: usize,
}

impl Http {
    /// The host and port where the provider is asked; `None` where that is this machine.
    pub fn endpoint(&self) -> Option<(String, u16)> {
        self.addresses.endpoint()
    }

    /// A client for `provider` that speaks to `hosts` alone; one that begins with a dot stands for
    /// all hosts below it.
    pub fn new(
        provider: &'static str,
        hosts: &'static [&'static str],
        settings: &HttpSettings,
    ) -> Result<Http, SetupError> {
        let addresses = Addresses::new(provider, hosts, settings.base_url.clone())?;
        Ok(Http {
            provider,
            client: client(provider, settings, &addresses)?,
            addresses,
            cookies: Cookies::default(),
            timeout: Duration::from_secs(u64::from(settings.timeout)),
            body_limit: BODY_LIMIT,
        })
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.value(name)
    }

    /// Forgets all cookies and keeps these, given as name and value, in their place.
    pub fn replace_cookies<'a>(&self, cookies: impl IntoIterator<Item = (&'a str, &'a str)>) {
        self.cookies.clear();
        for (name, value) in cookies {
            self.cookies.keep(&format!("{name}={value}"));
        }
    }

    /// Sends a request, follows its redirects and reads the whole answer, of whatever status.
    pub async fn send(&self, call: Call<'_>) -> Result<Reply, HttpError> {
        tokio::time::timeout(self.timeout, self.follow(call))
            .await
            .unwrap_or(Err(HttpError::Timeout { provider: self.provider, seconds: self.timeout.as_secs() }))
    }

    async fn follow(&self, mut call: Call<'_>) -> Result<Reply, HttpError> {
        let asked = without_secrets(self.addresses.outgoing(&call.url)?);
        for _ in 0..=REDIRECT_LIMIT {
            let response = self.exchange(&call).await?;
            let Some(next) = redirection(&call.url, &response)? else {
                let raw = self.receive(asked, response).await?;
                let last = call.url;
                return Ok(Reply { raw, last });
            };
            if response.status() != StatusCode::TEMPORARY_REDIRECT
                && response.status() != StatusCode::PERMANENT_REDIRECT
            {
                call.form = None;
            }
            call.url = self.addresses.redirected(&call.url, next)?;
        }
        Err(HttpError::Refused { said: format!("more than {REDIRECT_LIMIT} redirects, from {asked}") })
    }

    /// One request and the head of its answer.
    async fn exchange(&self, call: &Call<'_>) -> Result<Response, HttpError> {
        let url = self.addresses.outgoing(&call.url)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let mut request = match &call.form {
            Some(form) => self
                .client
                .post(url)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.clone()),
            None => self.client.get(url),
        };
        request = request.header(ACCEPT, call.accept).header(ACCEPT_LANGUAGE, "en-US,en;q=0.9");
        request = request.header(ACCEPT_ENCODING, gzip::ACCEPTED);
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        if let Some(cookies) = self.cookies.header() {
            request = request.header(COOKIE, cookies);
        }
        super::note_sent();
        let response = request.send().await.map_err(|error| {
            let said = causes(&error);
            match said.split_once(WRONG_CERTIFICATE) {
                Some((_, wrong)) => {
                    HttpError::Certificate { provider: self.provider, host, said: wrong.to_owned() }
                }
                None if error.is_connect() => HttpError::Connect { host, said },
                None => HttpError::Broken { host, said },
            }
        })?;
        for cookie in response.headers().get_all(SET_COOKIE) {
            self.cookies.keep(&String::from_utf8_lossy(cookie.as_bytes()));
        }
        Ok(response)
    }

    /// The whole answer. The body is counted as it comes, and again as it is unpacked, so that one without
    /// end stops at the limit.
    async fn receive(&self, asked: Url, mut response: Response) -> Result<RawAnswer, HttpError> {
        let packed = gzip::is_packed(response.headers());
        // Those of a packed body tell nothing of the one that is handed on.
        let of_packed = |name| packed && [CONTENT_ENCODING, CONTENT_LENGTH].contains(name);
        let headers = response
            .headers()
            .iter()
            .filter(|(name, _)| **name != SET_COOKIE && !of_packed(name))
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect();
        let broken = |said| HttpError::Broken { host: asked.host_str().unwrap_or_default().to_owned(), said };
        let too_large = || HttpError::TooLarge { limit: self.body_limit };
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| broken(causes(&error)))? {
            if body.len() + chunk.len() > self.body_limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        let mut gzip = None;
        if packed {
            let unpacked = gzip::unpack(&body, self.body_limit).map_err(|error| broken(error.to_string()))?;
            gzip = Some(std::mem::replace(&mut body, unpacked.ok_or_else(too_large)?));
        }
        Ok(RawAnswer {
            url: asked.into(),
            status: response.status().as_u16(),
            headers,
            received: now(),
            body,
            gzip,
        })
    }
}

/// This machine's clock, in seconds since the epoch.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

fn client(
    provider: &'static str,
    settings: &HttpSettings,
    addresses: &Addresses,
) -> Result<Client, SetupError> {
    // A second installation fails and changes nothing, which is what is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(settings.user_agent.as_str())
        .redirect(redirect::Policy::none())
        .https_only(!addresses.plain());
    if addresses.plain() {
        // Loopback without TLS needs neither a proxy nor the system's certificates.
        builder = builder.no_proxy().tls_certs_only([]);
    }
    if let Some(path) = &settings.ca_file {
        let wrong = |said: String| SetupError::CaFile { provider, path: path.clone(), said };
        let pem = file::read(path, Accept::File).map_err(|error| wrong(error.to_string()))?;
        let pem = pem.ok_or_else(|| wrong("there is no such file".to_owned()))?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(causes(&error)))?;
        if certificates.is_empty() {
            return Err(wrong("no certificate in it".to_owned()));
        }
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|error| SetupError::Client { provider, said: causes(&error) })
}

/// Where a redirect leads; `None` for any other answer.
fn redirection(from: &Url, response: &Response) -> Result<Option<Url>, HttpError> {
    use StatusCode as Is;
    let follows =
        [Is::MOVED_PERMANENTLY, Is::FOUND, Is::SEE_OTHER, Is::TEMPORARY_REDIRECT, Is::PERMANENT_REDIRECT];
    let location = response.headers().get(LOCATION);
    let Some(location) = location.filter(|_| follows.contains(&response.status())) else {
        return Ok(None);
    };
    let location = String::from_utf8_lossy(location.as_bytes());
    from.join(&location).map(Some).map_err(|error| HttpError::Refused {
        said: format!("a redirect to {location:?}, which is no address: {error}"),
    })
}

/// The address without parameters that may be secrets.
pub fn without_secrets(mut url: Url) -> Url {
    let secret = |name: &str| SECRET_PARAMETERS.contains(&name.to_lowercase().as_str());
    if url.query_pairs().any(|(name, _)| secret(&name)) {
        let kept: Vec<(String, String)> =
            url.query_pairs().into_owned().filter(|(name, _)| !secret(name)).collect();
        url.query_pairs_mut().clear().extend_pairs(kept);
    }
    url
}

/// An error with its causes but without the address, which may hold a secret.
fn causes(error: &dyn std::error::Error) -> String {
    let mut said = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        said.push(error.to_string());
        cause = error.source();
    }
    match said.is_empty() {
        true => error.to_string(),
        false => said.join(": "),
    }
}
