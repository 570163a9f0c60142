//! Where banks push to (R-01): a service for `POST …/event-notifications`, for any server that speaks `tower`.
//!
//! One receiver takes from several banks; which one it is, the SET's `iss` says before its signature proves it. An answer
//! blames the SET (400, with a code of RFC 8935) only for what the bank could mend; what is our own trouble is a 503, and
//! the bank tries again.
//!
//! Absent on purpose: TLS and connections. They are the server's, which should bound how many there are.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes};
use hyper::header::{ALLOW, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use oyez_domain::error_chain::chain;
use oyez_domain::ids::InteractionId;
use oyez_domain::ledger::poll::SetError;
use oyez_domain::time::Clock;
use oyez_jose::compact::{self, Compact};
use oyez_jose::limits::COMPACT_BYTES_MAX;
use serde::Deserialize;
use tokio::time::timeout;
use tower_service::Service;

use crate::bank::INTERACTION_ID;
use crate::hand_over::{Notification, Repeat, Via};
use crate::intake::{Intake, Taken};
use crate::random::Random;
use crate::sets::{SetVerifier, Verified, VerifyError};

/// Receives what banks push. Clones share everything.
///
/// It is a service, to be mounted where the CallbackUrl leads; `examples/receive.rs` is a whole application.
///
/// ```no_run
/// use std::time::Duration;
///
/// use axum::Router;
/// use oyez_tpp::{Bank, Intake, Pusher, Receiver, ReceiverSetup};
///
/// fn routes(bank: &Bank, intake: Intake) -> Router {
///     let receiver = Receiver::new(ReceiverSetup {
///         banks: vec![Pusher { name: "the bank".into(), verifier: bank.set_verifier().clone() }],
///         intake,
///         body_time_max: Duration::from_secs(5),
///         retry_after: Duration::from_secs(5),
///         clock: bank.setup().clock.clone(),
///         random: bank.setup().random.clone(),
///         observer: None,
///     });
///     Router::new().route_service("/open-banking/{version}/event-notifications", receiver)
/// }
/// ```
#[derive(Clone)]
pub struct Receiver {
    shared: Arc<Shared>,
}

/// Everything that a [`Receiver`] is made of.
pub struct ReceiverSetup {
    /// The banks that push here; each has an issuer of its own.
    pub banks: Vec<Pusher>,
    /// Where events go.
    pub intake: Intake,
    /// How long a whole body may take to come.
    pub body_time_max: Duration,
    /// What a bank is told to wait for when we cannot take an event.
    pub retry_after: Duration,
    /// When.
    pub clock: Arc<dyn Clock>,
    /// Chance, for interaction ids that banks forgot.
    pub random: Random,
    /// Hears how each request ended, for logs.
    pub observer: Option<Observer>,
}

/// Hears how requests ended.
pub type Observer = Arc<dyn Fn(&Received<'_>) + Send + Sync>;

/// A bank that pushes.
pub struct Pusher {
    /// How the application calls it.
    pub name: Arc<str>,
    /// What believes its SETs.
    pub verifier: SetVerifier,
}

/// How a request ended.
#[derive(Debug)]
pub struct Received<'r> {
    /// The bank, if it is known by its `iss`; proven only where something was taken.
    pub bank: Option<&'r str>,
    /// The event, where the SET was verified.
    pub jti: Option<&'r str>,
    /// The request's id, or the one it was given.
    pub interaction_id: &'r InteractionId,
    /// The answer.
    pub status: StatusCode,
    /// What became of it.
    pub outcome: &'r Outcome,
}

/// What became of a request.
#[derive(Debug)]
pub enum Outcome {
    /// 202: the event is safe with the application, since now or since an earlier time.
    Taken(Taken),
    /// 400: this is not to be believed, or not an event at all.
    Refused(SetError),
    /// 503: we cannot say now. The text is for our own log.
    NotNow(String),
    /// 405: nothing but POST.
    NoPost,
    /// 408: the body did not come in time, or broke off.
    NoBody,
}

struct Shared {
    setup: ReceiverSetup,
    retry_after: HeaderValue,
}

impl Receiver {
    /// Receives. How long what is given holds is for whoever gives it: nothing is read here.
    pub fn new(setup: ReceiverSetup) -> Self {
        let retry_after = setup.retry_after.as_secs().max(1).into();
        Self {
            shared: Arc::new(Shared { setup, retry_after }),
        }
    }

    /// Answers a request, whatever its path.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let setup = &self.shared.setup;
        let (head, body) = request.into_parts();
        let said = only(&head.headers, &INTERACTION_ID);
        let said = said.ok().flatten().map(HeaderValue::as_bytes);
        let interaction_id = setup.random.interaction_id_of(said);
        let mut traces = Traces::default();
        let outcome = if head.method == Method::POST {
            match self.read(&head.headers, body).await {
                Ok(token) => self.receive(&token, &interaction_id, &mut traces).await,
                Err(outcome) => outcome,
            }
        } else {
            Outcome::NoPost
        };
        let response = self.respond(&outcome, &interaction_id);
        if let Some(observer) = &setup.observer {
            observer(&Received {
                bank: traces.bank.as_deref(),
                jti: traces.jti.as_deref(),
                interaction_id: &interaction_id,
                status: response.status(),
                outcome: &outcome,
            });
        }
        response
    }

    /// The token, if the request is one that brings a token.
    async fn read<B>(&self, headers: &HeaderMap, body: B) -> Result<String, Outcome>
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let twice = |name: &str| refused(INVALID_REQUEST, &format!("`{name}` stands there twice"));
        only(headers, &INTERACTION_ID).map_err(|()| twice(INTERACTION_ID.as_str()))?;
        let kind = only(headers, &CONTENT_TYPE).map_err(|()| twice("content-type"))?;
        if !kind.is_some_and(is_token) {
            let wanted = format!("the content type must be {}", TOKENS.join(" or "));
            return Err(refused(INVALID_REQUEST, &wanted));
        }
        let too_long = || {
            let what = format!("the SET is longer than {COMPACT_BYTES_MAX} bytes");
            refused(INVALID_REQUEST, &what)
        };
        let body = Limited::new(body, COMPACT_BYTES_MAX + LINE_END);
        let read = timeout(self.shared.setup.body_time_max, body.collect());
        let bytes = match read.await {
            Ok(Ok(collected)) => collected.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_long()),
            Ok(Err(_)) | Err(_) => return Err(Outcome::NoBody),
        };
        let text = str::from_utf8(&bytes).map(str::trim_ascii);
        let text = text.map_err(|_| refused(INVALID_REQUEST, "the body is no text"))?;
        Ok(text.to_owned())
    }

    /// Verifies a token and hands its event over.
    async fn receive(
        &self,
        token: &str,
        interaction_id: &InteractionId,
        traces: &mut Traces,
    ) -> Outcome {
        let setup = &self.shared.setup;
        let pusher = match self.pusher(token) {
            Ok(pusher) => pusher,
            Err(outcome) => return outcome,
        };
        traces.bank = Some(Arc::clone(&pusher.name));
        let Verified { claims, .. } = match pusher.verifier.verify(token).await {
            Ok(verified) => verified,
            Err(error) => {
                return error
                    .report()
                    .map_or_else(|| Outcome::NotNow(chain(&error)), Outcome::Refused);
            }
        };
        traces.jti = Some(claims.jti.clone());
        let notification = Notification {
            bank: Arc::clone(&pusher.name),
            claims,
            raw: token.to_owned(),
            via: Via::Push,
            interaction_id: Some(interaction_id.clone()),
            received_at: setup.clock.now(),
            repeat: Repeat::No,
        };
        match setup.intake.take(vec![notification]).await.pop() {
            Some(Taken::Refused(error)) => Outcome::Refused(error),
            Some(Taken::NotNow(reason)) => Outcome::NotNow(chain(&reason)),
            Some(taken) => Outcome::Taken(taken),
            None => Outcome::NotNow("the intake said nothing".to_owned()),
        }
    }

    /// Whose SET it says it is.
    fn pusher(&self, token: &str) -> Result<&Pusher, Outcome> {
        /// Of the payload, before anything is proven: it only chooses whose keys must prove it.
        #[derive(Deserialize)]
        struct Issuer {
            iss: String,
        }
        let banks = &self.shared.setup.banks;
        // With one bank there is nothing to choose, and its verifier has better words for what is wrong.
        if let [only] = banks.as_slice() {
            return Ok(only);
        }
        let compact = Compact::parse(token).map_err(|malformed| {
            let error = VerifyError::from(compact::Error::from(malformed));
            refused(INVALID_REQUEST, &error.to_string())
        })?;
        let claims = serde_json::from_slice(compact.unverified_payload());
        let Issuer { iss } =
            claims.map_err(|_| refused(INVALID_REQUEST, "the claims have no `iss`"))?;
        let of_issuer = banks.iter().find(|it| it.verifier.issuer() == iss);
        of_issuer.ok_or_else(|| {
            let what = format!("`iss` is `{iss}`, which is no bank of ours");
            refused("invalid_issuer", &what)
        })
    }

    fn respond(&self, outcome: &Outcome, interaction_id: &InteractionId) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::default());
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(interaction_id.as_str()) {
            headers.insert(INTERACTION_ID, id);
        }
        let status = match outcome {
            Outcome::Taken(_) => StatusCode::ACCEPTED,
            Outcome::Refused(SetError { err, description }) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static("en"));
                let told = serde_json::json!({ "err": err, "description": description });
                *response.body_mut() = Full::from(told.to_string());
                StatusCode::BAD_REQUEST
            }
            Outcome::NotNow(_) => {
                headers.insert(RETRY_AFTER, self.shared.retry_after.clone());
                StatusCode::SERVICE_UNAVAILABLE
            }
            Outcome::NoPost => {
                headers.insert(ALLOW, HeaderValue::from_static("POST"));
                StatusCode::METHOD_NOT_ALLOWED
            }
            Outcome::NoBody => StatusCode::REQUEST_TIMEOUT,
        };
        *response.status_mut() = status;
        response
    }
}

impl<B> Service<Request<B>> for Receiver
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let receiver = self.clone();
        Box::pin(async move { Ok(receiver.answer(request).await) })
    }
}

/// What was found out on the way.
#[derive(Default)]
struct Traces {
    bank: Option<Arc<str>>,
    jti: Option<String>,
}

fn refused(err: &str, description: &str) -> Outcome {
    Outcome::Refused(SetError::of(err, description))
}

/// The value of a header that may stand there once.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (first, None) => Ok(first),
        _ => Err(()),
    }
}

/// Parameters of the content type say nothing here.
fn is_token(value: &HeaderValue) -> bool {
    let text = value.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim_ascii();
    TOKENS.iter().any(|it| it.eq_ignore_ascii_case(essence))
}

/// The standard's, and RFC 8935's.
const TOKENS: [&str; 2] = ["application/jwt", "application/secevent+jwt"];
const INVALID_REQUEST: &str = "invalid_request";
/// Some clients end a body with a line end.
const LINE_END: usize = 2;
