//! An event as the bank's own systems tell it (I-01), before it is a token.
//!
//! A notice names resources by type and id; addresses are built from the resource table when the token is (T-06), never by
//! the publisher.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{ClientId, IdempotencyKey, Jti, ResourceId, TransactionId};
use crate::time::Timestamp;
use crate::trace::TraceContext;
use crate::version::ApiVersion;

/// The full URN of an event type, whichever name it was given by (T-02).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventType(pub String);

/// Something happened to a resource that a TPP holds. Built by validation of what a publisher sent; always whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Whom it concerns.
    pub client_id: ClientId,
    /// The resource it happened to.
    pub resource: Resource,
    /// What happened: at least one, each type once.
    pub happenings: Vec<Happening>,
    /// When it happened, to the second.
    pub toe: Timestamp,
    /// The transaction it belongs to; the jti where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txn: Option<TransactionId>,
    /// It tells of nothing that happened: an operator tries the way to a TPP (I-04). The ledger knows, the SET does not say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub test: bool,
    /// Where in a trace its publisher was, where it said. The ledger knows, the SET does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Box<TraceContext>>,
}

impl Notice {
    /// What routing goes by when a registration changes.
    pub fn types(&self) -> EventTypes {
        let happenings = self.happenings.iter();
        EventTypes(happenings.map(|each| each.event_type.clone()).collect())
    }
}

/// The types of a notice, each once and in order, so that notices with the same types have the same text for them. Events are
/// many and mixtures of types few: a ledger keeps each once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventTypes(pub BTreeSet<EventType>);

/// A resource by type and id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// The name of its row in the resource table: `account-access-consent`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id at the bank.
    pub id: ResourceId,
    /// The version it was created in. Where nobody said, no registration is passed over for it, and every served version is
    /// linked to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<ApiVersion>,
    /// Which scope a token needs to be handed events about it; from the resource table.
    pub family: Family,
}

/// The four families of resources, and so the scopes that cover them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Account information: scope `accounts`.
    Aisp,
    /// Payments: scope `payments`.
    Pisp,
    /// Confirmation of funds: scope `fundsconfirmations`.
    Cbpii,
    /// Variable recurring payments: scope `payments`.
    Vrp,
}

impl Family {
    /// Every family, in their order.
    pub const ALL: [Self; 4] = [Self::Aisp, Self::Pisp, Self::Cbpii, Self::Vrp];
}

/// One member of a SET's `events`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Happening {
    /// Its type, always as the URN.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// A reason code (T-04).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Another subject than the resource itself: the linked account (T-05).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// The payload of the bank's own types (T-02).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
}

/// What an event is about, where that is not its resource (T-05).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The name of its row in the resource table.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id at the bank.
    pub id: ResourceId,
}

/// A notice on its way into the ledger, with everything drawn at random or from a clock already in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// The jti it will have if it is accepted.
    pub jti: Jti,
    /// What happened.
    pub notice: Notice,
    /// How a repeat is recognised (I-02).
    pub idempotency: Option<Idempotency>,
}

/// How a repeat of a submission is recognised (I-02).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The publisher's key, unique per TPP.
    pub key: IdempotencyKey,
    /// SHA-256 of the content, so that the same key with other content is noticed.
    pub fingerprint: [u8; 32],
}
