//! A node that stands still for longer than its lease, as a virtual machine does that is moved, and wakes.

use std::collections::BTreeSet;
use std::time::Duration;

use oyez_domain::ids::Jti;
use oyez_testkit::endpoint::{Behaviour, Endpoint, Seen};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{Nodes, PATIENCE};
use crate::house::{self, House, NOTIFICATIONS};

/// `./test --quick` leaves these out.
mod slow {
    use super::*;

    // D-08, P-09, P-14
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_node_that_wakes_without_its_lease_starts_no_push_and_its_late_acknowledgements_count()
     {
        let mut house = House::on_postgres(&VARIABLES).await;
        let mut nodes = Nodes::start(&mut house, &[SLEEPER]).await;
        let endpoint = Endpoint::start(&house.site().authority.server(&[])).await;
        endpoint.behave(NOTIFICATIONS, Behaviour::accept().late(LATE));
        house.pushed("tpp-1", &endpoint, &json!({})).await;
        publish(&house).await;
        endpoint.until_count(NOTIFICATIONS, 20).await;
        nodes.start_another(&house, "");
        let (paused_at, in_flight) = paused_in_flight(&mut nodes, &endpoint).await;
        // Another has its lane and is at work.
        let by_another = |seen: &Seen| !is_sleepers(seen);
        endpoint
            .until(NOTIFICATIONS, |inbox| {
                inbox
                    .arrivals()
                    .iter()
                    .filter(|seen| by_another(seen))
                    .count()
                    >= 20
            })
            .await;
        let woke_at = Instant::now();
        assert!(woke_at - paused_at > LEASE, "its lease was respected");
        nodes.wake(0);
        sleep(Duration::from_secs(3)).await;
        let inbox = endpoint.inbox(NOTIFICATIONS);
        let another_works = inbox
            .arrivals()
            .iter()
            .rev()
            .take(20)
            .all(|seen| by_another(seen));
        assert!(
            another_works,
            "the lane was free meanwhile: there is too little to do"
        );
        let slipped = inbox.arrivals().iter();
        let slipped = slipped
            .filter(|seen| is_sleepers(seen) && seen.came.at > woke_at)
            .count();
        assert!(
            slipped <= AT_ONCE,
            "{slipped} pushes were started without a lease"
        );
        let viewer = house.colleague("viewer");
        for jti in &in_flight {
            let file = viewer.get(&format!("/v1/events/{jti}")).await.json();
            assert_eq!(file["event"]["state"], "acknowledged", "{file}");
            assert_eq!(inbox.of(jti).len(), 1, "{file}");
        }
        let begun = Instant::now();
        while viewer.get("/v1/tpps/tpp-1").await.json()["counts"]["outstanding"] != 0 {
            assert!(begun.elapsed() < PATIENCE, "{}", house.log());
            sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(endpoint.inbox(NOTIFICATIONS).distinct().len(), EVENTS);
        nodes.stop();
    }
}

async fn publish(house: &House) {
    let publisher = house.colleague("publisher");
    for batch in 0..EVENTS / BATCH {
        let item = |number| house::item("tpp-1", "r-1", &format!("{batch}-{number}"));
        let items: Vec<_> = (0..BATCH).map(item).collect();
        let answer = publisher
            .post("/v1/events", &json!({ "items": items }))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

/// Stops the first node while something of it is in flight; says when, and what that is.
async fn paused_in_flight(nodes: &mut Nodes, endpoint: &Endpoint) -> (Instant, BTreeSet<Jti>) {
    loop {
        let came = endpoint.inbox(NOTIFICATIONS).arrivals().len();
        endpoint.until_count(NOTIFICATIONS, came + 1).await;
        nodes.pause(0);
        let paused_at = Instant::now();
        let in_flight = unfinished(endpoint, paused_at);
        if !in_flight.is_empty() {
            return (paused_at, in_flight);
        }
        // A busy machine was slower than the answer.
        nodes.wake(0);
    }
}

/// What had come, and was not answered yet.
fn unfinished(endpoint: &Endpoint, at: Instant) -> BTreeSet<Jti> {
    let inbox = endpoint.inbox(NOTIFICATIONS);
    let late = inbox
        .arrivals()
        .iter()
        .filter(|seen| seen.came.at + LATE > at);
    late.filter_map(|seen| seen.jti()).collect()
}

fn is_sleepers(seen: &Seen) -> bool {
    seen.header("x-fapi-financial-id").is_none()
}

/// Its pushes are known by what they lack.
const SLEEPER: &str = "export OYEZ_PUSH__FINANCIAL_ID=false";
const VARIABLES: [(&str, &str); 3] = [
    ("OYEZ_STORE__TAKEOVER", "3s"),
    ("OYEZ_PUSH__TOTAL_TIMEOUT", "20s"),
    ("OYEZ_PUSH__AT_ONCE_MAX", "4"),
];
const AT_ONCE: usize = 4;
/// Less than is configured: one look of another's may fall into it.
const LEASE: Duration = Duration::from_secs(1);
const LATE: Duration = Duration::from_millis(100);
const EVENTS: usize = 500;
const BATCH: usize = 100;
