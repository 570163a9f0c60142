//! Taking events in (I-01, I-02).

use crate::ids::Jti;

/// What became of one item of a batch. Only [`Acceptance::Accepted`] changed the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acceptance {
    /// It is durable and will be delivered under this jti.
    Accepted(Jti),
    /// It had been accepted before, under this jti (I-02).
    Duplicate(Jti),
    /// The same idempotency key was used for other content.
    IdempotencyConflict,
    /// No such TPP.
    UnknownTpp,
    /// The TPP is disabled.
    Disabled,
    /// The TPP has registered nothing that could carry it.
    NoSubscription,
    /// The TPP's registration wants none of its types, or not of resources of this version.
    NotSubscribed,
}
