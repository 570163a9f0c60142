//! What the ledger answered, as the victim tells it: one line each, written before anything else is asked.

use std::fmt;
use std::str::FromStr;

use oyez_domain::ids::Jti;

/// An answer that must outlive the process that received it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Promise {
    /// An event was accepted for a TPP as one of a batch.
    Accepted { tpp: usize, jti: Jti, batch: String },
    /// These bytes may be sent.
    Sent { jti: Jti, set: String },
    /// An event was settled, so.
    Settled { jti: Jti, how: How },
    /// An attempt was recorded under this interaction id.
    Attempted { jti: Jti, interaction: String },
    /// A subscription was put, the nth of its TPP.
    Registered { number: usize },
    /// The subscription was deleted when this position had been promised.
    Deleted { position: u64 },
}

/// How an event was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Acknowledged,
    Failed,
}

impl Promise {
    /// The event it is about.
    pub(crate) const fn jti(&self) -> Option<Jti> {
        match self {
            Self::Accepted { jti, .. }
            | Self::Sent { jti, .. }
            | Self::Settled { jti, .. }
            | Self::Attempted { jti, .. } => Some(*jti),
            Self::Registered { .. } | Self::Deleted { .. } => None,
        }
    }
}

/// The line's first word: the test harness writes to the same pipe.
const WORD: &str = "promise";

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { tpp, jti, batch } => write!(f, "{WORD} accepted {tpp} {jti} {batch}"),
            Self::Sent { jti, set } => write!(f, "{WORD} sent {jti} {set}"),
            Self::Settled {
                jti,
                how: How::Acknowledged,
            } => write!(f, "{WORD} acknowledged {jti}"),
            Self::Settled {
                jti,
                how: How::Failed,
            } => write!(f, "{WORD} failed {jti}"),
            Self::Attempted { jti, interaction } => {
                write!(f, "{WORD} attempted {jti} {interaction}")
            }
            Self::Registered { number } => write!(f, "{WORD} registered {number}"),
            Self::Deleted { position } => write!(f, "{WORD} deleted {position}"),
        }
    }
}

impl FromStr for Promise {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        let words: Vec<&str> = line.split(' ').collect();
        let jti = |text: &str| text.parse::<Jti>().map_err(|_| ());
        let number = |text: &str| text.parse::<usize>().map_err(|_| ());
        match words[..] {
            [WORD, "accepted", tpp, id, batch] => Ok(Self::Accepted {
                tpp: number(tpp)?,
                jti: jti(id)?,
                batch: batch.to_owned(),
            }),
            [WORD, "sent", id, set] => Ok(Self::Sent {
                jti: jti(id)?,
                set: set.to_owned(),
            }),
            [WORD, "acknowledged", id] => Ok(Self::Settled {
                jti: jti(id)?,
                how: How::Acknowledged,
            }),
            [WORD, "failed", id] => Ok(Self::Settled {
                jti: jti(id)?,
                how: How::Failed,
            }),
            [WORD, "attempted", id, interaction] => Ok(Self::Attempted {
                jti: jti(id)?,
                interaction: interaction.to_owned(),
            }),
            [WORD, "registered", text] => Ok(Self::Registered {
                number: number(text)?,
            }),
            [WORD, "deleted", position] => Ok(Self::Deleted {
                position: position.parse().map_err(|_| ())?,
            }),
            _ => Err(()),
        }
    }
}
