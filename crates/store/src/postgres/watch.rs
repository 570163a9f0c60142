//! One clock for a ledger of many nodes: the database's. What a node says of its time is put into the database's at the door, and
//! what it is told of moments back into its own.
//!
//! So an event that one node handed out, chose or put off falls due as much later for every other, though their clocks are
//! minutes apart: whoever takes over its TPP comes neither late nor early. And history has one order.
//!
//! A moment that is told is a name too: a choice for pushing is known by the one at which it ends. So the difference is not
//! measured anew for each question. It is kept, and changes where it is another by seconds, which is what somebody does who sets
//! a clock; then a choice of before is one of somebody else's, and ends by itself. Whoever asks first has the clocks compared; later it is
//! done beside the requests.
//!
//! Absent: lanes and leases, which are compared with the database's clock where they are written ([`super::skew`]); and what is
//! past its time, which is so by both clocks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oyez_domain::ledger::poll::Polled;
use oyez_domain::ledger::push::{Choice, DueForPush, Ended, Verdict};
use oyez_domain::ledger::sets::Work;
use oyez_domain::time::Timestamp;
use tokio::time::{Instant, timeout};

use super::skew::Skew;
use super::{Shared, leases};
use crate::Error;

/// How far the database's clock is ahead of the one of those who ask here.
#[derive(Default)]
pub(super) struct Watch(Mutex<Option<Compared>>);

#[derive(Clone, Copy)]
struct Compared {
    skew: Skew,
    at: Instant,
}

/// What somebody said the time is, and when that was.
#[derive(Clone, Copy)]
struct Said {
    now: Timestamp,
    at: Instant,
}

impl Shared {
    /// How far the database's clock is ahead of a caller's.
    pub(super) async fn skew(self: &Arc<Self>, now: Timestamp) -> Skew {
        let said = Said {
            now,
            at: Instant::now(),
        };
        let known = *self.watch.compared();
        if let Some(Compared { skew, at }) = known {
            if said.at.saturating_duration_since(at) < COMPARED_EVERY {
                return skew;
            }
            self.watch.note(skew, said.at);
        }
        // On a task of the ledger, as all that asks the database: who asks us may have no runtime to wait on.
        let shared = Arc::clone(self);
        let comparing = self.tasks.work(async move { compare(&shared, said).await });
        match known {
            Some(known) => known.skew,
            None => comparing.await.unwrap_or(Skew::NONE),
        }
    }
}

impl Watch {
    /// What is known, without asking anybody.
    pub(super) fn known(&self) -> Skew {
        self.compared().map_or(Skew::NONE, |compared| compared.skew)
    }

    fn note(&self, skew: Skew, at: Instant) {
        *self.compared() = Some(Compared { skew, at });
    }

    fn compared(&self) -> MutexGuard<'_, Option<Compared>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compares the clocks. Where the database does not answer, what was known goes on.
async fn compare(shared: &Shared, said: Said) -> Skew {
    let asked = async {
        let db = shared.pool.take().await?;
        db.prepare(&[leases::CLOCK]).await?;
        let before = said.by_now();
        let clock = leases::clock(&db).await?;
        Ok::<_, Error>(Skew::measured(before, clock, said.by_now()))
    };
    let known = shared.watch.known();
    let Ok(Ok(measured)) = timeout(COMPARED_WITHIN, asked).await else {
        return known;
    };
    let skew = known.unless_it_is_now(measured);
    shared.watch.note(skew, Instant::now());
    skew
}

impl Said {
    fn by_now(&self) -> Timestamp {
        self.now + self.at.elapsed()
    }
}

/// What goes in, by the database's clock.
impl Skew {
    pub(super) fn stored_choice(self, choice: Choice) -> Choice {
        Choice {
            in_flight_until: self.stored(choice.in_flight_until),
            ..choice
        }
    }

    pub(super) fn stored_end(self, mut ended: Ended) -> Ended {
        ended.in_flight_until = self.stored(ended.in_flight_until);
        let attempt = &mut ended.attempt;
        attempt.started_at = self.stored(attempt.started_at);
        if let Verdict::Refused {
            again_at: Some(again_at),
        } = &mut attempt.verdict
        {
            *again_at = self.stored(*again_at);
        }
        ended
    }
}

/// What comes out, by the caller's.
impl Skew {
    pub(super) fn told_poll(self, mut polled: Polled) -> Polled {
        polled.next_due_at = polled.next_due_at.map(|at| self.told(at));
        self.tell_work(&mut polled.work);
        polled
    }

    pub(super) fn told_due(self, mut due: DueForPush) -> DueForPush {
        due.in_flight_until = self.told(due.in_flight_until);
        due.next_at = due.next_at.map(|at| self.told(at));
        self.tell_work(&mut due.work);
        due
    }

    fn tell_work(self, work: &mut [Work]) {
        for work in work {
            work.accepted_at = self.told(work.accepted_at);
            work.refused_since = work.refused_since.map(|at| self.told(at));
        }
    }
}

/// One question more in a process's thousands; a clock that somebody sets is followed within it.
const COMPARED_EVERY: Duration = Duration::from_secs(10);
/// Whoever asks first waits no longer for this; an answer that takes longer says little of the time.
const COMPARED_WITHIN: Duration = Duration::from_secs(1);
