//! One bank's event notification API, as one TPP sees it: where it is, whose word counts, and what a call brings. How a call
//! is made is [`crate::call`]'s.

use std::fmt;
use std::sync::Arc;

use hyper::body::Bytes;
use hyper::header::HeaderName;
use hyper::{HeaderMap, Method};
use oyez_domain::base_url::BaseUrl;
use oyez_domain::ids::{ClientId, InteractionId};
use oyez_domain::rules::Rules;
use oyez_domain::time::Clock;
use oyez_domain::version::ApiVersion;
use oyez_domain::versions::Row;
use oyez_jose::Algorithm;
use oyez_jose::detached::{self, Forms, Policy, UnknownMembers};

use crate::callback_urls::CallbackUrls;
use crate::keys::{BankKeys, KeysError};
use crate::polls::Polls;
use crate::random::Random;
use crate::sets::SetVerifier;
use crate::signer::Signer;
use crate::subscriptions::Subscriptions;
use crate::tokens::TokenSource;
use crate::transport::{Request, Response, Transport, TransportError};

/// A bank in one version of its API. Clones share connections, token and keys.
#[derive(Clone)]
pub struct Bank {
    shared: Arc<Shared>,
    row: Arc<Row>,
}

/// Everything that a [`Bank`] is made of.
pub struct Setup {
    /// Where its API is: what stands before `/open-banking/v4.0/…`.
    pub base_url: BaseUrl,
    /// Whose word counts.
    pub identity: Identity,
    /// Our name there: the `aud` of its SETs.
    pub client_id: ClientId,
    /// Signs what we send.
    pub signer: Signer,
    /// The bank's public keys.
    pub keys: BankKeys,
    /// Our tokens.
    pub tokens: TokenSource,
    /// Our connections.
    pub transport: Transport,
    /// The versions there are, and the event types; the default is the UK standard's.
    pub rules: Arc<Rules>,
    /// When.
    pub clock: Arc<dyn Clock>,
    /// Chance, for interaction ids.
    pub random: Random,
}

/// A bank's names for itself, each checked in what it signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its id in the directory: `http://openbanking.org.uk/iss` in the header of its signatures.
    pub org_id: String,
    /// The domains of the trust anchors it may name in `http://openbanking.org.uk/tan`.
    pub trust_anchors: Vec<String>,
    /// The claim `iss` of its SETs.
    pub set_issuer: String,
}

/// A call's result, and what else came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// What was asked for.
    pub value: T,
    /// The status, some 2xx: banks differ in which.
    pub status: u16,
    /// The request's `x-fapi-interaction-id`.
    pub interaction_id: InteractionId,
    /// Whether it came back. If not, it is the bank's fault, and no more than a warning to us.
    pub echo: Echo,
}

/// Whether an answer carries the interaction id of its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Echo {
    /// It does.
    Same,
    /// It carries none.
    Absent,
    /// It carries another, here as far as it is text.
    Other(String),
}

