//! What browsers are told about pages: nothing runs, loads or is framed that is not ours.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// The headers of a page or of something that belongs to it.
pub(crate) fn page_headers(content_type: &'static str, cache: &'static str) -> HeaderMap {
    let policy = if content_type.starts_with("text/html") {
        PAGE_POLICY
    } else {
        ASSET_POLICY
    };
    HeaderMap::from_iter(
        [
            (CONTENT_TYPE, content_type),
            (CACHE_CONTROL, cache),
            (CONTENT_SECURITY_POLICY, policy),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "no-referrer"),
            (CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
        ]
        .map(|(name, value)| (name, HeaderValue::from_static(value))),
    )
}

/// What has its content's hash in its name never changes.
pub(crate) const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// No inline script or style, no other host, no frame.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// Opened by itself, an SVG is a document: one that may do nothing.
const ASSET_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";

const CROSS_ORIGIN_OPENER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-opener-policy");
