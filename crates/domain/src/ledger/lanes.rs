//! Who pushes to whom: nodes hold leases, lanes name their owner, and an endpoint's health outlives both (D-05, D-06).

use serde::{Deserialize, Serialize};

use crate::ids::{ClientId, NodeId};
use crate::time::Timestamp;

/// A node's lease as the ledger granted it. Lanes are changed only by the epoch that claimed them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Whose.
    pub node_id: NodeId,
    /// Grows each time the node joins; an older epoch changes nothing any more.
    pub epoch: u64,
    /// By the database's clock.
    pub expires_at: Timestamp,
}

/// A lane that a node now owns.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    /// The TPP it delivers to.
    pub client_id: ClientId,
    /// What is known of the endpoint.
    pub health: Health,
}

/// What is known of a TPP's endpoint. Counters run per outage: from the first failure to an acknowledgement (D-06).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Nothing is held back.
    #[default]
    Responsive,
    /// Backing off.
    Failing {
        /// When the outage began.
        since: Timestamp,
        /// Failed attempts in a row.
        failures: u32,
        /// When the oldest event probes it next.
        next_probe_at: Timestamp,
    },
    /// The policy is exhausted: only the slow probe, an operator or a PUT brings it back.
    Unresponsive {
        /// When the outage began.
        since: Timestamp,
        /// When it was declared.
        declared_at: Timestamp,
        /// Failed attempts in a row.
        failures: u32,
        /// The slow probe; `None` when it is switched off.
        next_probe_at: Option<Timestamp>,
    },
    /// An operator paused it.
    Paused {
        /// Since when.
        since: Timestamp,
    },
}

/// What a lane's owner writes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneReport {
    /// Which lane.
    pub client_id: ClientId,
    /// What is known of the endpoint now.
    pub health: Health,
    /// Keep the lane, or let it go.
    pub hold: Hold,
}

/// Whether the owner keeps a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// It has work.
    Keep,
    /// It waits for longer than it is worth holding; claim it again at this moment, or when news comes.
    LetGo {
        /// `None`: only when an event is accepted for it.
        wake_at: Option<Timestamp>,
    },
}

/// What became of a lane's report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    /// Written.
    Written,
    /// The lane has another owner or epoch now; nothing was written.
    NotOwner,
}
