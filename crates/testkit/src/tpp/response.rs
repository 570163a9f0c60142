//! What a bank answered.

use oyez_domain::time::Timestamp;
use oyez_jose::detached::{Error, Forms, HTTP_HEADER, Policy, Signature};
use oyez_jose::{Algorithm, Form, Jwks, UnixTime};
use oyez_outbound::{Bytes, HeaderMap};
use serde_json::Value;

use super::TRUST_ANCHOR;

/// An answer, whole.
#[derive(Debug, Clone)]
pub struct Response {
    /// 200, 401.
    pub status: u16,
    /// As they came.
    pub headers: HeaderMap,
    /// As it came.
    pub body: Bytes,
}

impl Response {
    /// A header that stands once and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next();
        assert!(values.next().is_none(), "{name} stands twice: {self:?}");
        value.map(|value| value.to_str().unwrap())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The `ErrorCode`s of an error, in order.
    pub fn error_codes(&self) -> Vec<String> {
        self.error_members("ErrorCode")
    }

    /// The `Path`s of an error, in order; a fault without one is left out.
    pub fn error_paths(&self) -> Vec<String> {
        self.error_members("Path")
    }

    /// That the body is signed by one of these keys in the name of this issuer, and in which form (M-04).
    pub fn verified(&self, issuer: &str, keys: &Jwks, now: Timestamp) -> Result<Form, Error> {
        let policy = Policy {
            algorithms: vec![Algorithm::PS256, Algorithm::ES256],
            ..Policy::standard([issuer], [TRUST_ANCHOR], Forms::Both)
        };
        let now = UnixTime::from_milliseconds(now.unix_ms());
        let checked = Signature::parse(self.header(HTTP_HEADER))?.check(&policy, now)?;
        checked.verify(&self.body, keys, now)?;
        Ok(checked.form())
    }

    fn error_members(&self, name: &str) -> Vec<String> {
        let body = self.json();
        let errors = body["Errors"].as_array().into_iter().flatten();
        errors
            .filter_map(|error| error[name].as_str().map(str::to_owned))
            .collect()
    }
}
