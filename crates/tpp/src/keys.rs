//! The bank's public keys: fetched from its JWKS URL, kept, and fetched anew when they are old or a signature names a key that
//! is not among them.

use std::sync::Arc;

use hyper::header::ACCEPT;
use hyper::http::HeaderValue;
use hyper::{HeaderMap, Method, StatusCode};
use oyez_domain::time::Clock;
use oyez_jose::{Jwks, JwksError};

use crate::discovery::{DiscoveryError, Location};
use crate::fetched::{Fetched, Freshness};
use crate::transport::{Request, Transport, TransportError};

/// The keys of one bank. Clones share the copy.
#[derive(Clone)]
pub struct BankKeys(Source);

/// Where keys are fetched.
pub struct KeyServer {
    /// The `jwks_uri` of the bank, or of the directory's key store.
    pub url: Location,
    /// How it is reached; often without a client certificate.
    pub transport: Transport,
    /// When a copy is too old.
    pub freshness: Freshness,
    /// When it was fetched.
    pub clock: Arc<dyn Clock>,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// Nobody says where it is.
    #[error("the bank's key set cannot be found")]
    Discovery(#[from] Arc<DiscoveryError>),
    /// The key server gave no answer.
    #[error("the bank's key set cannot be fetched from {url}")]
    Transport {
        /// Where it should be.
        url: String,
        /// Why not.
        #[source]
        source: TransportError,
    },
    /// It answered something else.
    #[error("{url} answered {status} instead of the bank's key set")]
    Status {
        /// Where it should be.
        url: String,
        /// What was answered.
        status: StatusCode,
    },
    /// What it answered is no key set.
    #[error("what {url} answered is no key set")]
    Unreadable {
        /// Where it should be.
        url: String,
        /// What is wrong with it.
        #[source]
        source: JwksError,
    },
}

/// Why a signature is not believed: for want of keys, or for a reason of its own.
pub(crate) enum Unproven<E> {
    Keys(Arc<KeysError>),
    Refused(E),
}

#[derive(Clone)]
enum Source {
    Fixed(Arc<Jwks>),
    Fetched(Arc<FetchedKeys>),
}

struct FetchedKeys {
    server: KeyServer,
    kept: Fetched<Jwks, KeysError>,
}

impl BankKeys {
    /// Fetched when first needed.
    pub fn fetched(server: KeyServer) -> Self {
        let kept = Fetched::new(server.freshness, Arc::clone(&server.clock));
        Self(Source::Fetched(Arc::new(FetchedKeys { server, kept })))
    }

    /// These and no others.
    pub fn fixed(keys: Jwks) -> Self {
        Self(Source::Fixed(Arc::new(keys)))
    }

    /// The keys as they are known now.
    pub async fn current(&self) -> Result<Arc<Jwks>, Arc<KeysError>> {
        match &self.0 {
            Source::Fixed(keys) => Ok(Arc::clone(keys)),
            Source::Fetched(fetched) => fetched.kept.current(|| Box::pin(fetched.fetch())).await,
        }
    }

    /// Tries `verify` with the keys known now and, when it says that the key is unknown, once more with newer ones.
    pub(crate) async fn prove<T, E>(
        &self,
        mut verify: impl FnMut(&Jwks) -> Result<T, E>,
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
            Source::Fetched(fetched) => {
                let fetch = || Box::pin(fetched.fetch_again()) as _;
                fetched.kept.newer_than(seen, fetch).await
            }
        }
    }
}

impl FetchedKeys {
    /// They may have moved since the discovery document was read.
    async fn fetch(&self) -> Result<Jwks, KeysError> {
        let url = self.server.url.keys(false).await?;
        match (self.request(url).await, &self.server.url) {
            (
                Err(KeysError::Transport { .. } | KeysError::Status { .. }),
                Location::Discovered(_),
            ) => self.fetch_again().await,
            (fetched, _) => fetched,
        }
    }

    async fn fetch_again(&self) -> Result<Jwks, KeysError> {
        let url = self.server.url.keys(true).await?;
        self.request(url).await
    }

    async fn request(&self, url: String) -> Result<Jwks, KeysError> {
        let transport = &self.server.transport;
        let accept = HeaderValue::from_static("application/jwk-set+json, application/json");
        let request = Request {
            method: Method::GET,
            url: url.clone(),
            headers: HeaderMap::from_iter([(ACCEPT, accept)]),
            body: hyper::body::Bytes::new(),
            total: transport.limits().total,
        };
        let response = match transport.send(request).await {
            Ok(response) => response,
            Err(source) => return Err(KeysError::Transport { url, source }),
        };
        let status = response.status;
        if status != StatusCode::OK {
            return Err(KeysError::Status { url, status });
        }
        Jwks::parse(&response.body).map_err(|source| KeysError::Unreadable { url, source })
    }
}
