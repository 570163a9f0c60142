//! Access tokens by client credentials, bound to the client certificate because they are asked for over the same
//! mutual TLS that they are used on.
//!
//! A token is kept until shortly before it expires. Whoever needs one while it is being fetched waits for that one request.

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::http::HeaderValue;
use hyper::{HeaderMap, Method};
use oyez_domain::ids::ClientId;
use oyez_domain::time::{Clock, Timestamp};
use oyez_jose::{SignError, Zeroizing};
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use crate::discovery::{DiscoveryError, Location};
use crate::flight::Flight;
use crate::random::Random;
use crate::signer::Signer;
use crate::transport::{Request, Response, Transport, TransportError};

/// Where the tokens of one client at one bank come from. Clones share the token.
#[derive(Clone)]
pub struct TokenSource(Arc<Source>);

/// How tokens are asked for.
pub struct TokenSetup {
    /// The bank's token endpoint, which is also the assertion's `aud`.
    pub endpoint: Location,
    /// Who asks.
    pub client_id: ClientId,
    /// How it proves that.
    pub authentication: Authentication,
    /// What for: `accounts`, `payments`, `fundsconfirmations`, several with spaces between.
    pub scope: String,
    /// Over which certificate.
    pub transport: Transport,
    /// When.
    pub clock: Arc<dyn Clock>,
    /// Chance, for the assertion's `jti`.
    pub random: Random,
}

/// How a client proves who it is.
pub enum Authentication {
    /// By a signed assertion (RFC 7523).
    PrivateKeyJwt(Signer),
    /// By its certificate (RFC 8705).
    TlsClientAuth,
}

