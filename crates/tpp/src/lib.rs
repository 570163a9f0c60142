//! The TPP's side of the UK Open Banking Event Notification API, for any bank that speaks the standard.
//!
//! A [`Bank`] is one bank as one TPP sees it. It gets tokens by client credentials over mutual TLS ([`TokenSource`]), signs
//! what the standard wants signed ([`Signer`]), verifies what banks sign ([`BankKeys`]), and shows both error models of the
//! standard as one type ([`Refused`]). On it hang event-subscriptions ([`Subscriptions`]), callback-urls ([`CallbackUrls`])
//! and aggregated polling ([`Polls`]), in v3.1 and v4.0.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use oyez_tpp::domain::ids::ClientId;
//! use oyez_tpp::domain::registration::SubscriptionWish;
//! use oyez_tpp::domain::time::Clock;
//! use oyez_tpp::domain::version::ApiVersion;
//! use oyez_tpp::jose::{Form, LocalKey, Signatory, Zeroizing};
//! use oyez_tpp::{
//!     Authentication, Bank, BankKeys, ClientCertificate, Freshness, Identity, KeyServer, Limits, PollRequest, Random,
//!     Setup, Signer, Tls, TokenSetup, TokenSource, Transport,
//! };
//!
//! # fn read(_: &str) -> Vec<u8> { Vec::new() }
//! # async fn example(clock: Arc<dyn Clock>, random: Random) -> Result<(), Box<dyn std::error::Error>> {
//! // One transport is one client certificate. What time it is and what is random are yours to say.
//! let (anchors, chain, key) = (read("ob-ca.pem"), read("obwac.pem"), read("obwac.key"));
//! let certificate = ClientCertificate { chain: &chain, key: &key };
//! let tls = Tls { anchors: &anchors, certificate: Some(certificate) };
//! let transport = Transport::new(tls, Limits::default(), Arc::clone(&clock))?;
//!
//! let key = LocalKey::read(Zeroizing::new(read("obseal.key")))?;
//! let us = Signatory {
//!     issuer: "0015800001041RHAAY/HQuZPIt3ipkh33Uxytox1E".into(),
//!     trust_anchor: "openbanking.org.uk".into(),
//! };
//! let signer = Signer::new(Arc::new(key), "our-kid", &us, Form::Encoded);
//! let client_id = ClientId::new("7umx5nTR33811QyQfi")?;
//!
//! let bank = Bank::new(
//!     Setup {
//!         base_url: "https://api.bank.example".parse()?,
//!         identity: Identity {
//!             org_id: "0015800000jfQ9aAAE".into(),
//!             trust_anchors: vec!["openbanking.org.uk".into()],
//!             set_issuer: "https://bank.example/".into(),
//!         },
//!         client_id: client_id.clone(),
//!         signer: signer.clone(),
//!         keys: BankKeys::fetched(KeyServer {
//!             url: "https://keys.bank.example/jwks".into(),
//!             transport: transport.clone(),
//!             freshness: Freshness::default(),
//!             clock: Arc::clone(&clock),
//!         }),
//!         tokens: TokenSource::new(TokenSetup {
//!             endpoint: "https://auth.bank.example/token".into(),
//!             client_id,
//!             authentication: Authentication::PrivateKeyJwt(signer),
//!             scope: "accounts".into(),
//!             transport: transport.clone(),
//!             clock: Arc::clone(&clock),
//!             random: random.clone(),
//!         }),
//!         transport,
//!         rules: Arc::default(),
//!         clock,
//!         random,
//!     },
//!     ApiVersion::V4_0,
//! )?;
//!
//! let polling_only = SubscriptionWish { callback_url: None, version: "4.0".parse()?, event_types: None };
//! bank.subscriptions().create(&polling_only).await?;
//!
//! let mut request = PollRequest { return_immediately: Some(false), ..PollRequest::default() };
//! loop {
//!     let polled = bank.polls().poll(&request).await?.value;
//!     request.set_errs = polled.set_errs();
//!     request.ack.clear();
//!     for set in polled.sets {
//!         if let Ok(event) = set.outcome {
//!             // Keep the event where it is safe, and only then acknowledge it.
//!             println!("{:?}", event.claims.events);
//!             request.ack.push(set.jti);
//!         }
//!     }
//! }
//! # }
//! ```
//!
//! # What is believed
//!
//! - **A server** whose certificate comes from the anchors given; there are no others, and nothing but TLS is spoken.
//! - **An answer** about event-subscriptions or callback-urls that the bank signed, under its own id and trust anchor. One
//!   that is not proven is an error that carries it ([`Error::Unproven`]). Errors need no signature, for gateways cannot sign;
//!   whether they had one is told ([`Authenticity`]).
//! - **A SET** that the bank signed in any of the three header profiles, whose `iss` is the bank, whose `aud` is us, whose
//!   `jti` is the one it was handed out under, and which was not made in the future ([`VerifyError`] says what it is not).
//!   What the standard does not know in it is passed over.
//!
//! # What is left to the caller
//!
//! Whether to try again, where events are kept, and whether one was seen before. Nothing here prints, reads a clock, draws
//! random numbers, opens a file or starts a task of its own, but for the connections' own, which run on tokio.

mod bank;
mod call;
mod callback_urls;
mod discovery;
mod error;
mod fetched;
mod flight;
mod hand_over;
mod intake;
mod keys;
mod poller;
mod polls;
mod random;
mod receiver;
mod refusal;
mod resource;
mod seen;
mod sets;
mod signer;
mod subscriptions;
mod tokens;
mod transport;

pub use bank::{
    Answer, Bank, Echo, INTERACTION_ID, Identity, NoSuchVersion, SIGNATURE, Setup, SignatureFault,
};
pub use callback_urls::{CallbackUrl, CallbackUrls};
pub use discovery::{Discovery, DiscoveryError, Document, Location};
pub use error::Error;
pub use fetched::Freshness;
pub use hand_over::{Declined, Each, HandOver, Notification, Pending, Repeat, Via, each};
pub use hyper::body::Bytes;
pub use hyper::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
pub use intake::{Intake, NotNow, Taken};
pub use keys::{BankKeys, KeyServer, KeysError};
pub use oyez_domain as domain;
pub use oyez_domain::ledger::poll::SetError;
pub use oyez_jose as jose;
pub use poller::{Pace, PollObserver, Poller, PollerSetup, Round, Waits, Yield};
pub use polls::{PollRequest, Polled, PolledSet, Polls};
pub use random::Random;
pub use receiver::{Observer, Outcome, Pusher, Received, Receiver, ReceiverSetup};
pub use refusal::{Authenticity, ErrorDetail, Refused};
#[cfg(feature = "sqlite")]
pub use seen::SqliteSeen;
pub use seen::{AGE_MAX, EventId, Known, Seen, SeenError, SeenInMemory};
pub use sets::{SetVerifier, Verified, VerifyError};
pub use signer::Signer;
pub use subscriptions::{Subscription, Subscriptions};
pub use tokens::{AccessToken, Authentication, TokenError, TokenSetup, TokenSource};
pub use transport::{
    ClientCertificate, Limits, Request, Response, Tls, TlsError, Transport, TransportError,
};
