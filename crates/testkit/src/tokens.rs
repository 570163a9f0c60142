//! An authorisation server: its key, and access tokens (RFC 9068), right ones and wrong ones.

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::time::Timestamp;
use oyez_jose::{Jwks, LocalKey};
use serde_json::{Map, Value, json};

use crate::jws::{self, Seal};
use crate::keys;

/// The `iss` of good tokens.
pub const ISSUER: &str = "https://as.bank.example";
/// The `aud` of good tokens.
pub const AUDIENCE: &str = "https://api.bank.example";
/// The scopes of good tokens, unless a test says otherwise.
pub const SCOPES: &str = "accounts payments fundsconfirmations";
/// How long good tokens hold.
pub const HOLDS_FOR: Duration = Duration::from_secs(300);

/// Issues access tokens.
#[derive(Clone)]
pub struct AuthorisationServer {
    key: Arc<LocalKey>,
}

/// A token in the making: right until something is replaced or taken away.
#[derive(Clone)]
pub struct Token {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    seal: Seal,
}

impl AuthorisationServer {
    /// Its key, in its key set.
    pub const KID: &'static str = "as-1";

    /// With an ES256 key of its own.
    pub fn new() -> Self {
        Self { key: keys::p256() }
    }

    /// With a PS256 key.
    pub fn rsa() -> Self {
        Self {
            key: Arc::clone(&keys::AUTHORISATION_SERVER),
        }
    }

    /// The key it signs with.
    pub fn key(&self) -> &Arc<LocalKey> {
        &self.key
    }

    /// Its key set.
    pub fn jwks(&self) -> Jwks {
        keys::published(Self::KID, &self.key)
    }

    /// A client's own token, issued now, bound to the certificate of this thumbprint if there is one.
    pub fn token(&self, client_id: &str, thumbprint: Option<&str>, now: Timestamp) -> Token {
        let iat = now.unix_seconds();
        let header = json!({
            "alg": self.key.public_key().algorithm().name(), "typ": "at+jwt", "kid": Self::KID,
        });
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": client_id, "client_id": client_id,
            "scope": SCOPES, "jti": format!("at-{iat}"), "iat": iat,
            "exp": (now + HOLDS_FOR).unix_seconds(),
        });
        let token = Token {
            header: jws::members(header),
            claims: jws::members(claims),
            seal: Seal::Key(Arc::clone(&self.key)),
        };
        match thumbprint {
            Some(thumbprint) => token.claim("cnf", json!({ "x5t#S256": thumbprint })),
            None => token,
        }
    }
}

impl Default for AuthorisationServer {
    fn default() -> Self {
        Self::new()
    }
}

impl Token {
    /// A claim, added or replaced.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// A claim taken away.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// A header member, added or replaced.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// A header member taken away.
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// Signed with another key; the header says what it said.
    pub fn signed_by(mut self, key: &Arc<LocalKey>) -> Self {
        self.seal = Seal::Key(Arc::clone(key));
        self
    }

    /// `alg: none`, and no signature.
    pub fn unsecured(mut self) -> Self {
        self.seal = Seal::Nothing;
        self.header("alg", "none")
    }

    /// HS256, the server's public key being the secret: what a confused validator takes for good.
    pub fn hs256_by_public_key(mut self, server: &AuthorisationServer) -> Self {
        self.seal = Seal::Secret(server.jwks().to_json().into_bytes());
        self.header("alg", "HS256")
    }

    /// A signature of these bytes.
    pub fn sealed(mut self, seal: Seal) -> Self {
        self.seal = seal;
        self
    }

    /// What it claims: what introspection would answer.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// The token.
    pub fn mint(&self) -> String {
        let claims = serde_json::to_vec(&self.claims).unwrap();
        jws::compact(&self.header, &claims, &self.seal)
    }
}
