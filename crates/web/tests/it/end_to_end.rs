//! What a TPP lives through, over real TLS, in both versions.

mod faults;
mod story;
mod tenancy;
mod versions;

use oyez_testkit::tpp::{Caller, Response};
use serde_json::{Value, json};

/// The versions in paths, each with a `Version` of it.
const VERSIONS: [(&str, &str); 2] = [("v3.1", "3.1"), ("v4.0", "4.0")];

fn subscriptions(api: &str) -> String {
    format!("/open-banking/{api}/event-subscriptions")
}

fn events(api: &str) -> String {
    format!("/open-banking/{api}/events")
}

/// Subscribes to everything, by polling.
async fn subscribe(tpp: &Caller, api: &str, version: &str) -> Response {
    let body = json!({ "Data": { "Version": version } });
    tpp.post(&subscriptions(api)).json(&body).send().await
}

/// Polls at once.
async fn poll(tpp: &Caller, api: &str, acks: &[&str]) -> Value {
    let request = json!({ "returnImmediately": true, "ack": acks });
    let response = tpp.post(&events(api)).json(&request).send().await;
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

/// The jtis of an answer, in its order.
fn jtis(answer: &Value) -> Vec<String> {
    answer["sets"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}
