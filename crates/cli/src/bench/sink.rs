//! The endpoints of all TPPs: one listener, a path for each of them. It reads of a SET what the book must know, answers 202
//! with the interaction id, and verifies nothing: that would cost more than all else.

use std::convert::Infallible;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderName;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use oyez_domain::ids::Jti;
use serde::Deserialize;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::book::Book;
use super::door::Door;
use crate::failure::Failure;

/// What is read of a SET. These need no escapes.
#[derive(Deserialize)]
struct Claims<'a> {
    jti: &'a str,
    aud: &'a str,
}

/// Takes SETs from now on, for as long as the runtime lives.
pub(super) fn open(door: Door, tls: TlsAcceptor, book: Arc<Book>) -> Result<(), Failure> {
    // What the server does not send is missed in the book.
    door.serve(
        tls,
        service_fn(move |request| answer(Arc::clone(&book), request)),
    )
}

async fn answer(
    book: Arc<Book>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let mut response = Response::new(Full::default());
    // A body that breaks off is a push that was cut off.
    let Ok(body) = Limited::new(body, SET_BYTES_MAX).collect().await else {
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(response);
    };
    let set = body.to_bytes();
    match read(head.uri.path(), &set) {
        Ok(jti) => {
            let mut hasher = DefaultHasher::new();
            hasher.write(&set);
            *response.status_mut() = StatusCode::ACCEPTED;
            if let Some(id) = head.headers.get(INTERACTION_ID) {
                response.headers_mut().insert(INTERACTION_ID, id.clone());
            }
            book.arrived(jti, hasher.finish(), Instant::now());
        }
        Err(what) => {
            *response.status_mut() = StatusCode::BAD_REQUEST;
            book.wrong(what);
        }
    }
    Ok(response)
}

/// Which event it is, if it came to whom it is for.
fn read(path: &str, set: &[u8]) -> Result<Jti, String> {
    let parts = set.split(|byte| *byte == b'.').nth(1);
    let payload = parts.and_then(|payload| URL_SAFE_NO_PAD.decode(payload).ok());
    let payload = payload.ok_or("what came is no SET")?;
    let claims: Claims<'_> = serde_json::from_slice(&payload)
        .map_err(|error| format!("the claims of a SET cannot be read: {error}"))?;
    let owner = path.split('/').nth(1).unwrap_or_default();
    if owner != claims.aud {
        return Err(format!("a SET for {} came to {path}", claims.aud));
    }
    let jti = claims.jti.parse();
    jti.map_err(|error| format!("a SET has the jti {}: {error}", claims.jti))
}

const INTERACTION_ID: HeaderName = HeaderName::from_static("x-fapi-interaction-id");

/// Those of the load have 1.5 KB.
const SET_BYTES_MAX: usize = 64 * 1024;
