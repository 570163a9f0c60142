//! `x-jws-signature` of a request: right until something is replaced or taken away (M-01 … M-03).

use std::sync::Arc;

use oyez_domain::time::Timestamp;
use oyez_jose::open_banking::{IAT, ISS, TAN};
use oyez_jose::{Form, LocalKey};
use serde_json::{Map, Value, json};

use super::TRUST_ANCHOR;
use crate::jws::{self, Seal};

/// A signature in the making.
#[derive(Clone)]
pub struct Signing {
    header: Map<String, Value>,
    form: Form,
    seal: Seal,
    body: Option<Vec<u8>>,
}

impl Signing {
    pub(super) fn new(key: &Arc<LocalKey>, kid: &str, issuer: &str, now: Timestamp) -> Self {
        let header = json!({
            "alg": key.public_key().algorithm().name(), "kid": kid, "typ": "JOSE",
            "cty": "application/json", "crit": [IAT, ISS, TAN],
            IAT: now.unix_seconds(), ISS: issuer, TAN: TRUST_ANCHOR,
        });
        Self {
            header: jws::members(header),
            form: Form::Encoded,
            seal: Seal::Key(Arc::clone(key)),
            body: None,
        }
    }

    /// A header member, added or replaced.
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// A header member taken away.
    pub fn without(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// In the form of v3.1.3 and older: `b64: false`, and critical.
    pub fn unencoded(mut self) -> Self {
        self.form = Form::Unencoded;
        self.member("b64", false)
            .member("crit", json!(["b64", IAT, ISS, TAN]))
    }

    /// By another key; the header says what it said.
    pub fn by(mut self, key: &Arc<LocalKey>) -> Self {
        self.seal = Seal::Key(Arc::clone(key));
        self
    }

    /// Over another body than the one that is sent.
    pub fn over(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// The header's value for a request with this body.
    pub fn of(&self, body: &[u8]) -> String {
        let body = self.body.as_deref().unwrap_or(body);
        jws::detached(&self.header, body, self.form, &self.seal)
    }
}
