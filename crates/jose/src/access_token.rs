//! Access tokens that are JWTs (RFC 9068): the compact form, with one algorithm more than the rest of this crate.
//!
//! RFC 9068 asks every authorisation server for RS256, and many offer nothing else, so a bank can opt in to it here. It is
//! verified and never made, and by this module alone: [`crate::Algorithm`] has no name for it, so that no SET, no detached
//! signature and no key of ours can ever be of it. A key whose owner says `PS256` never verifies RS256, nor the other way
//! round; an RSA key without `alg` verifies what the token says of the two.
//!
//! Absent here: the claims. They are the business of whoever guards the resource.

use std::fmt;
use std::str::FromStr;

use crate::algorithm;
use crate::compact::{self, Compact, Error, Verified};
use crate::header::Header;
use crate::jwks::Jwks;
use crate::unix_time::UnixTime;

/// An algorithm of access tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// As [`crate::Algorithm::PS256`].
    PS256,
    /// As [`crate::Algorithm::ES256`].
    ES256,
    /// RSASSA-PKCS1-v1_5 with SHA-256: for authorisation servers that offer nothing better.
    RS256,
}

/// A name that is none of these three.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("algorithm `{0}` is not PS256, ES256 or RS256")]
pub struct UnknownAlgorithm(pub String);

/// Which `typ` an access token may have, compared without case and without a leading `application/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Types {
    /// `at+jwt`, as RFC 9068 says.
    Strict,
    /// Also `JWT`, or none: for authorisation servers older than RFC 9068.
    Lenient,
}

/// What an access token must be like to be believed.
#[derive(Clone, Debug)]
pub struct Verifier {
    compact: compact::Verifier,
    rs256: bool,
}

impl Algorithm {
    /// The name in an `alg` member.
    pub fn name(self) -> &'static str {
        match self {
            Self::PS256 => algorithm::Algorithm::PS256.name(),
            Self::ES256 => algorithm::Algorithm::ES256.name(),
            Self::RS256 => RS256,
        }
    }

    fn of_all_tokens(self) -> Option<algorithm::Algorithm> {
        match self {
            Self::PS256 => Some(algorithm::Algorithm::PS256),
            Self::ES256 => Some(algorithm::Algorithm::ES256),
            Self::RS256 => None,
        }
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        [Self::PS256, Self::ES256, Self::RS256]
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or_else(|| UnknownAlgorithm(name.to_owned()))
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Verifier {
    /// Of these types and algorithms only.
    pub fn new(types: Types, algorithms: &[Algorithm]) -> Self {
        let verifier = match types {
            Types::Strict => compact::Verifier::types(["at+jwt"]),
            Types::Lenient => compact::Verifier::types(["at+jwt", "JWT"]).or_untyped(),
        };
        let common = algorithms.iter().filter_map(|one| one.of_all_tokens());
        Self {
            compact: verifier.algorithms(common),
            rs256: algorithms.contains(&Algorithm::RS256),
        }
    }

    /// What can be said without a key; whoever passes is worth fetching one for. Returns which.
    pub fn check_header<'h>(&self, header: &'h Header, now: UnixTime) -> Result<&'h str, Error> {
        if self.is_rs256(header) {
            self.compact.check_beside_algorithm(header, now)?;
        } else {
            self.compact.check_header(header, now)?;
        }
        header.kid().ok_or(Error::NoKid)
    }

    /// Verifies a token against a key set. Everything in the header is checked before the signature is.
    pub fn verify(
        &self,
        token: Compact<'_>,
        keys: &Jwks,
        now: UnixTime,
    ) -> Result<Verified, Error> {
        if !self.is_rs256(token.header()) {
            return self.compact.verify(token, keys, now);
        }
        let kid = self.check_header(token.header(), now)?;
        let candidates = keys
            .select_rs256(kid, now)
            .map_err(|reason| Error::key(kid, reason))?;
        token.verified_by(|input, signature| {
            candidates
                .iter()
                .any(|jwk| jwk.key.verifies_rs256(input, signature))
        })
    }

    fn is_rs256(&self, header: &Header) -> bool {
        self.rs256 && header.get("alg").is_some_and(|alg| alg == RS256)
    }
}

/// In an `alg` member.
pub(crate) const RS256: &str = "RS256";
