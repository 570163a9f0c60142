//! A document of the bank's that is fetched, kept, and fetched anew when it is old or found wanting: its keys, and what it says
//! about where they are.
//!
//! A stranger can make up key ids as fast as he likes, so between two fetches for that reason lies a floor. When the server is
//! away the last copy goes on counting for a while: what the bank published yesterday it did not mean any less.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use oyez_domain::time::{Clock, Timestamp};

use crate::flight::Flight;
use crate::hand_over::Pending;

/// When a copy is used, and when it is fetched anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// Older than this, a copy is fetched anew; so long does a withdrawn key still verify.
    pub max_age: Duration,
    /// Between two fetches for an unknown key id, and between two attempts while an older copy is at hand.
    pub floor: Duration,
    /// How old a copy may become while no new one is to be had.
    pub stale_max: Duration,
}

/// The last copy of a document.
pub(crate) struct Fetched<T, E> {
    freshness: Freshness,
    clock: Arc<dyn Clock>,
    flight: Flight<Copy<T>, Arc<E>>,
    /// When the last fetch began, in milliseconds.
    tried_at: AtomicI64,
}

struct Copy<T> {
    document: Arc<T>,
    fetched_at: Timestamp,
}

impl<T, E> Fetched<T, E> {
    pub(crate) fn new(freshness: Freshness, clock: Arc<dyn Clock>) -> Self {
        Self {
            freshness,
            clock,
            flight: Flight::new(),
            tried_at: AtomicI64::new(0),
        }
    }

    /// The document as it is known now. Fetching is rare, and its future is large.
    pub(crate) async fn current<'f>(
        &self,
        fetch: impl FnOnce() -> Pending<'f, Result<T, E>>,
    ) -> Result<Arc<T>, Arc<E>> {
        let now = self.clock.now();
        let freshness = self.freshness;
        let age = |copy: &Copy<T>| now.since(copy.fetched_at);
        let kept = self.flight.kept();
        if let Some(fresh) = kept.as_ref().filter(|copy| age(copy) < freshness.max_age) {
            return Ok(Arc::clone(&fresh.document));
        }
        let stale = kept.filter(|copy| age(copy) < freshness.stale_max);
        if let Some(stale) = stale.as_ref().filter(|_| !self.may_try(now)) {
            return Ok(Arc::clone(&stale.document));
        }
        let is_fresh = |copy: &Copy<T>| age(copy) < freshness.max_age;
        match (self.flight.join(is_fresh, self.fetch(fetch)).await, stale) {
            (Ok(copy), _) | (Err(_), Some(copy)) => Ok(copy.document),
            (Err(error), None) => Err(error),
        }
    }

    /// Another copy than this one, if there is one already or one may be fetched.
    pub(crate) async fn newer_than<'f>(
        &self,
        seen: &Arc<T>,
        fetch: impl FnOnce() -> Pending<'f, Result<T, E>>,
    ) -> Option<Arc<T>> {
        let is_other = |copy: &Copy<T>| !Arc::ptr_eq(&copy.document, seen);
        if let Some(other) = self.flight.kept().filter(is_other) {
            return Some(other.document);
        }
        let copy = if self.may_try(self.clock.now()) {
            self.flight.join(is_other, self.fetch(fetch)).await.ok()
        } else {
            // What was tried a moment ago may still be on its way.
            self.flight.landing().await;
            self.flight.kept().filter(is_other)
        };
        copy.map(|copy| copy.document)
    }

    fn may_try(&self, now: Timestamp) -> bool {
        let tried_at = Timestamp::from_unix_ms(self.tried_at.load(Ordering::Acquire));
        now.since(tried_at) >= self.freshness.floor
    }

    async fn fetch<'f>(
        &self,
        fetch: impl FnOnce() -> Pending<'f, Result<T, E>>,
    ) -> Result<Copy<T>, Arc<E>> {
        let fetched_at = self.clock.now();
        self.tried_at.store(fetched_at.unix_ms(), Ordering::Release);
        let document = fetch().await.map_err(Arc::new)?;
        Ok(Copy {
            document: Arc::new(document),
            fetched_at,
        })
    }
}

impl<T> Clone for Copy<T> {
    fn clone(&self) -> Self {
        Self {
            document: Arc::clone(&self.document),
            fetched_at: self.fetched_at,
        }
    }
}

impl Default for Freshness {
    fn default() -> Self {
        Self {
            max_age: MAX_AGE,
            floor: FLOOR,
            stale_max: STALE_MAX,
        }
    }
}

/// Banks publish a new key for longer than this before they sign with it, and the floor covers those who do not.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// Made-up key ids cost the bank one request a minute.
const FLOOR: Duration = Duration::from_secs(60);

/// Over a night's outage, and no longer: a key that was compromised must stop counting some time.
const STALE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
