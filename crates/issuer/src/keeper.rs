//! Makes signed SETs durable in groups. Only what the ledger returns goes out (P-09).
//!
//! A group is closed when it is full, when nothing else is on its way, or when its oldest SET has waited long enough: a
//! lone caller waits for nobody, and under load a write costs a sixth.

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::ledger::sets::{Kept, Purpose, Signed};
use oyez_domain::time::Timestamp;
use oyez_store::Store;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use crate::job::{Job, SignedJob, Traffic, UnderWay};
use crate::observe::{Observe, Step};
use crate::queue::Queue;
use crate::signer::Signer;
use crate::{Error, Outcome, Urgency};

/// The one who keeps.
pub(crate) struct Keeper {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) signer: Arc<Signer>,
    pub(crate) queue: Arc<Queue<UnderWay>>,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) observe: Option<Arc<dyn Observe>>,
    pub(crate) sets_max: usize,
    pub(crate) wait_max: Duration,
}

impl Keeper {
    /// Keeps what arrives, until nobody can send any more.
    pub(crate) async fn serve(self, mut signed: UnboundedReceiver<SignedJob>) {
        while let Some(first) = signed.recv().await {
            // Either there is enough or the time is up.
            tokio::time::timeout(self.wait_max, self.traffic.enough())
                .await
                .ok();
            let mut group = vec![first];
            while group.len() < self.sets_max
                && let Ok(next) = signed.try_recv()
            {
                group.push(next);
            }
            self.traffic.take(group.len());
            self.keep(group).await;
        }
    }

    async fn keep(&self, group: Vec<SignedJob>) {
        let now = self.signer.clock.now();
        let mut jobs = Vec::with_capacity(group.len());
        let mut sets = Vec::with_capacity(group.len());
        for SignedJob { job, set, kid } in group {
            if self.signer.vouches_for(&kid, now) {
                sets.push(signed(&job, set, kid.clone()));
                jobs.push((job, kid));
            } else {
                self.sign_again(job);
            }
        }
        if jobs.is_empty() {
            return;
        }
        let asked_at = Instant::now();
        let kept = self.store.keep_sets(sets, now).await;
        if let Some(observe) = &self.observe {
            let took = asked_at.elapsed();
            for (job, _) in &jobs {
                observe.kept(&Step::of(job, took));
            }
        }
        match kept {
            Ok(outcomes) => {
                for ((job, kid), kept) in jobs.into_iter().zip(outcomes) {
                    self.conclude(job, &kid, kept, now);
                }
            }
            Err(error) => {
                for (job, _) in jobs {
                    job.answer(Err(error.clone().into()));
                }
            }
        }
    }

    fn conclude(&self, job: Job, kid: &str, kept: Kept, now: Timestamp) {
        match Outcome::from_kept(kept) {
            Some(outcome) => job.answer(Ok((outcome, now))),
            None => {
                self.signer.disown(kid);
                self.sign_again(job);
            }
        }
    }

    /// The key was given up between signing and keeping (M-06): the one that may sign now is asked, before all others.
    fn sign_again(&self, mut job: Job) {
        job.signed_in_vain += 1;
        if job.signed_in_vain >= SIGNED_IN_VAIN_MAX {
            return job.answer(Err(Error::NoKey));
        }
        let owner = job.order.client_id.clone();
        let again = self.traffic.enter(job);
        if let Err(UnderWay { job, .. }) = self.queue.push(&owner, Urgency::First, again) {
            job.answer(Err(Error::Closed));
        }
    }
}

/// What is signed is kept even for a caller that has gone, but is no hand-out: nothing is handed out (P-12).
fn signed(job: &Job, set: String, kid: String) -> Signed {
    let purpose = match &job.order.purpose {
        Purpose::HandOut { .. } if job.is_abandoned() => Purpose::Push,
        purpose => purpose.clone(),
    };
    Signed {
        client_id: job.order.client_id.clone(),
        jti: job.jti,
        revision: job.revision,
        set,
        kid,
        purpose,
    }
}

/// Each time another key is gone. A bank that gives up so many keys within the life of one job has none to sign with.
const SIGNED_IN_VAIN_MAX: u32 = 4;
