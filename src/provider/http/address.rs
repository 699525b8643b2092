//! Which addresses a provider may be spoken to at, and how `base_url` stands for them.

use std::net::IpAddr;

use url::{Host, Url};

use super::{HttpError, SetupError};

/// The hosts of one provider and what stands for them.
#[derive(Debug)]
pub(super) struct Addresses {
    provider: &'static str,
    hosts: &'static [&'static str],
    base: Option<Url>,
}

impl Addresses {
    pub(super) fn new(
        provider: &'static str,
        hosts: &'static [&'static str],
        base: Option<Url>,
    ) -> Result<Addresses, SetupError> {
        if let Some(url) = &base {
            let said = match url.scheme() {
                "https" => None,
                "http" if is_loopback(url) => None,
                "http" => Some(
                    "plain http is allowed only to this machine (127.0.0.1, ::1, localhost); write https",
                ),
                _ => Some("write an address that begins with https://"),
            };
            if let Some(said) = said {
                let url = url.clone();
                return Err(SetupError::BaseUrl { provider, url, said });
            }
        }
        Ok(Addresses { provider, hosts, base })
    }

    /// Whether all goes to loopback without TLS.
    pub(super) fn plain(&self) -> bool {
        self.base.as_ref().is_some_and(|url| url.scheme() == "http")
    }

    /// The host and port where the provider is asked; `None` where that is this machine.
    pub(super) fn endpoint(&self) -> Option<(String, u16)> {
        let Some(base) = &self.base else { return self.hosts.first().map(|host| ((*host).to_owned(), 443)) };
        let host = match base.host()? {
            Host::Domain(name) => name.to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        (!is_loopback(base)).then(|| (host, base.port_or_known_default().unwrap_or(443)))
    }

    /// The address to connect to for one of the provider's own.
    pub(super) fn outgoing(&self, url: &Url) -> Result<Url, HttpError> {
        self.check(url)?;
        let mut out = url.clone();
        if let Some(base) = &self.base {
            // `set_scheme`, `set_host` and `set_port` cannot fail between two http(s) addresses.
            let _ = out.set_scheme(base.scheme());
            let _ = out.set_host(base.host_str());
            let _ = out.set_port(base.port());
        }
        Ok(out)
    }

    /// The address a redirect leads to, if it may be followed.
    pub(super) fn redirected(&self, from: &Url, to: Url) -> Result<Url, HttpError> {
        if from.scheme() == "https" && to.scheme() != "https" && !self.is_base(&to) {
            // What was really asked is the `base_url`, where there is one.
            let asked = shown(&self.outgoing(from)?);
            return Err(HttpError::Refused {
                said: format!(
                    "a redirect from {asked} to {}, which is not followed: {} is asked over https or at its base_url alone",
                    shown(&to),
                    self.provider
                ),
            });
        }
        self.check(&to).map(|()| to)
    }

    fn check(&self, url: &Url) -> Result<(), HttpError> {
        let host = url.host_str().unwrap_or_default();
        let known = self.hosts.iter().any(|allowed| match allowed.strip_prefix('.') {
            Some(parent) => host.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.')),
            None => host == *allowed,
        });
        let own = known && url.scheme() == "https" && url.port().is_none();
        if own || self.is_base(url) {
            return Ok(());
        }
        Err(HttpError::Refused {
            said: format!(
                "{} leads away from the hosts of {}, which is not followed",
                shown(url),
                self.provider
            ),
        })
    }

    fn is_base(&self, url: &Url) -> bool {
        self.base.as_ref().is_some_and(|base| {
            base.scheme() == url.scheme()
                && base.host_str() == url.host_str()
                && base.port_or_known_default() == url.port_or_known_default()
        })
    }
}

/// Scheme, host and port alone: path and query of a foreign address are nobody's business.
fn shown(url: &Url) -> String {
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}
