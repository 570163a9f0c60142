//! How a call is made: with a token, a fresh interaction id, and signatures where the standard has them.
//!
//! What is signed on the way out is signed over the very bytes that leave; what is signed on the way in is verified over the
//! very bytes that came, before anything is read from them. A token that the bank no longer takes is replaced once. Nothing
//! else is tried again: whether a call may be repeated is for the caller to know.

use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use hyper::http::HeaderValue;
use hyper::{HeaderMap, Method, StatusCode};
use oyez_domain::ids::InteractionId;
use oyez_jose::SignError;
use oyez_jose::detached::{self, Signature};
use serde::de::DeserializeOwned;

use crate::bank::{Answer, Bank, Echo, INTERACTION_ID, SIGNATURE, SignatureFault};
use crate::error::Error;
use crate::keys::Unproven;
use crate::refusal::{Authenticity, Refused, blames_the_token};
use crate::signer::jose_time;
use crate::tokens::AccessToken;
use crate::transport::{Request, Response};

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
        let tokens = &self.setup().tokens;
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
        let setup = self.setup();
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
        let setup = self.setup();
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
        let setup = self.setup();
        let mut values = response.headers.get_all(SIGNATURE).iter();
        let first = values.next();
        if values.next().is_some() {
            return Err(SignatureFault::Several);
        }
        let text = first.map(|value| String::from_utf8_lossy(value.as_bytes()));
        let now = jose_time(setup.clock.now());
        let checked = Signature::parse(text.as_deref())?.check(self.policy(), now)?;
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
        let now = self.setup().clock.now();
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

const JSON: HeaderValue = HeaderValue::from_static("application/json");

const AGENT: &str = concat!("oyez-tpp/", env!("CARGO_PKG_VERSION"));
