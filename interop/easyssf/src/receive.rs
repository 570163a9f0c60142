//! Its push endpoint (RFC 8935), by its own axum routes, over TLS.

use std::sync::Arc;

use easyssf_receiver::push::SsfPushHandler;
use easyssf_receiver_axum::push_router_at;
use serde_json::Value;
use tokio::sync::watch;

use crate::tls::TlsListener;
use crate::{Outcome, believe, text};

/// Serves until it is killed.
pub(crate) async fn run(wish: &Value) -> Outcome<()> {
    // Nobody waits for a count: what was handled is said.
    let (handled, _) = watch::channel(0);
    let processor = Arc::new(believe::processor(wish, handled)?);
    // A bank sends no Authorization: its signature proves it.
    let handler = SsfPushHandler::new(processor, None);
    let router = push_router_at(text(wish, "path")?, handler);
    Ok(axum::serve(TlsListener::open(wish).await?, router).await?)
}
