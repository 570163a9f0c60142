//! Nodes that do not hear from each other: what listens to the others' news is cut off. Nothing but latency changes.

use std::time::Duration;

use oyez_domain::ids::Jti;
use oyez_testkit::endpoint::{Behaviour, Endpoint};
use oyez_testkit::postgres::{Cluster, Durability};
use oyez_testkit::proxy::{Proxy, Weather};
use serde_json::{Value, json};
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use super::PATIENCE;
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
        ("OYEZ_POLLING__LONG_POLL", "1s"),
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
    for number in 0..3 {
        let jti = publish(&house, "tpp-1", number).await;
        let began = Instant::now();
        endpoint
            .until(NOTIFICATIONS, |inbox| !inbox.of(&jti).is_empty())
            .await;
        assert!(began.elapsed() < LATE_MAX, "{:?}", began.elapsed());
        let mut awaited = publish(&house, "tpp-2", number).await.to_string();
        let (began, mut ack) = (Instant::now(), Vec::new());
        while !awaited.is_empty() {
            assert!(began.elapsed() < PATIENCE, "{}", house.log());
            let body = json!({ "ack": ack, "returnImmediately": false, "maxEvents": 10 });
            let answer = polling.post(EVENTS).json(&body).send().await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let sets = house::sets(&answer.json());
            if sets.iter().any(|(jti, _)| *jti == awaited) {
                awaited.clear();
            }
            ack = sets.into_iter().map(|(jti, _)| jti).collect();
        }
        let acknowledged = json!({ "ack": ack, "maxEvents": 0 });
        let answer = polling.post(EVENTS).json(&acknowledged).send().await;
        assert_eq!(answer.status, 200, "{answer:?}");
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

/// Who has a lane keeps it for five seconds with nothing to do, and others look by themselves once in a second.
const LATE_MAX: Duration = Duration::from_secs(9);