/// Why a signature does not prove an answer to be the bank's.
#[derive(Debug, thiserror::Error)]
pub enum SignatureFault {
    /// `x-jws-signature` stands there more than once.
    #[error("there is more than one signature")]
    Several,
    /// There is none, or it does not verify.
    #[error(transparent)]
    Signature(#[from] detached::Error),
    /// There are no keys to verify it with.
    #[error("it cannot be verified")]
    Keys(#[source] Arc<KeysError>),
}

/// There is no row for this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not in the table of versions")]
pub struct NoSuchVersion(pub ApiVersion);

struct Shared {
    setup: Setup,
    policy: Policy,
    sets: SetVerifier,
}

impl Bank {
    /// The bank's API in `api`. Nothing is sent before the first call.
    pub fn new(setup: Setup, api: ApiVersion) -> Result<Self, NoSuchVersion> {
        let row = row(&setup.rules, api)?;
        let identity = &setup.identity;
        // Lenient where leniency proves nothing less: old banks sign with `b64: false`, new ones may add members.
        let policy = Policy {
            algorithms: vec![Algorithm::PS256, Algorithm::ES256],
            unknown_members: UnknownMembers::Ignore,
            ..Policy::standard([&identity.org_id], &identity.trust_anchors, Forms::Both)
        };
        let sets = SetVerifier::new(
            identity,
            setup.client_id.as_str(),
            Arc::clone(&setup.rules),
            setup.keys.clone(),
            Arc::clone(&setup.clock),
        );
        let shared = Arc::new(Shared {
            setup,
            policy,
            sets,
        });
        Ok(Self { shared, row })
    }

    /// The same bank's API in another version.
    pub fn at(&self, api: ApiVersion) -> Result<Self, NoSuchVersion> {
        Ok(Self {
            shared: Arc::clone(&self.shared),
            row: row(&self.shared.setup.rules, api)?,
        })
    }

    /// Its event-subscriptions.
    pub fn subscriptions(&self) -> Subscriptions<'_> {
        Subscriptions::of(self)
    }

    /// Its callback-urls.
    pub fn callback_urls(&self) -> CallbackUrls<'_> {
        CallbackUrls::of(self)
    }

    /// Its aggregated polling.
    pub fn polls(&self) -> Polls<'_> {
        Polls::of(self)
    }

    /// What believes its SETs.
    pub fn set_verifier(&self) -> &SetVerifier {
        &self.shared.sets
    }

    /// What it is made of: the token source for a header of one's own, the signer for a signature.
    pub fn setup(&self) -> &Setup {
        &self.shared.setup
    }

    /// The URL of a path below the version: `{base}/open-banking/v4.0/{path}`.
    pub fn url(&self, path: &str) -> String {
        self.shared.setup.base_url.under(&self.row, path)
    }

    /// Sends exactly this, for tests and demonstrations that call wrongly on purpose: no token, no signature, no interaction
    /// id but those in `headers`, and nothing of the answer is checked. `path` is one below the version.
    pub async fn raw(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: impl Into<Bytes>,
    ) -> Result<Response, TransportError> {
        let transport = &self.shared.setup.transport;
        let request = Request {
            method,
            url: self.url(path),
            headers,
            body: body.into(),
            total: transport.limits().total,
        };
        transport.send(request).await
    }

    /// What a signed answer must be like.
    pub(crate) fn policy(&self) -> &Policy {
        &self.shared.policy
    }

    pub(crate) fn row(&self) -> &Row {
        &self.row
    }
}

impl<T> Answer<T> {
    /// The same answer with something made of its value.
    pub(crate) fn map<U>(self, make: impl FnOnce(T) -> U) -> Answer<U> {
        Answer {
            value: make(self.value),
            status: self.status,
            interaction_id: self.interaction_id,
            echo: self.echo,
        }
    }
}

impl Echo {
    pub(crate) fn of(headers: &HeaderMap, sent: &InteractionId) -> Self {
        match headers.get(INTERACTION_ID) {
            None => Self::Absent,
            Some(value) if value.as_bytes() == sent.as_str().as_bytes() => Self::Same,
            Some(value) => Self::Other(String::from_utf8_lossy(value.as_bytes()).into_owned()),
        }
    }
}

impl fmt::Display for Echo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => f.write_str("the interaction id came back"),
            Self::Absent => f.write_str("no interaction id came back"),
            Self::Other(text) => write!(f, "another interaction id came back: {text:?}"),
        }
    }
}

fn row(rules: &Rules, api: ApiVersion) -> Result<Arc<Row>, NoSuchVersion> {
    let row = rules.versions.row(api).ok_or(NoSuchVersion(api))?;
    Ok(Arc::new(row.clone()))
}

/// Ties a call to its traces on both sides.
pub const INTERACTION_ID: HeaderName = HeaderName::from_static("x-fapi-interaction-id");

/// Detached signatures.
pub const SIGNATURE: HeaderName = HeaderName::from_static(detached::HTTP_HEADER);
