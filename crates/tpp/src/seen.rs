//! Which events were seen before. Banks deliver at least once; applications like to get an event once.
//!
//! An event is noted twice: before it is handed over, and after. Found with the first note alone, it may have reached the
//! application: it is handed over again and says so. Found with both, it is not handed over again.

#[cfg(feature = "sqlite")]
mod sqlite;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use oyez_domain::time::Timestamp;

use crate::hand_over::Pending;

#[cfg(feature = "sqlite")]
pub use sqlite::SqliteSeen;

/// Which event: jtis are unique at one issuer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    /// `iss`
    pub issuer: String,
    /// `jti`
    pub jti: String,
}

/// What is known of an event that comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Nothing.
    New,
    /// It was about to be handed over.
    Begun,
    /// It was handed over.
    HandedOver,
}

/// Why it cannot be known: nothing is handed over then, and the bank offers it again.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the store of seen events: {0}")]
pub struct SeenError(pub String);

/// A store of seen events. What it has answered is durable. It forgets what is older than banks repeat.
pub trait Seen: Send + Sync + 'static {
    /// Notes that events are about to be handed over, and says what was known of each, in their order.
    fn begin(
        &self,
        events: Vec<EventId>,
        now: Timestamp,
    ) -> Pending<'_, Result<Vec<Known>, SeenError>>;

    /// Notes that events were handed over.
    fn finish(&self, events: Vec<EventId>, now: Timestamp) -> Pending<'_, Result<(), SeenError>>;
}

/// Longer than a bank offers an event that nobody acknowledges: 90 days at ours, and some to spare.
pub const AGE_MAX: Duration = Duration::from_secs(100 * 24 * 60 * 60);

/// A store in memory, for tests and for applications that find repeats out by themselves: a restart forgets everything.
#[derive(Debug)]
pub struct SeenInMemory {
    age_max: Duration,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    known: HashMap<EventId, Known>,
    by_age: BTreeSet<(Timestamp, EventId)>,
}

impl SeenInMemory {
    /// Forgets what was first seen longer ago than this.
    pub fn new(age_max: Duration) -> Self {
        Self {
            age_max,
            notes: Mutex::default(),
        }
    }
}

impl Seen for SeenInMemory {
    fn begin(
        &self,
        events: Vec<EventId>,
        now: Timestamp,
    ) -> Pending<'_, Result<Vec<Known>, SeenError>> {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.forget(now - self.age_max);
        let known = events.into_iter().map(|event| notes.begin(event, now));
        let known = known.collect();
        Box::pin(async { Ok(known) })
    }

    fn finish(&self, events: Vec<EventId>, now: Timestamp) -> Pending<'_, Result<(), SeenError>> {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            notes.begin(event.clone(), now);
            notes.known.insert(event, Known::HandedOver);
        }
        Box::pin(async { Ok(()) })
    }
}

impl Notes {
    fn begin(&mut self, event: EventId, now: Timestamp) -> Known {
        if let Some(known) = self.known.get(&event) {
            return *known;
        }
        self.by_age.insert((now, event.clone()));
        self.known.insert(event, Known::Begun);
        Known::New
    }

    fn forget(&mut self, before: Timestamp) {
        while self.by_age.first().is_some_and(|(at, _)| *at < before) {
            if let Some((_, event)) = self.by_age.pop_first() {
                self.known.remove(&event);
            }
        }
    }
}
