//! Lanes go: what they leave is written, all in one request. Each report names the claim it is about, so that one which comes
//! late does no harm.

use std::time::Duration;

use oyez_domain::ids::ClientId;
use oyez_domain::ledger::lanes::{Hold, Lane, LaneReport, Reported};
use oyez_store::Error;
use tokio::task::{Id, JoinError};
use tokio::time::Instant;

use super::{Node, Stopped, Told};
use crate::ports::Trouble;

/// A lane that panicked or was not ours any more.
pub(super) struct Fallen {
    client_id: ClientId,
    /// The last claim of it that its task was given.
    claim: u64,
    rests_until: Instant,
}

impl Node<'_> {
    pub(super) fn ended(&mut self, ended: Result<(Id, Option<LaneReport>), JoinError>) {
        let (id, report) = match ended {
            Ok((id, report)) => (id, Ok(report)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some(client_id) = self.names.remove(&id) else {
            return;
        };
        let Some(door) = self.shared.doors().remove(&client_id) else {
            return;
        };
        // A claim that was handed in while the lane went: it is ours, and nobody drives it.
        if let Some(claim) = door.take_claim() {
            self.begin(client_id, claim);
            return;
        }
        let now = Instant::now();
        match report {
            Ok(Some(report)) => self.let_go.push(report),
            Ok(None) => {
                self.sweep_at = now;
                self.fall(client_id, door.claimed_last(), now);
            }
            Err(_) => {
                let trouble = Trouble::Panicked {
                    client_id: &client_id,
                };
                self.shared.parts.observe.trouble(trouble);
                self.fall(client_id, door.claimed_last(), now);
            }
        }
        self.shared.parts.observe.lanes_owned(self.lanes.len());
    }

    fn fall(&mut self, client_id: ClientId, claim: u64, now: Instant) {
        self.fallen.push_back(Fallen {
            client_id,
            claim,
            rests_until: now + FALLEN_REST,
        });
    }

    /// Writes what lanes that ended have left, all in one request.
    pub(super) fn report(&mut self) {
        let Some(tenure) = &self.tenure else {
            return;
        };
        // On a stop they are waited for, so that one write says it of all.
        let waits = self.stopped == Stopped::Ending && !self.lanes.is_empty();
        if self.asked.report || self.let_go.is_empty() || waits {
            return;
        }
        self.asked.report = true;
        let reports = std::mem::take(&mut self.let_go);
        let store = &self.shared.parts.store;
        let now = self.shared.parts.clock.now();
        let answer = store.report_lanes(tenure.lease.clone(), reports.clone(), now);
        self.ledger
            .push(Box::pin(async { Told::Reported(reports, answer.await) }));
    }

    pub(super) fn reported(
        &mut self,
        reports: Vec<LaneReport>,
        answer: Result<Vec<Reported>, Error>,
    ) {
        self.asked.report = false;
        match answer {
            Ok(_) => {
                self.pause.clear();
                // News that came while a lane went has found no door.
                self.sweep_at = Instant::now();
            }
            Err(error) => {
                self.let_go.extend(reports);
                self.failed(&error);
            }
        }
    }

    /// A lane that panicked is let go as the ledger remembers it. So is one that was not ours: it may be for all that, when the
    /// ledger's clock jumped past the lease and back, and then nobody would drive it while we live.
    pub(super) fn pick_up_fallen(&mut self, now: Instant) {
        if self.asked.health {
            return;
        }
        let rested = |fallen: &mut Fallen| fallen.rests_until <= now;
        let Some(fallen) = self.fallen.pop_front_if(rested) else {
            return;
        };
        self.asked.health = true;
        let store = &self.shared.parts.store;
        let answer = store.find_lane(fallen.client_id.clone());
        self.ledger
            .push(Box::pin(async { Told::Health(fallen, answer.await) }));
    }

    pub(super) fn found(&mut self, fallen: Fallen, answer: Result<Option<Lane>, Error>) {
        self.asked.health = false;
        match answer {
            Ok(Some(lane)) if lane.claim == fallen.claim => {
                let now = self.shared.parts.clock.now();
                let wake_at = lane.health.next_probe_at().map_or(now, |at| at.max(now));
                self.let_go.push(LaneReport {
                    client_id: fallen.client_id,
                    claim: fallen.claim,
                    health: lane.health,
                    hold: Hold::LetGo {
                        wake_at: Some(wake_at),
                    },
                });
            }
            // Claimed anew since.
            Ok(_) => {}
            Err(error) => {
                self.fallen.push_front(fallen);
                self.failed(&error);
            }
        }
    }
}

/// A lane that panicked may do so again.
const FALLEN_REST: Duration = Duration::from_secs(5);
