//! How the domain's words stand in rows of any backend: small integers for what is hot, text for what people read.

use oyez_domain::actor::Actor;
use oyez_domain::event::Family;
use oyez_domain::ids::ClientId;
use oyez_domain::ledger::registering::Kind;
use oyez_domain::life::{Acknowledged, Ending, Outcome, Settlement, Withdrawn};
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::{DeliveryOrder, Profile};

use crate::Error;
use crate::error::contradiction;

/// A TPP's number in a ledger. It never leaves the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TppId(pub(crate) i64);

/// A text in a column that must be fit for its type.
pub(crate) fn parse<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, Error>
where
    T::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|error| contradiction(format!("{what} {text:?}: {error}")))
}

/// JSON in a column.
pub(crate) fn from_json<T: serde::de::DeserializeOwned>(
    text: &str,
    what: &str,
) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| contradiction(format!("{what}: {error}")))
}

/// JSON for a column.
pub(crate) fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("what the ledger keeps has string keys only")
}

pub(crate) const fn family_code(family: Family) -> i64 {
    match family {
        Family::Aisp => 0,
        Family::Pisp => 1,
        Family::Cbpii => 2,
        Family::Vrp => 3,
    }
}

pub(crate) const fn kind_code(kind: Kind) -> i64 {
    match kind {
        Kind::Subscription => 0,
        Kind::CallbackUrl => 1,
    }
}

/// The tens say which end, the ones why: an end is a range. From 20 on there is an index, `settlements_rare`.
pub(crate) const fn outcome_code(outcome: Outcome) -> i64 {
    match outcome {
        Outcome::Acknowledged(Acknowledged::Push) => 10,
        Outcome::Acknowledged(Acknowledged::Poll) => 11,
        Outcome::Acknowledged(Acknowledged::Duplicate) => 12,
        Outcome::Acknowledged(Acknowledged::Assumed) => 13,
        Outcome::Failed => 20,
        Outcome::Expired => 30,
        Outcome::Withdrawn(Withdrawn::RegistrationDeleted) => 40,
        Outcome::Withdrawn(Withdrawn::TypeNoLongerWanted) => 41,
        Outcome::Withdrawn(Withdrawn::ByOperator) => 42,
    }
}

pub(crate) fn outcome(code: i64) -> Result<Outcome, Error> {
    Ok(match code {
        10 => Outcome::Acknowledged(Acknowledged::Push),
        11 => Outcome::Acknowledged(Acknowledged::Poll),
        12 => Outcome::Acknowledged(Acknowledged::Duplicate),
        13 => Outcome::Acknowledged(Acknowledged::Assumed),
        20 => Outcome::Failed,
        30 => Outcome::Expired,
        40 => Outcome::Withdrawn(Withdrawn::RegistrationDeleted),
        41 => Outcome::Withdrawn(Withdrawn::TypeNoLongerWanted),
        42 => Outcome::Withdrawn(Withdrawn::ByOperator),
        other => return Err(contradiction(format!("outcome {other}"))),
    })
}

/// The codes of an end, from and before.
pub(crate) const fn outcome_range(ending: Ending) -> (i64, i64) {
    match ending {
        Ending::Acknowledged => (10, 20),
        Ending::Failed => (20, 30),
        Ending::Expired => (30, 40),
        Ending::Withdrawn => (40, 50),
    }
}

/// An actor in a column: `system`, `operator:NAME`, `tpp:CLIENT`.
pub(crate) fn actor(text: &str) -> Result<Actor, Error> {
    parse(text, "actor")
}

/// A settlement's actor for its column: almost always the TPP itself, and then NULL.
pub(crate) fn settling_actor(actor: &Actor, owner: &ClientId) -> Option<String> {
    match actor {
        Actor::Tpp(client_id) if client_id == owner => None,
        other => Some(other.to_string()),
    }
}

/// A settlement from `at, outcome, actor`.
pub(crate) fn settlement(
    at: Timestamp,
    code: i64,
    by: Option<&str>,
    owner: &ClientId,
) -> Result<Settlement, Error> {
    Ok(Settlement {
        outcome: outcome(code)?,
        actor: by.map_or_else(|| Ok(Actor::Tpp(owner.clone())), actor)?,
        at,
    })
}

/// The order that a TPP asks for itself, by its code, so that choosing need not parse a profile.
pub(crate) const fn own_order(code: i64) -> Option<DeliveryOrder> {
    match code {
        STRICT => Some(DeliveryOrder::Strict),
        CONCURRENT => Some(DeliveryOrder::Concurrent),
        _ => None,
    }
}

/// See [`own_order`].
pub(crate) const fn own_order_code(profile: &Profile) -> i64 {
    match profile.overrides.delivery_order {
        None => THE_DEPLOYMENTS,
        Some(DeliveryOrder::Strict) => STRICT,
        Some(DeliveryOrder::Concurrent) => CONCURRENT,
    }
}

// What came of an attempt.
pub(crate) const ACKNOWLEDGED: i64 = 0;
pub(crate) const REFUSED: i64 = 1;
pub(crate) const ENDPOINT_FAILED: i64 = 2;

const THE_DEPLOYMENTS: i64 = 0;
const STRICT: i64 = 1;
const CONCURRENT: i64 = 2;
