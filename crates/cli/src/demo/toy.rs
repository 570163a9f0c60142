//! A toy of an authorisation server: its token endpoint and its key set. It knows its clients by a list that never changes,
//! keeps nothing, and forgets each assertion at once, so that one can be used twice. Never give it a client that matters.
//!
//! What it does, it does as the standards say: client credentials (RFC 6749) by `private_key_jwt` (RFC 7523) or
//! `tls_client_auth` (RFC 8705), and access tokens (RFC 9068) that hold with the certificate alone that they were asked for
//! with.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use oyez_domain::time::Clock;
use oyez_jose::compact::{Compact, Verifier};
use oyez_jose::{Jwk, Jwks, LocalKey, UnixTime};
use oyez_web::listener::{ClientCertificate, Peer};
use serde::Deserialize;
use serde_json::json;
use url::form_urlencoded;

use crate::development::access_token::AccessToken;

/// Everything it knows.
pub(super) struct Toy {
    /// `iss` of its tokens, and what its own addresses begin with.
    pub(super) url: String,
    /// `aud` of its tokens.
    pub(super) audience: String,
    pub(super) key: LocalKey,
    pub(super) clients: Vec<Client>,
    pub(super) clock: Arc<dyn Clock>,
    /// 16 bytes that nobody can guess, for each token.
    pub(super) chance: Box<dyn Fn() -> [u8; 16] + Send + Sync>,
}

/// Somebody it gives tokens to.
pub(super) struct Client {
    pub(super) client_id: String,
    pub(super) proof: Proof,
}

/// How a client proves who it is.
pub(super) enum Proof {
    /// By an assertion signed with one of these.
    PrivateKeyJwt(Jwks),
    /// By a certificate with this subject.
    TlsClientAuth { subject: String },
}

/// What it says no with (RFC 6749, section 5.2).
struct Refusal {
    status: StatusCode,
    error: &'static str,
    why: &'static str,
}

/// What is asked for.
#[derive(Default)]
struct Question {
    grant_type: String,
    client_id: String,
    scope: String,
    assertion_type: String,
    assertion: String,
}

/// What an assertion says.
#[derive(Deserialize)]
struct Assertion {
    iss: String,
    sub: String,
    aud: String,
    exp: i64,
}

/// Its two addresses.
pub(super) fn router(toy: Arc<Toy>) -> Router {
    Router::new()
        .route("/token", post(token))
        .route("/jwks", get(key_set))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(toy)
}

async fn token(
    State(toy): State<Arc<Toy>>,
    Extension(peer): Extension<Peer>,
    body: Bytes,
) -> Response {
    match toy.grant(peer.certificate.as_deref(), &Question::read(&body)) {
        Ok(granted) => answer(StatusCode::OK, granted),
        Err(no) => {
            let told = json!({"error": no.error, "error_description": no.why});
            answer(no.status, told.to_string())
        }
    }
}

async fn key_set(State(toy): State<Arc<Toy>>) -> Response {
    let key = toy.key.public_key();
    let keys: Jwks = std::iter::once(Jwk::new(key.thumbprint(), key.clone())).collect();
    answer(StatusCode::OK, keys.to_json())
}

impl Toy {
    /// Where it gives tokens.
    pub(super) fn endpoint(&self) -> String {
        format!("{}/token", self.url)
    }

    fn grant(
        &self,
        certificate: Option<&ClientCertificate>,
        question: &Question,
    ) -> Result<String, Refusal> {
        if question.grant_type != "client_credentials" {
            let why = "grant_type must be client_credentials";
            return Err(bad("unsupported_grant_type", why));
        }
        let Some(certificate) = certificate else {
            let why = "no client certificate: tokens here are bound to one";
            return Err(bad("invalid_request", why));
        };
        let client = self.client(certificate, question)?;
        let known = |scope: &str| SCOPES.contains(&scope);
        if question.scope.is_empty() || !question.scope.split(' ').all(known) {
            let why = "scope must be of accounts, payments, fundsconfirmations";
            return Err(bad("invalid_scope", why));
        }
        let token = self.sign(client, &question.scope, &certificate.thumbprint)?;
        let granted = json!({
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": HOLDS_FOR.as_secs(),
            "scope": question.scope,
        });
        Ok(granted.to_string())
    }

