//! The internal API of a running server, called from outside: by the operator's commands, and by the demonstration.
//!
//! Calls go through [`oyez_outbound::Client`]: TLS, or plain HTTP on this machine alone. That client sends a request a second
//! time when a kept connection turns out to be closed, which not every call bears; so there are two: one that keeps
//! connections, for what may be repeated, and one that does not.
//!
//! Absent here: waiting and trying again. Whoever calls knows what may be repeated, and for how long.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use oyez_domain::address::Policy;
use oyez_outbound::{
    Anchors, Bytes, Class, Client, DefaultTimeProvider, Ending, HeaderMap, HeaderValue, Limits,
    Method, PlainHttp, Request, Response, Sent, Setup, StatusCode, SystemResolver, Target, Tls,
    header,
};
use oyez_web::internal::ROUTES;
use oyez_web::internal::operators::Role;
use serde::Deserialize;
use serde_json::Value;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::failure::Failure;

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

/// Why a call has no answer that can be used.
#[derive(Debug)]
pub(crate) enum CallError {
    /// Nobody answered.
    Unanswered {
        url: String,
        source: oyez_outbound::Error,
    },
    /// The server said no.
    Refused(Box<Refusal>),
    /// Whatever answered is no oyez.
    Strange { url: String, what: String },
}

/// What the server said no with, by problem details (RFC 9457).
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) problem: Problem,
    /// Who may do this, if we may not.
    roles: Vec<&'static str>,
    /// Where the token was found that is not known.
    token_source: String,
}

/// The body of a refusal.
#[derive(Debug, Deserialize)]
pub(crate) struct Problem {
    title: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    request_id: String,
    #[serde(default)]
    errors: Vec<Entry>,
}

/// One thing that is wrong.
#[derive(Debug, Deserialize)]
struct Entry {
    path: Option<String>,
    detail: String,
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

impl CallError {
    /// Whether a later attempt may go better.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unanswered { source, .. } => matches!(
                source.class,
                Class::Resolve | Class::Connect | Class::Timeout | Class::Protocol
            ),
            Self::Refused(refusal) => refusal.status == StatusCode::SERVICE_UNAVAILABLE,
            Self::Strange { .. } => false,
        }
    }

    /// Whether the server surely did nothing of what was asked.
    pub(crate) fn is_surely_undone(&self) -> bool {
        match self {
            Self::Unanswered { source, .. } => source.sent == Sent::Nothing,
            Self::Refused(refusal) => refusal.status.is_client_error(),
            Self::Strange { .. } => false,
        }
    }

    /// In one line.
    pub(crate) fn brief(&self) -> String {
        match self {
            Self::Unanswered { url, source } => format!("no answer from {url}: {}", source.chain()),
            Self::Refused(refusal) => refusal.to_string(),
            Self::Strange { url, what } => format!("{url} is no internal API of oyez: {what}"),
        }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let what = error.brief();
        match error {
            CallError::Unanswered { source, .. } => Self::environment(what, mend(source.class)),
            CallError::Refused(refusal) => refusal.into_failure(),
            CallError::Strange { .. } => {
                let mend = "check the address: it is that of [internal], not of [listener]";
                Self::environment(what, mend)
            }
        }
    }
}

fn mend(class: Class) -> &'static str {
    match class {
        Class::RefusedUrl | Class::RefusedAddress => {
            "plain HTTP is for this machine alone: use https, or run this where the server runs"
        }
        Class::Tls => {
            "is it https there? if an authority of your own issued the certificate: --ca-file FILE"
        }
        Class::Timeout => "the server is busy or the way to it is: try again",
        Class::Resolve | Class::Connect | Class::Proxy | Class::Protocol | Class::TooLarge => {
            "is the server running? see --url, or [internal] address with -c"
        }
    }
}

impl Refusal {
    /// What is wrong, in one line.
    pub(crate) fn details(&self) -> String {
        let errors = self.problem.errors.iter().map(ToString::to_string);
        let errors: Vec<_> = errors.collect();
        if errors.is_empty() {
            self.problem.detail.clone()
        } else {
            errors.join("; ")
        }
    }

