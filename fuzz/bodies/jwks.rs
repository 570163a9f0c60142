//! Key sets from anybody. No input may make the parser panic; what is read can be written and read again; and every key
//! that is selected is fit for what it was asked for.

use oyez_jose::{Algorithm, Jwks, KeyUse, UnixTime, limits};

pub(crate) fn run(input: &[u8]) {
    let Ok(set) = Jwks::parse(input) else { return };
    assert!(set.keys().len() + set.skipped().len() <= limits::JWKS_KEYS_MAX);
    let again = Jwks::parse(set.to_json().as_bytes()).expect("what we write we can read");
    assert_eq!((again.keys(), again.skipped()), (set.keys(), [].as_slice()));
    for kid in set.keys().iter().filter_map(|key| key.kid.as_deref()) {
        for algorithm in [Algorithm::PS256, Algorithm::ES256] {
            for key in set.select(kid, algorithm, NOW).unwrap_or_default() {
                assert_eq!(
                    (key.key.algorithm(), key.usage),
                    (algorithm, KeyUse::Signatures)
                );
                assert!(!key.revoked && key.kid.as_deref() == Some(kid));
                assert!(key.not_before.is_none_or(|from| from <= NOW));
                assert!(key.expires_at.is_none_or(|until| NOW < until));
                assert!(!key.key.verifies(b"message", b"no signature"));
            }
        }
    }
}

const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);
