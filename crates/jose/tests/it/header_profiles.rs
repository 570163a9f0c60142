//! What our own headers say, byte for byte where it matters, and that tokens come whole out of one buffer.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use oyez_jose::compact::{Compact, Verifier};
use oyez_jose::detached::Signature;
use oyez_jose::{
    Form, HeaderProfile, HeaderTemplate, LocalKey, Sign, SignError, SigningFuture, UnixTime,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixtures::{ANCHOR, ISSUER, NOW, key_set, p256, rsa, set_header, signatory};

// T-07
#[test]
fn the_header_of_a_set_is_that_of_its_profile() {
    let (rsa, p256) = (rsa(), p256());
    assert_eq!(
        header(&sign(&set_header(HeaderProfile::OpenBanking, &rsa), &rsa)),
        json!({
            "alg": "PS256",
            "kid": "rsa",
            "typ": "JOSE",
            "http://openbanking.org.uk/iat": NOW.seconds(),
            "http://openbanking.org.uk/iss": ISSUER,
            "http://openbanking.org.uk/tan": ANCHOR,
            "crit": [
                "http://openbanking.org.uk/iat",
                "http://openbanking.org.uk/iss",
                "http://openbanking.org.uk/tan",
            ],
        })
    );
    assert_eq!(
        header(&sign(&set_header(HeaderProfile::Jwt, &p256), &p256)),
        json!({"alg": "ES256", "kid": "ec", "typ": "JWT"})
    );
    assert_eq!(
        header(&sign(&set_header(HeaderProfile::Rfc8417, &rsa), &rsa)),
        json!({"alg": "PS256", "kid": "rsa", "typ": "secevent+jwt"})
    );
}

// M-03, M-04
#[test]
fn the_header_of_a_detached_signature_says_in_which_form_the_body_is_signed() {
    let rsa = rsa();
    let detached = |form| {
        let template = HeaderTemplate::detached(form, "rsa", rsa.public_key(), &signatory(ISSUER));
        template.signing_input(b"{}", NOW).sign_now(&rsa).unwrap()
    };
    let encoded = detached(Form::Encoded);
    let signature = Signature::parse(Some(&encoded)).unwrap();
    assert_eq!(signature.header().get("b64"), None);
    assert_eq!(
        signature.header().get("cty"),
        Some(&json!("application/json"))
    );
    assert_eq!(signature.header().critical().unwrap().len(), 3);
    let unencoded = detached(Form::Unencoded);
    let signature = Signature::parse(Some(&unencoded)).unwrap();
    assert_eq!(signature.header().get("b64"), Some(&json!(false)));
    assert_eq!(signature.header().critical().unwrap()[0], "b64");
}

// T-08
#[test]
fn a_banks_headers_stay_under_the_512_characters_that_joserfc_reads() {
    let rsa = rsa();
    let (kid, public, signatory) = (
        rsa.public_key().thumbprint(),
        rsa.public_key(),
        signatory(ISSUER),
    );
    for template in [
        HeaderTemplate::set(HeaderProfile::OpenBanking, &kid, public, &signatory),
        HeaderTemplate::detached(Form::Encoded, &kid, public, &signatory),
        HeaderTemplate::detached(Form::Unencoded, &kid, public, &signatory),
    ] {
        let input = template.signing_input(b"", NOW);
        let header = input.as_bytes().split(|byte| *byte == b'.').next().unwrap();
        assert!(header.len() <= 512, "{}", header.len());
    }
}

// M-06
#[test]
fn a_signer_that_waits_gives_the_same_kind_of_token_and_its_faults_are_told() {
    /// A key behind a device that can be unplugged, or answer nonsense.
    struct Device {
        key: LocalKey,
        answer: fn(&LocalKey, &[u8]) -> Result<Vec<u8>, SignError>,
    }
    impl Sign for Device {
        fn public_key(&self) -> &oyez_jose::PublicKey {
            self.key.public_key()
        }
        fn sign<'a>(&'a self, input: &'a [u8]) -> SigningFuture<'a> {
            Box::pin(async move { (self.answer)(&self.key, input) })
        }
    }
    let template = set_header(HeaderProfile::OpenBanking, &rsa());
    let token = |device: &dyn Sign| {
        let mut signing = pin!(template.signing_input(b"{}", NOW).sign(device));
        match signing
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(token) => token,
            Poll::Pending => panic!("nothing here waits"),
        }
    };
    let verifies = |token: &str| {
        Verifier::sets()
            .verify(Compact::parse(token).unwrap(), &key_set(), NOW)
            .is_ok()
    };
    let plugged = Device {
        key: rsa(),
        answer: LocalKey::sign_now,
    };
    assert!(plugged.local().is_none());
    assert!(verifies(&token(&plugged).unwrap()));
    assert!(verifies(&token(&rsa()).unwrap()));
    let unplugged = Device {
        key: rsa(),
        answer: |_, _| Err(SignError::Device("no token".into())),
    };
    assert!(matches!(token(&unplugged), Err(SignError::Device(_))));
    let short = Device {
        key: rsa(),
        answer: |_, _| Ok(vec![0; 255]),
    };
    assert!(matches!(
        token(&short),
        Err(SignError::Length {
            expected: 256,
            found: 255
        })
    ));
    assert!(matches!(token(&p256()), Err(SignError::Algorithm)));
    let input = template.signing_input(b"{}", NOW);
    assert!(matches!(input.sign_now(&p256()), Err(SignError::Algorithm)));
}

proptest! {
    // T-07
    #[test]
    fn every_kid_issuer_and_instant_survives_the_precomputed_header(
        kid in "\\PC{1,40}",
        issuer in "\\PC{0,40}",
        iat: i64,
        payload: Vec<u8>,
    ) {
        let p256 = p256();
        let template =
            HeaderTemplate::set(HeaderProfile::OpenBanking, &kid, p256.public_key(), &signatory(&issuer));
        let token = template.signing_input(&payload, UnixTime::from_seconds(iat)).sign_now(&p256).unwrap();
        let parsed = Compact::parse(&token).unwrap();
        prop_assert_eq!(parsed.header().kid(), Some(kid.as_str()));
        prop_assert_eq!(parsed.header().get("http://openbanking.org.uk/iss"), Some(&json!(issuer)));
        prop_assert_eq!(parsed.header().get("http://openbanking.org.uk/iat"), Some(&json!(iat)));
        prop_assert_eq!(parsed.unverified_payload(), payload);
    }
}

fn sign(template: &HeaderTemplate, key: &LocalKey) -> String {
    template.signing_input(b"{}", NOW).sign_now(key).unwrap()
}

fn header(token: &str) -> Value {
    Value::Object(Compact::parse(token).unwrap().header().members().clone())
}
