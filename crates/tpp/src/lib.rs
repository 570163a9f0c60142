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
//!     AGE_MAX, Authentication, Bank, BankKeys, ClientCertificate, Freshness, Identity, Intake, KeyServer, Limits,
//!     Notification, Pace, Poller, PollerSetup, Random, Setup, Signer, SqliteSeen, Tls, TokenSetup, TokenSource,
//!     Transport, each,
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
//! // Each event is handed over once, and acknowledged when the application has it.
//! let clock = Arc::clone(&bank.setup().clock);
//! let application = each(async |event: Notification| {
//!     println!("{:?}", event.claims.events);
//!     Ok(())
//! });
//! let seen = SqliteSeen::open("seen.db".as_ref(), AGE_MAX)?;
//! let mut poller = Poller::new(PollerSetup {
//!     name: "the bank".into(),
//!     bank,
//!     intake: Intake::new(Arc::new(seen), Arc::new(application), clock),
//!     pace: Pace::default(),
//!     observer: None,
//! });
//! poller.run(std::future::pending()).await;
//! # Ok(())
//! # }
//! ```
//!
//! # What comes in, and goes on to the application
//!
//! A [`Receiver`] takes what banks push, a [`Poller`] fetches what they keep; many of either, for any number of banks, share an
//! [`Intake`]. It notes each event in a store of [`Seen`] events before and after it hands it over ([`HandOver`]), and the bank hears
//! that it may forget the event after that and no sooner. So an event is never lost, whenever the process dies; one that may
//! come twice says so ([`Repeat`]), and one that surely was handed over is not handed over again.
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
//! Whether a call is tried again (a poller does), and where events are kept. Nothing here prints, reads a clock, draws
//! random numbers, opens a file or starts a task of its own, but for the connections' own, which run on tokio, and for
//! [`SqliteSeen`], which has a file and a thread.

/// What the README shows is tried like all examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

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
