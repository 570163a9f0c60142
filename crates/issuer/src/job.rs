//! One event on its way through the pool, from a caller to its reply.
//!
//! A job that is dropped without a reply tells its caller so: nothing here can make somebody wait for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use oyez_domain::event::Notice;
use oyez_domain::ids::Jti;
use oyez_domain::time::Timestamp;
use tokio::sync::{Notify, oneshot};

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

/// How many jobs are on their way to being kept: whoever gathers a group asks whether waiting has a point.
#[derive(Default)]
pub(crate) struct Traffic {
    under_way: AtomicUsize,
    stopped: Notify,
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
    pub(crate) fn enter(self: &Arc<Self>, job: Job) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::AcqRel);
        UnderWay {
            job,
            counted: Counted(Arc::clone(self)),
        }
    }

    /// Is nothing queued or being signed?
    pub(crate) fn is_idle(&self) -> bool {
        self.under_way.load(Ordering::Acquire) == 0
    }

    /// Waits for that; may wake without it.
    pub(crate) async fn stopped(&self) {
        self.stopped.notified().await;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.0.under_way.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.stopped.notify_one();
        }
    }
}
