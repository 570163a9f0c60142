//! What a TPP may ask for is divided by the nodes that answer TPPs (G-09).

use std::time::Duration;

use oyez_testkit::tpp::Caller;
use serde_json::json;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::{Instant, sleep};

use super::{Nodes, PATIENCE};
use crate::house::{EVENTS, House};

// G-09
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_lets_through_its_part_of_the_published_rate_and_all_of_it_when_it_is_alone() {
    let mut house = House::on_postgres(&[
        ("OYEZ_STORE__TAKEOVER", "2s"),
        ("OYEZ_LIMITS__REQUESTS_PER_SECOND", "40"),
    ])
    .await;
    let mut nodes = Nodes::start(&mut house, &["", "", ""]).await;
    let caller = house.subscriber("tpp-1").await;
    house
        .site()
        .moved_to(nodes.server(0).address("tpp").parse().unwrap());
    until(&house, &caller, "a third of it", |passed| passed < 30).await;
    for node in [1, 2] {
        nodes.kill(node);
    }
    until(&house, &caller, "all of it", |passed| passed >= 40).await;
    nodes.stop();
}

// G-09
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_were_given_one_name_are_counted_as_several() {
    let mut house = House::on_postgres(&[
        ("OYEZ_STORE__TAKEOVER", "2s"),
        ("OYEZ_LIMITS__REQUESTS_PER_SECOND", "40"),
    ])
    .await;
    // The house gives each the same.
    let (inside, one, two) = block_in_place(|| {
        (
            house.beside("internal"),
            house.beside("tpp-api"),
            house.beside("tpp-api"),
        )
    });
    house.is_called_at(
        one.address("tpp").parse().unwrap(),
        inside.address("internal").parse().unwrap(),
    );
    let caller = house.subscriber("tpp-1").await;
    until(&house, &caller, "half of it", |passed| passed < 30).await;
    for server in [inside, one, two] {
        assert_eq!(block_in_place(|| server.stop()), 0);
    }
}

/// How many of many requests at once pass when nothing was asked for a while.
async fn passed(caller: &Caller) -> usize {
    sleep(Duration::from_millis(1_100)).await;
    let mut polls = JoinSet::new();
    for _ in 0..60 {
        let caller = caller.clone();
        polls.spawn(async move {
            let poll = json!({ "maxEvents": 0, "returnImmediately": true });
            let answer = caller.post(EVENTS).json(&poll).send().await;
            assert!(matches!(answer.status, 200 | 429), "{answer:?}");
            usize::from(answer.status == 200)
        });
    }
    polls.join_all().await.iter().sum()
}

async fn until(house: &House, caller: &Caller, what: &str, is_so: impl Fn(usize) -> bool) {
    let begun = Instant::now();
    loop {
        let passed = passed(caller).await;
        if is_so(passed) {
            return;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{what}: {passed}: {}",
            house.log()
        );
    }
}
