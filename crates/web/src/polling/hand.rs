//! What one poll has got together for its answer.

use oyez_domain::ids::Jti;
use oyez_domain::ledger::poll::NothingToPoll;

use super::desk::{Answer, Unavailable};

/// SETs in hand, and what is known of the rest.
#[derive(Default)]
pub(super) struct Hand {
    pub(super) sets: Vec<(Jti, String)>,
    pub(super) more_available: bool,
    pub(super) refusal: Option<NothingToPoll>,
    /// So many of the events chosen last have changed since, and are due.
    pub(super) stale: u32,
    /// Why there is not more.
    pub(super) fault: Option<Unavailable>,
}

impl Hand {
    /// How many events to choose again, if any.
    pub(super) fn wants(&self, events_max: u32) -> Option<u32> {
        let wanted = match self.stale {
            0 if self.sets.is_empty() && self.more_available => events_max,
            stale => stale,
        };
        Some(wanted).filter(|wanted| *wanted > 0 && self.fault.is_none())
    }

    pub(super) fn into_answer(self) -> Result<Answer, Unavailable> {
        match self.fault {
            Some(fault) if self.sets.is_empty() => Err(fault),
            fault => Ok(Answer {
                more_available: self.more_available || self.stale > 0 || fault.is_some(),
                sets: self.sets,
                refusal: self.refusal,
            }),
        }
    }
}
