//! The bank's public keys, for everybody (M-06). Others may keep them for as long as the rule of twice the max-age counts on.

use axum::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oyez_jose::{UnixTime, sha256};

use super::answer::Answer;
use super::api::Api;

impl Api {
    pub(super) fn key_set(&self, request: &HeaderMap) -> Answer {
        let now = UnixTime::from_milliseconds(self.bank.clock.now().unix_ms());
        let body = self.bank.keys.borrow().jwks_at(now).to_json();
        let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(sha256(body.as_bytes())));
        let mut answer = if is_known(request, &tag) {
            Answer::new(StatusCode::NOT_MODIFIED.as_u16(), "")
        } else {
            Answer::new(StatusCode::OK.as_u16(), body)
        };
        let max_age = self.options.jwks_max_age.as_secs();
        for (name, value) in [
            (CACHE_CONTROL, format!("public, max-age={max_age}")),
            (ETAG, tag),
        ] {
            let value = HeaderValue::try_from(value).expect("digits and base64url are ASCII");
            answer.headers.insert(name, value);
        }
        answer
    }
}

/// Weak and strong tags are alike here (RFC 9110).
pub(super) fn is_known(request: &HeaderMap, tag: &str) -> bool {
    let values = request.get_all(IF_NONE_MATCH).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}
