//! One question and its answer, as RFC 7662 has them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oyez_domain::error_chain::chain;
use oyez_domain::time::Timestamp;
use oyez_jose::{UnixTime, Zeroizing};
use oyez_outbound::{
    Client, Ending, HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Target, header,
};
use serde_json::{Map, Value};
use url::form_urlencoded::{self, byte_serialize};

use super::{Credentials, Holding};
use crate::tokens::claims::{self, Expected};
use crate::tokens::{AccessToken, BadOptions, TokenError};

/// All of a question but the token. It has no `Debug`: it holds a secret.
pub(super) struct Question {
    target: Target,
    headers: HeaderMap,
    /// For servers that know us by our certificate.
    client_id: Option<String>,
}

/// The members of an answer whose `active` is true, or that it is false.
pub(super) enum Answer {
    Active(Map<String, Value>),
    Inactive,
}

impl Question {
    pub(super) fn new(url: &str, credentials: &Credentials) -> Result<Self, BadOptions> {
        let mut headers = HeaderMap::from_iter([
            (header::ACCEPT, HeaderValue::from_static("application/json")),
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/x-www-form-urlencoded"),
            ),
        ]);
        if let Some(text) = authorization(credentials) {
            let mut value = HeaderValue::from_str(&text).map_err(|_| BadOptions::Credentials)?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        let client_id = match credentials {
            Credentials::MutualTls { client_id } => Some(client_id.clone()),
            Credentials::ClientSecretBasic { .. } | Credentials::Bearer(_) => None,
        };
        Ok(Self {
            target: Target::parse(url).map_err(|_| BadOptions::Url)?,
            headers,
            client_id,
        })
    }

    pub(super) async fn ask(&self, client: &Client, token: &str) -> Result<Answer, TokenError> {
        let answer = client
            .send(&self.request(token))
            .await
            .map_err(|error| unavailable(&error.class.to_string(), &chain(&error)))?;
        read(&answer)
    }

    fn request(&self, token: &str) -> Request {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("token", token);
        form.append_pair("token_type_hint", "access_token");
        if let Some(client_id) = &self.client_id {
            form.append_pair("client_id", client_id);
        }
        Request {
            method: Method::POST,
            target: self.target.clone(),
            headers: self.headers.clone(),
            body: form.finish().into(),
        }
    }
}

impl Answer {
    pub(super) fn judge(self, expected: &Expected, now: Timestamp) -> Result<Holding, TokenError> {
        let Self::Active(members) = self else {
            return Err(TokenError::Invalid("the access token is not active"));
        };
        if !is_access_token(&members) {
            return Err(TokenError::Invalid(
                "the token is of another kind than access tokens",
            ));
        }
        let now = UnixTime::from_milliseconds(now.unix_ms());
        let ends_at = expected.check(&members, now)?;
        let ends_at = ends_at.map(|end| Timestamp::from_unix_seconds(end.seconds()));
        Ok((AccessToken::new(members), ends_at))
    }
}

/// Servers that know refresh tokens by introspection too call them so in one of these members.
fn is_access_token(members: &Map<String, Value>) -> bool {
    let is_one_of = |name: &str, values: &[&str]| match members.get(name) {
        None | Some(Value::Null) => true,
        Some(Value::String(said)) => values.iter().any(|one| said.eq_ignore_ascii_case(one)),
        Some(_) => false,
    };
    is_one_of("token_type", &["Bearer", "access_token"])
        && is_one_of("token_use", &["access_token"])
}

/// Nothing but 200 and an object with a boolean `active` is an answer. A refusal is of us, not of the token.
fn read(answer: &Response) -> Result<Answer, TokenError> {
    if answer.status != StatusCode::OK {
        let status = answer.status.as_u16();
        let text = format!("the authorisation server answered {status}");
        return Err(unavailable(&text, "it did not answer the question"));
    }
    match &answer.body.ending {
        Ending::Complete => {}
        Ending::TooLong => return Err(malformed("the answer is too long")),
        Ending::Broken(error) => {
            return Err(unavailable(&error.class.to_string(), &chain(&error)));
        }
    }
    let members = claims::read(&answer.body.bytes)
        .ok_or_else(|| malformed("the answer is no JSON object, or not strictly so"))?;
    match members.get("active") {
        Some(Value::Bool(true)) => Ok(Answer::Active(members)),
        Some(Value::Bool(false)) => Ok(Answer::Inactive),
        _ => Err(malformed("the answer has no boolean `active`")),
    }
}

fn malformed(detail: &str) -> TokenError {
    unavailable("the authorisation server gave no proper answer", detail)
}

/// The caller is told what kind of thing is wrong, the log which. Neither is told of the token, which is in the body alone.
fn unavailable(text: &str, detail: &str) -> TokenError {
    tracing::warn!(error = detail, "introspection: {text}");
    TokenError::Unavailable(text.to_owned())
}

/// RFC 6749, section 2.3.1: both are form-encoded before they are joined.
fn authorization(credentials: &Credentials) -> Option<Zeroizing<String>> {
    match credentials {
        Credentials::ClientSecretBasic {
            client_id,
            client_secret,
        } => {
            let mut pair = Zeroizing::new(String::new());
            pair.extend(byte_serialize(client_id.as_bytes()));
            pair.push(':');
            pair.extend(byte_serialize(client_secret.as_bytes()));
            let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
            Some(Zeroizing::new(format!("Basic {}", *encoded)))
        }
        Credentials::Bearer(token) => Some(Zeroizing::new(format!("Bearer {}", **token))),
        Credentials::MutualTls { .. } => None,
    }
}
