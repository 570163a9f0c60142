//! Fetching a key set once.

use oyez_domain::error_chain::chain;
use oyez_jose::Jwks;
use oyez_outbound::{
    Bytes, Client, Ending, HeaderMap, HeaderValue, Method, Request, StatusCode, Target, header,
};

use super::Unavailable;

/// Fetches the set. Why it cannot be had is told to the log in full, to the caller in general.
pub(super) async fn fetch(client: &Client, url: &str) -> Result<Jwks, Unavailable> {
    let place = without_query(url);
    let refuse = |why: Unavailable, detail: String| {
        tracing::warn!(key_set.url = place, error = detail, "{why}");
        why
    };
    let target = Target::parse(url).map_err(|error| refuse(Unavailable::Url, error.to_string()))?;
    let answer = client
        .send(&request(target))
        .await
        .map_err(|error| refuse(Unavailable::NoAnswer(error.class), chain(&error)))?;
    if answer.status != StatusCode::OK {
        let why = Unavailable::Status(answer.status.as_u16());
        return Err(refuse(why, answer.status.to_string()));
    }
    match &answer.body.ending {
        Ending::Complete => {}
        Ending::TooLong => {
            let read = answer.body.bytes.len();
            return Err(refuse(Unavailable::TooLong, format!("over {read} bytes")));
        }
        Ending::Broken(error) => {
            return Err(refuse(Unavailable::NoAnswer(error.class), chain(&error)));
        }
    }
    let keys = Jwks::parse(&answer.body.bytes)
        .map_err(|error| refuse(Unavailable::NotAKeySet, error.to_string()))?;
    tracing::debug!(
        key_set.url = place,
        key_set.keys = keys.keys().len(),
        key_set.skipped = keys.skipped().len(),
        "fetched a key set"
    );
    Ok(keys)
}

fn request(target: Target) -> Request {
    let accept = HeaderValue::from_static("application/jwk-set+json, application/json");
    Request {
        method: Method::GET,
        target,
        headers: HeaderMap::from_iter([(header::ACCEPT, accept)]),
        body: Bytes::new(),
    }
}

/// A query may hold a key of its own.
fn without_query(url: &str) -> &str {
    url.split_once(['?', '#']).map_or(url, |(place, _)| place)
}
