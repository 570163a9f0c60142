//! The internal API of a running server, called from outside: by the operator's commands, and by the demonstration.
//!
//! Calls go through [`oyez_outbound::Client`]: TLS, or plain HTTP on this machine alone. That client sends a request a second
//! time when a kept connection turns out to be closed, which not every call bears; so there are two: one that keeps
//! connections, for what may be repeated, and one that does not.
//!
//! Absent here: waiting and trying again. Whoever calls knows what may be repeated, and for how long.

mod error;

use std::sync::Arc;
use std::time::Duration;

use oyez_domain::address::Policy;
use oyez_outbound::{
    Anchors, Bytes, Client, DefaultTimeProvider, Ending, HeaderMap, HeaderValue, Limits, Method,
    PlainHttp, Request, Response, Setup, SystemResolver, Target, Tls, header,
};
use serde_json::Value;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::failure::Failure;
use error::{Refusal, roles_for};

pub(crate) use error::CallError;

/// Where the server is, and how we prove who we are. It has no `Debug`.
pub(crate) struct Server {
    /// Scheme, host and port.
    pub(crate) url: Url,
    /// What we prove ourselves by.
    pub(crate) token: Token,
    /// Whose certificates are believed; those of the system if absent.
    pub(crate) anchors: Option<Anchors>,
}

/// An operator's token. It has no `Debug`.
pub(crate) struct Token {
    text: HeaderValue,
    /// Where it was found, for people.
    source: String,
}

/// Calls the internal API of one server.
pub(crate) struct InternalClient {
    base: Url,
    token: Token,
    repeating: Client,
    once: Client,
}

impl Token {
    /// A token found in `source`.
    pub(crate) fn new(text: &str, source: impl Into<String>) -> Result<Self, Failure> {
        let source = source.into();
        let value = HeaderValue::try_from(format!("Bearer {text}"));
        let mut value = value.map_err(|_| {
            let what = format!("what {source} holds is no token: it cannot stand in a header");
            Failure::usage(what, "put the token alone there, on one line")
        })?;
        value.set_sensitive(true);
        Ok(Self {
            text: value,
            source,
        })
    }
}

impl InternalClient {
    /// The tasks that move the bytes are spawned on `tasks`.
    pub(crate) fn new(server: Server, tasks: &TaskTracker) -> Result<Self, Failure> {
        let anchors = match server.anchors {
            Some(anchors) => anchors,
            None => Anchors::from_system().map_err(|error| {
                let mend = "name the authority of the server's certificate: --ca-file FILE";
                Failure::environment("no certificate could be believed", mend).because(&error)
            })?,
        };
        let tls = Tls::new(&anchors, None, Arc::new(DefaultTimeProvider)).map_err(|error| {
            Failure::environment("cannot speak TLS", "report this").because(&error)
        })?;
        let client = |kept_per_origin_max| {
            let setup = Setup {
                tls: tls.clone(),
                addresses: anywhere(),
                plain_http: PlainHttp::OnLoopback,
                proxy: None,
                limits: Limits {
                    total: TOTAL,
                    body_bytes_max: BODY_BYTES_MAX,
                    kept_per_origin_max,
                    ..Limits::default()
                },
            };
            Client::new(setup, Arc::new(SystemResolver), tasks.clone())
        };
        Ok(Self {
            base: server.url,
            token: server.token,
            repeating: client(Limits::default().kept_per_origin_max),
            once: client(0),
        })
    }

    /// Reads; `path` is by segments, such as `["v1", "tpps", client_id]`.
    pub(crate) async fn get(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Value, CallError> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = Call::new(Method::GET, url, None);
        self.call(&self.repeating, request).await
    }

    /// Does something, once.
    pub(crate) async fn post(&self, path: &[&str], body: &Value) -> Result<Value, CallError> {
        let request = Call::new(Method::POST, self.url(path), Some(body.to_string().into()));
        self.call(&self.once, request).await
    }

    /// Replaces something.
    pub(crate) async fn put(&self, path: &[&str], body: &Value) -> Result<Value, CallError> {
        let request = Call::new(Method::PUT, self.url(path), Some(body.to_string().into()));
        self.call(&self.repeating, request).await
    }

    /// Publishes a batch, as bytes of `{"items": […]}`. One in which every item has an idempotency key can be repeated.
    pub(crate) async fn publish(&self, batch: Bytes, repeats: Repeats) -> Result<Value, CallError> {
        let client = match repeats {
            Repeats::Harmless => &self.repeating,
            Repeats::Duplicate => &self.once,
        };
        let url = self.url(&["v1", "events"]);
        self.call(client, Call::new(Method::POST, url, Some(batch)))
            .await
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .expect("an http URL has a path")
            .pop_if_empty()
            .extend(path);
        url
    }

    /// Reads something that is no JSON, such as `["metrics"]`.
    pub(crate) async fn text(&self, path: &[&str]) -> Result<String, CallError> {
        let request = Call::new(Method::GET, self.url(path), None);
        let bytes = self.bytes(&self.repeating, request).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn call(&self, client: &Client, call: Call) -> Result<Value, CallError> {
        let url = call.url.to_string();
        let bytes = self.bytes(client, call).await?;
        serde_json::from_slice(&bytes).map_err(|_| CallError::Strange {
            url,
            what: "the answer is not JSON".to_owned(),
        })
    }

    /// The body of an answer that is a success.
    async fn bytes(&self, client: &Client, call: Call) -> Result<Vec<u8>, CallError> {
        let url = call.url.to_string();
        let strange = |what: &str| CallError::Strange {
            url: url.clone(),
            what: what.to_owned(),
        };
        let target = Target::parse(&url).map_err(|error| strange(&error.to_string()))?;
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, self.token.text.clone());
        if call.body.is_some() {
            let json = HeaderValue::from_static("application/json");
            headers.insert(header::CONTENT_TYPE, json);
        }
        let request = Request {
            method: call.method.clone(),
            target,
            headers,
            body: call.body.unwrap_or_default(),
        };
        let answer = client.send(&request).await;
        let answer = answer.map_err(|source| CallError::Unanswered {
            url: url.clone(),
            source,
        })?;
        let Response { status, body, .. } = answer;
        match body.ending {
            Ending::Complete => {}
            Ending::TooLong => return Err(strange("the answer is longer than we read")),
            Ending::Broken(source) => return Err(CallError::Unanswered { url, source }),
        }
        if status.is_success() {
            return Ok(body.bytes);
        }
        match serde_json::from_slice(&body.bytes) {
            Ok(problem) => Err(CallError::Refused(Box::new(Refusal {
                status,
                problem,
                roles: roles_for(&call.method, &call.url),
                token_source: self.token.source.clone(),
            }))),
            Err(_) => Err(strange(&format!(
                "the answer is {status} without a problem"
            ))),
        }
    }
}

/// What it does to send a batch twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// Nothing: every item has an idempotency key.
    Harmless,
    /// There may be two events where one was meant.
    Duplicate,
}

/// One request.
struct Call {
    method: Method,
    url: Url,
    body: Option<Bytes>,
}

impl Call {
    fn new(method: Method, url: Url, body: Option<Bytes>) -> Self {
        Self { method, url, body }
    }
}

/// Where the server is was said by the operator, who may call what they like.
pub(crate) fn anywhere() -> Policy {
    let all = ["0.0.0.0/0", "::/0"].map(|text| text.parse().expect("this is a network"));
    Policy {
        allowed: all.to_vec(),
    }
}

/// A batch of 1,000 on a busy ledger takes some seconds.
const TOTAL: Duration = Duration::from_secs(60);
/// A page of TPPs with their key sets is the longest.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
