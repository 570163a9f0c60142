//! The body of a request, read as it comes and no further than it may be (G-07).

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use oyez_domain::fault::{Code, Fault};
use oyez_outbound::Bytes;

use super::refusal::Refusal;

/// Reads all of it. One that says that it is too long is not begun.
pub(super) async fn read(body: Body, headers: &HeaderMap) -> Result<Bytes, Refusal> {
    let said = headers.get(CONTENT_LENGTH);
    let said = said.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|bytes| bytes > BODY_BYTES_MAX as u64) {
        return Err(Refusal::TooLarge);
    }
    tokio::time::timeout(BODY_TIME_MAX, collect(body))
        .await
        .unwrap_or(Err(Refusal::TooSlow))
}

async fn collect(mut body: Body) -> Result<Bytes, Refusal> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            let broken = Fault::new(Code::ResourceInvalidFormat, "the body broke off");
            Refusal::fault(broken)
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > BODY_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.into())
}

/// The standard's requests stay under 200 KiB with every list at its longest.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// A body within the bound takes that long at 35 KiB a second; who is slower holds a connection for nothing.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);
