//! Lanes come: of those that have something to do this node's share, and now and then all of them.

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::ids::ClientId;
use oyez_domain::ledger::lanes::{Lane, Wanted};
use oyez_domain::time::Timestamp;
use oyez_store::Error;
use tokio::time::Instant;

use super::{Node, SWEEP, Told, VAIN};
use crate::door::{Claim, Door, Tenure, Title};
use crate::lane;

/// Lanes that were asked for.
pub(super) struct Claimed {
    tenure: Arc<Tenure>,
    wanted: Wanted,
    answer: Result<Vec<Lane>, Error>,
}

impl Node<'_> {
    pub(super) fn claim(&mut self, now: Instant) {
        let Some(tenure) = &self.tenure else {
            return;
        };
        let free = self
            .shared
            .options
            .lanes_max
            .saturating_sub(self.lanes.len());
        if self.asked.lanes || free == 0 {
            return;
        }
        // Lanes that may start nothing would be let go at once, and claimed again, and let go: until the lease is renewed.
        if !tenure.holds(self.shared.parts.steady.elapsed()) {
            self.sweep_at = now + SWEEP;
            return;
        }
        self.asked.lanes = true;
        self.sweep_at = now + SWEEP;
        let tenure = Arc::clone(tenure);
        let lease = tenure.lease.clone();
        let (wanted, clock) = self.wanted(now);
        let lanes_max = match wanted {
            // All at once: those that are let go again while others are still to come would come again.
            Wanted::All => free,
            Wanted::Share | Wanted::Due => free.min(CLAIM_MAX),
        };
        let lanes_max = u32::try_from(lanes_max).unwrap_or(u32::MAX);
        let store = &self.shared.parts.store;
        let answer = store.claim_lanes(lease, wanted, lanes_max, clock);
        self.ledger.push(Box::pin(async move {
            let answer = answer.await;
            Told::Claimed(Claimed {
                tenure,
                wanted,
                answer,
            })
        }));
    }

    /// When a lane wakes was said by a clock that may have been set back since, while this node ran or before, and on terms
    /// that may have changed. So now and then every lane is looked at, and lies down again by what is true now. Answers
    /// what the clock says, too.
    fn wanted(&mut self, now: Instant) -> (Wanted, Timestamp) {
        let clock = self.shared.parts.clock.now();
        let (said, then) = self.claimed_at;
        let expected = said + now.duration_since(then);
        if expected.since(clock) > SET_BACK_MIN {
            self.all_at = now;
        }
        self.claimed_at = (clock, now);
        let wanted = if now >= self.all_at {
            Wanted::All
        } else {
            Wanted::Share
        };
        (wanted, clock)
    }

    pub(super) fn claimed(&mut self, claimed: Claimed) {
        self.asked.lanes = false;
        let tenure = claimed.tenure;
        let lanes = match claimed.answer {
            Ok(lanes) => lanes,
            Err(error) => {
                // Unless it had no turn, it may have happened: lanes of this epoch that nobody drives are free only when the epoch
                // is over.
                self.in_doubt |= !matches!(error, Error::Busy { .. });
                return self.failed(&error);
            }
        };
        self.pause.clear();
        if lanes.is_empty() {
            self.vain_until = Instant::now() + VAIN;
            self.sweep_at = self.sweep_at.max(self.vain_until);
        }
        match claimed.wanted {
            Wanted::All => self.all_at = Instant::now() + ALL_EVERY,
            Wanted::Share | Wanted::Due => {
                if lanes.len() >= CLAIM_MAX {
                    self.sweep_at = Instant::now();
                }
            }
        }
        for lane in lanes {
            let (client_id, health) = (lane.client_id, lane.health);
            let title = Title {
                tenure: Arc::clone(&tenure),
                number: lane.claim,
            };
            let claim = Claim { health, title };
            let door = self.shared.doors().get(&client_id).map(Arc::clone);
            match door {
                Some(door) => door.hand_in(claim),
                None => self.begin(client_id, claim),
            }
        }
        self.shared.parts.observe.lanes_owned(self.lanes.len());
    }

    pub(super) fn begin(&mut self, client_id: ClientId, claim: Claim) {
        let door = Arc::new(Door::of(claim.title.number));
        self.shared
            .doors()
            .insert(client_id.clone(), Arc::clone(&door));
        let shared = Arc::clone(self.shared);
        let task = self
            .lanes
            .spawn(lane::drive(shared, door, client_id.clone(), claim));
        self.names.insert(task.id(), client_id);
    }
}

/// Lanes claimed by one request; there may be another at once.
const CLAIM_MAX: usize = 64;
/// A lane that sleeps by a mistake sleeps no longer than this.
const ALL_EVERY: Duration = Duration::from_secs(60 * 60);
/// Less is what clocks are put right by day by day: lanes sleep so much longer.
const SET_BACK_MIN: Duration = Duration::from_secs(1);
