//! What a client certificate says. Whether it is to be believed was decided by whoever took it: our handshake or a gateway.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oyez_domain::time::Timestamp;
use std::sync::LazyLock;

use x509_parser::asn1_rs::oid;
use x509_parser::oid_registry::{OidEntry, OidRegistry};
use x509_parser::prelude::{FromDer, X509Certificate};

/// A client certificate that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// SHA-256 of it. The certificate itself is not kept: each waiting poll would hold a copy.
    pub sha256: [u8; 32],
    /// The same in base64url: what `cnf.x5t#S256` names.
    pub thumbprint: String,
    /// The subject, first name first: `C=GB, O=Example, CN=…` (M-02). Empty where a name of it is no text.
    pub subject: String,
    /// It holds from this second.
    pub not_before: Timestamp,
    /// It holds until the end of this second.
    pub not_after: Timestamp,
}

/// Bytes that are no certificate.
#[derive(Debug, thiserror::Error)]
#[error("it is no X.509 certificate in DER")]
pub struct CertificateError;

impl ClientCertificate {
    /// Reads one, and nothing behind it.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|_| CertificateError)?;
        if !rest.is_empty() {
            return Err(CertificateError);
        }
        let validity = parsed.validity();
        let sha256 = oyez_jose::sha256(der);
        Ok(Self {
            sha256,
            thumbprint: URL_SAFE_NO_PAD.encode(sha256),
            subject: parsed
                .subject()
                .to_string_with_registry(&NAMES)
                .unwrap_or_default(),
            not_before: Timestamp::from_unix_seconds(validity.not_before.timestamp()),
            not_after: Timestamp::from_unix_seconds(validity.not_after.timestamp()),
        })
    }

    /// Whether it holds at this moment, by its dates.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        let seconds = now.unix_seconds();
        (self.not_before.unix_seconds()..=self.not_after.unix_seconds()).contains(&seconds)
    }
}

/// What the kinds of names in a subject are called. eIDAS certificates have one more, which OpenSSL and the standard's sample
/// call this.
static NAMES: LazyLock<OidRegistry<'static>> = LazyLock::new(|| {
    let mut names = OidRegistry::default().with_x509();
    let organization = OidEntry::new("organizationIdentifier", "organizationIdentifier");
    names.insert(oid!(2.5.4.97), organization);
    names
});
