//! What a TPP asks of others than the bank's API: documents that are always the same, such as keys, by their paths.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use tokio_rustls::TlsAcceptor;

use super::door::Door;
use crate::failure::Failure;

/// Shows them to everybody, by whatever method, from now on and for as long as the runtime lives.
pub(super) fn open(
    door: Door,
    tls: TlsAcceptor,
    documents: HashMap<String, String>,
) -> Result<(), Failure> {
    let documents = Arc::new(documents);
    let answer = move |request: Request<Incoming>| {
        let document = documents.get(request.uri().path()).cloned();
        let mut response = Response::new(Full::<Bytes>::default());
        match document {
            Some(text) => *response.body_mut() = Full::from(text),
            None => *response.status_mut() = StatusCode::NOT_FOUND,
        }
        async { Ok::<_, Infallible>(response) }
    };
    door.serve(tls, service_fn(answer))
}
