//! Key sets: strict about what they are, tolerant about what is in them. A set with a duplicate member, or one that is
//! not JSON, is refused whole; an entry that we cannot use is skipped and the reason kept, so that a TPP's encryption
//! key or a new algorithm in its set breaks nothing.

use oyez_domain::json;
use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::jwk::{self, Jwk, KeyUse, SkipReason};
use crate::limits::{JSON_DEPTH_MAX, JWKS_BYTES_MAX, JWKS_KEYS_MAX};
use crate::unix_time::UnixTime;

/// A set of public keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Jwks {
    keys: Vec<Jwk>,
    skipped: Vec<Skipped>,
    /// RSA keys that may verify RS256, for [`crate::access_token`] alone: those whose owner names that algorithm, which are
    /// skipped for all else, and those whose owner names none.
    rs256: Vec<Jwk>,
}

/// An entry that is no key for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its place in the set, from zero.
    pub index: usize,
    /// Its `kid`, when it has one.
    pub kid: Option<String>,
    /// Why it is skipped.
    pub reason: SkipReason,
}

/// Why a text is no key set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// Longer than [`JWKS_BYTES_MAX`].
    #[error("the key set is longer than {JWKS_BYTES_MAX} bytes")]
    TooLong,
    /// Not JSON, or nested too deep.
    #[error("the key set is not JSON")]
    NotJson,
    /// A member stands twice in one object.
    #[error("`{0}` stands twice in one object of the key set")]
    Duplicate(String),
    /// No object with an array `keys`.
    #[error("the key set has no array `keys`")]
    NoKeys,
    /// More than [`JWKS_KEYS_MAX`] entries.
    #[error("the key set has more than {JWKS_KEYS_MAX} keys")]
    TooMany,
}

/// Why no key of a set may verify a signature. Of several keys with one `kid`, the first one's reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoKey {
    /// No entry has this `kid`: time to fetch the set anew.
    #[error("no key has this kid")]
    Unknown,
    /// The entry was skipped when the set was read.
    #[error("the key with this kid cannot be used: {0}")]
    Unusable(SkipReason),
    /// The key is of another type than the algorithm asks for.
    #[error("the key with this kid is for another algorithm")]
    OtherAlgorithm,
    /// `use` or `key_ops` say so.
    #[error("the key with this kid is not for signatures")]
    NotForSignatures,
    /// It has a `revoked` member.
    #[error("the key with this kid is revoked")]
    Revoked,
    /// `nbf` is in the future.
    #[error("the key with this kid is not yet valid")]
    NotYetValid,
    /// `exp` has passed.
    #[error("the key with this kid has expired")]
    Expired,
}

impl Jwks {
    /// Reads a key set.
    pub fn parse(text: &[u8]) -> Result<Self, JwksError> {
        if text.len() > JWKS_BYTES_MAX {
            return Err(JwksError::TooLong);
        }
        let value = json::parse(text, JSON_DEPTH_MAX).map_err(|fault| match fault {
            json::Malformed::DuplicateMember { name, .. } => JwksError::Duplicate(name),
            json::Malformed::Syntax(_) | json::Malformed::TooDeep(_) => JwksError::NotJson,
        })?;
        let entries = value
            .get("keys")
            .and_then(Value::as_array)
            .ok_or(JwksError::NoKeys)?;
        if entries.len() > JWKS_KEYS_MAX {
            return Err(JwksError::TooMany);
        }
        let mut set = Self {
            rs256: entries.iter().filter_map(Jwk::read_for_rs256).collect(),
            ..Self::default()
        };
        for (index, entry) in entries.iter().enumerate() {
            match Jwk::read(entry) {
                Ok(key) => set.keys.push(key),
                Err(reason) => set.skipped.push(Skipped {
                    index,
                    kid: kid_of(entry),
                    reason,
                }),
            }
        }
        Ok(set)
    }

    /// The usable entries, in the order of the set.
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// The entries that were skipped, and why.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// The keys that may verify a signature made with `algorithm` and marked `kid`, at `now`. Usually one; several only
    /// when the owner gave one `kid` to keys of the same type and use, and then each is tried.
    pub fn select(
        &self,
        kid: &str,
        algorithm: Algorithm,
        now: UnixTime,
    ) -> Result<Vec<&Jwk>, NoKey> {
        self.choose(&self.keys, kid, algorithm, now)
    }

    /// Whether any entry has this `kid`, usable or not: if none has, a newer copy of the set might.
    pub fn has_kid(&self, kid: &str) -> bool {
        let mut usable = self.keys.iter().map(|key| &key.kid);
        let mut skipped = self.skipped.iter().map(|entry| &entry.kid);
        let is_it = |one: &Option<String>| one.as_deref() == Some(kid);
        usable.any(is_it) || skipped.any(is_it)
    }

    /// As [`Self::select`] for RS256.
    pub(crate) fn select_rs256(&self, kid: &str, now: UnixTime) -> Result<Vec<&Jwk>, NoKey> {
        // All are RSA keys, so none is for another algorithm than the one that RSA keys are known by.
        self.choose(&self.rs256, kid, Algorithm::PS256, now)
            .map_err(|reason| match reason {
                NoKey::Unknown if self.has_kid(kid) => NoKey::OtherAlgorithm,
                reason => reason,
            })
    }

    fn choose<'k>(
        &self,
        keys: &'k [Jwk],
        kid: &str,
        algorithm: Algorithm,
        now: UnixTime,
    ) -> Result<Vec<&'k Jwk>, NoKey> {
        let mut fit = Vec::new();
        let mut reason = None;
        for key in keys.iter().filter(|key| key.kid.as_deref() == Some(kid)) {
            match unfit(key, algorithm, now) {
                None => fit.push(key),
                Some(why) => reason = reason.or(Some(why)),
            }
        }
        if !fit.is_empty() {
            return Ok(fit);
        }
        let skipped = || {
            let entry = self
                .skipped
                .iter()
                .find(|entry| entry.kid.as_deref() == Some(kid))?;
            Some(NoKey::Unusable(entry.reason.clone()))
        };
        Err(reason.or_else(skipped).unwrap_or(NoKey::Unknown))
    }

    /// The set as JSON, of the usable keys only.
    pub fn to_json(&self) -> String {
        let keys: Vec<Value> = self.keys.iter().map(Jwk::to_value).collect();
        serde_json::json!({ "keys": keys }).to_string()
    }
}

impl FromIterator<Jwk> for Jwks {
    fn from_iter<I: IntoIterator<Item = Jwk>>(keys: I) -> Self {
        Self {
            keys: keys.into_iter().collect(),
            skipped: Vec::new(),
            rs256: Vec::new(),
        }
    }
}

fn unfit(key: &Jwk, algorithm: Algorithm, now: UnixTime) -> Option<NoKey> {
    if key.key.algorithm() != algorithm {
        Some(NoKey::OtherAlgorithm)
    } else if key.usage != KeyUse::Signatures {
        Some(NoKey::NotForSignatures)
    } else if key.revoked {
        Some(NoKey::Revoked)
    } else if key.not_before.is_some_and(|from| now < from) {
        Some(NoKey::NotYetValid)
    } else if key.expires_at.is_some_and(|until| now >= until) {
        Some(NoKey::Expired)
    } else {
        None
    }
}

fn kid_of(entry: &Value) -> Option<String> {
    jwk::kid(entry.as_object()?)
        .ok()
        .flatten()
        .map(str::to_owned)
}
