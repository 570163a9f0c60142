//! A primary dies and its standby, which has followed in step, takes over.

use std::time::Duration;

use oyez_testkit::dice::Dice;
use oyez_testkit::postgres::{Cluster, Durability};
use oyez_testkit::scale;
use serde_json::json;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use super::crowd::Crowd;
use super::{Nodes, PATIENCE};
use crate::house::{self, EVENTS, House};
use crate::kill::load::Refusals;

/// `./test --quick` leaves these out.
mod slow {
    use super::*;

    // D-08, G-10, I-01, I-02, P-03, P-09
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn nothing_answered_with_success_is_missing_after_a_failover() {
        let mut dice = Dice::new(scale::seed("failover"));
        for _ in 0..scale::rounds(ROUNDS) {
            fail_over(&mut dice).await;
        }
    }

    // G-10, I-01, I-02, P-03
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn nothing_is_answered_with_success_that_the_standby_does_not_have() {
        let primary = Cluster::start(Durability::Full);
        let mut standby = primary.standby();
        let url = format!(
            "postgresql://postgres@127.0.0.1:{}/postgres",
            primary.port()
        );
        let mut variables = VARIABLES.to_vec();
        // So long, and a little, whoever asks waits for an answer. The database's wait for its standby has no end.
        variables.push(("OYEZ_STORE__STATEMENT_TIMEOUT", "1s"));
        variables.push(("OYEZ_STORE__URL", &url));
        let mut house = House::new(&variables);
        block_in_place(|| house.start());
        let tpp = house.subscriber("tpp-1").await;
        let publisher = house.colleague("publisher");
        let item = |key: &str| house::item("tpp-1", "r-1", key);
        let taken = publisher.post("/v1/events", &item("k-1")).await;
        assert_eq!(taken.status, 200, "{taken:?}");
        let jti = taken.json()["outcomes"][0]["jti"].clone();
        standby.kill();
        for _ in 0..2 {
            let refused = publisher.post("/v1/events", &item("k-2")).await;
            assert_eq!(refused.status, 503, "{refused:?}");
            assert!(refused.header("retry-after").is_some(), "{refused:?}");
            let acknowledging = json!({ "ack": [jti], "maxEvents": 0 });
            let refused = tpp.post(EVENTS).json(&acknowledging).send().await;
            assert_eq!(refused.status, 503, "{refused:?}");
        }
        primary.set("synchronous_standby_names", "");
        let begun = Instant::now();
        loop {
            let answer = publisher.post("/v1/events", &item("k-2")).await;
            if answer.status == 200 {
                let outcome = &answer.json()["outcomes"][0]["outcome"];
                assert_eq!(
                    outcome, "duplicate",
                    "it was done when its answer was not known"
                );
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "{}", house.log());
            sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(block_in_place(|| house.stop()), 0);
    }

    async fn fail_over(dice: &mut Dice) {
        let mut primary = Cluster::start(Durability::Full);
        let standby = primary.standby();
        let url = format!(
            "postgresql://postgres@127.0.0.1:{},127.0.0.1:{}/postgres",
            primary.port(),
            standby.port()
        );
        let mut variables = VARIABLES.to_vec();
        variables.push(("OYEZ_STORE__URL", &url));
        let mut house = House::new(&variables);
        let mut nodes = Nodes::start(&mut house, &["", ""]).await;
        let mut crowd = Crowd::gather(house, TPPS, Refusals::Some, dice).await;
        let mut work = crowd.work(dice);
        work.until_answers(ANSWERS + dice.below(ANSWERS), &crowd.campaign.house)
            .await;
        primary.kill();
        sleep(Duration::from_millis(dice.roll() % 2_000)).await;
        standby.promote();
        work.until_answers(ANSWERS, &crowd.campaign.house).await;
        work.end().await;
        nodes.assert_alive(&crowd.campaign.house);
        crowd.drain(dice).await;
        assert!(!crowd.check().await.is_empty());
        nodes.stop();
    }
}

const VARIABLES: [(&str, &str); 5] = [
    ("OYEZ_STORE__BACKEND", "postgres"),
    ("OYEZ_STORE__TLS", "off"),
    ("OYEZ_POLLING__REDELIVERY_DELAY", "1s"),
    ("OYEZ_PUSH__TOTAL_TIMEOUT", "1s"),
    ("OYEZ_PUSH__CONNECT_TIMEOUT", "1s"),
];
const ROUNDS: u32 = 10;
const TPPS: usize = 6;
/// Before the primary dies, and after.
const ANSWERS: usize = 60;
