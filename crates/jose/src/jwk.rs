//! One entry of a key set: a public key and what its owner says about it. What we cannot use is told apart from what is
//! wrong, because a TPP's set may hold keys for other purposes.

use std::fmt;

use serde_json::{Map, Value};

use crate::access_token;
use crate::base64url;
use crate::key_error::KeyError;
use crate::limits::KID_BYTES_MAX;
use crate::public_key::PublicKey;
use crate::unix_time::UnixTime;

/// A public key of a key set with its attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwk {
    /// The key.
    pub key: PublicKey,
    /// `kid`. A key without one is never selected.
    pub kid: Option<String>,
    /// What `use` and `key_ops` say it is for.
    pub usage: KeyUse,
    /// `nbf`: not valid before.
    pub not_before: Option<UnixTime>,
    /// `exp`: not valid from then on.
    pub expires_at: Option<UnixTime>,
    /// Whether there is a `revoked` member (OpenID Federation); when it happened does not matter, a revoked key may
    /// have signed anything.
    pub revoked: bool,
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// Signatures: `use` is absent or `sig`, `key_ops` absent or with `verify`.
    Signatures,
    /// Something else: encryption, TLS.
    Other,
}

/// Why an entry of a key set is not a key for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// The entry is not a JSON object.
    NotAnObject,
    /// `kty` is absent or neither `RSA` nor `EC`.
    KeyType(String),
    /// `crv` is not `P-256`.
    Curve(String),
    /// `alg` is not the one algorithm that we use with this type of key.
    Algorithm(String),
    /// The entry holds private numbers: whoever publishes them has lost the key.
    PrivateNumbers,
    /// A member is absent or has a value that cannot be.
    Member(&'static str),
    /// The numbers are not a key that we accept.
    Key(KeyError),
}

impl Jwk {
    /// A key for signatures, with no limits in time.
    pub fn new(kid: impl Into<String>, key: PublicKey) -> Self {
        Self {
            key,
            kid: Some(kid.into()),
            usage: KeyUse::Signatures,
            not_before: None,
            expires_at: None,
            revoked: false,
        }
    }

    /// The entry as JSON. A key for other uses is written as `enc`, the only other registered use.
    pub(crate) fn to_value(&self) -> Value {
        let mut entry = self.key.to_jwk(self.kid.as_deref().unwrap_or_default());
        if self.kid.is_none() {
            entry.remove("kid");
        }
        if self.usage == KeyUse::Other {
            entry.remove("alg");
            entry.insert("use".to_owned(), "enc".into());
        }
        for (name, at) in [("nbf", self.not_before), ("exp", self.expires_at)] {
            if let Some(at) = at {
                entry.insert(name.to_owned(), at.seconds().into());
            }
        }
        if self.revoked {
            entry.insert("revoked".to_owned(), true.into());
        }
        Value::Object(entry)
    }

    /// Reads an entry that may verify RS256: of type RSA, and `alg` is absent or says so.
    pub(crate) fn read_for_rs256(entry: &Value) -> Option<Self> {
        let mut members = entry.as_object()?.clone();
        let meant = members
            .remove("alg")
            .is_none_or(|alg| alg == access_token::RS256);
        let is_rsa = members.get("kty").is_some_and(|kty| kty == "RSA");
        (meant && is_rsa)
            .then(|| Self::read(&members.into()).ok())
            .flatten()
    }

    /// Reads one entry. `x5c`, `x5u` and every unknown member are ignored: a certificate beside a key proves nothing
    /// that the source of the set does not.
    pub(crate) fn read(entry: &Value) -> Result<Self, SkipReason> {
        let members = entry.as_object().ok_or(SkipReason::NotAnObject)?;
        if PRIVATE_NUMBERS
            .iter()
            .any(|name| members.contains_key(*name))
        {
            return Err(SkipReason::PrivateNumbers);
        }
        let key = match text(members, "kty")? {
            Some("RSA") => {
                let (n, e) = (number(members, "n")?, number(members, "e")?);
                PublicKey::from_rsa(&n, &e).map_err(SkipReason::Key)?
            }
            Some("EC") => {
                let curve = text(members, "crv")?.unwrap_or_default();
                if curve != "P-256" {
                    return Err(SkipReason::Curve(curve.to_owned()));
                }
                let (x, y) = (number(members, "x")?, number(members, "y")?);
                PublicKey::from_p256(&x, &y).map_err(SkipReason::Key)?
            }
            other => return Err(SkipReason::KeyType(other.unwrap_or_default().to_owned())),
        };
        if let Some(named) = text(members, "alg")?
            && named != key.algorithm().name()
        {
            return Err(SkipReason::Algorithm(named.to_owned()));
        }
        Ok(Self {
            key,
            kid: kid(members)?.map(str::to_owned),
            usage: usage(members)?,
            not_before: time(members, "nbf")?,
            expires_at: time(members, "exp")?,
            revoked: !matches!(
                members.get("revoked"),
                None | Some(Value::Null | Value::Bool(false))
            ),
        })
    }
}

/// The `kid` of an entry, when it has a usable one.
pub(crate) fn kid(members: &Map<String, Value>) -> Result<Option<&str>, SkipReason> {
    match text(members, "kid")? {
        Some(kid) if kid.is_empty() || kid.len() > KID_BYTES_MAX => Err(SkipReason::Member("kid")),
        kid => Ok(kid),
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject => f.write_str("not a JSON object"),
            Self::KeyType(kty) => write!(f, "key type `{kty}` is not RSA or EC"),
            Self::Curve(crv) => write!(f, "curve `{crv}` is not P-256"),
            Self::Algorithm(alg) => write!(
                f,
                "algorithm `{alg}` is not PS256 or ES256, or not for this type of key"
            ),
            Self::PrivateNumbers => f.write_str("a private key in a public set"),
            Self::Member(name) => write!(f, "`{name}` is absent or wrong"),
            Self::Key(error) => error.fmt(f),
        }
    }
}

fn text<'m>(
    members: &'m Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'m str>, SkipReason> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(SkipReason::Member(name)),
    }
}

fn number(members: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, SkipReason> {
    text(members, name)?
        .and_then(base64url::decode)
        .ok_or(SkipReason::Member(name))
}

fn time(members: &Map<String, Value>, name: &'static str) -> Result<Option<UnixTime>, SkipReason> {
    match members.get(name) {
        None => Ok(None),
        Some(value) => UnixTime::from_numeric_date(value)
            .map(Some)
            .ok_or(SkipReason::Member(name)),
    }
}

fn usage(members: &Map<String, Value>) -> Result<KeyUse, SkipReason> {
    let operations = match members.get("key_ops") {
        None => KeyUse::Signatures,
        Some(Value::Array(list)) if list.iter().any(|op| op == "verify") => KeyUse::Signatures,
        Some(Value::Array(_)) => KeyUse::Other,
        Some(_) => return Err(SkipReason::Member("key_ops")),
    };
    match text(members, "use")? {
        None | Some("sig") => Ok(operations),
        Some(_) => Ok(KeyUse::Other),
    }
}

const PRIVATE_NUMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
