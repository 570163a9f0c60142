//! Reading, refusing, making and writing keys.

use oyez_jose::{KeyError, KeyKind, LocalKey, PublicKey, Sign, limits};
use serde_json::{Value, json};

use crate::fixtures::{bytes, data, data_json, key, p256, rsa};

// M-06
#[test]
fn every_form_of_a_key_file_gives_the_same_key() {
    for name in ["rsa.pkcs1.pem", "rsa.pkcs8.pem"] {
        assert_eq!(key(name).public_key(), rsa().public_key(), "{name}");
    }
    for name in ["p256.sec1.pem", "p256.pkcs8.pem"] {
        assert_eq!(key(name).public_key(), p256().public_key(), "{name}");
    }
}

// M-05
#[test]
fn public_keys_are_read_from_spki_and_pkcs1() {
    for name in ["rsa.spki.pem", "rsa.pkcs1-public.pem"] {
        let public = PublicKey::from_pem(&data(&format!("keys/{name}"))).unwrap();
        assert_eq!(&public, rsa().public_key(), "{name}");
    }
    for name in ["p256.spki.pem", "p256.compressed-spki.pem"] {
        let public = PublicKey::from_pem(&data(&format!("keys/{name}"))).unwrap();
        assert_eq!(&public, p256().public_key(), "{name}");
    }
}

// M-06
#[test]
fn unsuitable_key_files_are_refused_for_their_reason() {
    let no_key = |found: &str| KeyError::NoKey {
        wanted: "private key",
        found: found.to_owned(),
    };
    for (name, reason) in [
        ("p256.encrypted-pkcs8.pem", KeyError::Encrypted),
        ("p256.encrypted-sec1.pem", KeyError::Encrypted),
        ("rsa1024.pkcs8.pem", KeyError::TooSmall),
        ("rsa1024.pkcs1.pem", KeyError::TooSmall),
        ("p384.pkcs8.pem", KeyError::Rejected("WrongAlgorithm")),
        ("ed25519.pkcs8.pem", KeyError::Rejected("WrongAlgorithm")),
        ("certificate.pem", no_key("CERTIFICATE")),
        ("rsa.spki.pem", no_key("PUBLIC KEY")),
    ] {
        assert_eq!(read(&data(&format!("keys/{name}"))), Some(reason), "{name}");
    }
    let two = data("keys/p256.pkcs8.pem") + &data("keys/rsa.pkcs8.pem");
    assert_eq!(read(&two), Some(KeyError::SeveralKeys));
    assert_eq!(read("certainly no key"), Some(KeyError::Unrecognised));
    assert_eq!(
        read(&" ".repeat(limits::KEY_FILE_BYTES_MAX + 1)),
        Some(KeyError::TooLong)
    );
}

