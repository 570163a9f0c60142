//! Three nodes on one ledger, at load, while they are killed and restarted at random.

use std::time::Duration;

use oyez_testkit::dice::Dice;
use oyez_testkit::scale;
use tokio::time::{Instant, sleep};

use super::Nodes;
use super::crowd::{ATTEMPT_MAX, Crowd};
use crate::house::House;
use crate::kill::load::Refusals;

/// `./test --quick` leaves these out.
mod slow {
    use super::*;

    // D-05, D-08, G-10, I-01, I-02, P-02, P-03, P-09, P-14, S-01
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn nothing_is_lost_or_ends_twice_and_lanes_are_taken_over_while_nodes_are_killed() {
        let mut dice = Dice::new(scale::seed("three nodes"));
        let mut house = House::on_postgres(&VARIABLES).await;
        let mut nodes = Nodes::start(&mut house, &[""; NODES]).await;
        let tpps = usize::try_from(scale::rounds(TPPS)).unwrap().max(TPPS_MIN);
        let mut crowd = Crowd::gather(house, tpps, Refusals::None, &mut dice).await;
        let work = crowd.work(&mut dice);
        for _ in 0..scale::rounds(STEPS) {
            sleep(Duration::from_millis(dice.roll() % STEP_MS_MAX)).await;
            let node = dice.below(NODES);
            nodes.assert_alive(&crowd.campaign.house);
            if !nodes.runs(node) {
                nodes.start_one(&crowd.campaign.house, node);
            } else if nodes.running() > 1 {
                nodes.kill(node);
                crowd.campaign.kills.push(Instant::now());
            }
        }
        // Whoever is dead stays dead until the others have taken over.
        sleep(TAKE_OVER + SLACK).await;
        work.end().await;
        for node in 0..NODES {
            if !nodes.runs(node) {
                nodes.start_one(&crowd.campaign.house, node);
            }
        }
        crowd.drain(&mut dice).await;
        let events = crowd.check().await.len();
        let slowest = check_take_over(&crowd);
        check_returns(&crowd);
        nodes.assert_alive(&crowd.campaign.house);
        nodes.stop();
        tell(&crowd, events, slowest);
    }
}

/// What is accepted arrives at once, or when whoever had its TPP is dead and was followed (D-08). Answers the longest wait.
fn check_take_over(crowd: &Crowd) -> Duration {
    let kills = &crowd.campaign.kills;
    let mut slowest = Duration::ZERO;
    for (accepted_at, took) in crowd.latencies() {
        let mut due_at = accepted_at + SLACK;
        for kill in kills {
            if *kill <= due_at && *kill + TAKE_OVER + SLACK > accepted_at {
                due_at = due_at.max(*kill + TAKE_OVER + SLACK);
            }
        }
        assert!(accepted_at + took <= due_at, "arrived after {took:?}");
        slowest = slowest.max(took);
    }
    slowest
}

/// What its TPP has acknowledged comes again only if whoever heard that was killed before it was written down.
fn check_returns(crowd: &Crowd) {
    let kills = &crowd.campaign.kills;
    for (acknowledged_at, returned_at) in crowd.returns() {
        let unwritten = acknowledged_at..=acknowledged_at + ATTEMPT_MAX + SLACK;
        let forgotten = kills.iter().any(|kill| unwritten.contains(kill));
        assert!(
            forgotten,
            "came again after {:?}",
            returned_at - acknowledged_at
        );
    }
}

#[expect(clippy::print_stderr, reason = "what a campaign did is for people")]
fn tell(crowd: &Crowd, events: usize, slowest: Duration) {
    let campaign = &crowd.campaign;
    eprintln!(
        "{} TPPs, {} kills: {events} events, {} came twice; the last to arrive took {slowest:?}",
        campaign.tpps.len(),
        campaign.kills.len(),
        crowd.returns().len(),
    );
}

const VARIABLES: [(&str, &str); 4] = [
    ("OYEZ_STORE__TAKEOVER", "4s"),
    ("OYEZ_PUSH__TOTAL_TIMEOUT", "1s"),
    ("OYEZ_PUSH__CONNECT_TIMEOUT", "1s"),
    ("OYEZ_POLLING__REDELIVERY_DELAY", "1s"),
];
const NODES: usize = 3;
const TPPS: u32 = 200;
const TPPS_MIN: usize = 10;
/// Kills and starts.
const STEPS: u32 = 100;
const STEP_MS_MAX: u64 = 2_000;
/// As configured.
const TAKE_OVER: Duration = Duration::from_secs(4);
/// What a busy machine may be late by.
const SLACK: Duration = Duration::from_secs(3);
