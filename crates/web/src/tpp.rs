//! The API that TPPs call.

use std::sync::Arc;

use axum::Router;

use crate::Bank;
use crate::tokens::ValidateTokens;

/// What the TPP API is made of, besides the bank.
pub struct Setup {
    /// The bank.
    pub bank: Arc<Bank>,
    /// Whose word on tokens counts.
    pub tokens: Arc<dyn ValidateTokens>,
}

/// The routes of the TPP API. Requests carry [`crate::listener::Peer`].
pub fn router(_setup: Setup) -> Router {
    Router::new()
}
