//! How a lane is reached from outside: a knock, a word that it is not ours any more, and a letterbox for one claim.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use oyez_domain::ledger::lanes::{self, Health, Lease};
use tokio::sync::Notify;

/// One lane's door.
pub(crate) struct Door {
    knock: Notify,
    doubt: AtomicBool,
    rests: AtomicBool,
    given_up: AtomicBool,
    claim: Mutex<Option<Claim>>,
    claimed_last: AtomicU64,
}

/// The right to drive a lane, and what was known of its endpoint.
pub(crate) struct Claim {
    pub(crate) health: Health,
    pub(crate) title: Title,
}

/// By what a lane is ours: the ledger refuses what is said by an older one.
#[derive(Clone)]
pub(crate) struct Title {
    pub(crate) tenure: Arc<Tenure>,
    /// Of the claim.
    pub(crate) number: u64,
}

/// A node's time with one lease: from joining until the lease is over.
pub(crate) struct Tenure {
    pub(crate) lease: Lease,
    over: AtomicBool,
    /// By the steady clock.
    holds_until_ms: AtomicU64,
}

impl Door {
    /// Of a lane that was claimed for the first time here, by this claim.
    pub(crate) fn of(claim: u64) -> Self {
        Self {
            knock: Notify::new(),
            doubt: AtomicBool::new(false),
            rests: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
            claim: Mutex::new(None),
            claimed_last: AtomicU64::new(claim),
        }
    }

    /// The newest claim that was handed in.
    pub(crate) fn claimed_last(&self) -> u64 {
        self.claimed_last.load(Ordering::Acquire)
    }

    /// There is something new: in the ledger, in the box, or about the node.
    pub(crate) fn knock(&self) {
        self.knock.notify_one();
    }

    /// Waits for a knock; one that came before is not lost.
    pub(crate) async fn knocked(&self) {
        self.knock.notified().await;
    }

    /// Somebody changed something over the lane's head.
    pub(crate) fn doubt(&self) {
        self.doubt.store(true, Ordering::Release);
        self.knock();
    }

    /// Whether somebody did since this was last asked.
    pub(crate) fn take_doubt(&self) -> bool {
        self.doubt.swap(false, Ordering::AcqRel)
    }

    /// The lane says whether it waits for something to push, and for nothing else.
    pub(crate) fn rest(&self, rests: bool) {
        self.rests.store(rests, Ordering::Release);
    }

    /// Whether it does.
    pub(crate) fn rests(&self) -> bool {
        self.rests.load(Ordering::Acquire)
    }

    /// Another node is to have the lane: it ends when what is in flight has ended.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Ordering::Release);
        self.knock();
    }

    /// Whether another node is to have it.
    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Acquire)
    }

    /// The lane is claimed anew while its task still runs.
    pub(crate) fn hand_in(&self, claim: Claim) {
        self.claimed_last
            .store(claim.title.number, Ordering::Release);
        self.given_up.store(false, Ordering::Release);
        *self.claim.lock().unwrap_or_else(PoisonError::into_inner) = Some(claim);
        self.knock();
    }

    /// What was handed in.
    pub(crate) fn take_claim(&self) -> Option<Claim> {
        self.claim
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl Title {
    /// As the ledger asks for it.
    pub(crate) fn claim(&self) -> lanes::Claim {
        lanes::Claim {
            lease: self.tenure.lease.clone(),
            number: self.number,
        }
    }
}

impl Tenure {
    pub(crate) fn new(lease: Lease, holds_until: Duration) -> Self {
        Self {
            lease,
            over: AtomicBool::new(false),
            holds_until_ms: AtomicU64::new(ms(holds_until)),
        }
    }

    /// The lease was renewed.
    pub(crate) fn renewed(&self, holds_until: Duration) {
        self.holds_until_ms
            .store(ms(holds_until), Ordering::Release);
    }

    /// Another has, or may have, the lanes.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    /// The epoch is over: what was claimed in it is not ours.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Attempts may start: no other node can have the lanes at this moment of the steady clock.
    pub(crate) fn holds(&self, elapsed: Duration) -> bool {
        !self.is_over() && ms(elapsed) < self.holds_until_ms.load(Ordering::Acquire)
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
