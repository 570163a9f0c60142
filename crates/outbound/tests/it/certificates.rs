//! An authority and what it signs. The year is 2030 for everybody who asks these tests.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oyez_outbound::{Anchors, Identity, TimeProvider, Tls};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_RSA_SHA256, SignatureAlgorithm, date_time_ymd,
};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;

/// Signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub(crate) struct Certified {
    pub(crate) certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = params(&[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        Self(CertifiedIssuer::self_signed(params, key(&PKCS_ECDSA_P256_SHA256)).unwrap())
    }

    pub(crate) fn certify(&self, name: &str) -> Certified {
        self.sign(&params(&[name]), &PKCS_ECDSA_P256_SHA256)
    }

    /// Below TLS 1.3 only RSA is spoken.
    pub(crate) fn certify_rsa(&self, name: &str) -> Certified {
        self.sign(&params(&[name]), &PKCS_RSA_SHA256)
    }

    pub(crate) fn certify_until_2029(&self, name: &str) -> Certified {
        let mut params = params(&[name]);
        params.not_after = date_time_ymd(2029, 12, 31);
        self.sign(&params, &PKCS_ECDSA_P256_SHA256)
    }

    fn sign(
        &self,
        params: &CertificateParams,
        algorithm: &'static SignatureAlgorithm,
    ) -> Certified {
        let key = key(algorithm);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Certified {
            certificate: certificate.der().clone(),
            key,
        }
    }

    pub(crate) fn pem(&self) -> String {
        pem("CERTIFICATE", self.0.as_ref().der())
    }

    /// A client that believes this authority alone.
    pub(crate) fn tls(&self, identity: Option<Identity>) -> Tls {
        let anchors = Anchors::from_pem(self.pem().as_bytes()).unwrap();
        Tls::new(&anchors, identity, Arc::new(In2030)).unwrap()
    }

    /// Servers ask for a certificate of this authority.
    pub(crate) fn client_verifier(&self) -> Arc<dyn rustls::server::danger::ClientCertVerifier> {
        let mut store = RootCertStore::empty();
        store.add(self.0.as_ref().der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider)
            .build()
            .unwrap()
    }
}

impl Certified {
    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialized_der().to_vec()).unwrap()
    }

    pub(crate) fn identity(&self) -> Identity {
        let certificate = pem("CERTIFICATE", &self.certificate);
        let key = pem("PRIVATE KEY", self.key.serialized_der());
        Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap()
    }
}

/// A clock that stands still.
#[derive(Debug)]
pub(crate) struct In2030;

impl TimeProvider for In2030 {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(
            1_893_456_000,
        )))
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    CertificateParams::new(names).unwrap()
}

fn key(algorithm: &'static SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).unwrap()
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}
