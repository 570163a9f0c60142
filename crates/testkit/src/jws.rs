//! Tokens of any shape: whatever header, whatever payload, whatever is signed.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oyez_jose::{Form, LocalKey};
use serde_json::{Map, Value};

/// What a signature is made with.
#[derive(Clone)]
pub enum Seal {
    /// A private key.
    Key(std::sync::Arc<LocalKey>),
    /// A secret that both sides know.
    Secret(Vec<u8>),
    /// Nothing: the signature is empty.
    Nothing,
    /// These bytes, whatever is to be signed.
    Bytes(Vec<u8>),
}

impl Seal {
    fn sign(&self, input: &[u8]) -> Vec<u8> {
        match self {
            Self::Key(key) => key.sign_now(input).unwrap(),
            Self::Secret(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&key, input).as_ref().to_vec()
            }
            Self::Nothing => Vec::new(),
            Self::Bytes(bytes) => bytes.clone(),
        }
    }
}

/// `header.payload.signature`.
pub fn compact(header: &Map<String, Value>, payload: &[u8], seal: &Seal) -> String {
    let input = format!("{}.{}", encoded(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = URL_SAFE_NO_PAD.encode(seal.sign(input.as_bytes()));
    format!("{input}.{signature}")
}

/// `header..signature`.
pub fn detached(header: &Map<String, Value>, body: &[u8], form: Form, seal: &Seal) -> String {
    let header = encoded(header);
    let mut input = format!("{header}.").into_bytes();
    match form {
        Form::Encoded => input.extend_from_slice(URL_SAFE_NO_PAD.encode(body).as_bytes()),
        Form::Unencoded => input.extend_from_slice(body),
    }
    format!("{header}..{}", URL_SAFE_NO_PAD.encode(seal.sign(&input)))
}

/// The claims of a compact token, unverified.
pub fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// SHA-256 in base64url: what two copies are compared by.
pub fn digest(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(oyez_jose::sha256(bytes))
}

/// An object's members.
pub(crate) fn members(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(members) => members,
        other => panic!("{other} is no object"),
    }
}

fn encoded(header: &Map<String, Value>) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(header).unwrap())
}
