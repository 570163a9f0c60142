//! Where endpoints are: addresses that are known before anybody listens, since the bank is told them first.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::HttpService;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use super::broken;
use super::site::Site;
use crate::args::BenchHttp;
use crate::failure::Failure;
use crate::open_files;

/// A port that listens.
pub(super) struct Door {
    listener: TcpListener,
    address: SocketAddr,
}

/// A port that is held and refuses whoever connects.
pub(super) struct Locked {
    _socket: TcpSocket,
    address: SocketAddr,
}

impl Door {
    pub(super) fn bind() -> Result<Self, Failure> {
        let bound = TcpListener::bind(ANY_PORT).and_then(|listener| {
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        });
        bound.map_err(|error| broken("cannot listen", &error))
    }

    /// Where it is.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A CallbackUrl below a path.
    pub(super) fn url(&self, path: &str) -> String {
        url(self.address, path)
    }

    /// Answers whoever comes over TLS, from now on and for as long as the runtime lives.
    pub(super) fn serve<S>(self, tls: TlsAcceptor, service: S) -> Result<(), Failure>
    where
        S: HttpService<Incoming, ResBody = Full<Bytes>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send,
    {
        let listener = self.open()?;
        let tracker = TaskTracker::new();
        drop(tracker.clone().spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                drop(tracker.spawn(converse(tcp, tls.clone(), service.clone())));
            }
        }));
        Ok(())
    }

    /// On the runtime that this is called on.
    pub(super) fn open(self) -> Result<tokio::net::TcpListener, Failure> {
        let opened = tokio::net::TcpListener::from_std(self.listener);
        opened.map_err(|error| broken("cannot listen", &error))
    }
}

impl Locked {
    pub(super) fn bind() -> Result<Self, Failure> {
        let bound = TcpSocket::new_v4().and_then(|socket| {
            socket.bind(SocketAddr::V4(ANY_PORT))?;
            let address = socket.local_addr()?;
            Ok(Self {
                _socket: socket,
                address,
            })
        });
        bound.map_err(|error| broken("cannot take a port", &error))
    }

    pub(super) fn url(&self) -> String {
        url(self.address, "")
    }
}

/// Lets this process have as many files open as the endpoints of so many TPPs take.
pub(super) fn have_room_for(tpps: u64) -> Result<(), Failure> {
    let limit = open_files::raise(tpps * CONNECTIONS_PER_TPP + OTHER_FILES);
    limit
        .map(drop)
        .map_err(|error| broken("no limit of open files", &error))
}

/// The server's side of TLS, with the development certificate.
pub(super) fn tls(site: &Site, http: BenchHttp) -> Result<TlsAcceptor, Failure> {
    let certificate = CertificateDer::from_pem_file(site.file("development/server.crt"));
    let certificate = certificate.map_err(|error| broken("no certificate", &error))?;
    let key = PrivateKeyDer::from_pem_file(site.file("development/server.key"));
    let key = key.map_err(|error| broken("no key of a certificate", &error))?;
    acceptor(certificate, key, http).map_err(|error| broken("cannot speak TLS", &error))
}

pub(super) fn acceptor(
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    http: BenchHttp,
) -> Result<TlsAcceptor, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![match http {
        BenchHttp::One => b"http/1.1".to_vec(),
        BenchHttp::Two => b"h2".to_vec(),
    }];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Whoever is served closes connections as it likes: that is no error here.
async fn converse<S>(tcp: TcpStream, tls: TlsAcceptor, service: S)
where
    S: HttpService<Incoming, ResBody = Full<Bytes>, Error = Infallible> + Send + 'static,
    S::Future: Send,
{
    tcp.set_nodelay(true).ok();
    let Ok(stream) = tls.accept(tcp).await else {
        return;
    };
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let stream = TokioIo::new(stream);
    if is_http2 {
        let connection = http2::Builder::new(TokioExecutor::new());
        connection.serve_connection(stream, service).await.ok();
    } else {
        let connection = http1::Builder::new();
        connection.serve_connection(stream, service).await.ok();
    }
}

fn url(address: SocketAddr, path: &str) -> String {
    format!("https://{address}{path}/v4.0/event-notifications")
}

const ANY_PORT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);

/// Files that are open here for one TPP: what is in flight at once, and some that are going.
const CONNECTIONS_PER_TPP: u64 = 16;

/// Files that are no connection of a TPP's.
const OTHER_FILES: u64 = 256;
