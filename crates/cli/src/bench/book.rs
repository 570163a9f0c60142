//! Of each event: when it was due to be published, and when it arrived. The publisher and the sink write here, and either may
//! be first: an event can be pushed before the publisher has read that it was accepted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oyez_domain::ids::Jti;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, timeout};

use super::unexpected;
use crate::failure::Failure;

/// All events of a run.
#[derive(Default)]
pub(super) struct Book {
    pages: Mutex<Pages>,
    /// All is here, or something is wrong.
    moved: Notify,
}

/// What all of it comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    /// Events that arrived.
    pub(super) arrived: u64,
    /// Arrivals of an event that had arrived before.
    pub(super) repeated: u64,
}

/// One event's way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delivered {
    /// When it was due to be published.
    pub(super) due: Instant,
    /// When it was answered.
    pub(super) at: Instant,
}

#[derive(Default)]
struct Pages {
    events: HashMap<Jti, Event>,
    stretch: u32,
    /// Published, and not here yet.
    open: u64,
    arrived: u64,
    repeated: u64,
    /// The first thing that must not be.
    wrong: Option<String>,
    /// The publisher takes from it, arrivals give back.
    room: Option<Arc<Semaphore>>,
}

#[derive(Default)]
struct Event {
    published: Option<Published>,
    arrived: Option<Arrived>,
}

struct Published {
    due: Instant,
    stretch: u32,
}

struct Arrived {
    at: Instant,
    digest: u64,
}

impl Book {
    /// A new stretch of load: from now on each arrival gives a place back to this room.
    pub(super) fn begin(&self, room: Arc<Semaphore>) {
        let mut pages = self.pages();
        pages.stretch += 1;
        pages.room = Some(room);
    }

    /// An event was accepted.
    pub(super) fn published(&self, jti: Jti, due: Instant) {
        let mut pages = self.pages();
        let stretch = pages.stretch;
        let event = pages.events.entry(jti).or_default();
        let twice = event.published.is_some();
        event.published = Some(Published { due, stretch });
        let is_open = event.arrived.is_none();
        if twice {
            pages.note(format!("{jti} was given to two events"));
        } else if is_open {
            pages.open += 1;
        }
    }

    /// A SET came, and is answered now. Its bytes are known by their digest.
    pub(super) fn arrived(&self, jti: Jti, digest: u64, at: Instant) {
        let mut pages = self.pages();
        let event = pages.events.entry(jti).or_default();
        match &event.arrived {
            Some(before) => {
                let changed = before.digest != digest;
                pages.repeated += 1;
                if changed {
                    pages.note(format!("{jti} came with other bytes than before"));
                }
            }
            None => {
                event.arrived = Some(Arrived { at, digest });
                let was_open = event.published.is_some();
                pages.arrived += 1;
                pages.open -= u64::from(was_open);
                if let Some(room) = &pages.room {
                    room.add_permits(1);
                }
                if pages.open == 0 {
                    self.moved.notify_waiters();
                }
            }
        }
    }

    /// Something came that must not come.
    pub(super) fn wrong(&self, what: String) {
        self.pages().note(what);
        self.moved.notify_waiters();
    }

    /// Forgets what arrived in the stretches before the last one: nothing of it comes again so late.
    pub(super) fn forget_old(&self) {
        let mut pages = self.pages();
        let newest = pages.stretch;
        pages.events.retain(|_, event| {
            let published = event.published.as_ref();
            event.arrived.is_none() || published.is_none_or(|it| it.stretch == newest)
        });
    }

    /// Waits until all that was published has arrived.
    pub(super) async fn all_arrived(&self) {
        loop {
            let moved = self.moved.notified();
            if self.pages().open == 0 {
                return;
            }
            moved.await;
        }
    }

    /// Waits until nothing comes any more of what was published, or something came that must not.
    pub(super) async fn spoilt(&self) -> Failure {
        let mut arrived_before = self.pages().arrived;
        loop {
            let moved = self.moved.notified();
            if let Err(failure) = self.pages().verdict() {
                return failure;
            }
            if timeout(PATIENCE, moved).await.is_ok() {
                continue;
            }
            let pages = self.pages();
            let (open, arrived) = (pages.open, pages.arrived);
            if open > 0 && arrived_before == arrived {
                let what =
                    format!("{arrived} events arrived, {open} did not: none in {PATIENCE:?}");
                return unexpected(what);
            }
            arrived_before = arrived;
        }
    }

    /// What was published in this stretch and arrived.
    pub(super) fn delivered(&self) -> Vec<Delivered> {
        let pages = self.pages();
        let of_stretch = |event: &Event| {
            let published = event.published.as_ref()?;
            let arrived = event.arrived.as_ref()?;
            (published.stretch == pages.stretch).then_some(Delivered {
                due: published.due,
                at: arrived.at,
            })
        };
        pages.events.values().filter_map(of_stretch).collect()
    }

    /// Whether everything that arrived had been accepted, when nothing is under way.
    pub(super) fn nothing_unknown(&self) -> Result<(), Failure> {
        let pages = self.pages();
        pages.verdict()?;
        let mut events = pages.events.iter();
        match events.find(|(_, event)| event.published.is_none()) {
            Some((jti, _)) => Err(unexpected(format!("{jti} came, and was never accepted"))),
            None => Ok(()),
        }
    }

    pub(super) fn tally(&self) -> Tally {
        let pages = self.pages();
        Tally {
            arrived: pages.arrived,
            repeated: pages.repeated,
        }
    }

    /// Nothing panics between two changes that belong together.
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn note(&mut self, wrong: String) {
        self.wrong.get_or_insert(wrong);
    }

    fn verdict(&self) -> Result<(), Failure> {
        match &self.wrong {
            Some(wrong) => Err(unexpected(wrong.clone())),
            None => Ok(()),
        }
    }
}

/// Longer than a push may take, and several steps of its retries.
const PATIENCE: Duration = Duration::from_secs(60);
