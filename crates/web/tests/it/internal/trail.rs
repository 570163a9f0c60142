//! Looking back: the audit trail, and what happened minute by minute.

use std::time::Duration;

use serde_json::{Value, json};

use super::world::{World, item};

// I-05
#[tokio::test]
async fn the_trail_is_read_newest_first_a_page_at_a_time() {
    let world = World::new().await;
    for name in ["a", "b", "c"] {
        world.bank.tpp(name).await;
    }
    let mut sequences = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = world
            .get(&format!("/v1/audit?limit=2{cursor}"))
            .await
            .json();
        let entries = page["entries"].as_array().unwrap();
        sequences.extend(
            entries
                .iter()
                .map(|entry| entry["sequence"].as_u64().unwrap()),
        );
        match page["next"].as_u64() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(sequences, [3, 2, 1]);
    let of_b = world.get("/v1/audit?tpp=b").await.json();
    assert_eq!(of_b["entries"].as_array().unwrap().len(), 1);
    assert_eq!(of_b["entries"][0]["after"]["client_id"], "b");
}

// I-05
#[tokio::test]
async fn each_chain_of_the_trail_is_read_from_its_beginning_to_its_head() {
    let world = World::new().await;
    for name in ["a", "b"] {
        world.bank.tpp(name).await;
    }
    let first = world.get("/v1/audit/chain?tpp=b&limit=1").await.json();
    let link = &first["entries"][0]["link"];
    assert_eq!((&link["number"], &first["next"]), (&json!(1), &json!(null)));
    let rest = world.get("/v1/audit/chain?tpp=b&cursor=2").await.json();
    assert_eq!(rest["entries"], json!([]));
    let heads = world.get("/v1/audit/heads?limit=1").await.json();
    assert_eq!(
        (&heads["operators"], &heads["next"]),
        (&json!(null), &json!("a"))
    );
    let heads = world.get("/v1/audit/heads?cursor=a").await.json();
    assert_eq!(heads["heads"], json!([{"tpp": "b", "head": link}]));
    let operators = world.get("/v1/audit/chain").await.json();
    assert_eq!(operators["entries"], json!([]));
}

// I-03
#[tokio::test]
async fn minutes_are_those_of_the_last_hour_or_of_a_range_up_to_a_week() {
    let world = World::new().await;
    world.subscriber("tpp-1").await;
    world.accepted(item("tpp-1")).await;
    world.bank.clock().advance(Duration::from_secs(60));
    let path = "/v1/tpps/tpp-1/minutes";
    let read = world.get(path).await.json();
    assert_eq!(read["minutes"][0]["minute"], "2023-11-14T22:13:00.000Z");
    assert_eq!(read["minutes"][0]["accepted"], 1);
    let earlier = "from=2023-11-14T20:00:00Z&before=2023-11-14T21:00:00Z";
    let read = world.get(&format!("{path}?{earlier}")).await.json();
    assert_eq!(read, json!({"minutes": []}));
    let long = world
        .get(&format!("{path}?from=2023-11-01T00:00:00Z"))
        .await;
    assert_eq!((long.status, long.paths()), (400, vec!["from".to_owned()]));
    let nobody: Value = world.get("/v1/tpps/nobody/minutes").await.json();
    assert_eq!(nobody["status"], 404);
}
