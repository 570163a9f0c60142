//! The server is told to stop while pushes hang at an endpoint that says nothing.

use std::time::Duration;

use oyez_testkit::endpoint::{Behaviour, Endpoint, Inbox};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::house::{House, NOTIFICATIONS, item};

// D-08, D-11, P-09, S-05
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_pushes_that_hang_begins_none_and_they_are_pushed_again() {
    let (mut house, endpoint) = hanging("3s", "25s").await;
    let begun = Instant::now();
    assert_eq!(house.stop(), 0, "{}", house.log());
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    let timed_out = house.log().matches("outcome=EndpointFailed").count();
    assert_eq!(timed_out, AT_ONCE, "{}", house.log());
    all_arrive_after_a_start(&mut house, &endpoint).await;
}

// D-08, D-11, P-09, S-01
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_whose_deadline_is_sooner_cuts_pushes_off_and_they_are_pushed_again() {
    let (mut house, endpoint) = hanging("4s", "1s").await;
    let begun = Instant::now();
    assert_eq!(house.stop(), 4, "{}", house.log());
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    all_arrive_after_a_start(&mut house, &endpoint).await;
}

/// A bank whose attempts and whose stop may last for so long, and which pushes to an endpoint that does not answer.
async fn hanging(total_timeout: &str, deadline: &str) -> (House, Endpoint) {
    let mut house = House::new(&[
        ("OYEZ_PUSH__CONNECT_TIMEOUT", "1s"),
        ("OYEZ_PUSH__TOTAL_TIMEOUT", total_timeout),
        ("OYEZ_PUSH__AT_ONCE_MAX", "3"),
        ("OYEZ_RETRY__BASE", "100ms"),
        ("OYEZ_SHUTDOWN__DEADLINE", deadline),
    ]);
    house.start();
    let endpoint = Endpoint::start(&house.site().authority.server(&[])).await;
    endpoint.behave(NOTIFICATIONS, Behaviour::Silence);
    house.pushed("tpp-1", &endpoint, &json!({})).await;
    let items = (0..EVENTS).map(|number| item("tpp-1", "consent-1", &number.to_string()));
    let body = json!({ "items": items.collect::<Vec<Value>>() });
    let answer = house.colleague("publisher").post("/v1/events", &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    endpoint.until_count(NOTIFICATIONS, AT_ONCE).await;
    (house, endpoint)
}

/// Those that hung came twice, the others once, and nothing in two forms.
async fn all_arrive_after_a_start(house: &mut House, endpoint: &Endpoint) {
    let hung = endpoint.inbox(NOTIFICATIONS);
    assert_eq!(hung.jtis().len(), AT_ONCE, "a push began after the signal");
    endpoint.behave(NOTIFICATIONS, Behaviour::accept());
    house.start();
    let all = |inbox: &Inbox| inbox.accepted().len() == EVENTS;
    endpoint.until(NOTIFICATIONS, all).await;
    let inbox = endpoint.inbox(NOTIFICATIONS);
    assert_eq!(inbox.jtis().len(), EVENTS + AT_ONCE);
    assert_eq!(inbox.differing(), []);
    assert_eq!(house.stop(), 0, "{}", house.log());
}

const EVENTS: usize = 8;
/// As configured.
const AT_ONCE: usize = 3;
/// The longer of what a stop may last here, and what the machine may be late by.
const PATIENCE: Duration = Duration::from_secs(8);
