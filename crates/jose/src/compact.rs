//! Compact JWS: SETs and other JWTs that somebody signed. Parsing says what the token is, [`Verifier`] whether to believe
//! it. The receiver's library and `oyez verify` use it for a bank's SETs.
//!
//! A header member that is understood is also processed: `http://openbanking.org.uk/iat`, `/iss` and `/tan` are checked
//! wherever they stand. Absent here: the claims. They are the domain's business.

use crate::algorithm::{Algorithm, UnknownAlgorithm};
use crate::base64url;
use crate::header::{CritFault, Header, Malformed, three_parts};
use crate::jwks::{Jwks, NoKey};
use crate::limits::COMPACT_BYTES_MAX;
use crate::open_banking::{ClaimFault, MEMBERS, Rules};
use crate::unix_time::UnixTime;

/// A compact JWS, parsed and not yet verified.
#[derive(Clone, Debug)]
pub struct Compact<'t> {
    signing_input: &'t str,
    header: Header,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// What a verified token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The header.
    pub header: Header,
    /// The payload, as it was signed.
    pub payload: Vec<u8>,
}

/// What a token must be like to be believed.
#[derive(Clone, Debug)]
pub struct Verifier {
    algorithms: Vec<Algorithm>,
    types: Vec<String>,
    untyped: bool,
    issuers: Option<Vec<String>>,
    trust_anchors: Option<Vec<String>>,
}

