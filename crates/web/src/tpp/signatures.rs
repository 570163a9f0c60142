//! The signatures of TPPs over what they register (M-01 … M-03, M-05).
//!
//! The TPP's keys are those stored with it, or a set at its URL. Where that set cannot be had, the signature was found
//! neither right nor wrong, and the answer is 503: to call it wrong would tell a TPP to mend what is not broken. Where what
//! can be had is no key set, no key can be found in it, and that is a fault of the signature's `kid`.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderValue};
use oyez_domain::fault::{Code, Fault};
use oyez_domain::ids::ClientId;
use oyez_domain::tpp::{KeySource, Tpp};
use oyez_domain::versions::{B64Form, Row};
use oyez_jose::detached::{Checked, Error, Forms, HTTP_HEADER, Policy, Signature};
use oyez_jose::{Form, Jwks, UnixTime};

use super::SignaturePolicy;
use super::api::Api;
use super::caller::Caller;
use super::refusal::Refusal;
use crate::recent::Recent;
use crate::remote_keys::Unavailable;

/// The sets that are stored with TPPs, parsed.
pub(super) struct StoredKeys(Mutex<Recent<ClientId, (String, Arc<Jwks>)>>);

impl Api {
    /// Judges the signature over a body, exactly as it came.
    pub(super) async fn check_signature(
        &self,
        row: &Row,
        caller: &Caller,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), Refusal> {
        let mut values = headers.get_all(HTTP_HEADER).iter();
        let (value, second) = (values.next(), values.next());
        match self.options.signatures {
            SignaturePolicy::Off => return Ok(()),
            SignaturePolicy::IfPresent if value.is_none() => return Ok(()),
            SignaturePolicy::IfPresent | SignaturePolicy::Required => {}
        }
        if second.is_some() {
            return Err(malformed("there are several signatures"));
        }
        let text = value.map(HeaderValue::to_str).transpose();
        let text = text.map_err(|_| malformed("the signature cannot be parsed"))?;
        let now = UnixTime::from_milliseconds(self.bank.clock.now().unix_ms());
        let policy = Policy {
            unknown_members: self.options.unknown_members,
            ..Policy::standard(issuers(caller), &self.options.trust_anchors, forms(row))
        };
        let checked = Signature::parse(text)
            .and_then(|signature| signature.check(&policy, now))
            .map_err(|error| faulty(&error))?;
        let keys = self.keys_of(&caller.tpp, &checked).await?;
        checked
            .verify(body, &keys, now)
            .map_err(|error| faulty(&error))
    }

    async fn keys_of(&self, tpp: &Tpp, checked: &Checked<'_>) -> Result<Arc<Jwks>, Refusal> {
        let url = match &tpp.profile.keys {
            KeySource::Jwks(text) => return self.stored_keys.parsed(tpp, text),
            KeySource::JwksUrl(url) => url,
        };
        let fetched = self.remote_keys.keys(url, checked.kid()).await;
        fetched.map_err(|error| match error {
            Unavailable::Url | Unavailable::TooLong | Unavailable::NotAKeySet => no_key(),
            Unavailable::NoAnswer(_) | Unavailable::Status(_) | Unavailable::BrokenOff => {
                Refusal::Unavailable(error.to_string())
            }
        })
    }
}

impl StoredKeys {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Recent::new(STORED_KEYS_MAX)))
    }

    /// The TPP's set, parsed anew only when its text changed.
    fn parsed(&self, tpp: &Tpp, text: &str) -> Result<Arc<Jwks>, Refusal> {
        let mut sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, keys)) = sets.get(&tpp.client_id)
            && known == text
        {
            return Ok(Arc::clone(keys));
        }
        let keys = Arc::new(Jwks::parse(text.as_bytes()).map_err(|_| no_key())?);
        let known = (text.to_owned(), Arc::clone(&keys));
        sets.insert(tpp.client_id.clone(), known);
        Ok(keys)
    }
}

/// What the TPP may call itself (M-02): as the directory has it, or by the subject of its certificate. That is meant to be
/// the signing certificate's, which nobody shows us; where a TPP has its certificates from one authority, the one for TLS
/// names the same subject. It may be written as the standard's sample has it, as certificates are commonly shown, or in the
/// order and spelling of RFC 4514, which is that of most libraries.
fn issuers(caller: &Caller) -> Vec<String> {
    let profile = &caller.tpp.profile;
    let mut issuers = vec![format!("{}/{}", profile.org_id, profile.software_id)];
    if let Some(subject) = caller
        .subject
        .as_ref()
        .filter(|subject| !subject.is_empty())
    {
        let names: Vec<&str> = subject.rsplit(", ").collect();
        issuers.push(subject.replace('=', " = "));
        issuers.push(names.join(","));
        issuers.push(subject.clone());
    }
    issuers
}

/// The form of a request's signature, right or wrong: the answer has the same (M-04). `None` where it has none that can be
/// read, or one that the version does not know.
pub(super) fn form_of(row: &Row, headers: &HeaderMap) -> Option<Form> {
    let value = headers.get(HTTP_HEADER)?.to_str().ok()?;
    let signature = Signature::parse(Some(value)).ok()?;
    match signature.header().get("b64") {
        Some(_) if forms(row) == Forms::Encoded => None,
        Some(_) => Some(Form::Unencoded),
        None => Some(Form::Encoded),
    }
}

/// The form where no request shows one: the caller's, if the version has it.
pub(super) fn form_emitted(row: &Row, wanted: Option<B64Form>) -> Form {
    let wanted = wanted.filter(|form| row.jose.accepted.contains(form));
    match wanted.unwrap_or(row.jose.emitted) {
        B64Form::Encoded => Form::Encoded,
        B64Form::Unencoded => Form::Unencoded,
    }
}

fn forms(row: &Row) -> Forms {
    let accepts = |form| row.jose.accepted.contains(&form);
    match (accepts(B64Form::Encoded), accepts(B64Form::Unencoded)) {
        (_, false) => Forms::Encoded,
        (false, true) => Forms::Unencoded,
        (true, true) => Forms::Both,
    }
}

/// The standard's five errors. A member's name is its Path; else it is the header's.
fn faulty(error: &Error) -> Refusal {
    let (code, message, path) = match error {
        Error::Missing => (Code::SignatureMissing, "there is no signature", HTTP_HEADER),
        Error::Malformed(_) => return malformed("the signature cannot be parsed"),
        Error::MissingClaim { name } => (
            Code::SignatureMissingClaim,
            "the signature's header has no such member",
            *name,
        ),
        Error::InvalidClaim { name, .. } => (
            Code::SignatureInvalidClaim,
            "this member of the signature's header is not as it must be",
            name.as_str(),
        ),
        Error::Invalid => (
            Code::SignatureInvalid,
            "the signature does not fit the body",
            HTTP_HEADER,
        ),
    };
    Refusal::fault(Fault::new(code, message).at(path))
}

fn malformed(message: &str) -> Refusal {
    Refusal::fault(Fault::new(Code::SignatureMalformed, message).at(HTTP_HEADER))
}

fn no_key() -> Refusal {
    let fault = Fault::new(
        Code::SignatureInvalidClaim,
        "what is registered as the keys of this client is no key set",
    );
    Refusal::fault(fault.at("kid"))
}

/// As many as TPPs there may be at once; a set is some kilobytes.
const STORED_KEYS_MAX: usize = 1_024;
