//! A TPP, or somebody who pretends to be one: raw HTTP/1.1 over real TLS.
//!
//! By default everything is right: the certificate, a token bound to it, the signature of what is registered. Each part can be
//! replaced or left out, and nothing checks what is sent. The library that TPPs embed is another crate; this one exists to be
//! wrong.

mod request;
mod response;
mod signing;
mod socket;

use std::net::SocketAddr;
use std::sync::{Arc, RwLock};

use oyez_domain::time::Clock as _;
use oyez_jose::{Jwks, LocalKey};
use oyez_outbound::Method;
use rustls::SupportedProtocolVersion;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::certificates::{Authority, Certified};
use crate::clock::ManualClock;
use crate::http::Connection;
use crate::keys;
use crate::tokens::{AuthorisationServer, Token};

pub use request::Request;
pub use response::Response;
pub use signing::Signing;
pub use socket::Socket;

/// The trust anchor of the directory that TPPs sign under.
pub const TRUST_ANCHOR: &str = "openbanking.org.uk";

/// Where a bank is, and who vouches for whom there.
pub struct Site {
    address: RwLock<SocketAddr>,
    /// Signs the bank's certificate and the TPPs'.
    pub authority: Authority,
    /// Issues the TPPs' tokens.
    pub authorisation_server: AuthorisationServer,
    /// What everybody takes for the time.
    pub clock: Arc<ManualClock>,
}

/// Somebody who calls a bank.
#[derive(Clone)]
pub struct Caller {
    site: Arc<Site>,
    client_id: String,
    software_id: String,
    certificate: Option<Certified>,
    key: Arc<LocalKey>,
    tls_versions: Vec<&'static SupportedProtocolVersion>,
}

impl Site {
    /// Callers will find it once its address is set.
    pub fn new(
        authority: Authority,
        authorisation_server: AuthorisationServer,
        clock: Arc<ManualClock>,
    ) -> Self {
        Self {
            address: RwLock::new(SocketAddr::from(([127, 0, 0, 1], 0))),
            authority,
            authorisation_server,
            clock,
        }
    }

    /// Where the bank listens.
    pub fn address(&self) -> SocketAddr {
        *self.address.read().unwrap()
    }

    /// It listens there from now on.
    pub fn moved_to(&self, address: SocketAddr) {
        *self.address.write().unwrap() = address;
    }
}

/// Who it is.
impl Caller {
    /// The directory's id of all TPPs here.
    pub const ORG_ID: &'static str = "0015800001041RbAAI";
    /// The name of a TPP's signing key in its set.
    pub const KID: &'static str = "tpp-signing";

    /// With a certificate of the bank's authority and a signing key of its own: the fixed keys for "tpp-1" and "tpp-2", the
    /// stranger's for everybody else.
    pub fn new(site: &Arc<Site>, client_id: &str) -> Self {
        let key = match client_id {
            "tpp-1" => &keys::TPP_1,
            "tpp-2" => &keys::TPP_2,
            _ => &keys::STRANGER,
        };
        Self {
            site: Arc::clone(site),
            client_id: client_id.to_owned(),
            software_id: format!("software-of-{client_id}"),
            certificate: Some(site.authority.client(client_id)),
            key: Arc::clone(key),
            tls_versions: rustls::ALL_VERSIONS.to_vec(),
        }
    }

    /// Showing another certificate, or none; tokens are bound to it.
    pub fn with_certificate(mut self, certificate: Option<Certified>) -> Self {
        self.certificate = certificate;
        self
    }

    /// Speaking these versions of TLS alone.
    pub fn with_tls(mut self, versions: &[&'static SupportedProtocolVersion]) -> Self {
        self.tls_versions = versions.to_vec();
        self
    }

    /// Its client_id.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Its software statement.
    pub fn software_id(&self) -> &str {
        &self.software_id
    }

    /// What it shows in the handshake.
    pub fn certificate(&self) -> Option<&Certified> {
        self.certificate.as_ref()
    }

    /// Its signing key.
    pub fn key(&self) -> &Arc<LocalKey> {
        &self.key
    }

    /// Its key set.
    pub fn jwks(&self) -> Jwks {
        keys::published(Self::KID, &self.key)
    }

    /// A token of its own, bound to its certificate, to be made wrong.
    pub fn token(&self) -> Token {
        let thumbprint = self.certificate.as_ref().map(Certified::thumbprint);
        let now = self.site.clock.now();
        self.site
            .authorisation_server
            .token(&self.client_id, thumbprint.as_deref(), now)
    }

    /// A signature of its own, to be made wrong.
    pub fn signing(&self) -> Signing {
        let issuer = format!("{}/{}", Self::ORG_ID, self.software_id);
        Signing::new(&self.key, Self::KID, &issuer, self.site.clock.now())
    }
}

/// What it says.
impl Caller {
    /// A request with a good token; signed if it writes anything but polls (M-01).
    pub fn request(&self, method: Method, path: &str) -> Request {
        Request::new(self.clone(), method, path)
    }

    /// Reads.
    pub fn get(&self, path: &str) -> Request {
        self.request(Method::GET, path)
    }

    /// Creates, or polls.
    pub fn post(&self, path: &str) -> Request {
        self.request(Method::POST, path)
    }

    /// Replaces.
    pub fn put(&self, path: &str) -> Request {
        self.request(Method::PUT, path)
    }

    /// Removes.
    pub fn delete(&self, path: &str) -> Request {
        self.request(Method::DELETE, path)
    }

    /// A handshake and nothing said: for what is no HTTP.
    pub async fn dial(&self) -> std::io::Result<Socket> {
        self.connect().await.map(Socket::new)
    }

    /// One connection for several requests, one after the other.
    pub async fn keep_alive(&self) -> std::io::Result<Connection> {
        Connection::over(self.connect().await?).await
    }

    async fn connect(&self) -> std::io::Result<TlsStream<TcpStream>> {
        let authority = &self.site.authority;
        let config = authority.client_config(self.certificate.as_ref(), &self.tls_versions);
        let tcp = TcpStream::connect(self.site.address()).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(name, tcp)
            .await
    }
}
