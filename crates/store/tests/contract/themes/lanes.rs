//! Leases and lanes: one owner at a time, no wake-up lost (D-05, D-06, D-09). A lease of no length is one that is over.

use std::time::Duration;

use oyez_domain::ids::NodeId;
use oyez_domain::ledger::lanes::{
    Claim, Health, Hold, LaneReport, Lease, Reason, Reported, Wanted,
};
use oyez_domain::time::Timestamp;
use tokio::task::JoinSet;

use super::ledger;
use crate::fixture::{Ledger, Tpp};
use oyez_testkit::claims::newest_claim;
use oyez_testkit::making::{everything, pushed_to};

pub(super) const LONG: Duration = Duration::from_secs(3_600);
pub(super) const LET_GO: Hold = Hold::LetGo { wake_at: None };

fn node(name: &str) -> NodeId {
    NodeId::new(name).unwrap()
}

pub(super) async fn lease(ledger: &Ledger, name: &str) -> Lease {
    ledger
        .hold_lease(node(name), None, LONG)
        .await
        .unwrap()
        .unwrap()
}

/// A lane that was claimed by a lease which is over since.
async fn lapsed(ledger: &Ledger, name: &str) -> Lease {
    let lease = lease(ledger, name).await;
    assert_eq!(claims(ledger, &lease).await.len(), 1);
    let over = ledger
        .hold_lease(node(name), Some(lease.epoch), Duration::ZERO)
        .await;
    over.unwrap().unwrap()
}

/// The names of the TPPs whose lanes a node claims now.
pub(super) async fn claims(ledger: &Ledger, lease: &Lease) -> Vec<String> {
    claims_of(ledger, lease, Wanted::Due).await
}

/// The same where it asks for those that sleep, too.
pub(super) async fn claims_all(ledger: &Ledger, lease: &Lease) -> Vec<String> {
    claims_of(ledger, lease, Wanted::All).await
}

async fn claims_of(ledger: &Ledger, lease: &Lease, wanted: Wanted) -> Vec<String> {
    let lanes = ledger.claim_lanes(lease.clone(), wanted, 100, ledger.now());
    let names = lanes.await.unwrap().into_iter().map(|lane| lane.client_id);
    names.map(|name| name.to_string()).collect()
}

/// By the newest claim of the lane.
pub(super) async fn reports(lease: &Lease, tpp: &Tpp, health: Health, hold: Hold) -> Reported {
    let claim = newest_claim(&*tpp.ledger, lease, &tpp.id).await;
    reports_by(claim, tpp, health, hold).await
}

pub(super) async fn reports_by(claim: Claim, tpp: &Tpp, health: Health, hold: Hold) -> Reported {
    let report = LaneReport {
        client_id: tpp.id.clone(),
        claim: claim.number,
        health,
        hold,
    };
    tpp.ledger
        .report_lanes(claim.lease, vec![report], tpp.ledger.now())
        .await
        .unwrap()
        .remove(0)
}

pub(super) async fn health(tpp: &Tpp) -> Option<Health> {
    tpp.ledger
        .find_lane(tpp.id.clone())
        .await
        .unwrap()
        .map(|lane| lane.health)
}

pub(super) fn failing(now: Timestamp) -> Health {
    Health::Failing {
        since: now,
        failures: 3,
        next_probe_at: now + LONG,
        reason: Reason::new("503: come back later"),
    }
}

pub(super) async fn pushed(ledger: &Ledger, name: &str) -> Tpp {
    ledger
        .subscriber(name, pushed_to("acme.example", everything()))
        .await
}

// D-05
#[tokio::test]
async fn a_node_renews_the_epoch_it_holds_and_no_other() {
    let ledger = ledger().await;
    let first = lease(&ledger, "one").await;
    let renewed = ledger
        .hold_lease(node("one"), Some(first.epoch), LONG)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(renewed.epoch, first.epoch);
    let again = lease(&ledger, "one").await;
    assert!(again.epoch > first.epoch);
    assert_eq!(
        ledger
            .hold_lease(node("one"), Some(first.epoch), LONG)
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        ledger.hold_lease(node("two"), Some(1), LONG).await.unwrap(),
        None
    );
}

// D-05
#[tokio::test]
async fn a_lease_that_is_over_is_not_renewed_though_nobody_took_its_place() {
    let ledger = ledger().await;
    let over = ledger
        .hold_lease(node("one"), None, Duration::ZERO)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        ledger
            .hold_lease(node("one"), Some(over.epoch), LONG)
            .await
            .unwrap(),
        None
    );
    assert!(lease(&ledger, "one").await.epoch > over.epoch);
    let left = lease(&ledger, "two").await;
    ledger.release_lease(left.clone()).await.unwrap();
    assert_eq!(
        ledger
            .hold_lease(node("two"), Some(left.epoch), LONG)
            .await
            .unwrap(),
        None
    );
    assert!(lease(&ledger, "two").await.epoch > left.epoch);
}

// D-05, D-09
#[tokio::test]
async fn an_accepted_event_makes_its_lane_claimable_and_a_claimed_lane_is_nobody_elses() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    let (one, two) = (lease(&ledger, "one").await, lease(&ledger, "two").await);
    assert_eq!(claims(&ledger, &one).await, Vec::<String>::new());
    acme.news().await;
    assert_eq!(claims(&ledger, &one).await, ["acme"]);
    assert_eq!(claims(&ledger, &two).await, Vec::<String>::new());
    assert_eq!(claims(&ledger, &one).await, Vec::<String>::new());
    assert_eq!(health(&acme).await, Some(Health::Responsive));
}

