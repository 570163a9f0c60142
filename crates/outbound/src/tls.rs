//! Who is believed, and who we say we are (D-13).

use std::sync::Arc;
use std::{fmt, io};

use aws_lc_rs::digest::{SHA256, digest};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self as primitives, cipher_suite};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::time_provider::TimeProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedCipherSuite};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The authorities whose certificates are believed.
#[derive(Debug, Clone)]
pub struct Anchors(Arc<RootCertStore>);

/// A client certificate with its chain and key. It has no `Debug`.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// How connections are secured: costly to build, cheap to clone. Its clones share the sessions that can be resumed.
#[derive(Clone)]
pub struct Tls(Arc<ClientConfig>);

/// What cannot be used for TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that is not PEM, or lacks what it should hold.
    #[error("the PEM cannot be read")]
    Pem(#[source] pem::Error),
    /// A certificate that cannot be an anchor.
    #[error("certificate {number} cannot be a trust anchor")]
    Anchor {
        /// Counted from 1.
        number: usize,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// Nobody would be believed.
    #[error("there is no trust anchor")]
    NoAnchors,
    /// The system keeps its anchors where they cannot be read.
    #[error("the system's trust anchors cannot be read")]
    System(#[source] rustls_native_certs::Error),
    /// A certificate and a key that do not belong together, or cannot be used.
    #[error("the client certificate and its key cannot be used")]
    Identity(#[source] rustls::Error),
}

impl Anchors {
    /// Those of a PEM bundle; each must be usable.
    pub fn from_pem(bundle: &[u8]) -> Result<Self, TlsError> {
        let mut store = RootCertStore::empty();
        for (index, certificate) in certificates(bundle)?.into_iter().enumerate() {
            store.add(certificate).map_err(|source| TlsError::Anchor {
                number: index + 1,
                source,
            })?;
        }
        Self::of(store)
    }

    /// Those of the operating system, where OpenSSL would look for them: `SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured. What
    /// is unusable among them is left out, for nobody here can mend it.
    pub fn from_system() -> Result<Self, TlsError> {
        let mut found = rustls_native_certs::load_native_certs();
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(found.certs);
        match found.errors.pop() {
            Some(error) if store.is_empty() => Err(TlsError::System(error)),
            _ => Self::of(store),
        }
    }

    fn of(store: RootCertStore) -> Result<Self, TlsError> {
        if store.is_empty() {
            return Err(TlsError::NoAnchors);
        }
        Ok(Self(Arc::new(store)))
    }
}

impl Identity {
    /// The certificate first, then its chain; the key as PKCS#8, PKCS#1 or SEC1.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        Ok(Self {
            chain: certificates(chain)?,
            key: PrivateKeyDer::from_pem_slice(key).map_err(TlsError::Pem)?,
        })
    }
}

impl Tls {
    /// Certificates are valid by this clock.
    pub fn new(
        anchors: &Anchors,
        identity: Option<Identity>,
        clock: Arc<dyn TimeProvider>,
    ) -> Result<Self, TlsError> {
        let provider = CryptoProvider {
            cipher_suites: SUITES.to_vec(),
            ..primitives::default_provider()
        };
        let builder = ClientConfig::builder_with_details(Arc::new(provider), clock)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("the suites serve both versions")
            .with_root_certificates(Arc::clone(&anchors.0));
        let mut config = match identity {
            Some(Identity { chain, key }) => builder
                .with_client_auth_cert(chain, key)
                .map_err(TlsError::Identity)?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![HTTP_2.to_vec(), b"http/1.1".to_vec()];
        config.resumption = Resumption::in_memory_sessions(HOSTS_MAX * TICKETS_PER_HOST);
        Ok(Self(Arc::new(config)))
    }

    /// The same identity and clock for peers with anchors of their own. Nothing else is shared, sessions neither.
    pub fn believing(&self, anchors: &Anchors) -> Result<Self, TlsError> {
        let provider = Arc::clone(self.0.crypto_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&anchors.0), provider)
                .build()
                .map_err(|_| TlsError::NoAnchors)?;
        let mut config = ClientConfig::clone(&self.0);
        // What is dangerous is to verify in a way of one's own; this is the way of `new`.
        config.dangerous().set_certificate_verifier(verifier);
        config.resumption = Resumption::in_memory_sessions(TICKETS_PER_HOST);
        Ok(Self(Arc::new(config)))
    }

    /// Speaks TLS on a connection that is open already, for a protocol that is not HTTP: it offers none by name.
    pub async fn secure<IO>(&self, host: &str, io: IO) -> io::Result<TlsStream<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let mut config = ClientConfig::clone(&self.0);
        config.alpn_protocols.clear();
        TlsConnector::from(Arc::new(config)).connect(name, io).await
    }

    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }
}

/// Whether one is a clone of the other.
impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

/// As records have it: `TLSv1.3`.
pub(crate) fn version_name(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::TLSv1_3 => "TLSv1.3",
        ProtocolVersion::TLSv1_2 => "TLSv1.2",
        _ => "unknown",
    }
}

/// SHA-256 in hex.
pub(crate) fn thumbprint(certificate: &CertificateDer<'_>) -> String {
    let digest = digest(&SHA256, certificate);
    let digits = digest
        .as_ref()
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

fn certificates(bundle: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bundle).collect();
    match all.map_err(TlsError::Pem)? {
        all if all.is_empty() => Err(TlsError::Pem(pem::Error::NoItemsFound)),
        all => Ok(all),
    }
}

/// What HTTP/2 is called in the handshake.
pub(crate) const HTTP_2: &[u8] = b"h2";

/// Below 1.3 only what the security profile allows: ECDHE-RSA with AES-GCM.
const SUITES: [SupportedCipherSuite; 5] = [
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
];

/// Hosts whose sessions are kept for resumption: more than a deployment has TPPs.
const HOSTS_MAX: usize = 1_024;
/// By so many of what it is told rustls divides, for so many tickets of a host are kept.
const TICKETS_PER_HOST: usize = 8;
