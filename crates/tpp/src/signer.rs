//! Our own signatures: detached ones over request bodies (M-01, M-02), and the client assertion at the token endpoint.

use std::sync::Arc;

use oyez_domain::time::Timestamp;
use oyez_jose::{Form, HeaderProfile, HeaderTemplate, Sign, SignError, Signatory, UnixTime};

/// A signing key of the TPP under its published name. Clones share the key.
#[derive(Clone)]
pub struct Signer {
    key: Arc<dyn Sign>,
    detached: HeaderTemplate,
    assertion: HeaderTemplate,
}

impl Signer {
    /// `kid` is the key's name in the TPP's published key set; `signatory.issuer` is `org-id/software-id`. The standard
    /// wants an RSA key (PS256); banks may take P-256 (ES256) too. The form is that of v3.1.3 and older only for banks
    /// that still ask for it.
    pub fn new(key: Arc<dyn Sign>, kid: &str, signatory: &Signatory, form: Form) -> Self {
        let public = key.public_key();
        Self {
            detached: HeaderTemplate::detached(form, kid, public, signatory),
            assertion: HeaderTemplate::set(HeaderProfile::Jwt, kid, public, signatory),
            key,
        }
    }

    /// The `x-jws-signature` of a body.
    pub async fn detached(&self, body: &[u8], now: Timestamp) -> Result<String, SignError> {
        let input = self.detached.signing_input(body, jose_time(now));
        input.sign(&*self.key).await
    }

    /// A JWT of these claims, `typ` JWT.
    pub(crate) async fn jwt(&self, claims: &[u8], now: Timestamp) -> Result<String, SignError> {
        let input = self.assertion.signing_input(claims, jose_time(now));
        input.sign(&*self.key).await
    }
}

/// A moment as `oyez-jose` takes it.
pub(crate) fn jose_time(now: Timestamp) -> UnixTime {
    UnixTime::from_milliseconds(now.unix_ms())
}