// S-11
#[tokio::test]
async fn events_that_are_never_pushed_wake_no_lane() {
    let ledger = ledger().await;
    let acme = ledger.subscriber("acme", everything()).await;
    acme.news().await;
    assert_eq!(
        claims(&ledger, &lease(&ledger, "one").await).await,
        Vec::<String>::new()
    );
}

// D-05
#[tokio::test]
async fn lanes_are_claimed_longest_waiting_first_up_to_the_bound() {
    let ledger = ledger().await;
    let names = ["carl", "acme", "bolt"];
    for name in names {
        pushed(&ledger, name).await.news().await;
        ledger.pass(Duration::from_secs(1));
    }
    let one = lease(&ledger, "one").await;
    let lanes = ledger
        .claim_lanes(one.clone(), Wanted::Due, 2, ledger.now())
        .await
        .unwrap();
    assert_eq!(
        lanes
            .iter()
            .map(|it| it.client_id.as_str())
            .collect::<Vec<_>>(),
        names[..2]
    );
    assert_eq!(claims(&ledger, &one).await, names[2..]);
}

// D-05
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_nodes_that_claim_at_once_each_lane_has_one_owner() {
    let ledger = ledger().await;
    for name in 0..20 {
        pushed(&ledger, &format!("tpp-{name:02}"))
            .await
            .news()
            .await;
    }
    let mut nodes = JoinSet::new();
    for name in 0..8 {
        let ledger = ledger.clone();
        nodes.spawn(async move {
            let lease = lease(&ledger, &format!("node-{name}")).await;
            let lanes = ledger.claim_lanes(lease, Wanted::Due, 5, ledger.now());
            lanes
                .await
                .unwrap()
                .into_iter()
                .map(|lane| lane.client_id)
                .collect::<Vec<_>>()
        });
    }
    let mut claimed = nodes.join_all().await.concat();
    claimed.sort();
    let all = claimed.len();
    claimed.dedup();
    assert_eq!((all, claimed.len()), (20, 20));
}

// D-05
#[tokio::test]
async fn lanes_of_a_lapsed_or_released_lease_are_taken_over_with_their_health() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    acme.news().await;
    let over = lapsed(&ledger, "one").await;
    let two = lease(&ledger, "two").await;
    assert_eq!(claims(&ledger, &two).await, ["acme"]);
    assert_eq!(
        reports(&over, &acme, failing(ledger.now()), Hold::Keep).await,
        Reported::NotOwner
    );
    let sick = failing(ledger.now());
    assert_eq!(
        reports(&two, &acme, sick.clone(), Hold::Keep).await,
        Reported::Written
    );
    ledger.release_lease(two).await.unwrap();
    let three = lease(&ledger, "three").await;
    let lanes = ledger.claim_lanes(three, Wanted::Due, 9, ledger.now());
    let healths = lanes.await.unwrap().into_iter().map(|lane| lane.health);
    assert_eq!(healths.collect::<Vec<_>>(), [sick]);
}

// D-05
#[tokio::test]
async fn a_lease_that_is_over_claims_and_reports_nothing() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    acme.news().await;
    let over = lapsed(&ledger, "one").await;
    assert_eq!(claims(&ledger, &over).await, Vec::<String>::new());
    assert_eq!(
        reports(&over, &acme, failing(ledger.now()), LET_GO).await,
        Reported::NotOwner
    );
    assert_eq!(health(&acme).await, Some(Health::Responsive));
}

// D-05
#[tokio::test]
async fn a_node_that_joins_anew_has_lost_the_lanes_of_its_older_epoch() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    acme.news().await;
    let old = lease(&ledger, "one").await;
    claims(&ledger, &old).await;
    let new = lease(&ledger, "one").await;
    assert_eq!(
        reports(&old, &acme, failing(ledger.now()), Hold::Keep).await,
        Reported::NotOwner
    );
    assert_eq!(
        reports(&new, &acme, failing(ledger.now()), Hold::Keep).await,
        Reported::NotOwner
    );
    assert_eq!(claims(&ledger, &new).await, ["acme"]);
}

// D-05
#[tokio::test]
async fn a_lane_that_was_let_go_sleeps_until_its_moment() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    acme.news().await;
    let one = lease(&ledger, "one").await;
    claims(&ledger, &one).await;
    let wake_at = Some(ledger.now() + LONG);
    let letting = Hold::LetGo { wake_at };
    assert_eq!(
        reports(&one, &acme, Health::Responsive, letting).await,
        Reported::Written
    );
    assert_eq!(
        reports(&one, &acme, Health::Responsive, LET_GO).await,
        Reported::NotOwner
    );
    ledger.pass(LONG - Duration::from_millis(1));
    assert_eq!(claims(&ledger, &one).await, Vec::<String>::new());
    ledger.pass(Duration::from_millis(1));
    assert_eq!(claims(&ledger, &one).await, ["acme"]);
}

// D-05
#[tokio::test]
async fn a_tpp_that_never_had_anything_to_push_has_no_lane() {
    let ledger = ledger().await;
    let acme = pushed(&ledger, "acme").await;
    assert_eq!(health(&acme).await, None);
    let one = lease(&ledger, "one").await;
    assert_eq!(
        reports(&one, &acme, Health::Responsive, Hold::Keep).await,
        Reported::NotOwner
    );
}
