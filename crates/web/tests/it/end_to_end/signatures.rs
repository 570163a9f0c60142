//! Signatures of both sides as they travel: names of certificates, HEAD, and keys that change.

use std::sync::Arc;

use oyez_jose::open_banking::ISS;
use oyez_jose::{Form, Jwks};
use oyez_outbound::Method;
use oyez_testkit::bank::{Bank, Signs, key_set};
use oyez_testkit::keys;
use serde_json::json;

use super::{VERSIONS, jtis, poll, subscribe, subscriptions};

// M-02, A-05
#[tokio::test]
async fn the_subject_of_an_eidas_certificate_is_an_issuer_in_each_of_its_spellings() {
    const ORGANIZATION: &str = "PSDGB-OB-Unknown0015800001041RHAAY";
    let bank = Bank::builder().signs(Signs::Es256).start().await;
    let authority = &bank.site().authority;
    let name = "0015800001041RHAAY";
    let certificate = authority.eidas_client("Surgicon Limited", ORGANIZATION, name);
    let tpp = bank.tpp("tpp-1").await.with_certificate(Some(certificate));
    for (api, version) in VERSIONS {
        for (iss, status) in [
            // As the standard's sample has it.
            (
                format!(
                    "C = GB, O = Surgicon Limited, organizationIdentifier = {ORGANIZATION}, CN = {name}"
                ),
                201,
            ),
            (
                format!(
                    "C=GB, O=Surgicon Limited, organizationIdentifier={ORGANIZATION}, CN={name}"
                ),
                201,
            ),
            (
                format!("CN={name},organizationIdentifier={ORGANIZATION},O=Surgicon Limited,C=GB"),
                201,
            ),
            (format!("CN={name}"), 400),
            (format!("C = GB, O = Surgicon Limited, CN = {name}"), 400),
        ] {
            let body = json!({ "Data": { "Version": version } });
            let signing = tpp.signing().member(ISS, iss.as_str());
            let post = tpp.post(&subscriptions(api)).json(&body).signed(signing);
            let answer = post.send().await;
            assert_eq!(answer.status, status, "{iss} {answer:?}");
            if status == 400 {
                assert_eq!(answer.error_paths(), [ISS]);
                continue;
            }
            let id = answer.json()["Data"]["EventSubscriptionId"].clone();
            let path = format!("{}/{}", subscriptions(api), id.as_str().unwrap());
            assert_eq!(tpp.delete(&path).send().await.status, 204);
        }
    }
}

// M-04, G-01, G-05
#[tokio::test]
async fn a_head_says_what_its_get_would() {
    for (api, version) in VERSIONS {
        let bank = Bank::builder().signs(Signs::Es256).start().await;
        let tpp = bank.tpp("tpp-1").await;
        assert_eq!(subscribe(&tpp, api, version).await.status, 201);
        let get = tpp.get(&subscriptions(api)).send().await;
        let mut head = tpp.request(Method::HEAD, &subscriptions(api)).send().await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        let bytes = get.body.len().to_string();
        assert_eq!(head.header("content-length"), Some(bytes.as_str()));
        for name in ["content-type", "cache-control"] {
            assert_eq!(head.header(name), get.header(name));
        }
        head.body = get.body;
        assert_eq!(bank.verify(&head), Ok(Form::Encoded));
    }
}

// M-04, M-06, P-09
#[tokio::test]
async fn when_the_keys_change_answers_have_the_new_one_and_old_sets_still_verify() {
    for (api, version) in VERSIONS {
        let bank = Bank::start().await;
        let tpp = bank.tpp("tpp-1").await;
        let old = subscribe(&tpp, api, version).await;
        bank.tell(&tpp, 1).await;
        let first = poll(&tpp, api, &[]).await;
        let both = [
            ("bank-1", Arc::clone(&keys::BANK)),
            ("bank-2", Arc::clone(&keys::BANK_NEXT)),
        ];
        bank.keys().send_replace(Arc::new(key_set(&both)));
        // What anybody is told: no token and no certificate.
        let anybody = bank.stranger("anybody").with_certificate(None);
        let published = anybody.get("/jwks").authorization(None).send().await;
        assert_eq!(published.status, 200);
        let published = Jwks::parse(&published.body).unwrap();
        assert!(published.has_kid("bank-1") && published.has_kid("bank-2"));
        let new = tpp.get(&subscriptions(api)).send().await;
        for (answer, signer, other) in [
            (&old, "bank-1", &keys::BANK_NEXT),
            (&new, "bank-2", &keys::BANK),
        ] {
            let now = bank.now();
            let org = oyez_testkit::bank::ORG_ID;
            assert!(answer.verified(org, &published, now).is_ok());
            let wrong = keys::published(signer, other);
            assert!(answer.verified(org, &wrong, now).is_err(), "{signer}");
        }
        let again = poll(&tpp, api, &[]).await;
        assert_eq!(again["sets"], first["sets"], "the same bytes (P-09)");
        let jti = &jtis(&again)[0];
        bank.claims(again["sets"][jti].as_str().unwrap());
        poll(&tpp, api, &[jti]).await;
    }
}
