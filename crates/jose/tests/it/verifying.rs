//! Round trips, and that nothing but the signed bytes verifies.

use oyez_jose::compact::{Compact, Error, Verifier};
use oyez_jose::detached::{self, Forms, Policy, Signature};
use oyez_jose::{Algorithm, Form, HeaderProfile, HeaderTemplate, LocalKey, NoKey};
use proptest::prelude::*;

use crate::fixtures::{ANCHOR, NOW, TPP, key_set, kid, p256, rsa, set_header, signatory};

const PROFILES: [HeaderProfile; 3] = [
    HeaderProfile::OpenBanking,
    HeaderProfile::Jwt,
    HeaderProfile::Rfc8417,
];

// T-07, T-08
#[test]
fn sets_of_every_profile_and_algorithm_verify_and_return_their_payload() {
    for key in [rsa(), p256()] {
        for profile in PROFILES {
            let token = sign(&set_header(profile, &key), b"{\"jti\":\"1\"}", &key);
            let parsed = Compact::parse(&token).unwrap();
            let verified = Verifier::sets().verify(parsed, &key_set(), NOW).unwrap();
            assert_eq!(verified.payload, b"{\"jti\":\"1\"}");
            assert_eq!(verified.header.kid(), Some(kid(&key)));
        }
    }
}

// T-08
#[test]
fn every_change_of_one_byte_of_a_set_is_refused() {
    let (rsa, p256, keys) = (rsa(), p256(), key_set());
    for (key, profile) in [
        (&rsa, HeaderProfile::OpenBanking),
        (&p256, HeaderProfile::Rfc8417),
    ] {
        let token = sign(&set_header(profile, key), b"{\"jti\":\"1\"}", key);
        for mutant in mutants(&token) {
            let verified = Compact::parse(&mutant)
                .map_err(Error::from)
                .and_then(|token| Verifier::sets().verify(token, &keys, NOW));
            assert!(verified.is_err(), "{mutant}");
        }
    }
}

// M-01, M-03
#[test]
fn every_change_of_one_byte_of_a_detached_signature_or_its_body_is_refused() {
    let (rsa, keys, body) = (rsa(), key_set(), r#"{"Data":{"Version":"3.1"}}"#);
    for form in [Form::Encoded, Form::Unencoded] {
        let template = HeaderTemplate::detached(form, "rsa", rsa.public_key(), &signatory(TPP));
        let value = sign(&template, body.as_bytes(), &rsa);
        let verify = |value: &str, body: &str| {
            let policy = Policy::standard([TPP], [ANCHOR], Forms::Both);
            let checked = Signature::parse(Some(value))?.check(&policy, NOW)?;
            checked.verify(body.as_bytes(), &keys, NOW)
        };
        assert_eq!(verify(&value, body), Ok(()));
        assert!(mutants(&value).all(|mutant| verify(&mutant, body).is_err()));
        assert!(mutants(body).all(|body| verify(&value, &body) == Err(detached::Error::Invalid)));
        for body in ["", " ", &body[1..], &format!("{body}\n")] {
            assert_eq!(verify(&value, body), Err(detached::Error::Invalid));
        }
    }
}

// M-03
#[test]
fn a_signature_of_one_form_does_not_pass_for_the_other() {
    let rsa = rsa();
    let body = b"{}";
    let input = |form| {
        let template = HeaderTemplate::detached(form, "rsa", rsa.public_key(), &signatory(TPP));
        template.signing_input(body, NOW)
    };
    let text = String::from_utf8(input(Form::Unencoded).as_bytes().to_vec()).unwrap();
    assert!(text.ends_with(".{}"));
    let text = String::from_utf8(input(Form::Encoded).as_bytes().to_vec()).unwrap();
    assert!(text.ends_with(".e30"));
}

// M-05
#[test]
fn a_verifier_can_be_narrowed_and_says_when_a_newer_key_set_could_help() {
    let rsa = rsa();
    let token = sign(&set_header(HeaderProfile::OpenBanking, &rsa), b"{}", &rsa);
    let verify = |verifier: &Verifier| {
        verifier
            .verify(Compact::parse(&token).unwrap(), &key_set(), NOW)
            .map(|_| ())
    };
    let only_ec = Verifier::sets().algorithms([Algorithm::ES256]);
    assert_eq!(
        verify(&only_ec),
        Err(Error::AlgorithmNotAllowed(Algorithm::PS256))
    );
    let access_tokens = Verifier::types(["application/at+jwt"]);
    assert_eq!(
        verify(&access_tokens),
        Err(Error::Type("\"JOSE\"".to_owned()))
    );
    let parsed = Compact::parse(&token).unwrap();
    let unknown = Verifier::sets()
        .verify(parsed, &[].into_iter().collect(), NOW)
        .unwrap_err();
    assert!(unknown.is_unknown_key());
    let reason = NoKey::Revoked;
    assert!(
        !Error::Key {
            kid: "rsa".to_owned(),
            reason
        }
        .is_unknown_key()
    );
}

proptest! {
    // T-08
    #[test]
    fn any_payload_comes_back_as_it_was_signed(payload: Vec<u8>) {
        let p256 = p256();
        let token = sign(&set_header(HeaderProfile::Jwt, &p256), &payload, &p256);
        let parsed = Compact::parse(&token).unwrap();
        prop_assert_eq!(Verifier::sets().verify(parsed, &key_set(), NOW).unwrap().payload, payload);
    }
}

/// Each byte once with its lowest bit turned, and once replaced by a character that JOSE knows.
fn mutants(text: &str) -> impl Iterator<Item = String> {
    (0..text.len()).flat_map(move |at| {
        [
            text.as_bytes()[at] ^ 1,
            if text.as_bytes()[at] == b'.' {
                b'A'
            } else {
                b'.'
            },
        ]
        .map(|byte| {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = byte;
            String::from_utf8(bytes).unwrap()
        })
    })
}

fn sign(template: &HeaderTemplate, payload: &[u8], key: &LocalKey) -> String {
    template.signing_input(payload, NOW).sign_now(key).unwrap()
}
