//! What a bank says of itself (OpenID Connect Discovery): where its keys are, and where tokens come from. A bank may move both,
//! so neither needs to stand in a TPP's configuration.

use std::sync::Arc;

use hyper::header::{ACCEPT, HeaderValue};
use hyper::{HeaderMap, Method, StatusCode};
use oyez_domain::time::Clock;
use serde::Deserialize;

use crate::fetched::{Fetched, Freshness};
use crate::transport::{Request, Transport, TransportError};

/// The discovery document of one authorisation server. Clones share the copy.
#[derive(Clone)]
pub struct Discovery(Arc<Shared>);

/// Where something of a bank's is.
#[derive(Clone)]
pub enum Location {
    /// There.
    Fixed(String),
    /// Where the bank's discovery document says.
    Discovered(Discovery),
}

/// What the document says, as far as it concerns us.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Document {
    /// Whose it is.
    pub issuer: String,
    /// Where its keys are.
    pub jwks_uri: String,
    /// Where tokens come from.
    pub token_endpoint: String,
    #[serde(default)]
    mtls_endpoint_aliases: Aliases,
}

/// Where clients with a certificate go instead (RFC 8705, section 5).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct Aliases {
    token_endpoint: Option<String>,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// Its server gave no answer.
    #[error("the discovery document cannot be fetched from {url}")]
    Transport {
        /// Where it should be.
        url: String,
        /// Why not.
        #[source]
        source: TransportError,
    },
    /// It answered something else.
    #[error("{url} answered {status} instead of the discovery document")]
    Status {
        /// Where it should be.
        url: String,
        /// What was answered.
        status: StatusCode,
    },
    /// It lacks what we need, or is no JSON.
    #[error("what {url} answered is no discovery document")]
    Unreadable {
        /// Where it should be.
        url: String,
        /// Where it goes wrong.
        #[source]
        source: serde_json::Error,
    },
    /// It is that of somebody else.
    #[error("the discovery document is that of `{found}`, not of `{expected}`")]
    Issuer {
        /// Whom we asked for.
        expected: String,
        /// Whose it is.
        found: String,
    },
}

struct Shared {
    issuer: String,
    transport: Transport,
    document: Fetched<Document, DiscoveryError>,
}

impl Discovery {
    /// Of the authorisation server with this issuer; fetched when first needed.
    pub fn of(
        issuer: impl Into<String>,
        transport: Transport,
        freshness: Freshness,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self(Arc::new(Shared {
            issuer: issuer.into(),
            transport,
            document: Fetched::new(freshness, clock),
        }))
    }

    /// The document as it is known now.
    pub async fn current(&self) -> Result<Arc<Document>, Arc<DiscoveryError>> {
        let shared = &*self.0;
        shared.document.current(|| Box::pin(shared.request())).await
    }

    /// The document as it is now, unless it was asked for a moment ago.
    async fn renewed(&self) -> Result<Arc<Document>, Arc<DiscoveryError>> {
        let current = self.current().await?;
        let shared = &*self.0;
        let request = || Box::pin(shared.request()) as _;
        let newer = shared.document.newer_than(&current, request).await;
        Ok(newer.unwrap_or(current))
    }
}

impl Document {
    /// Where a client with a certificate gets its tokens.
    pub fn token_endpoint_for_certificates(&self) -> &str {
        let alias = self.mtls_endpoint_aliases.token_endpoint.as_deref();
        alias.unwrap_or(&self.token_endpoint)
    }
}

impl Location {
    /// The URL of the keys; `again`: the last one led to nothing good.
    pub(crate) async fn keys(&self, again: bool) -> Result<String, Arc<DiscoveryError>> {
        Ok(match self {
            Self::Fixed(url) => url.clone(),
            Self::Discovered(discovery) if again => discovery.renewed().await?.jwks_uri.clone(),
            Self::Discovered(discovery) => discovery.current().await?.jwks_uri.clone(),
        })
    }

    /// The URL of the token endpoint.
    pub(crate) async fn tokens(&self) -> Result<String, Arc<DiscoveryError>> {
        Ok(match self {
            Self::Fixed(url) => url.clone(),
            Self::Discovered(discovery) => {
                let document = discovery.current().await?;
                document.token_endpoint_for_certificates().to_owned()
            }
        })
    }
}

impl<S: Into<String>> From<S> for Location {
    fn from(url: S) -> Self {
        Self::Fixed(url.into())
    }
}

impl Shared {
    async fn request(&self) -> Result<Document, DiscoveryError> {
        let url = format!("{}{PATH}", self.issuer.trim_end_matches('/'));
        let request = Request {
            method: Method::GET,
            url: url.clone(),
            headers: HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]),
            body: hyper::body::Bytes::new(),
            total: self.transport.limits().total,
        };
        let response = match self.transport.send(request).await {
            Ok(response) => response,
            Err(source) => return Err(DiscoveryError::Transport { url, source }),
        };
        let status = response.status;
        if status != StatusCode::OK {
            return Err(DiscoveryError::Status { url, status });
        }
        let document: Document = serde_json::from_slice(&response.body)
            .map_err(|source| DiscoveryError::Unreadable { url, source })?;
        if document.issuer != self.issuer {
            return Err(DiscoveryError::Issuer {
                expected: self.issuer.clone(),
                found: document.issuer,
            });
        }
        Ok(document)
    }
}

const PATH: &str = "/.well-known/openid-configuration";
