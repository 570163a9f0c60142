//! Versions are data: a row more is a version more, and another market's constants are served as they stand in its row.

use oyez_domain::rules::Rules;
use oyez_domain::version::{ApiVersion, Version};
use oyez_domain::versions::{CallbackSuffix, EventLimit, Release, Row, VersionTable};
use oyez_testkit::bank::{BASE_URL, Bank};
use oyez_testkit::tpp::Caller;
use serde_json::json;

use super::{events, jtis, poll, subscribe, subscriptions};

// G-01, S-06, T-03
#[tokio::test]
async fn a_row_more_in_the_table_is_a_version_more_that_is_served() {
    let bank = Bank::builder().rules(with_a_fifth).start().await;
    let tpp = bank.tpp("tpp-1").await;
    let created = subscribe(&tpp, "v5.0", "5.0").await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(tpp_reads(&tpp, "v4.0").await, json!([]));
    // Nobody says in which version it was created, so it is linked to in all.
    let item = json!({
        "tpp": tpp.client_id(), "events": [{ "type": "UK.OBIE.Resource-Update" }],
        "resource": { "type": "account-access-consent", "id": "r-1" },
    });
    let told = bank.publish(&[item]).await;
    let jti = told[0]["jti"].as_str().unwrap().to_owned();
    let answer = poll(&tpp, "v5.0", &[]).await;
    let claims = bank.claims(answer["sets"][&jti].as_str().unwrap());
    let text = claims.to_string();
    for version in ["v3.1", "v4.0", "v5.0"] {
        assert!(
            text.contains(&format!(r#""version":"{version}""#)),
            "{text}"
        );
    }
    assert!(jtis(&poll(&tpp, "v5.0", &[&jti]).await).is_empty());
    let newer = subscribe(&tpp, "v4.0", "5.0").await;
    assert_eq!(newer.error_paths(), ["Data.Version"]);
}

// G-01, S-07
#[tokio::test]
async fn another_markets_paths_and_suffixes_are_those_of_its_row() {
    let bank = Bank::builder().rules(another_market).start().await;
    let tpp = bank.tpp("tpp-1").await;
    let path = "/open-banking-nz/v4.0/subscriptions";
    let with_url = |url: &str| json!({ "Data": { "Version": "4.0", "CallbackUrl": url } });
    let refused = tpp
        .post(path)
        .json(&with_url("https://tpp.example/v4.0/event-notifications"));
    assert_eq!(refused.send().await.error_paths(), ["Data.CallbackUrl"]);
    let taken = tpp
        .post(path)
        .json(&with_url("https://tpp.example/hooks/events"))
        .send()
        .await;
    assert_eq!(taken.status, 201, "{taken:?}");
    assert_eq!(
        taken.json()["Links"]["Self"],
        format!(
            "{BASE_URL}{path}/{}",
            taken.json()["Data"]["EventSubscriptionId"]
                .as_str()
                .unwrap()
        )
    );
    let other = tpp.post(&events("v4.0")).json(&json!({})).send().await;
    assert_eq!(other.status, 404);
}

async fn tpp_reads(tpp: &Caller, api: &str) -> serde_json::Value {
    tpp.get(&subscriptions(api)).send().await.json()["Data"]["EventSubscription"].clone()
}

fn with_a_fifth(rules: &mut Rules) {
    let newest = rules.versions.newest();
    let api = ApiVersion { major: 5, minor: 0 };
    let release = Release {
        version: Version {
            api,
            patch: Some(0),
        },
        events: EventLimit::AsAsked,
    };
    let fifth = Row {
        api,
        releases: vec![release],
        ..newest.clone()
    };
    let rows = rules
        .versions
        .rows()
        .iter()
        .cloned()
        .chain([fifth])
        .collect();
    rules.versions = VersionTable::new(rows, Vec::new()).unwrap();
}

fn another_market(rules: &mut Rules) {
    let mut row = rules.versions.newest().clone();
    row.market.path_prefix = "open-banking-nz".to_owned();
    row.paths.event_subscriptions = "subscriptions".to_owned();
    row.callback_suffix = CallbackSuffix::Segment("events".to_owned());
    rules.versions = VersionTable::new(vec![row], Vec::new()).unwrap();
}
