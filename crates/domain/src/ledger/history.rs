//! Looking back (I-03): one event whole, lists a page at a time, and counts that balance.

use std::time::Duration;

use crate::actor::Actor;
use crate::event::{EventType, Notice};
use crate::ids::{ClientId, InteractionId, Jti, ResourceId, TransactionId};
use crate::ledger::poll::SetError;
use crate::ledger::push::Attempt;
use crate::ledger::trail::Link;
use crate::life::{Ending, Settlement, State};
use crate::time::Timestamp;

/// Everything the ledger knows of one event, oldest first in each list.
#[derive(Debug, Clone, PartialEq)]
pub struct EventFile {
    /// The event itself.
    pub summary: EventSummary,
    /// What the publisher said.
    pub notice: Notice,
    /// The SETs signed for it: one, and more only after a key was compromised (M-06).
    pub sets: Vec<KeptSet>,
    /// What the TPP was given and said.
    pub hand_outs: Vec<HandOut>,
    /// What the TPP reported against it.
    pub errors: Vec<ReportedError>,
    /// Pushes.
    pub attempts: Vec<Attempt>,
    /// Its ends: more than one when it failed and was acknowledged or re-queued later.
    pub settlements: Vec<Settlement>,
}

/// One line of a list of events.
#[derive(Debug, Clone, PartialEq)]
pub struct EventSummary {
    /// Its identity.
    pub jti: Jti,
    /// Whose it is.
    pub client_id: ClientId,
    /// Its place in the TPP's order.
    pub position: u64,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// It tells of nothing that happened: an operator's test (I-04).
    pub test: bool,
    /// Its types as published.
    pub event_types: Vec<EventType>,
    /// The resource's type.
    pub resource_kind: String,
    /// The resource's id.
    pub resource_id: ResourceId,
    /// Where it stands.
    pub state: State,
}

/// A SET as it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSet {
    /// The compact JWS.
    pub set: String,
    /// The key that signed it.
    pub kid: String,
    /// When it was kept.
    pub kept_at: Timestamp,
}

/// One hand-out by a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandOut {
    /// When.
    pub at: Timestamp,
    /// Of the poll.
    pub interaction_id: InteractionId,
}

/// One entry of a `setErrs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedError {
    /// When.
    pub at: Timestamp,
    /// Of the poll.
    pub interaction_id: InteractionId,
    /// What.
    pub error: SetError,
}

/// Which events to list. Each `Some` narrows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EventFilter {
    /// Of one TPP.
    pub client_id: Option<ClientId>,
    /// In one state.
    pub state: Option<StateFilter>,
    /// That carry this type.
    pub event_type: Option<EventType>,
    /// About one resource.
    pub resource_id: Option<ResourceId>,
    /// Of one transaction; an event without one answers to its jti.
    pub txn: Option<TransactionId>,
    /// With a push, hand-out or error of this interaction.
    pub interaction_id: Option<InteractionId>,
    /// Accepted at or after.
    pub accepted_from: Option<Timestamp>,
    /// Accepted before.
    pub accepted_before: Option<Timestamp>,
}

/// A state to list by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateFilter {
    /// Neither acknowledged nor given up.
    Outstanding,
    /// Ended so.
    Settled(Ending),
}

/// One page of a list, newest first. It may have fewer rows than were asked for, even none, and still say where the next
/// begins: one request looks at so many candidates at most.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T, C> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<C>,
}

/// How many events of a TPP stand where. They balance, also after retention (I-03).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Ever accepted.
    pub accepted: u64,
    /// Neither acknowledged nor given up.
    pub outstanding: u64,
    /// Ended so.
    pub acknowledged: u64,
    /// Set aside after errors, and still so.
    pub failed: u64,
    /// Ended so.
    pub expired: u64,
    /// Ended so.
    pub withdrawn: u64,
}

impl Counts {
    /// Whether every accepted event stands in exactly one place.
    pub const fn balance(&self) -> bool {
        self.accepted
            == self.outstanding + self.acknowledged + self.failed + self.expired + self.withdrawn
    }
}

/// What happened for a TPP in one minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Minute {
    /// The start of the minute.
    pub minute: Timestamp,
    /// Events accepted.
    pub accepted: u64,
    /// Hand-outs by polls.
    pub handed_out: u64,
    /// Pushes that ended.
    pub pushed: u64,
    /// Events acknowledged.
    pub acknowledged: u64,
    /// Events that failed.
    pub failed: u64,
    /// Events that expired.
    pub expired: u64,
    /// Events withdrawn.
    pub withdrawn: u64,
}

/// A change somebody made (I-05).
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Its place in the trail, from 1.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What, as a fixed dotted word: `tpp.disabled`.
    pub action: String,
    /// The TPP it concerns, where it concerns one.
    pub client_id: Option<ClientId>,
    /// The state before, as JSON.
    pub before: Option<serde_json::Value>,
    /// The state after, as JSON.
    pub after: Option<serde_json::Value>,
    /// Its place in its chain: that of its TPP, or the operators'. `None` if it was written before there were chains.
    pub link: Option<Link>,
}

/// What one small batch of retention removed (I-06).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Events and everything of theirs.
    pub events: u64,
    /// Idempotency keys.
    pub keys: u64,
    /// Minutes of counters.
    pub minutes: u64,
    /// Changes of endpoints' health: they are kept as long as settled events.
    pub health_changes: u64,
}

/// How long things are kept (I-06, I-02).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Settled events, from their settlement.
    pub settled_for: Duration,
    /// Idempotency keys, from their acceptance.
    pub keys_for: Duration,
    /// Per-minute counters.
    pub minutes_for: Duration,
    /// At most so many events in one batch.
    pub batch_max: u32,
}
