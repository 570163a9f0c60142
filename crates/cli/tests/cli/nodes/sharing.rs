//! Nodes that start beside a busy one get their share of its lanes, and nothing is pushed twice for that.

use std::time::Duration;

use oyez_testkit::endpoint::{Behaviour, Endpoint};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{Nodes, PATIENCE};
use crate::house::{self, House, NOTIFICATIONS};

/// `./test --quick` leaves these out.
mod slow {
    use super::*;

    // D-05, D-09
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_ten_lanes_on_one_node_two_that_join_get_three_each_and_nothing_is_pushed_twice() {
        let mut house = House::on_postgres(&VARIABLES).await;
        let mut nodes = Nodes::start(&mut house, &[""]).await;
        let endpoint = Endpoint::start(&house.site().authority.server(&[])).await;
        endpoint.behave_otherwise(Behaviour::accept().late(LATE));
        for tpp in 0..TPPS {
            let url = format!("https://{}{}", endpoint.address(), inbox(tpp));
            house.pushed_at(&name(tpp), &url, &json!({})).await;
        }
        publish(&house).await;
        until(&house, &nodes, "one has them all", |owned| owned == [TPPS]).await;
        nodes.start_another(&house, "");
        nodes.start_another(&house, "");
        until(&house, &nodes, "each has its share", |owned| {
            owned == [3, 3, 4]
        })
        .await;
        // And so it stays while there is something to do.
        let at_rest = Instant::now();
        while at_rest.elapsed() < Duration::from_secs(4) {
            assert_eq!(owned(&house, &nodes).await, [3, 3, 4]);
            sleep(Duration::from_millis(200)).await;
        }
        let viewer = house.colleague("viewer");
        for tpp in 0..TPPS {
            let begun = Instant::now();
            let left = async || {
                let tpp = viewer.get(&format!("/v1/tpps/{}", name(tpp))).await.json();
                tpp["counts"]["outstanding"].clone()
            };
            while left().await != 0 {
                assert!(begun.elapsed() < PATIENCE, "{}", house.log());
                sleep(Duration::from_millis(100)).await;
            }
            let inbox = endpoint.inbox(&inbox(tpp));
            assert_eq!(
                (inbox.arrivals().len(), inbox.distinct().len()),
                (EVENTS, EVENTS)
            );
        }
        nodes.stop();
    }
}

/// How many lanes each node has, the fewest first.
pub(super) async fn owned(house: &House, nodes: &Nodes) -> Vec<usize> {
    let mut owned = Vec::new();
    for server in nodes.servers.iter().flatten() {
        let viewer = house.colleague_at(server.address("internal"), "viewer");
        let metrics = viewer.get("/metrics").await;
        let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
        let gauge = metrics
            .lines()
            .find_map(|line| line.strip_prefix("oyez_lanes_owned "));
        owned.push(gauge.unwrap().parse().unwrap());
    }
    owned.sort_unstable();
    owned
}

pub(super) async fn until(
    house: &House,
    nodes: &Nodes,
    what: &str,
    is_so: impl Fn(&[usize]) -> bool,
) {
    let begun = Instant::now();
    loop {
        let owned = owned(house, nodes).await;
        if is_so(&owned) {
            return;
        }
        assert!(begun.elapsed() < SOON, "{what}: {owned:?}: {}", house.log());
        sleep(Duration::from_millis(100)).await;
    }
}

async fn publish(house: &House) {
    let publisher = house.colleague("publisher");
    for tpp in 0..TPPS {
        let items: Vec<_> = (0..EVENTS)
            .map(|number| house::item(&name(tpp), "r-1", &format!("{tpp}-{number}")))
            .collect();
        for some in items.chunks(100) {
            let answer = publisher
                .post("/v1/events", &json!({ "items": some }))
                .await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
}

fn name(tpp: usize) -> String {
    format!("tpp-{tpp}")
}

fn inbox(tpp: usize) -> String {
    format!("/{}{NOTIFICATIONS}", name(tpp))
}

const VARIABLES: [(&str, &str); 3] = [
    ("OYEZ_STORE__TAKEOVER", "3s"),
    ("OYEZ_PUSH__TOTAL_TIMEOUT", "10s"),
    ("OYEZ_PUSH__AT_ONCE_MAX", "2"),
];
const TPPS: usize = 10;
/// Two at once, each late: half a minute of work for each lane.
const EVENTS: usize = 200;
const LATE: Duration = Duration::from_millis(300);
/// A start, a renewal and what is in flight.
const SOON: Duration = Duration::from_secs(15);
