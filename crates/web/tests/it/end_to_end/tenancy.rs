//! Each TPP for itself, and one registration of it at a time.

use oyez_testkit::bank::{Bank, Signs};
use serde_json::json;

use super::{VERSIONS, jtis, poll, subscribe, subscriptions};

// A-07, G-08, P-04
#[tokio::test]
async fn a_foreign_tpp_sees_changes_and_acknowledges_nothing() {
    for (api, version) in VERSIONS {
        let bank = Bank::builder().signs(Signs::Es256).start().await;
        let (owner, foreigner) = (bank.tpp("tpp-1").await, bank.tpp("tpp-2").await);
        let created = subscribe(&owner, api, version).await.json();
        let id = created["Data"]["EventSubscriptionId"].as_str().unwrap();
        let jti = bank.tell(&owner, 1).await[0].to_string();
        let before = bank.registrations(&owner).await;
        let path = format!("{}/{id}", subscriptions(api));

        let body = json!({ "Data": { "Version": version } });
        let replaced = foreigner.put(&path).json(&body).send().await;
        assert_eq!((replaced.status, replaced.body.len()), (403, 0));
        let deleted = foreigner.delete(&path).send().await;
        assert_eq!((deleted.status, deleted.body.len()), (403, 0));
        let listed = foreigner.get(&subscriptions(api)).send().await.json();
        assert_eq!(listed["Data"]["EventSubscription"], json!([]));
        assert!(jtis(&poll(&foreigner, api, &[&jti]).await).is_empty());

        assert_eq!(subscribe(&foreigner, api, version).await.status, 201);
        assert!(jtis(&poll(&foreigner, api, &[&jti]).await).is_empty());
        assert_eq!(bank.registrations(&owner).await, before);
        assert_eq!(jtis(&poll(&owner, api, &[]).await), [jti]);
    }
}

// S-02
#[tokio::test]
async fn of_two_posts_at_once_exactly_one_creates() {
    for (api, version) in VERSIONS {
        let bank = Bank::builder().signs(Signs::Es256).start().await;
        let tpp = bank.tpp("tpp-1").await;
        let post = || subscribe(&tpp, api, version);
        let (one, other) = tokio::join!(post(), post());
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "{one:?} {other:?}");
        assert!(bank.registrations(&tpp).await.subscription.is_some());
    }
}
