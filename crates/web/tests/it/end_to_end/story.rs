//! The main story: subscribe, hear of something, acknowledge it.

use std::time::Duration;

use oyez_domain::ledger::history::Counts;
use oyez_jose::Form;
use oyez_testkit::bank::{BASE_URL, Bank, ISS, Signs};
use oyez_testkit::keys;
use serde_json::json;

use super::{VERSIONS, events, jtis, poll, subscribe, subscriptions};

// S-01, S-03, M-01, M-04, P-02, P-03, T-01
#[tokio::test]
async fn an_event_is_polled_verified_acknowledged_and_gone() {
    for (api, version) in VERSIONS {
        let bank = Bank::start().await;
        let tpp = bank.tpp("tpp-1").await;
        let created = subscribe(&tpp, api, version).await;
        assert_eq!(created.status, 201, "{created:?}");
        assert_eq!(bank.verify(&created), Ok(Form::Encoded));
        let id = created.json()["Data"]["EventSubscriptionId"].clone();

        let listed = tpp.get(&subscriptions(api)).send().await;
        assert_eq!(bank.verify(&listed), Ok(Form::Encoded));
        let listed = listed.json();
        assert_eq!(
            listed["Data"]["EventSubscription"][0]["EventSubscriptionId"],
            id
        );
        let link = format!("{BASE_URL}{}", subscriptions(api));
        assert_eq!(listed["Links"]["Self"], link);

        let jti = bank.tell(&tpp, 1).await[0].to_string();
        let answer = poll(&tpp, api, &[]).await;
        assert_eq!(jtis(&answer), [jti.as_str()]);
        assert_eq!(answer["moreAvailable"], false);
        let claims = bank.claims(answer["sets"][&jti].as_str().unwrap());
        assert_eq!(claims["jti"], jti);
        assert_eq!(claims["aud"], "tpp-1");
        assert_eq!(claims["iss"], ISS);

        assert!(jtis(&poll(&tpp, api, &[&jti]).await).is_empty());
        let expected = Counts {
            accepted: 1,
            acknowledged: 1,
            ..Counts::default()
        };
        assert_eq!(bank.counts(&tpp).await, expected);
    }
}

// M-01, M-04
#[tokio::test]
async fn a_signature_in_the_old_form_is_answered_in_the_old_form() {
    let bank = Bank::start().await;
    let tpp = bank.tpp("tpp-1").await;
    let request = tpp
        .post(&subscriptions("v3.1"))
        .json(&json!({ "Data": { "Version": "3.1" } }));
    let signing = tpp.signing();
    let forged = signing.clone().by(&keys::STRANGER);
    let refused = request.clone().signed(forged).send().await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.error_codes(), ["UK.OBIE.Signature.Invalid"]);
    assert_eq!(bank.verify(&refused), Ok(Form::Encoded));
    let created = request.signed(signing.unencoded()).send().await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(bank.verify(&created), Ok(Form::Unencoded));
}

// P-07
#[tokio::test]
async fn a_waiting_poll_is_woken_by_an_event() {
    for (api, version) in VERSIONS {
        let bank = Bank::builder().signs(Signs::Es256).start().await;
        let tpp = bank.tpp("tpp-1").await;
        assert_eq!(subscribe(&tpp, api, version).await.status, 201);
        let waits = tpp
            .post(&events(api))
            .json(&json!({ "returnImmediately": false }))
            .send();
        let tells = async {
            bank.until_waiting(1).await;
            bank.tell(&tpp, 1).await[0].to_string()
        };
        let (answer, jti) = tokio::join!(waits, tells);
        assert_eq!(jtis(&answer.json()), [jti]);
    }
}

// P-07
#[tokio::test]
async fn a_client_that_goes_away_leaves_no_poll_behind() {
    let bank = Bank::start().await;
    let tpp = bank.tpp("tpp-1").await;
    assert_eq!(subscribe(&tpp, "v4.0", "4.0").await.status, 201);
    let waits = tpp
        .post(&events("v4.0"))
        .json(&json!({ "returnImmediately": false }))
        .try_send();
    let given_up = tokio::select! {
        _ = waits => false,
        () = bank.until_waiting(1) => true,
    };
    assert!(given_up, "nothing answered the poll");
    bank.until_waiting(0).await;
    let jti = bank.tell(&tpp, 1).await[0].to_string();
    assert_eq!(jtis(&poll(&tpp, "v4.0", &[]).await), [jti]);
}

// P-08, P-09
#[tokio::test]
async fn what_is_not_acknowledged_comes_again_with_the_same_bytes() {
    let bank = Bank::start().await;
    let tpp = bank.tpp("tpp-1").await;
    assert_eq!(subscribe(&tpp, "v4.0", "4.0").await.status, 201);
    bank.tell(&tpp, 2).await;
    let first = poll(&tpp, "v4.0", &[]).await;
    bank.clock().advance(Duration::from_secs(61));
    let again = poll(&tpp, "v4.0", &[]).await;
    assert_eq!(first["sets"], again["sets"]);
    assert_eq!(jtis(&first).len(), 2);
}
