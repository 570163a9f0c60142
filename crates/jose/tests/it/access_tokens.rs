//! Access tokens: which algorithms and types are believed, and that RS256 is nowhere else.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use oyez_jose::access_token::{Algorithm, Types, Verifier};
use oyez_jose::compact::{self, Compact, Error};
use oyez_jose::{Jwks, LocalKey, NoKey, SkipReason};
use serde_json::{Value, json};

use crate::fixtures::{NOW, p256, rsa};

const ALL: [Algorithm; 3] = [Algorithm::PS256, Algorithm::ES256, Algorithm::RS256];
const DEFAULT: [Algorithm; 2] = [Algorithm::PS256, Algorithm::ES256];

fn token(header: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
    let input = format!(
        "{}.{}",
        encode(header.to_string().as_bytes()),
        encode(b"{}")
    );
    let signature = encode(&sign(input.as_bytes()));
    format!("{input}.{signature}")
}

fn rs256(key: &LocalKey, input: &[u8]) -> Vec<u8> {
    let pem = key.to_pkcs8_pem().unwrap();
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

fn rs256_token(kid: &str) -> String {
    let header = json!({"alg": "RS256", "typ": "at+jwt", "kid": kid});
    token(&header, |input| rs256(&rsa(), input))
}

/// One RSA key under three names, and a P-256 key.
fn keys() -> Jwks {
    let named = |kid: &str, alg: Option<&str>| {
        let mut jwk = rsa().public_key().to_jwk(kid);
        jwk.remove("alg");
        jwk.extend(alg.map(|alg| ("alg".to_owned(), Value::from(alg))));
        jwk
    };
    let entries = json!({"keys": [
        named("ps256", Some("PS256")),
        named("rs256", Some("RS256")),
        named("open", None),
        p256().public_key().to_jwk("ec"),
    ]});
    Jwks::parse(entries.to_string().as_bytes()).unwrap()
}

fn verify(verifier: &Verifier, token: &str) -> Result<Vec<u8>, Error> {
    let token = Compact::parse(token)?;
    verifier
        .verify(token, &keys(), NOW)
        .map(|verified| verified.payload)
}

//
#[test]
fn rs256_is_believed_where_it_is_opted_in_and_the_key_is_not_meant_for_another() {
    let opted_in = Verifier::new(Types::Strict, &ALL);
    for kid in ["rs256", "open"] {
        assert_eq!(
            verify(&opted_in, &rs256_token(kid)).as_deref(),
            Ok(&b"{}"[..]),
            "{kid}"
        );
    }
    for (kid, reason) in [
        ("ps256", NoKey::OtherAlgorithm),
        ("ec", NoKey::OtherAlgorithm),
        ("other", NoKey::Unknown),
    ] {
        let refused = verify(&opted_in, &rs256_token(kid)).unwrap_err();
        let kid = kid.to_owned();
        assert_eq!(refused, Error::Key { kid, reason });
    }
}

//
#[test]
fn rs256_is_unknown_unless_it_is_opted_in() {
    let verifier = Verifier::new(Types::Strict, &DEFAULT);
    for kid in ["rs256", "open"] {
        let refused = verify(&verifier, &rs256_token(kid));
        assert!(
            matches!(refused, Err(Error::UnknownAlgorithm(_))),
            "{refused:?}"
        );
    }
}

//
#[test]
fn nothing_but_access_tokens_is_verified_by_rs256() {
    let refused = compact::Verifier::types(["at+jwt"]).verify(
        Compact::parse(&rs256_token("open")).unwrap(),
        &keys(),
        NOW,
    );
    assert!(
        matches!(refused, Err(Error::UnknownAlgorithm(_))),
        "{refused:?}"
    );
    let selected = keys()
        .select("rs256", oyez_jose::Algorithm::PS256, NOW)
        .map(drop);
    let reason = SkipReason::Algorithm("RS256".to_owned());
    assert_eq!(selected, Err(NoKey::Unusable(reason)));
}

//
#[test]
fn a_signature_of_one_algorithm_is_none_of_another() {
    let verifier = Verifier::new(Types::Strict, &ALL);
    let said = |alg: &str| json!({"alg": alg, "typ": "at+jwt", "kid": "open"});
    let pss_as_pkcs1 = token(&said("RS256"), |input| rsa().sign_now(input).unwrap());
    let pkcs1_as_pss = token(&said("PS256"), |input| rs256(&rsa(), input));
    for token in [pss_as_pkcs1, pkcs1_as_pss] {
        assert_eq!(verify(&verifier, &token), Err(Error::Signature));
    }
}

//
#[test]
fn ps256_and_es256_are_believed_by_themselves_and_can_be_left_out() {
    let ps256 = token(
        &json!({"alg": "PS256", "typ": "application/AT+JWT", "kid": "open"}),
        |input| rsa().sign_now(input).unwrap(),
    );
    let es256 = token(
        &json!({"alg": "ES256", "typ": "at+jwt", "kid": "ec"}),
        |input| p256().sign_now(input).unwrap(),
    );
    let verifier = Verifier::new(Types::Strict, &DEFAULT);
    assert!(verify(&verifier, &ps256).is_ok() && verify(&verifier, &es256).is_ok());
    let verifier = Verifier::new(Types::Strict, &[Algorithm::ES256]);
    assert!(verify(&verifier, &es256).is_ok());
    assert_eq!(
        verify(&verifier, &ps256),
        Err(Error::AlgorithmNotAllowed(oyez_jose::Algorithm::PS256))
    );
}

//
#[test]
fn the_type_is_that_of_rfc_9068_unless_the_policy_is_lenient() {
    for (typ, strict, lenient) in [
        (Some("at+jwt"), true, true),
        (Some("application/at+jwt"), true, true),
        (Some("JWT"), false, true),
        (None, false, true),
        (Some("JOSE"), false, false),
        (Some("secevent+jwt"), false, false),
        (Some("dpop+jwt"), false, false),
    ] {
        let header = json!({"alg": "ES256", "kid": "ec", "typ": typ});
        let mut header = header.as_object().unwrap().clone();
        header.retain(|_, value| !value.is_null());
        let token = token(&header.into(), |input| p256().sign_now(input).unwrap());
        for (types, passes) in [(Types::Strict, strict), (Types::Lenient, lenient)] {
            let verifier = Verifier::new(types, &DEFAULT);
            assert_eq!(
                verify(&verifier, &token).is_ok(),
                passes,
                "{typ:?} {types:?}"
            );
        }
    }
}

//
#[test]
fn a_name_of_an_algorithm_is_one_of_three() {
    for algorithm in ALL {
        assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
    }
    for name in ["none", "HS256", "RS384", "rs256", ""] {
        assert_eq!(name.parse::<Algorithm>().unwrap_err().0, name);
    }
}
