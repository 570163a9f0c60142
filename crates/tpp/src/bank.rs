//! One bank's event notification API, as one TPP sees it: where it is, whose word counts, and how a call is made.
//!
//! Every call carries a token and a fresh interaction id; what the standard signs is signed on the way out and verified on the
//! way in. A token that the bank no longer takes is replaced once. Nothing else is tried again: whether a call may be repeated
//! is for the caller to know.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, USER_AGENT};
use hyper::http::HeaderValue;
use hyper::{HeaderMap, Method, StatusCode};
use oyez_domain::base_url::BaseUrl;
use oyez_domain::ids::{ClientId, InteractionId};
use oyez_domain::rules::Rules;
use oyez_domain::time::Clock;
use oyez_domain::version::ApiVersion;
use oyez_domain::versions::Row;
use oyez_jose::detached::{self, Forms, Policy, Signature, UnknownMembers};
use oyez_jose::{Algorithm, SignError};
use serde::de::DeserializeOwned;

use crate::callback_urls::CallbackUrls;
use crate::error::Error;
use crate::keys::{BankKeys, KeysError, Unproven};
use crate::polls::Polls;
use crate::random::Random;
use crate::refusal::{Authenticity, Refused, blames_the_token};
use crate::sets::SetVerifier;
use crate::signer::{Signer, jose_time};
use crate::subscriptions::Subscriptions;
use crate::tokens::{AccessToken, TokenSource};
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

/// One call, before its headers.
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Below the version: `event-subscriptions`.
    pub(crate) path: String,
    pub(crate) body: Bytes,
    pub(crate) signed: Signed,
    pub(crate) total: Duration,
}

/// What of a call the standard signs (M-01, M-04).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signed {
    /// `DELETE` and all of `/events`.
    Nothing,
    /// `GET`: the answer.
    Answer,
    /// `POST` and `PUT`: the request, and the answer too.
    Both,
}

struct Answered {
    response: Response,
    interaction_id: InteractionId,
    echo: Echo,
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

    pub(crate) fn row(&self) -> &Row {
        &self.row
    }

    /// Makes a call and reads its result.
    pub(crate) async fn call<T: DeserializeOwned>(&self, call: &Call) -> Result<Answer<T>, Error> {
        let answered = self.proven(call).await?;
        let status = answered.response.status;
        match serde_json::from_slice(&answered.response.body) {
            Ok(value) => Ok(answered.with(value)),
            Err(source) => Err(Error::Unreadable {
                status,
                interaction_id: answered.interaction_id,
                source,
            }),
        }
    }

    /// Makes a call that has no result but its success.
    pub(crate) async fn order(&self, call: &Call) -> Result<Answer<()>, Error> {
        Ok(self.proven(call).await?.with(()))
    }

    /// A success that is the bank's.
    async fn proven(&self, call: &Call) -> Result<Answered, Error> {
        let answered = self.authorised(call).await?;
        let success = answered.response.status.is_success();
        let proof = match call.signed {
            Signed::Nothing => Err(detached::Error::Missing.into()),
            Signed::Answer | Signed::Both => self.prove(&answered.response).await,
        };
        if !success {
            return Err(self.refused(answered, proof));
        }
        match proof {
            Err(fault) if call.signed != Signed::Nothing => Err(Error::Unproven {
                interaction_id: answered.interaction_id,
                response: Box::new(answered.response),
                fault,
            }),
            _ => Ok(answered),
        }
    }

    /// With a token that the bank takes, if there is one: a token that it calls invalid is replaced once.
    async fn authorised(&self, call: &Call) -> Result<Answered, Error> {
        let tokens = &self.shared.setup.tokens;
        let token = tokens.token().await?;
        let answered = self.send(call, &token).await?;
        let unauthorised = answered.response.status == StatusCode::UNAUTHORIZED;
        if !(unauthorised && blames_the_token(&answered.response)) {
            return Ok(answered);
        }
        let token = tokens.instead_of(&token).await?;
        self.send(call, &token).await
    }

    async fn send(&self, call: &Call, token: &AccessToken) -> Result<Answered, Error> {
        let setup = &self.shared.setup;
        let interaction_id = setup.random.interaction_id();
        let request = Request {
            method: call.method.clone(),
            url: self.url(&call.path),
            headers: self.headers(call, token, &interaction_id).await?,
            body: call.body.clone(),
            total: call.total,
        };
        let response = setup.transport.send(request).await?;
        let echo = Echo::of(&response.headers, &interaction_id);
        Ok(Answered {
            response,
            interaction_id,
            echo,
        })
    }

    async fn headers(
        &self,
        call: &Call,
        token: &AccessToken,
        interaction_id: &InteractionId,
    ) -> Result<HeaderMap, SignError> {
        let setup = &self.shared.setup;
        let value = |text: &str| HeaderValue::from_str(text).expect("it is printable ASCII");
        let mut headers = HeaderMap::from_iter([
            (AUTHORIZATION, token.authorization()),
            (INTERACTION_ID, value(interaction_id.as_str())),
            (ACCEPT, JSON),
            (USER_AGENT, HeaderValue::from_static(AGENT)),
        ]);
        if !call.body.is_empty() {
            headers.insert(CONTENT_TYPE, JSON);
        }
        if call.signed == Signed::Both {
            let signature = setup.signer.detached(&call.body, setup.clock.now()).await?;
            headers.insert(SIGNATURE, value(&signature));
        }
        Ok(headers)
    }

    /// Whether the body of an answer is the bank's word.
    async fn prove(&self, response: &Response) -> Result<(), SignatureFault> {
        let setup = &self.shared.setup;
        let mut values = response.headers.get_all(SIGNATURE).iter();
        let first = values.next();
        if values.next().is_some() {
            return Err(SignatureFault::Several);
        }
        let text = first.map(|value| String::from_utf8_lossy(value.as_bytes()));
        let now = jose_time(setup.clock.now());
        let checked = Signature::parse(text.as_deref())?.check(&self.shared.policy, now)?;
        let proof = setup
            .keys
            .prove(
                |keys| checked.verify(&response.body, keys, now),
                detached::Error::is_unknown_key,
            )
            .await;
        proof.map_err(|unproven| match unproven {
            Unproven::Keys(error) => SignatureFault::Keys(error),
            Unproven::Refused(error) => SignatureFault::Signature(error),
        })
    }

    fn refused(&self, answered: Answered, proof: Result<(), SignatureFault>) -> Error {
        let authenticity = match proof {
            Ok(()) => Authenticity::Signed,
            Err(SignatureFault::Signature(detached::Error::Missing)) => Authenticity::Unsigned,
            Err(fault) => Authenticity::Broken(fault),
        };
        let now = self.shared.setup.clock.now();
        Error::Refused(Box::new(Refused::read(
            answered.response,
            answered.interaction_id,
            answered.echo,
            authenticity,
            now,
        )))
    }
}

impl Answered {
    fn with<T>(self, value: T) -> Answer<T> {
        Answer {
            value,
            status: self.response.status.as_u16(),
            interaction_id: self.interaction_id,
            echo: self.echo,
        }
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
    fn of(headers: &HeaderMap, sent: &InteractionId) -> Self {
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

const JSON: HeaderValue = HeaderValue::from_static("application/json");

const AGENT: &str = concat!("oyez-tpp/", env!("CARGO_PKG_VERSION"));
