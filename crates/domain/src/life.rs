//! The life of an event: *accepted*, then *outstanding* until it is acknowledged, failed, expired or withdrawn (D-08).
//!
//! Nothing that a TPP has not acknowledged is ever final because of pushing (D-07): giving up a push is a matter of the
//! outstanding event, not an end of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::time::Timestamp;

/// Where an accepted event stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Neither acknowledged nor given up.
    Outstanding,
    /// Ended.
    Settled(Settlement),
}

/// How an event ended, by whom and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// How, with the reason.
    pub outcome: Outcome,
    /// By whom.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
}

/// The four ends, each with its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The TPP has it.
    Acknowledged(Acknowledged),
    /// The TPP reported errors up to the cap (P-12). Only this end can be left: a late `ack` acknowledges (P-05), an
    /// operator re-queues (I-04).
    Failed,
    /// Nobody acknowledged it in the configured time (I-06).
    Expired,
    /// The TPP no longer wants it, or an operator took it back.
    Withdrawn(Withdrawn),
}

/// How we know that the TPP has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Acknowledged {
    /// It answered a push with 202 (D-02).
    Push,
    /// It sent `ack` in a poll.
    Poll,
    /// It reported the error `dup`: it had it before (P-05).
    Duplicate,
    /// It was handed out as often as the hand-out cap says (P-12).
    Assumed,
}

/// Why an event was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Withdrawn {
    /// The registration that wanted it was deleted (S-05, C-07a).
    RegistrationDeleted,
    /// The registration no longer wants its types (S-12).
    TypeNoLongerWanted,
    /// An operator removed it.
    ByOperator,
}

/// The four ends without their reasons: what is counted and filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// See [`Outcome::Acknowledged`].
    Acknowledged,
    /// See [`Outcome::Failed`].
    Failed,
    /// See [`Outcome::Expired`].
    Expired,
    /// See [`Outcome::Withdrawn`].
    Withdrawn,
}

/// Something that may end an event, or bring it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Occurrence {
    /// The TPP has it, as far as we know.
    Acknowledged(Acknowledged),
    /// Its setErrs reached the cap (P-12).
    ErrorsReachedCap,
    /// Its time is over (I-06).
    TimeIsOver,
    /// The TPP no longer wants it, or an operator took it back.
    Withdrawn(Withdrawn),
    /// An operator re-queued it (I-04).
    Requeued,
}

/// What an occurrence does to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transition {
    /// It ends, or ends anew.
    Settles(Outcome),
    /// It is outstanding again, at its old place, its counts begun anew.
    Reopens,
    /// Nothing: it had ended before, or there was nothing to bring back.
    Nothing,
}

/// What an occurrence does to an event that stands where `settled` says; `None` is outstanding.
///
/// An event ends once. Only a failed one can be left: what the TPP itself says of it later counts (P-05), and an operator
/// may re-queue it. Backends and the model both go by this.
pub const fn step(settled: Option<Outcome>, occurrence: Occurrence) -> Transition {
    match (settled, occurrence) {
        (None, Occurrence::Acknowledged(how)) => Transition::Settles(Outcome::Acknowledged(how)),
        (None, Occurrence::ErrorsReachedCap) => Transition::Settles(Outcome::Failed),
        (None, Occurrence::TimeIsOver) => Transition::Settles(Outcome::Expired),
        (None, Occurrence::Withdrawn(why)) => Transition::Settles(Outcome::Withdrawn(why)),
        (
            Some(Outcome::Failed),
            Occurrence::Acknowledged(
                how @ (Acknowledged::Push | Acknowledged::Poll | Acknowledged::Duplicate),
            ),
        ) => Transition::Settles(Outcome::Acknowledged(how)),
        (Some(Outcome::Failed), Occurrence::Requeued) => Transition::Reopens,
        (None, Occurrence::Requeued) | (Some(_), _) => Transition::Nothing,
    }
}

impl Outcome {
    /// The end without its reason.
    pub const fn ending(self) -> Ending {
        match self {
            Self::Acknowledged(_) => Ending::Acknowledged,
            Self::Failed => Ending::Failed,
            Self::Expired => Ending::Expired,
            Self::Withdrawn(_) => Ending::Withdrawn,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Acknowledged => "acknowledged",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        })
    }
}

#[cfg(test)]
mod tests;
