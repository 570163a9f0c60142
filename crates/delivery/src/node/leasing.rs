//! A node's place: had, renewed, lost, given back.

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::ledger::lanes::Lease;
use oyez_store::Error;
use tokio::time::Instant;

use super::{Node, Stopped, Told};
use crate::door::Tenure;

/// How a lease was asked for.
#[derive(Clone, Copy)]
pub(super) struct Asking {
    /// By the steady clock.
    at: Duration,
    /// For a new epoch.
    anew: bool,
}

impl Node<'_> {
    pub(super) fn renew(&mut self) {
        if self.asked.lease {
            return;
        }
        self.asked.lease = true;
        let options = &self.shared.options;
        let renewed = self.tenure.as_ref().filter(|_| !self.in_doubt);
        let epoch = renewed.map(|tenure| tenure.lease.epoch);
        let asking = Asking {
            at: self.shared.parts.steady.elapsed(),
            anew: epoch.is_none(),
        };
        let store = &self.shared.parts.store;
        let answer = store.hold_lease(options.node_id.clone(), epoch, options.lease_ttl);
        self.ledger
            .push(Box::pin(async move { Told::Lease(asking, answer.await) }));
    }

    pub(super) fn leased(&mut self, asking: Asking, answer: Result<Option<Lease>, Error>) {
        self.asked.lease = false;
        let now = Instant::now();
        let ttl = self.shared.options.lease_ttl;
        // Asked before it was granted: by our clock it ends sooner than by the ledger's.
        let holds_until = asking.at + ttl - ttl / MARGIN;
        if asking.anew && matches!(answer, Ok(Some(_))) {
            self.lose_lease();
            self.in_doubt = false;
        }
        match (answer, &self.tenure) {
            (Ok(Some(lease)), None) => {
                self.tenure = Some(Arc::new(Tenure::new(lease, holds_until)));
                self.shared.parts.observe.lease_held();
                self.sweep_at = now;
            }
            (Ok(Some(lease)), Some(tenure)) => {
                let lapsed = !tenure.holds(self.shared.parts.steady.elapsed());
                tenure.renewed(holds_until);
                if lapsed {
                    self.sweep_at = now;
                    self.shared.knock_everywhere();
                }
                self.give_up(lease.surplus, now);
            }
            (Ok(None), _) => {
                self.lose_lease();
                self.renew_at = now;
                return;
            }
            (Err(error), _) => {
                self.failed(&error);
                self.renew_pause.begin(now);
                self.renew_at = self.renew_pause.until(now).unwrap_or(now);
                return;
            }
        }
        self.renew_pause.clear();
        self.renew_at = now + ttl / RENEWALS;
    }

    /// The epoch is over: others may have the lanes. What was not let go is theirs to find.
    fn lose_lease(&mut self) {
        let Some(tenure) = self.tenure.take() else {
            return;
        };
        tenure.end();
        self.let_go.clear();
        self.fallen.clear();
        self.shared.parts.observe.lease_lost();
        self.shared.knock_everywhere();
    }

    pub(super) fn release(&mut self) {
        let Some(tenure) = self.tenure.take() else {
            self.stopped = Stopped::Done;
            return;
        };
        self.stopped = Stopped::Releasing;
        tenure.end();
        let answer = self.shared.parts.store.release_lease(tenure.lease.clone());
        self.ledger
            .push(Box::pin(async { Told::Released(answer.await) }));
    }
}

/// A lease is renewed so often in its time, so that two renewals may fail.
const RENEWALS: u32 = 3;
/// We count on less than we were given, by this part: clocks do not run equally fast.
const MARGIN: u32 = 10;
