//! HTTP over mutual TLS to one bank and what belongs to it: its API, its token endpoint, its key set.
//!
//! One transport is one client certificate: tokens are bound to it (RFC 8705), so token requests and API requests go through
//! the same one. Every request has a limit of time over all of it and a cap on the body; connections are kept and shared.
//!
//! Absent on purpose: redirects (a bearer token goes where it was sent and nowhere else), plain HTTP, cookies, decompression,
//! proxies from the environment. A request is never repeated once a byte of it may have been seen.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::{HeaderMap, Method, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use oyez_domain::time::Clock;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;

/// Requests leave through it. Clones share connections.
#[derive(Clone)]
pub struct Transport {
    client: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    limits: Limits,
}

/// Who is believed, and who we say we are, in PEM.
#[derive(Clone, Copy)]
pub struct Tls<'p> {
    /// The authorities whose server certificates are believed; no others are.
    pub anchors: &'p [u8],
    /// Our transport certificate (OBWAC, OBTransport) and key; none for servers that ask for none.
    pub certificate: Option<ClientCertificate<'p>>,
}

/// A client certificate and its key, in PEM. It has no `Debug`.
#[derive(Clone, Copy)]
pub struct ClientCertificate<'p> {
    /// The certificate first, then its chain.
    pub chain: &'p [u8],
    /// The key, as PKCS#8, PKCS#1 or SEC1.
    pub key: &'p [u8],
}

/// What is bounded, and by how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For one address to take the connection. The handshake counts into the total.
    pub connect: Duration,
    /// From the call to the last byte of the answer.
    pub total: Duration,
    /// The same for a poll that asks the bank to wait.
    pub long_poll: Duration,
    /// How much of a body is read.
    pub body_bytes_max: usize,
}

/// A request as it is sent. It has no `Debug`: it may carry a token or an assertion.
#[derive(Clone)]
pub struct Request {
    /// What to do.
    pub method: Method,
    /// Absolute, with `https`.
    pub url: String,
    /// All headers but `Host` and those about the body's length.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Bytes,
    /// How long the whole may take.
    pub total: Duration,
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, not longer than [`Limits::body_bytes_max`].
    pub body: Bytes,
}

