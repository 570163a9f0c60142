//! Key sets: what is refused whole, what is skipped, and which key may verify.

use oyez_jose::{Algorithm, Jwks, JwksError, KeyError, NoKey, SkipReason, UnixTime, limits};
use serde_json::{Value, json};

use crate::fixtures::{NOW, key_set, key_set_json, p256, rsa};

fn parse(keys: &Value) -> Jwks {
    Jwks::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

// M-05
#[test]
fn what_is_no_key_set_is_refused_whole() {
    let refused = |text: &str| Jwks::parse(text.as_bytes()).unwrap_err();
    assert_eq!(refused("[]"), JwksError::NoKeys);
    assert_eq!(refused(r#"{"keys":{}}"#), JwksError::NoKeys);
    assert_eq!(refused(r#"{"keys":[]"#), JwksError::NotJson);
    assert_eq!(
        refused(r#"{"keys":[],"keys":[]}"#),
        JwksError::Duplicate("keys".to_owned())
    );
    let twice = r#"{"keys":[{"kty":"EC","kid":"a","k\u0069d":"b"}]}"#;
    assert_eq!(refused(twice), JwksError::Duplicate("kid".to_owned()));
    let many = json!({"keys": vec![json!({}); limits::JWKS_KEYS_MAX + 1]}).to_string();
    assert_eq!(refused(&many), JwksError::TooMany);
    let long = format!(r#"{{"keys":[]{}}}"#, " ".repeat(limits::JWKS_BYTES_MAX));
    assert_eq!(refused(&long), JwksError::TooLong);
}

// M-05
#[test]
fn entries_that_cannot_be_used_are_skipped_with_their_reason() {
    let good = Value::Object(p256().public_key().to_jwk("good"));
    let with = |name: &str, value: Value| {
        let mut entry = good.clone();
        entry[name] = value;
        entry
    };
    let cases = [
        (json!("text"), SkipReason::NotAnObject),
        (
            with("kty", json!("oct")),
            SkipReason::KeyType("oct".to_owned()),
        ),
        (
            with("kty", json!("OKP")),
            SkipReason::KeyType("OKP".to_owned()),
        ),
        (json!({}), SkipReason::KeyType(String::new())),
        (with("kty", json!(1)), SkipReason::Member("kty")),
        (
            with("crv", json!("P-384")),
            SkipReason::Curve("P-384".to_owned()),
        ),
        (
            with("alg", json!("ES384")),
            SkipReason::Algorithm("ES384".to_owned()),
        ),
        (
            with("alg", json!("PS256")),
            SkipReason::Algorithm("PS256".to_owned()),
        ),
        (with("d", json!("AQAB")), SkipReason::PrivateNumbers),
        (with("k", json!("AQAB")), SkipReason::PrivateNumbers),
        (with("x", json!("AQAB=")), SkipReason::Member("x")),
        (with("y", Value::Null), SkipReason::Member("y")),
        (with("kid", json!(7)), SkipReason::Member("kid")),
        (with("kid", json!("")), SkipReason::Member("kid")),
        (with("exp", json!("soon")), SkipReason::Member("exp")),
        (with("use", json!(["sig"])), SkipReason::Member("use")),
        (
            with("key_ops", json!("verify")),
            SkipReason::Member("key_ops"),
        ),
        (
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}),
            SkipReason::Key(KeyError::TooSmall),
        ),
        (json!({"kty": "RSA", "e": "AQAB"}), SkipReason::Member("n")),
    ];
    for (entry, reason) in cases {
        let set = parse(&json!([entry, good]));
        assert_eq!(set.skipped()[0].reason, reason, "{entry}");
        assert_eq!(
            (set.skipped()[0].index, set.keys().len()),
            (0, 1),
            "{entry}"
        );
    }
}

// M-05
#[test]
fn members_that_we_do_not_follow_change_nothing() {
    let plain = Value::Object(rsa().public_key().to_jwk("k"));
    let mut dressed = plain.clone();
    for (name, value) in [
        ("x5c", json!(["MIIB"])),
        ("x5u", json!("https://attacker.example/key")),
        ("x5t#S256", json!("AAAA")),
        ("key_ops", json!(["sign", "verify"])),
        ("iat", json!("whenever")),
    ] {
        dressed[name] = value;
    }
    assert_eq!(parse(&json!([dressed])), parse(&json!([plain])));
}

// M-05
#[test]
fn selection_refuses_for_the_reason_that_the_key_gives() {
    let set = key_set();
    let select = |kid: &str| {
        set.select(kid, Algorithm::PS256, NOW)
            .map(|keys| keys.len())
    };
    assert_eq!(select("rsa"), Ok(1));
    assert_eq!(select("ec"), Err(NoKey::OtherAlgorithm));
    assert_eq!(select("rsa-enc"), Err(NoKey::NotForSignatures));
    assert_eq!(select("rsa-tls"), Err(NoKey::NotForSignatures));
    assert_eq!(select("rsa-ops"), Err(NoKey::NotForSignatures));
    assert_eq!(select("rsa-expired"), Err(NoKey::Expired));
    assert_eq!(select("rsa-future"), Err(NoKey::NotYetValid));
    assert_eq!(select("rsa-revoked"), Err(NoKey::Revoked));
    let unusable = |reason| Err(NoKey::Unusable(reason));
    assert_eq!(
        select("rsa-rs256"),
        unusable(SkipReason::Algorithm("RS256".to_owned()))
    );
    assert_eq!(
        select("rsa-small"),
        unusable(SkipReason::Key(KeyError::TooSmall))
    );
    assert_eq!(select("rsa-private"), unusable(SkipReason::PrivateNumbers));
    assert_eq!(select("RSA"), Err(NoKey::Unknown));
    assert_eq!(select(""), Err(NoKey::Unknown));
}

// M-05
#[test]
fn validity_begins_with_nbf_and_ends_with_exp() {
    let mut entry = rsa().public_key().to_jwk("k");
    entry.insert("nbf".to_owned(), json!(100));
    entry.insert("exp".to_owned(), json!(200.5));
    let set = parse(&json!([entry]));
    let at = |seconds| {
        set.select("k", Algorithm::PS256, UnixTime::from_seconds(seconds))
            .map(|keys| keys.len())
    };
    assert_eq!(at(99), Err(NoKey::NotYetValid));
    assert_eq!((at(100), at(199)), (Ok(1), Ok(1)));
    assert_eq!(at(200), Err(NoKey::Expired));
}

// M-05
#[test]
fn keys_with_one_kid_are_told_apart_by_type_use_algorithm_and_validity() {
    let (rsa, p256) = (rsa(), p256());
    let mut enc = rsa.public_key().to_jwk("same");
    enc.insert("use".to_owned(), json!("enc"));
    let mut old = rsa.public_key().to_jwk("same");
    old.insert("exp".to_owned(), json!(1));
    let set = parse(&json!([
        enc,
        {"kty": "oct", "kid": "same"},
        old,
        p256.public_key().to_jwk("same"),
        rsa.public_key().to_jwk("same"),
        rsa.public_key().to_jwk("same"),
    ]));
    let keys = |algorithm| -> Vec<_> {
        let selected = set.select("same", algorithm, NOW).unwrap();
        selected
            .iter()
            .map(|jwk| (jwk.key.algorithm(), jwk.expires_at))
            .collect()
    };
    assert_eq!(keys(Algorithm::PS256), [(Algorithm::PS256, None); 2]);
    assert_eq!(keys(Algorithm::ES256), [(Algorithm::ES256, None)]);
}

// M-05
#[test]
fn a_set_written_and_read_again_is_the_same() {
    let set = key_set();
    let again = Jwks::parse(set.to_json().as_bytes()).unwrap();
    assert_eq!(again.keys(), set.keys());
    assert!(again.skipped().is_empty());
    let written = key_set_json()["keys"].as_array().unwrap().len();
    assert_eq!(set.keys().len() + set.skipped().len(), written);
}
