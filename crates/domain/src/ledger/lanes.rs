//! Who pushes to whom: nodes hold leases, lanes name their owner, and an endpoint's health outlives both (D-05, D-06).

use std::fmt;

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
    /// So many lanes more than its share the node had when this was granted: it is to let go of them (D-09).
    pub surplus: u64,
}

/// What a lane's owner says and asks by: whose it is, and since which claim. What is left of a former claim is refused, though
/// the same node under the same lease has the lane again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Who claimed it.
    pub lease: Lease,
    /// Which claim of this lane it was: see [`Lane::claim`].
    pub number: u64,
}

/// Which lanes a node claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Those that have something to do by now.
    Due,
    /// Of those this node's share while others live, and what was passed over by them: see [`super::sharing`] (D-09).
    Share,
    /// Those that sleep, too, whenever they are to wake. What sleeps for good though it has something to push, and whoever
    /// was given up without a probe, is woken first: it was left so under other terms.
    All,
}

/// A lane, as its owner gets it.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    /// The TPP it delivers to.
    pub client_id: ClientId,
    /// Grows with each claim.
    pub claim: u64,
    /// What is known of the endpoint.
    pub health: Health,
}

/// What is known of a TPP's endpoint. Counters run per outage: from the first failure to an acknowledgement (D-06).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
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
        /// What went wrong last.
        reason: Reason,
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
        /// What went wrong last.
        reason: Reason,
    },
    /// An operator paused it.
    Paused {
        /// Since when.
        since: Timestamp,
    },
}

impl Health {
    /// Which of the four it is.
    pub const fn state(&self) -> HealthState {
        match self {
            Self::Responsive => HealthState::Responsive,
            Self::Failing { .. } => HealthState::Failing,
            Self::Unresponsive { .. } => HealthState::Unresponsive,
            Self::Paused { .. } => HealthState::Paused,
        }
    }

    /// When an endpoint that is held back is tried again by itself; `None` when it is not held back, or for good.
    pub const fn next_probe_at(&self) -> Option<Timestamp> {
        match self {
            Self::Failing { next_probe_at, .. } => Some(*next_probe_at),
            Self::Unresponsive { next_probe_at, .. } => *next_probe_at,
            Self::Responsive | Self::Paused { .. } => None,
        }
    }
}

/// Why an endpoint is held back, for people: the error's class or the status, and words (D-06). Never longer than
/// [`Reason::CHARS_MAX`], since part of it is what the other side said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct Reason(String);

impl Reason {
    /// A line on a screen; the attempts have the rest.
    pub const CHARS_MAX: usize = 200;

    /// As much of a text as is kept.
    pub fn new(text: &str) -> Self {
        Self(text.chars().take(Self::CHARS_MAX).collect())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The four healths without their details: what is counted and filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// See [`Health::Responsive`].
    Responsive,
    /// See [`Health::Failing`].
    Failing,
    /// See [`Health::Unresponsive`].
    Unresponsive,
    /// See [`Health::Paused`].
    Paused,
}

impl HealthState {
    /// Every state, in their order.
    pub const ALL: [Self; 4] = [
        Self::Responsive,
        Self::Failing,
        Self::Unresponsive,
        Self::Paused,
    ];
}

impl fmt::Display for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Responsive => "responsive",
            Self::Failing => "failing",
            Self::Unresponsive => "unresponsive",
            Self::Paused => "paused",
        })
    }
}

/// Which lanes to list. Each `Some` narrows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LaneFilter {
    /// Of endpoints in one state.
    pub state: Option<HealthState>,
}

/// One line of a list of lanes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneStatus {
    /// The TPP it delivers to.
    pub client_id: ClientId,
    /// What is known of the endpoint.
    pub health: Health,
    /// When it is worth claiming; `None`: only when news comes.
    pub wake_at: Option<Timestamp>,
    /// The node that has it and whose lease holds.
    pub owner: Option<NodeId>,
    /// The TPP's events that nobody has settled, those that are not pushed included.
    pub outstanding: u64,
}

/// How many lanes there are of each health, and how much waits for all TPPs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LaneTotals {
    /// See [`Health::Responsive`].
    pub responsive: u64,
    /// See [`Health::Failing`].
    pub failing: u64,
    /// See [`Health::Unresponsive`].
    pub unresponsive: u64,
    /// See [`Health::Paused`].
    pub paused: u64,
    /// Events of all TPPs that nobody has settled, those that are not pushed included.
    pub outstanding: u64,
    /// When the first of them was accepted, by the order in which each TPP's were.
    pub oldest_accepted_at: Option<Timestamp>,
}

impl LaneTotals {
    /// The number of one state, to be counted.
    pub const fn of(&mut self, state: HealthState) -> &mut u64 {
        match state {
            HealthState::Responsive => &mut self.responsive,
            HealthState::Failing => &mut self.failing,
            HealthState::Unresponsive => &mut self.unresponsive,
            HealthState::Paused => &mut self.paused,
        }
    }
}

/// What a lane's owner writes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneReport {
    /// Which lane.
    pub client_id: ClientId,
    /// By which claim: see [`Lane::claim`].
    pub claim: u64,
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
        /// `None`: only when news comes.
        wake_at: Option<Timestamp>,
    },
}

/// What became of a lane's report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    /// Written.
    Written,
    /// The lane is not this claim's any more; nothing was written.
    NotOwner,
}
