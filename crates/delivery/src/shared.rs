//! What a node, its lanes and those who bring news have in common. The one lock is held for a look into a map.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oyez_domain::ids::ClientId;
use oyez_domain::time::Timestamp;
use oyez_store::News;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::door::Door;
use crate::health::Moment;
use crate::{Options, Parts};

/// See the head of this file.
pub(crate) struct Shared {
    pub(crate) parts: Parts,
    pub(crate) options: Options,
    /// There may be lanes to claim.
    pub(crate) wants_lanes: Notify,
    doors: Mutex<HashMap<ClientId, Arc<Door>>>,
    stopping: AtomicBool,
    /// The latest moment by which a lane woke, and when that was by the steady clock.
    latest: Mutex<(Timestamp, Duration)>,
    in_flight: AtomicUsize,
}

/// An attempt that is counted as long as this lives.
pub(crate) struct InFlight<'a>(&'a Shared);

impl Shared {
    pub(crate) fn new(parts: Parts, options: Options) -> Self {
        Self {
            options,
            wants_lanes: Notify::new(),
            doors: Mutex::default(),
            latest: Mutex::new((parts.clock.now(), parts.steady.elapsed())),
            stopping: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
            parts,
        }
    }

    /// There may be something to push to this TPP, or its lane is not ours any more.
    pub(crate) fn heard(&self, news: &News) {
        let is_driven = match self.doors().get(&news.client_id) {
            Some(door) if news.freed => {
                door.doubt();
                false
            }
            Some(door) => {
                door.knock();
                true
            }
            None => false,
        };
        if !is_driven {
            self.wants_lanes.notify_one();
        }
    }

    /// Lanes end, and none begins.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.knock_everywhere();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment {
            now: self.parts.clock.now(),
            instant: Instant::now(),
        }
    }

    /// The moment by which lanes wake after the clock was set back: it does not go back, or those that were woken just
    /// before would sleep until the clock has caught up. Events need no such care: the ledger has it.
    pub(crate) fn due_now(&self) -> Timestamp {
        let (now, elapsed) = (self.parts.clock.now(), self.parts.steady.elapsed());
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, at) = *latest;
        let expected = known + elapsed.saturating_sub(at);
        if expected.since(now) <= SET_BACK_MAX {
            *latest = (now.max(expected), elapsed);
        } else {
            *latest = (now, elapsed);
        }
        latest.0
    }

    /// A number in [0, 1).
    pub(crate) fn draw(&self) -> f64 {
        let [a, b, c, d, ..] = (self.parts.chance)();
        f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0)
    }

    /// The lanes that are driven here.
    pub(crate) fn doors(&self) -> MutexGuard<'_, HashMap<ClientId, Arc<Door>>> {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn knock_everywhere(&self) {
        self.doors().values().for_each(|door| door.knock());
    }
}

impl<'a> InFlight<'a> {
    pub(crate) fn begin(shared: &'a Shared) -> Self {
        let attempts = shared.in_flight.fetch_add(1, Ordering::AcqRel) + 1;
        shared.parts.observe.in_flight(attempts);
        Self(shared)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let attempts = self.0.in_flight.fetch_sub(1, Ordering::AcqRel) - 1;
        self.0.parts.observe.in_flight(attempts);
    }
}

/// A clock that is set back further was wrong for too long: what it says now is believed.
const SET_BACK_MAX: Duration = Duration::from_secs(24 * 60 * 60);
