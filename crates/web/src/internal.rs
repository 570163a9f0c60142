//! The API that the bank's own systems and people call.

use std::sync::Arc;

use axum::Router;

use crate::Bank;

/// What the internal API is made of, besides the bank.
pub struct Setup {
    /// The bank.
    pub bank: Arc<Bank>,
}

/// The routes of the internal API.
pub fn router(_setup: Setup) -> Router {
    Router::new()
}
