//! How the domain's words stand in rows: small integers for what is hot, text for what people read.

use oyez_domain::actor::Actor;
use oyez_domain::event::Family;
use oyez_domain::ids::{ClientId, Jti};
use oyez_domain::ledger::registering::Kind;
use oyez_domain::life::{Acknowledged, Ending, Outcome, Settlement, Withdrawn};
use oyez_domain::time::Timestamp;
use rusqlite::Row;

use super::errors::contradiction;
use crate::Error;

/// A moment in a column.
pub(super) fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_unix_ms)
}

/// A moment that may be absent.
pub(super) fn moment_or_null(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    let ms: Option<i64> = row.get(column)?;
    Ok(ms.map(Timestamp::from_unix_ms))
}

/// A jti in a column.
pub(super) fn jti(row: &Row<'_>, column: usize) -> rusqlite::Result<Jti> {
    row.get(column).map(Jti::from_bytes)
}

/// A text in a column that must be fit for its type.
pub(super) fn parse<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, Error>
where
    T::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|error| contradiction(format!("{what} {text:?}: {error}")))
}

/// JSON in a column.
pub(super) fn from_json<T: serde::de::DeserializeOwned>(
    text: &str,
    what: &str,
) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| contradiction(format!("{what}: {error}")))
}

/// JSON for a column.
pub(super) fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("what the ledger keeps has string keys only")
}

pub(super) const fn family_code(family: Family) -> i64 {
    match family {
        Family::Aisp => 0,
        Family::Pisp => 1,
        Family::Cbpii => 2,
        Family::Vrp => 3,
    }
}

pub(super) const fn kind_code(kind: Kind) -> i64 {
    match kind {
        Kind::Subscription => 0,
        Kind::CallbackUrl => 1,
    }
}

/// The tens say which end, the ones why: an end is a range. From 20 on there is an index, `settlements_rare`.
pub(super) const fn outcome_code(outcome: Outcome) -> i64 {
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

pub(super) fn outcome(code: i64) -> Result<Outcome, Error> {
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
pub(super) const fn outcome_range(ending: Ending) -> (i64, i64) {
    match ending {
        Ending::Acknowledged => (10, 20),
        Ending::Failed => (20, 30),
        Ending::Expired => (30, 40),
        Ending::Withdrawn => (40, 50),
    }
}

/// An actor in a column: `system`, `operator:NAME`, `tpp:CLIENT`.
pub(super) fn actor(text: &str) -> Result<Actor, Error> {
    match text.split_once(':') {
        None if text == "system" => Ok(Actor::System),
        Some(("operator", name)) => Ok(Actor::Operator(name.to_owned())),
        Some(("tpp", client_id)) => Ok(Actor::Tpp(parse(client_id, "client_id")?)),
        _ => Err(contradiction(format!("actor {text:?}"))),
    }
}

/// A settlement's actor for its column: almost always the TPP itself, and then NULL.
pub(super) fn settling_actor(actor: &Actor, owner: &ClientId) -> Option<String> {
    match actor {
        Actor::Tpp(client_id) if client_id == owner => None,
        other => Some(other.to_string()),
    }
}

/// A settlement from `at, outcome, actor`.
pub(super) fn settlement(
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
