//! Access tokens as a toy of an authorisation server signs them (RFC 9068): for demonstrations, benches and a developer's own
//! machine. Each holds with the certificate alone that it was made for (RFC 8705).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oyez_jose::{LocalKey, SignError, UnixTime};
use serde_json::{Value, json};

/// What a token says.
pub(crate) struct AccessToken<'t> {
    pub(crate) issuer: &'t str,
    pub(crate) audience: &'t str,
    pub(crate) client_id: &'t str,
    /// With spaces between, if there are several.
    pub(crate) scope: &'t str,
    /// The SHA-256 of the client's certificate, in base64url.
    pub(crate) thumbprint: &'t str,
    /// No two tokens have the same.
    pub(crate) jti: &'t [u8],
    pub(crate) issued_at: UnixTime,
    pub(crate) holds_for: Duration,
}

impl AccessToken<'_> {
    /// Signs it, under the thumbprint of the key as its kid.
    pub(crate) fn sign(&self, key: &LocalKey) -> Result<String, SignError> {
        let public = key.public_key();
        let issued_at = self.issued_at.seconds();
        let header = json!({
            "alg": public.algorithm().name(), "typ": "at+jwt", "kid": public.thumbprint(),
        });
        let claims = json!({
            "iss": self.issuer,
            "aud": self.audience,
            "sub": self.client_id,
            "client_id": self.client_id,
            "scope": self.scope,
            "jti": URL_SAFE_NO_PAD.encode(self.jti),
            "iat": issued_at,
            "exp": issued_at.saturating_add_unsigned(self.holds_for.as_secs()),
            "cnf": {"x5t#S256": self.thumbprint},
        });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let input = format!("{}.{}", encode(&header), encode(&claims));
        let signature = key.sign_now(input.as_bytes())?;
        Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
