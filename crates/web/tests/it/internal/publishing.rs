//! Handing events over: each item has its own outcome, and a repeat is heard once.

use std::sync::Arc;

use oyez_domain::ledger::registering::Wish;
use oyez_domain::tpp::Standing;
use oyez_domain::version::ApiVersion;
use oyez_store::Store;
use oyez_testkit::making;
use serde_json::{Value, json};

use super::world::{World, item, keyed};

fn words(outcomes: &[Value]) -> Vec<&str> {
    outcomes
        .iter()
        .map(|outcome| outcome["outcome"].as_str().unwrap())
        .collect()
}

// I-01
#[tokio::test]
async fn each_item_has_its_own_outcome_in_order_and_one_bad_item_sinks_no_batch() {
    let world = World::new().await;
    world.subscriber("wants-all").await;
    world.bank.tpp("wants-nothing").await;
    let disabled = world.subscriber("disabled").await;
    world.bank.disable(&disabled).await;
    let mut old = item("wants-all");
    old["resource"] = json!({"type": "no-such-type"});
    old["surprise"] = json!(1);
    let outcomes = world
        .publish(&[
            item("wants-all"),
            old,
            item("wants-nothing"),
            item("disabled"),
            item("nobody"),
            item("wants-all"),
        ])
        .await;
    let words = words(&outcomes);
    assert_eq!(
        words,
        [
            "accepted",
            "rejected",
            "no-subscription",
            "disabled",
            "rejected",
            "accepted"
        ]
    );
    let paths: Vec<&Value> = outcomes[1]["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| &error["path"])
        .collect();
    assert_eq!(paths, ["surprise", "resource.type", "resource.id"]);
    assert_eq!(outcomes[1]["errors"][0]["code"], "field_unexpected");
    assert_eq!(outcomes[4]["errors"][0]["code"], "unknown_tpp");
    assert_eq!(outcomes[4]["errors"][0]["path"], "tpp");
    let jti = outcomes[5]["jti"].as_str().unwrap().parse().unwrap();
    let file = world.bank.event(jti).await;
    assert_eq!(file.summary.position, 2);
}

// I-01, S-09
#[tokio::test]
async fn a_type_that_the_registration_does_not_want_is_told_as_such() {
    let world = World::new().await;
    let tpp = world.bank.tpp("tpp-1").await;
    let made = world.bank.store().create_registration(
        making::client(tpp.client_id()),
        "subscription-1".parse().unwrap(),
        Wish::Subscription(making::only(&[making::REVOKED])),
        ApiVersion::V4_0,
        world.bank.now(),
    );
    made.await.unwrap().unwrap();
    let outcomes = world.publish(&[item("tpp-1")]).await;
    assert_eq!(words(&outcomes), ["not-subscribed-to-type"]);
}

// I-01
#[tokio::test]
async fn a_body_is_one_item_or_a_batch() {
    let world = World::new().await;
    world.subscriber("tpp-1").await;
    let reply = world.post("/v1/events", &item("tpp-1")).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["outcomes"].as_array().unwrap().len(), 1);
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.header("cache-control"), "no-store");
    for (body, path) in [
        (json!({"items": []}), "items"),
        (json!({"items": {}}), "items"),
        (json!({"items": [item("tpp-1")], "item": 1}), "item"),
    ] {
        let reply = world.post("/v1/events", &body).await;
        assert_eq!((reply.status, reply.paths()), (400, vec![path.to_owned()]));
    }
    let not_items = world.publish(&[json!(1), json!([])]).await;
    assert_eq!(words(&not_items), ["rejected", "rejected"]);
}

// I-02
#[tokio::test]
async fn a_repeat_is_a_duplicate_of_the_first_also_inside_one_batch() {
    let world = World::new().await;
    world.subscriber("tpp-1").await;
    let outcomes = world
        .publish(&[keyed("tpp-1", "k-1"), keyed("tpp-1", "k-1")])
        .await;
    assert_eq!(words(&outcomes), ["accepted", "duplicate"]);
    let again = world.publish(&[keyed("tpp-1", "k-1")]).await;
    assert_eq!(words(&again), ["duplicate"]);
    assert_eq!(again[0]["jti"], outcomes[0]["jti"]);
    assert_eq!(outcomes[1]["jti"], outcomes[0]["jti"]);
}

// I-02
#[tokio::test]
async fn the_same_key_with_other_content_is_a_conflict_and_members_in_another_order_are_none() {
    let world = World::new().await;
    world.subscriber("tpp-1").await;
    world.accepted(keyed("tpp-1", "k-1")).await;
    let mut other = keyed("tpp-1", "k-1");
    other["resource"]["id"] = "consent-2".into();
    let outcomes = world.publish(&[other]).await;
    assert_eq!(words(&outcomes), ["rejected"]);
    assert_eq!(outcomes[0]["errors"][0]["code"], "idempotency_conflict");
    assert_eq!(outcomes[0]["errors"][0]["path"], "idempotency_key");
    let text = r#"{"idempotency_key":"k-1","events":[{"type":"UK.OBIE.Resource-Update"}],
        "resource":{"id":"consent-1","type":"account-access-consent"},"tpp":"tpp-1"}"#;
    let same: Value = serde_json::from_str(text).unwrap();
    assert_eq!(words(&world.publish(&[same]).await), ["duplicate"]);
}

