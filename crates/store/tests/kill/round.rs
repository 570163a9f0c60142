//! One round of the campaign, as parent and victim both know it.

use std::time::Duration;

use oyez_domain::ids::ClientId;
use oyez_domain::time::Timestamp;

use oyez_testkit::making::{DAWN, client};

/// TPPs by number; the last one's subscription comes and goes.
pub(crate) const TPPS: usize = 3;
pub(crate) const CHANGING: usize = TPPS - 1;

/// What the parent tells its victim.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    pub(crate) number: u64,
    pub(crate) seed: u64,
    /// The number of the last subscription there was.
    pub(crate) registered: usize,
}

impl Round {
    /// Rounds are an hour apart, so that an event's time says which round it is of.
    pub(crate) fn begins_at(self) -> Timestamp {
        DAWN + Duration::from_secs(3_600 * self.number)
    }
}

pub(crate) fn client_of(tpp: usize) -> ClientId {
    client(&format!("tpp-{tpp}"))
}
