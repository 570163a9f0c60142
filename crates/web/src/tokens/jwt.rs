//! Access tokens that are JWTs (RFC 9068).
//!
//! What can be said without a key is said first, so that garbage causes no fetch; what the token claims is looked at only when
//! its signature is the issuer's, so that a forged one learns nothing. A token names its key: one without `kid` is refused,
//! since every authorisation server of the field names it, and to try all keys is to let the token choose.

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::time::Clock;
use oyez_jose::access_token::{Algorithm, Types, Verifier};
use oyez_jose::compact::{Compact, Error};
use oyez_jose::{Jwks, UnixTime, looks_like_set};
use tokio::sync::watch;

use super::claims::{self, Expected, Presence, SECURITY_EVENT};
use super::{
    AccessToken, BadOptions, LEEWAY, LEEWAY_MAX, TOKEN_BYTES_MAX, TokenError, ValidateTokens,
    Validating,
};
use crate::remote_keys::RemoteKeys;

/// Believes what the authorisation server signed.
pub struct Validator {
    expected: Expected,
    verifier: Verifier,
    keys: Keys,
    clock: Arc<dyn Clock>,
}

/// What is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// `iss`, letter by letter.
    pub issuer: String,
    /// One of them stands in `aud`.
    pub audiences: Vec<String>,
    /// The algorithms allowed. RS256 is there for those who need it.
    pub algorithms: Vec<Algorithm>,
    /// The types allowed.
    pub types: Types,
    /// How far clocks may differ.
    pub leeway: Duration,
}

/// Where the issuer's keys are.
pub enum Keys {
    /// At its `jwks_uri`.
    AtUrl {
        /// Which.
        url: String,
        /// Fetches them.
        remote: Arc<RemoteKeys>,
    },
    /// Here, from a file; whoever reads it anew sends the new set.
    Given(watch::Receiver<Arc<Jwks>>),
}

impl Options {
    /// As strict as the standards are.
    pub fn new(issuer: impl Into<String>, audiences: Vec<String>) -> Self {
        Self {
            issuer: issuer.into(),
            audiences,
            algorithms: ALGORITHMS.to_vec(),
            types: Types::Strict,
            leeway: LEEWAY,
        }
    }
}

impl Validator {
    /// With these keys, by this clock.
    pub fn new(options: Options, keys: Keys, clock: Arc<dyn Clock>) -> Result<Self, BadOptions> {
        if options.leeway > LEEWAY_MAX {
            return Err(BadOptions::Leeway);
        }
        if options.audiences.is_empty() {
            return Err(BadOptions::NoAudience);
        }
        if options.algorithms.is_empty() {
            return Err(BadOptions::NoAlgorithm);
        }
        Ok(Self {
            verifier: Verifier::new(options.types, &options.algorithms),
            expected: Expected {
                issuer: Some(options.issuer),
                audiences: options.audiences,
                leeway: options.leeway,
                presence: Presence::Required,
            },
            keys,
            clock,
        })
    }

    async fn check(&self, token: &str) -> Result<AccessToken, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid("the access token is too long"));
        }
        if looks_like_set(token) {
            return Err(TokenError::Invalid(SECURITY_EVENT));
        }
        let parsed = Compact::parse(token).map_err(|error| refused(&error.into()))?;
        let kid = self
            .verifier
            .check_header(parsed.header(), self.now())
            .map_err(|error| refused(&error))?;
        let keys = self.keys(kid).await?;
        let now = self.now();
        let verified = self
            .verifier
            .verify(parsed, &keys, now)
            .map_err(|error| refused(&error))?;
        let claims = claims::read(&verified.payload).ok_or(TokenError::Invalid(
            "the claims of the access token are no JSON object, or not strictly so",
        ))?;
        self.expected.check(&claims, now)?;
        Ok(AccessToken::new(claims))
    }

    async fn keys(&self, kid: &str) -> Result<Arc<Jwks>, TokenError> {
        match &self.keys {
            Keys::Given(keys) => Ok(Arc::clone(&keys.borrow())),
            Keys::AtUrl { url, remote } => remote
                .keys(url, kid)
                .await
                .map_err(|why| TokenError::Unavailable(why.to_string())),
        }
    }

    fn now(&self) -> UnixTime {
        UnixTime::from_milliseconds(self.clock.now().unix_ms())
    }
}

impl ValidateTokens for Validator {
    fn validate<'a>(&'a self, token: &'a str) -> Validating<'a> {
        Box::pin(self.check(token))
    }
}

/// The caller is told what kind of thing is wrong, the log which.
fn refused(error: &Error) -> TokenError {
    tracing::debug!(?error, "an access token was refused");
    TokenError::Invalid(match error {
        Error::Malformed(_) => "the access token is no JWT",
        Error::NoAlgorithm | Error::UnknownAlgorithm(_) | Error::AlgorithmNotAllowed(_) => {
            "the algorithm of the access token is not allowed here"
        }
        Error::Type(_) => "the typ of the access token is not that of access tokens",
        Error::Critical(_) | Error::CriticalUnknown(_) | Error::B64 | Error::Claim { .. } => {
            "the header of the access token cannot be accepted"
        }
        Error::NoKid => "the access token names no key",
        Error::Key { .. } => "the key of the access token is none that its issuer signs with",
        Error::Signature => "the signature of the access token does not verify",
    })
}

/// Those of the security profile. RS256 is what it forbids and RFC 9068 demands: whoever needs it says so.
pub const ALGORITHMS: [Algorithm; 2] = [Algorithm::PS256, Algorithm::ES256];
