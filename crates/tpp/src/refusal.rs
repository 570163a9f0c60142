//! What a bank says when it says no: v3.1's error model, v4.0's, a gateway's page, or nothing, in one type.

use std::fmt;
use std::time::Duration;

use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper::header::{HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use jiff::fmt::rfc2822;
use oyez_domain::ids::InteractionId;
use oyez_domain::time::Timestamp;
use serde::Deserialize;

use crate::bank::{Echo, SignatureFault};
use crate::transport::Response;

/// An answer whose status is not 2xx.
#[derive(Debug)]
pub struct Refused {
    /// The status.
    pub status: u16,
    /// The bank's name for this error, to quote to its support.
    pub id: Option<String>,
    /// What is wrong as a whole; v4.0 banks may leave it out.
    pub message: Option<String>,
    /// What is wrong in particular; empty when the body says nothing that we can read.
    pub errors: Vec<ErrorDetail>,
    /// The request's `x-fapi-interaction-id`, to quote as well.
    pub interaction_id: InteractionId,
    /// Whether it came back.
    pub echo: Echo,
    /// How long the bank asks to be left alone.
    pub retry_after: Option<Duration>,
    /// `WWW-Authenticate`, which says what is wrong with the token.
    pub challenge: Option<String>,
    /// Whether this is the bank's word.
    pub authenticity: Authenticity,
    /// The body as it came.
    pub body: Bytes,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ErrorDetail {
    /// `UK.OBIE.Field.Missing` in v3.1, `U004` in v4.0.
    #[serde(rename = "ErrorCode")]
    pub code: String,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// Where: `Data.Version`.
    #[serde(default)]
    pub path: Option<String>,
    /// Where to read on.
    #[serde(default)]
    pub url: Option<String>,
}

/// Whether an error is signed. Much that stands between us and the bank may say no, and cannot sign; so an unsigned error is
/// an error still.
#[derive(Debug)]
pub enum Authenticity {
    /// The bank's signature verifies over the body.
    Signed,
    /// There is none.
    Unsigned,
    /// There is one that does not verify.
    Broken(SignatureFault),
}

/// OBErrorResponse1 of either version. Everything is optional, for errors are written by many hands.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Body {
    id: Option<String>,
    message: Option<String>,
    errors: Vec<ErrorDetail>,
}

impl Refused {
    pub(crate) fn read(
        response: Response,
        interaction_id: InteractionId,
        echo: Echo,
        authenticity: Authenticity,
        now: Timestamp,
    ) -> Self {
        let said: Body = serde_json::from_slice(&response.body).unwrap_or_default();
        Self {
            status: response.status.as_u16(),
            id: said.id,
            message: said.message,
            errors: said.errors,
            interaction_id,
            echo,
            retry_after: retry_after(&response.headers, now),
            challenge: text(&response.headers, &WWW_AUTHENTICATE).map(str::to_owned),
            authenticity,
            body: response.body,
        }
    }

    /// Whether one of the errors has this code.
    pub fn has(&self, code: &str) -> bool {
        self.errors.iter().any(|error| error.code == code)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the bank answered {}", self.status)?;
        for error in &self.errors {
            write!(f, "; {}", error.code)?;
            if let Some(path) = &error.path {
                write!(f, " at {path}")?;
            }
            write!(f, ": {}", error.message)?;
        }
        write!(f, " (interaction {})", self.interaction_id)
    }
}

/// Whether the token is to blame: said by RFC 6750's challenge, or on v4.0 by the body.
pub(crate) fn blames_the_token(response: &Response) -> bool {
    let challenge = text(&response.headers, &WWW_AUTHENTICATE);
    challenge.is_some_and(|challenge| challenge.contains("invalid_token"))
        || serde_json::from_slice::<Body>(&response.body)
            .is_ok_and(|body| body.errors.iter().any(|error| error.code == TOKEN_EXPIRED))
}

/// Seconds, or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = text(headers, &RETRY_AFTER)?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(Timestamp::from_unix_seconds(date.as_second()).since(now))
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// v4.0's code for an expired token.
const TOKEN_EXPIRED: &str = "TKXP";
