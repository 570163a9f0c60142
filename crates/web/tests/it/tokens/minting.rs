//! Tokens of every kind, sound and unsound.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use oyez_jose::{Jwks, KeyKind, LocalKey};
use serde_json::{Value, json};

use crate::origin::NOW;

pub(crate) const ISSUER: &str = "https://as.bank.example";
pub(crate) const AUDIENCE: &str = "https://api.bank.example";

/// The authorisation server's keys: made once, for making RSA keys takes a while.
pub(crate) static EC: LazyLock<LocalKey> =
    LazyLock::new(|| LocalKey::generate(KeyKind::P256).unwrap());
pub(crate) static RSA: LazyLock<LocalKey> =
    LazyLock::new(|| LocalKey::generate(KeyKind::Rsa2048).unwrap());
/// Somebody else's.
pub(crate) static OTHER: LazyLock<LocalKey> =
    LazyLock::new(|| LocalKey::generate(KeyKind::P256).unwrap());

pub(crate) fn key_set() -> Jwks {
    Jwks::parse(key_set_json().as_bytes()).unwrap()
}

pub(crate) fn key_set_json() -> String {
    let with = |kid: &str, name: &str, value: Value| {
        let mut jwk = EC.public_key().to_jwk(kid);
        jwk.insert(name.to_owned(), value);
        jwk
    };
    let mut rsa = RSA.public_key().to_jwk("rsa");
    rsa.remove("alg");
    json!({"keys": [
        EC.public_key().to_jwk("ec"),
        rsa,
        with("ec-enc", "use", json!("enc")),
        with("ec-revoked", "revoked", json!(true)),
        with("ec-expired", "exp", json!(NOW)),
    ]})
    .to_string()
}

pub(crate) fn header() -> Value {
    json!({"alg": "ES256", "typ": "at+jwt", "kid": "ec"})
}

pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "client_id": "tpp-1",
        "scope": "accounts payments",
        "iat": NOW - 10,
        "exp": NOW + 290,
        "jti": "7",
        "cnf": {"x5t#S256": "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"},
    })
}

/// Changed in some members; null takes one away.
pub(crate) fn but(mut object: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else {
        unreachable!("changes are an object")
    };
    let members = object.as_object_mut().unwrap();
    for (name, value) in changes {
        if value.is_null() {
            members.remove(&name);
        } else {
            members.insert(name, value);
        }
    }
    object
}

/// A token of the authorisation server that says this.
pub(crate) fn token(claims: &Value) -> String {
    signed(&header(), &claims.to_string(), es256)
}

/// A token with any header and payload.
pub(crate) fn signed(header: &Value, payload: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    signed_text(&header.to_string(), payload, sign)
}

pub(crate) fn signed_text(
    header: &str,
    payload: &str,
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> String {
    let input = format!(
        "{}.{}",
        encode(header.as_bytes()),
        encode(payload.as_bytes())
    );
    let signature = sign(input.as_bytes());
    format!("{input}.{}", encode(&signature))
}

pub(crate) fn es256(input: &[u8]) -> Vec<u8> {
    EC.sign_now(input).unwrap()
}

pub(crate) fn ps256(input: &[u8]) -> Vec<u8> {
    RSA.sign_now(input).unwrap()
}

pub(crate) fn rs256(input: &[u8]) -> Vec<u8> {
    let pem = RSA.to_pkcs8_pem().unwrap();
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(base64).unwrap()).unwrap();
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        input,
        &mut signature,
    )
    .unwrap();
    signature
}

/// With what everybody can know of the RSA key.
pub(crate) fn hs256(input: &[u8]) -> Vec<u8> {
    let public = json!(RSA.public_key().to_jwk("rsa")).to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, public.as_bytes());
    hmac::sign(&key, input).as_ref().to_vec()
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
