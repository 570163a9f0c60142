//! How our side of TLS is set up: from bytes to a configuration, with errors that say what to mend.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use oyez_domain::time::{Clock, Timestamp};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self as primitives, cipher_suite};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedCipherSuite};

use super::certificate::ClientCertificate;

/// Our certificate, and whose certificates are believed. Costly to build, shared by all connections.
pub struct Tls {
    config: Arc<ServerConfig>,
    not_after: Timestamp,
}

/// What TLS cannot be set up from. The texts fit behind the name of what was being read.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The chain's PEM.
    #[error(
        "the certificate chain cannot be read as PEM: it wants `BEGIN CERTIFICATE` blocks, the server's own first"
    )]
    Chain(#[source] pem::Error),
    /// A certificate of the chain.
    #[error("certificate {number} of the chain is no X.509 certificate: export it again")]
    Certificate {
        /// Counted from 1.
        number: usize,
    },
    /// The key's PEM.
    #[error(
        "the private key cannot be read as PEM: it wants one unencrypted PKCS#8, PKCS#1 or SEC1 block"
    )]
    Key(#[source] pem::Error),
    /// A chain and a key that do not belong together, or that nobody can use.
    #[error(
        "the certificate and the private key cannot be used together: the first certificate of the chain must be the one issued for this key"
    )]
    Pair(#[source] rustls::Error),
    /// The anchors' PEM.
    #[error(
        "the trust anchors cannot be read as PEM: they want at least one `BEGIN CERTIFICATE` block"
    )]
    Anchors(#[source] pem::Error),
    /// A certificate that cannot be an anchor.
    #[error(
        "certificate {number} of the trust anchors cannot be one: take it out or export it again"
    )]
    Anchor {
        /// Counted from 1.
        number: usize,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The anchors as a whole.
    #[error("the trust anchors cannot be used")]
    Verifier(#[source] VerifierBuilderError),
    /// The machine gives no random bytes.
    #[error("no key for session tickets can be drawn")]
    Tickets(#[source] rustls::Error),
}

impl Tls {
    /// From PEM: our chain, its key, and the authorities whose client certificates are believed. With authorities, clients are
    /// asked for a certificate; one that does not verify ends the handshake, none at all does not. Without, nobody is asked.
    pub fn from_pem(
        chain: &[u8],
        key: &[u8],
        client_anchors: Option<&[u8]>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TlsError> {
        let chain = certificates(chain).map_err(TlsError::Chain)?;
        let not_after = earliest_end(&chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(TlsError::Key)?;
        let provider = Arc::new(CryptoProvider {
            cipher_suites: SUITES.to_vec(),
            ..primitives::default_provider()
        });
        let builder = ServerConfig::builder_with_details(provider.clone(), Arc::new(Now(clock)))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("the suites serve both versions");
        let builder = match client_anchors {
            Some(bundle) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(
                    Arc::new(anchors(bundle)?),
                    provider,
                )
                .allow_unauthenticated()
                .build()
                .map_err(TlsError::Verifier)?;
                builder.with_client_cert_verifier(verifier)
            }
            None => builder.with_no_client_auth(),
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(TlsError::Pair)?;
        config.alpn_protocols = vec![HTTP_2.to_vec(), b"http/1.1".to_vec()];
        // A fresh key for tickets: what another configuration began cannot be resumed here.
        config.ticketer = primitives::Ticketer::new().map_err(TlsError::Tickets)?;
        Ok(Self {
            config: Arc::new(config),
            not_after,
        })
    }

    /// Until when all of our chain holds.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls until {}", self.not_after)
    }
}

/// Our clock, in rustls's words.
struct Now(Arc<dyn Clock>);

impl TimeProvider for Now {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().unix_seconds()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

impl fmt::Debug for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Now")
    }
}

fn certificates(bundle: &[u8]) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(bundle).collect::<Result<_, _>>()?;
    if all.is_empty() {
        return Err(pem::Error::NoItemsFound);
    }
    Ok(all)
}

fn anchors(bundle: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    let all = certificates(bundle).map_err(TlsError::Anchors)?;
    for (index, certificate) in all.into_iter().enumerate() {
        store.add(certificate).map_err(|source| TlsError::Anchor {
            number: index + 1,
            source,
        })?;
    }
    Ok(store)
}

fn earliest_end(chain: &[CertificateDer<'_>]) -> Result<Timestamp, TlsError> {
    let mut earliest = Timestamp::MAX;
    for (index, certificate) in chain.iter().enumerate() {
        let number = index + 1;
        let read = ClientCertificate::from_der(certificate)
            .map_err(|_| TlsError::Certificate { number })?;
        earliest = earliest.min(read.not_after);
    }
    Ok(earliest)
}

/// What HTTP/2 is called in the handshake.
pub(super) const HTTP_2: &[u8] = b"h2";

/// Below 1.3 only what the security profile allows: ECDHE-RSA with AES-GCM.
const SUITES: [SupportedCipherSuite; 5] = [
    cipher_suite::TLS13_AES_128_GCM_SHA256,
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
];
