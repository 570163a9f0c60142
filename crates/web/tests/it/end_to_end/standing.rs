//! Who becomes known, who is served no more, and who comes too often.

use std::num::NonZeroU32;
use std::time::Duration;

use oyez_domain::tpp::KeySource;
use oyez_store::Store as _;
use oyez_testkit::bank::{Bank, Signs};
use oyez_testkit::endpoint::{Behaviour, Endpoint};
use oyez_testkit::tpp::Caller;
use oyez_web::internal::operators::Role;
use oyez_web::tpp::Registration;
use serde_json::json;

use super::{VERSIONS, events, jtis, poll, subscribe, subscriptions};

// A-09, M-05, S-02
#[tokio::test]
async fn two_first_requests_at_once_register_a_client_once_with_the_keys_at_its_url() {
    for (api, version) in VERSIONS {
        let bank = Bank::builder().signs(Signs::Es256).options(|options| {
            options.registration = Registration::Automatic {
                org_id: "software_org".to_owned(),
                software_id: "software_id".to_owned(),
                jwks_url: "software_jwks".to_owned(),
            };
        });
        let bank = bank.start().await;
        let tpp = bank.stranger("tpp-1");
        let keys = Endpoint::start(&bank.site().authority.server(&[])).await;
        keys.behave("/keys", Behaviour::json(tpp.jwks().to_json()));
        let said = tpp
            .token()
            .claim("software_org", Caller::ORG_ID)
            .claim("software_id", tpp.software_id())
            .claim("software_jwks", keys.url("/keys"));
        let post = || {
            let body = json!({ "Data": { "Version": version } });
            let post = tpp.post(&subscriptions(api)).json(&body).token(&said);
            post.send()
        };
        let (one, other) = tokio::join!(post(), post());
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "{one:?} {other:?}");
        let known = bank.store().list_tpps(None, 10).await.unwrap().rows;
        assert_eq!(known.len(), 1);
        assert_eq!(known[0].client_id.as_str(), "tpp-1");
        assert_eq!(known[0].profile.keys, KeySource::JwksUrl(keys.url("/keys")));
        assert_eq!(keys.count("/keys"), 1, "both waited for one fetch");
        // From then on it is known, whatever its tokens say.
        assert!(jtis(&poll(&tpp, api, &[]).await).is_empty());
    }
}

// A-09, P-07, I-04
#[tokio::test]
async fn whom_an_operator_disables_is_refused_also_in_the_poll_that_waits() {
    for (api, version) in VERSIONS {
        let bank = Bank::builder().signs(Signs::Es256).start().await;
        let tpp = bank.tpp("tpp-1").await;
        assert_eq!(subscribe(&tpp, api, version).await.status, 201);
        let before = bank.registrations(&tpp).await;
        let waits = tpp
            .post(&events(api))
            .json(&json!({ "returnImmediately": false }));
        let disables = async {
            bank.until_waiting(1).await;
            let operator = bank.colleague(Role::Operator);
            let reason = json!({ "reason": "as the directory says" });
            operator.post("/v1/tpps/tpp-1/disable", &reason).await
        };
        let (polled, disabled) = tokio::join!(waits.send(), disables);
        assert_eq!(disabled.status, 200, "{disabled:?}");
        assert_eq!((polled.status, polled.body.len()), (403, 0));
        assert_eq!(subscribe(&tpp, api, version).await.status, 403);
        assert_eq!(bank.registrations(&tpp).await, before);
        let operator = bank.colleague(Role::Operator);
        let enabled = operator.post("/v1/tpps/tpp-1/enable", &json!({})).await;
        assert_eq!(enabled.status, 200, "{enabled:?}");
        let jti = bank.tell(&tpp, 1).await[0].to_string();
        assert_eq!(jtis(&poll(&tpp, api, &[]).await), [jti]);
    }
}

// G-09
#[tokio::test]
async fn who_comes_too_often_is_served_again_after_the_time_it_was_told() {
    for (api, version) in VERSIONS {
        let bank = Bank::builder().signs(Signs::Es256).options(|options| {
            options.requests_per_second = NonZeroU32::new(2).unwrap();
        });
        let bank = bank.start().await;
        let (tpp, other) = (bank.tpp("tpp-1").await, bank.tpp("tpp-2").await);
        assert_eq!(subscribe(&tpp, api, version).await.status, 201);
        poll(&tpp, api, &[]).await;
        for path in [subscriptions(api), events(api)] {
            let refused = tpp.post(&path).json(&json!({})).send().await;
            assert_eq!((refused.status, refused.body.len()), (429, 0));
            let seconds = refused.header("retry-after").unwrap().parse().unwrap();
            assert_eq!(Duration::from_secs(seconds), Duration::from_secs(1));
        }
        assert_eq!(subscribe(&other, api, version).await.status, 201);
        bank.clock().advance(Duration::from_secs(1));
        poll(&tpp, api, &[]).await;
    }
}
