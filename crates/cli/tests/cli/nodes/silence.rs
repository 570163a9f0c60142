//! Nodes that do not hear from each other: what listens to the others' news is cut off. Nothing but latency changes.

use std::time::Duration;

use oyez_domain::ids::Jti;
use oyez_testkit::endpoint::{Behaviour, Endpoint};
use oyez_testkit::postgres::{Cluster, Durability};
use oyez_testkit::proxy::{Proxy, Weather};
use serde_json::{Value, json};
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use crate::house::{self, EVENTS, House, NOTIFICATIONS};

// D-08, G-01, P-02, P-07
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_one_process_takes_in_leaves_by_another_that_does_not_hear_of_it() {
    let cluster = Cluster::start(Durability::None);
    let deaf = Proxy::before(&[]).await;
    deaf.turn(Weather::Away);
    let address = |at: &dyn std::fmt::Display| format!("postgresql://postgres@{at}/postgres");
    let url = address(&format!("127.0.0.1:{}", cluster.port()));
    let nowhere = address(&deaf.address());
    let mut house = House::new(&[
        ("OYEZ_STORE__BACKEND", "postgres"),
        ("OYEZ_STORE__TLS", "off"),
        ("OYEZ_STORE__URL", &url),
        ("OYEZ_STORE__LISTEN_URL", &nowhere),
    ]);
    let (inside, outside) =
        block_in_place(|| (house.beside("internal"), house.beside("tpp-api,delivery")));
    house.is_called_at(
        outside.address("tpp").parse().unwrap(),
        inside.address("internal").parse().unwrap(),
    );
    let endpoint = Endpoint::start(&house.site().authority.server(&[])).await;
    endpoint.behave(NOTIFICATIONS, Behaviour::accept());
    house.pushed("tpp-1", &endpoint, &json!({})).await;
    let polling = house.subscriber("tpp-2").await;
    let mut ack = Vec::new();
    for number in 0..3 {
        let jti = publish(&house, "tpp-1", number).await;
        let began = Instant::now();
        endpoint
            .until(NOTIFICATIONS, |inbox| !inbox.of(&jti).is_empty())
            .await;
        assert!(began.elapsed() < LATE_MAX, "{:?}", began.elapsed());
        let body = json!({ "ack": ack, "returnImmediately": false, "maxEvents": 10 });
        let poll = polling.post(EVENTS).json(&body).send();
        let publishing = async {
            // It waits by then, and nobody but the clock will tell it.
            sleep(Duration::from_millis(700)).await;
            (publish(&house, "tpp-2", number).await, Instant::now())
        };
        let (answer, (jti, accepted_at)) = tokio::join!(poll, publishing);
        assert!(
            accepted_at.elapsed() < LATE_MAX,
            "{:?}",
            accepted_at.elapsed()
        );
        assert_eq!(answer.status, 200, "{answer:?}");
        let sets = house::sets(&answer.json());
        ack = sets.into_iter().map(|(jti, _)| jti).collect();
        assert_eq!(ack, [jti.to_string()]);
        sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(inside.stop(), 0);
    assert_eq!(outside.stop(), 0);
}

async fn publish(house: &House, tpp: &str, number: usize) -> Jti {
    let item = house::item(tpp, "r-1", &format!("k-{number}"));
    let answer = house.colleague("publisher").post("/v1/events", &item).await;
    let answer: Value = answer.json();
    let jti = answer["outcomes"][0]["jti"].as_str().unwrap();
    jti.parse().unwrap()
}

/// What nobody told of is looked for once in a second; the rest is what a busy machine may be late by.
const LATE_MAX: Duration = Duration::from_secs(3);
