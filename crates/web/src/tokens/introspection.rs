//! Access tokens that only their issuer can read: it is asked (RFC 7662).
//!
//! The answer is remembered, by the token's digest, for a configured time and never past the token's end; a refusal is
//! remembered more briefly. A hundred requests with one token ask once. Refusals have a place of their own, so that invented
//! tokens do not drive out the answers for good ones, and there is a bound on how many questions are open at once, for each
//! may wait as long as the client lets it. That the issuer cannot be asked is never remembered, and never a pass.
//!
//! The token travels in the body of the question and nowhere else: no URL, header, log line or error has it.

mod answers;
mod question;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oyez_domain::time::{Clock, Timestamp};
use oyez_jose::{Zeroizing, looks_like_set, sha256};
use oyez_outbound::{Client, Limits};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::claims::{Expected, Presence, SECURITY_EVENT};
use super::{
    AccessToken, BadOptions, LEEWAY, LEEWAY_MAX, TOKEN_BYTES_MAX, TokenError, ValidateTokens,
    Validating,
};
use crate::flight::Flight;
use answers::{Answers, Digest, Known};
use question::Question;

/// Believes what the authorisation server answers.
pub struct Validator {
    shared: Arc<Shared>,
    tracker: TaskTracker,
    /// One permit for each question that may be open.
    room: Arc<Semaphore>,
}

/// Who is asked, and what is believed. It has no `Debug`: it holds a secret.
#[derive(Clone)]
pub struct Options {
    /// The introspection endpoint.
    pub url: String,
    /// How it knows us.
    pub credentials: Credentials,
    /// `iss`, letter by letter, where the answer has it.
    pub issuer: Option<String>,
    /// One of them stands in `aud`; if there are none, `aud` is not looked at.
    pub audiences: Vec<String>,
    /// How far clocks may differ.
    pub leeway: Duration,
    /// How long an answer is remembered; at zero every request asks.
    pub remember: Duration,
    /// How long a refusal is remembered.
    pub remember_refusal: Duration,
    /// How many answers are remembered, and how many refusals.
    pub answers_max: usize,
    /// How many questions are open at once; further ones wait, for no longer than a question may take.
    pub questions_max: usize,
}

/// How the authorisation server knows us. It has no `Debug`.
#[derive(Clone)]
pub enum Credentials {
    /// `client_secret_basic` (RFC 6749, section 2.3.1).
    ClientSecretBasic {
        /// Who we are.
        client_id: String,
        /// What only we know.
        client_secret: Zeroizing<String>,
    },
    /// An access token of our own.
    Bearer(Zeroizing<String>),
    /// The certificate that the client presents (RFC 8705).
    MutualTls {
        /// Who we are.
        client_id: String,
    },
}

struct Shared {
    client: Arc<Client>,
    question: Question,
    expected: Expected,
    clock: Arc<dyn Clock>,
    answers: Mutex<Answers>,
}

type Outcome = Result<AccessToken, TokenError>;

impl Options {
    /// With what is usual for the rest.
    pub fn new(url: impl Into<String>, credentials: Credentials) -> Self {
        Self {
            url: url.into(),
            credentials,
            issuer: None,
            audiences: Vec::new(),
            leeway: LEEWAY,
            remember: REMEMBER,
            remember_refusal: REMEMBER_REFUSAL,
            answers_max: ANSWERS_MAX,
            questions_max: QUESTIONS_MAX,
        }
    }
}

impl Validator {
    /// Asks through `client`, which is best set up with [`limits`]; questions are spawned on `tracker`.
    pub fn new(
        options: &Options,
        client: Arc<Client>,
        clock: Arc<dyn Clock>,
        tracker: TaskTracker,
    ) -> Result<Self, BadOptions> {
        if options.leeway > LEEWAY_MAX {
            return Err(BadOptions::Leeway);
        }
        let shared = Shared {
            client,
            question: Question::new(&options.url, &options.credentials)?,
            expected: Expected {
                issuer: options.issuer.clone(),
                audiences: options.audiences.clone(),
                leeway: options.leeway,
                presence: Presence::Optional,
            },
            clock,
            answers: Mutex::new(Answers::new(options)),
        };
        Ok(Self {
            shared: Arc::new(shared),
            tracker,
            room: Arc::new(Semaphore::new(options.questions_max.max(1))),
        })
    }

    async fn check(&self, token: &str) -> Outcome {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid("the access token is too long"));
        }
        if looks_like_set(token) {
            return Err(TokenError::Invalid(SECURITY_EVENT));
        }
        let digest = sha256(token.as_bytes());
        let known = self.known(&digest);
        match known {
            Some(known) => known.outcome().await,
            None => self.ask(digest, token).await.outcome().await,
        }
    }

    fn known(&self, digest: &Digest) -> Option<Known> {
        self.shared.lock().known(digest, self.shared.clock.now())
    }

    async fn ask(&self, digest: Digest, token: &str) -> Known {
        let room = timeout(QUESTION_TOTAL, Arc::clone(&self.room).acquire_owned()).await;
        let Ok(room) = room else {
            let why = "too many are asked about at once".to_owned();
            return Known::Answered(Err(TokenError::Unavailable(why)));
        };
        let room = room.expect("the semaphore is never closed");
        let mut answers = self.shared.lock();
        // Somebody else may have asked while this one waited for room.
        if let Some(known) = answers.known(&digest, self.shared.clock.now()) {
            return known;
        }
        let asking = Arc::clone(&self.shared).ask(digest, token.to_owned(), room);
        let flight = Flight::start(&self.tracker, asking);
        answers.note_asked(digest, flight.clone());
        Known::Asked(flight)
    }
}

impl Shared {
    async fn ask(
        self: Arc<Self>,
        digest: Digest,
        token: String,
        _room: OwnedSemaphorePermit,
    ) -> Outcome {
        let answer = self.question.ask(&self.client, &token).await;
        let now = self.clock.now();
        let outcome = answer.and_then(|answer| answer.judge(&self.expected, now));
        self.lock().note_answered(digest, &outcome, now);
        outcome.map(|(token, _)| token)
    }

    /// Each change leaves the answers whole, so a panic elsewhere is no reason to stop.
    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ValidateTokens for Validator {
    fn validate<'a>(&'a self, token: &'a str) -> Validating<'a> {
        Box::pin(self.check(token))
    }
}

/// A token that holds, and until when it does, if that was said.
type Holding = (AccessToken, Option<Timestamp>);

/// What the client of introspection is best limited to.
pub fn limits() -> Limits {
    Limits {
        total: QUESTION_TOTAL,
        kept_per_origin_max: KEPT_PER_ORIGIN_MAX,
        ..Limits::default()
    }
}

/// A revoked token opens nothing a minute later; a TPP that polls without pause costs one question a minute.
pub const REMEMBER: Duration = Duration::from_secs(60);
/// Long enough that a client which tries again in a loop costs nothing, short enough for a token that its issuer does not
/// know on all its machines yet.
pub const REMEMBER_REFUSAL: Duration = Duration::from_secs(5);
/// More than a deployment has TPPs with a token each, some kilobytes each.
pub const ANSWERS_MAX: usize = 4_096;
/// With answers in 50 ms, over 2,000 new tokens a second; with answers that never come, so many sockets.
pub const QUESTIONS_MAX: usize = 128;
/// A request waits for it, and has a caller that waits too.
const QUESTION_TOTAL: Duration = Duration::from_secs(5);
/// There is one origin, and every request may need it.
const KEPT_PER_ORIGIN_MAX: usize = 32;
