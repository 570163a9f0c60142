//! Places in the queue, given out to each TPP by itself: a TPP that fills its own waits, and nobody else does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use oyez_domain::ids::ClientId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A place; dropping it frees it.
pub(crate) type Place = OwnedSemaphorePermit;

/// All TPPs' places. An entry stays: there are as many as TPPs that ever had work, and each is small.
pub(crate) struct Places {
    per_tpp: usize,
    given: Mutex<Given>,
}

#[derive(Default)]
struct Given {
    tpps: HashMap<ClientId, Arc<Semaphore>>,
    closed: bool,
}

impl Places {
    pub(crate) fn new(per_tpp: usize) -> Self {
        Self {
            per_tpp: per_tpp.max(1),
            given: Mutex::default(),
        }
    }

    /// The places of one TPP, to wait at.
    pub(crate) fn of(&self, client_id: &ClientId) -> Arc<Semaphore> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = given.tpps.get(client_id) {
            return Arc::clone(places);
        }
        let places = Arc::new(Semaphore::new(self.per_tpp));
        if given.closed {
            places.close();
        }
        given.tpps.insert(client_id.clone(), Arc::clone(&places));
        places
    }

    /// Gives out no more, and tells those who wait.
    pub(crate) fn close(&self) {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.closed = true;
        given.tpps.values().for_each(|places| places.close());
    }
}
