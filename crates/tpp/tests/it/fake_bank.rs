//! A bank that answers what it is told to: API, token endpoint and key set on one port.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use oyez_tpp::jose::{Form, HeaderTemplate, Jwk, Jwks, LocalKey, Signatory, UnixTime};
use oyez_tpp::{Bytes, HeaderMap, INTERACTION_ID, Method, SIGNATURE};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use crate::authority::Authority;
use crate::world::{ANCHOR, NOW, ORG_ID};

pub(crate) const HOST: &str = "127.0.0.1";
pub(crate) const KID: &str = "bank-1";
pub(crate) const HTTP_1: &[u8] = b"http/1.1";
pub(crate) const HTTP_2: &[u8] = b"h2";

/// A request that came.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The client's certificate.
    pub(crate) certificate: Vec<u8>,
}

/// What a request is answered with.
#[derive(Clone)]
pub(crate) struct Canned {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) seal: Seal,
    pub(crate) back: Back,
}

/// How an answer is signed.
#[derive(Clone)]
pub(crate) enum Seal {
    None,
    Good,
    /// As v3.1.3 did it.
    Unencoded,
    /// Over something else.
    OtherBody,
    /// Twice, in two headers.
    Twice,
    /// By somebody else.
    As(Signatory),
    /// With another key, under this name.
    Key(Arc<LocalKey>, &'static str),
}

/// Which interaction id goes back.
#[derive(Clone, Copy)]
pub(crate) enum Back {
    Same,
    None,
    Other,
}

/// One answer, or none for ever.
#[derive(Clone)]
pub(crate) enum Act {
    Answer(Canned),
    Hang,
}

pub(crate) struct FakeBank {
    pub(crate) address: SocketAddr,
    pub(crate) key: Arc<LocalKey>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    seen: Vec<Seen>,
    answers: VecDeque<Act>,
    /// Before the ordinary answers of the token endpoint.
    tokens: VecDeque<Act>,
    tokens_granted: usize,
    /// `None`: the key server is away.
    jwks: Option<String>,
    /// What the bank says of itself.
    discovery: String,
    /// Where the keys are.
    jwks_path: String,
}

impl Canned {
    pub(crate) fn new(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            body: body.into(),
            headers: Vec::new(),
            seal: Seal::None,
            back: Back::Same,
        }
    }

