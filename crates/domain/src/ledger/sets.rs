//! Sign, keep, send (P-09): a SET's bytes are durable before the first of them leaves, and only returned bytes are sent.
//!
//! A compromised key is the one exception (M-06): what it signed and nobody has settled is signed anew, under the same jti.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::event::Notice;
use crate::ids::{ClientId, InteractionId, Jti};
use crate::time::Timestamp;

/// A chosen event: with its bytes, or with what they are to be made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// Its SET's identity.
    pub jti: Jti,
    /// Its place in the TPP's order of acceptance, from 1, without gaps.
    pub position: u64,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// How often its pushes were refused, since its counters last began (D-07).
    pub refusals: u32,
    /// When the first of those refusals was recorded.
    pub refused_since: Option<Timestamp>,
    /// How many of its pushes failed because the endpoint did (D-04), since its counters last began.
    pub endpoint_failures: u32,
    /// What is there of its SET.
    pub set: SetState,
}

/// What there is of a chosen event's SET.
#[derive(Debug, Clone, PartialEq)]
pub enum SetState {
    /// The bytes to send.
    Kept(String),
    /// What to sign. The notice is already reduced to what the registration wants (T-09).
    Unsigned {
        /// What happened.
        notice: Box<Notice>,
        /// The registrations' revision it was reduced by; the keeping write compares it.
        revision: u64,
    },
}

/// A freshly signed SET to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Whose it is.
    pub client_id: ClientId,
    /// Its identity.
    pub jti: Jti,
    /// [`SetState::Unsigned::revision`] of the work it was made from.
    pub revision: u64,
    /// The compact JWS.
    pub set: String,
    /// The key that signed it (M-06).
    pub kid: String,
    /// What it will be used for at once.
    pub purpose: Purpose,
}

/// A kept SET about to be used again: is its event still outstanding? (P-14)
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// It goes out in a poll's answer: counted as a hand-out.
    HandOut {
        /// So many hand-outs settle the event as *assumed* (P-12).
        cap: Option<NonZeroU32>,
        /// Of the poll.
        interaction_id: InteractionId,
    },
    /// It is pushed: the attempt is recorded when it ends.
    Push,
}

/// What became of one SET in the keeping write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// These bytes are durable and may be sent: the ones handed in, or those another node kept first.
    Send(String),
    /// The event was settled meanwhile. Send nothing.
    NoLongerOutstanding,
    /// What was chosen is out of date: the registration changed between choosing and keeping, or the key that had signed
    /// the SET was disowned (M-06). Send nothing, choose again: a poll's choice that ends so holds its event back no longer
    /// where the registration is the cause.
    ChooseAgain,
    /// The key that signed it is disowned (M-06). Nothing was kept: sign with another.
    KeyDisowned,
}

/// The bounds of one choice of work for pushing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// At most so many events.
    pub events_max: u32,
    /// They are not due again for so long: the time limit of one request (P-14).
    pub in_flight_for: Duration,
}

/// A key that must stay published: SETs that it signed may still be sent (M-06).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// Which key.
    pub kid: String,
    /// Its SETs of events that nobody has settled; those set aside as failed count, since they may be queued again.
    pub outstanding: u64,
    /// When the newest of these SETs was kept.
    pub last_kept_at: Timestamp,
}