    fn into_failure(self) -> Failure {
        let mend = match self.status {
            StatusCode::UNAUTHORIZED => {
                let source = &self.token_source;
                return Failure::environment(
                    format!("the server does not know the token of {source}"),
                    "name the file with your token: --token-file FILE; \
                     the server's list of hashes is [internal] tokens",
                );
            }
            StatusCode::FORBIDDEN => {
                let roles = self.roles.join(" or ");
                return Failure::environment(
                    format!(
                        "the token of {} has not the role for this",
                        self.token_source
                    ),
                    format!("use a token with the role {roles}"),
                );
            }
            StatusCode::BAD_REQUEST => "correct what is named, and try again",
            StatusCode::NOT_FOUND => "see what there is: oyez tpps list, oyez events list",
            StatusCode::CONFLICT => "see how it stands, then decide anew",
            StatusCode::SERVICE_UNAVAILABLE => {
                let mend = "try again; /health/ready and the server's log say more";
                return Failure::environment(self.to_string(), mend);
            }
            _ => {
                let mend = "the server's log has the cause, under this id";
                return Failure::environment(self.to_string(), mend);
            }
        };
        Failure::refused(self.to_string(), mend)
    }
}

/// The reason first, then each thing that is wrong on a line of its own.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem {
            title,
            detail,
            request_id,
            errors,
        } = &self.problem;
        if errors.is_empty() {
            write!(f, "{}: {detail}", lower(title))?;
        } else {
            f.write_str(&lower(title))?;
        }
        if self.status.is_server_error() {
            write!(f, " (request {request_id})")?;
        }
        for entry in errors {
            write!(f, "\n  {entry}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = self.path.as_deref().filter(|path| !path.is_empty()) {
            write!(f, "{path}: ")?;
        }
        f.write_str(&self.detail)
    }
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    let mut lower: String = chars
        .next()
        .into_iter()
        .flat_map(char::to_lowercase)
        .collect();
    lower
        .write_str(chars.as_str())
        .expect("a string takes all text");
    lower
}

/// The roles to which the route is open that a request would take.
fn roles_for(method: &Method, url: &Url) -> Vec<&'static str> {
    let path: Vec<_> = url.path_segments().into_iter().flatten().collect();
    let fits = |pattern: &str| {
        let pattern: Vec<_> = pattern.split('/').skip(1).collect();
        // The base may lie below a path of a gateway's.
        let Some(from) = path.len().checked_sub(pattern.len()) else {
            return false;
        };
        let mut pairs = pattern.iter().zip(&path[from..]);
        pairs.all(|(pattern, said)| pattern.starts_with('{') || pattern == said)
    };
    let mut routes = ROUTES.iter();
    let route = routes.find(|route| route.method == *method && fits(route.path));
    let open = |role: &Role| route.is_some_and(|route| route.access.is_open_to(*role));
    Role::ALL.into_iter().filter(open).map(Role::name).collect()
}

/// Where the server is was said by the operator, who may call what they like.
fn anywhere() -> Policy {
    let all = ["0.0.0.0/0", "::/0"].map(|text| text.parse().expect("this is a network"));
    Policy {
        allowed: all.to_vec(),
    }
}

/// A batch of 1,000 on a busy ledger takes some seconds.
const TOTAL: Duration = Duration::from_secs(60);
/// A page of TPPs with their key sets is the longest.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    // I-05
    #[test]
    fn the_roles_that_may_do_it_are_those_of_the_route() {
        let roles = |method, url: &str| roles_for(&method, &url.parse().unwrap());
        let tpp = "https://gateway.example/oyez/v1/tpps/foo";
        assert_eq!(roles(Method::PUT, tpp), ["admin"]);
        assert_eq!(roles(Method::GET, tpp), ["viewer", "operator", "admin"]);
        let events = "http://127.0.0.1:8081/v1/events";
        assert_eq!(roles(Method::POST, events), ["publisher", "admin"]);
        assert!(roles(Method::GET, "http://127.0.0.1/").is_empty());
    }
}
