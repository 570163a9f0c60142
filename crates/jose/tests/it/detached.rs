//! What passes as the signature of a TPP's message. What does not is in `broken.rs`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oyez_jose::detached::{Error, Forms, Policy, Signature, UnknownMembers};
use oyez_jose::open_banking::{IAT, ISS, TAN};
use oyez_jose::{Form, Jwks};
use serde_json::{Value, json};

use crate::fixtures::{ANCHOR, NOW, TPP, key_set, rsa};

const BODY: &[u8] = br#"{"Data":{"Version":"3.1"}}"#;

/// A signature whose header is the standard's with some members set.
fn signature(changes: &Value) -> String {
    let mut header = json!({
        "alg": "PS256", "kid": "rsa", IAT: NOW.seconds(), ISS: TPP, TAN: ANCHOR, "crit": [IAT, ISS, TAN],
    });
    for (name, value) in changes.as_object().unwrap() {
        header[name] = value.clone();
    }
    let encoded = URL_SAFE_NO_PAD.encode(header.to_string());
    let body = match header["b64"] {
        Value::Bool(false) => BODY.to_vec(),
        _ => URL_SAFE_NO_PAD.encode(BODY).into_bytes(),
    };
    let input = [encoded.as_bytes(), b".", &body].concat();
    let signature = rsa().sign_now(&input).unwrap();
    format!("{encoded}..{}", URL_SAFE_NO_PAD.encode(signature))
}

fn policy() -> Policy {
    Policy::standard([TPP], [ANCHOR], Forms::Both)
}

fn verify(value: &str, policy: &Policy) -> Result<Form, Error> {
    let checked = Signature::parse(Some(value))?.check(policy, NOW)?;
    checked.verify(BODY, &key_set(), NOW)?;
    Ok(checked.form())
}

// M-02
#[test]
fn every_header_that_the_standard_allows_passes() {
    for changes in [
        json!({}),
        json!({"typ": "JOSE"}),
        json!({"cty": "json"}),
        json!({"cty": "application/json", "typ": "JOSE"}),
        json!({"crit": [TAN, IAT, ISS]}),
        json!({IAT: NOW.seconds() + 60}),
        json!({IAT: 1_501_497_671}),
        json!({IAT: 1_501_497_671.5}),
        json!({TAN: "OpenBanking.org.uk"}),
    ] {
        assert_eq!(
            verify(&signature(&changes), &policy()),
            Ok(Form::Encoded),
            "{changes}"
        );
    }
}

// M-03, M-04
#[test]
fn both_forms_verify_and_the_form_is_told_so_that_the_answer_can_take_it() {
    let unencoded = signature(&json!({"b64": false, "crit": ["b64", IAT, ISS, TAN]}));
    for forms in [Forms::Both, Forms::Unencoded] {
        let policy = Policy { forms, ..policy() };
        assert_eq!(
            verify(&unencoded, &policy),
            Ok(Form::Unencoded),
            "{forms:?}"
        );
    }
    for forms in [Forms::Both, Forms::Encoded] {
        let policy = Policy { forms, ..policy() };
        assert_eq!(
            verify(&signature(&json!({})), &policy),
            Ok(Form::Encoded),
            "{forms:?}"
        );
    }
}

// M-02
#[test]
fn a_signer_may_have_several_names_and_trust_anchors() {
    let subject = "C = GB, O = Surgicon Limited, CN = 0015800001041RHAAY";
    let policy = Policy::standard([TPP, subject], [ANCHOR, "aspsp.co.uk"], Forms::Encoded);
    let value = signature(&json!({ISS: subject, TAN: "aspsp.co.uk"}));
    assert_eq!(verify(&value, &policy), Ok(Form::Encoded));
}

// M-02, M-05
#[test]
fn leniency_ignores_members_that_are_not_critical_and_follows_none() {
    let value = signature(&json!({"jku": "https://attacker.example/", "x5t": "AAAA", "iat": 1}));
    let lenient = Policy {
        unknown_members: UnknownMembers::Ignore,
        ..policy()
    };
    assert_eq!(verify(&value, &lenient), Ok(Form::Encoded));
    assert!(matches!(
        verify(&value, &policy()),
        Err(Error::InvalidClaim { .. })
    ));
}

// M-05
#[test]
fn a_key_that_is_unknown_is_told_apart_so_that_the_set_can_be_fetched_anew() {
    let value = signature(&json!({}));
    let checked = Signature::parse(Some(&value))
        .unwrap()
        .check(&policy(), NOW)
        .unwrap();
    assert_eq!(checked.kid(), "rsa");
    let before = checked.verify(BODY, &Jwks::default(), NOW).unwrap_err();
    assert!(before.is_unknown_key());
    assert_eq!(checked.verify(BODY, &key_set(), NOW), Ok(()));
    assert!(!Error::Invalid.is_unknown_key());
}

// M-01
#[test]
fn spaces_around_the_http_value_do_not_count() {
    let value = format!(" {}\t", signature(&json!({})));
    assert_eq!(verify(&value, &policy()), Ok(Form::Encoded));
}
