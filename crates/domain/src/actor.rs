//! Who did it. Every change that a person or a party causes is kept with its actor (I-05).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::ClientId;

/// The author of a change.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// A TPP, through the TPP-facing API.
    Tpp(ClientId),
    /// A person or system of the bank, by the name its token carries.
    Operator(String),
    /// oyez itself: expiry, retention, delivery.
    System,
}

/// A text that names nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`system`, `operator:NAME` or `tpp:CLIENT` is expected")]
pub struct NotAnActor;

impl FromStr for Actor {
    type Err = NotAnActor;

    fn from_str(text: &str) -> Result<Self, NotAnActor> {
        match text.split_once(':') {
            None if text == "system" => Ok(Self::System),
            Some(("operator", name)) => Ok(Self::Operator(name.to_owned())),
            Some(("tpp", client)) => client.parse().map(Self::Tpp).map_err(|_| NotAnActor),
            _ => Err(NotAnActor),
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tpp(client) => write!(f, "tpp:{client}"),
            Self::Operator(name) => write!(f, "operator:{name}"),
            Self::System => f.write_str("system"),
        }
    }
}
