//! One TPP at a glance: why it gets no events, and what it asked for.

use std::time::Duration;

use serde_json::{Value, json};

use super::world::{World, item};

fn codes(status: &Value) -> Vec<&str> {
    let reasons = status["reasons"].as_array().unwrap();
    reasons
        .iter()
        .map(|it| it["code"].as_str().unwrap())
        .collect()
}

// I-03, W-04
#[tokio::test]
async fn a_tpp_that_gets_nothing_is_shown_with_the_reasons_and_what_mends_them() {
    let world = World::new().await;
    world.bank.tpp("tpp-1").await;
    let path = "/v1/tpps/tpp-1/status";
    let status = world.get(path).await.json();
    assert_eq!(codes(&status), ["nothing_registered"]);
    assert_eq!(status["reasons"][0]["weight"], "all");
    assert_eq!(status["backlog"]["oldest_at"], json!(null));
    let disabled = json!({"reason": "certificate revoked"});
    world.post("/v1/tpps/tpp-1/disable", &disabled).await;
    let status = world.get(path).await.json();
    assert_eq!(codes(&status), ["disabled", "nothing_registered"]);
    let nobody = world.get("/v1/tpps/nobody/status").await;
    assert_eq!(nobody.status, 404);
}

// I-03, W-04
#[tokio::test]
async fn what_waits_is_shown_by_age_and_what_was_asked_for_by_its_interaction_id() {
    let world = World::new().await;
    let tpp = world.subscriber("tpp-1").await;
    world.accepted(item("tpp-1")).await;
    world.bank.clock().advance(Duration::from_secs(7_200));
    let path = "/v1/tpps/tpp-1/status";
    let status = world.get(path).await.json();
    assert_eq!(status["backlog"]["under_a_day"], 1);
    assert_eq!(status["counts"]["outstanding"], 1);
    let refused = tpp
        .post("/open-banking/v4.0/events")
        .json(&json!({"maxEvents": "many"}))
        .send()
        .await;
    assert_eq!(refused.status, 400);
    let noted = loop {
        let status = world.get(path).await.json();
        let requests = status["requests"].as_array().unwrap();
        if !requests.is_empty() {
            break status;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let newest = &noted["requests"][0];
    assert_eq!(newest["operation"], "poll_events");
    assert_eq!(
        (&newest["status"], &newest["error_code"]),
        (&json!(400), &json!("Field.Invalid"))
    );
    assert_eq!(
        newest["interaction_id"],
        refused.header("x-fapi-interaction-id").unwrap()
    );
    assert!(codes(&noted).contains(&"requests_refused"), "{noted}");
    assert!(codes(&noted).contains(&"nobody_polls"), "{noted}");
    assert!(!noted.to_string().contains("many"), "bodies are not kept");
}