/// Why a token is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a compact JWS.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// No `alg`.
    #[error("the header has no `alg`")]
    NoAlgorithm,
    /// `alg` is none that this crate knows: `none`, HMAC and the rest.
    #[error(transparent)]
    UnknownAlgorithm(#[from] UnknownAlgorithm),
    /// `alg` is none that is allowed here.
    #[error("algorithm {0} is not allowed here")]
    AlgorithmNotAllowed(Algorithm),
    /// `typ` says that this is another kind of token.
    #[error("`typ` {0} is not that of the token expected")]
    Type(String),
    /// `crit` breaks RFC 7515.
    #[error(transparent)]
    Critical(#[from] CritFault),
    /// A critical member that is not understood.
    #[error("critical header member `{0}` is not understood")]
    CriticalUnknown(String),
    /// `b64`, which a JWT must not have (RFC 7797, section 7).
    #[error("`b64` has no place in a JWT")]
    B64,
    /// A private member of the standard has a wrong value.
    #[error("`{name}`: {fault}")]
    Claim {
        /// The member.
        name: &'static str,
        /// What is wrong.
        fault: ClaimFault,
    },
    /// No `kid`, or none that a key can have.
    #[error("the header has no usable `kid`")]
    NoKid,
    /// No key of the set may verify it.
    #[error("`{kid}`: {reason}")]
    Key {
        /// The `kid` of the token.
        kid: String,
        /// Why there is none.
        reason: NoKey,
    },
    /// The signature is not the key's over this token.
    #[error("the signature does not verify")]
    Signature,
}

impl Error {
    /// Whether a newer copy of the key set could make a difference.
    pub fn is_unknown_key(&self) -> bool {
        matches!(
            self,
            Self::Key {
                reason: NoKey::Unknown,
                ..
            }
        )
    }

    pub(crate) fn key(kid: &str, reason: NoKey) -> Self {
        Self::Key {
            kid: kid.to_owned(),
            reason,
        }
    }
}

impl<'t> Compact<'t> {
    /// Parses `header.payload.signature`.
    pub fn parse(token: &'t str) -> Result<Self, Malformed> {
        if token.len() > COMPACT_BYTES_MAX {
            return Err(Malformed::TooLong {
                max: COMPACT_BYTES_MAX,
            });
        }
        let [header, payload, signature] = three_parts(token)?;
        let signing_input = &token[..header.len() + 1 + payload.len()];
        let decode = |part, text| base64url::decode(text).ok_or(Malformed::Base64 { part });
        Ok(Self {
            signing_input,
            header: Header::decode(header)?,
            payload: decode("payload", payload)?,
            signature: decode("signature", signature)?,
        })
    }

    /// The header, for example to look for its `kid`.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The payload as anybody could have written it: to show, never to act on.
    pub fn unverified_payload(&self) -> &[u8] {
        &self.payload
    }

    /// What it says, if `verifies` says so of the signing input and the signature.
    pub(crate) fn verified_by(
        self,
        verifies: impl FnOnce(&[u8], &[u8]) -> bool,
    ) -> Result<Verified, Error> {
        if !verifies(self.signing_input.as_bytes(), &self.signature) {
            return Err(Error::Signature);
        }
        Ok(Verified {
            header: self.header,
            payload: self.payload,
        })
    }
}

impl Verifier {
    /// For SETs: PS256 or ES256; `typ` absent, `JOSE`, `JWT` or `secevent+jwt`; any issuer and trust anchor. An access
    /// token of the same signer is no SET.
    pub fn sets() -> Self {
        Self::types(["JOSE", "JWT", "secevent+jwt"]).or_untyped()
    }

    /// For JWTs of these `typ`s, compared without case and without a leading `application/`; a `typ` is required.
    pub fn types<T: Into<String>>(types: impl IntoIterator<Item = T>) -> Self {
        Self {
            algorithms: vec![Algorithm::PS256, Algorithm::ES256],
            types: types.into_iter().map(Into::into).collect(),
            untyped: false,
            issuers: None,
            trust_anchors: None,
        }
    }

    /// A token without `typ` will do too.
    pub fn or_untyped(self) -> Self {
        Self {
            untyped: true,
            ..self
        }
    }

    /// Only these algorithms.
    pub fn algorithms(self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        Self {
            algorithms: algorithms.into_iter().collect(),
            ..self
        }
    }

    /// Only these values of `http://openbanking.org.uk/iss`, where it stands.
    pub fn issuers<T: Into<String>>(mut self, issuers: impl IntoIterator<Item = T>) -> Self {
        self.issuers = Some(issuers.into_iter().map(Into::into).collect());
        self
    }

    /// Only these values of `http://openbanking.org.uk/tan`, where it stands.
    pub fn trust_anchors<T: Into<String>>(mut self, anchors: impl IntoIterator<Item = T>) -> Self {
        self.trust_anchors = Some(anchors.into_iter().map(Into::into).collect());
        self
    }

    /// Verifies a token against a key set. Everything in the header is checked before the signature is.
    pub fn verify(
        &self,
        token: Compact<'_>,
        keys: &Jwks,
        now: UnixTime,
    ) -> Result<Verified, Error> {
        let algorithm = self.check_header(&token.header, now)?;
        let kid = token.header.kid().ok_or(Error::NoKid)?;
        let candidates = keys
            .select(kid, algorithm, now)
            .map_err(|reason| Error::key(kid, reason))?;
        token.verified_by(|input, signature| {
            candidates
                .iter()
                .any(|jwk| jwk.key.verifies(input, signature))
        })
    }

    pub(crate) fn check_header(&self, header: &Header, now: UnixTime) -> Result<Algorithm, Error> {
        let algorithm = header.algorithm().ok_or(Error::NoAlgorithm)??;
        if !self.algorithms.contains(&algorithm) {
            return Err(Error::AlgorithmNotAllowed(algorithm));
        }
        self.check_beside_algorithm(header, now)?;
        Ok(algorithm)
    }

    pub(crate) fn check_beside_algorithm(
        &self,
        header: &Header,
        now: UnixTime,
    ) -> Result<(), Error> {
        self.check_type(header)?;
        let critical = header.critical()?;
        if header.get("b64").is_some() {
            return Err(Error::B64);
        }
        if let Some(name) = critical.into_iter().find(|name| !MEMBERS.contains(name)) {
            return Err(Error::CriticalUnknown(name.to_owned()));
        }
        let rules = Rules {
            issuers: self.issuers.as_deref(),
            trust_anchors: self.trust_anchors.as_deref(),
        };
        rules
            .check(header, now)
            .map_err(|(name, fault)| Error::Claim { name, fault })
    }

    fn check_type(&self, header: &Header) -> Result<(), Error> {
        let Some(value) = header.get("typ") else {
            return if self.untyped {
                Ok(())
            } else {
                Err(Error::Type("(none)".to_owned()))
            };
        };
        let known = value.as_str().is_some_and(|typ| {
            let short = media_subtype(typ);
            self.types
                .iter()
                .any(|one| media_subtype(one).eq_ignore_ascii_case(short))
        });
        if known {
            Ok(())
        } else {
            Err(Error::Type(value.to_string()))
        }
    }
}

/// RFC 7515, section 4.1.9: `application/` may be left out.
pub(crate) fn media_subtype(typ: &str) -> &str {
    const PREFIX: &str = "application/";
    match typ.get(..PREFIX.len()) {
        Some(start) if start.eq_ignore_ascii_case(PREFIX) => &typ[PREFIX.len()..],
        _ => typ,
    }
}
