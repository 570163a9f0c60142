//! Access tokens: what a valid one says, and how one is found valid.
//!
//! There are two ways, chosen in configuration: [`jwt`] believes a signature, [`introspection`] asks the issuer. Both refuse
//! what the other side could not mean by a token for us, say nothing of a token that does not hold but why, and answer
//! [`TokenError::Unavailable`] when nobody can say: never a pass.
//!
//! Absent here: whose tokens open what (`oyez_domain::access` and the version table), and the certificate that a token is
//! bound to, which is compared where the connection is known.

mod claims;
pub mod introspection;
pub mod jwt;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

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
    claims: Arc<Map<String, Value>>,
}

/// Why a token does not pass. The texts of what is invalid may go outside, in a challenge: they are ASCII without quotes. What
/// is unavailable is for the log. None repeats the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It does not hold (401).
    #[error("{0}")]
    Invalid(&'static str),
    /// It is sound in all else and has expired (401, on v4.0 with TKXP).
    #[error("the access token expired")]
    Expired,
    /// Nobody can say now: the authorisation server cannot be reached (503).
    #[error("access tokens cannot be checked: {0}")]
    Unavailable(String),
}

/// What a validator cannot be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadOptions {
    /// More than [`LEEWAY_MAX`].
    #[error("the leeway is over {} seconds", LEEWAY_MAX.as_secs())]
    Leeway,
    /// A token for anybody would be one for us.
    #[error("no audience is named")]
    NoAudience,
    /// Nothing could be believed.
    #[error("no algorithm is allowed")]
    NoAlgorithm,
    /// The endpoint is no URL that can be dialled.
    #[error("the URL of the introspection endpoint cannot be used")]
    Url,
    /// A secret that HTTP cannot carry.
    #[error("the credentials cannot be sent in a header")]
    Credentials,
}

impl AccessToken {
    /// By its claims, or the members of an introspection response.
    pub fn new(claims: Map<String, Value>) -> Self {
        Self {
            claims: Arc::new(claims),
        }
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

/// How far clocks may differ: what FAPI 2.0 asks servers to bear with.
pub const LEEWAY: Duration = Duration::from_secs(10);
/// What FAPI 2.0 asks servers not to bear with.
pub const LEEWAY_MAX: Duration = Duration::from_secs(60);
/// A token with a chain of certificates in its header; servers cap the whole head of a request near this.
pub const TOKEN_BYTES_MAX: usize = 16 * 1_024;
