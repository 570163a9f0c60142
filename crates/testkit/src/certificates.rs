//! Authorities and what they sign.
//!
//! Certificates hold from 2000 to 2100, so that a test's clock and the machine's agree on them. Keys are P-256, but where TLS
//! 1.2 is spoken: below 1.3 we offer RSA only.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, SanType,
    date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};

use crate::keys;

/// Signs certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
#[derive(Clone)]
pub struct Certified {
    certificate: CertificateDer<'static>,
    key: Arc<KeyPair>,
}

impl Authority {
    /// With a key of its own; two of the same name do not believe each other.
    pub fn new(name: &str) -> Self {
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, p256()).unwrap())
    }

    /// For a server on this machine, under these names too.
    pub fn server(&self, names: &[&str]) -> Certified {
        self.sign(&server_params(names), p256())
    }

    /// The same with an RSA key, for TLS 1.2.
    pub fn server_rsa(&self, names: &[&str]) -> Certified {
        self.sign(&server_params(names), rsa())
    }

    /// For a server elsewhere: a client that asks for this machine is shown another's name.
    pub fn server_of_another_host(&self, host: &str) -> Certified {
        let mut params = server_params(&[]);
        params.subject_alt_names = names_of(&[host]);
        self.sign(&params, p256())
    }

    /// For a server on this machine, and over since the end of 2020.
    pub fn expired_server(&self, names: &[&str]) -> Certified {
        let mut params = server_params(names);
        params.not_after = date_time_ymd(2020, 12, 31);
        self.sign(&params, p256())
    }

    /// For a server on this machine, from 2090 on.
    pub fn future_server(&self, names: &[&str]) -> Certified {
        let mut params = server_params(names);
        params.not_before = date_time_ymd(2090, 1, 1);
        self.sign(&params, p256())
    }

    /// For a client of this name.
    pub fn client(&self, name: &str) -> Certified {
        self.sign(&client_params(name), p256())
    }

    /// The same with an RSA key, for TLS 1.2.
    pub fn client_rsa(&self, name: &str) -> Certified {
        self.sign(&client_params(name), rsa())
    }

    /// For a client, with the subject that eIDAS certificates have: that of the standard's sample (M-02).
    pub fn eidas_client(&self, organization: &str, identifier: &str, name: &str) -> Certified {
        let mut params = client_params(name);
        let mut subject = DistinguishedName::new();
        subject.push(DnType::CountryName, "GB");
        subject.push(DnType::OrganizationName, organization);
        subject.push(DnType::CustomDnType(vec![2, 5, 4, 97]), identifier);
        subject.push(DnType::CommonName, name);
        params.distinguished_name = subject;
        self.sign(&params, p256())
    }

    /// For a client, and over since the end of 2020.
    pub fn expired_client(&self, name: &str) -> Certified {
        let mut params = client_params(name);
        params.not_after = date_time_ymd(2020, 12, 31);
        self.sign(&params, p256())
    }

    /// For a client, from 2090 on.
    pub fn future_client(&self, name: &str) -> Certified {
        let mut params = client_params(name);
        params.not_before = date_time_ymd(2090, 1, 1);
        self.sign(&params, p256())
    }

    /// The certificate of the authority itself.
    pub fn der(&self) -> &CertificateDer<'static> {
        self.0.as_ref().der()
    }

    /// The same in PEM: a file of trust anchors.
    pub fn pem(&self) -> String {
        pem("CERTIFICATE", self.der())
    }

    /// What believes this authority alone.
    pub fn roots(&self) -> Arc<RootCertStore> {
        let mut store = RootCertStore::empty();
        store.add(self.der().clone()).unwrap();
        Arc::new(store)
    }

    /// A client's side of TLS that believes this authority alone and shows this certificate, if it has one.
    pub fn client_config(
        &self,
        identity: Option<&Certified>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(self.roots());
        match identity {
            Some(identity) => builder
                .with_client_auth_cert(vec![identity.der().clone()], identity.key_der())
                .unwrap(),
            None => builder.with_no_client_auth(),
        }
    }

    fn sign(&self, params: &CertificateParams, key: KeyPair) -> Certified {
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Certified {
            certificate: certificate.into(),
            key: Arc::new(key),
        }
    }
}

impl Certified {
    /// The certificate.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The certificate in PEM.
    pub fn pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    /// Its private key.
    pub fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialized_der().to_vec()).unwrap()
    }

    /// Its private key in PEM.
    pub fn key_pem(&self) -> String {
        pem("PRIVATE KEY", self.key.serialized_der())
    }

    /// `x5t#S256`: what tokens are bound to.
    pub fn thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(oyez_jose::sha256(&self.certificate))
    }

    /// A server's side of TLS that shows this certificate, and asks for one that these roots believe, if there are some.
    pub(crate) fn server_config(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        clients: Option<&Arc<RootCertStore>>,
    ) -> ServerConfig {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .unwrap();
        let verifier = |roots| {
            WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider())
                .build()
                .unwrap()
        };
        let builder = match clients {
            Some(roots) => builder.with_client_cert_verifier(verifier(roots)),
            None => builder.with_no_client_auth(),
        };
        builder
            .with_single_cert(vec![self.der().clone()], self.key_der())
            .unwrap()
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(2100, 1, 1);
    params
}

fn client_params(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn server_params(names: &[&str]) -> CertificateParams {
    let mut params = params("server");
    params.subject_alt_names = names_of(&[&["localhost", "127.0.0.1"], names].concat());
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn names_of(names: &[&str]) -> Vec<SanType> {
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    CertificateParams::new(names).unwrap().subject_alt_names
}

fn p256() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

fn rsa() -> KeyPair {
    KeyPair::from_pkcs8_der_and_sign_algo(&keys::of_tls(), &PKCS_RSA_SHA256).unwrap()
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}
