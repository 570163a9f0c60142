//! Looking events up: lists with filters, a page at a time, and the whole file of one.

use std::time::Duration;

use oyez_testkit::tpp::Caller;
use serde_json::{Value, json};

use super::world::{World, item};

fn jtis(list: &Value) -> Vec<String> {
    let events = list["events"].as_array().unwrap().iter();
    events
        .map(|event| event["jti"].as_str().unwrap().to_owned())
        .collect()
}

async fn poll(tpp: &Caller, body: &Value) -> Value {
    let poll = tpp.post("/open-banking/v4.0/events");
    let response = poll.json(body).send().await;
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

/// Hands an event out and has it refused until it is set aside.
async fn fail(world: &World, tpp: &Caller, jti: &str) {
    for _ in 0..10 {
        let mut errors = serde_json::Map::new();
        errors.insert(
            jti.to_owned(),
            json!({"err": "jwtHdr", "description": "no"}),
        );
        let body = json!({"returnImmediately": true, "maxEvents": 0, "setErrs": errors});
        poll(tpp, &body).await;
    }
    let read = world.get(&format!("/v1/events/{jti}")).await.json();
    assert_eq!(read["event"]["state"], "failed", "{read}");
}

// I-03
#[tokio::test]
async fn every_filter_narrows_a_list() {
    let world = World::new().await;
    let (one, _) = (
        world.subscriber("tpp-1").await,
        world.subscriber("tpp-2").await,
    );
    let first = world.accepted(item("tpp-1")).await;
    poll(&one, &json!({"returnImmediately": true, "ack": [first]})).await;
    world.bank.clock().advance(Duration::from_secs(60));
    let mut special = item("tpp-1");
    special["resource"]["id"] = "consent-2".into();
    special["txn"] = "txn-1".into();
    special["events"] = json!([{"type": "UK.OBIE.Consent-Authorization-Revoked"}]);
    let second = world.accepted(special).await;
    let third = world.accepted(item("tpp-2")).await;
    let errs = json!({"returnImmediately": true, "maxEvents": 0,
        "setErrs": {(second.as_str()): {"err": "jwtHdr", "description": "no"}}});
    let told = one.post("/open-banking/v4.0/events").json(&errs);
    let told = told
        .header("x-fapi-interaction-id", "poll-of-the-error")
        .send()
        .await;
    assert_eq!(told.status, 200);
    let all = [&second, &third, &first];
    for (query, expected) in [
        ("tpp=tpp-2", vec![&third]),
        ("state=acknowledged", vec![&first]),
        ("state=outstanding&tpp=tpp-1", vec![&second]),
        ("state=withdrawn", vec![]),
        ("type=UK.OBIE.Consent-Authorization-Revoked", vec![&second]),
        (
            "type=urn:uk:org:openbanking:events:consent-authorization-revoked",
            vec![&second],
        ),
        ("resource_id=consent-2", vec![&second]),
        ("txn=txn-1", vec![&second]),
        ("interaction_id=poll-of-the-error", vec![&second]),
        ("accepted_before=2023-11-14T22:14:00Z", vec![&first]),
        (
            "accepted_from=2023-11-14T22:14:00Z&tpp=tpp-1",
            vec![&second],
        ),
    ] {
        let mut found = jtis(&world.get(&format!("/v1/events?{query}")).await.json());
        let mut expected: Vec<String> = expected.into_iter().cloned().collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{query}");
    }
    assert_eq!(jtis(&world.get("/v1/events").await.json()).len(), all.len());
    let unknown = world.get("/v1/events?type=UK.OBIE.Nothing").await;
    assert_eq!(
        (unknown.status, unknown.paths()),
        (400, vec!["type".to_owned()])
    );
}

// I-03
#[tokio::test]
async fn events_are_listed_newest_first_a_page_at_a_time_each_once() {
    let world = World::new().await;
    world.subscriber("tpp-1").await;
    let mut accepted = Vec::new();
    for _ in 0..5 {
        accepted.push(world.accepted(item("tpp-1")).await);
        world.bank.clock().advance(Duration::from_millis(5));
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = world
            .get(&format!("/v1/events?limit=2{cursor}"))
            .await
            .json();
        seen.extend(jtis(&page));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    accepted.reverse();
    assert_eq!(seen, accepted);
}

// I-03
#[tokio::test]
async fn the_file_of_an_event_tells_its_life_in_the_publishers_words_and_ours() {
    let world = World::new().await;
    let tpp = world.subscriber("tpp-1").await;
    let mut said = item("tpp-1");
    said["txn"] = "txn-1".into();
    said["toe"] = json!(1_699_999_999);
    said["resource"]["version"] = "v4.0".into();
    let jti = world.accepted(said.clone()).await;
    let sets = poll(&tpp, &json!({"returnImmediately": true})).await;
    poll(&tpp, &json!({"returnImmediately": true, "ack": [jti]})).await;
    let file = world.get(&format!("/v1/events/{jti}")).await.json();
    assert_eq!(file["notice"]["tpp"], said["tpp"]);
    assert_eq!(file["notice"]["resource"], said["resource"]);
    assert_eq!(file["notice"]["toe"], said["toe"]);
    assert_eq!(file["notice"]["txn"], said["txn"]);
    assert_eq!(
        file["notice"]["events"],
        json!([{"type": "urn:uk:org:openbanking:events:resource-update"}])
    );
    assert_eq!(file["sets"][0]["set"], sets["sets"][&jti]);
    assert_eq!(file["sets"][0]["claims"]["jti"], jti.as_str());
    assert_eq!(file["hand_outs"].as_array().unwrap().len(), 1);
    assert_eq!(file["event"]["state"], "acknowledged");
    let settlement = json!({
        "outcome": "acknowledged",
        "reason": "poll",
        "actor": "tpp:tpp-1",
        "at": "2023-11-14T22:13:20.000Z",
    });
    assert_eq!(file["event"]["settlement"], settlement);
    assert_eq!(file["settlements"], json!([settlement]));
    assert_eq!(
        (&file["errors"], &file["attempts"]),
        (&json!([]), &json!([]))
    );
}

// I-03
#[tokio::test]
async fn an_event_that_is_not_there_is_a_404() {
    let world = World::new().await;
    for jti in ["018bcfe5-6800-7000-8000-000000000001", "x"] {
        assert_eq!(world.get(&format!("/v1/events/{jti}")).await.status, 404);
        let path = format!("/v1/events/{jti}/withdraw");
        assert_eq!(world.post(&path, &json!({})).await.status, 404);
    }
}

// I-04
#[tokio::test]
async fn an_event_is_taken_back_once_and_one_that_ended_stays_as_it_ended() {
    let world = World::new().await;
    let tpp = world.subscriber("tpp-1").await;
    let (one, other) = (
        world.accepted(item("tpp-1")).await,
        world.accepted(item("tpp-1")).await,
    );
    poll(&tpp, &json!({"returnImmediately": true, "ack": [other]})).await;
    let withdraw = |jti: String| format!("/v1/events/{jti}/withdraw");
    let reply = world.post(&withdraw(one.clone()), &json!({})).await.json();
    assert_eq!(reply["withdrawn"], true);
    assert_eq!(reply["event"]["state"], "withdrawn");
    assert_eq!(reply["event"]["settlement"]["actor"], "operator:admin");
    let again = world.post(&withdraw(one), &json!({})).await.json();
    assert_eq!(again["withdrawn"], false);
    let ended = world.post(&withdraw(other), &json!({})).await.json();
    assert_eq!(ended["withdrawn"], false);
    assert_eq!(ended["event"]["state"], "acknowledged");
    let sets = poll(&tpp, &json!({"returnImmediately": true})).await;
    assert_eq!(sets["sets"], json!({}));
}

// I-04, P-12
#[tokio::test]
async fn failed_events_are_queued_again_and_a_poll_that_waits_is_woken() {
    let world = World::new().await;
    let tpp = world.subscriber("tpp-1").await;
    let jti = world.accepted(item("tpp-1")).await;
    poll(&tpp, &json!({"returnImmediately": true})).await;
    fail(&world, &tpp, &jti).await;
    let path = "/v1/tpps/tpp-1/requeue-failed";
    let later = json!({"accepted_from": "2023-11-14T22:14:00Z"});
    assert_eq!(
        world.post(path, &later).await.json(),
        json!({"requeued": []})
    );
    let waiting = world
        .tasks
        .spawn(async move { poll(&tpp, &json!({"returnImmediately": false})).await });
    world.bank.until_waiting(1).await;
    let requeued = world.post(path, &json!({})).await.json();
    assert_eq!(requeued, json!({"requeued": [jti]}));
    assert!(waiting.await.unwrap()["sets"].get(&jti).is_some());
    for (body, bad) in [
        (json!({"limit": 0}), "limit"),
        (json!({"limit": 1001}), "limit"),
        (json!({"from": "x"}), "from"),
        (json!({"accepted_before": "x"}), "accepted_before"),
    ] {
        let reply = world.post(path, &body).await;
        assert_eq!((reply.status, reply.paths()), (400, vec![bad.to_owned()]));
    }
    let nobody = world
        .post("/v1/tpps/nobody/requeue-failed", &json!({}))
        .await;
    assert_eq!(nobody.status, 404);
}
