//! What an operation gives back when all went well.

use axum::http::{HeaderMap, StatusCode};
use oyez_outbound::Bytes;

/// A success, before it is signed and dressed.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Besides those that every answer has, and before them.
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// A body with the status that the version table names. The table holds numbers that are statuses; another is a bug.
    pub(super) fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::OK),
            headers: HeaderMap::new(),
            body: body.into(),
        }
    }
}
