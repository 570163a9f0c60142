//! Aggregated polling (P): fetch events, tell the bank which are safe and which could not be taken.
//!
//! One poll is one request; when to poll again is for the caller. A jti belongs into the next poll's `ack` only once its
//! event is safe with us: the bank may forget it then.

use std::collections::BTreeSet;
use std::fmt;

use hyper::Method;
use oyez_domain::ledger::poll::SetError;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::bank::{Answer, Bank};
use crate::call::{Call, Signed};
use crate::error::Error;
use crate::sets::{Verified, VerifyError};

/// Aggregated polling at one bank.
#[derive(Clone, Copy)]
pub struct Polls<'b> {
    bank: &'b Bank,
}

/// What is asked for and reported. The default asks for what there is, as many as the bank likes, at once if it likes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PollRequest {
    /// At most so many; 0 only reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_events: Option<u32>,
    /// `Some(false)`: wait for an event (long poll); unsaid, the bank decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_immediately: Option<bool>,
    /// The jtis of events that are safe with us.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ack: Vec<String>,
    /// The jtis of events that could not be taken, each with the reason.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        serialize_with = "serialize_errors"
    )]
    pub set_errs: Vec<(String, SetError)>,
}

/// What a poll brought.
#[derive(Debug, Clone)]
pub struct Polled {
    /// The events, in the order of the answer.
    pub sets: Vec<PolledSet>,
    /// Whether the bank has more.
    pub more_available: bool,
}

/// One event that was handed out.
#[derive(Debug, Clone)]
pub struct PolledSet {
    /// Under which jti: what `ack` and `setErrs` call it.
    pub jti: String,
    /// The token as it came, for the records.
    pub raw: String,
    /// What it says, if it may be believed.
    pub outcome: Result<Verified, VerifyError>,
}

impl<'b> Polls<'b> {
    pub(crate) fn of(bank: &'b Bank) -> Self {
        Self { bank }
    }

    /// Polls once and verifies every SET; one that is not to be believed does not spoil the others.
    pub async fn poll(self, request: &PollRequest) -> Result<Answer<Polled>, Error> {
        let limits = self.bank.setup().transport.limits();
        let body = serde_json::to_vec(request).expect("texts and numbers are always JSON");
        let call = Call {
            method: Method::POST,
            path: self.bank.row().paths.events.clone(),
            body: body.into(),
            signed: Signed::Nothing,
            total: match request.return_immediately {
                Some(true) => limits.total,
                Some(false) | None => limits.long_poll,
            },
        };
        let answer: Answer<Body> = self.bank.call(&call).await?;
        let mut sets = Vec::with_capacity(answer.value.sets.0.len());
        for (jti, raw) in &answer.value.sets.0 {
            sets.push(PolledSet {
                outcome: self.bank.set_verifier().verify_as(jti, raw).await,
                jti: jti.clone(),
                raw: raw.clone(),
            });
        }
        Ok(answer.map(|body| Polled {
            sets,
            more_available: body.more_available,
        }))
    }
}

impl Polled {
    /// What the next poll can report of those that are not to be believed; those that the bank should offer again are not
    /// among them.
    pub fn set_errs(&self) -> Vec<(String, SetError)> {
        let faulty = |set: &PolledSet| {
            let error = set.outcome.as_ref().err()?.report()?;
            Some((set.jti.clone(), error))
        };
        self.sets.iter().filter_map(faulty).collect()
    }
}

/// RFC 8936 lets both members be absent where there is nothing to say.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    #[serde(default)]
    sets: Sets,
    #[serde(default)]
    more_available: bool,
}

/// In the order of the answer, each jti once.
#[derive(Default)]
struct Sets(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Sets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Sets;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of SETs by their jti")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Sets, A::Error> {
        let mut seen = BTreeSet::new();
        let mut sets = Vec::new();
        while let Some((jti, set)) = members.next_entry::<String, String>()? {
            if !seen.insert(jti.clone()) {
                return Err(A::Error::custom("a jti stands there twice"));
            }
            sets.push((jti, set));
        }
        Ok(Sets(sets))
    }
}

/// An object by jti.
fn serialize_errors<S: Serializer>(
    errors: &[(String, SetError)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Told<'a> {
        err: &'a str,
        description: &'a str,
    }
    let mut map = serializer.serialize_map(Some(errors.len()))?;
    for (jti, SetError { err, description }) in errors {
        map.serialize_entry(jti, &Told { err, description })?;
    }
    map.end()
}
