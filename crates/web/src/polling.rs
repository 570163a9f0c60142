//! Polls: choosing, signing, waiting and being woken (P-01 … P-14; "Waking").

use oyez_domain::ids::ClientId;

/// Polls that wait for an event.
#[derive(Debug, Default)]
pub struct Waiters {}

impl Waiters {
    /// Something of this TPP may be due: an event was accepted or queued again, or its registrations changed.
    pub fn wake(&self, _client_id: &ClientId) {}
}
