//! One event on its way through the pool, from a caller to its reply.
//!
//! A job that is dropped without a reply tells its caller so: nothing here can make somebody wait for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use oyez_domain::event::Notice;
use oyez_domain::ids::Jti;
use oyez_domain::time::Timestamp;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::places::Place;
use crate::{Error, Order, Outcome};

/// An event to be signed and kept.
pub(crate) struct Job {
    pub(crate) order: Arc<Order>,
    pub(crate) jti: Jti,
    pub(crate) notice: Box<Notice>,
    pub(crate) revision: u64,
    /// How often it was signed in vain: the key was given up before the SET was kept.
    pub(crate) signed_in_vain: u32,
    /// For who watches.
    pub(crate) asked_at: Instant,
    pub(crate) reply: oneshot::Sender<Reply>,
    /// Held until the reply.
    pub(crate) place: Place,
}

/// What became of a job, and when the ledger said so.
pub(crate) type Reply = Result<(Outcome, Timestamp), Error>;

/// A job whose SET is signed and not yet kept.
pub(crate) struct SignedJob {
    pub(crate) job: Job,
    pub(crate) set: String,
    pub(crate) kid: String,
}

impl Job {
    /// Has its caller gone?
    pub(crate) fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    /// Answers, and frees the place.
    pub(crate) fn answer(self, reply: Reply) {
        drop(self.place);
        // A caller that is gone needs no answer.
        self.reply.send(reply).ok();
    }
}

/// How many jobs are on their way to being kept, and how many have arrived: whoever gathers a group is woken when it is
/// full or nothing else comes, and not for each.
pub(crate) struct Traffic {
    group_max: usize,
    under_way: AtomicUsize,
    arrived: AtomicUsize,
    enough: Notify,
}

/// A job that is counted as long as this lives.
pub(crate) struct UnderWay {
    pub(crate) job: Job,
    /// Dropped after the job was handed on.
    pub(crate) counted: Counted,
}

/// See [`Traffic`].
pub(crate) struct Counted(Arc<Traffic>);

impl Traffic {
    pub(crate) fn new(group_max: usize) -> Self {
        Self {
            group_max: group_max.max(1),
            under_way: AtomicUsize::new(0),
            arrived: AtomicUsize::new(0),
            enough: Notify::new(),
        }
    }

    /// A job joins the queue.
    pub(crate) fn enter(self: &Arc<Self>, job: Job) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::AcqRel);
        UnderWay {
            job,
            counted: Counted(Arc::clone(self)),
        }
    }

    /// So many signed jobs were taken up.
    pub(crate) fn take(&self, jobs: usize) {
        self.arrived.fetch_sub(jobs, Ordering::AcqRel);
    }

    /// Waits until a group is there, or nothing more is queued or being signed.
    pub(crate) async fn enough(&self) {
        while !self.is_enough() {
            self.enough.notified().await;
        }
    }

    fn is_enough(&self) -> bool {
        self.under_way.load(Ordering::Acquire) == 0
            || self.arrived.load(Ordering::Acquire) >= self.group_max
    }
}

impl Counted {
    /// The job was signed and handed on. Called before it can be taken.
    pub(crate) fn arrives(&self) {
        self.0.arrived.fetch_add(1, Ordering::AcqRel);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
        if self.0.is_enough() {
            self.0.enough.notify_one();
        }
    }
}
