//! The bank's public keys: fetched from its JWKS URL, kept, and fetched anew when they are old or a signature names a key that
//! is not among them.
//!
//! A stranger can make up key ids as fast as he likes, so between two fetches for that reason lies a floor. When the bank's
//! key server is away the last copy goes on verifying for a while: what it published yesterday it did not sign any less.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use hyper::header::ACCEPT;
use hyper::http::HeaderValue;
use hyper::{HeaderMap, Method, StatusCode};
use oyez_domain::time::{Clock, Timestamp};
use oyez_jose::{Jwks, JwksError};

use crate::flight::Flight;
use crate::transport::{Request, Transport, TransportError};

/// The keys of one bank. Clones share the copy.
#[derive(Clone)]
pub struct BankKeys(Source);

/// Where keys are fetched.
pub struct KeyServer {
    /// The `jwks_uri` of the bank, or of the directory's key store.
    pub url: String,
    /// How it is reached; often without a client certificate.
    pub transport: Transport,
    /// When a copy is too old.
    pub freshness: Freshness,
    /// When it was fetched.
    pub clock: Arc<dyn Clock>,
}

/// When a copy of the keys is used, and when it is fetched anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// Older than this, a copy is fetched anew; so long does a withdrawn key still verify.
    pub max_age: Duration,
    /// Between two fetches for an unknown key id, and between two attempts while an older copy is at hand.
    pub floor: Duration,
    /// How old a copy may become while no new one is to be had.
    pub stale_max: Duration,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The key server gave no answer.
    #[error("the bank's key set cannot be fetched")]
    Transport(#[from] TransportError),
    /// It answered something else.
    #[error("the bank's key set was answered with {0}")]
    Status(StatusCode),
    /// What it answered is no key set.
    #[error("the bank's key set cannot be read")]
    Unreadable(#[from] JwksError),
}

/// Why a signature is not believed: for want of keys, or for a reason of its own.
pub(crate) enum Unproven<E> {
    Keys(Arc<KeysError>),
    Refused(E),
}

#[derive(Clone)]
enum Source {
    Fixed(Arc<Jwks>),
    Fetched(Arc<Fetched>),
}

struct Fetched {
    server: KeyServer,
    flight: Flight<Copy, Arc<KeysError>>,
    /// When the last fetch began, in milliseconds.
    tried_at: AtomicI64,
}

#[derive(Clone)]
struct Copy {
    keys: Arc<Jwks>,
    fetched_at: Timestamp,
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

impl BankKeys {
    /// Fetched when first needed.
    pub fn fetched(server: KeyServer) -> Self {
        Self(Source::Fetched(Arc::new(Fetched {
            server,
            flight: Flight::new(),
            tried_at: AtomicI64::new(0),
        })))
    }

    /// These and no others.
    pub fn fixed(keys: Jwks) -> Self {
        Self(Source::Fixed(Arc::new(keys)))
    }

    /// The keys as they are known now.
    pub async fn current(&self) -> Result<Arc<Jwks>, Arc<KeysError>> {
        match &self.0 {
            Source::Fixed(keys) => Ok(Arc::clone(keys)),
            Source::Fetched(fetched) => fetched.current().await,
        }
    }

    /// Tries `verify` with the keys known now and, when it says that the key is unknown, once more with newer ones.
    pub(crate) async fn prove<T, E>(
        &self,
        verify: impl Fn(&Jwks) -> Result<T, E>,
        is_unknown_key: impl Fn(&E) -> bool,
    ) -> Result<T, Unproven<E>> {
        let keys = self.current().await.map_err(Unproven::Keys)?;
        let proof = match verify(&keys) {
            Err(error) if is_unknown_key(&error) => match self.newer_than(&keys).await {
                Some(keys) => verify(&keys),
                None => Err(error),
            },
            proof => proof,
        };
        proof.map_err(Unproven::Refused)
    }

    async fn newer_than(&self, seen: &Arc<Jwks>) -> Option<Arc<Jwks>> {
        match &self.0 {
            Source::Fixed(_) => None,
            Source::Fetched(fetched) => fetched.newer_than(seen).await,
        }
    }
}

impl Fetched {
    async fn current(&self) -> Result<Arc<Jwks>, Arc<KeysError>> {
        let now = self.server.clock.now();
        let freshness = self.server.freshness;
        let age = |copy: &Copy| now.since(copy.fetched_at);
        let kept = self.flight.kept();
        if let Some(fresh) = kept.as_ref().filter(|copy| age(copy) < freshness.max_age) {
            return Ok(Arc::clone(&fresh.keys));
        }
        let stale = kept.filter(|copy| age(copy) < freshness.stale_max);
        if let Some(stale) = stale.as_ref().filter(|_| !self.may_try(now)) {
            return Ok(Arc::clone(&stale.keys));
        }
        let is_fresh = |copy: &Copy| age(copy) < freshness.max_age;
        match (self.flight.join(is_fresh, self.fetch()).await, stale) {
            (Ok(copy), _) | (Err(_), Some(copy)) => Ok(copy.keys),
            (Err(error), None) => Err(error),
        }
    }

    /// Another copy than this one, if there is one already or one may be fetched.
    async fn newer_than(&self, seen: &Arc<Jwks>) -> Option<Arc<Jwks>> {
        let is_other = |copy: &Copy| !Arc::ptr_eq(&copy.keys, seen);
        if let Some(other) = self.flight.kept().filter(is_other) {
            return Some(other.keys);
        }
        if !self.may_try(self.server.clock.now()) {
            return None;
        }
        let copy = self.flight.join(is_other, self.fetch()).await;
        copy.ok().map(|copy| copy.keys)
    }

    fn may_try(&self, now: Timestamp) -> bool {
        let tried_at = Timestamp::from_unix_ms(self.tried_at.load(Ordering::Acquire));
        now.since(tried_at) >= self.server.freshness.floor
    }

    async fn fetch(&self) -> Result<Copy, Arc<KeysError>> {
        let fetched_at = self.server.clock.now();
        self.tried_at.store(fetched_at.unix_ms(), Ordering::Release);
        let keys = self.request().await.map_err(Arc::new)?;
        Ok(Copy {
            keys: Arc::new(keys),
            fetched_at,
        })
    }

    async fn request(&self) -> Result<Jwks, KeysError> {
        let transport = &self.server.transport;
        let accept = HeaderValue::from_static("application/jwk-set+json, application/json");
        let request = Request {
            method: Method::GET,
            url: self.server.url.clone(),
            headers: HeaderMap::from_iter([(ACCEPT, accept)]),
            body: hyper::body::Bytes::new(),
            total: transport.limits().total,
        };
        let response = transport.send(request).await?;
        if response.status != StatusCode::OK {
            return Err(KeysError::Status(response.status));
        }
        Ok(Jwks::parse(&response.body)?)
    }
}

/// Banks publish a new key for longer than this before they sign with it, and the floor covers those who do not.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// Made-up key ids cost the bank one request a minute.
const FLOOR: Duration = Duration::from_secs(60);

/// Over a night's outage, and no longer: a key that was compromised must stop counting some time.
const STALE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
