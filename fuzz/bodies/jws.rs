//! Tokens from anybody. No input may make the parsers panic; what is parsed has the one spelling that it came in; and
//! nothing verifies that our keys have not signed.
//!
//! An input that begins with a brace is taken as the JSON of a header and gets a payload and a signature around it, so
//! that mutation reaches the members instead of breaking base64.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oyez_jose::compact::{Compact, Verifier};
use oyez_jose::detached::{Error, Forms, Policy, Signature, UnknownMembers};
use oyez_jose::{Jwks, UnixTime, looks_like_set};

pub(crate) fn run(input: &[u8]) {
    if input.starts_with(b"{") {
        let header = URL_SAFE_NO_PAD.encode(input);
        compact(&format!("{header}.e30.{SIGNATURE}"));
        detached(&format!("{header}..{SIGNATURE}"));
    } else if let Ok(text) = std::str::from_utf8(input) {
        compact(text);
        detached(text);
    }
}

fn compact(text: &str) {
    let Ok(token) = Compact::parse(text) else {
        assert!(!looks_like_set(text), "a SET that cannot be parsed");
        return;
    };
    let payload = URL_SAFE_NO_PAD.encode(token.unverified_payload());
    assert_eq!(
        text.split('.').nth(1),
        Some(payload.as_str()),
        "two spellings of one payload"
    );
    let refused = Verifier::sets().verify(token, &KEYS, NOW);
    assert!(refused.is_err(), "verified: {text}");
}

fn detached(text: &str) {
    let Ok(signature) = Signature::parse(Some(text)) else {
        return;
    };
    for unknown_members in [UnknownMembers::Refuse, UnknownMembers::Ignore] {
        let policy = Policy {
            unknown_members,
            ..Policy::standard([ISSUER], [ANCHOR], Forms::Both)
        };
        let Ok(checked) = signature.clone().check(&policy, NOW) else {
            continue;
        };
        assert_eq!(Some(checked.kid()), signature.header().kid());
        let refused = checked.verify(b"{}", &KEYS, NOW);
        assert!(
            matches!(refused, Err(Error::Invalid | Error::InvalidClaim { .. })),
            "verified: {text}"
        );
    }
}

const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);
const ISSUER: &str = "0015800001041RHAAY";
const ANCHOR: &str = "openbanking.org.uk";

/// Of the length that a P-256 signature has, so that it is looked at.
const SIGNATURE: &str =
    "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4_QA";

/// The public keys of RFC 7515, appendices A.2 and A.3; the corpus has nothing that they signed, but changed.
static KEYS: LazyLock<Jwks> = LazyLock::new(|| {
    Jwks::parse(include_bytes!("../corpus/jwks/good.json"))
        .expect("the corpus begins with a good set")
});
