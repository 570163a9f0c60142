//! The audit trail as chains of hashes (I-05): what makes an edit, a removal or another order visible.
//!
//! Each entry belongs to one chain: its TPP's, or, where it concerns none, the operators'. One chain of all would be one lock
//! over all TPPs. In its chain an entry has a number, from 1, and the SHA-256 of its canonical form: a JSON object, members by
//! name, without white space, of `action`, `actor`, `after`, `at`, `before`, `chain` (the client_id, or null), `number` and
//! `previous` (the hash before it as lower-case hex, or null). Whoever has an export can compute it with any tool.
//!
//! The number in the trail as a whole is not hashed: each ledger draws it for itself. Entries that were written before there
//! were chains have none; a chain begins after them.

mod walk;

use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::history::{AuditEntry, Page};
use crate::ids::ClientId;

pub use walk::{Break, Walk, Walked};

/// An entry's place in its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// From 1, without a gap.
    pub number: u64,
    /// Over what the entry says and the hash before it.
    pub hash: Hash,
}

/// A SHA-256, written in lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Hash(pub [u8; 32]);

/// A text that is no hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 in 64 lower-case hexadecimal digits is expected")]
pub struct NotAHash;

/// Where the chains end: the operators', and those of TPPs by client_id. A TPP without an entry in its chain has no link.
#[derive(Debug, Clone, PartialEq)]
pub struct Heads {
    /// The chain of what concerns no TPP.
    pub operators: Option<Link>,
    /// A page of the others.
    pub tpps: Page<(ClientId, Option<Link>), ClientId>,
}

impl AuditEntry {
    /// The link that this entry has in its chain, if it comes after `previous`.
    pub fn link_after(&self, previous: Option<Link>) -> Link {
        let number = previous.map_or(0, |link| link.number) + 1;
        let previous = previous.map(|link| link.hash);
        Link {
            number,
            hash: self.hash(number, previous),
        }
    }

    fn hash(&self, number: u64, previous: Option<Hash>) -> Hash {
        let said = serde_json::json!({
            "action": self.action,
            "actor": self.actor.to_string(),
            "after": self.after,
            "at": self.at.to_string(),
            "before": self.before,
            "chain": self.client_id,
            "number": number,
            "previous": previous,
        });
        let mut text = String::new();
        write_canonical(&said, &mut text);
        Hash(Sha256::digest(text.as_bytes()).into())
    }
}

/// Members by name, whatever order the map of JSON objects has in this build.
fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (index, (name, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write_canonical(value, text);
            }
            text.push('}');
        }
        Value::Array(values) => {
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_canonical(value, text);
            }
            text.push(']');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        let mut text = Self::with_capacity(64);
        write!(text, "{hash}").expect("a text takes what is written");
        text
    }
}

impl TryFrom<String> for Hash {
    type Error = NotAHash;

    fn try_from(text: String) -> Result<Self, NotAHash> {
        text.parse()
    }
}

impl FromStr for Hash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 64 || !text.bytes().all(is_digit) {
            return Err(NotAHash);
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = std::str::from_utf8(digits).expect("digits are ASCII");
            *byte = u8::from_str_radix(digits, 16).expect("these are digits");
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests;
