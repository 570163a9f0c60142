//! A TPP's application of as little as can be: it counts.

use std::sync::atomic::{AtomicU64, Ordering};

use oyez_tpp::{Declined, HandOver, Notification, Pending, Repeat};
use serde::{Deserialize, Serialize};

/// Takes everything at once.
#[derive(Default)]
pub(super) struct Counter {
    taken: AtomicU64,
    maybe_repeated: AtomicU64,
}

/// What it got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Count {
    pub(super) taken: u64,
    /// Of these: events that may have come before.
    pub(super) maybe_repeated: u64,
}

impl Counter {
    pub(super) fn count(&self) -> Count {
        Count {
            taken: self.taken.load(Ordering::Relaxed),
            maybe_repeated: self.maybe_repeated.load(Ordering::Relaxed),
        }
    }
}

impl Count {
    /// So many, each once.
    pub(super) fn once(events: u64) -> Self {
        Self {
            taken: events,
            maybe_repeated: 0,
        }
    }
}

impl HandOver for Counter {
    fn hand_over<'a>(
        &'a self,
        notifications: &'a [Notification],
    ) -> Pending<'a, Vec<Result<(), Declined>>> {
        for notification in notifications {
            self.taken.fetch_add(1, Ordering::Relaxed);
            if notification.repeat == Repeat::Possible {
                self.maybe_repeated.fetch_add(1, Ordering::Relaxed);
            }
        }
        let all = notifications.iter().map(|_| Ok(())).collect();
        Box::pin(async { all })
    }
}
