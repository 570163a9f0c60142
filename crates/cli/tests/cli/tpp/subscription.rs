//! `oyez subscription`: both resources, in both families of versions, and what is said when a bank refuses.

use serde_json::Value;

use super::{Firm, quick_house};
use crate::core_system::assert_calls;

/// The whole life of a resource, and everything that is said of it.
async fn life_of(resource: &str, api: &str, version: &str) -> String {
    let house = quick_house(&[]);
    let firm = Firm::of("tpp-1", &[&house]).await;
    let callback = |host: &str| {
        let api = if api == "v3.1" { "v3.1" } else { "v4.0" };
        format!("--callback-url https://{host}.example/open-banking/{api}/event-notifications")
    };
    let at = format!("--resource {resource} --api {api}");
    let create = format!(
        "subscription create {at} --version {version} {}",
        callback("first")
    );
    let mut told = Vec::new();
    for words in [
        format!("subscription show {at}"),
        create.clone(),
        create,
        format!("subscription show {at}"),
        format!(
            "subscription update {at} --version {version} {}",
            callback("second")
        ),
        format!("subscription show {at} --json"),
        format!("subscription delete {at} 00000000-0000-4000-8000-000000000000"),
        format!("subscription delete {at}"),
        format!("subscription delete {at}"),
        format!("subscription show {at}"),
    ] {
        told.push(firm.desk().shown(&words, &firm.run(&words)));
    }
    told.join("\n")
}

//
#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_an_event_subscription_in_v4() {
    let told = life_of("event-subscriptions", "v4.0", "4.0").await;
    assert_calls!(told);
}

//
#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_an_event_subscription_in_v3() {
    let told = life_of("event-subscriptions", "v3.1", "3.1").await;
    assert_calls!(told);
}

//
#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_a_callback_url_in_v4() {
    let told = life_of("callback-urls", "v4.0", "4.0").await;
    assert_calls!(told);
}

//
#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_a_callback_url_in_v3() {
    let told = life_of("callback-urls", "v3.1", "3.1").await;
    assert_calls!(told);
}

//
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_in_the_words_of_each_error_model() {
    let house = quick_house(&[]);
    let firm = Firm::of("tpp-1", &[&house]).await;
    let callback = "--callback-url http://plain.example/events";
    let words = [
        format!("subscription create --api v4.0 {callback}"),
        format!("subscription create --api v3.1 --version 3.1 {callback}"),
        "subscription create --events no-such-event".to_owned(),
        "subscription create --resource callback-urls".to_owned(),
        "subscription create --version four".to_owned(),
        "subscription show --bank nobody".to_owned(),
    ];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    assert_calls!(firm.desk().session(&words));
}

//
#[tokio::test(flavor = "multi_thread")]
async fn only_the_events_that_are_named_are_subscribed_to() {
    let house = quick_house(&[]);
    let firm = Firm::of("tpp-1", &[&house]).await;
    let urn = "urn:uk:org:openbanking:events:resource-update";
    let done = firm.run(&format!("subscription create --events {urn} --json"));
    let made: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(made["event_types"], serde_json::json!([urn]), "{made}");
    assert_eq!(made["callback_url"], Value::Null);
}
