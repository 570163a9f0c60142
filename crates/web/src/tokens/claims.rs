//! What must hold of a token's claims, whoever says them: the issuer's signature, or the issuer when asked.
//!
//! A member that is null counts as absent: some servers write so.

use std::time::Duration;

use oyez_domain::json;
use oyez_jose::UnixTime;
use serde_json::{Map, Value};

use super::TokenError;

/// What a token must say to be for us.
pub(super) struct Expected {
    /// `iss`, letter by letter; any if there is none.
    pub(super) issuer: Option<String>,
    /// One of them stands in `aud`; any will do if there are none.
    pub(super) audiences: Vec<String>,
    /// How far clocks may differ.
    pub(super) leeway: Duration,
    /// Of `iss` and `exp`.
    pub(super) presence: Presence,
}

/// Whether a claim may be left out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// As in a JWT.
    Required,
    /// As in an introspection response: what is absent is not said.
    Optional,
}

/// Reads claims as strictly as all that comes from outside.
pub(super) fn read(text: &[u8]) -> Option<Map<String, Value>> {
    match json::parse(text, json::DEPTH_MAX) {
        Ok(Value::Object(claims)) => Some(claims),
        _ => None,
    }
}

impl Expected {
    /// Checks all but who says so. That a token expired is said last: of one that holds in all else. Returns `exp`.
    pub(super) fn check(
        &self,
        claims: &Map<String, Value>,
        now: UnixTime,
    ) -> Result<Option<UnixTime>, TokenError> {
        check_form(claims)?;
        self.check_issuer(claims)?;
        self.check_audience(claims)?;
        for name in ["nbf", "iat"] {
            if time(claims, name)?.is_some_and(|from| now + self.leeway < from) {
                return Err(TokenError::Invalid("the access token is not valid yet"));
            }
        }
        let expires_at = time(claims, "exp")?;
        if expires_at.is_none() && self.presence == Presence::Required {
            return Err(TokenError::Invalid("the access token has no exp"));
        }
        if expires_at.is_some_and(|until| now >= until + self.leeway) {
            return Err(TokenError::Expired);
        }
        Ok(expires_at)
    }

    fn check_issuer(&self, claims: &Map<String, Value>) -> Result<(), TokenError> {
        let Some(expected) = &self.issuer else {
            return Ok(());
        };
        let holds = match member(claims, "iss") {
            Some(issuer) => issuer == expected.as_str(),
            None => self.presence == Presence::Optional,
        };
        if holds {
            Ok(())
        } else {
            Err(TokenError::Invalid("the access token is of another issuer"))
        }
    }

    fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), TokenError> {
        let is_ours = |value: &Value| {
            let audience = value.as_str();
            self.audiences.iter().any(|ours| audience == Some(ours))
        };
        let holds = match member(claims, "aud") {
            Some(Value::Array(list)) => list.iter().any(is_ours),
            Some(one) => is_ours(one),
            None => false,
        };
        if holds || self.audiences.is_empty() {
            Ok(())
        } else {
            Err(TokenError::Invalid(
                "the access token is for another audience",
            ))
        }
    }
}

/// Claims that are read later are what they must be, or a token that says `"sub": 7` would pass for one without a subject.
fn check_form(claims: &Map<String, Value>) -> Result<(), TokenError> {
    let is_text = |name: &&str| member(claims, name).is_none_or(Value::is_string);
    if !TEXTS.iter().all(is_text) {
        return Err(TokenError::Invalid(
            "a claim of the access token that must be a text is none",
        ));
    }
    // A key of another kind, of DPoP for instance, is a proof that nobody here asks for.
    let is_bound = |cnf: &Value| cnf.get("x5t#S256").is_some_and(Value::is_string);
    if !member(claims, "cnf").is_none_or(is_bound) {
        return Err(TokenError::Invalid(
            "the access token is bound to something else than a certificate",
        ));
    }
    if claims.contains_key("events") {
        return Err(TokenError::Invalid(SECURITY_EVENT));
    }
    Ok(())
}

fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<UnixTime>, TokenError> {
    member(claims, name)
        .map(|value| {
            UnixTime::from_numeric_date(value).ok_or(TokenError::Invalid(
                "a claim of the access token that must be a time is none",
            ))
        })
        .transpose()
}

fn member<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    claims.get(name).filter(|value| !value.is_null())
}

///
pub(super) const SECURITY_EVENT: &str = "a security event token is no access token";

/// Who says so, and whose it is.
const TEXTS: [&str; 4] = ["iss", "sub", "client_id", "azp"];
