//! Aggregated polling: acknowledge, then choose (P-02 … P-14).

use std::num::NonZeroU32;
use std::time::Duration;

use crate::event::Family;
use crate::ids::{ClientId, InteractionId, Jti};
use crate::ledger::sets::Work;
use crate::time::Timestamp;

/// One `POST /events`, parsed and authorised.
#[derive(Debug, Clone, PartialEq)]
pub struct Poll {
    /// Who polls.
    pub client_id: ClientId,
    /// Events it has; unknown ones have no effect (P-04).
    pub acks: Vec<Jti>,
    /// Events it could not take (P-05). A jti that is in `acks` too counts as acknowledged.
    pub errors: Vec<(Jti, SetError)>,
    /// At most so many events, the bank's cap already applied (P-06).
    pub events_max: u32,
    /// Which families the token's scopes cover.
    pub families: Vec<Family>,
    /// What may be chosen.
    pub patience: Patience,
    /// The limits in force for this TPP.
    pub limits: Limits,
    /// For the record of the hand-outs.
    pub interaction_id: InteractionId,
}

/// What a TPP reports in `setErrs` (P-05).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetError {
    /// A code of the registry, or any text of up to 40 characters. `dup` acknowledges.
    pub err: String,
    /// For people.
    pub description: String,
}

impl SetError {
    /// The most characters of [`Self::err`].
    pub const ERR_CHARS_MAX: usize = 40;
    /// The most characters of [`Self::description`].
    pub const DESCRIPTION_CHARS_MAX: usize = 256;

    /// As long as a bank may be told: what is longer is cut off.
    pub fn of(err: &str, description: &str) -> Self {
        let cut = |text: &str, chars_max| text.chars().take(chars_max).collect();
        Self {
            err: cut(err, Self::ERR_CHARS_MAX),
            description: cut(description, Self::DESCRIPTION_CHARS_MAX),
        }
    }

    /// `dup` says that the TPP has the event already (P-05).
    pub fn is_duplicate_notice(&self) -> bool {
        self.err == "dup"
    }
}

/// What may be chosen (P-08).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Due events first and then, if there is room, those not yet due.
    Immediate,
    /// Only what is due.
    WaitForDue,
}

/// The limits of hand-outs in force for a TPP (P-08, P-12, D-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A hand-out makes its event not due for so long.
    pub redelivery_delay: Duration,
    /// So many setErrs set an event aside.
    pub error_cap: NonZeroU32,
    /// So many hand-outs settle it as *assumed*.
    pub hand_out_cap: Option<NonZeroU32>,
    /// Whether the oldest outstanding event must be settled first, alone.
    pub order: crate::tpp::DeliveryOrder,
}

/// What a poll did and chose.
#[derive(Debug, Clone, PartialEq)]
pub struct Polled {
    /// Events settled by this poll's acks and errors.
    pub settled: Vec<Jti>,
    /// Events chosen, in the order of hand-out.
    pub work: Vec<Work>,
    /// Something else is due and visible to this token (P-02).
    pub more_available: bool,
    /// When the next of the TPP's visible events falls due, for a waiter to sleep until; `None` when there is none.
    pub next_due_at: Option<Timestamp>,
    /// Why nothing could be chosen whatever is outstanding (P-10).
    pub refusal: Option<NothingToPoll>,
}

/// Why a TPP gets nothing by polling (P-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NothingToPoll {
    /// It has no event-subscription, and the bank requires one.
    NoSubscription,
    /// It is disabled or unknown.
    NotServed,
}
