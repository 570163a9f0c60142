//! Who may wait for a TPP's lock, and who may have it for long: bounds that keep one TPP's trouble from being everybody's.
//!
//! Whoever waits for a lock has a session meanwhile. So for each TPP one request of this node waits at most, of whatever kind,
//! and half of the sessions never wait for a lock at all. What may take minutes has a bound of its own, again half: some such
//! requests leave room for others that wait for a moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use oyez_domain::ids::ClientId;
use tokio::sync::{Mutex as Gate, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::Error;

/// Of one ledger.
pub(super) struct Doors {
    places: Arc<Semaphore>,
    long: Arc<Semaphore>,
    gates: Mutex<HashMap<ClientId, Weak<Gate<()>>>>,
    wait_max: Duration,
}

/// A request that may wait for locks, for as long as this lives.
pub(super) struct Door {
    _place: OwnedSemaphorePermit,
    _gate: Option<OwnedMutexGuard<()>>,
}

/// Leave to take one's time. [`super::unit::Unit`] asks for it.
pub(super) struct Leisure {
    _place: OwnedSemaphorePermit,
}

/// Whose locks a rare request waits for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Concerns<'a> {
    /// Nobody's.
    Nobody,
    /// One TPP's.
    One(&'a ClientId),
    /// Several TPPs'.
    Many,
}

impl Doors {
    pub(super) fn of(sessions: usize, wait_max: Duration) -> Self {
        let places = (sessions / 2).max(1);
        Self {
            places: Arc::new(Semaphore::new(places)),
            long: Arc::new(Semaphore::new((places / 2).max(1))),
            gates: Mutex::default(),
            wait_max,
        }
    }

    /// Waits until it may wait for this TPP's lock.
    pub(super) async fn enter(&self, client_id: &ClientId) -> Door {
        let gate = self.gate(client_id).lock_owned().await;
        Door {
            _place: self.place().await,
            _gate: Some(gate),
        }
    }

    /// As [`Doors::enter`], for whatever a rare request waits for, and not for long.
    pub(super) async fn enter_soon(&self, concerns: Concerns<'_>) -> Result<Option<Door>, Error> {
        let entering = async {
            match concerns {
                Concerns::Nobody => None,
                Concerns::One(client_id) => Some(self.enter(client_id).await),
                Concerns::Many => Some(Door {
                    _place: self.place().await,
                    _gate: None,
                }),
            }
        };
        let entered = timeout(self.wait_max, entering).await;
        entered.map_err(|_| Error::Busy {
            detail: "too many requests wait for locks".to_owned(),
        })
    }

    /// Leave to take one's time, if it is to be had now.
    pub(super) fn leisure_now(&self) -> Option<Leisure> {
        let place = Arc::clone(&self.long).try_acquire_owned().ok()?;
        Some(Leisure { _place: place })
    }

    /// Leave to take one's time. Whoever waits for it has no lock and no session.
    pub(super) async fn leisure(&self) -> Result<Leisure, Error> {
        let place = timeout(self.wait_max, Arc::clone(&self.long).acquire_owned()).await;
        let place = place.map_err(|_| Error::Busy {
            detail: "too many requests take long".to_owned(),
        })?;
        Ok(Leisure {
            _place: place.expect(NEVER_CLOSED),
        })
    }

    async fn place(&self) -> OwnedSemaphorePermit {
        let place = Arc::clone(&self.places).acquire_owned().await;
        place.expect(NEVER_CLOSED)
    }

    fn gate(&self, client_id: &ClientId) -> Arc<Gate<()>> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(client_id).and_then(Weak::upgrade) {
            return gate;
        }
        // Those that nobody stands at: there are as many others as TPPs that are waited for.
        gates.retain(|_, gate| gate.strong_count() > 0);
        let gate = Arc::new(Gate::new(()));
        gates.insert(client_id.clone(), Arc::downgrade(&gate));
        gate
    }
}

const NEVER_CLOSED: &str = "nobody closes it";
