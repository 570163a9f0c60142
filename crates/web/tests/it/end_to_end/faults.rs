//! A bank that stops, and a ledger that cannot be reached: nothing is promised that is not kept.

use oyez_testkit::bank::Bank;
use oyez_testkit::faulty_store::FaultyStore;
use serde_json::json;

use super::{VERSIONS, events, jtis, poll, subscribe, subscriptions};

// D-08, P-09
#[tokio::test]
async fn an_event_outlives_restarts_before_and_after_it_was_handed_out() {
    for (api, version) in VERSIONS {
        let mut bank = Bank::start().await;
        let tpp = bank.tpp("tpp-1").await;
        assert_eq!(subscribe(&tpp, api, version).await.status, 201);
        let jti = bank.tell(&tpp, 1).await[0].to_string();
        bank.restart().await;
        let first = poll(&tpp, api, &[]).await;
        assert_eq!(jtis(&first), [jti.as_str()]);
        bank.restart().await;
        assert_eq!(poll(&tpp, api, &[]).await["sets"], first["sets"]);
        poll(&tpp, api, &[&jti]).await;
        bank.restart().await;
        assert!(jtis(&poll(&tpp, api, &[]).await).is_empty());
    }
}

// G-10, G-06, P-03
#[tokio::test]
async fn a_poll_while_the_ledger_is_gone_is_503_and_loses_nothing() {
    for (api, version) in VERSIONS {
        let bank = Bank::start().await;
        let tpp = bank.tpp("tpp-1").await;
        assert_eq!(subscribe(&tpp, api, version).await.status, 201);
        let jti = bank.tell(&tpp, 1).await[0].to_string();
        for method in ["find_tpp", "poll", "keep_sets"] {
            bank.store().fail_at(method, oyez_store::Error::DiskFull);
            let response = tpp.post(&events(api)).json(&json!({})).send().await;
            bank.store().mend();
            assert_eq!(response.status, 503, "{method}: {response:?}");
            assert!(response.header("retry-after").is_some(), "{method}");
        }
        let request = json!({ "ack": [jti] });
        for fault in FaultyStore::outages() {
            bank.store().fail(fault);
            let response = tpp.post(&events(api)).json(&request).send().await;
            bank.store().mend();
            assert_eq!(response.status, 503, "{response:?}");
            assert_eq!(response.error_codes().len(), 1);
        }
        assert_eq!(bank.counts(&tpp).await.outstanding, 1);
        assert_eq!(jtis(&poll(&tpp, api, &[]).await), [jti]);
    }
}

// G-10
#[tokio::test]
async fn a_registration_while_the_ledger_is_gone_is_503_and_signed_and_not_there() {
    for (api, version) in VERSIONS {
        let bank = Bank::start().await;
        let tpp = bank.tpp("tpp-1").await;
        for fault in FaultyStore::outages() {
            bank.store().fail_at("create_registration", fault);
            let response = subscribe(&tpp, api, version).await;
            bank.store().mend();
            assert_eq!(response.status, 503, "{response:?}");
            assert!(response.header("retry-after").is_some());
            assert!(bank.verify(&response).is_ok(), "{response:?}");
        }
        let listed = tpp.get(&subscriptions(api)).send().await.json();
        assert_eq!(listed["Data"]["EventSubscription"], json!([]));
    }
}
