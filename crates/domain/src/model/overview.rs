//! What a page about one TPP needs besides its counts (I-03, W-04).

use super::Ledger;
use crate::ids::ClientId;
use crate::ledger::lanes::{Health, HealthState};
use crate::ledger::overview::{Backlog, HealthChange, Request};
use crate::time::Timestamp;

impl Ledger {
    /// Keeps the last requests of each TPP that is known.
    pub fn note_requests(&mut self, requests: Vec<Request>) {
        for request in requests {
            if self.tpps.contains_key(&request.client_id) {
                let key = (
                    request.client_id.clone(),
                    request.at,
                    request.interaction_id.to_string(),
                );
                self.requests.entry(key).or_insert(request);
            }
        }
        for client_id in self.tpps.keys() {
            let of_tpp = self.requests.keys().filter(|key| key.0 == *client_id);
            let old = of_tpp.rev().skip(Request::KEPT_MAX).cloned();
            for key in old.collect::<Vec<_>>() {
                self.requests.remove(&key);
            }
        }
    }

    /// A TPP's last requests, newest first.
    pub fn list_requests(&self, client_id: &ClientId, rows_max: u32) -> Vec<Request> {
        let of_tpp = self.requests.values().rev();
        let of_tpp = of_tpp.filter(|request| request.client_id == *client_id);
        of_tpp.take(rows_max as usize).cloned().collect()
    }

    /// How a TPP's endpoint fared, newest first.
    pub fn health_history(&self, client_id: &ClientId, rows_max: u32) -> Vec<HealthChange> {
        let changes = self.health_changes.iter().rev();
        let of_tpp = changes.filter(|((owner, ..), _)| owner == client_id);
        let of_tpp = of_tpp.map(|(_, change)| change.clone());
        of_tpp.take(rows_max as usize).collect()
    }

    /// What waits for a TPP, by its age.
    pub fn backlog(&self, client_id: &ClientId, now: Timestamp) -> Backlog {
        let outstanding = self.outstanding_of(client_id);
        let oldest = outstanding.iter().take(Backlog::COUNTED_MAX as usize);
        let accepted_at = oldest.map(|jti| self.events[jti].accepted_at);
        let is_poll_only = |jti: &&crate::ids::Jti| {
            let event = self.events[*jti].outstanding.as_ref();
            event.is_some_and(|it| it.push_at.is_none() && it.refusals > 0)
        };
        let poll_only = outstanding.iter().filter(is_poll_only).count() as u64;
        Backlog::of(accepted_at, outstanding.len() as u64, poll_only, now)
    }

    /// An endpoint's health is written: notes a change of its state.
    pub(super) fn note_health_change(
        &mut self,
        client_id: &ClientId,
        before: HealthState,
        after: &Health,
        now: Timestamp,
    ) {
        if before == after.state() {
            return;
        }
        let (failures, reason) = match after {
            Health::Failing {
                failures, reason, ..
            }
            | Health::Unresponsive {
                failures, reason, ..
            } => (*failures, Some(reason.to_string())),
            Health::Responsive | Health::Paused { .. } => (0, None),
        };
        let change = HealthChange {
            at: now,
            state: after.state(),
            failures,
            reason,
        };
        let key = (client_id.clone(), now, after.state());
        self.health_changes.entry(key).or_insert(change);
    }
}
