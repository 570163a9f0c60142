//! Detached signatures over HTTP bodies: the `x-jws-signature` header (M-01 to M-04). Verification walks through three
//! types, so that no step can be left out and the caller can fetch the signer's keys in between:
//!
//! 1. [`Signature::parse`]: is there a signature, and is it one? ([`Error::Missing`], [`Error::Malformed`])
//! 2. [`Signature::check`] against a [`Policy`]: is its header as the standard says? ([`Error::MissingClaim`],
//!    [`Error::InvalidClaim`])
//! 3. [`Checked::verify`]: do the signer's keys verify it over this body? ([`Error::InvalidClaim`] of `kid`,
//!    [`Error::Invalid`])

use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::header::{Header, Malformed, three_parts};
use crate::jwks::{Jwks, NoKey};
use crate::limits::DETACHED_BYTES_MAX;
use crate::open_banking::{ClaimFault, MEMBERS, Rules};
use crate::signatory::Form;
use crate::unix_time::UnixTime;

/// The name of the HTTP header, in the lower case that HTTP/2 uses.
pub const HTTP_HEADER: &str = "x-jws-signature";

/// A detached signature, parsed.
#[derive(Clone, Debug)]
pub struct Signature<'t> {
    encoded_header: &'t str,
    header: Header,
    signature: Vec<u8>,
}

/// A signature whose header is as the policy wants it; its body is still to be verified.
#[derive(Clone, Debug)]
pub struct Checked<'t> {
    inner: Signature<'t>,
    algorithm: Algorithm,
    form: Form,
}

/// What the header of a signature must be like.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Algorithms accepted; the standard has PS256 only.
    pub algorithms: Vec<Algorithm>,
    /// Values accepted for `http://openbanking.org.uk/iss`.
    pub issuers: Vec<String>,
    /// Values accepted for `http://openbanking.org.uk/tan`, compared without case.
    pub trust_anchors: Vec<String>,
    /// Ways of covering the body that are accepted.
    pub forms: Forms,
    /// What to do about header members that the standard does not list.
    pub unknown_members: UnknownMembers,
}

/// Which forms a version of the standard allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forms {
    /// Without `b64`: v3.1.4 and later.
    Encoded,
    /// With `b64: false`: v3.1.3 and earlier.
    Unencoded,
    /// Either.
    Both,
}

/// What to do about members that the standard does not list. Critical ones are always refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownMembers {
    /// The header may have "only the claims specified".
    Refuse,
    /// A leniency: they are ignored.
    Ignore,
}

/// Why a message counts as not signed. The first four are answered by their own error codes, each with the member's name
/// where there is one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no signature.
    #[error("no signature")]
    Missing,
    /// It is no detached JWS.
    #[error("malformed signature: {0}")]
    Malformed(#[from] Malformed),
    /// A mandatory header member is absent.
    #[error("the header has no `{name}`")]
    MissingClaim {
        /// The member.
        name: &'static str,
    },
    /// A header member has a wrong value, or may not be there.
    #[error("`{name}`: {fault}")]
    InvalidClaim {
        /// The member.
        name: String,
        /// What is wrong.
        fault: ClaimFault,
    },
    /// The signature is not the key's over this body.
    #[error("the signature does not verify")]
    Invalid,
}

impl Error {
    /// Whether a newer copy of the signer's key set could make a difference.
    pub fn is_unknown_key(&self) -> bool {
        matches!(
            self,
            Self::InvalidClaim {
                fault: ClaimFault::Key(NoKey::Unknown),
                ..
            }
        )
    }
}

impl Policy {
    /// As the standard says, for one signer.
    pub fn standard<I, A>(
        issuers: impl IntoIterator<Item = I>,
        trust_anchors: impl IntoIterator<Item = A>,
        forms: Forms,
    ) -> Self
    where
        I: Into<String>,
        A: Into<String>,
    {
        Self {
            algorithms: vec![Algorithm::PS256],
            issuers: issuers.into_iter().map(Into::into).collect(),
            trust_anchors: trust_anchors.into_iter().map(Into::into).collect(),
            forms,
            unknown_members: UnknownMembers::Refuse,
        }
    }
}

impl<'t> Signature<'t> {
    /// Parses `header..signature`. Absent and empty are both [`Error::Missing`].
    pub fn parse(value: Option<&'t str>) -> Result<Self, Error> {
        let value = value.map(str::trim_ascii).filter(|value| !value.is_empty());
        let value = value.ok_or(Error::Missing)?;
        if value.len() > DETACHED_BYTES_MAX {
            return Err(Malformed::TooLong {
                max: DETACHED_BYTES_MAX,
            }
            .into());
        }
        let [encoded_header, payload, signature] = three_parts(value)?;
        if !payload.is_empty() {
            return Err(Malformed::PayloadPresent.into());
        }
        let signature = base64url::decode(signature).filter(|bytes| !bytes.is_empty());
        Ok(Self {
            encoded_header,
            header: Header::decode(encoded_header)?,
            signature: signature.ok_or(Malformed::Base64 { part: "signature" })?,
        })
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Checks the header. Of several faults the first in the order of the standard's table is told, absent members
    /// before wrong ones.
    pub fn check(self, policy: &Policy, now: UnixTime) -> Result<Checked<'t>, Error> {
        let header = &self.header;
        let form = match header.get("b64") {
            Some(_) => Form::Unencoded,
            None => Form::Encoded,
        };
        check_mandatory(header, policy.forms)?;
        check_unknown(header, policy)?;
        let algorithm = check_listed(header, policy)?;
        let rules = Rules {
            issuers: Some(&policy.issuers),
            trust_anchors: Some(&policy.trust_anchors),
        };
        rules
            .check(header, now)
            .map_err(|(name, fault)| invalid(name, fault))?;
        check_critical(header, form)?;
        Ok(Checked {
            inner: self,
            algorithm,
            form,
        })
    }
}

