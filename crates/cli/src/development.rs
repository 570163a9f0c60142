//! Certificates and keys for a development machine, each marked as such in its name. Nobody else trusts them, and nobody
//! should: the authority's private key lies beside them.

pub(crate) mod access_token;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oyez_jose::UnixTime;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, Error,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PKCS_RSA_SHA256, RsaKeySize,
};

/// An authority for this machine.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    keys: Keys,
    now: UnixTime,
}

/// What keys its certificates are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// For everybody: below TLS 1.3 only ECDHE-RSA is spoken.
    Rsa,
    /// Made in no time, and good for TLS 1.3 alone.
    P256,
}

/// A certificate and its private key, in PEM.
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(keys: Keys, now: UnixTime) -> Result<Self, Error> {
        let mut params = params("oyez DEVELOPMENT ONLY authority", Vec::new(), now)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, keys.draw()?)?;
        Ok(Self { issuer, keys, now })
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity::new(self.issuer.as_ref(), self.issuer.key())
    }

    /// A server on this machine.
    pub(crate) fn server(&self) -> Result<Identity, Error> {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let usage = ExtendedKeyUsagePurpose::ServerAuth;
        self.sign("oyez DEVELOPMENT ONLY server", names.to_vec(), usage)
    }

    /// A TPP's client certificate.
    pub(crate) fn client(&self, client_id: &str) -> Result<Identity, Error> {
        let name = format!("{client_id} DEVELOPMENT ONLY client");
        self.sign(&name, Vec::new(), ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(
        &self,
        name: &str,
        hosts: Vec<String>,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<Identity, Error> {
        let mut params = params(name, hosts, self.now)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let key = self.keys.draw()?;
        Ok(Identity::new(&params.signed_by(&key, &self.issuer)?, &key))
    }
}

impl Identity {
    fn new(certificate: &Certificate, key: &KeyPair) -> Self {
        Self {
            certificate: pem("CERTIFICATE", certificate.der()),
            key: pem("PRIVATE KEY", key.serialized_der()),
        }
    }
}

impl Keys {
    fn draw(self) -> Result<KeyPair, Error> {
        match self {
            Self::Rsa => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
            Self::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
        }
    }
}

fn params(name: &str, hosts: Vec<String>, now: UnixTime) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(hosts)?;
    params
        .distinguished_name
        .push(DnType::OrganizationName, "oyez DEVELOPMENT ONLY");
    params.distinguished_name.push(DnType::CommonName, name);
    let since_1970 = Duration::from_secs(u64::try_from(now.seconds()).unwrap_or(0));
    let now = rcgen::date_time_ymd(1970, 1, 1) + since_1970;
    params.not_before = now - CLOCKS_DIFFER;
    params.not_after = now + VALID_FOR;
    Ok(params)
}

/// One block of PEM, in lines of 64.
fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines = body.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let lines: Vec<_> = lines.collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

/// A container's clock may lag behind its host's.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60 * 60);
/// Long enough for a project, short enough not to be forgotten in production.
const VALID_FOR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The client_id of the TPP that `oyez init` makes.
pub(crate) const CLIENT_ID: &str = "development-tpp";
/// Its org-id.
pub(crate) const TPP_ORG_ID: &str = "DEVELOPMENT-ONLY-TPP";
/// Its software statement's id.
pub(crate) const TPP_SOFTWARE_ID: &str = "DEVELOPMENT-ONLY-SOFTWARE";
/// `iss` of access tokens in a configuration that `oyez init` made: nobody's authorisation server.
pub(crate) const TOKEN_ISSUER: &str = "https://localhost/DEVELOPMENT-ONLY";
/// The private half of what access tokens are checked with there, beside it.
pub(crate) const TOKEN_KEY: &str = "token-signing.key";
/// What that TPP signs its requests with.
pub(crate) const TPP_KEY: &str = "tpp-signing.key";