    /// Who asks, if they prove it.
    fn client(
        &self,
        certificate: &ClientCertificate,
        question: &Question,
    ) -> Result<&str, Refusal> {
        let mut clients = self.clients.iter();
        let client = clients
            .find(|client| client.client_id == question.client_id)
            .ok_or(nobody("no client has this client_id"))?;
        match &client.proof {
            Proof::TlsClientAuth { subject } if *subject == certificate.subject => {}
            Proof::TlsClientAuth { .. } => {
                return Err(nobody("the certificate is not this client's"));
            }
            Proof::PrivateKeyJwt(keys) => self.check(question, keys)?,
        }
        Ok(&client.client_id)
    }

    fn check(&self, question: &Question, keys: &Jwks) -> Result<(), Refusal> {
        if question.assertion_type != ASSERTION_TYPE {
            return Err(nobody("this client proves itself by an assertion"));
        }
        let now = self.clock.now().unix_seconds();
        let token = Compact::parse(&question.assertion)
            .map_err(|_| nobody("the assertion is no signed token"))?;
        let verified = Verifier::types(["JWT"])
            .or_untyped()
            .verify(token, keys, UnixTime::from_seconds(now))
            .map_err(|_| nobody("the assertion is not signed by this client"))?;
        let said: Assertion = serde_json::from_slice(&verified.payload)
            .map_err(|_| nobody("the assertion lacks iss, sub, aud or exp"))?;
        let from_itself = said.iss == question.client_id && said.sub == question.client_id;
        if from_itself && said.aud == self.endpoint() && now < said.exp {
            Ok(())
        } else {
            Err(nobody(
                "the assertion is of or for somebody else, or expired",
            ))
        }
    }

    fn sign(&self, client_id: &str, scope: &str, thumbprint: &str) -> Result<String, Refusal> {
        let token = AccessToken {
            issuer: &self.url,
            audience: &self.audience,
            client_id,
            scope,
            thumbprint,
            jti: &(self.chance)(),
            issued_at: UnixTime::from_seconds(self.clock.now().unix_seconds()),
            holds_for: HOLDS_FOR,
        };
        token.sign(&self.key).map_err(|_| Refusal {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            error: "server_error",
            why: "the token could not be signed",
        })
    }
}

impl Question {
    /// A parameter that stands there twice is the last of them: it is a toy.
    fn read(body: &[u8]) -> Self {
        let mut question = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            let place = match &*name {
                "grant_type" => &mut question.grant_type,
                "client_id" => &mut question.client_id,
                "scope" => &mut question.scope,
                "client_assertion_type" => &mut question.assertion_type,
                "client_assertion" => &mut question.assertion,
                _ => continue,
            };
            *place = value.into_owned();
        }
        question
    }
}

fn bad(error: &'static str, why: &'static str) -> Refusal {
    Refusal {
        status: StatusCode::BAD_REQUEST,
        error,
        why,
    }
}

fn nobody(why: &'static str) -> Refusal {
    Refusal {
        status: StatusCode::UNAUTHORIZED,
        error: "invalid_client",
        why,
    }
}

fn answer(status: StatusCode, body: String) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, headers, body).into_response()
}

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Those of a client's own tokens.
const SCOPES: [&str; 3] = ["accounts", "payments", "fundsconfirmations"];
/// Long enough to type commands beside it.
const HOLDS_FOR: Duration = Duration::from_secs(600);
/// An assertion has less than a kilobyte.
const BODY_BYTES_MAX: usize = 16 * 1024;
