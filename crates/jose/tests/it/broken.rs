//! Broken tokens, each with the reason for which it must be refused. All but those about the signature itself are rightly
//! signed by the key that they name, so that whichever check were missing, the token would pass.
//!
//! In the data, `shape` says how the token is put together from `{h}`, `{p}` and `{s}`; `~` after a letter sets an
//! unused bit in the last character, `<` leaves the last byte out.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oyez_jose::compact::{self, Compact, Verifier};
use oyez_jose::detached::{self, Forms, Policy, Signature, UnknownMembers};
use oyez_jose::{KeyKind, LocalKey};
use serde_json::Value;

use crate::fixtures::{ANCHOR, ISSUER, NOW, TPP, data_json, key_set, p256, rsa};

const SET: &str = r#"{"jti":"1"}"#;
const SET_HEADER: &str = r#"{"alg":"PS256","kid":"rsa","typ":"JWT"}"#;
const BODY: &str = r#"{"Data":{"Version":"3.1"}}"#;

// T-07, T-08, M-05, R-01
#[test]
fn broken_sets_are_refused_for_the_right_reason() {
    let (keys, signers) = (key_set(), Signers::new());
    let verifier = Verifier::sets().issuers([ISSUER]).trust_anchors([ANCHOR]);
    let verify = |token: &str| -> Result<_, compact::Error> {
        verifier.verify(Compact::parse(token)?, &keys, NOW)
    };
    let sound = signers.token(&Value::Null, SET_HEADER, SET, "{h}.{p}.{s}");
    assert_eq!(verify(&sound).unwrap().payload, SET.as_bytes());
    let cases = data_json("broken_sets.json");
    let cases = cases.as_array().unwrap();
    assert!(cases.len() >= 60);
    for case in cases {
        let header = case["header"].as_str().unwrap_or(SET_HEADER);
        let payload = match case["payload"].as_str() {
            Some("long") => format!("{{\"long\":\"{}\"}}", "x".repeat(256 * 1024)),
            payload => payload.unwrap_or(SET).to_owned(),
        };
        let shape = case["shape"].as_str().unwrap_or("{h}.{p}.{s}");
        let token = signers.token(&case["signer"], header, &payload, shape);
        let error = verify(&token).map(|_| ()).unwrap_err();
        assert_eq!(
            format!("{error:?}"),
            case["expect"].as_str().unwrap(),
            "{}",
            case["name"]
        );
        assert!(!error.to_string().is_empty());
    }
}

// M-01, M-02, M-03, M-05
#[test]
fn broken_detached_signatures_are_refused_for_the_right_reason() {
    let (keys, signers) = (key_set(), Signers::new());
    let sound_header = sound_detached_header();
    let cases = data_json("broken_signatures.json");
    let cases = cases.as_array().unwrap();
    assert!(cases.len() >= 60);
    for case in cases {
        let header = case["header"].as_str().unwrap_or(&sound_header);
        let shape = case.get("shape").map_or(Some("{h}..{s}"), Value::as_str);
        let signed = if case["payload"] == "unencoded" {
            ""
        } else {
            BODY
        };
        let value = shape.map(|shape| signers.token(&case["signer"], header, signed, shape));
        let body = if case["payload"] == "other" {
            "{}"
        } else {
            BODY
        };
        let error = verify_detached(value.as_deref(), body, &policy(case), &keys).unwrap_err();
        assert_eq!(
            format!("{error:?}"),
            case["expect"].as_str().unwrap(),
            "{}",
            case["name"]
        );
        assert!(!error.to_string().is_empty());
    }
    let sound = signers.token(&Value::Null, &sound_header, BODY, "{h}..{s}");
    assert_eq!(
        verify_detached(Some(&sound), BODY, &policy(&Value::Null), &keys),
        Ok(())
    );
}

fn verify_detached(
    value: Option<&str>,
    body: &str,
    policy: &Policy,
    keys: &oyez_jose::Jwks,
) -> Result<(), detached::Error> {
    Signature::parse(value)?
        .check(policy, NOW)?
        .verify(body.as_bytes(), keys, NOW)
}

fn policy(case: &Value) -> Policy {
    let forms = match case["forms"].as_str() {
        Some("Encoded") => Forms::Encoded,
        Some("Unencoded") => Forms::Unencoded,
        _ => Forms::Both,
    };
    let mut policy = Policy::standard([TPP], [ANCHOR], forms);
    if case["unknown"] == "Ignore" {
        policy.unknown_members = UnknownMembers::Ignore;
    }
    policy
}

fn sound_detached_header() -> String {
    let cases = data_json("broken_signatures.json");
    let case = cases
        .as_array()
        .unwrap()
        .iter()
        .find(|case| case["forms"] == "Unencoded")
        .unwrap();
    case["header"].as_str().unwrap().to_owned()
}

/// The keys of the key set, and strangers.
struct Signers {
    rsa: LocalKey,
    p256: LocalKey,
    other_rsa: LocalKey,
    other_p256: LocalKey,
}

impl Signers {
    fn new() -> Self {
        let generate = |kind| LocalKey::generate(kind).unwrap();
        Self {
            rsa: rsa(),
            p256: p256(),
            other_rsa: generate(KeyKind::Rsa2048),
            other_p256: generate(KeyKind::P256),
        }
    }

    fn token(&self, signer: &Value, header: &str, payload: &str, shape: &str) -> String {
        let key = match signer.as_str() {
            None => &self.rsa,
            Some("P-256") => &self.p256,
            Some("other RSA") => &self.other_rsa,
            Some("other P-256") => &self.other_p256,
            Some(other) => panic!("no signer {other}"),
        };
        let header = URL_SAFE_NO_PAD.encode(header);
        let payload = URL_SAFE_NO_PAD.encode(payload);
        let signature = key
            .sign_now(format!("{header}.{payload}").as_bytes())
            .unwrap();
        let mut token = shape.to_owned();
        if token.contains("{s asn1}") {
            token = token.replace("{s asn1}", &URL_SAFE_NO_PAD.encode(asn1(&signature)));
        }
        let signature = URL_SAFE_NO_PAD.encode(signature);
        for (letter, part) in [("h", &header), ("p", &payload), ("s", &signature)] {
            token = token.replace(&format!("{{{letter}}}"), part);
            if token.contains(&format!("{{{letter}~}}")) {
                token = token.replace(&format!("{{{letter}~}}"), &with_unused_bit(part));
            }
            if token.contains(&format!("{{{letter}<}}")) {
                token = token.replace(&format!("{{{letter}<}}"), &part[..part.len() / 4 * 4]);
            }
        }
        token
    }
}

/// The same bytes to a reader that does not look at unused bits.
fn with_unused_bit(part: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    assert_ne!(
        part.len() % 4,
        0,
        "a part without unused bits proves nothing"
    );
    let (start, last) = part.split_at(part.len() - 1);
    let value = ALPHABET.find(last).unwrap();
    format!("{start}{}", &ALPHABET[value + 1..value + 2])
}

/// `r || s` as `SEQUENCE { INTEGER, INTEGER }`, the form that other protocols use.
fn asn1(signature: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| [&[0x02, 33, 0], number].concat();
    let numbers = [integer(&signature[..32]), integer(&signature[32..])].concat();
    [&[0x30, u8::try_from(numbers.len()).unwrap()], &numbers[..]].concat()
}
