//! Access tokens: what a valid one says, and how one is found valid.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use oyez_domain::access::Holder;
use serde_json::{Map, Value};

/// A validation on its way.
pub type Validating<'a> =
    Pin<Box<dyn Future<Output = Result<AccessToken, TokenError>> + Send + 'a>>;

/// Whoever can say whether a token holds: by its signature, or by asking its issuer.
pub trait ValidateTokens: Send + Sync {
    /// What the token says, if it holds now.
    fn validate<'a>(&'a self, token: &'a str) -> Validating<'a>;
}

/// A token that holds. Never logged.
#[derive(Clone)]
pub struct AccessToken {
    claims: Map<String, Value>,
}

/// Why a token does not pass. The texts go outside; none repeats the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It does not hold (401).
    #[error("{0}")]
    Invalid(&'static str),
    /// It is a JWT of ours and has expired (401, on v4.0 with TKXP).
    #[error("the access token expired")]
    Expired,
    /// Nobody can say now: the authorisation server cannot be reached (503).
    #[error("access tokens cannot be checked: {0}")]
    Unavailable(String),
}

impl AccessToken {
    /// By its claims, or the members of an introspection response.
    pub fn new(claims: Map<String, Value>) -> Self {
        Self { claims }
    }

    /// What it says of whose it is.
    pub fn holder(&self) -> Holder<'_> {
        Holder {
            client_id: self.claim("client_id"),
            azp: self.claim("azp"),
            sub: self.claim("sub"),
        }
    }

    /// `scope`: texts with spaces between, or, as some servers write it, a list.
    pub fn scopes(&self) -> Vec<&str> {
        match self.claims.get("scope") {
            Some(Value::String(text)) => text.split_ascii_whitespace().collect(),
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// `cnf.x5t#S256`, still in base64url: the certificate it is bound to.
    pub fn bound_to(&self) -> Option<&str> {
        self.claims.get("cnf")?.get("x5t#S256")?.as_str()
    }

    /// A claim that is a text.
    pub fn claim(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}
