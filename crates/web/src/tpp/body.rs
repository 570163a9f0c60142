//! The body of a request, read as it comes and no further than it may be (G-07).

use std::error::Error;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use oyez_domain::fault::{Code, Fault};
use oyez_outbound::Bytes;

use super::options::BODY_BYTES_MAX;
use super::refusal::Refusal;
use crate::listener::BodyTooSlow;

/// Reads all of it. One that says that it is too long is not begun.
pub(super) async fn read(mut body: Body, headers: &HeaderMap) -> Result<Bytes, Refusal> {
    let said = headers.get(CONTENT_LENGTH);
    let said = said.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|bytes| bytes > BODY_BYTES_MAX as u64) {
        return Err(Refusal::TooLarge);
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(&error))?;
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

/// The listener gave up on it, or the client did, who hears nothing of it then.
fn broken(error: &(dyn Error + 'static)) -> Refusal {
    if BodyTooSlow::caused(error) {
        return Refusal::TooSlow;
    }
    Refusal::fault(Fault::new(
        Code::ResourceInvalidFormat,
        "the body broke off",
    ))
}
