//! The JOSE header of a token that someone else made: read strictly, nothing in it followed. Which members it must have
//! and which it may is for [`crate::compact`] and [`crate::detached`] to say.

use std::str::FromStr;

use oyez_domain::json;
use serde_json::{Map, Value};

use crate::algorithm::{Algorithm, UnknownAlgorithm};
use crate::base64url;
use crate::limits::{HEADER_BYTES_MAX, JSON_DEPTH_MAX, KID_BYTES_MAX};

/// A parsed header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    members: Map<String, Value>,
}

/// Why a text is no JWS at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Over the limit for this form of token or its header.
    #[error("longer than {max} bytes")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// Not three parts between two dots.
    #[error("not three parts between two dots, but {found}")]
    Parts {
        /// How many there are.
        found: usize,
    },
    /// A detached JWS with something between its dots.
    #[error("the payload of a detached signature is not empty")]
    PayloadPresent,
    /// A part is not canonical base64url.
    #[error("the {part} is not base64url")]
    Base64 {
        /// `header`, `payload` or `signature`.
        part: &'static str,
    },
    /// The header is not JSON, or nested too deep.
    #[error("the header is not JSON")]
    NotJson,
    /// The header is JSON, but no object.
    #[error("the header is not a JSON object")]
    NotAnObject,
    /// A member stands twice in one object of the header.
    #[error("`{0}` stands twice in one object of the header")]
    Duplicate(String),
}

/// Why a `crit` is refused by RFC 7515, whatever the verifier understands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CritFault {
    /// Not an array of strings.
    #[error("`crit` is not an array of strings")]
    NotNames,
    /// The array is empty.
    #[error("`crit` is empty")]
    Empty,
    /// A name stands twice.
    #[error("`crit` names `{0}` twice")]
    Duplicate(String),
    /// A name that JWS itself defines.
    #[error("`crit` names `{0}`, which JWS defines itself")]
    Registered(String),
    /// A name of a member that is not in the header.
    #[error("`crit` names `{0}`, which is not in the header")]
    Absent(String),
}

impl Header {
    /// Reads the first part of a token.
    pub(crate) fn decode(part: &str) -> Result<Self, Malformed> {
        if part.len() > HEADER_BYTES_MAX {
            return Err(Malformed::TooLong {
                max: HEADER_BYTES_MAX,
            });
        }
        let text = base64url::decode(part).ok_or(Malformed::Base64 { part: "header" })?;
        match json::parse(&text, JSON_DEPTH_MAX) {
            Ok(Value::Object(members)) => Ok(Self { members }),
            Ok(_) => Err(Malformed::NotAnObject),
            Err(json::Malformed::DuplicateMember { name, .. }) => Err(Malformed::Duplicate(name)),
            Err(json::Malformed::Syntax(_) | json::Malformed::TooDeep(_)) => {
                Err(Malformed::NotJson)
            }
        }
    }

    /// A member's value.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// All members.
    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// `alg`, when it is there and one of ours. Another value, a number for instance, is named in the error.
    pub fn algorithm(&self) -> Option<Result<Algorithm, UnknownAlgorithm>> {
        self.get("alg").map(|value| match value {
            Value::String(name) => Algorithm::from_str(name),
            other => Err(UnknownAlgorithm(other.to_string())),
        })
    }

    /// `kid`, when it is a string of a length that a key can have.
    pub fn kid(&self) -> Option<&str> {
        self.get("kid")?
            .as_str()
            .filter(|kid| (1..=KID_BYTES_MAX).contains(&kid.len()))
    }

    /// The names in `crit`, none when it is absent.
    pub fn critical(&self) -> Result<Vec<&str>, CritFault> {
        let Some(value) = self.get("crit") else {
            return Ok(Vec::new());
        };
        let list = value.as_array().ok_or(CritFault::NotNames)?;
        if list.is_empty() {
            return Err(CritFault::Empty);
        }
        let mut names = Vec::with_capacity(list.len());
        for item in list {
            let name = item.as_str().ok_or(CritFault::NotNames)?;
            if names.contains(&name) {
                return Err(CritFault::Duplicate(name.to_owned()));
            }
            if REGISTERED.contains(&name) {
                return Err(CritFault::Registered(name.to_owned()));
            }
            if !self.members.contains_key(name) {
                return Err(CritFault::Absent(name.to_owned()));
            }
            names.push(name);
        }
        Ok(names)
    }
}

/// Splits `text` at its dots into exactly three parts.
pub(crate) fn three_parts(text: &str) -> Result<[&str; 3], Malformed> {
    let mut parts = text.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(payload), Some(signature), None) => Ok([header, payload, signature]),
        _ => Err(Malformed::Parts {
            found: text.split('.').count(),
        }),
    }
}

/// Header parameters of RFC 7515, 7516 and 7518; `crit` may not name them. `b64` (RFC 7797) is an extension: it may.
const REGISTERED: [&str; 20] = [
    "alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit", "enc",
    "zip", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c",
];
