//! How connections come in: plain or by TLS, and with a hand on each, so that an answer can end as no server
//! should end it.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use clap::ValueEnum;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

/// A certificate of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Certificate {
    /// For localhost, by an authority whose certificate `ca_file` can name.
    Valid,
    /// The same, but it ended yesterday.
    Expired,
    /// The same, but for another host.
    WrongHost,
    /// Signed by itself.
    SelfSigned,
}

/// What a TLS server needs, and the authority to trust, as PEM.
pub(crate) struct Identity {
    acceptor: TlsAcceptor,
    pub(crate) authority: String,
}

impl Identity {
    /// Makes keys and certificates.
    pub(crate) fn new(kind: Certificate) -> Identity {
        let mut root = CertificateParams::new(Vec::new()).unwrap();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.distinguished_name.push(rcgen::DnType::CommonName, "Vortex test authority");
        let root_key = KeyPair::generate().unwrap();
        let authority = root.self_signed(&root_key).unwrap().pem();
        let host = if kind == Certificate::WrongHost { "elsewhere.example" } else { "localhost" };
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        if kind == Certificate::Expired {
            params.not_after = rcgen::date_time_ymd(2020, 1, 2);
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = match kind {
            Certificate::SelfSigned => params.self_signed(&key),
            _ => params.signed_by(&key, &Issuer::new(root, root_key)),
        };
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.unwrap().der().clone()], private)
            .unwrap();
        Identity { acceptor: TlsAcceptor::from(Arc::new(config)), authority }
    }
}

/// Listens, and keeps a hand on each connection.
pub(super) struct Door {
    listener: tokio::net::TcpListener,
    tls: Option<TlsAcceptor>,
    hands: Arc<Hands>,
}

/// The sockets of the connections, by their other end.
#[derive(Default)]
pub(super) struct Hands(Mutex<HashMap<SocketAddr, TcpStream>>);

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Door {
    pub(super) fn new(listener: tokio::net::TcpListener, tls: Option<&Identity>, hands: Arc<Hands>) -> Door {
        Door { listener, tls: tls.map(|identity| identity.acceptor.clone()), hands }
    }

    async fn next(&mut self) -> io::Result<(Box<dyn Stream>, SocketAddr)> {
        let (stream, peer) = self.listener.accept().await?;
        let stream = stream.into_std()?;
        self.hands.0.lock().unwrap().insert(peer, stream.try_clone()?);
        let stream = tokio::net::TcpStream::from_std(stream)?;
        match &self.tls {
            None => Ok((Box::new(stream), peer)),
            Some(tls) => Ok((Box::new(tls.accept(stream).await?), peer)),
        }
    }
}

impl Listener for Door {
    type Io = Pin<Box<dyn Stream>>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            // A client that does not like the certificate goes away in the middle of the greeting.
            if let Ok((stream, peer)) = self.next().await {
                return (Pin::new(stream), peer);
            }
            tokio::task::yield_now().await;
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, Door>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Peer {
        Peer(*stream.remote_addr())
    }
}

impl Hands {
    /// The connection ends where the answer does.
    pub(super) fn let_go(&self, peer: Peer) {
        self.0.lock().unwrap().remove(&peer.0);
    }

    /// The connection ends without a word.
    pub(super) fn hang_up(&self, peer: Peer) {
        if let Some(stream) = self.0.lock().unwrap().remove(&peer.0) {
            // It may be gone already.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }

    /// What is not read yet is thrown away, and the other end is told so, as soon as this end is closed.
    pub(super) fn reset_when_closed(&self, peer: Peer) {
        if let Some(stream) = self.0.lock().unwrap().remove(&peer.0) {
            socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        }
    }
}
