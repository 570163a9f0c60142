//! What operators do to endpoints: pause and resume them, over the head of whoever owns the lane (D-06, I-04).

use super::{Ledger, Note, json};
use crate::actor::Actor;
use crate::ids::ClientId;
use crate::ledger::lanes::Health;
use crate::time::Timestamp;

impl Ledger {
    /// An operator pauses an endpoint; `false` if the TPP is not known.
    pub fn pause_endpoint(&mut self, actor: Actor, client_id: &ClientId, now: Timestamp) -> bool {
        if !self.tpps.contains_key(client_id) {
            return false;
        }
        let lane = self.lanes.entry(client_id.clone()).or_default();
        if !matches!(lane.health, Health::Paused { .. }) {
            let paused = Health::Paused { since: now };
            let before = lane.become_free(paused.clone());
            lane.wake_at = None;
            self.news_of(client_id).free();
            self.note_health(actor, "endpoint.paused", client_id, (before, paused), now);
        }
        true
    }

    /// An operator ends a pause or an outage, and pushes begin anew for everything outstanding; `false` if the TPP is not
    /// known.
    pub fn resume_endpoint(&mut self, actor: Actor, client_id: &ClientId, now: Timestamp) -> bool {
        if !self.tpps.contains_key(client_id) {
            return false;
        }
        let begun_anew = if self.has_address(client_id) {
            self.begin_anew(client_id, now)
        } else {
            0
        };
        let health = self.lanes.get(client_id).map(|lane| &lane.health);
        if begun_anew > 0 || health.is_some_and(|health| *health != Health::Responsive) {
            let lane = self.lanes.entry(client_id.clone()).or_default();
            let before = lane.become_free(Health::Responsive);
            lane.wake_at = Some(now);
            self.news_of(client_id).free();
            let change = (before, Health::Responsive);
            self.note_health(actor, "endpoint.resumed", client_id, change, now);
        }
        true
    }

    fn note_health(
        &mut self,
        actor: Actor,
        action: &'static str,
        client_id: &ClientId,
        (before, after): (Health, Health),
        now: Timestamp,
    ) {
        self.note_health_change(client_id, before.state(), &after, now);
        self.note(
            Note {
                actor,
                action,
                client_id: Some(client_id),
                before: json(&before),
                after: json(&after),
            },
            now,
        );
    }
}
