//! What a node, its lanes and those who bring news have in common. Each lock is held for a look into a map.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oyez_domain::ids::ClientId;
use oyez_store::{Awaited, News};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::door::Door;
use crate::health::{Memory, Moment};
use crate::{Options, Parts};

/// See the head of this file.
pub(crate) struct Shared {
    pub(crate) parts: Parts,
    pub(crate) options: Options,
    /// There may be lanes to claim.
    pub(crate) wants_lanes: Notify,
    doors: Mutex<HashMap<ClientId, Arc<Door>>>,
    stopping: AtomicBool,
    /// Of endpoints whose lanes are not driven.
    memories: Mutex<HashMap<ClientId, Memory>>,
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
            memories: Mutex::default(),
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

    /// Lanes that rest until something is to be pushed.
    pub(crate) fn awaited(&self) -> Vec<Awaited> {
        let doors = self.doors();
        let resting = doors.iter().filter(|(_, door)| door.rests());
        let awaited = |client_id: &ClientId| Awaited {
            client_id: client_id.clone(),
            polls: Vec::new(),
            pushes: true,
        };
        resting.map(|(client_id, _)| awaited(client_id)).collect()
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

    /// What is remembered of an endpoint whose lane was let go.
    pub(crate) fn recall(&self, client_id: &ClientId) -> Memory {
        let known = self.memories().remove(client_id);
        known.unwrap_or_default()
    }

    /// Until its lane is driven again.
    pub(crate) fn remember(&self, client_id: ClientId, memory: Memory) {
        let mut memories = self.memories();
        if memory.is_worth_keeping() && memories.len() < MEMORIES_MAX {
            memories.insert(client_id, memory);
        }
    }

    fn memories(&self) -> MutexGuard<'_, HashMap<ClientId, Memory>> {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner)
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

/// More than a market has TPPs; of one more nothing is remembered.
const MEMORIES_MAX: usize = 4096;
