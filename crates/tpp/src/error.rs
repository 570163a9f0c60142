//! What can come of a call instead of its result.

use std::sync::Arc;

use hyper::StatusCode;
use oyez_domain::ids::InteractionId;
use oyez_jose::SignError;

use crate::bank::SignatureFault;
use crate::refusal::Refused;
use crate::tokens::TokenError;
use crate::transport::{Response, TransportError};

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no token to call with.
    #[error("no access token")]
    Token(#[from] Arc<TokenError>),
    /// The request could not be signed.
    #[error("the request cannot be signed")]
    Sign(#[from] SignError),
    /// There is no answer.
    #[error("the bank gave no answer")]
    Transport(#[from] TransportError),
    /// The bank said no.
    #[error("{0}")]
    Refused(Box<Refused>),
    /// The bank, or somebody in its place, said yes, and the signature does not prove which. What was asked for may have
    /// happened.
    #[error("the answer is not proven to be the bank's (interaction {interaction_id})")]
    Unproven {
        /// The request's interaction id.
        interaction_id: InteractionId,
        /// What came, to look at and not to act on.
        response: Box<Response>,
        /// What is wrong with its signature.
        #[source]
        fault: SignatureFault,
    },
    /// The bank said yes, and the body is not what the standard says. What was asked for may have happened.
    #[error("the body of the answer ({status}) cannot be read (interaction {interaction_id})")]
    Unreadable {
        /// The status.
        status: StatusCode,
        /// The request's interaction id.
        interaction_id: InteractionId,
        /// Where it goes wrong.
        #[source]
        source: serde_json::Error,
    },
}

impl Error {
    /// The bank's refusal, when that is what it is.
    pub fn refusal(&self) -> Option<&Refused> {
        match self {
            Self::Refused(refused) => Some(refused),
            Self::Token(_)
            | Self::Sign(_)
            | Self::Transport(_)
            | Self::Unproven { .. }
            | Self::Unreadable { .. } => None,
        }
    }
}