    pub(crate) fn sealed(self, seal: Seal) -> Self {
        Self { seal, ..self }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

impl FakeBank {
    pub(crate) async fn start(authority: &Authority, key: LocalKey, protocol: &[u8]) -> Self {
        let listener = TcpListener::bind((HOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let key = Arc::new(key);
        let state = Arc::new(Mutex::new(State {
            jwks: Some(jwks(&[(KID, &key)])),
            jwks_path: "/jwks".to_owned(),
            ..State::default()
        }));
        let acceptor = TlsAcceptor::from(Arc::new(authority.server(HOST, protocol)));
        let tracker = TaskTracker::new();
        let (shared, signing) = (Arc::clone(&state), Arc::clone(&key));
        drop(tracker.clone().spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, state, key) =
                    (acceptor.clone(), Arc::clone(&shared), Arc::clone(&signing));
                drop(tracker.spawn(async move {
                    let Ok(stream) = acceptor.accept(socket).await else {
                        return;
                    };
                    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
                    let certificate = chain.first().map(|der| der.to_vec()).unwrap_or_default();
                    let service = service_fn(move |request| {
                        answer(
                            Arc::clone(&state),
                            Arc::clone(&key),
                            certificate.clone(),
                            request,
                        )
                    });
                    let over_http_2 = stream.get_ref().1.alpn_protocol() == Some(HTTP_2);
                    let stream = TokioIo::new(stream);
                    // A client that gives up is part of some tests.
                    if over_http_2 {
                        let connection = http2::Builder::new(TokioExecutor::new());
                        drop(connection.serve_connection(stream, service).await);
                    } else {
                        let connection = http1::Builder::new();
                        drop(connection.serve_connection(stream, service).await);
                    }
                }));
            }
        }));
        Self {
            address,
            key,
            state,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{HOST}:{}{path}", self.address.port())
    }

    /// What the API answers next, after what it was told before.
    pub(crate) fn answers(&self, canned: Canned) {
        self.acts(Act::Answer(canned));
    }

    pub(crate) fn acts(&self, act: Act) {
        self.state.lock().unwrap().answers.push_back(act);
    }

    /// What was prepared for the API and not asked for is not answered any more.
    pub(crate) fn forgets_answers(&self) {
        self.state.lock().unwrap().answers.clear();
    }

    /// What the token endpoint answers next.
    pub(crate) fn answers_token(&self, canned: Canned) {
        self.state
            .lock()
            .unwrap()
            .tokens
            .push_back(Act::Answer(canned));
    }

    pub(crate) fn publishes(&self, keys: &[(&str, &LocalKey)]) {
        self.state.lock().unwrap().jwks = Some(jwks(keys));
    }

    /// What the bank says of itself.
    pub(crate) fn says(&self, document: &serde_json::Value) {
        self.state.lock().unwrap().discovery = document.to_string();
    }

    /// The keys are somewhere else now.
    pub(crate) fn moves_keys(&self, path: &str) {
        self.state.lock().unwrap().jwks_path = path.to_owned();
    }

    pub(crate) fn hides_keys(&self) {
        self.state.lock().unwrap().jwks = None;
    }

    /// Requests to this path, in order.
    pub(crate) fn seen(&self, path: &str) -> Vec<Seen> {
        let state = self.state.lock().unwrap();
        state
            .seen
            .iter()
            .filter(|seen| seen.path == path)
            .cloned()
            .collect()
    }

    /// The one request to this path.
    pub(crate) fn saw(&self, path: &str) -> Seen {
        let mut seen = self.seen(path);
        assert_eq!(seen.len(), 1, "{path}");
        seen.remove(0)
    }
}

async fn answer(
    state: Arc<Mutex<State>>,
    key: Arc<LocalKey>,
    certificate: Vec<u8>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let seen = Seen {
        method: head.method,
        path: head.uri.path().to_owned(),
        headers: head.headers,
        body: body.collect().await.unwrap().to_bytes(),
        certificate,
    };
    let act = state.lock().unwrap().next(seen.clone());
    match act {
        Act::Answer(canned) => Ok(respond(&canned, &key, &seen)),
        Act::Hang => std::future::pending().await,
    }
}

impl State {
    fn next(&mut self, seen: Seen) -> Act {
        let path = seen.path.clone();
        self.seen.push(seen);
        let unexpected = || Act::Answer(Canned::new(599, "nothing was prepared"));
        match path.as_str() {
            "/token" => self.tokens.pop_front().unwrap_or_else(|| {
                self.tokens_granted += 1;
                let token = format!(
                    r#"{{"access_token":"token-{}","token_type":"Bearer","expires_in":300}}"#,
                    self.tokens_granted
                );
                Act::Answer(Canned::new(200, token))
            }),
            "/.well-known/openid-configuration" => Act::Answer(Canned::new(200, &self.discovery)),
            keys if keys == self.jwks_path => Act::Answer(match &self.jwks {
                Some(keys) => Canned::new(200, keys),
                None => Canned::new(503, ""),
            }),
            _ => self.answers.pop_front().unwrap_or_else(unexpected),
        }
    }
}

fn respond(canned: &Canned, key: &LocalKey, seen: &Seen) -> hyper::Response<Full<Bytes>> {
    let mut response = hyper::Response::builder().status(canned.status);
    for (name, value) in &canned.headers {
        response = response.header(*name, value);
    }
    let sent = seen.headers.get(INTERACTION_ID);
    response = match (canned.back, sent) {
        (Back::Same, Some(sent)) => response.header(INTERACTION_ID, sent),
        (Back::Other, _) => response.header(INTERACTION_ID, "another"),
        (Back::Same | Back::None, _) => response,
    };
    for signature in signatures(canned, key) {
        response = response.header(SIGNATURE, signature);
    }
    response
        .body(Full::new(canned.body.clone().into()))
        .unwrap()
}

fn signatures(canned: &Canned, key: &LocalKey) -> Vec<String> {
    let bank = Signatory {
        issuer: ORG_ID.to_owned(),
        trust_anchor: ANCHOR.to_owned(),
    };
    let good = |form| detached(key, KID, form, &bank, &canned.body);
    match &canned.seal {
        Seal::None => vec![],
        Seal::Good => vec![good(Form::Encoded)],
        Seal::Unencoded => vec![good(Form::Unencoded)],
        Seal::OtherBody => vec![detached(key, KID, Form::Encoded, &bank, "{}")],
        Seal::Twice => vec![good(Form::Encoded), good(Form::Encoded)],
        Seal::As(other) => vec![detached(key, KID, Form::Encoded, other, &canned.body)],
        Seal::Key(other, kid) => vec![detached(other, kid, Form::Encoded, &bank, &canned.body)],
    }
}

fn detached(key: &LocalKey, kid: &str, form: Form, by: &Signatory, body: &str) -> String {
    let header = HeaderTemplate::detached(form, kid, key.public_key(), by);
    let at = UnixTime::from_seconds(NOW);
    header
        .signing_input(body.as_bytes(), at)
        .sign_now(key)
        .unwrap()
}

fn jwks(keys: &[(&str, &LocalKey)]) -> String {
    let set: Jwks = keys
        .iter()
        .map(|(kid, key)| Jwk::new(*kid, key.public_key().clone()))
        .collect();
    set.to_json()
}
