//! The claims of a SET (T-01 … T-06): made from a notice here, and checked in whatever arrives elsewhere.
//!
//! Made claims are bytes with one fixed order of members, since they are signed as they are and kept for ever (P-09). There
//! is no `exp`: an event does not become untrue.

mod build;
mod check;
mod expect;

use serde_json::{Map, Value};

use crate::event::EventType;
use crate::time::Timestamp;

pub use build::{BuildError, Issue, build};
pub use check::{check, read};
pub use expect::Expected;

/// The claims of a SET that were checked: everything the standard asks for is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims {
    /// Who says so.
    pub iss: String,
    /// When it was said.
    pub iat: Timestamp,
    /// The SET's identity; another bank's need not be a UUID.
    pub jti: String,
    /// The resource.
    pub sub: String,
    /// To whom.
    pub aud: String,
    /// Of which transaction.
    pub txn: String,
    /// When it happened.
    pub toe: Timestamp,
    /// What happened; at least one.
    pub events: Vec<Event>,
}

/// One member of `events`.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its type.
    pub urn: EventType,
    /// A reason code (T-04).
    pub reason: Option<String>,
    /// What it is about (T-03).
    pub subject: Option<ClaimedSubject>,
    /// What else it says: types of the bank's own.
    pub payload: Map<String, Value>,
}

/// What an event is about (T-03).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedSubject {
    /// The resource's id.
    pub rid: String,
    /// The resource's type.
    pub rty: String,
    /// Where it is found; at least one.
    pub links: Vec<Link>,
}

/// Where a resource is found in one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// `v3.1`
    pub version: String,
    /// Its address.
    pub link: String,
}

/// The names of private claims in a market: `http://openbanking.org.uk/rid`.
struct Names {
    subject_type: String,
    rid: String,
    rty: String,
    rlk: String,
}

impl Names {
    fn of(claim_prefix: &str) -> Self {
        Self {
            subject_type: format!("{claim_prefix}rid_{claim_prefix}rty"),
            rid: format!("{claim_prefix}rid"),
            rty: format!("{claim_prefix}rty"),
            rlk: format!("{claim_prefix}rlk"),
        }
    }
}

#[cfg(test)]
mod tests;
