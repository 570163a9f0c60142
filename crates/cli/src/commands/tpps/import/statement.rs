//! Software statements of the Open Banking directory: JWTs in which it says what it knows of a TPP's software.
//!
//! They have an issuing time and no end; what the directory says now may be another thing. That it once said so is all that
//! a signature proves.

use std::path::Path;

use oyez_jose::compact::{Compact, Verifier};
use oyez_jose::{Jwks, UnixTime};
use serde::Deserialize;

use super::super::super::read_text;
use super::entry::Fault;
use crate::failure::Failure;

/// Whose word statements are.
pub(super) struct Directory {
    keys: Option<Jwks>,
    now: UnixTime,
}

/// Whether a statement is the directory's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Its signature is the directory's.
    Verified,
    /// Nobody looked.
    Unverified,
}

/// What a statement says, as far as it is of use here.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Claims {
    pub(super) software_client_id: Option<String>,
    pub(super) software_id: Option<String>,
    pub(super) software_client_name: Option<String>,
    pub(super) software_jwks_endpoint: Option<String>,
    #[serde(default)]
    pub(super) software_roles: Vec<String>,
    pub(super) org_id: Option<String>,
    pub(super) org_name: Option<String>,
    org_status: Option<String>,
}

impl Directory {
    /// With the keys in this file, if there is one.
    pub(super) fn of(jwks: Option<&Path>, now: UnixTime) -> Result<Self, Failure> {
        let Some(path) = jwks else {
            return Ok(Self { keys: None, now });
        };
        let keys = Jwks::parse(read_text(path)?.as_bytes()).map_err(|error| {
            let what = format!("{} is no key set", path.display());
            Failure::environment(what, "fetch the directory's keys anew").because(&error)
        })?;
        Ok(Self {
            keys: Some(keys),
            now,
        })
    }

    /// What a statement says, if it is to be believed.
    pub(super) fn read(&self, statement: &str) -> Result<(Claims, Trust), Fault> {
        let compact = Compact::parse(statement);
        let compact = compact.map_err(|error| format!("no software statement: {error}"))?;
        let claims = serde_json::from_slice(compact.unverified_payload());
        let trust = match &self.keys {
            None => Trust::Unverified,
            Some(keys) => {
                let verified = Verifier::types(["JWT"]).or_untyped();
                let verified = verified.verify(compact, keys, self.now);
                verified.map_err(|error| {
                    format!("the software statement is not the directory's word: {error}")
                })?;
                Trust::Verified
            }
        };
        let claims: Claims =
            claims.map_err(|error| format!("the software statement cannot be read: {error}"))?;
        match claims.org_status.as_deref() {
            None | Some("Active") => Ok((claims, trust)),
            Some(other) => Err(format!("the directory says of its org_status: {other}")),
        }
    }
}

impl Trust {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Unverified => "not verified",
        }
    }
}

impl Claims {
    /// The scopes of its roles; what else it may be is no affair of events.
    pub(super) fn scopes(&self) -> Vec<&'static str> {
        let roles = self.software_roles.iter();
        roles
            .filter_map(|role| match role.as_str() {
                "AISP" => Some("accounts"),
                "PISP" => Some("payments"),
                "CBPII" => Some("fundsconfirmations"),
                _ => None,
            })
            .collect()
    }
}