/// A bearer token. It has no `Debug`; the only way to see it is the header it is sent in.
#[derive(Clone)]
pub struct AccessToken(Arc<Kept>);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The assertion could not be signed.
    #[error("the client assertion cannot be signed")]
    Sign(#[from] SignError),
    /// Nobody says where the token endpoint is.
    #[error("the token endpoint cannot be found")]
    Discovery(#[from] Arc<DiscoveryError>),
    /// The token endpoint gave no answer.
    #[error("the token endpoint cannot be reached")]
    Transport(#[from] TransportError),
    /// It said no (RFC 6749, section 5.2).
    #[error("the token endpoint answered {status}: {error} {description}")]
    Refused {
        /// The status.
        status: u16,
        /// `invalid_client` and the like; empty when it did not say.
        error: String,
        /// For people; empty when it did not say.
        description: String,
    },
    /// What it answered is no token for us.
    #[error("the token endpoint's answer cannot be used: {0}")]
    Unusable(&'static str),
}

struct Source {
    setup: TokenSetup,
    flight: Flight<AccessToken, Arc<TokenError>>,
}

struct Kept {
    text: Zeroizing<String>,
    usable_until: Timestamp,
}

#[derive(Serialize)]
struct Assertion<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: String,
    iat: i64,
    exp: i64,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    token_type: String,
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
struct Denied {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

impl TokenSource {
    /// Asks for nothing before it is asked.
    pub fn new(setup: TokenSetup) -> Self {
        Self(Arc::new(Source {
            setup,
            flight: Flight::new(),
        }))
    }

    /// The kept token, or a new one when it is about to expire.
    pub async fn token(&self) -> Result<AccessToken, Arc<TokenError>> {
        let now = self.0.setup.clock.now();
        let usable = |token: &AccessToken| now < token.0.usable_until;
        self.0.flight.join(usable, self.0.fetch()).await
    }

    /// Another token than this one, which the bank no longer takes.
    pub async fn instead_of(&self, stale: &AccessToken) -> Result<AccessToken, Arc<TokenError>> {
        let other = |token: &AccessToken| !Arc::ptr_eq(&token.0, &stale.0);
        self.0.flight.join(other, self.0.fetch()).await
    }
}

impl AccessToken {
    /// The value of `Authorization`, marked as sensitive so that HTTP's own logs leave it out.
    pub fn authorization(&self) -> HeaderValue {
        let text = Zeroizing::new(format!("Bearer {}", *self.0.text));
        let mut value = HeaderValue::from_str(&text).expect("the characters were checked");
        value.set_sensitive(true);
        value
    }
}

impl Source {
    async fn fetch(&self) -> Result<AccessToken, Arc<TokenError>> {
        self.request().await.map_err(Arc::new)
    }

    async fn request(&self) -> Result<AccessToken, TokenError> {
        let now = self.setup.clock.now();
        let endpoint = self.setup.endpoint.tokens().await?;
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let json = HeaderValue::from_static("application/json");
        let request = Request {
            method: Method::POST,
            body: self.form(&endpoint, now).await?.into(),
            url: endpoint,
            headers: HeaderMap::from_iter([(CONTENT_TYPE, form), (ACCEPT, json)]),
            total: self.setup.transport.limits().total,
        };
        let response = self.setup.transport.send(request).await?;
        if response.status.is_success() {
            granted(&response.body, now)
        } else {
            Err(denied(&response))
        }
    }

    async fn form(&self, endpoint: &str, now: Timestamp) -> Result<String, TokenError> {
        let setup = &self.setup;
        let assertion = match &setup.authentication {
            Authentication::PrivateKeyJwt(signer) => {
                Some(self.assertion(signer, endpoint, now).await?)
            }
            Authentication::TlsClientAuth => None,
        };
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials")
            .append_pair("client_id", setup.client_id.as_str())
            .append_pair("scope", &setup.scope);
        if let Some(assertion) = assertion {
            form.append_pair("client_assertion_type", ASSERTION_TYPE)
                .append_pair("client_assertion", &assertion);
        }
        Ok(form.finish())
    }

    async fn assertion(
        &self,
        signer: &Signer,
        endpoint: &str,
        now: Timestamp,
    ) -> Result<String, SignError> {
        let setup = &self.setup;
        let claims = Assertion {
            iss: setup.client_id.as_str(),
            sub: setup.client_id.as_str(),
            aud: endpoint,
            jti: setup.random.jti(),
            iat: now.unix_seconds(),
            exp: (now + ASSERTION_LIFE).unix_seconds(),
        };
        let claims = serde_json::to_vec(&claims).expect("texts and numbers are always JSON");
        signer.jwt(&claims, now).await
    }
}

fn granted(body: &[u8], now: Timestamp) -> Result<AccessToken, TokenError> {
    let granted: Granted =
        serde_json::from_slice(body).map_err(|_| TokenError::Unusable("it is not a token"))?;
    if !granted.token_type.eq_ignore_ascii_case("bearer") {
        return Err(TokenError::Unusable("it is not a bearer token"));
    }
    let text = Zeroizing::new(granted.access_token);
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TokenError::Unusable("the token cannot stand in a header"));
    }
    let life = granted.expires_in.map_or(LIFE_UNSAID, Duration::from_secs);
    let usable_until = now + life.saturating_sub(MARGIN.min(life / 2));
    Ok(AccessToken(Arc::new(Kept { text, usable_until })))
}

fn denied(response: &Response) -> TokenError {
    let said = serde_json::from_slice(&response.body).unwrap_or(Denied {
        error: String::new(),
        error_description: String::new(),
    });
    let cut = |text: String| text.chars().take(TOLD_CHARS_MAX).collect();
    TokenError::Refused {
        status: response.status.as_u16(),
        error: cut(said.error),
        description: cut(said.error_description),
    }
}

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An assertion is used at once; the rest is for clocks that differ.
const ASSERTION_LIFE: Duration = Duration::from_secs(60);

/// A token is not used for its last moments, in which it could expire on the way; nor is more than half of its life given up.
const MARGIN: Duration = Duration::from_secs(30);

/// RFC 6749 only recommends to say it; a token that lives for longer costs a request too many.
const LIFE_UNSAID: Duration = Duration::from_secs(60);

/// So much of an endpoint's words goes into an error.
const TOLD_CHARS_MAX: usize = 256;