/// What cannot be used for TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A text that is not PEM, or lacks what it should hold.
    #[error("the PEM cannot be read")]
    Pem(#[source] pem::Error),
    /// A certificate that cannot be an anchor.
    #[error("a certificate cannot be a trust anchor")]
    Anchor(#[source] rustls::Error),
    /// A certificate and a key that do not belong together, or cannot be used.
    #[error("the client certificate and its key cannot be used")]
    Identity(#[source] rustls::Error),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// Not an absolute `https` URL.
    #[error("`{0}` is no https URL")]
    Url(String),
    /// No connection, or no TLS on it: the bank has seen nothing of the request.
    #[error("no connection")]
    Connect(#[source] legacy::Error),
    /// The connection broke, or what came is no HTTP. The bank may have seen the request.
    #[error("no valid answer")]
    Exchange(#[source] legacy::Error),
    /// The body broke off.
    #[error("the body of the answer broke off")]
    Body(#[source] hyper::Error),
    /// The body is longer than we read.
    #[error("the body of the answer is longer than {max} bytes")]
    BodyTooLong {
        /// The limit.
        max: usize,
    },
    /// Not all of an answer in time. The bank may have seen the request.
    #[error("no answer within {limit:?}")]
    Timeout {
        /// The limit.
        limit: Duration,
    },
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: CONNECT,
            total: TOTAL,
            long_poll: LONG_POLL,
            body_bytes_max: BODY_BYTES_MAX,
        }
    }
}

impl Transport {
    /// Certificates are valid by `clock`.
    pub fn new(tls: Tls<'_>, limits: Limits, clock: Arc<dyn Clock>) -> Result<Self, TlsError> {
        let config = config(tls, clock)?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(limits.connect));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_only()
            .enable_all_versions()
            .wrap_connector(http);
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(KEPT_PER_HOST_MAX)
            .http1_max_buf_size(HEAD_BYTES_MAX as usize)
            .http2_max_header_list_size(HEAD_BYTES_MAX)
            .build(connector);
        Ok(Self { client, limits })
    }

    /// What is bounded.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Sends a request exactly as it is and reads the answer, whatever it says.
    pub async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let limit = request.total;
        timeout(limit, self.exchange(request))
            .await
            .unwrap_or(Err(TransportError::Timeout { limit }))
    }

    async fn exchange(&self, request: Request) -> Result<Response, TransportError> {
        let url = request.url;
        let uri: Option<Uri> = url.parse().ok();
        let uri = uri
            .filter(|uri| uri.scheme_str() == Some("https"))
            .ok_or(TransportError::Url(url))?;
        let mut outgoing = hyper::Request::new(Full::new(request.body));
        *outgoing.method_mut() = request.method;
        *outgoing.uri_mut() = uri;
        *outgoing.headers_mut() = request.headers;
        let answer = self.client.request(outgoing).await.map_err(|error| {
            if error.is_connect() {
                TransportError::Connect(error)
            } else {
                TransportError::Exchange(error)
            }
        })?;
        let (head, incoming) = answer.into_parts();
        Ok(Response {
            status: head.status,
            headers: head.headers,
            body: read(incoming, self.limits.body_bytes_max).await?,
        })
    }
}

async fn read(mut incoming: Incoming, max: usize) -> Result<Bytes, TransportError> {
    let too_long = TransportError::BodyTooLong { max };
    let announced = incoming.size_hint().lower();
    if usize::try_from(announced).map_or(true, |announced| announced > max) {
        return Err(too_long);
    }
    let mut bytes = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(TransportError::Body)?;
        if let Ok(data) = frame.into_data() {
            if bytes.len() + data.len() > max {
                return Err(too_long);
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes.into())
}

fn config(tls: Tls<'_>, clock: Arc<dyn Clock>) -> Result<ClientConfig, TlsError> {
    let mut anchors = RootCertStore::empty();
    for certificate in certificates(tls.anchors)? {
        anchors.add(certificate).map_err(TlsError::Anchor)?;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_details(provider, Arc::new(ByClock(clock)))
        .with_safe_default_protocol_versions()
        .expect("the suites serve TLS 1.2 and 1.3")
        .with_root_certificates(anchors);
    let Some(certificate) = tls.certificate else {
        return Ok(builder.with_no_client_auth());
    };
    let key = PrivateKeyDer::from_pem_slice(certificate.key).map_err(TlsError::Pem)?;
    builder
        .with_client_auth_cert(certificates(certificate.chain)?, key)
        .map_err(TlsError::Identity)
}

fn certificates(bundle: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bundle).collect();
    match all.map_err(TlsError::Pem)? {
        all if all.is_empty() => Err(TlsError::Pem(pem::Error::NoItemsFound)),
        all => Ok(all),
    }
}

/// Our clock, as rustls asks for one.
struct ByClock(Arc<dyn Clock>);

impl TimeProvider for ByClock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().unix_seconds()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

impl fmt::Debug for ByClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByClock")
    }
}

/// A server in the same country connects in tens of milliseconds; this is for a lost packet or two.
const CONNECT: Duration = Duration::from_secs(5);

/// The standard asks banks to answer within a second; gateways before them give up after ten to thirty.
const TOTAL: Duration = Duration::from_secs(15);

/// Longer than a bank holds a poll: 25 s in oyez, and gateways seldom allow more than a minute.
const LONG_POLL: Duration = Duration::from_secs(75);

/// A hundred SETs are about 300 KiB; a bank that hands out a thousand at once still fits.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Headers of an answer: a detached signature, a few ids. Over it something else is talking.
const HEAD_BYTES_MAX: u32 = 64 * 1024;

/// Shorter than the idle limits of common gateways, so that a kept connection is seldom found closed.
const IDLE: Duration = Duration::from_secs(50);

/// Polls, a token, a key set at the same time.
const KEPT_PER_HOST_MAX: usize = 8;
