//! An authority and what it signs. The year is 2030 for the listener under test.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oyez_domain::time::{Clock, Timestamp};
use oyez_web::listener::{ClientCertificate, Tls};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, SignatureAlgorithm, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub(crate) struct Certified {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) pem: String,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = params("an authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        Self(CertifiedIssuer::self_signed(params, key(&PKCS_ECDSA_P256_SHA256)).unwrap())
    }

    pub(crate) fn certify(&self, name: &str) -> Certified {
        self.sign(&params(name), &PKCS_ECDSA_P256_SHA256)
    }

    pub(crate) fn certify_rsa(&self, name: &str) -> Certified {
        self.sign(&params(name), &PKCS_RSA_SHA256)
    }

    pub(crate) fn certify_until_2029(&self, name: &str) -> Certified {
        let mut params = params(name);
        params.not_after = date_time_ymd(2029, 12, 31);
        self.sign(&params, &PKCS_ECDSA_P256_SHA256)
    }

    pub(crate) fn pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate())
    }

    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.0.as_ref().der().clone()
    }

    /// A listener's side: this certificate, and clients of this authority.
    pub(crate) fn tls(&self, server: &Certified) -> Arc<Tls> {
        let anchors = self.pem();
        let key = server.key_pem();
        let tls = Tls::from_pem(
            server.pem.as_bytes(),
            key.as_bytes(),
            Some(anchors.as_bytes()),
            Arc::new(In2030),
        );
        Arc::new(tls.unwrap())
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
            pem: pem("CERTIFICATE", certificate.der()),
            key,
        }
    }
}

impl Certified {
    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }

    pub(crate) fn key_pem(&self) -> String {
        pem("PRIVATE KEY", &self.key.serialize_der())
    }

    pub(crate) fn thumbprint(&self) -> String {
        ClientCertificate::from_der(&self.certificate)
            .unwrap()
            .thumbprint
    }
}

pub(crate) struct In2030;

impl Clock for In2030 {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(1_893_456_000)
    }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn key(algorithm: &'static SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).unwrap()
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let (lines, last) = base64.as_bytes().as_chunks::<64>();
    let lines: String = lines
        .iter()
        .map(<[u8; 64]>::as_slice)
        .chain([last])
        .filter(|line| !line.is_empty())
        .map(|line| format!("{}\n", str::from_utf8(line).unwrap()))
        .collect();
    format!("-----BEGIN {label}-----\n{lines}-----END {label}-----\n")
}
