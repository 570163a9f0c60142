//! Published examples. RFC 7520 and RFC 7797 sign with PS384, ES512 and HMAC only: theirs must be refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oyez_jose::compact::{Compact, Error, Verifier};
use oyez_jose::{Jwk, Jwks, LocalKey, UnknownAlgorithm};
use serde_json::{Value, json};

use crate::fixtures::{NOW, bytes, data_json};

// T-08
#[test]
fn rfc7515_a3_verifies_with_its_key() {
    let example = data_json("rfc7515_a3.json");
    let key = LocalKey::read(bytes(&example["key"].to_string())).unwrap();
    let token = example["token"].as_str().unwrap();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    assert!(key.public_key().verifies(input.as_bytes(), &signature));
    // It names no key, so it is not a token that we would take from anybody.
    let keys: Jwks = [Jwk::new("", key.public_key().clone())]
        .into_iter()
        .collect();
    let parsed = Compact::parse(token).unwrap();
    assert_eq!(
        Verifier::sets().verify(parsed, &keys, NOW),
        Err(Error::NoKid)
    );
}

// M-05
#[test]
fn rfc7638_thumbprint_is_the_published_one() {
    let example = data_json("rfc7638.json");
    let mut entry = example["key"].clone();
    entry.as_object_mut().unwrap().remove("alg");
    let keys = Jwks::parse(json!({"keys": [entry]}).to_string().as_bytes()).unwrap();
    assert_eq!(
        json!(keys.keys()[0].key.thumbprint()),
        example["thumbprint"]
    );
}

// T-07
#[test]
fn algorithms_of_rfc7520_and_rfc7797_are_refused_by_name() {
    for header in [
        // RFC 7520, sections 4.1 to 4.4.
        r#"{"alg":"RS256","kid":"bilbo.baggins@hobbiton.example"}"#,
        r#"{"alg":"PS384","kid":"bilbo.baggins@hobbiton.example"}"#,
        r#"{"alg":"ES512","kid":"bilbo.baggins@hobbiton.example"}"#,
        r#"{"alg":"HS256","kid":"018c0ae5-4d9b-471b-bfd6-eef314bc7037"}"#,
        // RFC 7797, section 4.2.
        r#"{"alg":"HS256","b64":false,"crit":["b64"]}"#,
    ] {
        let name = serde_json::from_str::<Value>(header).unwrap()["alg"]
            .as_str()
            .unwrap()
            .to_owned();
        let token = format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode(header));
        let parsed = Compact::parse(&token).unwrap();
        let error = Verifier::sets()
            .verify(parsed, &Jwks::default(), NOW)
            .unwrap_err();
        assert_eq!(error, Error::UnknownAlgorithm(UnknownAlgorithm(name)));
    }
}