// I-01, P-07
#[tokio::test]
async fn a_poll_that_waits_is_woken_by_a_publish_and_others_are_not() {
    let world = World::new().await;
    let (one, other) = (
        world.subscriber("tpp-1").await,
        world.subscriber("tpp-2").await,
    );
    let waits = |caller: oyez_testkit::tpp::Caller| async move {
        let poll = caller.post("/open-banking/v4.0/events");
        let body = json!({"returnImmediately": false});
        poll.json(&body).send().await.json()
    };
    let first = world.tasks.spawn(waits(one));
    let second = world.tasks.spawn(waits(other));
    world.bank.until_waiting(2).await;
    let jti = world.accepted(item("tpp-1")).await;
    let sets = first.await.unwrap();
    assert!(sets["sets"].get(&jti).is_some(), "{sets}");
    assert_eq!(world.bank.web().waiters.counts().waiting, 1);
    world.bank.web().waiters.drain();
    assert_eq!(second.await.unwrap()["sets"], json!({}));
}

// I-01
#[tokio::test]
async fn what_was_begun_is_told_to_waiting_polls_though_the_publisher_leaves() {
    let world = World::new().await;
    let tpp = world.subscriber("tpp-1").await;
    let poll = world.tasks.spawn(async move {
        let poll = tpp.post("/open-banking/v4.0/events");
        poll.json(&json!({"returnImmediately": false})).send().await
    });
    world.bank.until_waiting(1).await;
    let asked = || world.bank.store().asked("accept");
    let body = item("tpp-1");
    let publishing = world.post("/v1/events", &body);
    tokio::select! {
        biased;
        () = async { while asked() == 0 { tokio::task::yield_now().await; } } => {}
        _ = publishing => {}
    }
    let sets = poll.await.unwrap().json();
    assert_eq!(sets["sets"].as_object().unwrap().len(), 1, "{sets}");
}

// I-01
#[tokio::test]
async fn a_ledger_that_cannot_write_is_a_503_and_nothing_of_the_batch_was_taken() {
    let world = World::new().await;
    let tpp = world.subscriber("tpp-1").await;
    for fault in oyez_testkit::faulty_store::FaultyStore::faults() {
        world.bank.store().fail_at("accept", fault.clone());
        let reply = world.post("/v1/events", &item("tpp-1")).await;
        assert_eq!(reply.status, 503, "{fault}");
        assert_eq!(reply.header("content-type"), "application/problem+json");
        assert_eq!(reply.header("retry-after"), "2");
        assert!(!reply.text().contains("as the test says"), "{reply:?}");
        let is_in_doubt = matches!(fault, oyez_store::Error::InDoubt { .. });
        let (kind, promise) = (&reply.json()["type"], "nothing of the request happened");
        let expected = if is_in_doubt {
            "in-doubt"
        } else {
            "unavailable"
        };
        assert_eq!(kind, &format!("urn:oyez:problem:{expected}"));
        assert_eq!(reply.text().contains(promise), !is_in_doubt, "{reply:?}");
    }
    world.bank.store().mend();
    assert_eq!(world.bank.counts(&tpp).await.accepted, 0);
    world.accepted(item("tpp-1")).await;
}

// I-01
#[tokio::test]
async fn a_thousand_items_are_one_unit_of_the_ledger_and_one_more_is_too_many() {
    let world = World::new().await;
    world.subscriber("tpp-1").await;
    let mut items = vec![item("tpp-1"); 1000];
    let outcomes = world.publish(&items).await;
    assert!(outcomes.iter().all(|one| one["outcome"] == "accepted"));
    assert_eq!(world.bank.store().asked("accept"), 1);
    items.push(item("tpp-1"));
    let reply = world.post("/v1/events", &json!({ "items": items })).await;
    assert_eq!(
        (reply.status, reply.paths()),
        (400, vec!["items".to_owned()])
    );
}

// A-09, I-04
#[tokio::test]
async fn a_tpp_that_is_served_again_is_told_of_again() {
    let world = World::new().await;
    let tpp = world.subscriber("tpp-1").await;
    world.bank.disable(&tpp).await;
    assert_eq!(words(&world.publish(&[item("tpp-1")]).await), ["disabled"]);
    let reply = world.post("/v1/tpps/tpp-1/enable", &json!({})).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let store = Arc::clone(&world.bank.web().store);
    let found = store.find_tpp(making::client("tpp-1")).await.unwrap();
    assert_eq!(found.unwrap().standing, Standing::Active);
    world.accepted(item("tpp-1")).await;
}
