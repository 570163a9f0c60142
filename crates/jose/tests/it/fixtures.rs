//! The keys, key set and instant that the tests share.

use std::fs;
use std::path::PathBuf;

use oyez_jose::{HeaderProfile, HeaderTemplate, Jwks, LocalKey, Signatory, UnixTime, Zeroizing};
use serde_json::{Value, json};

pub(crate) const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);
pub(crate) const ISSUER: &str = "0015800001041RHAAY";
pub(crate) const TPP: &str = "0015800001041RHAAY/HQuZPIt3ipkh33Uxytox1E";
pub(crate) const ANCHOR: &str = "openbanking.org.uk";

pub(crate) fn data(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn data_json(name: &str) -> Value {
    serde_json::from_str(&data(name)).unwrap()
}

pub(crate) fn key(name: &str) -> LocalKey {
    LocalKey::read(bytes(&data(&format!("keys/{name}")))).unwrap()
}

pub(crate) fn bytes(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.as_bytes().to_vec())
}

pub(crate) fn rsa() -> LocalKey {
    key("rsa.jwk.json")
}

pub(crate) fn p256() -> LocalKey {
    key("p256.jwk.json")
}

pub(crate) fn signatory(issuer: &str) -> Signatory {
    Signatory {
        issuer: issuer.to_owned(),
        trust_anchor: ANCHOR.to_owned(),
    }
}

/// A SET header of `key` under the kid `rsa` or `ec`.
pub(crate) fn set_header(profile: HeaderProfile, key: &LocalKey) -> HeaderTemplate {
    HeaderTemplate::set(profile, kid(key), key.public_key(), &signatory(ISSUER))
}

pub(crate) fn kid(key: &LocalKey) -> &'static str {
    match key.public_key().algorithm() {
        oyez_jose::Algorithm::PS256 => "rsa",
        oyez_jose::Algorithm::ES256 => "ec",
    }
}

/// One good key of each type, and the RSA key again under names that say why it must not verify: whatever check is
/// missing, the signature itself would be right.
pub(crate) fn key_set() -> Jwks {
    Jwks::parse(key_set_json().to_string().as_bytes()).unwrap()
}

pub(crate) fn key_set_json() -> Value {
    let (rsa, p256) = (rsa(), p256());
    let variant = |kid: &str, changes: Value| {
        let mut jwk = rsa.public_key().to_jwk(kid);
        for (name, value) in changes.as_object().unwrap() {
            jwk.insert(name.clone(), value.clone());
        }
        Value::Object(jwk)
    };
    json!({"keys": [
        rsa.public_key().to_jwk("rsa"),
        p256.public_key().to_jwk("ec"),
        variant("rsa-enc", json!({"use": "enc"})),
        variant("rsa-tls", json!({"use": "tls"})),
        variant("rsa-ops", json!({"key_ops": ["encrypt", "wrapKey"]})),
        variant("rsa-expired", json!({"exp": NOW.seconds()})),
        variant("rsa-future", json!({"nbf": NOW.seconds() + 1})),
        variant("rsa-revoked", json!({"revoked": {"revoked_at": 1_600_000_000, "reason": "compromised"}})),
        variant("rsa-rs256", json!({"alg": "RS256"})),
        variant("rsa-private", json!({"d": "AQAB"})),
        variant("other-type", json!({"kty": "oct"})),
        {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "rsa-small"},
    ]})
}
