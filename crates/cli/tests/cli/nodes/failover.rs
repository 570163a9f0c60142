//! A primary dies and its standby, which has followed in step, takes over.

use std::time::Duration;

use oyez_testkit::dice::Dice;
use oyez_testkit::postgres::{Cluster, Durability};
use oyez_testkit::scale;
use tokio::time::sleep;

use super::Nodes;
use super::crowd::Crowd;
use crate::house::House;
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