impl Checked<'_> {
    /// The key that the signer says it used.
    pub fn kid(&self) -> &str {
        self.inner.header.kid().unwrap_or_default()
    }

    /// How the body is covered; answers go out in the same form (M-04).
    pub fn form(&self) -> Form {
        self.form
    }

    /// Verifies the signature over `body`, exactly as it came.
    pub fn verify(&self, body: &[u8], keys: &Jwks, now: UnixTime) -> Result<(), Error> {
        let candidates = keys
            .select(self.kid(), self.algorithm, now)
            .map_err(|reason| invalid("kid", ClaimFault::Key(reason)))?;
        let header = self.inner.encoded_header.as_bytes();
        let mut input = Vec::with_capacity(header.len() + 1 + base64url::encoded_len(body.len()));
        input.extend_from_slice(header);
        input.push(b'.');
        match self.form {
            Form::Encoded => base64url::append(&mut input, body),
            Form::Unencoded => input.extend_from_slice(body),
        }
        match candidates
            .iter()
            .any(|jwk| jwk.key.verifies(&input, &self.inner.signature))
        {
            true => Ok(()),
            false => Err(Error::Invalid),
        }
    }
}

fn invalid(name: &str, fault: ClaimFault) -> Error {
    Error::InvalidClaim {
        name: name.to_owned(),
        fault,
    }
}

fn check_mandatory(header: &Header, forms: Forms) -> Result<(), Error> {
    let b64 = (forms == Forms::Unencoded).then_some("b64");
    let [iat, iss, tan] = MEMBERS;
    let names = ["alg", "kid"]
        .into_iter()
        .chain(b64)
        .chain([iat, iss, tan, "crit"]);
    match names.into_iter().find(|name| header.get(name).is_none()) {
        Some(name) => Err(Error::MissingClaim { name }),
        None => Ok(()),
    }
}

/// `b64` changes what is signed: where it is not allowed, no leniency lets it pass.
fn check_unknown(header: &Header, policy: &Policy) -> Result<(), Error> {
    let refused = |name: &str| match name {
        "alg" | "kid" | "typ" | "cty" | "crit" => false,
        "b64" => policy.forms == Forms::Encoded,
        _ => policy.unknown_members == UnknownMembers::Refuse && !MEMBERS.contains(&name),
    };
    match header.members().keys().find(|name| refused(name)) {
        Some(name) => Err(invalid(name, ClaimFault::Unexpected)),
        None => Ok(()),
    }
}

/// The members whose values come from a list: `alg`, `typ`, `cty`, `kid`, `b64`.
fn check_listed(header: &Header, policy: &Policy) -> Result<Algorithm, Error> {
    let not_accepted = |name: &str| {
        let value = header.get(name).map(Value::to_string).unwrap_or_default();
        invalid(name, ClaimFault::NotAccepted(value))
    };
    let algorithm = header
        .algorithm()
        .and_then(Result::ok)
        .filter(|algorithm| policy.algorithms.contains(algorithm))
        .ok_or_else(|| not_accepted("alg"))?;
    if header.get("typ").is_some_and(|typ| typ != "JOSE") {
        return Err(not_accepted("typ"));
    }
    if header
        .get("cty")
        .is_some_and(|cty| cty != "json" && cty != "application/json")
    {
        return Err(not_accepted("cty"));
    }
    header.kid().ok_or_else(|| not_accepted("kid"))?;
    if header.get("b64").is_some_and(|b64| b64 != false) {
        return Err(not_accepted("b64"));
    }
    Ok(algorithm)
}

fn check_critical(header: &Header, form: Form) -> Result<(), Error> {
    let names = header
        .critical()
        .map_err(|fault| invalid("crit", ClaimFault::Critical(fault)))?;
    let b64 = (form == Form::Unencoded).then_some("b64");
    let expected: Vec<&str> = MEMBERS.into_iter().chain(b64).collect();
    if let Some(name) = names.iter().find(|name| !expected.contains(name)) {
        return Err(invalid(name, ClaimFault::Unexpected));
    }
    // Names are distinct, so equal numbers mean equal sets.
    if names.len() != expected.len() {
        return Err(invalid("crit", ClaimFault::CriticalNames));
    }
    Ok(())
}
