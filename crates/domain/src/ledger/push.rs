//! Pushing: what to send next, and what came of it (D-01 … D-14).

use std::net::SocketAddr;
use std::time::Duration;

use crate::ids::{InteractionId, Jti};
use crate::ledger::sets::Work;
use crate::life::Settlement;
use crate::time::Timestamp;

/// What is to be pushed to one TPP now.
#[derive(Debug, Clone, PartialEq)]
pub struct DueForPush {
    /// Exactly as registered (D-01); `None` when nothing may be pushed to this TPP.
    pub callback_url: Option<String>,
    /// Chosen events, in order; none when there is no address.
    pub work: Vec<Work>,
    /// Until when the chosen events are in flight. It names this choice: whatever is recorded or put back carries it.
    pub in_flight_until: Timestamp,
    /// When the next one falls due, if any is outstanding and pushable.
    pub next_at: Option<Timestamp>,
}

/// An event as one choice took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// Which event.
    pub jti: Jti,
    /// [`DueForPush::in_flight_until`] of the choice.
    pub in_flight_until: Timestamp,
}

/// An attempt that ended, and by which choice it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// [`DueForPush::in_flight_until`] of the choice.
    pub in_flight_until: Timestamp,
    /// What came of it.
    pub attempt: Attempt,
}

/// One attempt, ended (D-14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Of which event.
    pub jti: Jti,
    /// When it started.
    pub started_at: Timestamp,
    /// How long it took.
    pub latency: Duration,
    /// Of this attempt alone.
    pub interaction_id: InteractionId,
    /// The other side, as far as it was reached.
    pub peer: Peer,
    /// What it answered, or why it did not.
    pub answer: Answer,
    /// What follows for the event.
    pub verdict: Verdict,
}

/// The other side of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Peer {
    /// The address dialled.
    pub address: Option<SocketAddr>,
    /// `TLSv1.3`.
    pub tls_version: Option<String>,
    /// SHA-256 of the server's certificate, in hex.
    pub certificate_thumbprint: Option<String>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A response was read, at least its head.
    Response {
        /// The HTTP status.
        status: u16,
        /// The first bytes of its body, bounded.
        body_head: Vec<u8>,
        /// What was odd about it (D-02), in a fixed short word.
        deviation: Option<String>,
    },
    /// There was none.
    Error {
        /// A fixed short word for the kind: `connect`, `tls`, `timeout`.
        class: String,
        /// The chain of causes, for people.
        detail: String,
    },
}

/// What an attempt means for its event (D-02 … D-07).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The TPP has it.
    Acknowledged,
    /// The event was refused (D-04): it backs off by itself and is charged for it; polls may have it at once.
    Refused {
        /// When it may be pushed again; `None` when its own policy is exhausted: poll only (D-07).
        again_at: Option<Timestamp>,
    },
    /// The endpoint failed (D-04): the lane backs off. The event's own policy is not charged for it, and it keeps its turn.
    EndpointFailed,
}

/// What recording an attempt found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// The verdict was applied.
    Applied,
    /// The event had been settled before; the attempt is recorded and changes nothing (P-14).
    AlreadySettled(Settlement),
    /// Its choice had ended before: it ran out and the event was chosen anew, or it was put back. The attempt is recorded, a
    /// failure charged to nobody, and a later choice goes on.
    Late,
    /// This very attempt was recorded before: nothing is written again.
    Repeated,
    /// No such event of this TPP.
    Unknown,
}