// M-06
#[test]
fn unsuitable_private_jwks_are_refused_for_their_reason() {
    let changed = |file: &str, name: &str, value: Value| {
        let mut jwk = data_json(&format!("keys/{file}.jwk.json"));
        jwk[name] = value;
        read(&jwk.to_string())
    };
    let rejected = |reason| Some(KeyError::Rejected(reason));
    assert_eq!(changed("rsa", "alg", "PS256".into()), None);
    assert_eq!(
        changed("rsa", "alg", "RS256".into()),
        Some(KeyError::JwkValue("alg"))
    );
    assert_eq!(
        changed("rsa", "use", "enc".into()),
        Some(KeyError::JwkValue("use"))
    );
    assert_eq!(
        changed("rsa", "p", Value::Null),
        Some(KeyError::JwkMember("p"))
    );
    assert_eq!(
        changed("rsa", "d", "AQAB=".into()),
        Some(KeyError::JwkValue("d"))
    );
    assert_eq!(
        changed("rsa", "dp", "AQAB".into()),
        rejected("InconsistentComponents")
    );
    assert_eq!(
        changed("rsa", "kty", "oct".into()),
        Some(KeyError::NotAPrivateJwk)
    );
    assert_eq!(
        changed("p256", "crv", "P-384".into()),
        Some(KeyError::JwkValue("crv"))
    );
    assert_eq!(
        changed("p256", "d", "AQAB".into()),
        rejected("InconsistentComponents")
    );
    let other = LocalKey::generate(KeyKind::P256)
        .unwrap()
        .public_key()
        .to_jwk("other");
    let mixed = json!({"kty": "EC", "crv": "P-256", "x": other["x"], "y": other["y"],
        "d": data_json("keys/p256.jwk.json")["d"]});
    assert_eq!(read(&mixed.to_string()), rejected("InconsistentComponents"));
    let twice = data("keys/p256.jwk.json").replacen('{', r#"{"d": "AQAB","#, 1);
    assert_eq!(read(&twice), Some(KeyError::NotAPrivateJwk));
}

// M-05
#[test]
fn unsuitable_public_keys_are_refused_for_their_reason() {
    let refused = |name: &str| PublicKey::from_pem(&data(&format!("keys/{name}"))).unwrap_err();
    let no_key = |found: &str| KeyError::NoKey {
        wanted: "public key",
        found: found.to_owned(),
    };
    assert_eq!(refused("rsa1024.spki.pem"), KeyError::TooSmall);
    assert_eq!(
        refused("p384.spki.pem"),
        KeyError::Rejected("WrongAlgorithm")
    );
    assert_eq!(refused("certificate.pem"), no_key("CERTIFICATE"));
    assert_eq!(refused("p256.pkcs8.pem"), no_key("PRIVATE KEY"));
    assert!(
        PublicKey::from_p256(&[1; 32], &[1; 32]).is_err(),
        "not a point of the curve"
    );
    assert!(
        PublicKey::from_p256(&[1; 31], &[1; 32]).is_err(),
        "a coordinate of 31 bytes"
    );
    for even_or_one in [&[2][..], &[1], &[0]] {
        assert!(
            PublicKey::from_rsa(&[0xff; 256], even_or_one).is_err(),
            "{even_or_one:?}"
        );
    }
}

// M-06
#[test]
fn a_generated_key_signs_and_comes_back_from_its_pem() {
    for (kind, len) in [
        (KeyKind::Rsa2048, 256),
        (KeyKind::Rsa3072, 384),
        (KeyKind::Rsa4096, 512),
        (KeyKind::P256, 64),
    ] {
        let made = LocalKey::generate(kind).unwrap();
        let read = LocalKey::read(bytes(&made.to_pkcs8_pem().unwrap())).unwrap();
        assert_eq!(read.public_key(), made.public_key());
        let signature = read.sign_now(b"message").unwrap();
        assert_eq!(
            (signature.len(), made.public_key().signature_len()),
            (len, len),
            "{kind:?}"
        );
        assert!(made.public_key().verifies(b"message", &signature));
        assert!(!made.public_key().verifies(b"massage", &signature));
    }
}

/// A method that only exists for types without the trait, beside one that exists for all: calling it is ambiguous, and
/// does not compile, for types that have the trait.
macro_rules! assert_lacks {
    ($type:ty: $($bound:path),+) => {$(
        const _: fn() = || {
            trait Ambiguous<A> {
                fn lacks() {}
            }
            struct HasIt;
            impl<T: ?Sized> Ambiguous<()> for T {}
            impl<T: ?Sized + $bound> Ambiguous<HasIt> for T {}
            <$type as Ambiguous<_>>::lacks();
        };
    )+};
}

// The compiler checks these.
assert_lacks!(LocalKey: Clone, std::fmt::Debug, std::fmt::Display, serde::Serialize);
assert_lacks!(dyn Sign: std::fmt::Debug, serde::Serialize);

fn read(file: &str) -> Option<KeyError> {
    LocalKey::read(bytes(file)).err()
}
