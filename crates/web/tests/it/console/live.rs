//! Pages that watch.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use http_body_util::BodyExt;
use oyez_testkit::making;
use oyez_web::internal::operators::Role;

use super::world::{Browser, World};

async fn watch(browser: &mut Browser<'_>) -> Response {
    let request = Request::get("/console/watch").body(Body::empty()).unwrap();
    browser.answer(request).await
}

/// The next message; `None` when the stream is over.
async fn next(response: &mut Response) -> Option<String> {
    let frame = tokio::time::timeout(Duration::from_secs(60), response.body_mut().frame());
    let frame = frame.await.expect("something comes, or the end")?;
    let data = frame.unwrap().into_data().unwrap();
    Some(String::from_utf8(data.to_vec()).unwrap())
}

// I-03
#[tokio::test]
async fn a_page_that_watches_sees_what_happens_without_asking() {
    let world = World::new().await;
    world.subscriber("tpp-1", making::everything()).await;
    let mut browser = world.logged_in(Role::Viewer).await;
    let mut response = watch(&mut browser).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let first = next(&mut response).await.unwrap();
    assert!(
        first.starts_with("data: ") && first.ends_with("\n\n"),
        "{first}"
    );
    assert!(first.contains("Accepted: 0 in the last hour"), "{first}");
    world.accepted("tpp-1").await;
    while !next(&mut response)
        .await
        .unwrap()
        .contains("Accepted: 1 in the last hour")
    {}
}

// I-03
#[tokio::test]
async fn one_reader_serves_all_who_watch_and_ends_when_they_are_gone() {
    let world = World::new().await;
    let mut browser = world.logged_in(Role::Viewer).await;
    let mut all = Vec::new();
    for _ in 0..100 {
        all.push(watch(&mut browser).await);
    }
    assert_eq!(
        watch(&mut browser).await.status(),
        503,
        "the seats are bounded"
    );
    for response in &mut all {
        assert!(next(response).await.is_some());
    }
    let asked = world.bank.store().asked("lane_totals");
    assert!(asked < 10, "{asked} readings for a hundred");
    drop(all);
    world.tasks.close();
    let ended = tokio::time::timeout(Duration::from_secs(60), world.tasks.wait());
    ended.await.expect("nobody reads for nobody");
}

// I-05
#[tokio::test]
async fn a_stream_ends_with_the_server_and_with_the_operator() {
    let world = World::new().await;
    let mut browser = world.logged_in(Role::Viewer).await;
    let mut first = watch(&mut browser).await;
    assert!(next(&mut first).await.is_some());
    world.operators.send_replace(std::sync::Arc::default());
    while next(&mut first).await.is_some() {}
    drop(first);
    let world = World::new().await;
    let mut browser = world.logged_in(Role::Viewer).await;
    let mut second = watch(&mut browser).await;
    world.stop.cancel();
    while next(&mut second).await.is_some() {}
}
