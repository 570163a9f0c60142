//! Bodies and paths that are not ours: refused with their place, whatever they are.

use axum::body::Body;
use axum::http::{Method, Request};
use oyez_web::internal::operators::Role;
use serde_json::json;

use super::world::{Reply, World, item, token};

async fn said(world: &World, path: &str, content_type: &str, body: impl Into<Body>) -> Reply {
    let request = Request::post(path)
        .header("authorization", format!("Bearer {}", token(Role::Admin)))
        .header("content-type", content_type);
    world.send(request.body(body.into()).unwrap()).await
}

// I-01
#[tokio::test]
async fn a_body_that_is_not_json_as_we_take_it_is_refused_with_its_place() {
    let world = World::new().await;
    let deep = format!("{}1{}", "[".repeat(64), "]".repeat(64));
    for (body, detail) in [
        ("", "EOF"),
        ("{\"tpp\":", "line 1 column 7"),
        ("{\"tpp\":1,\"tpp\":2}", "twice"),
        ("{} {}", "line 1 column 4"),
        (deep.as_str(), "nested too deep"),
        ("tpp=1", "line 1 column 2"),
    ] {
        let reply = said(&world, "/v1/events", "application/json", body.to_owned()).await;
        assert_eq!(reply.status, 400, "{body}: {reply:?}");
        let problem = reply.json();
        assert_eq!(problem["type"], "urn:oyez:problem:malformed");
        let told = problem["detail"].as_str().unwrap();
        assert!(told.contains(detail), "{body}: {told}");
    }
    let latin = vec![b'"', 0xe9, b'"'];
    let reply = said(&world, "/v1/events", "application/json", latin).await;
    assert!(reply.text().contains("invalid UTF-8 after 1 bytes"));
}

// I-01
#[tokio::test]
async fn a_body_of_another_type_or_encoding_is_refused() {
    let world = World::new().await;
    let body = item("tpp-1").to_string();
    for content_type in [
        "text/plain",
        "application/x-ndjson",
        "application/jsonp",
        "",
    ] {
        let reply = said(&world, "/v1/events", content_type, body.clone()).await;
        assert_eq!(reply.status, 415, "{content_type}");
    }
    let reply = said(
        &world,
        "/v1/events",
        "Application/JSON; charset=utf-8",
        body,
    )
    .await;
    assert_eq!(reply.status, 200);
}

// I-01
#[tokio::test]
async fn a_body_that_is_too_long_is_refused_whether_or_not_it_says_so() {
    let world = World::new().await;
    let long = "x".repeat(8 * 1024 * 1024 + 1);
    let reply = said(&world, "/v1/events", "application/json", long).await;
    assert_eq!(reply.status, 413);
    let request = Request::post("/v1/events")
        .header("authorization", format!("Bearer {}", token(Role::Admin)))
        .header("content-type", "application/json")
        .header("content-length", "9000000");
    let reply = world.send(request.body(Body::from("{}")).unwrap()).await;
    assert_eq!(reply.status, 413);
    assert_eq!(reply.json()["type"], "urn:oyez:problem:too-large");
}

// I-01
#[tokio::test]
async fn a_long_batch_is_read_beside_the_threads_that_serve_and_answered_alike() {
    let world = World::new().await;
    world.subscriber("tpp-1").await;
    let mut long = item("tpp-1");
    long["resource"]["id"] = "x".repeat(128).into();
    let outcomes = world.publish(&vec![long; 900]).await;
    assert_eq!(outcomes.len(), 900);
    assert!(outcomes.iter().all(|one| one["outcome"] == "accepted"));
}

#[tokio::test]
async fn paths_and_methods_that_are_not_served_are_problems_too() {
    let world = World::new().await;
    let reply = world.get("/v1/nothing").await;
    assert_eq!(reply.status, 404);
    assert_eq!(reply.json()["type"], "urn:oyez:problem:not-found");
    let reply = world
        .ask(Role::Admin, Method::DELETE, "/v1/events", None)
        .await;
    assert_eq!(reply.status, 405);
    let mut allowed: Vec<&str> = reply.header("allow").split(',').map(str::trim).collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
    assert_eq!(world.get("/v1/tpps/%ff").await.status, 404);
}

#[tokio::test]
async fn a_parameter_that_is_not_known_or_said_twice_is_refused_with_all_others() {
    let world = World::new().await;
    let reply = world
        .get("/v1/events?sate=failed&limit=0&limit=2&cursor=1&state=lost&accepted_from=today")
        .await;
    assert_eq!(reply.status, 400);
    let mut paths = reply.paths();
    paths.sort();
    assert_eq!(
        paths,
        ["accepted_from", "cursor", "limit", "limit", "sate", "state"]
    );
}

#[tokio::test]
async fn a_request_id_that_is_said_comes_back() {
    let world = World::new().await;
    let request = Request::get("/v1/nothing").header("x-fapi-interaction-id", "mine-1");
    let reply = world.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(reply.header("x-fapi-interaction-id"), "mine-1");
    assert_eq!(reply.json()["request_id"], "mine-1");
}

// I-01
#[tokio::test]
async fn an_act_whose_body_is_wrong_changes_nothing() {
    let world = World::new().await;
    world.bank.tpp("tpp-1").await;
    for body in [
        json!({}),
        json!({"reason": ""}),
        json!({"reason": "x", "y": 1}),
        json!([]),
    ] {
        let reply = world.post("/v1/tpps/tpp-1/disable", &body).await;
        assert_eq!(reply.status, 400, "{body}");
    }
    assert_eq!(world.bank.store().asked("set_standing"), 0);
}
