//! Where events end up: what remembers them, and what takes them.

use std::sync::Arc;

use oyez_tpp::{HandOver, Intake, Seen, SqliteSeen};

use super::config::Tpp;
use super::parties::Parties;
use crate::failure::Failure;

/// Both ends.
pub(super) struct Ends {
    /// Which events were seen before.
    pub(super) seen: Arc<dyn Seen>,
    /// The application.
    pub(super) hand_over: Arc<dyn HandOver>,
}

impl Ends {
    pub(super) fn intake(self, parties: &Parties) -> Intake {
        Intake::new(self.seen, self.hand_over, Arc::clone(&parties.clock))
    }
}

/// The file that is configured.
pub(super) fn seen(tpp: &Tpp) -> Result<Arc<dyn Seen>, Failure> {
    let seen = SqliteSeen::open(&tpp.state, tpp.remembered).map_err(|error| {
        let mend = "see `state` of [tpp]: it must be a file that can be written";
        Failure::environment("cannot remember which events were seen", mend).because(&error)
    })?;
    Ok(Arc::new(seen))
}
